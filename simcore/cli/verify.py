"""``flowverdict verify``: our verdicts beside those that the dataplane recorded."""

from __future__ import annotations

import click

from .capture_options import reading_options
from .captures import CaptureInput, report_damage
from .inputs import Gathering, Sources, WantedProfile
from .options import dated_options, format_option, limit_option, profile_options
from .stateful import StatefulArguments, stateful_options


@click.command("verify")
@reading_options
@dated_options
@profile_options
@stateful_options
@limit_option
@format_option("text", "json")
@click.pass_context
def command(
    ctx: click.Context,
    captured: CaptureInput,
    sources: Sources,
    threads: int | None,
    batch_rows: int | None,
    wanted: WantedProfile,
    stateful: StatefulArguments,
    limit: int,
    format_: str,
) -> None:
    """Compare our verdicts with those that the capture recorded, and show why they differ: exit code 1 if any does.

    CAPTURE is Parquet or of any format that flowverdict formats lists: a file, several, or a folder. What was recorded
    at both ends is compared, or what is said of a flow as a whole.
    """
    from ..analyses.verify import verify
    from ..report import verify as report
    from .console import emit_json, emit_report
    from .progress import progress
    from .running import reading
    from .telling import told, told_as_json

    gathering = Gathering(sources, wanted)
    capture = gathering.attempt(captured.open)
    inputs = gathering.finish()
    assert capture is not None
    with progress("verifying") as advance:
        result = verify(
            capture,
            inputs.cluster,
            inputs.candidate,
            inputs.profile,
            **reading(threads, batch_rows),
            progress=advance,
            stateful=stateful.options(capture),
        )
    report_damage(capture)
    if format_ == "json":
        emit_json(told_as_json(report.verify_json(result), inputs))
    else:
        emit_report(told(report.verify(result, limit), inputs))
    ctx.exit(0 if result.agrees else 1)
