"""What FV001 to FV008 find and let pass beyond their examples, and where the cluster's DNS is."""

import pytest
import yaml

from loaders import load_manifests
from simcore.analyses.resolver import NODE_LOCAL_ADDRESS, find_resolver
from simcore.model.ports import TCP, UDP
from tests.linting import linted

VERSIONS = {"Pod": "v1", "Service": "v1", "Namespace": "v1", "NetworkPolicy": "networking.k8s.io/v1"}
ADMIN = "policy.networking.k8s.io/v1alpha1"
PORTS_53 = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def document(kind, name, namespace=None, labels=None, version=None, **fields):
    metadata = {"name": name, "labels": labels or {}} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": version or VERSIONS[kind], "kind": kind, "metadata": metadata, **fields}


def pod(name, namespace="shop", address=None, **labels):
    status = {"podIP": address} if address else {}
    return document("Pod", name, namespace, labels or {"app": name}, status=status)


def policy(name, namespace="shop", selector=None, **spec):
    selected = {"matchLabels": selector} if selector else {}
    return document("NetworkPolicy", name, namespace, spec={"podSelector": selected, **spec})


def dns_pod(name="coredns", namespace="kube-system", address="10.244.0.2", **labels):
    return pod(name, namespace, address, **(labels or {"k8s-app": "kube-dns"}))


def dns_service(name="kube-dns", namespace="kube-system", target=53, **selector):
    ports = [{"name": p.lower(), "protocol": p, "port": 53, "targetPort": target} for p in ("UDP", "TCP")]
    spec = {"clusterIP": "10.96.0.10", "selector": selector or {"k8s-app": "kube-dns"}, "ports": ports}
    return document("Service", name, namespace, spec=spec)


def to(namespace, port=None, **labels):
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    peer |= {"podSelector": {"matchLabels": labels}} if labels else {}
    return {"to": [peer], "ports": port or PORTS_53}


@pytest.fixture
def found(tmp_path):
    """Lints documents and names the codes of what is found, in order."""

    def lint_documents(codes, *documents, plugin=None):
        (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(documents), "utf-8")
        return [(finding.code, finding.message) for finding in linted(tmp_path, *codes, plugin=plugin).findings]

    return lint_documents


def codes(found):
    return [code for code, _ in found]


# DNS

ISOLATED = policy("api", selector={"app": "api"}, policyTypes=["Egress"], egress=[to("shop", [{"port": 1}])])
DNS = ["FV001", "FV002", "FV003"]


@pytest.fixture
def resolver(tmp_path):
    """Finds the DNS of a cluster, by the names of its pods."""

    def find(*documents):
        (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(documents), "utf-8")
        cluster = load_manifests([str(tmp_path)]).cluster
        found = find_resolver(cluster)
        return found and ([cluster.pods[number].name for number in found.pods], dict(found.ports), found.is_node_local)

    return find


USUAL = {UDP: 53, TCP: 53}


def test_dns_is_found_by_its_service_whatever_its_labels(resolver):
    odd = dns_pod("odd", **{"any": "label"})
    assert resolver(odd, dns_service(**{"any": "label"})) == (["odd"], USUAL, False)
    assert resolver(odd, dns_service("rke2-coredns-rke2-coredns", **{"any": "label"})) == (["odd"], USUAL, False)
    assert resolver(odd, dns_service("not-dns", **{"any": "label"})) is None
    assert resolver(odd, dns_service(namespace="shop", **{"any": "label"})) is None


def test_dns_answers_on_the_port_that_its_service_leads_to(resolver):
    dns = dns_pod("dns-default-x", "openshift-dns", **{"dns.operator.openshift.io/daemonset-dns": "default"})
    selector = {"dns.operator.openshift.io/daemonset-dns": "default"}
    service = dns_service("dns-default", "openshift-dns", 5353, **selector)
    metrics = {"name": "metrics", "protocol": "TCP", "port": 9154, "targetPort": 9154}
    service["spec"]["ports"].insert(0, metrics)
    assert resolver(dns, service) == (["dns-default-x"], {UDP: 5353, TCP: 5353}, False)


