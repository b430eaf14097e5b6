"""Words and numbers as reports write them."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime
from math import isinf

from ..model.flows import Judgement, Outcome, Reason, Verdict
from ..model.policy import NETWORKPOLICY, Direction, Role, Rule
from ..model.ports import PROTOCOL_NAMES, protocol_name
from ..model.requests import Request
from .structure import Line, Span, faint, line, strong, verdict_span

REASONS = {
    Reason.RULE: "a rule allows it",
    Reason.REQUEST_ALLOWED: "a rule lets it through to a proxy, which lets the request through",
    Reason.NOT_ISOLATED: "no policy applies to the {subject}, so everything is allowed",
    Reason.NOT_A_POD: "no policy can bind the {subject}: it is no pod of the cluster",
    Reason.NODE: "no policy can bind the {subject}: it is a node, or shares its node's network",
    Reason.SELF: "a pod always reaches itself",
    Reason.OWN_NODE: "traffic between a pod and its own node is always allowed",
    Reason.HAIRPIN: "a pod that reaches itself through a Service is let through",
    Reason.NOT_ENFORCED: "not enforced: the network plugin applies no policy at all",
    Reason.PROTOCOL_ALLOWED: "the profile lets protocols without ports through",
    Reason.NO_RULE: "the policies that isolate the {subject} hold no {direction} rule at all",
    Reason.PEER_NOT_SELECTED: "no {direction} rule selects the {peer}",
    Reason.PORT_NOT_ALLOWED: "a rule selects the {peer}, but not on this port and protocol",
    Reason.NAMED_PORT_UNDECLARED: "a rule allows a port by name, and the destination declares no such name",
    Reason.REQUEST_NOT_ALLOWED: "a rule lets it through to a proxy, which refuses the request",
    Reason.RULE_DENIES: "a rule denies it",
    Reason.RULE_REJECTS: "a rule rejects it, and says so to the {peer}",
    Reason.PROTOCOL_DENIED: "the profile lets isolation stop protocols without ports",
    Reason.UNKNOWN_ADDRESS: "an address that a rule asks for is not known",
    Reason.UNCERTAIN_RULE: "a rule that cannot be judged could decide",
    Reason.PRIORITY_TIE: "rules of equal priority disagree, and nothing says which comes first",
    Reason.NO_ADDRESS: "the record names neither an address nor a pod for one end",
    Reason.MIXED_FAMILIES: "one end is IPv4, the other IPv6",
    Reason.UNKNOWN_PROTOCOL: "the record names no IP protocol",
    Reason.NO_PORT: "the record has no destination port or ICMP type, and that could decide",
    Reason.NO_SOURCE_PORT: "the record has no source port, and that could decide",
    Reason.UNKNOWN_REQUEST: "the record does not tell all of the request that a rule asks for",
    Reason.NAME_NOT_KNOWN_THEN: "a rule goes by domain name, which is not known to have stood for the address then",
    Reason.UNKNOWN_POD: "the record names a pod that the cluster does not hold",
    Reason.POD_NOT_THERE_THEN: "the record names a pod that was not there at that time",
    Reason.NOBODY_THEN: "an address was nobody's at that time, though somebody's at others",
    Reason.SEVERAL_THEN: "an address was several pods' at that time",
    Reason.NO_BACKEND: "the Service has no backend for this port",
    Reason.MIXED: "several pods may be meant, and they differ",
}
"""What each reason code says, in words; `words_of` fills in the ends."""

TIER_WORDS = {"anp": "admin", "cnp-admin": "admin", "banp": "baseline", "cnp-baseline": "baseline"}
"""Tiers of the cluster's policies, as people call them; there a policy's kind goes without saying."""
UNNAMED = (NETWORKPOLICY.name, "cilium", "cilium-default", "cilium-default-after-pass", "cilium-agent")
"""Tiers that go without saying."""
WITHOUT_ORDER = (*UNNAMED, "banp")
"""Tiers whose policies have no order among each other, or are one."""

ENDS = {Direction.EGRESS: ("source", "destination"), Direction.INGRESS: ("destination", "source")}


def words_of(reason: Reason, direction: Direction) -> str:
    """Say a reason code in words, for one direction."""
    return fill(REASONS[reason], direction)


def fill(template: str, direction: Direction) -> str:
    """Put the ends' names into a text."""
    subject, peer = ENDS[direction]
    return template.format(subject=subject, peer=peer, direction=direction.word)


def outcome_words(outcome: Outcome, direction: Direction) -> str:
    """Say why one direction has its verdict."""
    words = words_of(outcome.reason, direction)
    doubt = outcome.rule.doubt if outcome.rule and outcome.reason is Reason.UNCERTAIN_RULE else ""
    detail = outcome.detail or doubt
    return f"{words} ({detail})" if detail else words


def rule_line(rule: Rule) -> Line:
    """Name a rule and where it was written."""
    return line(strong(str(rule.policy)), f" {part_of(rule)} ", faint(f"({where(rule)})"))


