"""``flowverdict formats``: the captures that can be read."""

from __future__ import annotations

import click

from .options import format_option


@click.command("formats")
@format_option("text", "json")
def command(format_: str) -> None:
    """Show the formats of captures that can be read, and what cannot be judged from each."""
    from loaders.captures import KNOWN

    from ..report.formats import formats, formats_json
    from .console import emit_json, emit_report

    known = [(each.name, each.title, each.row, each.lacks) for each in KNOWN.values()]
    if format_ == "json":
        emit_json(formats_json(known))
    else:
        emit_report(formats(known))
