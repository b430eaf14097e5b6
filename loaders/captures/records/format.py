"""What a capture format is: how its files are told from others, and how they are read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from ..origins import Recognised, recognise_names
from ..streams import Source
from .reading import Reading
from .samples import Sample

Meaning = Callable[[Collection[str], Collection[str]], Recognised | None]
"""Says what columns (and partitions) make up each column of a flow."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of captures that are converted.

    Attributes
    ----------
    name : str
        Its name on the command line.
    title : str
        What writes it, for people.
    row : str
        What one row of it is: a connection, one direction of one, a packet, an event.
    recognise : callable
        Whether a file is of it, told by its beginning.
    fields : callable
        The columns that `read` gives for a file, told by its beginning.
    read : callable
        Yields the rows of a file, in its order, as batches of at least these columns; tells of all other records.
    meaning : callable
        Which of these columns make up each column of a flow.
    lacks : tuple of str
        What cannot be judged from it, a short sentence each.
    """

    name: str
    title: str
    row: str
    recognise: Callable[[Sample], bool]
    fields: Callable[[Sample], Sequence[str]]
    read: Callable[[Source, Reading], Iterator[pa.RecordBatch]]
    meaning: Meaning = recognise_names
    lacks: tuple[str, ...] = ()
