"""``flowverdict profiles``: what each network plugin enforces."""

from __future__ import annotations

import click

from .options import format_option


@click.command("profiles")
@format_option("text", "json")
def command(format_: str) -> None:
    """Show what each network plugin enforces, where it differs from the API, and where that is known from."""
    from ..model.plugins import PLUGINS
    from ..report.profiles import profiles, profiles_json
    from .console import emit_json, emit_report

    if format_ == "json":
        emit_json(profiles_json(PLUGINS))
    else:
        emit_report(profiles(PLUGINS))
