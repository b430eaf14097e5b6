"""What holds for a file that a command writes: it can be written, and it is none that the command reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import LoadError, Place

if TYPE_CHECKING:
    from .inputs import Sources


def check_writable(output: str, sources: Sources, others: Iterable[str] = ()) -> None:
    """Make sure, before anything is read, that a file can be written without replacing an input.

    Parameters
    ----------
    output : str
    sources : Sources
        What the cluster and its policies are read from; of a folder, every file in it is an input.
    others : iterable of str
        Further inputs: captures.

    Raises
    ------
    LoadError
        It cannot, at the place of `output`.
    """
    path, place = _in_a_folder(output)
    if path.exists() and any(_holds(Path(given), path) for given in (*_paths(sources), *others)):
        raise LoadError.at(place, "this file is read too, and would be overwritten. Name another file to write")


def check_text(path: Path, begins: bytes, kind: str) -> None:
    """Make sure, before anything is read, that a text can be written and replaces nothing but one of its kind.

    Raises
    ------
    LoadError
        There is no such folder, or something else is there.
    """
    _, place = _in_a_folder(str(path))
    if path.is_dir():
        raise LoadError.at(place, f"{path} is a folder. Name a file to write")
    if path.exists():
        with path.open("rb") as file:
            if file.read(len(begins)) not in (b"", begins):
                raise LoadError.at(place, f"{path} exists and is no {kind}. Name another file to write")


def _in_a_folder(output: str) -> tuple[Path, Place]:
    path, place = Path(output), Place(output)
    if not path.absolute().parent.is_dir():
        raise LoadError.at(place, f"the folder {path.parent} does not exist. Make it first")
    return path, place


def _paths(sources: Sources) -> Iterator[str]:
    history = sources.policies_history
    for given in (*sources.cluster, *sources.policies, *sources.candidate, *sources.applied, *sources.names):
        yield given
        if "=" in given:
            yield given.partition("=")[2]
    if history is not None:
        yield history


def _holds(given: Path, path: Path) -> bool:
    """Whether an input is this file, whatever its name, or a folder that has it."""
    try:
        if os.path.samefile(given, path):
            return True
    except OSError:
        return False
    return given.is_dir() and path.resolve().is_relative_to(given.resolve())
