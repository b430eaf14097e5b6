"""Options for sizing: whose tables, how much traffic, how careful."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from ..model.conntrack import PRESETS, Cilium, Conntrack, rounded_buckets
from .inputs import Sources
from .options import Decorator, Number
from .settings import asked_settings, buckets_type, maximum_type
from .stateful import FOLLOWING_OPTIONS

if TYPE_CHECKING:
    from ..analyses.sizing.sizing import SizingOptions

_LIMITS = ("nf_conntrack_max", "nf_conntrack_buckets")


@dataclass(frozen=True, slots=True)
class SizingArguments:
    """What the options say, as they say it."""

    preset: str
    maximum: int | None
    buckets: int | None
    scale: float
    headroom: float
    percentile: float
    vxlan: bool
    orientation: str
    reorder: int
    gc_first_pass: float

    def settings(self) -> tuple[Conntrack | Cilium, Conntrack | Cilium]:
        """Return the preset's settings, and those that ``--set`` makes of them.

        Raises
        ------
        click.BadParameter
            There is no such setting, or it does not take such a value.
        """
        return asked_settings(self.preset)

    def options(self) -> SizingOptions:
        """Return how to size; limits that ``--set`` names are those of every node."""
        from ..analyses.sessions.orientation import Orientation
        from ..analyses.sizing.sizing import SizingOptions

        before, after = self.settings()
        own = [getattr(after, name, None) for name in _LIMITS]
        maximum, buckets = (
            given if given is not None else None if set_ == getattr(before, name, None) else set_
            for given, name, set_ in zip((self.maximum, self.buckets), _LIMITS, own, strict=True)
        )
        return SizingOptions(
            preset=self.preset,
            maximum=maximum,
            buckets=None if buckets is None else rounded_buckets(buckets),
            headroom=self.headroom,
            percent=self.percentile,
            tunnels=self.vxlan,
            orientation=Orientation(self.orientation),
            reorder=self.reorder,
            first_pass=self.gc_first_pass,
        )

    def changes(self, sources: Sources) -> list[str]:
        """Say in words what is to be compared with how things are."""
        before, after = self.settings()
        words = [f"apply {path}" for path in sources.applied] + [f"delete {name}" for name in sources.deleted]
        words += ["staged policies in force"] if sources.enforce_staged else []
        words += [f"candidate {path}" for path in sources.candidate]
        for field in fields(before):
            old, new = getattr(before, field.name), getattr(after, field.name)
            if old != new and field.name not in _LIMITS:
                words.append(f"{field.name} {new} instead of {old}")
        if self.scale != 1:
            words.append(f"{self.scale:g} times the traffic")
        return words


_OPTIONS: tuple[Decorator[Any], ...] = (
    click.option(
        "--preset",
        type=click.Choice(list(PRESETS)),
        default="linux",
        show_default=True,
        help="Timeouts, and how nodes come to their limits: a kernel's by memory, kube-proxy's by CPUs, Cilium's own. "
        "--set nf_conntrack_...=SECONDS changes a timeout, which is compared with the preset's.",
    ),
    click.option("--max", "maximum", type=maximum_type, metavar="N", help="Maximum of every node; 0: no limit."),
    click.option("--buckets", type=buckets_type, metavar="N", help="Hash buckets of every node."),
    click.option(
        "--scale",
        type=Number(0, 1e6, min_open=True),
        default=1.0,
        show_default=True,
        metavar="X",
        help="So many times the traffic, compared with the capture's own.",
    ),
    click.option(
        "--headroom",
        type=Number(0, 100),
        default=0.25,
        show_default=True,
        metavar="X",
        help="Share to add to what is recommended.",
    ),
    click.option(
        "--percentile",
        type=Number(0, 100),
        default=99.9,
        show_default=True,
        metavar="P",
        help="Percentile of live entries over time to tell beside the peak.",
    ),
    click.option("--vxlan", is_flag=True, help="Pods of different nodes talk through VXLAN that is tracked too."),
    *FOLLOWING_OPTIONS,
    click.option(
        "--gc-first-pass",
        type=Number(0, 1e6),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="When the collector passes first, for the allocated curve; the bound beside it holds whenever it does.",
    ),
)


def sizing_options(function: Any) -> Any:
    """Hand what the options say to a command as one argument, `asked`."""

    @wraps(function)
    def command(**arguments: Any) -> Any:
        asked = SizingArguments(**{field.name: arguments.pop(field.name) for field in fields(SizingArguments)})
        return function(asked=asked, **arguments)

    for option in reversed(_OPTIONS):
        command = option(command)
    return command
