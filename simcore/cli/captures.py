"""Opens the captures that commands read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from .console import report_diagnostics

if TYPE_CHECKING:
    from ..model.flows import Capture


def open_flows(paths: Sequence[str], mapping: Mapping[str, str]) -> Capture:
    """Open a capture of flows, and say what of it is not judged.

    Raises
    ------
    LoadError
        See `loaders.open_capture`.
    """
    from loaders import open_capture

    capture = open_capture(paths, mapping)
    report_diagnostics(getattr(capture, "diagnostics", ()))
    if "hubble" in getattr(capture, "formats", ()):
        click.echo("read Hubble's events; flowverdict convert turns them into a capture once and for all", err=True)
    if answers := sum(split.rows for split in capture.answers):
        noun = "DNS answer is" if answers == 1 else "DNS answers are"
        click.echo(f"left out: {answers:,} {noun} not judged, as no flow was", err=True)
    return capture
