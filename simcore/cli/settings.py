"""Options for the settings of a kernel's connection tracking: a preset, and what differs from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import click

from ..model.conntrack import (
    LARGEST_SETTING,
    MOST_BUCKETS,
    PRESETS,
    Cilium,
    Conntrack,
    UnknownSettingError,
    rounded_buckets,
)
from ..model.profile import Profile
from .options import CONNTRACK_SETTINGS

maximum_type = click.IntRange(0, LARGEST_SETTING)
buckets_type = click.IntRange(1, MOST_BUCKETS)

KERNELS: dict[str, Conntrack] = {name: preset for name, preset in PRESETS.items() if isinstance(preset, Conntrack)}


def settings_help() -> str:
    """List every setting with its default."""
    choices = ", ".join(
        f"{name.removeprefix('nf_conntrack_')}={words[0]}" for name, words in Conntrack.choices().items()
    )
    return (
        f"A setting by the kernel's name, nf_conntrack_ may be left out; the defaults of linux: {choices}. Repeatable."
    )


def with_settings(settings: Conntrack | Cilium, pairs: Sequence[str], beside: Sequence[str] = ()) -> Conntrack | Cilium:
    """Apply every ``NAME=VALUE``; buckets are rounded up as a kernel does (CT-7.4).

    Parameters
    ----------
    settings : Conntrack or Cilium
    pairs : sequence of str
    beside : sequence of str
        Names of other settings that the same option takes, to be told where a name is unknown.

    Raises
    ------
    click.BadParameter
        There is no such setting, or it does not take such a value.
    """
    for pair in pairs:
        name, equals, word = pair.partition("=")
        if not equals:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE, such as udp_timeout=60", param_hint="'--set'")
        try:
            settings = settings.with_setting(name.strip(), word.strip())
        except UnknownSettingError as error:
            others = f"; of policies: {', '.join(beside)}" if beside else ""
            raise click.BadParameter(f"{error}{others}", param_hint="'--set'") from None
        except ValueError as error:
            raise click.BadParameter(str(error), param_hint="'--set'") from None
    if isinstance(settings, Cilium):
        return settings
    return replace(settings, nf_conntrack_buckets=rounded_buckets(settings.nf_conntrack_buckets))


def asked_settings(preset: str) -> tuple[Conntrack | Cilium, Conntrack | Cilium]:
    """Return the settings of a preset, and those that `set_option` of the same command makes of them.

    Raises
    ------
    click.BadParameter
        There is no such setting, or it does not take such a value.
    """
    before = PRESETS[preset]
    pairs = click.get_current_context().meta.get(CONNTRACK_SETTINGS, ())
    return before, with_settings(before, pairs, (*Profile.choices(), *Profile.agent_choices()))


def kernel_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--preset``, ``--set``, ``--max`` and ``--buckets``, handed on as one argument, `settings`."""

    @wraps(function)
    def command(preset: str, pairs: tuple[str, ...], maximum: int | None, buckets: int | None, **arguments: Any) -> Any:
        if maximum is not None:
            pairs += (f"nf_conntrack_max={maximum}",)
        if buckets is not None:
            pairs += (f"nf_conntrack_buckets={buckets}",)
        return function(settings=with_settings(KERNELS[preset], pairs), **arguments)

    for option in reversed(
        (
            click.option(
                "--preset",
                type=click.Choice(list(KERNELS)),
                default="linux",
                show_default=True,
                help="The kernel's defaults, or those of a node with kube-proxy and 4 CPUs.",
            ),
            click.option("--set", "pairs", metavar="NAME=VALUE", multiple=True, help=settings_help()),
            click.option("--max", "maximum", type=maximum_type, metavar="N", help="nf_conntrack_max; 0 is no limit."),
            click.option(
                "--buckets",
                type=buckets_type,
                metavar="N",
                help="nf_conntrack_buckets, rounded up to a multiple of 512 as a kernel does.",
            ),
        )
    ):
        command = option(command)
    return command
