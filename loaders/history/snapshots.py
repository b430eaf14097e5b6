"""Snapshots of several moments as a cluster over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING

from simcore.errors import Diagnostic, LoadError, Place, Severity
from simcore.model.names import ALWAYS
from simcore.model.profile import Profile
from simcore.model.timeline import Instant, Timeline

from ..clusters.kubernetes import Collector
from ..documents import Document
from ..manifests import Intake, Snapshot
from ..policysets import PolicySet
from .changes import is_minded
from .histories import History, WrittenPart, governed
from .instants import Dated, groups_by_time
from .ledger import Ledger
from .lives import LIVING, lives_of, stored_lives, with_lives
from .periods import PolicySets
from .times import write_time

if TYPE_CHECKING:
    from ..reader import Given


def of_snapshots(files: Sequence[Dated], problems: list[Diagnostic], *, profile: Profile) -> History | None:
    """Make a history of snapshots; None, and errors among `problems`, where one cannot be read."""
    snapshots = _Snapshots(profile, problems)
    moments = list(snapshots.read(files))
    if any(problem.severity is Severity.ERROR for problem in problems):
        return None
    history = _put_together(moments)
    if len(moments) == 1:
        return history
    return replace(history, parts=governed(history.parts, snapshots.policies(), problems, profile=profile))


@dataclass(frozen=True)
class _Moment:
    time: int | None
    files: int
    snapshot: Snapshot


class _Snapshots:
    """Reads the files of each moment."""

    def __init__(self, profile: Profile, problems: list[Diagnostic]) -> None:
        self._profile = profile
        self._problems = problems
        self._before: dict[tuple[str, str], list[Given]] = {}
        self._ledger = Ledger(problems)

    def read(self, files: Sequence[Dated]) -> Iterator[_Moment]:
        """Yield the snapshot of each moment that could be read, in order of time."""
        groups = list(groups_by_time(files))
        for time, group in groups:
            intake = Intake(self._profile)
            self._take(intake, time, group)
            try:
                snapshot = intake.snapshot()
            except LoadError as error:
                self._problems += error.diagnostics
                continue
            self._problems += snapshot.diagnostics
            if time is not None and len(groups) > 1:
                self._ledger.see(time, self._policies(), is_whole=True)
            lives = [life for kind in LIVING for life in lives_of(intake.collector.taken(kind), self._problems)]
            lives += chain.from_iterable(stored_lives(pods, self._problems) for pods in intake.collector.stored)
            yield _Moment(time, len(group), replace(snapshot, cluster=with_lives(snapshot.cluster, lives)))

    def policies(self) -> list[tuple[int, PolicySet]]:
        """Return the policies of all times, each set with the time from which it held; after `read`."""
        return list(PolicySets(list(self._ledger.versions()), self._profile, self._problems).sets())

    def _policies(self) -> Iterator[Document]:
        """Yield the policies of the last moment, and what they lean on."""
        for kind, them in self._before.items():
            if not Collector.takes(*kind):
                yield from (given for given in them if isinstance(given, Document))

    def _take(self, intake: Intake, time: int | None, files: Sequence[Dated]) -> None:
        """Take what the files hold; kinds that they do not hold at all are taken from the moment before."""
        found: dict[tuple[str, str], list[Given]] = {}
        for given in intake.read_given(file.source for file in files):
            if is_minded(given):
                found.setdefault((given.group, given.kind), []).append(given)
            intake.take(given, with_cluster=True)
        is_whole = any(file.is_whole for file in files)
        kept = {} if is_whole else {kind: them for kind, them in self._before.items() if kind not in found}
        for given in chain.from_iterable(kept.values()):
            intake.take(given, with_cluster=True)
        self._before = {**kept, **found}
        if kept and time is not None:
            kinds = ", ".join(sorted({kind for _, kind in kept}))
            message = f"the snapshot of {write_time(time)} holds none of these kinds, so those of before go on: {kinds}"
            self._problems.append(Diagnostic(Severity.WARNING, Place(files[-1].source.name), message))


def _put_together(moments: Sequence[_Moment]) -> History:
    snapshots = [moment.snapshot for moment in moments]
    instants = [Instant(moment.time or 0, moment.snapshot.cluster) for moment in moments]
    cluster = Timeline.of(instants).cluster
    edges = [ALWAYS[0], *(instant.time for instant in instants[1:]), ALWAYS[1]]
    parts = tuple(
        WrittenPart(stretch, snapshot.written, snapshot.policies, snapshot.cluster)
        for stretch, snapshot in zip(pairwise(edges), snapshots, strict=True)
    )
    ignored: Counter[str] = Counter()
    for snapshot in snapshots:
        ignored |= Counter(snapshot.ignored)
    plugin = next((snapshot.plugin for snapshot in reversed(snapshots) if snapshot.plugin), None)
    counts = MappingProxyType(dict(sorted(ignored.items())))
    return History(cluster, parts, tuple(_lines(moments)), counts, (), plugin)


def _lines(moments: Sequence[_Moment]) -> Iterator[str]:
    for moment in moments:
        if moment.time is not None:
            files = f"{moment.files:,} file{'s' if moment.files > 1 else ''}"
            yield f"snapshot of {write_time(moment.time)}: {len(moment.snapshot.cluster.pods):,} pods, {files}"
