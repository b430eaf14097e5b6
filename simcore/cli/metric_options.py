"""Options of whatever makes metrics of a capture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from ..model.conntrack import SECOND
from .options import Decorator, Number
from .stateful import Duration

if TYPE_CHECKING:
    from ..analyses.replay import Observing
    from ..analyses.sessions.oriented import OrientedCapture
    from ..model.flows import Capture
    from ..monitoring.attempts import Attempts
    from ..monitoring.counting import Counting
    from ..monitoring.metrics import Measurement
    from ..tables.layout import Tables
    from .inputs import Inputs


@dataclass(frozen=True, slots=True)
class MetricArguments:
    """What the options say.

    Attributes
    ----------
    metrics_step : int
        Seconds between samples.
    scale : float
        Records that stand for one of the capture.
    dns_attempts, syn_attempts : int
        How often a client asks, or knocks, where nobody answers.
    """

    metrics_step: int
    scale: float
    dns_attempts: int
    syn_attempts: int

    @property
    def attempts(self) -> Attempts:
        """How often clients try."""
        from ..monitoring.attempts import Attempts

        return Attempts(self.dns_attempts, self.syn_attempts)

    def observing(self, capture: Capture, made: list[Counting]) -> Observing:
        """Return what makes the counter of a sweep, which is then put into `made`.

        Raises
        ------
        LoadError
            The capture tells no times.
        """
        from ..monitoring.counting import Counting
        from ..monitoring.measuring import check_times

        check_times(capture)

        def observe(tables: Tables, oriented: OrientedCapture | None) -> Counting:
            made.append(Counting(tables, oriented, self.metrics_step, self.attempts))
            return made[-1]

        return observe

    def measurement(self, counting: Counting, number: int, inputs: Inputs) -> Measurement:
        """Make the metrics of a policy set, the first being that before the change where there are two."""
        from ..monitoring.gauges import policy_gauges, without_default_deny
        from ..monitoring.measuring import measure, with_values

        found = measure(counting, number, self.metrics_step, self.scale)
        sides = (inputs.baseline, inputs.candidate)[-counting.sets :]
        open_ways = without_default_deny(inputs.cluster, sides[number], inputs.profile, found.end * SECOND)
        return with_values(found, policy_gauges(open_ways, inputs.enforcement.ignored, found.samples))


class Step(Duration):
    """A time of whole seconds, one at least; s."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return it in seconds."""
        if isinstance(value, int):
            return value
        seconds = super().convert(value, param, ctx) // SECOND
        if not seconds:
            self.fail("it must be 1s or more", param, ctx)
        return seconds


_OPTIONS: tuple[Decorator[Any], ...] = (
    click.option(
        "--metrics-step",
        type=Step(),
        metavar="TIME",
        default="15s",
        show_default=True,
        help="Time between two samples of a metric, as between two scrapes.",
    ),
    click.option(
        "--scale",
        type=Number(0, 1e9, min_open=True),
        default=1.0,
        show_default=True,
        metavar="X",
        help="Records that each of the capture stands for in metrics, where it was sampled.",
    ),
    click.option(
        "--dns-attempts",
        type=click.IntRange(1, 5),
        default=2,
        show_default=True,
        metavar="N",
        help="Times that a client asks a DNS server that does not answer (resolv.conf: attempts), every 5 s.",
    ),
    click.option(
        "--syn-attempts",
        type=click.IntRange(1, 16),
        default=7,
        show_default=True,
        metavar="N",
        help="Times that a client opens a TCP connection that nobody answers (1 and tcp_syn_retries), after 1 s, 2 s, "
        "4 s and so on.",
    ),
)


def metric_options(function: Any) -> Any:
    """Hand what the options say to a command as one argument, `metric`."""

    @wraps(function)
    def command(**arguments: Any) -> Any:
        given: Mapping[str, Any] = {field.name: arguments.pop(field.name) for field in fields(MetricArguments)}
        return function(metric=MetricArguments(**given), **arguments)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def report_untimed(measurement: Measurement) -> None:
    """Say on standard error how many records are in no metric."""
    if measurement.untimed:
        records = f"{measurement.untimed:,} record{'s' if measurement.untimed != 1 else ''}"
        click.echo(f"left out of all metrics: {records} without time, or from before 1970", err=True)
