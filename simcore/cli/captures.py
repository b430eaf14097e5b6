"""Opens the captures that commands read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from .console import report_diagnostics

if TYPE_CHECKING:
    from ..model.flows import Capture


@dataclass(frozen=True, slots=True)
class CaptureInput:
    """A capture that a command is to read.

    Attributes
    ----------
    paths : tuple of str
    mapping : mapping of str to str
        See `loaders.open_capture`.
    format_name : str or None
        Its format; None: told by what it holds.
    strict : bool
        Whether what cannot be read is an error.
    """

    paths: tuple[str, ...]
    mapping: Mapping[str, str]
    format_name: str | None
    strict: bool

    def open(self) -> Capture:
        """Open it, and say what of it is not judged.

        Raises
        ------
        LoadError
            See `loaders.open_capture`.
        """
        from loaders import open_capture
        from loaders.captures import CAPTURES

        capture = open_capture(self.paths, self.mapping, format_name=self.format_name, strict=self.strict)
        report_diagnostics(getattr(capture, "diagnostics", ()))
        if converted := sorted(set(getattr(capture, "formats", ())) - CAPTURES.keys()):
            names = " and ".join(converted)
            click.echo(f"converted {names} on the way; flowverdict convert does that once and for all", err=True)
        if answers := sum(split.rows for split in capture.answers):
            noun = "DNS answer is" if answers == 1 else "DNS answers are"
            click.echo(f"left out: {answers:,} {noun} not judged, as no flow was", err=True)
        return capture


def report_damage(capture: Capture) -> None:
    """Say what of a capture could not be read when it was."""
    damage = getattr(capture, "damage", {})
    report_diagnostics(damage[key] for key in sorted(damage))
