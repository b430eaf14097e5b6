import pytest

from simcore.cli.judging import Judge, combined, differences
from simcore.cli.names import Names
from simcore.errors import ResolveError
from simcore.model.addresses import Address
from simcore.model.cluster import Backend, Cluster, Namespace, Pod, Service, WorkloadRef
from simcore.model.flows import Reason, Verdict
from simcore.model.labels import NAMESPACE_NAME_LABEL, LabelSelector
from simcore.model.ports import TCP
from simcore.model.profile import UPSTREAM

DEPLOYMENT = WorkloadRef("shop", "Deployment", "web")
OLD, NEW = (WorkloadRef("shop", "ReplicaSet", f"web-{name}") for name in ("old", "new"))


def address(text):
    return Address.parse(text)


WEB = LabelSelector.equal({"app": "web"})


def pod(name, text, *owners, **fields):
    return Pod("shop", name, {"app": "web"}, (address(text),), owners=owners, **fields)


CLUSTER = Cluster.of(
    [Namespace("shop", {NAMESPACE_NAME_LABEL: "shop"}), Namespace("ops", {NAMESPACE_NAME_LABEL: "ops"})],
    [
        pod("web-1", "10.0.0.1", OLD, DEPLOYMENT),
        pod("web-2", "10.0.0.2", NEW, DEPLOYMENT),
        pod("web-3", "10.0.0.3", NEW, DEPLOYMENT, finished=True),
        pod("job", "10.0.0.4", WorkloadRef("shop", "Job", "job"), finished=True),
    ],
    services=[
        Service("shop", "web", (address("10.96.0.1"), address("fd00:96::1")), selector=WEB),
        Service("shop", "headless", selector=WEB),
        Service("shop", "listed", backends=tuple(Backend("", TCP, address(a), 80) for a in ("10.0.0.1", "192.0.2.1"))),
        Service("shop", "empty"),
        Service("shop", "outside", backends=(), external_name="api.example.net"),
        Service("shop", "nobody", backends=(), external_name="nobody.example.net"),
        Service("shop", "alias", backends=(), external_name="headless.shop.svc.cluster.local"),
        Service("shop", "ring", backends=(), external_name="ring.shop.svc"),
    ],
    names={"api.example.net": (address("203.0.113.7"), address("2001:db8::7"))},
)
NAMES = Names(CLUSTER)


def pods_of(text):
    return [CLUSTER.pods[number].name for number in NAMES.party(text).pods]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("shop/web-1", ["web-1"]),
        ("shop/Pod/web-1", ["web-1"]),
        ("shop/Deployment/web", ["web-1", "web-2"]),
        ("shop/deploy/web", ["web-1", "web-2"]),
        ("shop/ReplicaSet/web-new", ["web-2"]),
        ("shop/Service/headless", ["web-1", "web-2"]),
        ("shop/svc/listed", ["web-1"]),
        ("shop/svc/alias", ["web-1", "web-2"]),
        ("shop/Job/job", ["job"]),
    ],
)
def test_pods_meant(text, names):
    assert pods_of(text) == names


def test_addresses_meant():
    assert NAMES.party("fd00::1").addresses == (address("fd00::1"),)
    assert NAMES.party("shop/Service/web").addresses == (address("10.96.0.1"), address("fd00:96::1"))
    assert NAMES.party("shop/Service/listed").addresses == (address("192.0.2.1"),)
    assert NAMES.party("shop/Service/outside").addresses == (address("203.0.113.7"), address("2001:db8::7"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shop/web", "Did you mean shop/Deployment/web or shop/Service/web"),
        ("shop/wbe-1", "Did you mean shop/web-1"),
        ("shp/web-1", "Did you mean namespace shop or shop/web-1"),
        ("ops/Deployment/web", "Did you mean shop/Deployment/web"),
        ("shop/Service/empty", "has neither an address nor a pod behind it"),
        (
            "shop/Service/nobody",
            "the name nobody.example.net, of which no address is known. Give it with --dns",
        ),
        ("shop/Service/ring", "stands for the name ring.shop.svc, of which no address is known"),
        ("web-1", "is not namespace/pod, namespace/Kind/name or an address. Did you mean shop/web-1"),
        ("10.0.0.256", "is not namespace/pod, namespace/Kind/name or an address"),
        ("shop/", "is not namespace/pod"),
        ("a/b/c/d", "is not namespace/pod"),
    ],
)
def test_a_name_of_nothing_says_what_is_near(text, said):
    with pytest.raises(ResolveError) as caught:
        NAMES.party(text)
    assert said in str(caught.value)


def answers(source, destination):
    judge = Judge(CLUSTER, (), UPSTREAM)
    return judge.answers(NAMES.party(source), NAMES.party(destination), TCP, 80)


def test_a_workload_asked_about_itself_is_not_asked_about_one_pod_alone():
    ends = {
        (flow.source.pod, flow.destination.pod) for flow, _ in answers("shop/Deployment/web", "shop/Deployment/web")
    }
    assert ends == {("shop/web-1", "shop/web-2"), ("shop/web-2", "shop/web-1")}


def test_one_pod_is_asked_about_itself():
    assert combined(answers("shop/web-1", "shop/web-1")).egress.reason is Reason.SELF


def test_a_service_is_reached_at_the_address_of_the_sources_family():
    assert [flow.destination.address for flow, _ in answers("shop/web-1", "shop/Service/web")] == [address("10.96.0.1")]
    assert [flow.destination.address for flow, _ in answers("fd00::1", "shop/Service/web")] == [address("fd00:96::1")]


def test_pods_that_agree_have_no_differences():
    found = answers("shop/Deployment/web", "192.0.2.1")
    assert combined(found).verdict is Verdict.ALLOW
    assert differences(found) == ()
