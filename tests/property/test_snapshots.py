"""A snapshot holds all that verdicts depend on, whichever way it is written: drawn clusters come back the same."""

import json
import re
import tempfile
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from loaders import load_manifests
from loaders.snapshots.kept import keep_of
from loaders.snapshots.notes import Notes
from loaders.snapshots.writing import write_snapshot
from tests import strategies as small
from tests import strategies_admin as admin
from tests import strategies_antrea as antrea
from tests import strategies_calico as calico
from tests import strategies_cilium as cilium
from tests import strategies_cilium_policies as cilium_policies

PLACE = re.compile(r"Place\([^()]*\)")


AGENT = {"version": (1, 20), "enable_node_selector_labels": False, "enable_extended_ip_protocols": False}


@st.composite
def worlds(draw):
    """Objects and policies of every dialect."""
    cluster = draw(st.one_of(small.clusters(), calico.clusters(), cilium.clusters().map(cilium.documents)))
    documents = [*draw(small.policies()), *draw(admin.policies()), *draw(antrea.policies()), *draw(calico.documents())]
    return [*map(as_listed, cluster), *documents, *draw(cilium_policies.policies(AGENT))]


def as_listed(document):
    """A pod with `podIP` as servers tell it, beside `podIPs`."""
    status = document.get("status") or {}
    if document["kind"] == "Pod" and status.get("podIPs"):
        return {**document, "status": {**status, "podIP": status["podIPs"][0]["ip"]}}
    return document


def identity(document):
    metadata = document["metadata"]
    return document["apiVersion"], document["kind"], metadata.get("namespace"), metadata["name"]


def kept(document):
    group, kind = document["apiVersion"].rpartition("/")[0], document["kind"]
    found = keep_of(group, kind)(msgspec.Raw(json.dumps(document).encode()))
    return {"apiVersion": document["apiVersion"], "kind": kind, **found}


def loaded(documents, name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        write_snapshot(documents, path, Notes())
        return load_manifests([str(path)])


def content(snapshot):
    """Everything but where it was written."""
    told = [PLACE.sub("", repr(policy)) for policy in snapshot.policies]
    return snapshot.cluster, told, [diagnostic.message for diagnostic in snapshot.diagnostics], snapshot.plugin


@given(worlds())
def test_drawn_clusters_come_back_the_same(documents):
    documents = list({identity(document): document for document in documents}.values())
    expected = content(loaded(documents, "cluster.json"))
    slim = list(map(kept, documents))
    for name in ("snap.json", "snap.json.gz", "snap.parquet"):
        assert content(loaded(slim, name)) == expected
