"""What a batch records of verdicts, as arrays."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import LoadError, Place
from ...model.flows import Capture
from ...model.policy import Direction
from ...model.schema import ANSWER

NOTHING, ALLOWED, DENIED = 0, 1, 2
"""What is recorded of a side."""

WHOLE = 2
"""The position of the flow as a whole among the sides; directions have their own numbers."""
SIDES = (*Direction, None)

_MEANINGS = {
    **dict.fromkeys(("forwarded", "redirected", "accept", "accepted", "allow", "allowed", "pass"), ALLOWED),
    **dict.fromkeys(("dropped", "audit", "reject", "rejected", "deny", "denied", "drop", "block"), DENIED),
}
_POLICY_REASONS = ("", "POLICY_DENIED", "POLICY_DENY")
_WHOLE_COLUMN = "observed_verdict"
RECORD = "record"


@dataclass(frozen=True)
class Names:
    """A column of names: the position of each row's among them; that of the empty name where it has none."""

    words: tuple[str, ...]
    codes: NDArray[np.int32]

    @classmethod
    def of(cls, batch: pa.RecordBatch, column: str) -> Names:
        """Read a column; one that the batch lacks has the empty name throughout."""
        if column not in batch.schema.names:
            return cls(("",), np.zeros(batch.num_rows, np.int32))
        values = batch.column(column)
        if not isinstance(values, pa.DictionaryArray):
            values = values.dictionary_encode()
        words = values.dictionary.to_pylist()
        codes = values.indices.fill_null(len(words)).to_numpy(zero_copy_only=False).astype(np.int32)
        return cls((*(word or "" for word in words), ""), codes)

    def mapped(self, meanings: Mapping[str, int]) -> NDArray[np.uint8]:
        """Return what each row's name means; 0 where nothing."""
        return np.array([meanings.get(word.lower(), 0) for word in self.words], np.uint8)[self.codes]

    def among(self, words: Collection[str]) -> NDArray[np.bool_]:
        """Tell whether each row's name is one of some."""
        return np.array([word in words for word in self.words], bool)[self.codes]


@dataclass(frozen=True)
class RecordedBatch:
    """What a batch records; the last of three is of the flow as a whole.

    Attributes
    ----------
    words : tuple of Names
        As they are in the capture.
    meaning : uint8[3, n]
        NOTHING, ALLOWED or DENIED; of the whole only where neither side is recorded.
    reasons, policies : tuple of Names
        Of both sides.
    record : Names
        What each row stands for.
    """

    words: tuple[Names, ...]
    meaning: NDArray[np.uint8]
    reasons: tuple[Names, ...]
    policies: tuple[Names, ...]
    record: Names

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> RecordedBatch:
        """Read a batch."""
        words = tuple(Names.of(batch, _verdict_column(side)) for side in SIDES)
        reasons = tuple(Names.of(batch, f"{side.word}_reason") for side in Direction)
        record = Names.of(batch, RECORD)
        meaning = np.stack([names.mapped(_MEANINGS) for names in words])
        for side in Direction:
            meaning[side][(meaning[side] == DENIED) & ~reasons[side].among(_POLICY_REASONS)] = NOTHING
        for side in Direction:
            meaning[WHOLE][~words[side].among(("",))] = NOTHING
        meaning[:, record.among((ANSWER,))] = NOTHING
        policies = tuple(Names.of(batch, f"{side.word}_policies") for side in Direction)
        return cls(words, meaning, reasons, policies, record)

    def untold(self) -> NDArray[np.bool_]:
        """Tell which rows record nothing that a verdict can be compared with."""
        return np.asarray(~self.meaning.any(axis=0))


def _verdict_column(side: Direction | None) -> str:
    return _WHOLE_COLUMN if side is None else f"{side.word}_verdict"


VERDICT_COLUMNS = tuple(_verdict_column(side) for side in SIDES)
RECORDED_COLUMNS = (
    *VERDICT_COLUMNS,
    *(f"{side.word}_{part}" for side in Direction for part in ("reason", "policies")),
    RECORD,
)
"""What is read of a capture beside what a verdict needs."""


def check_recorded(capture: Capture) -> None:
    """Make sure that a capture may record verdicts.

    Raises
    ------
    LoadError
        It has no column for them.
    """
    if capture.columns.isdisjoint(VERDICT_COLUMNS):
        wanted = f"{', '.join(VERDICT_COLUMNS[:-1])} and {VERDICT_COLUMNS[-1]}"
        message = (
            f"no verdict is recorded here: {wanted} are looked for, and none of them is there. "
            f"If a column has another name, say --map {_WHOLE_COLUMN}=COLUMN"
        )
        raise LoadError.at(Place(capture.files[0] if capture.files else "the capture"), message)


def check_compared(capture: Capture, flows: int, comparable: int, words: Collection[str]) -> None:
    """Make sure that anything could be compared.

    Raises
    ------
    LoadError
        There are flows, and none has a recorded verdict that means anything.
    """
    if flows and not comparable:
        found = f"Their columns say {', '.join(sorted(words))}" if words else "Their columns are empty"
        known = ", ".join(_MEANINGS)
        message = f"none of {flows:,} flows has a recorded verdict to compare with. {found}; understood are {known}"
        raise LoadError.at(Place(capture.files[0]), message)
