"""Names in a capture that stand for many ends, entered into the tables that it is judged with."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ..model.flows import Capture, Split
from ..tables.collectives import with_collectives
from ..tables.layout import Tables
from .ends import ENDS
from .shards import Engine

_MAY_BE = r"\*$|:"
"""What names that are collective have, and names of pods do not."""


def know_collectives(capture: Capture, tables: Tables, engine: Engine, batch_rows: int) -> Tables:
    """Return tables that know the names in a capture that stand for many ends.

    Looks at all names of pods; a capture that has `names`, which yields those of a column, tells them sooner.
    """
    columns = [f"{end}_pod" for end in ENDS if f"{end}_pod" in capture.columns]

    def look(split: Split) -> set[str]:
        found: set[str] = set()
        for column in columns:
            last = pa.nulls(0)
            for names in _names(capture, split, column, batch_rows):
                if not names.equals(last):
                    found.update(names.filter(pc.match_substring_regex(names, _MAY_BE)).to_pylist())
                last = names
        return found

    return with_collectives(tables, set().union(*engine.map(look, capture.splits)) if columns else ())


def _names(capture: Capture, split: Split, column: str, batch_rows: int) -> Iterator[pa.Array]:
    if names := getattr(capture, "names", None):
        yield from names(split, column)
        return
    for batch in capture.read(split, [column], batch_rows):
        held = batch.column(0)
        yield held.dictionary if isinstance(held, pa.DictionaryArray) else held.unique()
