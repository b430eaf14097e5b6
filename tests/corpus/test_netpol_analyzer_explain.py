"""What np-guard/netpol-analyzer says of its connections: verdict, policies and rules of each direction.

Its text is read as facts, and so is our chain. A policy that selects and does not allow is named with the first rule
that fails by its port only, if there is one. Rules are counted from 1, or named. Where an AdminNetworkPolicy allows
one port of a pair and a NetworkPolicy denies the others, the text leaves the side out that denies
(exposure_test_with_anp_4_entire_cluster_example: "Denied TCP:[1-79,81-65535], UDP, SCTP due to", and then the
allowing side only): there, it must be the one that denies.
"""

import re
from functools import cache

from simcore.model.flows import Flow, Verdict
from simcore.model.match import Match
from simcore.model.policy import Role
from simcore.model.ports import PROTOCOL_NUMBERS
from simcore.reference import Reference
from tests.corpus import test_netpol_analyzer as connections

ROOT = connections.ROOT
BLOCK = re.compile(r"Connections between (.+?) => (.+?):")
GROUP = re.compile(r"(?:Allowed|Denied) (.+) due to the following policies and rules:")
SIDE = re.compile(r"(Egress|Ingress) \((Allowed|Denied)\)( due to the system default \(Allow all\))?")
DOES = re.compile(r"(\w+) '(.+?)' (allows|denies|passes) connections by (?:Egress|Ingress) rule (\S+)")
SELECTS = re.compile(r"(\w+) '(.+?)' selects \S+, but \S+ is not allowed by any (?:Egress|Ingress) rule.*")
FAILS = re.compile(r"(\w+) '(.+?)' selects \S+, and (?:Egress|Ingress) rule (#\d+) selects \S+, but the protocols .*")
DEFAULT_PAIR = re.compile(r"(\S+) => (\S+)")
QUIET = ("NetworkPolicy list:", "the system default (Allow all)", "Allowed connections:", "Denied connections:")
SPAN = re.compile(r"(SCTP|TCP|UDP)(?::\[([\d,-]+)\])?")
VERDICTS = {"Allowed": Verdict.ALLOW, "Denied": Verdict.DENY}
ACTIONS = {"allow": "allows", "deny": "denies", "pass": "passes"}
NOTHING = (Verdict.ALLOW, frozenset())


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        chosen = [case for case in connections.cases() if "explain" in case["section"]]
        metafunc.parametrize("case", chosen, ids=[case["name"] for case in chosen])


# What is expected


def spans_of(text):
    """The (protocol, first, last) ranges of ``TCP:[1-79,81], UDP``."""
    for name, ports in SPAN.findall(text):
        for span in (ports or "1-65535").split(","):
            first, _, last = span.partition("-")
            yield PROTOCOL_NUMBERS[name], int(first), int(last or first)


class Told:
    """One group of connections of a pair, and what is said of each direction."""

    def __init__(self, source, destination, spans):
        self.source, self.destination, self.spans = source, destination, list(spans)
        self.sides = {}


def read(path):
    """Every group of a file."""
    text = path.read_text("utf-8").partition("Exposure Analysis Result")[0]
    pair, side = None, None
    for line in map(str.strip, text.splitlines()):
        line = line.removeprefix("- ")
        if found := BLOCK.fullmatch(line):
            pair = found.groups()
        elif found := GROUP.fullmatch(line):
            group = Told(*pair, spans_of(found[1]))
            yield group
        elif found := SIDE.fullmatch(line):
            side = found[1]
            group.sides[side] = VERDICTS[found[2]], set()
        elif found := DOES.fullmatch(line):
            group.sides[side][1].add((found[3], f"{found[1]} {found[2]}", found[4]))
        elif found := SELECTS.fullmatch(line):
            group.sides[side][1].add(("selects", f"{found[1]} {found[2]}", None))
        elif found := FAILS.fullmatch(line):
            group.sides[side][1].add(("selects", f"{found[1]} {found[2]}", found[3]))
        elif found := DEFAULT_PAIR.fullmatch(line):
            group = Told(*found.groups(), spans_of("TCP, UDP, SCTP"))
            group.sides = {"Egress": NOTHING, "Ingress": NOTHING}
            yield group
        elif line and line not in QUIET and line[0] not in "#-":
            assert line.startswith(("Ingress '", "Route '")), line


# What we answer


def facts(trace):
    """The chain of a direction in the words of the expected text."""
    found = set()
    for step in trace.chain:
        rule = step.rule
        if rule.role is Role.WRITTEN:
            found.add((ACTIONS[rule.action], str(rule.policy), rule.name or f"#{rule.index + 1}"))
        else:
            found |= {("selects", str(policy), first_failing(trace, policy)) for policy in trace.isolating}
    return trace.outcome.verdict, found


def first_failing(trace, policy):
    """The first rule that selects the peer; its port is what fails, since the policy does not allow."""
    selecting = [c for c in trace.considered if c.rule.policy == policy and c.peer is Match.YES]
    selecting = [c.rule.index for c in selecting if c.rule.role is Role.WRITTEN]
    return f"#{selecting[0] + 1}" if selecting else None


@cache
def free_addresses(folder, span):
    """An address of a range that nobody in the cluster has."""
    taken = connections.folder(folder).taken()
    return next(address for address in range(span[0], span[1] + 1) if address not in taken)


def ends_of(folder, peer):
    spans = connections.split_peer(peer)
    if isinstance(spans[0], str):
        return connections.folder(folder).ends(peer)[:1]
    return [end for span in spans for end in connections.folder(folder).ends(free_addresses(folder, span))]


def questions(folder, group):
    """The flows at both edges of each range of ports."""
    points = {(protocol, port) for protocol, *edges in group.spans for port in edges}
    for source in ends_of(folder, group.source):
        for destination in ends_of(folder, group.destination):
            yield from (Flow(source, destination, *point) for point in sorted(points))


class Chains(Reference):
    """Explains without asking what a verdict rests on."""

    def _dependences(self, flow, verdict):
        return ()


@cache
def chains(folder):
    snapshot = connections.folder(folder).snapshot
    return Chains(snapshot.cluster, snapshot.policies, connections.PROFILE)


def agree(found, told):
    """Whether the sides that are told are as found, and one that is not told denies."""
    left = [found[side] for side in found.keys() - told.keys()]
    return all(found[side] == told[side] for side in told) and all(verdict is Verdict.DENY for verdict, _ in left)


def test_reasons(case):
    folder = case["dir"]
    groups = [g for g in read(ROOT / case["expected"]) if "{ingress-controller}" not in (g.source, g.destination)]
    wrong = []
    for group in groups:
        for flow in questions(folder, group):
            (pair,) = chains(folder).explain(flow).pairs
            found = {"Egress": facts(pair.egress), "Ingress": facts(pair.ingress)}
            if not agree(found, group.sides):
                wrong.append((group.source, group.destination, flow.protocol, flow.port, found, group.sides))
    assert wrong == []


def test_all_of_it_is_read(corpus):
    chosen = [case for case in connections.cases() if "explain" in case["section"]]
    groups = [group for case in chosen for group in read(ROOT / case["expected"])]
    untold = [group for group in groups if len(group.sides) < 2]
    assert (len(chosen), len(groups), len(untold)) == (33, 2315, 2)
