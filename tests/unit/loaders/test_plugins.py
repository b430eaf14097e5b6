import pytest

from loaders import load_manifests
from loaders.clusters.plugins import Guess, guess_plugin

CRD = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: tiers.crd.antrea.io}
spec: {group: crd.antrea.io, names: {kind: Tier}}
"""


@pytest.mark.parametrize(
    ("daemon_sets", "annotations", "guess"),
    [
        ([("kube-system", "calico-node")], {}, Guess("calico", "DaemonSet kube-system/calico-node")),
        (
            [("kube-flannel", "kube-flannel-ds"), ("kube-system", "kube-network-policies")],
            {},
            Guess("kube-network-policies", "DaemonSet kube-system/kube-network-policies"),
        ),
        (
            [("kube-system", "kube-proxy")],
            {"n1": [], "n2": ["flannel.alpha.coreos.com/backend-type"]},
            Guess("flannel", "annotation flannel.alpha.coreos.com/backend-type of node n2"),
        ),
        ([("kube-system", "kube-proxy")], {"n1": ["example.org/x"]}, None),
    ],
)
def test_a_plugin_is_told_from_what_it_leaves(daemon_sets, annotations, guess):
    assert guess_plugin(daemon_sets, annotations) == guess


@pytest.mark.parametrize(
    ("groups", "guess"),
    [
        (["", "apps", "crd.antrea.io"], Guess("antrea", "objects of crd.antrea.io")),
        (["crd.projectcalico.org", "projectcalico.org"], Guess("calico", "objects of projectcalico.org")),
        (["cilium.io", "crd.antrea.io"], None),
    ],
)
def test_a_plugin_is_told_from_objects_that_only_it_has(groups, guess):
    assert guess_plugin([], {}, groups) == guess


@pytest.mark.parametrize(("spec", "plugin"), [("group: crd.antrea.io", "antrea"), ("grope: x", None)])
def test_the_definition_of_a_custom_resource_tells(tmp_path, spec, plugin):
    path = tmp_path / "crd.yaml"
    path.write_text(CRD.replace("group: crd.antrea.io", spec))
    guess = load_manifests([str(path)]).plugin
    assert (guess.plugin if guess else None) == plugin
