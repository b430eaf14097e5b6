"""Run every notebook of this folder from top to bottom; the first error ends it with exit code 1."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).resolve().parent
SECONDS_A_CELL = 300


def run(path: Path) -> nbformat.NotebookNode:
    """Run one notebook in an empty folder and return it with its outputs; the file stays as it is."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=SECONDS_A_CELL, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        return client.execute()


def main() -> int:
    for path in sorted(FOLDER.glob("*.ipynb")):
        start = time.monotonic()
        try:
            run(path)
        except CellExecutionError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            return 1
        print(f"{path.name}: {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
