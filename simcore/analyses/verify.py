"""Verify: our verdict of every flow beside the one that the dataplane recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..model.cilium import AUDITED
from ..model.cluster import Cluster
from ..model.flows import Capture, Outcome, Split, Verdict
from ..model.policy import Direction
from ..model.profile import Profile
from ..model.schema import MID_STREAM
from ..model.verification import Disagreement, Recorded, Suspicion
from ..tables.layout import Tables
from ..tables.ports import UNKNOWN_PROTOCOL
from .ends import judged_columns
from .judging import Judged, Workspace, judge_batch, judgement_of
from .prepared import Policies, policies_of, prepare
from .sessions.oriented import StateCounts, count_states, follow
from .sessions.stateful import StatefulOptions
from .shards import Threads
from .sweep import DEFAULT_BATCH_ROWS, Progress
from .verifying.causes import suspect
from .verifying.collecting import GROUPED_COLUMNS, Collector, Found, Group
from .verifying.recorded import (
    ALLOWED,
    DENIED,
    RECORDED_COLUMNS,
    SIDES,
    WHOLE,
    Names,
    RecordedBatch,
    check_compared,
    check_recorded,
)

_MEANINGS = {ALLOWED: Verdict.ALLOW, DENIED: Verdict.DENY}
_EXPECTED = np.array([len(Verdict), Verdict.ALLOW, Verdict.DENY], np.uint8)
"""The verdict that each meaning stands for."""


@dataclass(frozen=True)
class SideCounts:
    """What was recorded of one side, beside what we say of it.

    Attributes
    ----------
    side : Direction or None
        None: the flow as a whole, where neither side is recorded.
    flows : mapping of (Verdict, Verdict) to int
        By the recorded verdict, ALLOW or DENY, and ours.
    """

    side: Direction | None
    flows: Mapping[tuple[Verdict, Verdict], int]

    @property
    def comparable(self) -> int:
        """How many flows have a recorded verdict here."""
        return sum(self.flows.values())

    @property
    def agreeing(self) -> int:
        """How many of them we judge as recorded."""
        return sum(number for (recorded, ours), number in self.flows.items() if recorded is ours)


@dataclass(frozen=True)
class MissingPolicy:
    """A policy that the record names, and the set does not hold.

    Attributes
    ----------
    flows : int
        How many flows it is recorded to have decided.
    disagreeing : int
        How many of those we judge otherwise.
    """

    name: str
    flows: int
    disagreeing: int


@dataclass(frozen=True)
class VerifyResult:
    """Verdicts of ours beside recorded ones, counted.

    Attributes
    ----------
    flows : int
        Rows of the capture, but for DNS answers.
    comparable, agreeing : int
        Those with a recorded verdict; those of them that we judge as recorded, on every side that is.
    opposite, undecided : int
        Those that we judge otherwise; those whose verdict we do not know.
    not_compared : mapping of str to int
        Flows without a verdict to compare with, by what is recorded instead; most flows first.
    sides : tuple of SideCounts
        Those that anything is recorded of.
    disagreements : tuple of Disagreement
        Cause by cause, that of most flows first; within one, most flows first.
    missing : tuple of MissingPolicy
        Most flows first.
    audited : int
        Flows that were let through in audit mode, and are recorded as denied by policy.
    state : StateCounts or None
        What was found of connections; None where each flow was judged by itself.
    """

    flows: int
    comparable: int
    agreeing: int
    opposite: int
    undecided: int
    not_compared: Mapping[str, int]
    sides: tuple[SideCounts, ...]
    disagreements: tuple[Disagreement, ...]
    missing: tuple[MissingPolicy, ...]
    audited: int = 0
    state: StateCounts | None = None

    @property
    def agrees(self) -> bool:
        """Whether every comparable flow is judged as recorded."""
        return self.agreeing == self.comparable


def verify(
    capture: Capture,
    cluster: Cluster | Tables,
    policies: Policies | None = None,
    profile: Profile | None = None,
    *,
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    progress: Progress | None = None,
    stateful: StatefulOptions | None = None,
) -> VerifyResult:
    """Compare our verdict of every flow with the recorded one.

    A flow is comparable where ``egress_verdict``, ``ingress_verdict`` or, where neither is told, ``observed_verdict``
    says that policies let it through or denied it. Each recorded side is compared with our verdict for that direction.

    Parameters
    ----------
    capture, cluster, policies, profile, threads, batch_rows, progress, stateful
        As in `simcore.replay`. Neither threads nor batches change the result.

    Raises
    ------
    LoadError
        A part of the capture cannot be read, or it records no verdict that could be compared with.
    ValueError
        The tables are not of one policy set.
    """
    check_recorded(capture)
    engine = Threads(threads)
    tables = prepare(capture, cluster, [policies], profile, engine, batch_rows)
    oriented, state = None, None
    if stateful is not None:
        following, oriented, progress = follow(capture, tables, stateful, threads, batch_rows, progress)
        state = count_states(following)
    read = oriented or capture
    wanted = dict.fromkeys([*judged_columns(tables), *GROUPED_COLUMNS, *RECORDED_COLUMNS])
    columns = [name for name in wanted if name in read.columns]
    audited = _audited(tables.outcomes)

    def compare(split: Split) -> _Part:
        part = _Part(Collector(tuple(read.files)))
        workspace = Workspace(tables, min(batch_rows, split.rows))
        row = split.first_row
        for batch in read.read(split, columns, batch_rows):
            judged = judge_batch(tables, batch, workspace)
            part.add(tables, judged, RecordedBatch.of(batch), batch, split, row, audited)
            row += batch.num_rows
        return part

    total, found = sum(split.rows for split in read.splits), _Part(Collector(tuple(read.files)))
    for part in engine.map(compare, read.splits):
        found.join(part)
        if progress is not None:
            progress(found.flows, total)
    check_compared(capture, found.flows, found.comparable, found.untold_words)
    names = {str(policy.ref) for policy in policies_of(policies)} | {str(rule.policy) for rule in tables.rules}
    return found.result(tables, names, state)


def _audited(outcomes: Sequence[Outcome]) -> NDArray[np.bool_]:
    """Tell which outcomes let through what policies deny."""
    return np.array([outcome.detail.startswith(AUDITED) for outcome in outcomes], bool)


@dataclass
class _Part:
    """What some rows give."""

    collector: Collector
    flows: int = 0
    agreeing: int = 0
    opposite: int = 0
    undecided: int = 0
    audits: int = 0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((len(SIDES), 3, 3), np.int64))
    untold: Counter[str] = field(default_factory=Counter)
    untold_words: set[str] = field(default_factory=set)
    named: Counter[str] = field(default_factory=Counter)
    named_wrong: Counter[str] = field(default_factory=Counter)

    @property
    def comparable(self) -> int:
        return self.agreeing + self.opposite + self.undecided

    def join(self, other: _Part) -> None:
        """Take in what another part gives."""
        self.collector.join(other.collector)
        for name in ("flows", "agreeing", "opposite", "undecided", "audits"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.counts += other.counts
        self.untold_words |= other.untold_words
        for mine, theirs in ((self.untold, other.untold), (self.named, other.named)):
            mine.update(theirs)
        self.named_wrong.update(other.named_wrong)

    def add(
        self,
        tables: Tables,
        judged: Judged,
        recorded: RecordedBatch,
        batch: pa.RecordBatch,
        split: Split,
        first_row: int,
        audited: NDArray[np.bool_],
    ) -> None:
        """Compare the flows of a batch."""
        ours = _ours(judged, audited)
        told = recorded.meaning != 0
        expected = _EXPECTED[recorded.meaning]
        unknown = told & (ours == np.uint8(Verdict.UNKNOWN))
        wrong = told & (ours != expected) & ~unknown
        for side in range(len(SIDES)):
            pairs = recorded.meaning[side][told[side]].astype(np.int64) * 3 + ours[side][told[side]]
            self.counts[side] += np.bincount(pairs, minlength=9).reshape(3, 3)
        is_wrong, is_unknown = wrong.any(axis=0), unknown.any(axis=0) & ~wrong.any(axis=0)
        comparable = told.any(axis=0)
        self.flows += batch.num_rows
        self.opposite += int(np.count_nonzero(is_wrong))
        self.undecided += int(np.count_nonzero(is_unknown))
        self.agreeing += int(np.count_nonzero(comparable & ~is_wrong & ~is_unknown))
        self._count_words(recorded, comparable, is_wrong | is_unknown)
        rows = np.flatnonzero(is_wrong | is_unknown)
        if rows.size:
            at_fault = np.where(is_wrong[rows], wrong[:, rows], unknown[:, rows])
            sides = np.argmax(at_fault, axis=0).astype(np.int64)
            self.collector.collect(tables, judged, recorded, batch, rows, sides, split, first_row)

    def _count_words(
        self, recorded: RecordedBatch, comparable: NDArray[np.bool_], differing: NDArray[np.bool_]
    ) -> None:
        audits = np.logical_or(*(recorded.words[side].among(("audit",)) for side in Direction))
        self.audits += int(np.count_nonzero(audits & comparable))
        untold = np.flatnonzero(~comparable)
        if untold.size:
            self._count_untold(recorded, untold)
        for side in Direction:
            told = recorded.meaning[side] != 0
            self.named.update(_counted(recorded.policies[side], np.flatnonzero(told)))
            self.named_wrong.update(_counted(recorded.policies[side], np.flatnonzero(told & differing)))

    def _count_untold(self, recorded: RecordedBatch, rows: NDArray[np.int64]) -> None:
        columns = (*recorded.reasons, *recorded.words, recorded.record)
        codes = np.stack([names.codes[rows] for names in columns])
        distinct, counts = np.unique(codes, axis=1, return_counts=True)
        for column, count in zip(distinct.T.tolist(), counts.tolist(), strict=True):
            *words, record = (names.words[code] for names, code in zip(columns, column, strict=True))
            told = list(filter(None, words))
            self.untold[told[0] if told else record if record == MID_STREAM else ""] += count
            self.untold_words.update(filter(None, words[len(Direction) :]))

    def result(self, tables: Tables, policies: Collection[str], state: StateCounts | None) -> VerifyResult:
        """Return what was found."""
        return VerifyResult(
            flows=self.flows,
            comparable=self.comparable,
            agreeing=self.agreeing,
            opposite=self.opposite,
            undecided=self.undecided,
            not_compared=dict(sorted(self.untold.items(), key=lambda item: (-item[1], item[0]))),
            sides=tuple(_sides(self.counts)),
            disagreements=_ordered([_disagreement(tables, policies, *item) for item in self.collector.groups.items()]),
            missing=self._missing(policies),
            audited=self.audits,
            state=state,
        )

    def _missing(self, policies: Collection[str]) -> tuple[MissingPolicy, ...]:
        """List the policies that the record names and the set lacks."""
        flows, wrong = _apart(self.named), _apart(self.named_wrong)
        found = [MissingPolicy(name, number, wrong[name]) for name, number in flows.items() if name not in policies]
        return tuple(sorted(found, key=lambda policy: (-policy.flows, policy.name)))


def _ours(judged: Judged, audited: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return our verdict of each side, and of the whole; what audit mode lets through counts as denied."""
    ours = np.stack([judged.egress[0] & 3, judged.ingress[0] & 3, judged.verdict[0]]).astype(np.uint8)
    if audited.any():
        for side, cells in enumerate((judged.egress[0], judged.ingress[0])):
            denied = audited[cells >> 2]
            ours[side][denied] = ours[WHOLE][denied] = Verdict.DENY
    return ours


