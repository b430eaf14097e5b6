"""What the examples of groups carry: read from the capture once more, for those that somebody looks at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa

from ..model.flows import Capture, Judgement, Reason, Split
from ..model.groups import Example, FlowGroup
from ..model.policy import Direction
from ..model.requests import Request, read_headers
from ..tables.layout import Tables
from .ends import REQUEST_COLUMNS

_BY_REQUEST = (Reason.REQUEST_NOT_ALLOWED, Reason.UNKNOWN_REQUEST)
_BATCH_ROWS = 1 << 17


class ExampleRequests:
    """Adds to examples what they carry, where that made a difference."""

    def __init__(self, capture: Capture, tables: Tables) -> None:
        self._capture = capture
        self._columns = [name for name in REQUEST_COLUMNS if name in tables.requests.parts and name in capture.columns]
        self._read: tuple[Split, list[pa.RecordBatch]] | None = None

    def of_group(self, group: FlowGroup) -> FlowGroup:
        """Return a group whose example tells its request."""
        example = self.of(group.example, *(judged for judged in (group.before, group.after) if judged))
        return group if example is group.example else replace(group, example=example)

    def of(self, example: Example, *judgements: Judgement) -> Example:
        """Return an example with its request, if that decided any of its judgements."""
        if not self._columns or not any(map(_by_request, judgements)):
            return example
        file = list(self._capture.files).index(example.file)
        for split in self._capture.splits:
            if split.file == file and 0 <= example.row - split.first_row < split.rows:
                return replace(example, request=self._find(split, example.row - split.first_row))
        return example

    def _find(self, split: Split, row: int) -> Request | None:
        if self._read is None or self._read[0] != split:
            self._read = split, list(self._capture.read(split, self._columns, _BATCH_ROWS))
        for batch in self._read[1]:
            if row < batch.num_rows:
                return request_at(batch, row)
            row -= batch.num_rows
        return None


def request_at(batch: pa.RecordBatch, row: int) -> Request | None:
    """Return what a row of a batch tells of a request; None where it tells nothing."""
    parts = {name: batch.column(name)[row].as_py() for name in REQUEST_COLUMNS if name in batch.schema.names}
    request = Request(**{name: _part(name, text) for name, text in parts.items()})
    return None if request == Request() else request


def _by_request(judgement: Judgement) -> bool:
    outcomes = (judgement.outcome(direction) for direction in Direction)
    return any(o.reason in _BY_REQUEST or (o.rule is not None and o.rule.requests is not None) for o in outcomes)


def _part(name: str, text: str | None) -> Any:
    return read_headers(text) if name == "http_headers" and text is not None else text
