"""Sets of policies that lean on other objects: names, edits, repeats."""

import json

import pytest

from loaders import load_manifests
from loaders.manifests import load_policy_set
from simcore.errors import LoadError, ResolveError
from tests.cilium import ccnp, cidr_group, cnp

GROUP = "crd.antrea.io"
SPEC = {"priority": 5, "tier": "mine", "appliedTo": [{"namespaceSelector": {}}], "ingress": [{"action": "Drop"}]}
OWN = {**SPEC, "appliedTo": [{"podSelector": {}}]}


def made(kind, name, spec, **metadata):
    return {"apiVersion": f"{GROUP}/v1beta1", "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


GIVEN = (
    made("Tier", "mine", {"priority": 30}),
    made("ClusterNetworkPolicy", "guard", SPEC),
    made("NetworkPolicy", "web", OWN, namespace="shop"),
    made("NetworkPolicy", "lone", OWN),
)


@pytest.fixture
def load(tmp_path):
    def _load(*documents):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}), "utf-8")
        return load_policy_set([str(path)])

    return _load


def names(written):
    return [document.value["metadata"]["name"] for document in written.documents]


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("acnp/guard", "guard"),
        ("ACNP.crd.antrea.io/guard", "guard"),
        ("clusternetworkpolicy.crd.antrea.io/guard", "guard"),
        ("clusternetworkpolicies.crd.antrea.io/guard", "guard"),
        ("ClusterNetworkPolicy.v1beta1.crd.antrea.io/guard", "guard"),
        ("annp/shop/web", "web"),
        ("networkpolicies.v1beta1.crd.antrea.io/shop/web", "web"),
        ("annp/lone", "lone"),
        ("annp/default/lone", "lone"),
        ("tier.crd.antrea.io/mine", "mine"),
        ("tiers.crd.antrea.io/mine", "mine"),
    ],
)
def test_delete_takes_every_form_of_a_kind(load, name, gone):
    given = load(*GIVEN)
    assert set(names(given)) - set(names(given.deleted(name))) == {gone}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cnp/guard",
            "no policy ClusterNetworkPolicy/guard. Did you mean ClusterNetworkPolicy.crd.antrea.io/guard",
        ),
        ("acnp/gard", "Did you mean ClusterNetworkPolicy.crd.antrea.io/guard?"),
        ("netpol/shop/web", "Did you mean NetworkPolicy.crd.antrea.io/shop/web?"),
        ("tier/mine", "Did you mean Tier.crd.antrea.io/mine?"),
        ("acnp/zzzzzzzz", "There are: ClusterNetworkPolicy.crd.antrea.io/guard, NetworkPolicy.crd.antrea.io/lone"),
    ],
)
def test_what_is_not_there_is_told_with_what_is(load, name, message):
    with pytest.raises(ResolveError) as caught:
        load(*GIVEN).deleted(name)
    assert message in str(caught.value)


def test_a_missing_namespace_is_default_in_edits_too(load):
    edit = made("NetworkPolicy", "lone", {**OWN, "priority": 6}, namespace="default")
    after = load(*GIVEN).applied(load(edit))
    assert [d.value["spec"]["priority"] for d in after.documents if d.value["metadata"]["name"] == "lone"] == [6]


def test_a_missing_namespace_is_default_in_one_set_too(load):
    with pytest.raises(LoadError, match="lone"):
        load(*GIVEN, made("NetworkPolicy", "lone", {**OWN, "priority": 6}, namespace="default"))


def test_namespaces_of_policies_are_told_where_nothing_is_in_them(tmp_path):
    path = tmp_path / "all.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": GIVEN}), "utf-8")
    (warning,) = [found for found in load_manifests([str(path)]).diagnostics if "neither pods" in found.message]
    assert "1 namespace (shop)" in warning.message


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("cnp/shop/db", "db"),
        ("ciliumnetworkpolicies/shop/db", "db"),
        ("CiliumNetworkPolicy.cilium.io/shop/db", "db"),
        ("ccnp/all", "all"),
        ("ciliumcidrgroup/far", "far"),
    ],
)
def test_delete_takes_cilium_s_kinds(load, name, gone):
    given = load(cnp("db", ingress=[{}]), ccnp("all", ingress=[{}]), cidr_group("far", "192.0.2.0/24"))
    assert set(names(given)) - set(names(given.deleted(name))) == {gone}
