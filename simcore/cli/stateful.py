"""Options for following connections: whether, and how."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from ..model.conntrack import PRESETS, SECOND, Cilium, Conntrack
from .settings import asked_settings

if TYPE_CHECKING:
    from ..analyses.sessions.stateful import StatefulOptions
    from ..model.flows import Capture

ORIENTATIONS = ("auto", "flags", "ports", "first-seen")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 100 * 365 * 86400
"""Seconds; what is longer than any capture may be as long as this."""


class Duration(click.ParamType[int]):
    """A time such as 60s, 5m or 1h; ns."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return it in ns."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", value)
        if match is None:
            self.fail(f"{value!r} is no duration, such as 60s, 5m or 1h", param, ctx)
        return min(int(match[1]) * _UNITS[match[2]], _LONGEST) * SECOND


@dataclass(frozen=True, slots=True)
class StatefulArguments:
    """What was asked for.

    Attributes
    ----------
    wanted : bool or None
        None leaves it to the capture.
    preset : str
        Whose timeouts `settings` are, before any was changed.
    """

    wanted: bool | None
    settings: Conntrack | Cilium
    orientation: str
    reorder: int
    preset: str

    def options(self, capture: Capture) -> StatefulOptions | None:
        """Return how to follow the connections of a capture; None where each flow is judged by itself.

        By default they are followed where records are of one direction each and have times and both ports.
        """
        from ..analyses.sessions.orientation import Orientation, habits_of, has_times
        from ..analyses.sessions.stateful import StatefulOptions

        wanted = self.wanted
        if wanted is None:
            wanted = "source_port" in capture.columns and has_times(capture) and habits_of(capture).one_way
        return StatefulOptions(self.settings, Orientation(self.orientation), self.reorder) if wanted else None


FOLLOWING_OPTIONS = (
    click.option(
        "--orientation",
        type=click.Choice(ORIENTATIONS),
        default="auto",
        show_default=True,
        help="What tells which end opened a connection.",
    ),
    click.option(
        "--reorder",
        type=Duration(),
        metavar="TIME",
        default="60s",
        show_default=True,
        help="How late a row may come and still count at its own time.",
    ),
)
"""Options of whatever follows connections."""


def stateful_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--stateful``, ``--orientation``, ``--reorder`` and ``--preset``, handed on as one argument, `stateful`."""

    @wraps(function)
    def command(stateful: bool | None, orientation: str, reorder: int, preset: str, **arguments: Any) -> Any:
        _, settings = asked_settings(preset)
        return function(stateful=StatefulArguments(stateful, settings, orientation, reorder, preset), **arguments)

    for option in reversed(
        (
            click.option(
                "--stateful/--no-stateful",
                default=None,
                help="Judge connections rather than rows; the default where answers are rows of their own.",
            ),
            *FOLLOWING_OPTIONS,
            click.option(
                "--preset",
                type=click.Choice(list(PRESETS)),
                default="linux",
                show_default=True,
                help="Whose timeouts hold, with --stateful; --set nf_conntrack_...=SECONDS changes one.",
            ),
        )
    ):
        command = option(command)
    return command