def _counted(names: Names, rows: NDArray[np.int64]) -> dict[str, int]:
    """Count some rows by their names; those that have none are left out."""
    counts = np.bincount(names.codes[rows], minlength=len(names.words)).tolist()
    return {word: count for word, count in zip(names.words, counts, strict=True) if word and count}


def _apart(counts: Mapping[str, int]) -> Counter[str]:
    """Count by single names what was counted by lists of them."""
    found: Counter[str] = Counter()
    for words, number in counts.items():
        found.update(dict.fromkeys(_split(words), number))
    return found


def _split(policies: str) -> tuple[str, ...]:
    return tuple(filter(None, (name.strip() for name in policies.split(","))))


def _sides(counts: NDArray[np.int64]) -> list[SideCounts]:
    found = []
    for number, side in enumerate(SIDES):
        flows = {
            (recorded, ours): int(counts[number, meaning, ours])
            for meaning, recorded in _MEANINGS.items()
            for ours in Verdict
        }
        if any(flows.values()):
            found.append(SideCounts(side, flows))
    return found


def _disagreement(tables: Tables, policies: Collection[str], group: Group, found: Found) -> Disagreement:
    side = SIDES[group.side]
    meaning, named = _MEANINGS[group.meaning], _split(group.policies)
    recorded = Recorded(side, group.word, meaning, group.reason, named, group.record)
    ours = judgement_of(tables, group.cells >> 32 & 0xFFFFFFFF, group.cells & 0xFFFFFFFF, group.verdict)
    suspicion, about = suspect(recorded, ours, policies, reply=bool(group.reply))
    return Disagreement(
        suspicion=suspicion,
        about=about,
        recorded=recorded,
        ours=ours,
        source=group.source_pod or tables.labels[group.source],
        destination=group.destination_pod or tables.labels[group.destination],
        protocol=None if group.protocol == UNKNOWN_PROTOCOL else group.protocol,
        port=None if group.port < 0 else group.port,
        flows=found.flows,
        example=found.example,
    )


def _ordered(found: Sequence[Disagreement]) -> tuple[Disagreement, ...]:
    totals: Counter[tuple[Suspicion, str]] = Counter()
    for each in found:
        totals[each.suspicion, each.about] += each.flows

    def key(each: Disagreement) -> tuple[object, ...]:
        cause = each.suspicion, each.about
        ends = each.source, each.destination, each.protocol or -1, each.port or -1
        return -totals[cause], *cause, -each.flows, *ends, each.example.file, each.example.row

    return tuple(sorted(found, key=key))
