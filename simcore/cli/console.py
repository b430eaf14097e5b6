"""What goes to standard error, and the one way out to standard output."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import click

from ..errors import Diagnostic, LoadError, Severity

if TYPE_CHECKING:
    from ..model.policy import Policy
    from ..report.structure import Report

MOST_WARNINGS = 3
"""Warnings of one wording that are written in full; the rest is counted."""
MOST_NAMED = 5


def report_error(error: Exception) -> None:
    """Write an error: every diagnostic of a LoadError on a line of its own."""
    if isinstance(error, LoadError) and error.diagnostics:
        report_diagnostics(error.diagnostics)
        return
    if isinstance(error, OSError) and error.filename is not None:
        click.echo(f"error: {error.filename}: {error.strerror}", err=True)
        return
    click.echo(f"error: {error}", err=True)


def report_diagnostics(diagnostics: Iterable[Diagnostic]) -> None:
    """Write errors in full, and warnings, those that repeat summarised."""
    seen: dict[str, list[Diagnostic]] = {}
    for diagnostic in diagnostics:
        if diagnostic.severity is Severity.ERROR:
            click.echo(f"error: {diagnostic}", err=True)
        else:
            seen.setdefault(diagnostic.message, []).append(diagnostic)
    for message, repeats in seen.items():
        for diagnostic in repeats[:MOST_WARNINGS]:
            click.echo(f"warning: {diagnostic}", err=True)
        if len(repeats) > MOST_WARNINGS:
            click.echo(f"warning: ... and in {len(repeats) - MOST_WARNINGS:,} more places: {message}", err=True)


def report_ignored(ignored: Mapping[str, int]) -> None:
    """Name in one line the kinds of objects that play no part."""
    if ignored:
        kinds = ", ".join(f"{kind} ({number:,})" for kind, number in sorted(ignored.items()))
        click.echo(f"ignored, since no verdict depends on them: {kinds}", err=True)


def report_staged(policies: Iterable[Policy]) -> None:
    """Say in one line how many policies are only staged."""
    staged = [str(policy.ref) for policy in policies if policy.stages is not None]
    if staged:
        shown = ", ".join(staged[:MOST_NAMED]) + (", ..." if len(staged) > MOST_NAMED else "")
        noun = "policy is" if len(staged) == 1 else "policies are"
        click.echo(f"left out: {len(staged):,} {noun} staged, and not in force: {shown}", err=True)


class ReaderGoneError(Exception):
    """Whatever read standard output went away, as ``head`` does: there is nobody left to tell."""


def emit(text: str) -> None:
    """Write data to standard output.

    Raises
    ------
    ReaderGoneError
        Nobody reads it any more.
    OSError
        It cannot be written.
    """
    _write(lambda: sys.stdout.write(text))


def emit_report(report: Report) -> None:
    """Write a report to standard output as text; raises as `emit` does."""
    from ..report.render import write_report

    _write(lambda: write_report(report))


def emit_json(value: object) -> None:
    """Write results to standard output as JSON; raises as `emit` does."""
    from ..report.render import json_text

    emit(json_text(value))


def _write(write: Callable[[], object]) -> None:
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        write()
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGoneError from None
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from None


def drain() -> None:
    """Let go of what standard output did not take, or Python complains of it on its way out, with a code of its own."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
