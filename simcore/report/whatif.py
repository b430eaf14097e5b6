"""The report of `whatif`: which connections a policy change would cut, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..model.groups import Change, FlowGroup
from .carried import request_json, request_notes, request_sections
from .groups import group_json
from .names import name_notes, name_warnings, names_json
from .replay import groups_section, settled_json, settled_notes
from .stateful import cut_json, cut_section, state_json, state_notes, state_sections
from .structure import Column, Line, Report, Section, Span, Table, Tone, line, strong
from .words import count, share

if TYPE_CHECKING:
    from ..analyses.groups import Groups
    from ..analyses.whatif import WhatIfResult

MEANINGS = {
    Change.LOST: ("allowed before, denied after", Tone.BAD),
    Change.GAINED: ("denied before, allowed after", Tone.GOOD),
    Change.UNKNOWN: ("to or from a verdict that is not known", Tone.DOUBT),
    Change.UNCHANGED: ("the same verdict before and after", Tone.PLAIN),
}

ON_CHANGE = {
    "keep": "Connections that are open when the policy changes are taken to live on; what is lost breaks when "
    "it is opened anew. Some dataplanes cut at once: --set on_change=reevaluate.",
    "reevaluate": "Connections that are open when the policy changes are judged again: what is lost breaks at once.",
}


def whatif(result: WhatIfResult, limit: int, on_change: str) -> Report:
    """Make the report: the headline, DNS losses first, then every broken pair."""
    lost = result.groups.of(Change.LOST)
    dns = tuple(lost.dns)
    sections = [Section((), (_counts(result),))]
    notes = [line(ON_CHANGE[on_change])] if result.lost else []
    notes += settled_notes(result.settled, result.flows) + request_notes(result.requests, result.flows)
    notes += name_notes(result.names)
    if result.state is not None and result.cut is not None:
        sections.append(cut_section(result.cut, on_change))
        notes += state_notes(result.state)
    sections += groups_section(_title(Change.LOST, "Lost"), lost, limit)
    for change, name in ((Change.GAINED, "Gained"), (Change.UNKNOWN, "Unknown")):
        sections += groups_section(_title(change, name), result.groups.of(change), limit)
    sections += request_sections(result.requests, result.flows, limit)
    if result.state is not None:
        sections += state_sections(result.state)
    return Report(
        title=line(f"What-if over {count(result.flows, 'flow')}"),
        summary=(_headline(result, lost),),
        warnings=(*([dns_warning(dns)] if dns else []), *name_warnings(result.names)),
        sections=tuple(sections),
        notes=tuple(notes),
    )


def _headline(result: WhatIfResult, lost: Groups) -> Line:
    if not (result.lost or result.gained or result.unknown):
        return line("The change makes no difference to any flow of this capture.")
    if not result.lost:
        return line("The change cuts no flow of this capture.")
    return line(
        "The change would cut ",
        Span(count(result.lost, "flow"), Tone.BAD),
        f" between {count(len(lost), 'pair')} of workloads.",
    )


def dns_warning(dns: tuple[FlowGroup, ...]) -> Line:
    """Warn that name resolution would be lost, since that breaks everything else."""
    lookups = sum(group.flows for group in dns)
    sources = len({group.source for group in dns})
    return line(
        strong(f"DNS: {count(lookups, 'lookup')} from {count(sources, 'workload')} would be lost"),
        "; there, nothing that needs a name will connect.",
    )


def _counts(result: WhatIfResult) -> Table:
    counts = {
        Change.LOST: result.lost,
        Change.GAINED: result.gained,
        Change.UNKNOWN: result.unknown,
        Change.UNCHANGED: result.unchanged,
    }
    rows = tuple(
        (
            line(Span(change.value, MEANINGS[change][1] if number else Tone.PLAIN)),
            line(f"{number:,}"),
            line(share(number, result.flows)),
            line(MEANINGS[change][0]),
        )
        for change, number in counts.items()
    )
    return Table((Column("change"), Column("flows", True), Column("share", True), Column("meaning")), rows)


def _title(change: Change, name: str) -> Line:
    meaning, tone = MEANINGS[change]
    first = ", DNS first, then most flows first" if change is Change.LOST else ", most flows first"
    return line(Span(name, tone), f": {meaning}{first}")


def whatif_json(result: WhatIfResult, on_change: str = "keep") -> dict[str, object]:
    """Make the JSON of `whatif --format json`."""
    state: dict[str, object] = {}
    if result.state is not None and result.cut is not None:
        state = {"stateful": state_json(result.state), "cut": cut_json(result.cut, on_change)}
    return {
        "flows": result.flows,
        "lost": result.lost,
        "gained": result.gained,
        "unknown": result.unknown,
        "unchanged": result.unchanged,
        **settled_json(result.settled),
        **names_json(result.names),
        **request_json(result.requests),
        **state,
        "groups": [group_json(group) for group in result.groups],
    }
