"""``flowverdict size``: what the conntrack tables of every node need."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import LoadError, Place
from .capture_options import capture_options
from .captures import CaptureInput, report_damage
from .inputs import Gathering, Sources, WantedProfile
from .options import change_options, format_option, limit_option, profile_options
from .sizing_options import SizingArguments, sizing_options


@click.command("size")
@capture_options("Write the entries of every node over time.")
@change_options
@sizing_options
@profile_options
@click.option(
    "--plot",
    metavar="OUT.svg",
    type=click.Path(dir_okay=False),
    help="Draw the entries of the fullest nodes over time.",
)
@limit_option
@format_option("text", "json")
def command(
    captured: CaptureInput,
    sources: Sources,
    output: str | None,
    threads: int | None,
    batch_rows: int | None,
    asked: SizingArguments,
    wanted: WantedProfile,
    plot: str | None,
    limit: int,
    format_: str,
) -> None:
    """Size the conntrack tables of every node for the traffic of a capture.

    Tells how many entries each node holds, how many it may hold with those that have expired and are not collected
    yet, whose they are, and what to set. A change of policies (--candidate, --apply, --delete), of timeouts (--set)
    or of traffic (--scale) is compared with how things are. CAPTURE is Parquet or of any
    format that flowverdict formats lists: a file, several, or a folder.
    """
    from ..analyses.sizing.sizing import Assumptions, size
    from ..report.plot import occupancy_plot
    from ..report.sizing import sizing
    from ..report.sizing_json import sizing_json
    from .console import emit_json, emit_report
    from .outputs import check_writable
    from .progress import progress
    from .running import settings
    from .telling import told, told_as_json

    before, after = asked.settings()
    if plot:
        check_plot(Path(plot))
        if output and Path(plot).resolve() == Path(output).resolve():
            raise click.UsageError(f"--plot and --output name the same file, {plot}. Name another one")
    if output is not None:
        check_writable(output, sources)
    gathering = Gathering(sources, wanted)
    capture = gathering.attempt(captured.open)
    inputs = gathering.finish()
    assert capture is not None
    changes = asked.changes(sources)
    with progress("sizing") as advance:
        result = size(
            capture,
            inputs.cluster,
            Assumptions(inputs.baseline, before),
            Assumptions(inputs.candidate, after, asked.scale) if changes else None,
            inputs.profile,
            asked.options(),
            changes=changes,
            **settings(threads, batch_rows, output),
            progress=advance,
        )
    if plot:
        Path(plot).write_text(occupancy_plot(result), "utf-8", newline="\n")
    report_damage(capture)
    if format_ == "json":
        emit_json(told_as_json(sizing_json(result), inputs))
    else:
        emit_report(told(sizing(result, limit), inputs))


def check_plot(path: Path) -> None:
    """Make sure, before anything is read, that a plot can be written and replaces nothing but a plot.

    Raises
    ------
    LoadError
        There is no such folder, or something else is there.
    """
    place = Place(str(path))
    if not path.absolute().parent.is_dir():
        raise LoadError.at(place, f"the folder {path.parent} does not exist. Make it first")
    if path.exists():
        with path.open("rb") as file:
            if file.read(4) not in (b"", b"<svg", b"<?xm"):
                raise LoadError.at(place, f"{path} exists and is no SVG. Name another file to write")
