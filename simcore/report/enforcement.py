"""Under which network plugin an answer holds, at the top of every report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..model.plugins import Enforcement
from .structure import Line, Report, line


def headed(report: Report, enforcement: Enforcement) -> Report:
    """Put what must be known of the network plugin before everything else, and how it is known behind."""
    return replace(
        report,
        warnings=(*map(line, warnings_of(enforcement)), *report.warnings),
        notes=(*report.notes, *_notes(enforcement)),
    )


def json_with(value: Mapping[str, object], enforcement: Enforcement) -> dict[str, object]:
    """Add to the JSON of a command which network plugin it holds under."""
    return {**value, "network_plugin": enforcement_json(enforcement)}


def enforcement_json(enforcement: Enforcement) -> dict[str, object]:
    """Say the same as data."""
    return {
        "name": enforcement.plugin.name,
        "chosen_by": "default" if enforcement.is_default else "guess" if enforcement.evidence else "option",
        "evidence": enforcement.evidence or None,
        "enforces": enforcement.is_enforced,
        "ignored_policies": dict(enforcement.ignored),
    }


def warnings_of(enforcement: Enforcement) -> list[str]:
    """Say what has no effect under the plugin."""
    plugin = enforcement.plugin
    if not enforcement.is_enforced:
        cause = "--set enforced=false" if plugin.profile.enforced else f"{plugin.title} enforces no policy at all"
        return [f"{cause}: every flow is let through, whatever policies say"]
    if not enforcement.ignored:
        return []
    kinds = ", ".join(f"{number:,} {kind}" for kind, number in enforcement.ignored.items())
    return [f"{plugin.title} does not enforce these policies, so they are left out: {kinds}"]


def _notes(enforcement: Enforcement) -> list[Line]:
    if enforcement.is_default:
        return []
    name = f"network plugin: {enforcement.plugin.name}"
    if not enforcement.evidence:
        return [line(name)]
    return [line(f"{name}, guessed from {enforcement.evidence}; --cni names another")]
