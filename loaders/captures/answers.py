"""Row groups that hold DNS answers: they tell addresses, and are not judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from simcore.errors import LoadError
from simcore.model.flows import Split
from simcore.model.schema import ANSWER

from .origins import Origin
from .sources import problem
from .storage import open_seekable

if TYPE_CHECKING:
    from .parquet import File


def find_answers(
    contents: Sequence[File], origins: Sequence[Mapping[str, Origin]], splits: Sequence[Split]
) -> list[Split]:
    """Find the splits that hold nothing but DNS answers.

    The footer tells most: the least and the greatest word of a row group.

    Raises
    ------
    LoadError
        A row group holds answers and other rows.
    """
    found: list[Split] = []
    for split in splits:
        file, origin = contents[split.file], origins[split.file].get("record")
        if origin is None or origin.columns[0] not in file.leaves:
            continue
        answers = _answers_in(file, split, origin.columns[0])
        if answers == split.rows:
            found.append(split)
        elif answers:
            text = f"row group {split.group} mixes {answers:,} DNS answers with other rows. Write it with write_flows"
            raise LoadError([problem(file.path, text)])
    return found


def _answers_in(file: File, split: Split, column: str) -> int:
    """Count the answers of a row group."""
    told = file.metadata.row_group(split.group).column(file.leaves[column]).statistics
    if told is not None and told.has_min_max:
        least, greatest = told.min, told.max
        if not least <= ANSWER <= greatest:
            return 0
        if least == greatest and told.has_null_count and not told.null_count:
            return split.rows
    try:
        with open_seekable(file.path) as stored, pq.ParquetFile(stored, metadata=file.metadata) as opened:
            words = opened.read_row_group(split.group, [column])[column].cast(pa.string()).to_pylist()
    except (OSError, pa.ArrowException, UnicodeDecodeError):
        return 0
    return sum(word == ANSWER for word in words)
