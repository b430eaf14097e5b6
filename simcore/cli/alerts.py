"""``flowverdict alerts``: which alerts a policy change would make fire."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .capture_options import reading_options
from .captures import CaptureInput, report_damage
from .inputs import Gathering, Inputs, Sources, WantedProfile
from .metric_options import MetricArguments, Step, metric_options
from .options import change_options, format_option, limit_option, profile_options
from .stateful import StatefulArguments, stateful_options

if TYPE_CHECKING:
    from ..model.flows import Capture
    from ..monitoring.counting import Counting

FAIL_ON = ("new", "any")


def _thresholds(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    """Read every ``ALERT=N``."""
    from ..monitoring.rules import ALERTS

    found: dict[str, float] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} is not ALERT=N, such as DNSResolutionFailures=5")
        if name not in ALERTS:
            raise click.BadParameter(f"{name!r} is no alert. Choose one of {', '.join(ALERTS)}")
        try:
            found[name] = float(value)
        except ValueError:
            found[name] = -1.0
        if not 0 <= found[name] < float("inf"):
            raise click.BadParameter(f"{value!r} is no threshold: name a number from 0 on")
    return found


@click.command("alerts")
@reading_options
@change_options
@click.option(
    "--threshold",
    "thresholds",
    metavar="ALERT=N",
    multiple=True,
    callback=_thresholds,
    help="What a built-in alert must exceed: DNSResolutionFailures=5. Repeatable.",
)
@click.option(
    "--interval",
    type=Step(),
    metavar="TIME",
    default="1m",
    show_default=True,
    help="Time between two evaluations of the rules.",
)
@click.option(
    "--rules",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="A file of Prometheus rules to evaluate instead, by Prometheus' own promtool.",
)
@click.option(
    "--rules-out",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Write the built-in rules as a file of Prometheus rules.",
)
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    help="Exit with 1 if an alert fires after the change: any, or one that does not fire before it.",
)
@profile_options
@stateful_options
@metric_options
@limit_option
@format_option("text", "json")
@click.pass_context
def command(
    ctx: click.Context,
    captured: CaptureInput,
    sources: Sources,
    threads: int | None,
    batch_rows: int | None,
    thresholds: dict[str, float],
    interval: int,
    rules: str | None,
    rules_out: str | None,
    fail_on: str | None,
    wanted: WantedProfile,
    stateful: StatefulArguments,
    metric: MetricArguments,
    limit: int,
    format_: str,
) -> None:
    """Tell which alerts would fire on the traffic of a capture, when and for whom, before and after a policy change.

    The built-in alerts are HighNetworkPolicyDropRate, DNSResolutionFailures, NamespaceWithoutDefaultDenyPolicy and
    UnexpectedEgressToInternet. Without a change, they are those of the policies as they are. CAPTURE is Parquet or of
    any format that flowverdict formats lists: a file, several, or a folder.
    """
    from ..monitoring.alerts import AlertsResult, compare, evaluation_times
    from ..monitoring.metrics import FLOWS
    from ..monitoring.promtool import check_rules, compare_by_promtool, find_promtool
    from ..monitoring.rules import rule_file, with_thresholds
    from ..report import alerts as report
    from .console import emit_json, emit_report
    from .outputs import check_text
    from .telling import told, told_as_json

    promtool = None
    if rules:
        if thresholds or rules_out:
            raise click.UsageError("--threshold and --rules-out are of the built-in alerts: leave --rules out")
        promtool = find_promtool()
        check_rules(promtool, Path(rules))
    if interval % metric.metrics_step:
        raise click.UsageError(
            f"--interval must be so many times --metrics-step: {interval} s is no multiple of {metric.metrics_step} s"
        )
    ours = with_thresholds(thresholds)
    if rules_out:
        check_text(Path(rules_out), b"# Over the metrics of flowverdict", "file of our rules")
        Path(rules_out).write_text(rule_file(ours), "utf-8", newline="\n")
    gathering = Gathering(sources, wanted)
    capture = gathering.attempt(captured.open)
    inputs = gathering.finish()
    assert capture is not None
    counting = count(capture, inputs, sources, metric, stateful, threads, batch_rows)
    report_damage(capture)
    measured = [metric.measurement(counting, number, inputs) for number in range(counting.sets)]
    before, after = measured[0], measured[-1]
    times = evaluation_times(after, interval)
    moments = times.tolist()
    result = AlertsResult(
        flows=sum(split.rows for split in capture.splits),
        begin=moments[0] if moments else 0,
        end=moments[-1] if moments else -1,
        step=metric.metrics_step,
        interval=interval,
        rules=() if promtool else ours,
        source=rules or "",
        alerts=tuple(
            compare_by_promtool(promtool, Path(rules), before, after, moments)
            if promtool and rules
            else compare(ours, before, after, times)
        ),
        has_change=sources.name_a_change,
        untimed=after.untimed,
        unknown=round(after.total(FLOWS, "verdict", "VERDICT_UNKNOWN") / metric.scale),
        scale=metric.scale,
        attempts=metric.attempts,
    )
    if format_ == "json":
        emit_json(told_as_json(report.alerts_json(result), inputs))
    else:
        emit_report(told(report.alerts(result, limit), inputs))
    fired = {"new": result.new, "any": result.firing_after}
    ctx.exit(1 if fail_on and fired[fail_on] else 0)


def count(
    capture: Capture,
    inputs: Inputs,
    sources: Sources,
    metric: MetricArguments,
    stateful: StatefulArguments,
    threads: int | None,
    batch_rows: int | None,
) -> Counting:
    """Judge a capture under the policies before and after a change, or as they are, and count for metrics."""
    from ..analyses.replay import replay
    from ..analyses.whatif import whatif
    from .progress import progress
    from .running import reading

    countings: list[Counting] = []
    options = stateful.options(capture)
    observing = metric.observing(capture, countings)
    with progress("replaying") as advance:
        ways: dict[str, Any] = {
            **reading(threads, batch_rows),
            "progress": advance,
            "stateful": options,
            "observing": observing,
        }
        if sources.name_a_change:
            whatif(capture, inputs.cluster, inputs.baseline, inputs.candidate, inputs.profile, **ways)
        else:
            replay(capture, inputs.cluster, inputs.candidate, inputs.profile, **ways)
    return countings[0]
