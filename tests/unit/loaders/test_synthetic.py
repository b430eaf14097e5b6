from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

import loaders
import simcore
from loaders import apply, load_cluster, load_manifests, load_policies
from loaders.synthetic.cluster import cluster_documents, generate_cluster
from loaders.synthetic.counts import parse_count
from loaders.synthetic.demo import write_demo
from loaders.synthetic.flows import generate_flows
from loaders.synthetic.scale import SCALES, Scale
from loaders.synthetic.yaml_text import yaml_documents
from simcore.errors import ResolveError
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.cluster import Cluster, ContainerPort, Namespace, Pod, Service, ServicePort, WorkloadRef
from simcore.model.flows import End, Flow, Verdict
from simcore.model.labels import LabelSelector
from simcore.model.ports import PROTOCOL_NUMBERS, TCP
from simcore.reference import Reference

TINY = Scale(pods=160, policies=40, namespaces=6, nodes=4, dual_stack=0.4)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return generate_cluster(TINY, 3, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def cluster(tiny):
    return load_cluster([str(tiny.cluster)])


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("demo"))


def address(value):
    if value is None:
        return None
    return Address.from_bytes(value) if isinstance(value, bytes) else Address(Family.V4, value)


def one_pod(**fields):
    labels = {"kubernetes.io/metadata.name": "a"}
    return Cluster.of([Namespace("a", labels)], [Pod("a", "only", {}, **fields)])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("250", 250),
        ("1_000_000", 1_000_000),
        ("40k", 40_000),
        ("10M", 10**7),
        ("1.5m", 1_500_000),
        ("2G", 2 * 10**9),
    ],
)
def test_counts_are_read(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["", "M", "-1", "1.0.0", "1__0", "_1", "10 M", "1T", "1.5", "0.0001k"])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(ValueError, match="is not a"):
        parse_count(text)


def test_an_unknown_size_is_refused():
    with pytest.raises(ValueError, match="S, M, L, XL"):
        cluster_documents("XXL", 1)


def test_traffic_can_be_ipv6_throughout(tiny, tmp_path):
    dual, _ = cluster_documents(Scale(pods=160, policies=40, namespaces=6, nodes=4, dual_stack=1.0), 3)
    (tmp_path / "cluster.yaml").write_text(yaml_documents(dual))
    path = generate_flows(load_cluster([str(tmp_path / "cluster.yaml")]), 2_000, 1, tmp_path / "f.parquet", ipv6=1.0)
    table = pq.read_table(path, columns=["source_address", "destination_address"])
    found = [value for column in table.columns for value in column.to_pylist() if value is not None]
    assert {address(value).family for value in found} == {Family.V6}


def test_lists_name_as_many_blocks_and_ports_as_asked_for():
    scale = Scale(pods=160, policies=40, namespaces=6, nodes=4, blocks=300, block_ports=50)
    _, policies = cluster_documents(scale, 3)
    lists = [policy for policy in policies if policy["metadata"]["name"].startswith("blocks-")]
    rules = [rule for policy in lists for rule in policy["spec"]["egress"]]
    blocks = [peer["ipBlock"] for rule in rules for peer in rule["to"]]
    assert len(lists) == 20
    assert len({block["cidr"] for block in blocks}) == len(blocks) == 300
    assert 20 < sum("except" in block for block in blocks) < 100
    assert 40 < len({port["port"] for rule in rules for port in rule["ports"]}) <= 50


def test_more_pods_than_addresses_are_refused():
    with pytest.raises(ValueError, match="addresses"):
        cluster_documents(Scale(pods=2_000, policies=10, namespaces=3, nodes=2), 1)


def test_the_same_seed_makes_the_same_cluster(tiny, tmp_path):
    again = generate_cluster(TINY, 3, tmp_path)
    assert again.cluster.read_bytes() == tiny.cluster.read_bytes()
    assert again.policies.read_bytes() == tiny.policies.read_bytes()
    assert cluster_documents(TINY, 4) != cluster_documents(TINY, 3)


@pytest.mark.parametrize("scale", [TINY, SCALES["S"]])
def test_a_cluster_has_about_the_size_asked_for(scale):
    objects, policies = cluster_documents(scale, 1)
    kinds = Counter(document["kind"] for document in objects)
    assert kinds["Pod"] == pytest.approx(scale.pods, rel=0.05)
    assert len(policies) == pytest.approx(scale.policies, rel=0.1)
    assert kinds["Node"] == scale.nodes


