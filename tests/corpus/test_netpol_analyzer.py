"""The expected connections of np-guard/netpol-analyzer: who may connect to whom, on which ports.

Everything is compared by points: one port of each class that nothing tells apart, one address of each
range alike. Its habits are two settings of ours: an ipBlock never matches a pod, a hostNetwork pod is a pod.
"""

import json
import re
from dataclasses import replace
from functools import cache

from loaders import load_manifests
from simcore.model.addresses import Address, Family
from simcore.model.flows import End, Flow, Verdict
from simcore.model.peers import AnyOf, Network
from simcore.model.ports import PROTOCOL_NUMBERS, SCTP, TCP, UDP
from simcore.model.profile import UPSTREAM
from simcore.reference import Reference
from tests.conftest import CORPUS

ROOT = CORPUS / "netpol-analyzer"
PROFILE = replace(UPSTREAM, ipblock_matches_pods=False, hostnetwork="pod")
PROTOCOLS = (SCTP, TCP, UDP)
LINE = re.compile(r"(.+?) => (.+?) : (.+)")
FOCUS_LINE = re.compile(r"Permitted connections on (.+):")
DIFF_LINE = re.compile(r"diff-type: \w+, source: (.+?), destination: (.+?), ref1: (.+?), ref2: (.+?)(, workloads.*)?")


@cache
def cases():
    path = ROOT / "cases.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        is_diff = metafunc.function is test_diff
        wanted = ("diff",) if is_diff else ("connlist", "exposure")
        chosen = [case for case in cases() if case["section"] in wanted]
        metafunc.parametrize("case", chosen, ids=[case["name"] for case in chosen])


# What is expected


def parse_connections(text):
    """The (protocol, first, last) ranges of ``TCP 80-90,443,UDP 1-65535``."""
    if text == "No Connections":
        return ()
    if text == "All Connections":
        return tuple((protocol, 1, 65535) for protocol in PROTOCOLS)
    ranges = []
    for part in text.split(","):
        name, _, span = part.rpartition(" ")
        protocol = PROTOCOL_NUMBERS[name] if name else ranges[-1][0]
        first, _, last = span.partition("-")
        ranges.append((protocol, int(first), int(last or first)))
    return tuple(ranges)


def split_peer(text):
    """A workload as it is; an external peer as one (first, last) for each of its ranges."""
    if not text.endswith("[External]"):
        return [text]
    return [tuple(map(number, span.split("-"))) for span in text.removesuffix("[External]").split(",")]


def number(text):
    return Address.parse(text).value


def expected_lines(case):
    text = (ROOT / case["expected"]).read_text("utf-8").partition("Exposure Analysis Result:")[0]
    focus = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if head := FOCUS_LINE.fullmatch(line):
            focus = f" : {head[1]}"
            continue
        source, destination, connections = LINE.fullmatch(line + focus).groups()
        if "{ingress-controller}" not in (source, destination):
            yield source, destination, parse_connections(connections)


# What we answer


class Folder:
    """A folder of manifests, ready to be asked."""

    def __init__(self, name):
        self.snapshot = load_manifests([str(ROOT / name)])
        self.reference = Reference(self.snapshot.cluster, self.snapshot.policies, PROFILE)
        self.workloads = {}
        for pod in self.snapshot.cluster.pods:
            self.workloads.setdefault(label(pod), []).append(pod.full_name)

    def rules(self):
        return [rule for policy in self.snapshot.policies for rule in policy.rules]

    def taken(self):
        """Addresses that are not external here."""
        cluster = self.snapshot.cluster
        services = {address for service in cluster.services for address in service.addresses}
        return {a.value for a in {*cluster.pods_at, *cluster.host_pods_at, *cluster.node_at, *services}}

    def ends(self, peer):
        if isinstance(peer, int):
            return [End(Address(Family.V4, peer))]
        return [End(pod=name) for name in self.workloads.get(peer, [])]

    def connections(self, source, destination, points):
        """The (protocol, port) points that are allowed; the pods of one workload must agree."""
        answers = {
            frozenset(point for point in points if self.allows(one, other, *point))
            for one in self.ends(source)
            for other in self.ends(destination)
        }
        assert len(answers) <= 1, f"the pods of {source} or {destination} differ"
        return answers.pop() if answers else frozenset()

    def allows(self, source, destination, protocol, port):
        verdict = self.reference.judge(Flow(source, destination, protocol, port)).verdict
        assert verdict is not Verdict.UNKNOWN
        return verdict is Verdict.ALLOW


@cache
def folder(name):
    return Folder(name)


def label(pod):
    """The direct owner, as the expected files write it; an owner of unknown kind counts as a pod."""
    if not pod.owners:
        return f"{pod.namespace}/{pod.name}[Pod]"
    return f"{pod.namespace}/{pod.owners[0].name}[{pod.owners[0].kind or 'Pod'}]"


# Points: one of each class that neither the policies nor the expected text tells apart


