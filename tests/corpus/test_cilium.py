"""The Cilium corpus: every probe through both engines, under every version that a case is about."""

import json
from dataclasses import replace
from functools import cache
from operator import ge, gt, le, lt

import pytest

import loaders
from simcore.errors import LoadError
from simcore.model.addresses import Address
from simcore.model.cluster import Cluster
from simcore.model.flows import End, Flow, Reason, Verdict
from simcore.model.policy import Direction
from simcore.model.ports import PROTOCOL_NUMBERS
from simcore.reference import Reference
from tests.cilium import agent, cluster_documents, expect_known, names_of, node_name, request_of, reserved_pods
from tests.conftest import CORPUS
from tests.engines import engines
from tests.manifests import load

VERSIONS = ("1.14", "1.15", "1.16", "1.17", "1.18", "1.19", "1.20", "1.21")
NEWEST = VERSIONS[-1]
FIRST_WITH_ALL = "1.16"
"""The oldest version that cases are run under which are said to hold in all: the corpus was read from newer ones."""
CASE = {
    "id", "title", "features", "basis", "cilium_versions", "source", "notes", "config", "cluster", "policies", "probes",
    "validation", "verifier",
}  # fmt: skip
PROBE = {"src", "dst", "proto", "port", "icmp_type", "l7", "expect"}
EXPECT = {"verdict", "l7", "egress", "ingress", "reason"}
EXAMPLES = CORPUS / "cilium" / "examples"


@cache
def suite():
    path = CORPUS / "cilium" / "cases.json"
    return json.loads(path.read_text("utf-8"))["cases"] if path.exists() else []


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", suite(), ids=[case["id"] for case in suite()])
    if "example" in metafunc.fixturenames:
        paths = sorted(EXAMPLES.rglob("*.yaml"))
        metafunc.parametrize("example", paths, ids=[str(path.relative_to(EXAMPLES)) for path in paths])


def number(version):
    return tuple(map(int, version.split(".")))


def versions_of(case):
    """The versions a case holds under, and the nearest one that it does not hold under, if that is known.

    What is said of a default holds under every version where the case sets it.
    """
    words = case["cilium_versions"].replace(",", " ").split()
    if words == ["all"] or ("default" in words and case.get("config")):
        return [version for version in VERSIONS if number(version) >= number(FIRST_WITH_ALL)], None
    words = [word for word in words if word != "default"]
    found = [version for version in VERSIONS if all(holds(version, word) for word in words)]
    assert found, f"{case['id']}: {case['cilium_versions']} names no version"
    first, last = VERSIONS.index(found[0]), VERSIONS.index(found[-1])
    older, newer = VERSIONS[first - 1 : first], VERSIONS[last + 1 : last + 2]
    return found[-3:], [*newer, *older, None][0]


def holds(version, word):
    """Whether a version is among those that ``>=1.16``, ``main`` and the like name."""
    if word == "main":
        return version == NEWEST
    for sign, compare in ((">=", ge), ("<=", le), (">", gt), ("<", lt)):
        if word.startswith(sign):
            return compare(number(version), number(word.removeprefix(sign)))
    return number(version) == number(word)


def load_case(case, version):
    """The cluster, the policies and the profile of a case under a version."""
    settings = {**case.get("config", {}), "cluster_name": case["cluster"].get("name", "default")}
    profile = agent(version, **settings)
    snapshot = load(*cluster_documents(case["cluster"]), *case["policies"], profile=profile)
    cluster = snapshot.cluster
    pods = [*cluster.pods, *reserved_pods(case["cluster"])]
    named = Cluster.of(
        cluster.namespaces.values(), pods, cluster.nodes, cluster.services, cluster.accounts, names_of(case["cluster"])
    )
    return named, snapshot.policies, profile


def end_of(name, case):
    (endpoint,) = (each for each in case["cluster"]["endpoints"] if each["id"] == name)
    address = Address.parse(endpoint["ip"]) if endpoint.get("ip") else None
    match endpoint["kind"]:
        case "pod":
            return End(address, f"{endpoint['namespace']}/{name}")
        case "host" | "remote-node" | "world":
            assert endpoint["kind"] == "world" or node_name(endpoint)
            return End(address)
        case _:
            return End(address, name)


def flow_of(probe, case):
    expect_known(probe, PROBE, f"{case['id']}, probe")
    return Flow(
        end_of(probe["src"], case),
        end_of(probe["dst"], case),
        PROTOCOL_NUMBERS[probe["proto"].upper()],
        probe.get("port"),
        40000,
        probe.get("icmp_type"),
        request=request_of(probe.get("l7")),
    )


def is_proxied(flow, cluster, policies, profile):
    """Whether the connection goes through a proxy at either end, as explain tells it."""
    trace = Reference(cluster, policies, profile).explain(replace(flow, request=None))
    return any(side.proxy for pair in trace.pairs for side in (pair.egress, pair.ingress))


