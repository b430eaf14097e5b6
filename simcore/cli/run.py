"""Runs a command and turns whatever becomes of it into an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import click

from ..errors import SimulatorError
from .commands import flowverdict
from .console import ReaderGoneError, drain, report_error

DONE, NO, WRONG = 0, 1, 2
INTERRUPTED = 130
READER_GONE = 141
"""What a shell tells of a tool that the signal for a broken pipe ends: 128 and the signal's number."""


def run(arguments: Sequence[str]) -> int:
    """Run a command.

    Returns
    -------
    int
        0 done, 1 the answer is no, 2 wrong use, unreadable input or output that cannot be written, 130 interrupted,
        141 nobody reads standard output any more.
    """
    try:
        return _run(arguments)
    finally:
        drain()


def _run(arguments: Sequence[str]) -> int:
    try:
        code = flowverdict.main(list(arguments), prog_name="flowverdict", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return WRONG
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except (ReaderGoneError, SystemExit):  # click leaves so where its own output, such as help, meets a broken pipe
        return READER_GONE
    except (SimulatorError, OSError) as error:
        report_error(error)
        return WRONG
    except Exception:
        traceback.print_exc()
        click.echo("error: this is a fault of flowverdict itself; please report it with the lines above", err=True)
        return WRONG
    return code if isinstance(code, int) else DONE