def step_words(rule: Rule) -> str:
    """Name a rule as a packet meets it: ``admin 10 "guard" rule 2``, ``NetworkPolicy shop/web rule 1``."""
    tier = TIER_WORDS.get(rule.tier.name, rule.tier.name)
    order = order_of(rule)
    policy = f'"{rule.policy.name}"' if rule.tier.name in TIER_WORDS else str(rule.policy)
    number = f"{rule.section} rule {rule.index + 1}".lstrip() + (f' "{rule.name}"' if rule.name else "")
    parts = {Role.WRITTEN: number, Role.ISOLATION: "isolation", Role.TIER_END: "end of tier", Role.HABIT: ""}
    shown = "" if rule.tier.name in UNNAMED else tier
    return " ".join(filter(None, (shown, "" if order is None else f"{order:g}", policy, parts[rule.role])))


def order_of(rule: Rule) -> float | None:
    """Return the priority or order of the policy within its tier; None where it has none."""
    order = rule.order[1]
    if rule.tier.name in WITHOUT_ORDER or not isinstance(order, float) or isinf(order):
        return None
    return order


def part_of(rule: Rule) -> str:
    """Name a rule within its policy: ``ingress[0]``, ``egress isolation``."""
    return str(rule).removeprefix(f"{rule.policy} ")


def where(rule: Rule) -> str:
    """Write a rule's file and line."""
    return f"{rule.place.file}:{rule.place.line}" if rule.place.line else rule.place.file


def outcome_line(outcome: Outcome, direction: Direction) -> Line:
    """Say in a line how one direction came out, why, and by which rule."""
    head = line(f"{direction.word}: ", outcome_words(outcome, direction))
    if outcome.rule is None:
        return head
    if outcome.reason is Reason.RULE:
        return line(f"{direction.word}: allowed by ", *rule_line(outcome.rule))
    return line(*head, " - ", *rule_line(outcome.rule))


def judgement_fields(label: str, judgement: Judgement, directions: tuple[Direction, ...]) -> list[tuple[str, Line]]:
    """Say a verdict and how the given directions came out, as labelled lines of an entry."""
    outcomes = [outcome_line(judgement.outcome(direction), direction) for direction in directions]
    verdict = verdict_span(judgement.verdict)
    if len(outcomes) == 1:
        return [(label, line(verdict, "  ", *outcomes[0]))]
    return [(label, line(verdict)), *(("", outcome) for outcome in outcomes)]


def telling(*judgements: Judgement | None) -> tuple[Direction, ...]:
    """Return the directions that tell why: those that are not allowed in one of the judgements, else both."""
    found = tuple(
        direction
        for direction in Direction
        if any(j is not None and j.outcome(direction).verdict is not Verdict.ALLOW for j in judgements)
    )
    return found or tuple(Direction)


def protocol_port(protocol: int | None, port: int | None) -> str:
    """Write ``TCP 443``."""
    name = "no protocol" if protocol is None else protocol_name(protocol)
    return name if port is None else f"{name} {port}"


def request_json(request: Request) -> dict[str, object]:
    """Write what is known of a request as JSON has it."""
    parts = {field.name: getattr(request, field.name) for field in fields(request)}
    if request.http_headers is not None:
        parts["http_headers"] = [f"{name}: {value}" for name, value in request.http_headers]
    return {name: part for name, part in parts.items() if part is not None}


def protocol_json(protocol: int | None) -> str | int | None:
    """Write a protocol as JSON does: by name, else by number."""
    return None if protocol is None else PROTOCOL_NAMES.get(protocol, protocol)


def count(number: int, noun: str, plural: str = "") -> str:
    """Write ``1 flow``, ``12,345 flows``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(part: int, whole: int) -> str:
    """Write a share as a percentage; only nothing is 0%, only everything 100%."""
    if not whole or part in (0, whole):
        return "100%" if whole and part == whole else "0%"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1%"
    return ">99.9%" if percent > 99.9 else f"{percent:.1f}%"


def size(number: int) -> str:
    """Write a number of bytes: ``1.2 MB``."""
    value, unit = float(number), "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 999.5 or unit == "PB":
            break
        value /= 1000
    return f"{number} B" if unit == "B" else f"{value:.3g} {unit}"


def duration(seconds: float) -> str:
    """Write a length of time in its largest whole units: ``5 d``, ``2 h 13 min``, ``0.5 s``."""
    whole = round(seconds)
    if whole < 1:
        return f"{seconds:.1g} s"
    parts = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        number, whole = divmod(whole, length)
        if number:
            parts.append(f"{number} {unit}")
    return " ".join(parts[:2])


def iso_time(nanoseconds: int | None) -> str | None:
    """Write a time as JSON does, in UTC with all its digits."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def moment(nanoseconds: int) -> str:
    """Write a time for people, in UTC."""
    return f"{datetime.fromtimestamp(nanoseconds // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S}"


def period(first: int | None, last: int | None) -> str:
    """Write ``2026-01-01 10:00:00 to 10:15:00 UTC``; the empty text where no time is known."""
    if first is None or last is None:
        return ""
    start, end = moment(first), moment(last)
    if start == end:
        return f"{start} UTC"
    return f"{start} to {end.removeprefix(start[:11])} UTC"


def tinted(text: str, verdict: Verdict) -> Span:
    """Write a text in a verdict's colour."""
    return Span(text, verdict_span(verdict).tone)
