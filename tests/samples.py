"""Results of analyses as a report might get them, without a capture."""

from simcore.analyses.replay import ReplayResult
from simcore.analyses.verify import MissingPolicy, SideCounts, VerifyResult
from simcore.analyses.whatif import WhatIfResult
from simcore.errors import Place
from simcore.model.flows import Judgement, Outcome, Reason, Verdict
from simcore.model.groups import Change, Example, FlowGroup
from simcore.model.peers import ANYTHING
from simcore.model.policy import Action, Direction, PolicyRef, Role, Rule
from simcore.model.ports import EVERY_PORT, TCP, UDP
from simcore.model.verification import Disagreement, Recorded, Suspicion

ALLOW, DENY, UNKNOWN = Verdict.ALLOW, Verdict.DENY, Verdict.UNKNOWN
EGRESS, INGRESS = Direction.EGRESS, Direction.INGRESS
START = 1_767_225_600_000_000_000
SECOND = 1_000_000_000


def rule(name, index, direction, line, file="policies/shop.yaml"):
    role = Role.ISOLATION if index < 0 else Role.WRITTEN
    action = Action.DENY if index < 0 else Action.ALLOW
    ref = PolicyRef("NetworkPolicy", "shop", name)
    place = Place(file, 1, line)
    return Rule(ref, index, direction, ANYTHING, ANYTHING, EVERY_PORT, action, "networkpolicy", (0, name), place, role)


DEFAULT_DENY = rule("default-deny", -1, EGRESS, 3, "change.yaml")
OPEN = Outcome(ALLOW, Reason.NOT_ISOLATED)
NOT_ISOLATED = Judgement(OPEN, OPEN, ALLOW)
NO_RULE = Judgement(Outcome(DENY, Reason.NO_RULE, DEFAULT_DENY), OPEN, DENY)
BY_RULES = Judgement(
    Outcome(ALLOW, Reason.RULE, rule("frontend", 2, EGRESS, 41)),
    Outcome(ALLOW, Reason.RULE, rule("checkout", 0, INGRESS, 12)),
    ALLOW,
)
BOTH_DENY = Judgement(
    Outcome(DENY, Reason.PEER_NOT_SELECTED, DEFAULT_DENY),
    Outcome(DENY, Reason.PORT_NOT_ALLOWED, rule("checkout", -1, INGRESS, 1)),
    DENY,
)
DIFFER = Judgement(OPEN, Outcome(UNKNOWN, Reason.MIXED, None, "allow: rule, deny: peer-not-selected"), UNKNOWN)


def group(change, source, destination, protocol, port, flows, before, after):
    example = Example(
        "capture/part-1.parquet", 17_123, START, "10.0.3.17 (shop/frontend-x7k2p)", "fd00::35", 51_234, port
    )
    return FlowGroup(
        change,
        source,
        destination,
        protocol,
        port,
        flows,
        12 * flows,
        1_500 * flows,
        START,
        START + 1_800 * SECOND,
        before,
        after,
        example,
    )


FRONTEND = "shop/Deployment/frontend"
LONG = "monitoring/StatefulSet/prometheus-kube-prometheus-stack-prometheus"
GROUPS = (
    group(Change.LOST, FRONTEND, "kube-system/Deployment/coredns", UDP, 53, 12_345, NOT_ISOLATED, NO_RULE),
    group(Change.LOST, FRONTEND, "shop/Deployment/checkout", TCP, 5050, 2_222, BY_RULES, BOTH_DENY),
    group(Change.LOST, FRONTEND, LONG, TCP, 9090, 1, BY_RULES, BOTH_DENY),
    group(Change.GAINED, "external", FRONTEND, TCP, 443, 77, NO_RULE, NOT_ISOLATED),
    group(Change.UNKNOWN, FRONTEND, "10.0.0.0/8", None, None, 7, NOT_ISOLATED, DIFFER),
)


