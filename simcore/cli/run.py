"""Runs a command and turns whatever becomes of it into an exit code."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import click

from ..errors import SimulatorError
from .commands import flowverdict
from .console import report_error

DONE, NO, WRONG = 0, 1, 2
INTERRUPTED = 130


def run(arguments: Sequence[str]) -> int:
    """Run a command.

    Returns
    -------
    int
        0 done, 1 the answer is no, 2 wrong use or unreadable input, 130 interrupted.
    """
    try:
        code = flowverdict.main(list(arguments), prog_name="flowverdict", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return WRONG
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except (SimulatorError, OSError) as error:
        report_error(error)
        return WRONG
    except Exception:
        traceback.print_exc()
        click.echo("error: this is a fault of flowverdict itself; please report it with the lines above", err=True)
        return WRONG
    return code if isinstance(code, int) else DONE
