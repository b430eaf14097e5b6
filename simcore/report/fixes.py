"""What to do about a verdict, by its reason code."""

from __future__ import annotations

from ..model.flows import Judgement, Outcome, Reason, Verdict
from ..model.policy import Direction, Role
from .words import fill

FIXES = {
    Reason.NO_RULE: "Add an {direction} rule to a policy that selects the {subject}; once isolated, it needs "
    "one for every peer.",
    Reason.PEER_NOT_SELECTED: "Add a peer that selects the {peer} to an {direction} rule; compare its "
    "labels, its namespace's labels and its address with what the rules ask for.",
    Reason.PORT_NOT_ALLOWED: "Add this port and protocol to the {direction} rule that selects the {peer}. "
    "Behind a Service the pod's own port counts, not the Service's.",
    Reason.NAMED_PORT_UNDECLARED: "Declare the port's name in the destination's containers, or write the "
    "number in the rule.",
    Reason.REQUEST_NOT_ALLOWED: "Add the request to the rule, or another rule for it.",
    Reason.RULE_DENIES: "Narrow the rule that denies, or put one that allows before it.",
    Reason.RULE_REJECTS: "Narrow the rule that rejects, or put one that allows before it.",
    Reason.PROTOCOL_DENIED: "If your dataplane lets such protocols through: --set other_protocols=allow, or "
    "follow-peers.",
    Reason.UNKNOWN_ADDRESS: "Load the cluster with its pods' addresses: kubectl get pods -A -o json.",
    Reason.UNCERTAIN_RULE: "Look at the rule named: part of it cannot be judged here. What domain names stand for "
    "is told with --dns.",
    Reason.PRIORITY_TIE: "Give the policies different priorities, or let their names decide: --set ties=name.",
    Reason.NO_ADDRESS: "Look at the capture: this record cannot be tied to two ends. If its columns "
    "have other names, see --map.",
    Reason.MIXED_FAMILIES: "Ask about two addresses of one family.",
    Reason.UNKNOWN_PROTOCOL: "Nothing to do: network policies do not judge what is not IP.",
    Reason.NO_PORT: "Name the destination port.",
    Reason.NO_SOURCE_PORT: "Name the source port.",
    Reason.UNKNOWN_REQUEST: "Capture requests with method, path, host and headers.",
    Reason.NAME_NOT_KNOWN_THEN: "Begin the capture before names are looked up, or tell with --dns when they stood for "
    "the address.",
    Reason.UNKNOWN_POD: "Load the cluster as it was when the capture was made, so that it holds this pod.",
    Reason.POD_NOT_THERE_THEN: "Bring snapshots of the cluster from nearer to that time.",
    Reason.NOBODY_THEN: "Bring snapshots of the cluster from nearer to that time.",
    Reason.SEVERAL_THEN: "Bring snapshots of the cluster from nearer to that time, or records that name pods.",
    Reason.NO_BACKEND: "Check the Service's ports and selector, and that the input holds its pods or its "
    "EndpointSlices.",
    Reason.MIXED: "Ask about the pods one by one: the policies see a difference in their labels, ports or addresses.",
}
"""The way out, for every reason that denies or leaves a doubt."""


HABIT = "The dataplane does this whatever policies say. If yours does not, a setting says so: flowverdict profiles."


def fixes(judgement: Judgement) -> tuple[str, ...]:
    """List what would make a flow allowed, or its verdict known: one advice a direction, none twice."""
    found = (
        HABIT
        if _is_habit(judgement.outcome(direction))
        else fill(FIXES[judgement.outcome(direction).reason], direction)
        for direction in Direction
        if judgement.outcome(direction).verdict is not Verdict.ALLOW
    )
    return tuple(dict.fromkeys(found))


def _is_habit(outcome: Outcome) -> bool:
    return outcome.rule is not None and outcome.rule.role is Role.HABIT
