"""Results of analyses as a report might get them, without a capture."""

from simcore.analyses.replay import ReplayResult
from simcore.analyses.whatif import WhatIfResult
from simcore.errors import Place
from simcore.model.flows import Judgement, Outcome, Reason, Verdict
from simcore.model.groups import Change, Example, FlowGroup
from simcore.model.peers import ANYTHING
from simcore.model.policy import Action, Direction, PolicyRef, Role, Rule
from simcore.model.ports import EVERY_PORT, TCP, UDP

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
