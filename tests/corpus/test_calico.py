"""The Calico corpus: policies in tiers, staged ones too, selectors, validation, HTTP matches."""

import json
from dataclasses import replace
from functools import cache

import pytest

from loaders.dialects.calico.expressions import ExpressionError, holds, parse
from loaders.dialects.calico.objects import BUILTIN_TIERS
from simcore.errors import LoadError
from simcore.model.addresses import Address
from simcore.model.flows import End, Flow, Verdict
from simcore.model.policy import Direction, Role
from simcore.model.ports import PROTOCOL_NUMBERS
from tests.calico import CALICO
from tests.conftest import CORPUS
from tests.engines import engines
from tests.manifests import load

PARTS = {
    "case": "cases",
    "selector": "selectors",
    "invalid": "invalid_selectors",
    "canonical": "canonical_selectors",
    "validation": "validation",
    "path": "http_paths",
    "method": "http_methods",
    "tier": "builtin_tiers",
}
DEFAULT_PORT = 40000
V3 = "projectcalico.org/v3"


@cache
def suite():
    path = CORPUS / "calico" / "cases.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {key: [] for key in PARTS.values()}


def pytest_generate_tests(metafunc):
    for argument, key in PARTS.items():
        if argument in metafunc.fixturenames:
            rows = suite()[key]
            metafunc.parametrize(argument, rows, ids=[row.get("id", str(n)) for n, row in enumerate(rows)])


# The cluster of a case


def document(api_version, kind, name, namespace=None, labels=None, **fields):
    metadata = {"name": name, "labels": labels or {}} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def cluster_documents(cluster):
    for each in cluster["namespaces"]:
        yield document("v1", "Namespace", each["name"], labels=each["labels"])
    for each in cluster.get("serviceAccounts", []):
        yield document("v1", "ServiceAccount", each["name"], each["namespace"], each["labels"])
    for number, pod in enumerate(cluster["pods"]):
        yield pod_document(pod, number)
    for host in cluster.get("hostEndpoints", []):
        addresses = [{"type": "InternalIP", "address": address} for address in host["expectedIPs"]]
        yield document("v1", "Node", host["node"], status={"addresses": addresses})
    for service in cluster.get("services", []):
        yield from service_documents(service)


def pod_document(pod, number):
    """A pod on a node of its own: what a pod's own node may always do (NP-NODE) is not what the corpus asks."""
    ports = [{"name": p["name"], "containerPort": p["port"], "protocol": p["protocol"]} for p in pod["ports"]]
    spec = {
        "nodeName": pod["node"] if pod.get("hostNetwork") else f"of-its-own-{number}",
        "hostNetwork": pod.get("hostNetwork", False),
        "serviceAccountName": pod.get("serviceAccount", "default"),
        "containers": [{"name": "c", "ports": ports}],
    }
    status = {"phase": "Running", "podIPs": [{"ip": address} for address in pod["ips"]]}
    return document("v1", "Pod", pod["name"], pod["namespace"], pod["labels"], spec=spec, status=status)


def service_documents(service):
    name, namespace = service["name"], service["namespace"]
    ports = [
        {"name": f"p{n}", "port": e["port"], "protocol": e["protocol"]} for n, e in enumerate(service["endpoints"])
    ]
    yield document("v1", "Service", name, namespace, spec={"clusterIP": service["clusterIP"], "ports": ports})
    for port, endpoint in zip(ports, service["endpoints"], strict=True):
        yield document(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            f"{name}-{port['name']}",
            namespace,
            {"kubernetes.io/service-name": name},
            addressType="IPv4",
            ports=[port],
            endpoints=[{"addresses": [endpoint["ip"]]}],
        )


def calico_documents(cluster):
    for each in cluster.get("networkSets", []):
        yield document(V3, "NetworkSet", each["name"], each["namespace"], each["labels"], spec={"nets": each["nets"]})
    for each in cluster.get("globalNetworkSets", []):
        yield document(V3, "GlobalNetworkSet", each["name"], labels=each["labels"], spec={"nets": each["nets"]})
    for each in cluster.get("hostEndpoints", []):
        spec = {key: each[key] for key in ("node", "interfaceName", "expectedIPs", "profiles")}
        yield document(V3, "HostEndpoint", each["name"], labels=each["labels"], spec=spec)


def tier_document(tier):
    spec = {key: tier[key] for key in ("order", "defaultAction") if key in tier}
    return document(V3, "Tier", tier["name"], spec=spec)


def snapshot_of(case):
    cluster = suite()["clusters"][case["cluster"]]
    tiers = map(tier_document, case.get("tiers", []))
    return load(*cluster_documents(cluster), *calico_documents(cluster), *tiers, *case["policies"])


# Its probes


def flow_of(probe, case):
    return Flow(
        end_of(probe["from"], probe.get("from_ip"), case),
        end_of(probe["to"], probe.get("to_ip"), case),
        PROTOCOL_NUMBERS[probe["protocol"].upper()],
        probe.get("port"),
        probe.get("sport", DEFAULT_PORT),
        probe.get("icmpType"),
        probe.get("icmpCode"),
    )


def hosts_of(case):
    return suite()["clusters"][case["cluster"]].get("hostEndpoints", [])


def end_of(text, address, case):
    kind, _, name = text.partition(":")
    if kind == "ip":
        return End(Address.parse(name))
    if kind == "hep":
        (own,) = (host["expectedIPs"] for host in hosts_of(case) if host["name"] == name)
        return End(Address.parse(address or own[0]))
    pods = suite()["clusters"][case["cluster"]]["pods"]
    (own,) = (pod["ips"] for pod in pods if f"{pod['namespace']}/{pod['name']}" == name)
    return End(Address.parse(address or own[0]), name)


