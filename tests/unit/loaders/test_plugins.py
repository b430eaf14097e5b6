import pytest

from loaders.clusters.plugins import Guess, guess_plugin


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
