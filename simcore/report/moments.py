"""What was loaded of which time, at the end of a report; and what that leaves in doubt, at its top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .structure import Line, Report, line
from .words import count, share

_MOST = 5
"""Lines that are shown."""


def dated(report: Report, moments: Sequence[str], not_there: int, flows: int) -> Report:
    """Say in a report what was loaded of which time, and how many flows are of others.

    Parameters
    ----------
    report : Report
    moments : sequence of str
        A line each; none where nothing tells a time.
    not_there : int
        Flows of times at which nobody is known to have stood at one of their ends.
    flows : int
        All of them.
    """
    notes = [line(f"loaded: {moment}") for moment in moments]
    if len(notes) > _MOST:
        notes[_MOST - 1 : -1] = [line(f"... and {len(notes) - _MOST:,} more")]
    warnings = [not_there_warning(not_there, flows)] if not_there else []
    return replace(report, warnings=(*warnings, *report.warnings), notes=(*report.notes, *notes))


def not_there_warning(not_there: int, flows: int) -> Line:
    """Warn of flows that are unknown for their time."""
    return line(
        f"{count(not_there, 'flow')} of {flows:,} ({share(not_there, flows)}) came when nobody known had one of their "
        "addresses, or several had, or the pod that they name was not there: their verdict is unknown. A snapshot from "
        "nearer to them would tell; --timeline off takes the cluster to have been always as it is in the file."
    )


def json_dated(value: Mapping[str, object], moments: Sequence[str], not_there: int) -> dict[str, object]:
    """Add the same to the JSON of a command, where there is anything to say."""
    told: dict[str, object] = {**value}
    if not_there:
        told["not_there_then"] = not_there
    if moments:
        told["loaded"] = list(moments)
    return told
