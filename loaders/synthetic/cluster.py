"""A made-up cluster and its policies, as manifests."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import msgspec

from .blocks import listing_count, listing_policies
from .cilium import cilium_documents
from .objects import Document, Nodes, namespace_documents, pod_documents, service_documents
from .policies import policy_documents
from .scale import Scale, scale_of
from .workloads import draw_groups, draw_works, system_works
from .yaml_text import yaml_documents


@dataclass(frozen=True, slots=True)
class ClusterFiles:
    """What `generate_cluster` wrote: a dump of the objects, and the policies."""

    cluster: Path
    policies: Path


def cluster_documents(size: str | Scale, seed: int, *, cilium: bool = False) -> tuple[list[Document], list[Document]]:
    """Make a cluster: its namespaces, nodes, pods and Services, and its policies.

    Parameters
    ----------
    size : str or Scale
        S is about 1000 pods and 100 policies, M 20 000 and 2000, L 100 000 and 10 000; XL is L with 20 000 CIDR
        blocks and 1000 namespaces.
    seed : int
        The same seed makes the same documents.
    cilium : bool
        Write most policies as Cilium's own, with what only those can say.

    Raises
    ------
    ValueError
        There is no such size, or a scale's nodes have too few addresses for its pods.
    """
    scale = scale_of(size)
    random = Random(f"cluster {seed}")
    groups = draw_groups(scale, random)
    drawn = draw_works(scale, groups, random)
    works = [*system_works(scale), *drawn]
    groups = [*{work.group.name: work.group for work in works}.values()]
    nodes = Nodes(scale.nodes, scale.dual_stack > 0, random)
    objects = [
        *namespace_documents(groups),
        *nodes.documents(),
        *pod_documents(works, nodes, random),
        *service_documents(works, random),
    ]
    policies = policy_documents(groups, works, scale.policies - listing_count(scale), random)
    policies += listing_policies(drawn, scale, random)
    return objects, cilium_documents(policies, random) if cilium else policies


def generate_cluster(size: str | Scale, seed: int, out: str | Path, *, cilium: bool = False) -> ClusterFiles:
    """Write a made-up cluster into a folder: ``cluster.json`` and ``policies.yaml``.

    Raises
    ------
    ValueError
        As in `cluster_documents`.
    OSError
        The folder cannot be written to.
    """
    objects, policies = cluster_documents(size, seed, cilium=cilium)
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    files = ClusterFiles(folder / "cluster.json", folder / "policies.yaml")
    _write_list(files.cluster, objects)
    files.policies.write_text(yaml_documents(policies), "utf-8", newline="\n")
    return files


def _write_list(path: Path, objects: list[Document]) -> None:
    """Write the dump that ``kubectl get -o json`` would make, one object a line."""
    encode = msgspec.json.Encoder().encode
    with path.open("wb") as file:
        file.write(b'{"apiVersion":"v1","kind":"List","items":[\n')
        file.write(b",\n".join(map(encode, objects)))
        file.write(b"\n]}\n")
