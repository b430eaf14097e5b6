import pytest

from loaders import apply, delete
from simcore.errors import Place, ResolveError
from simcore.model.policy import Policy, PolicyRef


def policy(name, namespace="shop", kind="NetworkPolicy", file="a.yaml"):
    return Policy(PolicyRef(kind, namespace, name), (), Place(file))


GIVEN = (policy("api"), policy("web"), policy("web", "bank"))


def test_apply_adds_and_replaces():
    edited = policy("web", file="b.yaml")
    new = policy("db")
    assert apply(GIVEN, [new, edited]) == (policy("web", "bank"), policy("api"), new, edited)


def test_the_last_of_two_edits_wins():
    first, second = policy("web", file="b.yaml"), policy("web", file="c.yaml")
    assert second in apply(GIVEN, [first, second])
    assert first not in apply(GIVEN, [first, second])


@pytest.mark.parametrize("kind", ["NetworkPolicy", "networkpolicy", "networkpolicies", "netpol", "NETPOL"])
@pytest.mark.parametrize("group", ["", ".networking.k8s.io", ".v1.networking.k8s.io"])
def test_delete_takes_one_away(kind, group):
    assert delete(GIVEN, f"{kind}{group}/shop/web") == (policy("api"), policy("web", "bank"))


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("anp", "AdminNetworkPolicy"),
        ("adminnetworkpolicies", "AdminNetworkPolicy"),
        ("adminnetworkpolicy.policy.networking.k8s.io", "AdminNetworkPolicy"),
        ("adminnetworkpolicies.v1alpha1.policy.networking.k8s.io", "AdminNetworkPolicy"),
        ("banp", "BaselineAdminNetworkPolicy"),
        ("BaselineAdminNetworkPolicy", "BaselineAdminNetworkPolicy"),
        ("cnp", "ClusterNetworkPolicy"),
        ("clusternetworkpolicies.v1alpha2.policy.networking.k8s.io", "ClusterNetworkPolicy"),
    ],
)
def test_delete_of_a_policy_of_no_namespace(word, kind):
    assert delete([*GIVEN, policy("web", "", kind)], f"{word}/web") == GIVEN


def test_delete_of_another_kind():
    assert delete([policy("a", kind="CiliumNetworkPolicy")], "ciliumnetworkpolicy/shop/a") == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("netpol/shop/wbe", "there is no policy NetworkPolicy/shop/wbe. Did you mean NetworkPolicy/shop/web"),
        ("netpol/prod/api", "Did you mean NetworkPolicy/shop/api?"),
        ("netpol/xyz/qqqqqqqq", "There are: NetworkPolicy/bank/web, NetworkPolicy/shop/api, NetworkPolicy/shop/web"),
        ("web", "Write KIND/NAMESPACE/NAME, such as netpol/shop/web"),
        ("networkpolicies.projectcalico.org/shop/web", "no policy networkpolicies.projectcalico.org/shop/web. Did you"),
        ("netpol//web", "Write KIND/NAMESPACE/NAME"),
        ("netpol/web", "no policy NetworkPolicy/web. Did you mean NetworkPolicy/bank/web or NetworkPolicy/shop/web?"),
        ("anp/shop/web", "no policy AdminNetworkPolicy/shop/web. Did you mean"),
        ("anp/a/b/c", "or KIND/NAME for one of no namespace, such as anp/web"),
    ],
)
def test_a_policy_that_is_not_there(name, message):
    with pytest.raises(ResolveError) as caught:
        delete(GIVEN, name)
    assert message in str(caught.value)


def test_nothing_can_be_deleted_from_nothing():
    with pytest.raises(ResolveError, match="There are no policies at all"):
        delete((), "netpol/shop/web")