def port_points(folders, connection_lists):
    edges = {(protocol, 1) for protocol in PROTOCOLS}
    spans = [span for spans in connection_lists for span in spans]
    for one in folders:
        spans += [(r.protocol, r.first, r.last) for rule in one.rules() for r in rule.ports.ranges]
        spans += [(p.protocol, p.number, p.number) for pod in one.snapshot.cluster.pods for p in pod.ports]
    for protocol, first, last in spans:
        edges |= {(protocol, max(first, 1)), (protocol, last + 1)}
    return sorted((protocol, port) for protocol, port in edges if port <= 65535)


def address_points(folders, peers):
    edges = {0}
    for first, last in (peer for peer in peers if isinstance(peer, tuple)):
        edges |= {first, last + 1}
    for one in folders:
        for block in blocks(one):
            edges |= {block.first, block.last + 1}
    taken = set().union(*(one.taken() for one in folders))
    starts = sorted(edge for edge in edges if edge < 1 << 32)
    for start, end in zip(starts, [*starts[1:], 1 << 32], strict=True):
        free = next((value for value in range(start, end) if value not in taken), None)
        if free is not None:
            yield free


def blocks(one):
    for rule in one.rules():
        members = rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,)
        for network in (member for member in members if isinstance(member, Network)):
            yield from (b for b in (network.cidr, *network.excluded) if b.family is Family.V4)


def matches(peer, point):
    return peer[0] <= point <= peer[1] if isinstance(peer, tuple) else peer == point


def spread(lines, addresses, points):
    """The lines as {(source, destination): allowed points}, external ranges taken apart into points."""
    table = {}
    for source, destination, connections in lines:
        allowed = {p for p in points if any(c[0] == p[0] and c[1] <= p[1] <= c[2] for c in connections)}
        for one in expand(source, addresses):
            for other in expand(destination, addresses):
                table[one, other] = table.get((one, other), frozenset()) | allowed
    return {pair: allowed for pair, allowed in table.items() if allowed}


def expand(text, addresses):
    for peer in split_peer(text):
        yield from [a for a in addresses if matches(peer, a)] if isinstance(peer, tuple) else [peer]


def pairs(workloads, addresses):
    """Every pair that can be listed: not a workload with itself, not two external addresses."""
    peers = [*workloads, *addresses]
    return [(a, b) for a in peers for b in peers if a != b and not (isinstance(a, int) and isinstance(b, int))]


# Focus


def names(label):
    """How a workload may be named on the command line."""
    full = label.partition("[")[0]
    return {full, full.partition("/")[2]}


def options_of(case):
    """The options that say which part of the answer is shown."""
    given = [argument for argument in case["args"] if argument not in ("--exposure", "--explain")]
    return dict(zip(given[::2], given[1::2], strict=True))


def focused_points(options, points):
    """The points that are asked about: all, or the one of ``--focus-conn udp-52``."""
    name, _, port = options.get("--focus-conn", "").partition("-")
    return [(PROTOCOL_NUMBERS[name.upper()], int(port))] if name else points


def is_focused(options, source, destination):
    focus = set(options.get("--focusworkload", "").split(",")) - {""}
    others = set(options.get("--focusworkload-peer", "").split(",")) - {""}
    direction = options.get("--focus-direction")
    incoming = direction != "egress" and is_about(destination, focus) and is_about(source, others)
    outgoing = direction != "ingress" and is_about(source, focus) and is_about(destination, others)
    return incoming or outgoing


def is_about(peer, wanted):
    return not wanted or (isinstance(peer, str) and bool(names(peer) & wanted))


def test_connections(case):
    one = folder(case["dir"])
    lines = list(expected_lines(case))
    peers = [peer for line in lines for text in line[:2] for peer in split_peer(text)]
    options = options_of(case)
    points = focused_points(options, port_points([one], [line[2] for line in lines]))
    addresses = list(address_points([one], peers))
    found = {
        pair: one.connections(*pair, points) for pair in pairs(one.workloads, addresses) if is_focused(options, *pair)
    }
    assert {pair: allowed for pair, allowed in found.items() if allowed} == spread(lines, addresses, points)


def test_diff(case):
    before, after = folder(case["dir"]), folder(case["dir2"])
    text = (ROOT / case["expected"]).read_text("utf-8")
    lines = [DIFF_LINE.fullmatch(line).groups() for line in text.splitlines() if line.startswith("diff-type")]
    lines = [line for line in lines if "{ingress-controller}" not in line[:2]]
    peers = [peer for line in lines for text in line[:2] for peer in split_peer(text)]
    connections = [parse_connections(line[side]) for line in lines for side in (2, 3)]
    points = port_points([before, after], connections)
    addresses = list(address_points([before, after], peers))
    every_pair = pairs({**before.workloads, **after.workloads}, addresses)
    found = {pair: tuple(one.connections(*pair, points) for one in (before, after)) for pair in every_pair}
    expected = [
        spread([(*line[:2], parse_connections(line[side])) for line in lines], addresses, points) for side in (2, 3)
    ]
    listed = {pair for table in expected for pair in table}
    assert {pair: change for pair, change in found.items() if change[0] != change[1]} == {
        pair: tuple(table.get(pair, frozenset()) for table in expected) for pair in listed
    }


def test_the_corpus_is_whole(corpus):
    assert len(cases()) == 137