def test_names_are_unique():
    objects, policies = cluster_documents("S", 1)
    names = [(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in objects + policies]
    assert len(set(names)) == len(names)


def test_a_cluster_loads_without_a_complaint(tiny):
    snapshot = load_manifests([str(tiny.cluster), str(tiny.policies)])
    assert (snapshot.diagnostics, dict(snapshot.ignored)) == ((), {})
    assert Address.parse("10.96.0.10") in {a for service in snapshot.cluster.services for a in service.addresses}
    assert {pod.workload.kind for pod in snapshot.cluster.pods} >= {"Deployment", "StatefulSet", "DaemonSet"}


def test_running_pods_share_no_address(cluster):
    assert all(len(owners) == 1 for owners in cluster.pods_at.values())
    assert {len(pod.addresses) for pod in cluster.pods} == {1, 2}


def test_policies_written_are_the_policies_made(tiny):
    assert list(yaml.safe_load_all(tiny.policies.read_text("utf-8"))) == cluster_documents(TINY, 3)[1]


def test_yaml_text_is_read_back():
    value = {
        "a": ["yes", "1", 1, True, "", "x: y", "10.0.0.0/8", "null", "\u00e4\n", {"b": {}, "c": []}],
        "~": {"d": "-"},
    }
    assert list(yaml.safe_load_all(yaml_documents([value, value]))) == [value, value]


def test_the_same_seed_makes_the_same_flows(cluster, tmp_path):
    one, two, other = (
        generate_flows(cluster, 5_000, seed, tmp_path / name).read_bytes()
        for seed, name in ((1, "one"), (1, "two"), (2, "other"))
    )
    assert one == two != other


def test_flows_name_addresses_of_the_cluster_or_of_outside(cluster, tmp_path):
    table = pq.read_table(generate_flows(cluster, 20_000, 1, tmp_path / "flows.parquet"))
    assert table.schema.field("source_address").type == pa.binary(16)
    inside = [Cidr.parse(text) for text in ("10.0.0.0/8", "fd00::/8")]
    known = {*cluster.pods_at, *cluster.node_at, *(a for service in cluster.services for a in service.addresses)}
    for name in ("source_address", "destination_address"):
        seen = {address(value) for value in table[name].unique().to_pylist()} - {None}
        assert {a for a in seen if any(block.contains(a) for block in inside)} <= known


def test_flows_are_sorted_and_mixed(cluster, tmp_path):
    table = pq.read_table(generate_flows(cluster, 20_000, 1, tmp_path / "flows.parquet"))
    times = table["time"].cast(pa.int64()).to_pylist()
    assert times == sorted(times)
    assert pc.all(pc.greater_equal(table["end_time"], table["time"])).as_py()
    assert 0.15 < pc.mean(pc.equal(table["destination_port"], 53).cast(pa.uint8())).as_py() < 0.3
    assert 0 < table["protocol"].null_count < 40
    assert 0 < table["source_address"].null_count < 40
    assert {1, 6, 17, 58} <= set(table["protocol"].unique().to_pylist())


def test_flows_without_ipv6_are_narrow(cluster, tmp_path):
    table = pq.read_table(generate_flows(cluster, 2_000, 1, tmp_path / "flows.parquet", ipv6=0))
    assert table.schema.field("source_address").type == pa.uint32()


def test_most_flows_are_what_the_policies_expect(tiny, tmp_path):
    snapshot = load_manifests([str(tiny.cluster), str(tiny.policies)])
    table = pq.read_table(generate_flows(snapshot.cluster, 3_000, 1, tmp_path / "flows.parquet"))
    verdicts = Counter(judgements(snapshot.cluster, snapshot.policies, table))
    assert verdicts[Verdict.ALLOW] > 2_100
    assert verdicts[Verdict.DENY] > 30
    assert verdicts[Verdict.UNKNOWN] < 200


def judgements(cluster, policies, table):
    reference = Reference(cluster, policies)
    columns = [
        table[name].to_pylist() for name in ("source_address", "destination_address", "protocol", "destination_port")
    ]
    for source, destination, protocol, port in zip(*columns, strict=True):
        yield reference.judge(Flow(End(address(source)), End(address(destination)), protocol, port)).verdict


def test_pods_without_address_are_given_one_and_named(tmp_path):
    web = WorkloadRef("a", "Deployment", "web")
    pods = [
        Pod("a", f"web-{n}", {"app": "web"}, ports=(ContainerPort("http", TCP, 80),), owners=(web,), synthesised=True)
        for n in range(2)
    ]
    client = Pod("a", "client", {}, addresses=(Address.parse("10.128.0.1"),))
    service = Service(
        "a",
        "web",
        (Address.parse("10.96.1.1"),),
        (ServicePort("", TCP, 80, "http"),),
        LabelSelector.equal({"app": "web"}),
    )
    cluster = Cluster.of([], [*pods, client], (), [service])
    table = pq.read_table(generate_flows(cluster, 500, 1, tmp_path / "flows.parquet"))
    named = {
        (pod, address(value))
        for pod, value in zip(table["source_pod"].to_pylist(), table["source_address"].to_pylist(), strict=True)
        if pod and value is not None
    }
    assert named == {
        ("a/web-0", Address.parse("10.128.0.2")),
        ("a/web-1", Address.parse("10.128.0.3")),
        ("a/client", Address.parse("10.128.0.1")),
    }


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"addresses": (Address.parse("10.0.0.1"),)},
        {"addresses": (Address.parse("fd00::1"),)},
        {"addresses": (Address.parse("10.0.0.1"), Address.parse("fd00::1")), "node": "gone"},
        {"host_network": True},
    ],
)
@pytest.mark.parametrize("count", [0, 1, 300])
def test_a_single_pod_is_enough(fields, count, tmp_path):
    assert pq.read_table(generate_flows(one_pod(**fields), count, 1, tmp_path / "f.parquet")).num_rows == count


