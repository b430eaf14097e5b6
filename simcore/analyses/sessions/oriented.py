"""A capture with the ends of answers changed over, and what is said of each of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...kernels.sessions.sessions import ANSWERS, INVALID, NEW, NO_CLASS, PART
from ...model.conntrack import CtClass, CtState
from ...model.flows import Capture, Split, Verdict
from ...model.schema import FLOW_SCHEMA, WIDE_ADDRESS
from ...tables.layout import Tables
from ..ends import raw_values, validity
from ..results import WORDS
from ..shards import Threads
from ..sweep import Progress
from .joining import find_joined
from .orientation import EVIDENCE_WORDS, REQUEST_OF
from .stateful import Following, StatefulOptions, Variant
from .translated import JOINED_WORDS, SERVICE, TranslatedCapture
from .wrapped import WrappedCapture

STATE_FIELDS = [
    pa.field("ct_class", WORDS),
    pa.field("passed_by", WORDS),
    pa.field("orientation", WORDS, nullable=False),
    pa.field("oriented_by", WORDS, nullable=False),
    pa.field("joined", WORDS),
]
"""What a stateful replay adds to each row."""

PASSED_BY = ("rule", "established", "reply")
_CLASSES = {NEW: CtClass.NEW, PART: CtClass.ESTABLISHED, INVALID: CtClass.INVALID}
_WAYS = ("forward", "reverse")
_PAIRS = ("address", "pod", "port")
_NEVER = -1


@dataclass(frozen=True)
class StateCounts:
    """What was found of connections, counted.

    Attributes
    ----------
    connections : int
        Connections that began in the capture, or were first seen in it; attempts that egress policy denies included.
    classes : mapping of str to int
        Rows by conntrack class; those that belong to no connection are ``none``.
    passed_by : mapping of str to int
        Allowed rows by what lets them pass: ``rule``, ``established``, ``reply``.
    orientation : mapping of str to mapping of str to int
        Rows by way, ``forward`` or ``reverse``, and by what tells so.
    joined : mapping of str to int
        Rows that were made before translation and are judged as after it: ``service`` where the server's address was
        translated, ``source`` where the client's was too.
    node_sources : int
        Other rows from a node to a pod on another one.
    late, untimed : int
        Rows behind the reorder window, rows without time.
    one_way : bool
        Whether a record is of one direction.
    begin, end : int
        First and last time, ns.
    longest_timeout : int
        How long the entry of an open connection stays without packets, ns.
    """

    connections: int
    classes: Mapping[str, int]
    passed_by: Mapping[str, int]
    orientation: Mapping[str, Mapping[str, int]]
    joined: Mapping[str, int]
    node_sources: int
    late: int
    untimed: int
    one_way: bool
    begin: int
    end: int
    longest_timeout: int


def count_states(following: Following) -> StateCounts:
    """Count what is said of rows and connections."""
    joined = following.joined
    results = following.results
    numbers = np.bincount(results, minlength=256)
    codes = np.arange(256, dtype=np.uint8)
    passed, ways = _passed(codes, codes >> 6), codes >> 3 & 1
    classes = {kind.word: int(numbers[codes & 7 == number].sum()) for number, kind in _CLASSES.items()}
    classes["none"] = int(numbers[codes & 7 == NO_CLASS].sum())
    return StateCounts(
        connections=int(following.sessions[0].connections.sum()),
        classes=classes,
        passed_by={word: int(numbers[passed == number].sum()) for number, word in enumerate(PASSED_BY)},
        orientation={
            way: {
                word: int(numbers[(ways == number) & (codes >> 4 & 3 == evidence)].sum())
                for evidence, word in reversed(list(enumerate(EVIDENCE_WORDS)))
            }
            for number, way in enumerate(_WAYS)
        },
        joined={
            word: 0 if joined is None else int((joined.kinds == number).sum())
            for number, word in enumerate(JOINED_WORDS, SERVICE)
        },
        node_sources=following.node_sources,
        late=following.late_rows,
        untimed=following.untimed_rows,
        one_way=following.habits.one_way,
        begin=following.begin,
        end=following.end,
        longest_timeout=following.sessions[0].longest_timeout,
    )


def _passed(results: NDArray[np.uint8], verdict: NDArray[np.integer]) -> NDArray[np.int16]:
    """Tell what lets each row pass: a position in PASSED_BY; -1 where nothing does."""
    kind = results & 7
    passed = np.where(kind == NEW, 0, np.where(results >> 3 & 1, 2, 1)).astype(np.int16)
    passed[(verdict != Verdict.ALLOW) | ((kind != NEW) & (kind != PART))] = _NEVER
    return passed


def state_columns(results: NDArray[np.uint8], kinds: NDArray[np.uint8], verdict: NDArray[np.uint8]) -> list[pa.Array]:
    """Make the columns of STATE_FIELDS for some rows; `kinds` are those of joined rows, and 0."""
    classes = np.full(8, _NEVER, np.int16)
    for position, number in enumerate(_CLASSES):
        classes[number] = position
    given = classes[results & 7]
    passed = _passed(results, verdict)
    return [
        _words(given, [kind.word for kind in _CLASSES.values()]),
        _words(passed, PASSED_BY),
        _words((results >> 3 & 1).astype(np.int16), _WAYS),
        _words((results >> 4 & 3).astype(np.int16), EVIDENCE_WORDS),
        _words(kinds.astype(np.int16) - SERVICE, JOINED_WORDS),
    ]


def _words(numbers: NDArray[np.int16], words: Sequence[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(numbers, mask=numbers == _NEVER), pa.array(words, pa.string()))


@dataclass(frozen=True)
class OpenLost:
    """Connections that a change of policy cuts.

    Attributes
    ----------
    connections : int
        All that the change denies, and that were allowed before.
    open_at_end : int
        Those of them that are open when the capture ends, both ends having been heard of.
    """

    connections: int
    open_at_end: int


def count_lost(following: Following) -> OpenLost:
    """Count the connections that policy set 0 lets pass and policy set 1 does not."""
    sessions = following.sessions[0]
    live = sessions.live()
    before, after = live["codes"] & 3, live["codes"] >> 4 & 3
    ended = np.isin(live["state"], (CtState.SYN_SENT, CtState.TIME_WAIT, CtState.CLOSE))
    is_open = ~ended & (live["bits"] & ANSWERS != 0)
    lost = (before == 0) & np.isin(after, (1, 2))
    return OpenLost(int(sessions.connections[0, 1:3].sum()), int((lost & is_open).sum()))


def follow(
    capture: Capture,
    tables: Tables,
    options: StatefulOptions,
    threads: int | None,
    batch_rows: int,
    progress: Progress | None,
) -> tuple[Following, OrientedCapture, Progress | None]:
    """Follow the connections of a capture; return what was found, the capture to judge, and the rest of the progress.

    Following is the first half of the work, judging the second.
    """
    joined = find_joined(capture, tables, Threads(threads), batch_rows)
    translated = None if joined is None else TranslatedCapture(capture, joined, tables.cluster)
    capture = translated or capture
    halves = [None, None] if progress is None else [_half(progress, 0), _half(progress, 1)]
    following = Following(
        capture,
        tables,
        [Variant(options.settings)],
        options,
        threads=threads,
        batch_rows=batch_rows,
        keep_results=True,
        joined=joined,
        progress=halves[0],
    )
    following.run()
    return following, OrientedCapture(capture, following.results, translated), halves[1]


def _half(progress: Progress, number: int) -> Progress:
    return lambda done, total: progress((number * total + done) // 2, total)


class OrientedCapture(WrappedCapture):
    """A capture whose rows all run from client to server.

    Parameters
    ----------
    capture : Capture
    results : uint8[rows]
        As `Following` leaves them.
    translated : TranslatedCapture, optional
        The capture itself, where records of it are joined.
    """

    def __init__(
        self, capture: Capture, results: NDArray[np.uint8], translated: TranslatedCapture | None = None
    ) -> None:
        super().__init__(capture)
        self._translated = translated
        self._results = results
        pairs = [(f"source_{part}", f"destination_{part}") for part in _PAIRS]
        self._partner = {name: other for pair in pairs for name, other in (pair, pair[::-1])}

    @property
    def columns(self) -> frozenset[str]:
        """The columns that any of its files has, at either end."""
        held = self._capture.columns
        return held | {self._partner[name] for name in held if name in self._partner}

    def results_of(self, split: Split, first_row: int, rows: int) -> NDArray[np.uint8]:
        """Return what is said of some rows of a split; `first_row` counts within the file."""
        start = self.position_of(split, first_row)
        return self._results[start : start + rows]

    def kinds_of(self, split: Split, first_row: int, rows: int) -> NDArray[np.uint8]:
        """Return what kind of joined rows some rows of a split are; 0 where they are not joined."""
        if self._translated is None:
            return np.zeros(rows, np.uint8)
        return self._translated.kinds(split, first_row, rows)

    def read(self, split: Split, columns: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Read a split, in its row order, the ends of answers changed over."""
        wanted = [name for name in columns if name in self.columns]
        needed = dict.fromkeys([*wanted, *(self._partner[name] for name in wanted if name in self._partner)])
        row = split.first_row
        held = self._capture.columns
        for batch in self._capture.read(split, [name for name in needed if name in held], batch_rows):
            turn = (self.results_of(split, row, batch.num_rows) >> 3 & 1).astype(bool)
            row += batch.num_rows
            yield pa.RecordBatch.from_arrays([self._column(batch, name, turn) for name in wanted], names=wanted)

    def _column(self, batch: pa.RecordBatch, name: str, turn: NDArray[np.bool_]) -> pa.Array:
        own = _held(batch, name)
        if name == "icmp_type" and turn.any():
            types = raw_values(own)
            return pa.array(np.where(turn, REQUEST_OF[types], types), mask=~validity(own))
        if name not in self._partner or not turn.any():
            return own
        other = _held(batch, self._partner[name])
        if isinstance(own, pa.DictionaryArray) or isinstance(other, pa.DictionaryArray):
            return _chosen_names(turn, other, own)
        if own.type != other.type:
            own, other = _wide(own), _wide(other)
        return pc.if_else(pa.array(turn), other, own)


