"""The corpus of Antrea's own policies: every probe, who decides it, and what admission accepts."""

import json
from dataclasses import replace
from functools import cache

import pytest

from simcore.errors import LoadError
from simcore.model.addresses import Address
from simcore.model.flows import End, Flow, Reason, Verdict
from simcore.model.plugins import plugin_named
from simcore.model.policy import Direction
from simcore.model.ports import PROTOCOL_NUMBERS
from tests.conftest import CORPUS
from tests.engines import engines
from tests.manifests import load

ANTREA = plugin_named("antrea").profile


@cache
def suite():
    path = CORPUS / "antrea" / "cases.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {"clusters": {}, "cases": [], "validation": []}


def pytest_generate_tests(metafunc):
    for argument, key in (("case", "cases"), ("validation", "validation")):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, suite()[key], ids=[case["id"] for case in suite()[key]])


# The cluster


def cluster_documents(cluster):
    for namespace in cluster["namespaces"]:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": namespace}
    for pod in cluster["pods"]:
        yield pod_document(pod)
    for node in cluster["nodes"]:
        addresses = [{"type": "InternalIP", "address": ip} for ip in node["ips"]]
        metadata = {"name": node["name"], "labels": node["labels"]}
        yield {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"addresses": addresses}}
    for service in cluster.get("services", ()):
        metadata = {"name": service["name"], "namespace": service["namespace"]}
        spec = {
            "clusterIP": service["clusterIP"],
            "selector": service["selector"],
            "ports": [{"port": service["port"]}],
        }
        yield {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def pod_document(pod):
    ports = [{"name": p["name"], "containerPort": p["port"], "protocol": p["protocol"]} for p in pod["ports"]]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod["name"], "namespace": pod["namespace"], "labels": pod["labels"]},
        "spec": {
            "nodeName": pod["node"],
            "serviceAccountName": pod["serviceAccount"],
            "containers": [{"name": "c", "ports": ports}],
        },
        "status": {"phase": "Running", "podIPs": [{"ip": ip} for ip in pod["ips"]]},
    }


# The probes


def end_of(text):
    kind, _, name = text.partition(":")
    return End(pod=name) if kind == "pod" else End(Address.parse(name))


def destination_of(probe, cluster):
    """The end that the client dialled: a Service's address, where the probe goes through one."""
    wanted = probe.get("service")
    for service in cluster.services:
        if wanted and (service.namespace, service.name) == (wanted["namespace"], wanted["name"]):
            return End(service.addresses[0])
    return end_of(probe["to"])


def flow_of(probe, cluster):
    return Flow(
        end_of(probe["from"]),
        destination_of(probe, cluster),
        PROTOCOL_NUMBERS[probe["protocol"].upper()],
        probe.get("port"),
        probe.get("sport", 40000),
        probe.get("icmpType"),
        probe.get("icmpCode"),
    )


def names_of(probe):
    """What names stand for: the one that the client resolved, and no other."""
    return {probe["fqdn"]: (end_of(probe["to"]).address,)} if probe.get("fqdn") else {}


def told(judgement):
    """The answer in Antrea's words; what denies first tells how."""
    outcomes = [judgement.outcome(direction) for direction in Direction]
    if judgement.verdict is Verdict.UNKNOWN:
        assert Reason.PRIORITY_TIE in [outcome.reason for outcome in outcomes]
        return "nondeterministic"
    if judgement.verdict is Verdict.ALLOW:
        return "allow"
    reason = next(outcome.reason for outcome in outcomes if outcome.verdict is Verdict.DENY)
    return "reject" if reason is Reason.RULE_REJECTS else "drop"


def decider_told(outcome):
    """Name, number and verdict of what decides a direction."""
    rule = outcome.rule
    return (outcome.verdict.word, rule and rule.policy.name, rule and rule.index)


def decider_expected(candidate):
    by = candidate["by"]
    return ("allow" if candidate["verdict"] == "allow" else "deny", by.get("name"), by.get("rule"))


def direction_is_right(outcome, candidates):
    if candidates is None:
        return outcome.reason in (Reason.NOT_A_POD, Reason.NODE)
    if len(candidates) > 1:
        return outcome.reason is Reason.PRIORITY_TIE
    return decider_told(outcome) == decider_expected(candidates[0])


def judgements(case, engine):
    """Each probe with its judgement."""
    documents = [document for key in ("tiers", "groups", "policies") for document in case.get(key, ())]
    snapshot = load(*cluster_documents(suite()["clusters"][case["cluster"]]), *documents)
    for probe in case["probes"]:
        cluster = replace(snapshot.cluster, names=names_of(probe))
        (judgement,) = engines()[engine](cluster, snapshot.policies, [flow_of(probe, cluster)], ANTREA)
        yield probe, judgement


def is_right(probe, judgement):
    decided = probe["decided"]
    if told(judgement) != probe["expect"]:
        return False
    if decided.get("note") == "self":
        return judgement.egress.reason is Reason.SELF
    return direction_is_right(judgement.egress, decided["egress"]) and direction_is_right(
        judgement.ingress, decided["ingress"]
    )


@pytest.mark.parametrize("engine", engines())
def test_case(case, engine):
    assert [pair for pair in judgements(case, engine) if not is_right(*pair)] == []


def test_validation(validation):
    """What admission refuses is refused; what it accepts is read."""
    if validation["valid"]:
        load(validation["object"])
        return
    with pytest.raises(LoadError):
        load(validation["object"])


def test_the_corpus_is_whole(corpus):
    assert len(suite()["cases"]) == 32
    assert sum(len(case["probes"]) for case in suite()["cases"]) == 110
    assert len(suite()["validation"]) == 21