def check_outcome(outcome, expected, case):
    """Whether a direction was decided as the corpus has it, and by the same rule."""
    if expected is None:
        return outcome.verdict is Verdict.ALLOW and outcome.rule is None
    by, rule = expected["decided_by"], outcome.rule
    if outcome.verdict.word != expected["verdict"]:
        return False
    if by["reason"] == "profile" and by["name"].startswith("kns."):
        return rule is None
    if rule is None:
        return False
    if by["reason"] == "no-profile-match":
        return rule.policy.kind == "HostEndpoint.projectcalico.org" and rule.index == -1
    named = (rule.policy.kind, rule.policy.namespace, rule.policy.name)
    if named != (KINDS.get(by["kind"], f"{by['kind']}.projectcalico.org"), by["namespace"], by["name"]):
        return False
    if by["rule"] == -1:
        return rule.role in (Role.TIER_END, Role.ISOLATION)
    return rule.role is Role.WRITTEN and rule.index == written_index(by, rule, case)


KINDS = {"KubernetesNetworkPolicy": "NetworkPolicy", "ClusterNetworkPolicy": "ClusterNetworkPolicy"}


def written_index(by, rule, case):
    """The number of a rule as it is written: Calico counts what Kubernetes' are converted to, a rule for each peer."""
    if by["kind"] != "KubernetesNetworkPolicy":
        return by["rule"]
    (policy,) = (
        p for p in case["policies"] if p["apiVersion"] == "networking.k8s.io/v1" and p["metadata"]["name"] == by["name"]
    )
    side = "from" if rule.direction is Direction.INGRESS else "to"
    owners = [
        number
        for number, item in enumerate(policy["spec"][rule.direction.word])
        for _ in item.get(side) or [None]
        for _ in {port.get("protocol", "TCP") for port in item.get("ports") or []} or {None}
    ]
    return owners[by["rule"]]


def asked(case):
    """Each probe with what is expected of it; those of staged policies as well where they are ``pending``."""
    for probe in case["probes"]:
        yield probe, False, probe["expect"], probe["enforced"]
        if "expect_pending" in probe:
            yield probe, True, probe["expect_pending"], probe["pending"]


def policies_for(probe, is_pending, snapshot, case):
    """The policies that a probe is judged by.

    Two probes (of calico-037 and calico-083) come from the address of host endpoint n1-eth0 and are meant as an
    address only: the corpus judges no end for them, though Calico would judge that host endpoint, which has no
    profile. There, host endpoints are peers and guard nothing.
    """
    policies = snapshot.policies
    if is_pending:
        policies = [replace(policy, stages=None) for policy in policies]
    own = {f"ip:{address}" for host in hosts_of(case) for address in host["expectedIPs"]}
    if own & {probe["from"], probe["to"]}:
        return [policy for policy in policies if policy.ref.kind != "HostEndpoint.projectcalico.org"]
    return policies


def is_self(probe):
    """Whether a pod reaches itself, which no policy is asked about (NP-SELF); the corpus says so of calico-073."""
    return probe["from"] == probe["to"]


@pytest.mark.parametrize("engine", engines())
def test_case(case, engine):
    snapshot = snapshot_of(case)
    for probe, is_pending, verdict, directions in asked(case):
        policies = policies_for(probe, is_pending, snapshot, case)
        (judgement,) = engines()[engine](snapshot.cluster, policies, [flow_of(probe, case)], CALICO)
        assert judgement.verdict.word == verdict, (probe["from"], probe["to"], str(judgement.egress.rule))
        for direction in () if is_self(probe) else Direction:
            outcome, expected = judgement.outcome(direction), directions[direction.word]
            assert check_outcome(outcome, expected, case), (probe["from"], probe["to"], str(outcome.rule), expected)


# The language


def test_selector(selector):
    assert holds(parse(selector["expr"]), selector["labels"]) is selector["expect"]


def test_invalid_selector(invalid):
    with pytest.raises(ExpressionError) as caught:
        parse(invalid["expr"])
    assert 0 <= caught.value.position <= len(invalid["expr"])


def test_canonical_selector(canonical):
    assert str(parse(canonical["input"])) == canonical["canonical"]
    assert str(parse(canonical["canonical"])) == canonical["canonical"]


def test_validation(validation):
    if validation["valid"]:
        load(validation["object"])
        return
    with pytest.raises(LoadError):
        load(validation["object"])


def with_http(match):
    rule = {"action": "Allow", "http": match}
    return document(V3, "NetworkPolicy", "web", "prod", spec={"ingress": [rule]})


def test_http_path(path):
    """What a path match asks for is named beside the verdict, which stands as if it held: flows do not show paths."""
    assert next(iter(path["match"].values())) in condition_of({"paths": [path["match"]]})


def test_http_method(method):
    named = [word for word in method["methods"] if "*" not in method["methods"]]
    assert condition_of({"methods": method["methods"]}) == f"HTTP {' or '.join(named)}".strip()


def condition_of(match):
    (policy,) = load(with_http(match)).policies
    return policy.rules[0].condition


def test_builtin_tier(tier):
    found = BUILTIN_TIERS[tier["name"]]
    assert found.tier.position.stage == (0, tier["order"], tier["name"])
    assert found.denies is (tier["defaultAction"] == "Deny")


def test_the_suite_is_whole(corpus):
    counts = {key: len(suite()[key]) for key in PARTS.values()}
    assert counts == {
        "cases": 56,
        "selectors": 88,
        "invalid_selectors": 30,
        "canonical_selectors": 12,
        "validation": 27,
        "http_paths": 16,
        "http_methods": 4,
        "builtin_tiers": 3,
    }
    assert sum(len(list(asked(case))) for case in suite()["cases"]) > 100