def _held(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name in batch.schema.names:
        return batch.column(name)
    return pa.nulls(batch.num_rows, FLOW_SCHEMA.field(name).type)


def _chosen_names(turn: NDArray[np.bool_], there: pa.Array, here: pa.Array) -> pa.DictionaryArray:
    """Choose names from two columns, whose dictionaries are put one behind the other."""
    encoded = [
        column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode() for column in (there, here)
    ]
    shift = len(encoded[0].dictionary)
    codes = [column.indices.cast(pa.int32()) for column in encoded]
    chosen = pc.if_else(pa.array(turn), codes[0], pc.add(codes[1], pa.scalar(shift, pa.int32())))
    names = pa.concat_arrays([column.dictionary.cast(pa.string()) for column in encoded])
    return pa.DictionaryArray.from_arrays(chosen, names)


def _wide(column: pa.Array) -> pa.Array:
    """Bring addresses to 16 bytes."""
    if column.type == WIDE_ADDRESS:
        return column
    low = column.fill_null(0).to_numpy().astype(np.uint64) | np.uint64(0xFFFF << 32)
    data = np.stack([np.zeros(low.size, np.uint64), low], axis=1).astype(">u8").tobytes()
    mask = column.is_valid().buffers()[1] if column.null_count else None
    return pa.Array.from_buffers(WIDE_ADDRESS, low.size, [mask, pa.py_buffer(data)])