@pytest.mark.parametrize("cluster", [Cluster.of([], []), one_pod(finished=True)], ids=["empty", "finished"])
def test_without_a_running_pod_there_are_no_flows(cluster, tmp_path):
    with pytest.raises(ResolveError, match="no running pod"):
        generate_flows(cluster, 10, 1, tmp_path / "flows.parquet")


@pytest.mark.parametrize(("count", "ipv6"), [(-1, 0.5), (1, 1.5)])
def test_impossible_wishes_are_refused(count, ipv6, cluster, tmp_path):
    with pytest.raises(ValueError, match="cannot be made"):
        generate_flows(cluster, count, 1, tmp_path / "flows.parquet", ipv6=ipv6)


def test_the_demo_is_always_the_same(demo, tmp_path):
    again = write_demo(tmp_path)
    for name in demo.__slots__:
        assert getattr(again, name).read_bytes() == getattr(demo, name).read_bytes(), name


def test_the_demo_passes_its_own_tests(demo):
    snapshot = load_manifests([str(demo.cluster), str(demo.policies)])
    assert snapshot.diagnostics == ()
    assert failing(snapshot.cluster, snapshot.policies, demo) == []


def test_the_change_of_the_demo_breaks_what_it_should(demo):
    snapshot = load_manifests([str(demo.cluster), str(demo.policies)])
    changed = apply(snapshot.policies, load_policies([str(demo.change)]))
    assert failing(snapshot.cluster, changed, demo) == [
        "shop/Deployment/checkout -> shop/postgres-0:5432",
        "shop/Deployment/checkout -> kube-system/Deployment/coredns:53",
        "monitoring/Deployment/grafana -> shop/postgres-0:5432",
    ]


def failing(cluster, policies, demo):
    reference = Reference(cluster, policies)
    found = []
    for test in yaml.safe_load(demo.tests.read_text("utf-8"))["tests"]:
        verdicts = {
            reference.judge(Flow(source, destination, PROTOCOL_NUMBERS[test["protocol"]], test["port"])).verdict.word
            for source in ends(cluster, test["from"])
            for destination in ends(cluster, test["to"])
        }
        assert verdicts, test
        if verdicts != {test["expect"]}:
            found.append(f"{test['from']} -> {test['to']}:{test['port']}")
    return found


def ends(cluster, text):
    if "/" not in text:
        return [End(address=Address.parse(text))]
    pods = [pod for pod in cluster.pods if text in (pod.full_name, str(pod.workload))]
    return [End(pod=pod.full_name) for pod in pods]


def test_the_current_policies_of_the_demo_deny_only_what_was_refused(demo):
    snapshot = load_manifests([str(demo.cluster), str(demo.policies)])
    table = pq.read_table(demo.capture)
    assert table.num_rows == 200_000
    some = table.slice(0, 3_000)
    refused = [flags == 0x02 for flags in some["tcp_flags"].to_pylist()]
    verdicts = list(judgements(snapshot.cluster, snapshot.policies, some))
    assert Verdict.UNKNOWN not in verdicts
    assert all(was for was, verdict in zip(refused, verdicts, strict=True) if verdict is Verdict.DENY)
    assert Verdict.DENY in verdicts


def test_traffic_is_mostly_what_is_expected(tmp_path):
    files = generate_cluster("S", 2, tmp_path / "cluster")
    snapshot = loaders.load_manifests([str(path) for path in (files.cluster, files.policies)])
    reference = Reference(snapshot.cluster, snapshot.policies)
    allowed = {}
    for name, expected in (("any", None), ("expected", lambda f: reference.judge(f).verdict is Verdict.ALLOW)):
        path = generate_flows(snapshot.cluster, 3_000, 1, tmp_path / f"{name}.parquet", expected=expected)
        allowed[name] = simcore.replay(loaders.open_capture([str(path)]), snapshot.cluster, snapshot.policies).allowed
    assert allowed["expected"] > allowed["any"]


def test_a_cluster_without_dns_asks_the_resolver_of_its_node(tmp_path):
    pod = Pod("shop", "web", {}, (Address.parse("10.0.0.1"),))
    cluster = Cluster.of([Namespace("shop", {})], [pod])
    path = generate_flows(cluster, 200, 1, tmp_path / "flows.parquet")
    destinations = pq.read_table(path)["destination_address"].to_pylist()
    assert Address.parse("169.254.20.10").value in destinations
