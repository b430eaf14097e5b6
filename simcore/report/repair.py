"""The report of `whatif --repair`: which policies restore what a change cuts, and what they cannot restore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.groups import Change
from .groups import group_entries, group_json
from .proposals import beyond_words, policy_text
from .structure import Entry, Report, Section, line, strong, unbroken
from .words import count

if TYPE_CHECKING:
    from ..advice.proposals import ProposedPolicy
    from ..advice.repair.restoring import Repair
    from ..analyses.whatif import WhatIfResult


def repair(rounds: Sequence[Repair], before: WhatIfResult, checked: WhatIfResult, path: str | None) -> Report:
    """Make the report.

    Parameters
    ----------
    rounds : sequence of Repair
    before, checked : WhatIfResult
        The change without and with the repair.
    path : str or None
        Where the policies were written; None: they follow the report.
    """
    policies = [policy for each in rounds for policy in each.policies]
    sections = [Section((), tuple(map(_entry, policies)))] if policies else []
    left = checked.groups.of(Change.LOST)
    if checked.lost:
        title = line("Not restored: a rule decides, or no NetworkPolicy can say it. Narrow what denies")
        sections.append(Section(title, group_entries(left)))
    where = f", written to {path}" if path and policies else ""
    return Report(
        title=line("Repair"),
        summary=(
            line(_headline(policies, before, checked), where, "."),
            line("Checked by replay of the whole capture under the change with the repair."),
        ),
        sections=tuple(sections),
        notes=tuple(line(note) for note in dict.fromkeys(note for each in rounds for note in _notes(each))),
    )


def _headline(policies: Sequence[ProposedPolicy], before: WhatIfResult, checked: WhatIfResult) -> str:
    if not before.lost:
        return "The change cuts no flow, so there is nothing to repair"
    if not policies:
        return f"No NetworkPolicy restores any of {count(before.lost, 'lost flow')}"
    restored = before.lost - checked.lost
    verb = "restores" if len(policies) == 1 else "restore"
    return f"{count(len(policies), 'policy', 'policies')} {verb} {restored:,} of {count(before.lost, 'lost flow')}" + (
        f", and let {checked.gained - before.gained:,} more through that the baseline denied"
        if checked.gained > before.gained
        else ""
    )


def _entry(policy: ProposedPolicy) -> Entry:
    flows = unbroken(count(flows_of(policy), "flow"))
    return Entry(
        line(strong(f"{policy.namespace}/{policy.name}"), f"  {flows}"), (("for", line(" ".join(policy.remarks))),)
    )


def flows_of(policy: ProposedPolicy) -> int:
    """Count the flows that speak for a policy, each once a direction."""
    return sum(peer.evidence.flows for rules in policy.rules.values() for rule in rules for peer in rule.peers)


def _notes(each: Repair) -> list[str]:
    return [*each.notes, *(f"no rule restores {words}" for words in beyond_words(each.needs))]


def repair_json(rounds: Sequence[Repair], before: WhatIfResult, checked: WhatIfResult) -> dict[str, object]:
    """Make the JSON of the same."""
    return {
        "restored": before.lost - checked.lost,
        "lost": checked.lost,
        "gained": checked.gained,
        "policies": [
            {
                "namespace": policy.namespace,
                "name": policy.name,
                "flows": flows_of(policy),
                "manifest": policy_text(policy),
            }
            for each in rounds
            for policy in each.policies
        ],
        "notes": list(dict.fromkeys(note for each in rounds for note in _notes(each))),
        "not_restored": [group_json(group) for group in checked.groups.of(Change.LOST)],
    }