class SomeGroups(tuple):
    """Groups made by hand, looked at as those of a tally are."""

    def __getitem__(self, index):
        found = super().__getitem__(index)
        return SomeGroups(found) if isinstance(index, slice) else found

    def of(self, change):
        return SomeGroups(group for group in self if group.change is change)

    def judged(self, verdict):
        return SomeGroups(group for group in self if group.after.verdict is verdict)

    @property
    def dns(self):
        return SomeGroups(group for group in self if group.is_dns)

    @property
    def flows(self):
        return sum(group.flows for group in self)


WHATIF = WhatIfResult(1_000_000, 14_568, 77, 7, 985_348, SomeGroups(GROUPS))
NO_CHANGE = WhatIfResult(1_000_000, 0, 0, 0, 1_000_000, SomeGroups())
REPLAY = ReplayResult(
    flows=1_000_000,
    allowed=985_425,
    denied=14_568,
    unknown=7,
    groups=SomeGroups(
        group(Change.UNCHANGED, g.source, g.destination, g.protocol, g.port, g.flows, None, g.after)
        for g in GROUPS
        if g.after.verdict is not ALLOW
    ),
    unknown_reasons={"mixed": 5, "no-address": 2},
    rules=None,
)


def disagreement(suspicion, about, recorded, ours, destination, port, flows):
    example = Example(
        "capture/part-1.parquet", 17_123, START, "10.0.3.17 (shop/frontend-x7k2p)", "10.0.5.9", 51_234, port
    )
    return Disagreement(suspicion, about, recorded, ours, FRONTEND, destination, TCP, port, flows, example)


OLD = "CiliumNetworkPolicy shop/checkout-from-frontend"
LET_IN = Recorded(INGRESS, "forwarded", ALLOW, "", (OLD,), "connection")
PROXIED = Recorded(EGRESS, "dropped", DENY, "", (), "request")
KEPT_OUT = Recorded(INGRESS, "dropped", DENY, "POLICY_DENIED", (), "connection")
REJECTED = Recorded(None, "REJECT", DENY)
STRANGE = Judgement(Outcome(UNKNOWN, Reason.UNKNOWN_POD), Outcome(UNKNOWN, Reason.UNKNOWN_POD), UNKNOWN)
VERIFY = VerifyResult(
    flows=52_000,
    comparable=50_000,
    agreeing=46_412,
    opposite=3_568,
    undecided=20,
    not_compared={"mid-stream": 1_800, "": 150, "CT_MAP_INSERTION_FAILED": 50},
    sides=(
        SideCounts(EGRESS, {(ALLOW, ALLOW): 44_000, (ALLOW, UNKNOWN): 20, (DENY, DENY): 2_000, (DENY, ALLOW): 12}),
        SideCounts(INGRESS, {(ALLOW, ALLOW): 39_000, (ALLOW, DENY): 2_223, (DENY, DENY): 400, (DENY, ALLOW): 1_300}),
        SideCounts(None, {(DENY, DENY): 1_000, (DENY, ALLOW): 33}),
    ),
    disagreements=(
        disagreement(Suspicion.POLICY_MISSING, OLD, LET_IN, BOTH_DENY, "shop/Deployment/checkout", 5050, 2_222),
        disagreement(Suspicion.POLICY_MISSING, OLD, LET_IN, BOTH_DENY, LONG, 9090, 1),
        disagreement(Suspicion.ISOLATION_MISSING, "", KEPT_OUT, NOT_ISOLATED, "shop/Deployment/checkout", 22, 1_300),
        disagreement(Suspicion.OTHER, "", REJECTED, NOT_ISOLATED, "shop/Deployment/checkout", 23, 33),
        disagreement(Suspicion.POD_UNKNOWN, "", LET_IN, STRANGE, "shop/checkout-5d8c7-gone", 5050, 20),
        disagreement(Suspicion.REQUEST, "", PROXIED, BY_RULES, "shop/Deployment/checkout", 8080, 12),
    ),
    missing=(MissingPolicy(OLD, 9_876, 2_223), MissingPolicy("NetworkPolicy shop/quiet", 77, 0)),
    audited=41,
)
VERIFIED = VerifyResult(
    1_000, 1_000, 1_000, 0, 0, {}, (SideCounts(EGRESS, {(ALLOW, ALLOW): 900, (DENY, DENY): 100}),), (), ()
)
