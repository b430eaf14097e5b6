"""``flowverdict whatif``: which connections a policy change would cut."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .capture_options import capture_options
from .captures import CaptureInput, report_damage
from .inputs import Gathering, Sources, WantedProfile
from .options import change_options, format_option, limit_option, profile_options
from .proposing import ManifestPath
from .stateful import StatefulArguments, stateful_options

if TYPE_CHECKING:
    from ..analyses.whatif import WhatIfResult

FAIL_ON = ("lost", "gained", "changed", "unknown")


@click.command("whatif")
@capture_options("Write every changed flow, in the capture's order, and the rules beside it.")
@change_options
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    multiple=True,
    help="Exit with 1 if any flow changes so; changed is any of the others. Repeatable.",
)
@click.option(
    "--repair",
    "repair_path",
    metavar="OUT.yaml",
    type=ManifestPath(dir_okay=False, allow_dash=True),
    help="Write the smallest NetworkPolicies that restore what the change cuts, checked by a second replay; - for "
    "standard output, behind the report.",
)
@profile_options
@stateful_options
@limit_option
@format_option("text", "json")
@click.pass_context
def command(
    ctx: click.Context,
    captured: CaptureInput,
    sources: Sources,
    fail_on: tuple[str, ...],
    repair_path: str | None,
    output: str | None,
    threads: int | None,
    batch_rows: int | None,
    wanted: WantedProfile,
    stateful: StatefulArguments,
    limit: int,
    format_: str,
) -> None:
    """Show which connections of a capture a policy change would cut or open, and which rules decide.

    The change is a whole new set (--candidate), policies to add or replace (--apply), policies to delete
    (--delete), staged policies put in force (--enforce-staged), or several of these: deletions come first, then what
    is applied, then what was staged. CAPTURE is Parquet or of any format that flowverdict formats lists: a file,
    several, or a folder.
    """
    from ..analyses.whatif import whatif
    from ..report import whatif as report
    from .console import emit_json, emit_report
    from .outputs import check_writable
    from .progress import progress
    from .proposing import STDOUT, repaired
    from .running import reading, settings
    from .telling import told, told_as_json

    if not sources.name_a_change:
        raise click.UsageError(
            "name the change: --candidate PATH, --apply PATH, --delete KIND/[NAMESPACE/]NAME or --enforce-staged"
        )
    if output is not None:
        check_writable(output, sources)
    if repair_path is not None and repair_path != STDOUT:
        if output and Path(repair_path).resolve() == Path(output).resolve():
            raise click.UsageError(f"--repair and --output name the same file, {repair_path}. Name another one")
        check_writable(repair_path, sources, captured.paths)
    gathering = Gathering(sources, wanted)
    capture = gathering.attempt(captured.open)
    inputs = gathering.finish()
    assert capture is not None
    options = stateful.options(capture)
    with progress("replaying") as advance:
        result = whatif(
            capture,
            inputs.cluster,
            inputs.baseline,
            inputs.candidate,
            inputs.profile,
            **settings(threads, batch_rows, output),
            progress=advance,
            stateful=options,
        )
    report_damage(capture)
    repair = None
    if repair_path is not None:
        with progress("repairing") as advance:
            reading_ = {**reading(threads, batch_rows), "progress": advance, "stateful": options}
            repair = repaired(capture, inputs, result, repair_path, **reading_)
        repair.write(repair_path)
    on_change, not_there = inputs.profile.on_change, result.not_there
    if format_ == "json":
        found = report.whatif_json(result, on_change) | ({} if repair is None else {"repair": repair.as_json()})
        emit_json(told_as_json(found, inputs, not_there=not_there))
    else:
        shown = report.whatif(result, limit, on_change)
        emit_report(told(shown, inputs, not_there=not_there, flows=result.flows))
        if repair is not None and repair_path is not None:
            repair.show(repair_path)
    ctx.exit(1 if fails(result, fail_on) else 0)


def fails(result: WhatIfResult, fail_on: tuple[str, ...]) -> bool:
    """Whether there are flows that the user does not want to see."""
    counts = {"lost": result.lost, "gained": result.gained, "unknown": result.unknown}
    counts["changed"] = sum(counts.values())
    return any(counts[name] for name in fail_on)
