"""What replay and what-if say of the domain names that rules go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .structure import Line, line, strong
from .words import count, part_of, rule_line

if TYPE_CHECKING:
    from ..analyses.names import NameReport

MOST_WARNINGS = 20


def name_warnings(names: NameReport) -> tuple[Line, ...]:
    """Warn of every pattern of names that nothing supports; of many, the first."""
    shown = [
        line(*rule_line(rule), ": no DNS answer in the capture and no entry of --dns supports ", strong(written))
        for rule, written in names.unsupported[:MOST_WARNINGS]
    ]
    if hidden := len(names.unsupported) - len(shown):
        shown.append(line(f"... and {count(hidden, 'more name')} that nothing supports; --format json lists all"))
    return tuple(shown)


def name_notes(names: NameReport) -> list[Line]:
    """Say what was learnt of names."""
    learnt = names.learnt
    if not learnt.answers:
        return []
    return [line(f"{count(learnt.names, 'name')} learnt from {count(learnt.answers, 'DNS answer')} in the capture.")]


def names_json(names: NameReport) -> dict[str, object]:
    """Make the JSON of both; nothing where no rule goes by names."""
    if not (names.learnt.answers or names.unsupported):
        return {}
    unsupported = [
        {
            "policy": str(rule.policy),
            "rule": part_of(rule),
            "file": rule.place.file,
            "line": rule.place.line or None,
            "name": written,
        }
        for rule, written in names.unsupported
    ]
    learnt = names.learnt
    return {"domain_names": {"answers": learnt.answers, "learnt": learnt.names, "unsupported": unsupported}}