def told(flow, cluster, policies, profile, judge):
    """The answer in the corpus' words: of the connection, then of its request."""
    connection, whole = judge(cluster, policies, [replace(flow, request=None), flow], profile)
    outcomes = [connection.outcome(direction) for direction in Direction]
    details = " ".join(outcome.detail for outcome in outcomes)
    verdict = {Verdict.ALLOW: "allowed", Verdict.DENY: "denied", Verdict.UNKNOWN: "unknown"}[connection.verdict]
    if verdict == "allowed" and "authentication" in details:
        return "auth-required", None
    if verdict != "allowed" or not is_proxied(flow, cluster, policies, profile):
        return verdict, None
    if "listener" in details:
        return "redirect-l7", "delegated"
    if whole.verdict is Verdict.DENY:
        refused = [whole.outcome(direction).reason for direction in Direction]
        assert Reason.REQUEST_NOT_ALLOWED in refused, refused
    return "redirect-l7", {Verdict.ALLOW: "allowed", Verdict.DENY: "denied", Verdict.UNKNOWN: "unknown"}[whole.verdict]


def side_is_right(expected, direction, flow, cluster, policies, profile, judge):
    """Whether one side came out as the corpus has it; a connection through a proxy is allowed as well."""
    (judgement,) = judge(cluster, policies, [replace(flow, request=None)], profile)
    if judgement.outcome(direction).verdict is Verdict.DENY:
        return expected == "denied"
    trace = Reference(cluster, policies, profile).explain(replace(flow, request=None))
    proxied = any((pair.egress if direction is Direction.EGRESS else pair.ingress).proxy for pair in trace.pairs)
    return expected == "allowed" or (expected == "redirect-l7" and proxied)


def differences(case, version, judge):
    """Each probe that is answered otherwise than the corpus has it."""
    world = load_case(case, version)
    found = []
    for probe in case["probes"]:
        expected, flow = probe["expect"], flow_of(probe, case)
        expect_known(expected, EXPECT, f"{case['id']}, expect")
        verdict, layer7 = told(flow, *world, judge)
        wrong = [
            direction.word
            for direction in Direction
            if direction.word in expected
            and not side_is_right(expected[direction.word], direction, flow, *world, judge)
        ]
        if wrong or verdict != expected["verdict"] or layer7 != expected.get("l7", layer7):
            found.append((version, probe, verdict, layer7, wrong))
    return found


@pytest.mark.parametrize("engine", engines())
def test_case(case, engine):
    expect_known(case, CASE, case["id"])
    if "validation" in case:
        check_refusal(case)
        return
    assert case["probes"]
    versions, _ = versions_of(case)
    for version in versions if engine == "reference" else versions[-1:]:
        assert differences(case, version, engines()[engine]) == []


def switches():
    """The cases that not every version answers alike, by the version that they end at."""
    found = {}
    for case in suite():
        _, beyond = versions_of(case)
        if beyond is not None:
            found.setdefault((case["cilium_versions"], beyond), []).append(case)
    return found


@pytest.mark.parametrize("word", sorted({word for word, _ in switches()}))
def test_versions_differ_where_the_corpus_says_so(word):
    """A version beyond answers some case of its group otherwise, or refuses it."""
    for (named, beyond), cases in switches().items():
        if named == word:
            assert any(differs_or_refused(case, beyond, engines()["reference"]) for case in cases), beyond


def check_refusal(case):
    expect_known(case["validation"], {"valid", "error_contains"}, case["id"])
    assert not case["validation"]["valid"] and not case.get("probes")
    with pytest.raises(LoadError) as caught:
        load_case(case, NEWEST)
    messages = [diagnostic.message for diagnostic in caught.value.diagnostics]
    assert any(case["validation"]["error_contains"] in message for message in messages), messages


def differs_or_refused(case, version, judge):
    try:
        return bool(differences(case, version, judge))
    except LoadError:
        return True


# Upstream's examples


REFUSED = {
    "auth/auth.yaml": "unknown field. Did you mean authentication?",
    "l3/entities/customnodes.yaml": "FromNodes/ToNodes rules can only be applied",
    "l3/requires/requires.yaml": "this is gone since Cilium 1.19",
}
"""Stale upstream, as the corpus says, or behind a flag of the agent."""
KAFKA = "Cilium knows it up to 1.19 only"


def test_example(example):
    name = str(example.relative_to(EXAMPLES))
    reason = KAFKA if name.startswith("removed-in-1.20/") else REFUSED.get(name)
    if reason is None:
        loaded = loaders.load_manifests([str(example)], profile=agent(NEWEST))
        assert loaded.policies or loaded.cluster.pods
        return
    with pytest.raises(LoadError) as caught:
        loaders.load_manifests([str(example)], profile=agent(NEWEST))
    assert all(reason in diagnostic.message for diagnostic in caught.value.diagnostics)


def test_examples_of_former_versions():
    for path in sorted((EXAMPLES / "removed-in-1.20").rglob("*.yaml")):
        assert loaders.load_manifests([str(path)], profile=agent("1.19")).policies
    nodes, requires = EXAMPLES / "l3/entities/customnodes.yaml", EXAMPLES / "l3/requires/requires.yaml"
    if nodes.exists():
        assert loaders.load_manifests([str(nodes)], profile=agent(enable_node_selector_labels=True)).policies
        assert loaders.load_manifests([str(requires)], profile=agent("1.18")).policies


def test_the_suite_is_whole(corpus):
    assert len(suite()) == 100
    assert sum(len(case["probes"]) for case in suite() if "validation" not in case) == 225
    assert sum("validation" in case for case in suite()) == 16
    assert len(list(EXAMPLES.rglob("*.yaml"))) == 59
