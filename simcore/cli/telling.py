"""Puts beside the results of an analysis what must be known of its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..report.enforcement import headed, json_with
from ..report.moments import dated, json_dated

if TYPE_CHECKING:
    from ..report.structure import Report
    from .inputs import Inputs


def told(report: Report, inputs: Inputs, *, not_there: int = 0, flows: int = 0) -> Report:
    """Add to a report under which network plugin it holds, what was loaded of which time, and what is of others."""
    return dated(headed(report, inputs.enforcement), inputs.moments, not_there, flows)


def told_as_json(value: Mapping[str, object], inputs: Inputs, *, not_there: int = 0) -> dict[str, object]:
    """Add the same to the JSON of a command."""
    return json_dated(json_with(value, inputs.enforcement), inputs.moments, not_there)
