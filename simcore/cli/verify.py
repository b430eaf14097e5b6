"""``flowverdict verify``: our verdicts beside those that the dataplane recorded."""

from __future__ import annotations

import click

from .captures import open_flows
from .inputs import Gathering, Sources, WantedProfile
from .options import format_option, limit_option, profile_options, reading_options, source_options
from .stateful import StatefulArguments, stateful_options


@click.command("verify")
@reading_options
@source_options
@profile_options
@stateful_options
@limit_option
@format_option("text", "json")
@click.pass_context
def command(
    ctx: click.Context,
    capture_paths: tuple[str, ...],
    sources: Sources,
    mapping: dict[str, str],
    threads: int | None,
    batch_rows: int | None,
    wanted: WantedProfile,
    stateful: StatefulArguments,
    limit: int,
    format_: str,
) -> None:
    """Compare our verdicts with those that the capture recorded, and show why they differ: exit code 1 if any does.

    CAPTURE is Parquet, or an export of Hubble: a file, several, or a folder. What Hubble recorded at both ends is
    compared, or what VPC flow logs and Calico say of a flow as a whole.
    """
    from ..analyses.verify import verify
    from ..report import verify as report
    from ..report.enforcement import headed, json_with
    from .console import emit_json, emit_report
    from .progress import progress
    from .running import reading

    gathering = Gathering(sources, wanted)
    capture = gathering.attempt(lambda: open_flows(capture_paths, mapping))
    inputs = gathering.finish()
    assert capture is not None
    with progress("verifying") as advance:
        result = verify(
            capture,
            inputs.cluster,
            inputs.after,
            inputs.profile,
            **reading(threads, batch_rows),
            progress=advance,
            stateful=stateful.options(capture),
        )
    if format_ == "json":
        emit_json(json_with(report.verify_json(result), inputs.enforcement))
    else:
        emit_report(headed(report.verify(result, limit), inputs.enforcement))
    ctx.exit(0 if result.agrees else 1)
