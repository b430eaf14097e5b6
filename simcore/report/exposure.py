"""The part of `reach` about exposure: what is open to pods that do not exist yet, and who is bound by no policy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..analyses.connectivity import Exposed, Exposure, Openness, Stranger, WorkloadEnd
from ..model.labels import EVERYTHING, NAME_KEY, NAMESPACE_NAME_LABEL, LabelSelector, Operator
from ..model.policy import Direction
from ..model.ports import PROTOCOL_NAMES, NamedPort
from .ends import Naming, end_json, ports_json, possible_line
from .structure import Entry, Line, Section, faint, join, line, strong, unbroken
from .words import count

_TITLES = {
    Direction.INGRESS: "Open to pods that do not exist yet",
    Direction.EGRESS: "May reach pods that do not exist yet",
}
_FROM_TO = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_BOTH = tuple(reversed(Direction))


def exposure_sections(found: Exposure, limit: int) -> tuple[Section, ...]:
    """Show who is open to whom, workloads that are alike together, and who is bound by no policy."""
    sections = [_direction(found, direction, limit) for direction in _BOTH]
    unprotected = _unprotected(found)
    if unprotected:
        sections.append(Section(line(strong("Bound by no policy")), unprotected))
    return tuple(section for section in sections if section)


def _direction(found: Exposure, direction: Direction, limit: int) -> Section | None:
    groups = _groups(found, direction)
    if not groups:
        return None
    naming = Naming(_ends(found.exposed))
    shown = [
        Entry(line(*naming.line(_ends(members))), tuple(("", each) for each in _open_lines(found, members[0])))
        for members in groups[:limit]
    ]
    left = len(groups) - limit
    rest = [line(faint(f"... and {count(left, 'more group')} of workloads: see --limit, or --format json"))]
    return Section(line(strong(_TITLES[direction])), (*shown, *(rest if left > 0 else [])))


def _groups(found: Exposure, direction: Direction) -> list[list[Exposed]]:
    """Put workloads together that are open alike, those that no policy binds last; closed ones are left out."""
    groups: dict[tuple[object, ...], list[Exposed]] = {}
    for one in found.exposed:
        if one.direction is direction and any(not each.is_closed for _, each in _openings(one)):
            groups.setdefault((not one.protected, one.anybody, one.others), []).append(one)
    return [members for (unbound, *_), members in sorted(groups.items(), key=lambda item: bool(item[0][0]))]


def _openings(one: Exposed) -> Iterator[tuple[int, Openness]]:
    yield 0, one.anybody
    yield from one.others


def _ends(exposed: Sequence[Exposed]) -> list[WorkloadEnd]:
    return [WorkloadEnd(one.workload, one.pods, one.total, one.example) for one in exposed]


def _open_lines(found: Exposure, one: Exposed) -> Iterator[Line]:
    for number, openness in _told(found, one):
        if number or not openness.is_closed:
            what = open_line(openness) if not openness.is_closed else line(strong("nothing"))
            words = stranger_words(found.strangers[number]) if number else "any pod"
            yield line(*what, f"  {_FROM_TO[one.direction]} {words}")


def _told(found: Exposure, one: Exposed) -> Iterator[tuple[int, Openness]]:
    """Yield what is told: not of pods that a wider selector holds, which is told the same of."""
    for number, openness in _openings(one):
        alike = [other for other, its in one.others if other != number and its.is_like(openness)]
        if not any(_is_wider(found.strangers[other], found.strangers[number]) for other in alike if number):
            yield number, openness


def _is_wider(stranger: Stranger, other: Stranger) -> bool:
    """Whether the selectors of a stranger ask for a part of what those of another ask for."""
    one, two = stranger.known, other.known
    pairs = ((one.namespaces, two.namespaces), (one.pods, two.pods), (one.accounts, two.accounts))
    return all(set(wide.requirements) <= set(narrow.requirements) for wide, narrow in pairs)


def open_line(openness: Openness) -> Line:
    """Say what is let through."""
    parts = [possible_line(openness.ports)] if not openness.ports.is_nothing else []
    if openness.named:
        parts.append(line(strong(unbroken(named_text(openness.named)))))
    return join(parts, "; ")


def named_text(names: Sequence[NamedPort]) -> str:
    """Write ports that are known by name: ``TCP ports named http, metrics``."""
    by_name: dict[str, list[str]] = {}
    for one in names:
        by_name.setdefault(one.name, []).append(PROTOCOL_NAMES[one.protocol])
    alike: dict[str, list[str]] = {}
    for name, protocols in by_name.items():
        alike.setdefault("/".join(protocols), []).append(name)
    return "; ".join(f"{one} ports named {', '.join(words)}" for one, words in alike.items())


def stranger_words(stranger: Stranger) -> str:
    """Say by its selectors whom a stranger stands for."""
    known = stranger.known
    pods = "any pod" if known.pods == EVERYTHING else f"pods with {known.pods}"
    account = "" if known.accounts == EVERYTHING else f" with service account {_account(known.accounts)}"
    return f"{pods}{account} {_namespaces(known.namespaces)}"


def _namespaces(selector: LabelSelector) -> str:
    if name := namespace_named(selector):
        return f"of {name}"
    return "of any namespace" if selector == EVERYTHING else f"of namespaces with {selector}"


def _account(selector: LabelSelector) -> str:
    return str(selector).replace(f"{NAME_KEY}=", "")


def namespace_named(selector: LabelSelector) -> str | None:
    """Return the one namespace that a selector asks for by its name alone."""
    if len(selector.requirements) != 1:
        return None
    asked = selector.requirements[0]
    is_one = asked.key == NAMESPACE_NAME_LABEL and asked.operator is Operator.IN and len(asked.values) == 1
    return next(iter(asked.values)) if is_one else None


def _unprotected(found: Exposure) -> tuple[Entry, ...]:
    """Name those that no policy binds: in both directions, or in one."""
    open_ways: dict[WorkloadEnd, set[Direction]] = {}
    asked = {one.direction for one in found.exposed}
    for one, end in zip(found.unprotected, _ends(found.unprotected), strict=True):
        open_ways.setdefault(end, set()).add(one.direction)
    naming = Naming(_ends(found.exposed))
    by_ways: dict[str, list[WorkloadEnd]] = {}
    for end, ways in open_ways.items():
        by_ways.setdefault("both ways" if len(ways) > 1 else ways.pop().word, []).append(end)
    order = ("both ways", *(direction.word for direction in _BOTH))
    return tuple(
        Entry(line(strong(f"{word}: "), *naming.line(by_ways[word]))) for word in order if word in by_ways and asked
    )


def exposure_json(found: Exposure) -> dict[str, object]:
    """Make the JSON of exposure."""
    return {
        "exposure": [_exposed_json(found, one) for one in found.exposed],
        "unprotected": [
            {**end_json(end), "direction": one.direction.word}
            for one, end in zip(found.unprotected, _ends(found.unprotected), strict=True)
        ],
    }


def _exposed_json(found: Exposure, one: Exposed) -> dict[str, object]:
    return {
        **end_json(_ends([one])[0]),
        "direction": one.direction.word,
        "protected": one.protected,
        "any_pod": _openness_json(one.anybody),
        "pods": [
            {**_stranger_json(found.strangers[number]), **_openness_json(openness)} for number, openness in one.others
        ],
    }


def _stranger_json(stranger: Stranger) -> dict[str, object]:
    known, pod = stranger.known, stranger.pod
    around = pod.namespace_labels or {}
    return {
        "who": stranger_words(stranger),
        "namespace_selector": str(known.namespaces),
        "pod_selector": str(known.pods),
        **({} if known.accounts == EVERYTHING else {"account_selector": _account(known.accounts)}),
        "example": {
            "namespace_labels": {key: value for key, value in around.items() if not value.startswith("@")},
            "labels": dict(pod.labels),
        },
    }


def _openness_json(openness: Openness) -> dict[str, object]:
    named = [{"protocol": PROTOCOL_NAMES[one.protocol], "name": one.name} for one in openness.named]
    return {**ports_json(openness.ports), "named": named}