@pytest.mark.parametrize("label", [("k8s-app", "kube-dns"), ("app", "coredns"), ("app.kubernetes.io/name", "coredns")])
def test_dns_is_found_by_labels_at_home_first(resolver, label):
    assert resolver(dns_pod("there", "lab", **dict([label]))) == (["there"], USUAL, False)
    assert resolver(dns_pod("there", "lab", **dict([label])), dns_pod("here", **dict([label])))[0] == ["here"]


def test_a_cache_on_the_nodes_answers_too(resolver, found):
    cache = dns_pod("node-local-dns-x", **{"k8s-app": "node-local-dns"})
    cache["spec"] = {"hostNetwork": True}
    assert resolver(cache) == ([], USUAL, True)
    block = {"to": [{"ipBlock": {"cidr": f"{NODE_LOCAL_ADDRESS}/32"}}], "ports": PORTS_53}
    allowed = policy("dns", policyTypes=["Egress"], egress=[block])
    assert codes(found(DNS, pod("api"), cache, ISOLATED)) == ["FV001"]
    assert codes(found(DNS, pod("api"), cache, ISOLATED, allowed)) == []
    assert codes(found(DNS, pod("api"), cache, dns_pod(), ISOLATED, allowed)) == []


def test_a_workload_is_told_once_by_the_rule_that_knows_more(found):
    missed = policy("dns", policyTypes=["Egress"], egress=[to("kube-system", **{"k8s-app": "coredns"})])
    assert codes(found(DNS, pod("api"), dns_pod(), ISOLATED)) == ["FV001"]
    assert codes(found(DNS, pod("api"), dns_pod(), ISOLATED, missed)) == ["FV002"]


def test_the_port_of_the_service_does_not_help_where_pods_have_another(found):
    allowed = policy("dns", policyTypes=["Egress"], egress=[to("kube-system")])
    service = dns_service(target=5353)
    assert codes(found(DNS, pod("api"), dns_pod(), service, ISOLATED, allowed)) == ["FV001"]
    ports = [{"protocol": "UDP", "port": 5353}, {"protocol": "TCP", "port": 5353}]
    other = policy("dns", policyTypes=["Egress"], egress=[to("kube-system", ports)])
    assert codes(found(DNS, pod("api"), dns_pod(), service, ISOLATED, other)) == []


def antrea(name, priority, rule):
    spec = {"priority": priority, "appliedTo": [{"podSelector": {"matchLabels": {"app": "api"}}}], "egress": [rule]}
    return document("ClusterNetworkPolicy", name, version="crd.antrea.io/v1beta1", spec=spec)


def test_a_rule_may_let_questions_through_by_the_service_that_they_are_asked_at(found):
    closed = antrea("closed", 9, {"action": "Drop"})
    services = [{"name": "kube-dns", "namespace": "kube-system"}]
    asked = antrea("asked", 5, {"action": "Allow", "toServices": services})
    pods = pod("api", address="10.244.0.9"), dns_pod(), dns_service()
    assert codes(found(DNS, *pods, closed, plugin="antrea")) == []
    assert codes(found(DNS, *pods, ISOLATED, closed, plugin="antrea")) == ["FV001"]
    assert codes(found(DNS, *pods, ISOLATED, closed, asked, plugin="antrea")) == []


@pytest.mark.parametrize(
    ("rule", "is_cut_off"),
    [
        (to("kube-system"), False),
        (to("shop"), True),
        ({"to": [{"podSelector": {}}], "ports": PORTS_53}, True),
        ({"to": [{"namespaceSelector": {}}], "ports": PORTS_53}, False),
        ({"to": [{"ipBlock": {"cidr": "8.8.8.8/32"}}], "ports": PORTS_53}, False),
        ({"to": [{"namespaceSelector": {}}], "ports": [{"port": 443}]}, True),
        ({"to": [{"namespaceSelector": {}}]}, False),
        ({"ports": [{"protocol": "UDP", "port": 50, "endPort": 60}]}, False),
    ],
)
def test_without_dns_pods_rules_are_read_as_they_are_written(found, rule, is_cut_off):
    one = policy("api", policyTypes=["Egress"], egress=[rule])
    assert codes(found(DNS, pod("api"), one)) == ["FV001"] * is_cut_off


