"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

SECONDS_BETWEEN_LINES = 5.0
Advance = Callable[[int, int], None]
"""Called with the rows done and the rows there are."""


@contextmanager
def progress(verb: str, noun: str = "flows") -> Iterator[Advance]:
    """Show how far a capture has been read while the block runs; `verb` says what is done: ``replaying``."""
    if sys.stderr.isatty():
        with _bar(verb, noun) as advance:
            yield advance
    else:
        yield _lines(verb, noun)


@contextmanager
def _bar(verb: str, noun: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(verb, total=None, rows="")
        yield lambda done, total: bar.update(task, completed=done, total=total, rows=f"{done:,} of {total:,} {noun}")


@contextmanager
def counting(verb: str, noun: str) -> Iterator[Callable[[int], None]]:
    """Show how much has been read of what has no known end, while the block runs."""
    if not sys.stderr.isatty():
        advance = _lines(verb, noun)
        yield lambda done: advance(done, 0)
        return
    from rich.console import Console

    with Console(stderr=True).status(verb) as status:
        yield lambda done: status.update(f"{verb}: {done:,} {noun}")


def _lines(verb: str, noun: str) -> Advance:
    last = time.monotonic()

    def advance(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= SECONDS_BETWEEN_LINES and (done < total or not total):
            last = now
            click.echo(f"{verb}: {done:,}{f' of {total:,}' if total else ''} {noun}", err=True)

    return advance
