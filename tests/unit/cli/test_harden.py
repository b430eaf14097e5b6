"""Policies from what namespaces begin with, and from what a capture shows."""

import json
from itertools import permutations
from random import Random

import pyarrow.parquet as pq
import pytest
import yaml

import loaders
import simcore
from loaders.synthetic.demo import write_demo
from simcore.model.flows import End, Flow, Verdict
from simcore.model.ports import TCP

HELD_BACK = 400

CLUSTER = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, pod-template-hash: abc}}
spec:
  nodeName: w1
  containers: [{name: c, ports: [{name: http, containerPort: 8080}, {name: http-metrics, containerPort: 9100}]}]
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: agent, namespace: shop, labels: {app: agent}}
spec: {nodeName: w1, hostNetwork: true}
status: {podIP: 10.9.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system, labels: {app: coredns}}
status: {podIP: 10.0.0.53}
---
apiVersion: v1
kind: Pod
metadata: {name: prometheus-0, namespace: watch, labels: {app.kubernetes.io/name: prometheus}}
status: {podIP: 10.0.0.90}
"""

API_SERVER = """
---
apiVersion: v1
kind: Service
metadata: {name: kubernetes, namespace: default}
spec: {clusterIP: 10.96.0.1, ports: [{name: https, port: 443, targetPort: 6443}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kubernetes, namespace: default, labels: {kubernetes.io/service-name: kubernetes}}
addressType: IPv4
ports: [{name: https, port: 6443, protocol: TCP}]
endpoints: [{addresses: [10.9.0.250]}]
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture
def call(call):
    return lambda *arguments: call(*map(str, arguments))


@pytest.fixture
def cluster(tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER)
    return path


def flat(text):
    return " ".join(text.split())


def documents(text):
    return {
        f"{doc['metadata']['namespace']}/{doc['metadata']['name']}": doc["spec"] for doc in yaml.safe_load_all(text)
    }


def hardened(call, demo, tmp_path, *arguments):
    path = tmp_path / "hardened.yaml"
    code, out, err = call(
        "harden", "--from-capture", demo.capture, "-c", demo.cluster, "-p", demo.policies, "-o", path, *arguments
    )
    assert code == 0, err
    return path, out


def test_the_capture_of_the_demo_loses_nothing(call, demo, tmp_path):
    path, out = hardened(call, demo, tmp_path, "-n", "shop", "-n", "payments")
    assert "loses no flow" in out
    asked = ("whatif", demo.capture, "-c", demo.cluster, "-p", demo.policies, "--candidate", path, "--format", "json")
    told = json.loads(call(*asked)[1])
    assert (told["lost"], told["gained"], told["unknown"]) == (0, 0, 0)


def test_a_capture_that_shows_nothing_of_a_namespace_is_warned_of(call, demo, tmp_path):
    words = "WARNING No allowed flow of the capture begins or ends in these namespaces"
    assert words not in flat(hardened(call, demo, tmp_path, "-n", "shop")[1])
    nothing = tmp_path / "nothing.parquet"
    pq.write_table(pq.read_table(demo.capture).slice(0, 0), nothing)
    _, out, _ = call("harden", "--from-capture", nothing, "-c", demo.cluster, "-n", "shop", "-o", tmp_path / "x.yaml")
    assert words in flat(out)


def test_what_the_demo_did_not_show_is_denied(call, demo, tmp_path):
    """Pairs of pods and ports that no flow of the capture is of, drawn from all that could be."""
    path, _ = hardened(call, demo, tmp_path, "-n", "shop", "-n", "payments")
    snapshot = loaders.load_manifests([str(demo.cluster)])
    policies = loaders.load_policies([str(path)])
    closed = [pod for pod in snapshot.cluster.pods if pod.namespace in ("shop", "payments")]
    ports = sorted({port.number for pod in closed for port in pod.ports} | {22, 53, 443})
    seen = seen_in(demo, snapshot)
    never = [
        (source, destination, port)
        for source, destination in permutations(snapshot.cluster.pods, 2)
        if not source.host_network and (source in closed or destination in closed)
        for port in ports
        if (source.workload, destination.workload, port) not in seen
        and not (destination.namespace == "kube-system" and port == 53)
    ]
    drawn = Random(1).sample(never, HELD_BACK)
    flows = [Flow(End(pod=s.full_name), End(pod=d.full_name), TCP, port) for s, d, port in drawn]
    judged = simcore.judge_flows(snapshot.cluster, policies, flows)
    assert [flow for flow, found in zip(flows, judged, strict=True) if found.verdict is not Verdict.DENY] == []


def seen_in(demo, snapshot):
    """Workloads and ports of all flows of the capture, those of Services by who is behind them."""
    capture = loaders.open_capture([str(demo.capture)])
    at = {address: pod for pod in snapshot.cluster.pods for address in pod.addresses if not pod.host_network}
    services = {address: service for service in snapshot.cluster.services for address in service.addresses}
    found = set()
    for source, destination, port in flows_of(capture):
        if source not in at:
            continue
        service = services.get(destination)
        if service is None:
            behind = [(at[destination], port)] if destination in at else []
        else:
            behind = [
                (pod, next((c.number for c in pod.ports if c.name == each.target), each.target))
                for each in service.ports
                if each.port == port
                for pod in snapshot.cluster.pods
                if pod.namespace == service.namespace and service.selector.matches(pod.labels)
            ]
        found |= {(at[source].workload, pod.workload, number) for pod, number in behind}
    return found


def flows_of(capture):
    columns = ("source_address", "destination_address", "destination_port")
    for split in capture.splits:
        for batch in capture.read(split, columns, 10_000):
            rows = zip(*(batch[name].to_pylist() for name in columns), strict=True)
            yield from ((address(source), address(destination), port) for source, destination, port in set(rows))


def address(value):
    packed = value.to_bytes(4, "big") if isinstance(value, int) else value
    return simcore.Address.from_bytes(packed)


def test_rules_that_all_share_are_one_policy_and_the_others_are_by_workload(call, demo, tmp_path):
    path, out = hardened(call, demo, tmp_path, "-n", "payments")
    found = documents(path.read_text())
    assert list(found) == [
        "payments/default-deny-all",
        "payments/allow-dns-egress",
        "payments/allow-from-prometheus",
        "payments/gateway",
        "payments/ledger",
    ]
    assert found["payments/allow-from-prometheus"]["podSelector"] == {}
    (rule,) = found["payments/ledger"]["ingress"]
    assert rule == {
        "from": [{"podSelector": {"matchLabels": {"app": "gateway"}}}],
        "ports": [{"protocol": "TCP", "port": 5432}],
    }
    assert "kubectl delete networkpolicy -n payments allow-dns allow-monitoring default-deny settlement" in out


@pytest.mark.parametrize(
    ("word", "blocks"),
    [
        ("auto", ["203.0.113.40/31", "203.0.113.42/32"]),
        ("/24", ["203.0.113.0/24"]),
        ("any", ["0.0.0.0/0"]),
    ],
)
def test_addresses_outside_become_blocks_as_asked(call, demo, tmp_path, word, blocks):
    path, _ = hardened(call, demo, tmp_path, "-n", "payments", "--external", word)
    rules = documents(path.read_text())["payments/gateway"]["egress"]
    found = [peer["ipBlock"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]
    assert [block["cidr"] for block in found] == blocks
    if word == "any":
        assert "10.0.0.0/8" in found[0]["except"]
        assert "widened to the whole Internet" in path.read_text()


def test_a_namespace_begins_closed_with_what_all_pods_need(call, cluster):
    code, out, err = call("harden", "-c", cluster, "-n", "shop")
    assert code == 0
    found = documents(out)
    assert found["shop/default-deny-all"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    dns = found["shop/allow-dns-egress"]["egress"][0]
    assert dns["to"] == [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"app": "coredns"}},
        }
    ]
    assert dns["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]
    scrape = found["shop/allow-monitoring-scrape"]["ingress"][0]
    assert scrape["from"][0]["podSelector"] == {"matchLabels": {"app.kubernetes.io/name": "prometheus"}}
    assert scrape["ports"] == [{"protocol": "TCP", "port": 9100}]
    assert "to" not in found["shop/allow-apiserver-egress"]["egress"][0]
    assert "AND: pods with app=coredns that are also in namespace kube-system" in out
    assert "no NetworkPolicy binds pods that share their node's network (hostNetwork): shop/agent" in flat(err)


def test_the_api_server_is_where_its_service_says(call, cluster):
    cluster.write_text(CLUSTER + API_SERVER)
    rule = documents(call("harden", "-c", cluster, "-n", "shop")[1])["shop/allow-apiserver-egress"]["egress"][0]
    assert rule == {"to": [{"ipBlock": {"cidr": "10.9.0.250/32"}}], "ports": [{"protocol": "TCP", "port": 6443}]}


def test_name_servers_and_scrapers_go_on_working_where_they_are_closed(call, cluster):
    found = documents(call("harden", "-c", cluster, "-n", "kube-system", "-n", "watch")[1])
    asked = found["kube-system/allow-dns-ingress"]
    assert asked["podSelector"] == {"matchLabels": {"app": "coredns"}}
    assert asked["ingress"][0]["from"] == [{"namespaceSelector": {}}]
    scraping = found["watch/allow-scraping-egress"]["egress"][0]
    assert scraping == {"to": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": 9100}]}


def test_parts_can_be_left_out_and_the_scraper_named(call, cluster):
    out = call("harden", "-c", cluster, "-n", "shop", "--without", "dns", "--monitoring", "obs/role=scrape,tier=a")[1]
    found = documents(out)
    assert "shop/allow-dns-egress" not in found
    peer = found["shop/allow-monitoring-scrape"]["ingress"][0]["from"][0]
    assert peer["podSelector"] == {"matchLabels": {"role": "scrape", "tier": "a"}}


def test_kyverno_makes_the_same_in_every_namespace(call, cluster):
    out = call("harden", "-c", cluster, "-A", "--format", "kyverno")[1]
    (policy,) = yaml.safe_load_all(out)
    rules = {rule["name"]: rule for rule in policy["spec"]["rules"]}
    assert list(rules)[:2] == ["default-deny-all", "allow-dns-egress"]
    rule = rules["default-deny-all"]
    assert rule["exclude"]["any"][0]["resources"]["names"] == ["kube-node-lease", "kube-public", "kube-system", "watch"]
    assert rule["generate"]["namespace"] == "{{request.object.metadata.name}}"
    assert rule["generate"]["data"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    named = yaml.safe_load(call("harden", "-c", cluster, "-n", "shop", "--format", "kyverno")[1])
    assert named["spec"]["rules"][0]["match"]["any"][0]["resources"]["names"] == ["shop"]


def test_a_policy_that_is_there_is_not_overwritten(call, cluster):
    there = {"podSelector": {}, "policyTypes": ["Ingress"]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": there}
    text = json.dumps({**policy, "metadata": {"name": "default-deny-all", "namespace": "shop"}})
    cluster.write_text(f"{CLUSTER}\n---\n{text}\n")
    code, out, err = call("harden", "-c", cluster, "-n", "shop")
    assert (code, out) == (2, "")
    assert "there is a policy of this name already" in err
    assert "cluster.yaml:" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "shpo"], "Did you mean shop?"),
        ([], "name the namespaces"),
        (["-n", "shop", "--from-capture"], "go together"),
        (["-n", "shop", "--external", "/40"], "neither auto, exact, any nor a length"),
        (["-n", "shop", "--monitoring", "obs/role"], "is not NAMESPACE"),
        (["-n", "shop", "-o", "out.parquet"], "does not end in .yaml"),
    ],
)
def test_what_cannot_be_is_said(call, cluster, arguments, message):
    code, out, err = call("harden", "-c", cluster, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_plugin_that_enforces_nothing_is_refused(call, demo, tmp_path):
    asked = ("harden", "--from-capture", demo.capture, "-c", demo.cluster, "-n", "shop", "--cni", "flannel")
    code, _, err = call(*asked)
    assert code == 2
    assert "enforces no NetworkPolicy" in err


def test_repair_restores_what_the_change_of_the_demo_cuts(call, demo, tmp_path):
    path = tmp_path / "fix.yaml"
    asked = ("whatif", demo.capture, "-c", demo.cluster, "-p", demo.policies, "--apply", demo.change)
    told = json.loads(call(*asked, "--repair", path, "--format", "json")[1])["repair"]
    assert (told["restored"], told["lost"], told["not_restored"]) == (25_857, 0, [])
    assert [policy["name"] for policy in told["policies"]] == ["allow-dns-egress", "allow-postgres-from-checkout"]
    found = documents(path.read_text())
    assert found["shop/allow-dns-egress"]["podSelector"] == {}
    again = json.loads(call(*asked, "--apply", path, "--format", "json")[1])
    assert (again["lost"], again["gained"]) == (0, 223)


def test_a_rule_that_denies_is_named_where_nothing_restores(call, demo, tmp_path):
    denying = tmp_path / "deny.yaml"
    denying.write_text(DENYING)
    asked = ("whatif", demo.capture, "-c", demo.cluster, "-p", demo.policies, "--apply", denying, "--repair", "-")
    code, out, _ = call(*asked)
    assert code == 0
    repair = out.partition("\nRepair\n")[2]
    assert "No NetworkPolicy restores any of" in repair
    assert "AdminNetworkPolicy" in repair
    assert "deny.yaml:" in repair
    assert "kind: NetworkPolicy" not in repair


DENYING = """
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: no-database}
spec:
  priority: 1
  subject: {pods: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}},
    podSelector: {matchLabels: {app: postgres}}}}
  ingress:
  - {name: nobody, action: Deny, from: [{namespaces: {matchLabels: {kubernetes.io/metadata.name: shop}}}]}
"""


def test_a_change_that_cuts_nothing_needs_no_repair(call, demo, tmp_path):
    path = tmp_path / "fix.yaml"
    asked = ("whatif", demo.capture, "-c", demo.cluster, "-p", demo.policies, "--candidate", demo.policies)
    out = call(*asked, "--repair", path)[1]
    assert "nothing to repair" in out
    assert not path.exists()
