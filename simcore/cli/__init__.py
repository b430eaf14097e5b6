"""The command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``flowverdict`` and leave with its exit code: 0 done, 1 the answer is no, 2 wrong use or input."""
    from .run import run

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