def test_one_finding_is_at_the_policy_that_isolates_most(found):
    closed = policy("closed", policyTypes=["Egress"])
    ((code, message),) = found(DNS, pod("api"), pod("web"), dns_pod(), ISOLATED, closed)
    assert (code, message.split()[:2]) == ("FV001", ["1", "workload"])
    other = policy("web", selector={"app": "web"}, policyTypes=["Egress"], egress=[to("shop", [{"port": 2}])])
    ((code, message),) = found(DNS, pod("api"), pod("web"), dns_pod(), ISOLATED, other, closed)
    assert message.startswith("2 workloads are")


# Default deny


def admin(kind, name, spec):
    return document(kind, name, version=ADMIN, spec=spec)


def baseline(peer):
    rule = {"action": "Deny", "from": [{"namespaces": peer}]}
    return admin("BaselineAdminNetworkPolicy", "default", {"subject": {"namespaces": {}}, "ingress": [rule]})


def test_a_default_deny_of_whatever_language_is_one(found):
    pods = pod("api"), pod("web", "lab"), pod("db", "far")
    assert codes(found(["FV004"], *pods)) == ["FV004"] * 3
    assert codes(found(["FV004"], *pods, baseline({}))) == []
    one = {"matchLabels": {"kubernetes.io/metadata.name": "far"}}
    assert codes(found(["FV004"], *pods, baseline(one))) == ["FV004"] * 3


def test_namespaces_of_the_cluster_itself_may_stay_open(found):
    assert codes(found(["FV004", "FV005"], pod("proxy", "kube-system"))) == []


def test_where_nothing_is_enforced_nothing_is_said_of_default_denies(found):
    assert codes(found(["FV004", "FV005"], pod("api"), plugin="flannel")) == []
    assert codes(found(["FV004", "FV005"], pod("api"), plugin="aws-vpc-cni-strict")) == []


# OR for AND


def test_a_list_of_several_is_a_list_of_whom_to_let_in(found):
    items = [
        {"podSelector": {"matchLabels": {"app": "prometheus"}}},
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}},
    ]
    pods = pod("api"), pod("prometheus", "ops"), pod("grafana", "ops")
    two = policy("two", ingress=[{"from": items}], policyTypes=["Ingress"])
    assert codes(found(["FV006"], *pods, two)) == ["FV006"]
    third = {**items[1], "podSelector": {"matchLabels": {"app": "loki"}}}
    three = policy("three", ingress=[{"from": [*items, third]}], policyTypes=["Ingress"])
    assert codes(found(["FV006"], *pods, three)) == []
    apart = policy("apart", ingress=[{"from": [items[0], {"ipBlock": {"cidr": "10.9.0.0/16"}}, items[1]]}])
    assert codes(found(["FV006"], *pods, apart)) == []
    bare = policy("bare", ingress=[{"from": [{"podSelector": {"matchLabels": {}}}, items[1]]}])
    assert codes(found(["FV006"], *pods, bare)) == []


# policyTypes


@pytest.mark.parametrize(
    ("name", "spec", "is_found"),
    [
        ("api", {"policyTypes": ["Ingress", "Egress"], "ingress": [{}]}, True),
        ("api", {"policyTypes": ["Ingress", "Egress"], "ingress": [{}], "egress": []}, False),
        ("deny-egress", {"policyTypes": ["Ingress", "Egress"], "ingress": [{}]}, False),
        ("api", {"policyTypes": ["Ingress", "Egress"]}, False),
        ("api", {"policyTypes": ["Ingress"], "ingress": [{}], "egress": []}, False),
        ("api", {"policyTypes": ["Ingress"], "ingress": [{}], "egress": [{}]}, True),
        ("api", {"ingress": [{}], "egress": []}, True),
        ("api", {"ingress": []}, False),
        ("api", {"egress": [{}]}, True),
    ],
)
def test_types_and_sections(found, name, spec, is_found):
    assert codes(found(["FV008"], pod("api"), policy(name, **spec))) == ["FV008"] * is_found
