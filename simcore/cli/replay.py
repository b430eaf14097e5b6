"""``flowverdict replay``: judge every flow of a capture."""

from __future__ import annotations

import click

from .capture_options import capture_options
from .captures import CaptureInput, report_damage
from .inputs import Gathering, Sources, WantedProfile
from .options import dated_options, format_option, limit_option, profile_options
from .stateful import StatefulArguments, stateful_options


@click.command("replay")
@capture_options("Write the verdict of every flow, in the capture's order, and the rules beside it.")
@dated_options
@profile_options
@stateful_options
@limit_option
@format_option("text", "json")
def command(
    captured: CaptureInput,
    sources: Sources,
    output: str | None,
    threads: int | None,
    batch_rows: int | None,
    wanted: WantedProfile,
    stateful: StatefulArguments,
    limit: int,
    format_: str,
) -> None:
    """Judge every flow of a capture by the policies, and show what is denied and why.

    CAPTURE is Parquet or of any format that flowverdict formats lists: a file, several, or a folder.
    """
    from ..analyses.replay import replay
    from ..report import replay as report
    from .console import emit_json, emit_report
    from .progress import progress
    from .running import settings
    from .telling import told, told_as_json

    gathering = Gathering(sources, wanted)
    capture = gathering.attempt(captured.open)
    inputs = gathering.finish()
    assert capture is not None
    options = stateful.options(capture)
    with progress("replaying") as advance:
        result = replay(
            capture,
            inputs.cluster,
            inputs.candidate,
            inputs.profile,
            **settings(threads, batch_rows, output),
            progress=advance,
            stateful=options,
        )
    report_damage(capture)
    if format_ == "json":
        emit_json(told_as_json(report.replay_json(result), inputs, not_there=result.not_there))
    else:
        emit_report(told(report.replay(result, limit), inputs, not_there=result.not_there, flows=result.flows))
