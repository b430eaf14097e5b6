"""Loads policies that were proposed, as anybody would who applies them: what is checked is what is written."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..model.policy import Policy, PolicyRef
from ..model.timeline import PolicyHistory

if TYPE_CHECKING:
    from ..advice.repair.restoring import Repair
    from ..analyses.whatif import WhatIfResult
    from ..model.flows import Capture
    from .inputs import Inputs

STDOUT = "-"
MOST_ROUNDS = 3
"""How often a repair is repaired: policies that isolate pods which were open may cut what was not cut before."""


def policies_of(text: str, inputs: Inputs, path: str) -> tuple[Policy, ...]:
    """Load manifests that a command made, as if they were in the file that they are for."""
    from loaders import load_policy_set

    if not text:
        return ()
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder, "proposed.yaml")
        written.write_text(text, "utf-8")
        found = load_policy_set([str(written)], profile=inputs.profile, diagnostics=[])
    name = "<stdout>" if path == STDOUT else path
    return tuple(_moved(policy, name) for policy in found.policies(inputs.cluster, [], profile=inputs.profile))


def _moved(policy: Policy, file: str) -> Policy:
    rules = tuple(replace(rule, place=replace(rule.place, file=file)) for rule in policy.rules)
    return replace(policy, place=replace(policy.place, file=file), rules=rules)


def with_policies(history: PolicyHistory, added: Sequence[Policy]) -> PolicyHistory:
    """Return the policies of all times, with further ones in place of those of their names."""
    from loaders.edits import apply

    return history.changed(lambda policies: apply(policies, added))


def as_given(history: PolicyHistory) -> tuple[Policy, ...] | PolicyHistory:
    """Return policies without their times where they have none."""
    return history[-1][1] if len(history) == 1 else history


def write_manifests(path: str, text: str) -> None:
    """Write manifests to a file."""
    Path(path).write_text(text, "utf-8", newline="\n")


class ManifestPath(click.Path):
    """A file to write YAML to; - is standard output."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Refuse names that are not of YAML: what is meant may be a capture."""
        path = str(super().convert(value, param, ctx))
        if path != STDOUT and not path.endswith((".yaml", ".yml")):
            self.fail(f"{path!r} does not end in .yaml or .yml. Name the file to write, or - for standard output")
        return path


@dataclass(frozen=True)
class Repaired:
    """A repair, and what it was found to do.

    Attributes
    ----------
    rounds : tuple of Repair
        What was proposed, and then what was proposed for what that had cut.
    text : str
        All of it as manifests.
    before, checked : WhatIfResult
        The change without and with the repair.
    """

    rounds: tuple[Repair, ...]
    text: str
    before: WhatIfResult
    checked: WhatIfResult

    def write(self, path: str) -> None:
        """Write the manifests to a file, if it is one."""
        if self.text and path != STDOUT:
            write_manifests(path, self.text)

    def show(self, path: str) -> None:
        """Write the report to standard output, and the manifests behind it where they go nowhere else."""
        from ..report.repair import repair
        from .console import emit, emit_report

        emit("\n")
        emit_report(repair(self.rounds, self.before, self.checked, None if path == STDOUT else path))
        if path == STDOUT and self.text:
            emit(f"\n{self.text}")

    def as_json(self) -> dict[str, object]:
        """Return the same as data."""
        from ..report.repair import repair_json

        return repair_json(self.rounds, self.before, self.checked)


def repaired(capture: Capture, inputs: Inputs, before: WhatIfResult, path: str, **reading: Any) -> Repaired:
    """Repair a change that loses flows, and replay the capture through it."""
    from ..advice.repair.restoring import repair
    from ..advice.rules.blocks import External
    from ..analyses.sightings import sightings
    from ..analyses.whatif import whatif
    from ..report.proposals import manifests_text

    rounds: list[Repair] = []
    after, text, checked = inputs.after_history, "", before
    while checked.lost and len(rounds) < MOST_ROUNDS:
        seen = sightings(capture, inputs.cluster, inputs.baseline, as_given(after), inputs.profile, **reading)
        found = repair(seen, inputs.cluster, after[-1][1], inputs.profile, External())
        if not found.policies and rounds:
            break
        rounds.append(found)
        if not found.policies:
            break
        text = manifests_text(policy for each in rounds for policy in each.policies)
        after = with_policies(inputs.after_history, policies_of(text, inputs, path))
        checked = whatif(capture, inputs.cluster, inputs.baseline, as_given(after), inputs.profile, **reading)
    return Repaired(tuple(rounds), text, before, checked)


def network_policies(policies: Sequence[Policy], namespaces: Sequence[str]) -> dict[PolicyRef, Policy]:
    """Return the NetworkPolicies of some namespaces by their names."""
    wanted = set(namespaces)
    return {
        policy.ref: policy
        for policy in policies
        if policy.ref.kind == "NetworkPolicy" and policy.ref.namespace in wanted
    }
