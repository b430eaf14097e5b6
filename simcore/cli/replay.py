"""``flowverdict replay``: judge every flow of a capture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .capture_options import capture_options
from .captures import CaptureInput, report_damage
from .inputs import Gathering, Inputs, Sources, WantedProfile
from .metric_options import MetricArguments, metric_options, report_untimed
from .options import dated_options, format_option, limit_option, profile_options
from .stateful import StatefulArguments, stateful_options

if TYPE_CHECKING:
    from ..model.flows import Capture
    from ..monitoring.counting import Counting


@click.command("replay")
@capture_options("Write the verdict of every flow, in the capture's order, and the rules beside it.")
@dated_options
@profile_options
@stateful_options
@click.option(
    "--metrics",
    metavar="OUT.prom",
    type=click.Path(dir_okay=False),
    help="Write what a network plugin would tell Prometheus of it: OpenMetrics text with times.",
)
@metric_options
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
    metrics: str | None,
    metric: MetricArguments,
    limit: int,
    format_: str,
) -> None:
    """Judge every flow of a capture by the policies, and show what is denied and why.

    CAPTURE is Parquet or of any format that flowverdict formats lists: a file, several, or a folder.
    """
    from ..analyses.replay import replay
    from ..report import replay as report
    from .console import emit_json, emit_report
    from .outputs import check_text, check_writable
    from .progress import progress
    from .running import reading, settings
    from .telling import told, told_as_json

    if metrics:
        check_text(Path(metrics), b"# TYPE ", "metrics")
    if output is not None:
        check_writable(output, sources)
    gathering = Gathering(sources, wanted)
    capture = gathering.attempt(captured.open)
    inputs = gathering.finish()
    assert capture is not None
    options = stateful.options(capture)
    countings: list[Counting] = []
    with progress("replaying") as advance:
        result = replay(
            capture,
            inputs.cluster,
            inputs.candidate,
            inputs.profile,
            **settings(threads, batch_rows, output),
            progress=advance,
            stateful=options,
            observing=metric.observing(capture, countings) if metrics else None,
        )
    if metrics:
        write_metrics(Path(metrics), capture, inputs, metric, countings[0], stateful, reading(threads, batch_rows))
    report_damage(capture)
    if format_ == "json":
        emit_json(told_as_json(report.replay_json(result), inputs, not_there=result.not_there))
    else:
        emit_report(told(report.replay(result, limit), inputs, not_there=result.not_there, flows=result.flows))


def write_metrics(
    path: Path,
    capture: Capture,
    inputs: Inputs,
    metric: MetricArguments,
    counting: Counting,
    stateful: StatefulArguments,
    reading: dict[str, Any],
) -> None:
    """Write the metrics of a replay, whole or not at all, and say what is not in them."""
    from ..analyses.sizing.sizing import Assumptions, SizingOptions, size
    from ..model.conntrack import Cilium
    from ..monitoring.gauges import conntrack_gauges
    from ..monitoring.measuring import with_values
    from ..report.openmetrics import openmetrics

    found = metric.measurement(counting, 0, inputs)
    if not isinstance(stateful.settings, Cilium) and found.samples:
        sizing = size(
            capture,
            inputs.cluster,
            Assumptions(inputs.candidate, stateful.settings, metric.scale),
            profile=inputs.profile,
            options=SizingOptions(preset=stateful.preset, reorder=stateful.reorder),
            **reading,
        )
        found = with_values(found, conntrack_gauges(sizing, found.times))
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(openmetrics(found))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    report_untimed(found)
