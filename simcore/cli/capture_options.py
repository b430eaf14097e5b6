"""Options that say where a capture is, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

import click

from .captures import CaptureInput
from .options import Decorator, F


def mapping_option(example: str) -> Decorator[Any]:
    """``--map NAME=COLUMN``, repeatable."""
    return click.option(
        "--map",
        "mapping",
        metavar="NAME=COLUMN",
        multiple=True,
        callback=_mapping,
        help=f"Where a column has another name: {example}. Repeatable.",
    )


_STRICT = click.option("--strict", is_flag=True, help="Stop at whatever of the capture cannot be read.")


def _capture_format_option(*names: str) -> Decorator[Any]:
    return click.option(
        *names,
        "capture_format",
        metavar="NAME",
        callback=lambda _ctx, _param, name: _capture_format(name),
        help="Format of the capture, where its content does not tell; flowverdict formats lists them.",
    )


def _capture_format(name: str | None) -> str | None:
    if name is None:
        return None
    from loaders.captures import KNOWN

    if name not in KNOWN:
        raise click.BadParameter(f"{name!r} is no format. Choose one of {', '.join(KNOWN)}")
    return name


def capture_options(output: str) -> Callable[[F], F]:
    """Everything that has to do with reading a capture; `output` tells what is written to a file."""

    def decorate(function: F) -> F:
        written = click.option("--output", "-o", metavar="OUT.parquet", type=click.Path(dir_okay=False), help=output)
        return reading_options(written(function))

    return decorate


def reading_options(function: F) -> F:
    """How a capture is read: its files, what its columns are called, threads and batches."""
    return _reading(function, required=True)


def optional_reading_options(function: F) -> F:
    """The same for commands that go without a capture too."""
    return _reading(function, required=False)


def _reading(function: F, *, required: bool) -> F:
    threads = click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads; one a core without it.")
    batch_rows = click.option(
        "--batch-rows",
        type=click.IntRange(min=1, max=2**31 - 1),
        metavar="N",
        help="Rows judged at a time by one thread.",
    )
    return opening_options("CAPTURE", required=required)(threads(batch_rows(function)))


def opening_options(metavar: str, *format_names: str, required: bool = True) -> Callable[[F], F]:
    """Files of a capture and how they are read: what a command gets as `captured`.

    `format_names` are further names of ``--capture-format``, for commands whose own output has no format.
    """
    shown = f"{metavar}..." if required else f"[{metavar}]..."

    def decorate(function: F) -> F:
        @wraps(function)
        def command(
            *arguments: Any,
            capture_paths: tuple[str, ...],
            mapping: dict[str, str],
            capture_format: str | None,
            strict: bool,
            **others: Any,
        ) -> Any:
            captured = CaptureInput(capture_paths, mapping, capture_format, strict)
            return function(*arguments, captured=captured, **others)

        paths = click.argument("capture_paths", metavar=shown, nargs=-1, required=required)
        named = mapping_option("source_address=srcaddr")
        of_format = _capture_format_option("--capture-format", *format_names)
        return cast(F, paths(named(of_format(_STRICT(command)))))

    return decorate


def _mapping(_: click.Context, __: click.Parameter, pairs: tuple[str, ...]) -> dict[str, str]:
    """Read every ``name=column``."""
    mapping: dict[str, str] = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not (equals and name):
            raise click.BadParameter(f"{pair!r} is not NAME=COLUMN, such as source_address=srcaddr")
        if name in mapping:
            raise click.BadParameter(f"{name} is mapped twice")
        mapping[name] = column
    return mapping
