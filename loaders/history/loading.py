"""A cluster and its policies over time, from files."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise
from types import MappingProxyType

from simcore.errors import Diagnostic, LoadError, Place, Severity
from simcore.model.cluster import Cluster, Stretch
from simcore.model.memory import collection_paused
from simcore.model.names import ALWAYS
from simcore.model.policy import Policy
from simcore.model.profile import UPSTREAM, Profile
from simcore.model.timeline import Instant, Timeline

from ..clusters.plugins import Guess
from ..clusters.repeats import is_of_repeat
from ..documents import Document
from ..manifests import Intake, Snapshot, raise_errors
from ..policysets import PolicySet
from .instants import Dated, dated_files, groups_by_time
from .lives import LIVING, lives_of, with_lives
from .policies import PolicyChanges, load_commits
from .times import write_time


@dataclass(frozen=True)
class WrittenPart:
    """Policies as they were written, and where and when they held.

    Attributes
    ----------
    stretch : (int, int)
        Nanoseconds since 1970.
    written : PolicySet
    policies : tuple of Policy
        The same, lowered; sorted by name.
    cluster : Cluster
        What the policies may name.
    """

    stretch: Stretch
    written: PolicySet
    policies: tuple[Policy, ...]
    cluster: Cluster


@dataclass(frozen=True)
class History:
    """What files say of a cluster over time.

    Attributes
    ----------
    cluster : Cluster
        Everything that ever was, with the times at which it was there, as far as they are told.
    parts : tuple of WrittenPart
        The policies of all times, in order and without gaps; one part where they never change.
    moments : tuple of str
        What was loaded, a line each; empty where nothing tells a time.
    ignored : mapping of str to int
        How many objects of kinds that play no part were left out, in the snapshot that has most of them.
    diagnostics : tuple of Diagnostic
        Warnings.
    plugin : Guess or None
        The network plugin that the cluster seems to run.
    """

    cluster: Cluster
    parts: tuple[WrittenPart, ...]
    moments: tuple[str, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    diagnostics: tuple[Diagnostic, ...] = ()
    plugin: Guess | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> History:
        """Return what one snapshot says, taken to hold at all times."""
        parts = (WrittenPart(ALWAYS, snapshot.written, snapshot.policies, snapshot.cluster),)
        return cls(snapshot.cluster, parts, (), snapshot.ignored, snapshot.diagnostics, snapshot.plugin)


def load_history(paths: Sequence[str], *, policies: str | None = None, profile: Profile = UPSTREAM) -> History:
    """Load a cluster and its policies over time.

    Parameters
    ----------
    paths : sequence of str
        Files (YAML or JSON, also gzip or zstd), folders, patterns, ``-`` for standard input. Those that tell when they
        were taken are snapshots of that moment: ``TIME=FILE``, the annotation ``flowverdict.dev/taken-at`` of a list in
        JSON, or a time in the file's name. The others belong to every moment.
    policies : str, optional
        A folder in git, or ``TIME=FOLDER`` for its commits from a time on: the policies of each time, in place of those
        of the snapshots. What the first commit holds is taken to have held before, too.
    profile : Profile
        How policies are read; see `load_manifests`.

    Raises
    ------
    LoadError
        With every error of the whole input.
    """
    problems: list[Diagnostic] = []
    changes = None
    if policies is not None:
        try:
            changes = load_commits(policies, profile=profile)
        except LoadError as error:
            problems += error.diagnostics
    with collection_paused():
        files = dated_files(paths, problems)
        snapshots = list(_Snapshots(profile, problems).read(files))
    errors = [diagnostic for diagnostic in problems if diagnostic.severity is Severity.ERROR]
    if errors:
        raise LoadError([*dict.fromkeys(errors), *_hints(errors, files)])
    history = _put_together(snapshots, tuple(dict.fromkeys(problems)))
    return history if changes is None else _governed(history, changes, profile)


def _governed(history: History, changes: PolicyChanges, profile: Profile) -> History:
    """Put policies of their own history in place of those of the snapshots."""
    problems: list[Diagnostic] = []
    begins = [ALWAYS[0], *(time for time, _ in changes.sets[1:])]
    times = sorted({*begins, *(part.stretch[0] for part in history.parts)})
    parts = []
    for first, end in pairwise([*times, ALWAYS[1]]):
        written = changes.sets[bisect_right(begins, first) - 1][1]
        held = history.parts[bisect_right(history.parts, first, key=lambda part: part.stretch[0]) - 1]
        own = written.standing_in(held.written)
        parts.append(
            WrittenPart((first, end), own, own.policies(held.cluster, problems, profile=profile), held.cluster)
        )
    raise_errors(problems)
    return replace(
        history,
        parts=tuple(parts),
        moments=(*history.moments, *changes.moments),
        diagnostics=tuple(dict.fromkeys((*history.diagnostics, *changes.diagnostics, *problems))),
    )


def _hints(errors: Sequence[Diagnostic], files: Sequence[Dated]) -> Iterator[Diagnostic]:
    """Say how to give times, where that may be all that is wrong."""
    count = sum(map(is_of_repeat, errors))
    undated = [file.source.name for file in files if file.time is None]
    if count and len(undated) > 1:
        text = f"{count:,} objects are" if count > 1 else "an object is"
        message = (
            f"{text} given twice, and differently. If these files are snapshots of different times, say when each was "
            f"taken: --cluster 2026-11-20T10:00:00Z={undated[0]}, or a time such as 20261120T100000Z in its name"
        )
        yield Diagnostic(Severity.ERROR, Place("--cluster"), message)


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
        self._before: dict[tuple[str, str], list[Document]] = {}

    def read(self, files: Sequence[Dated]) -> Iterator[_Moment]:
        """Yield the snapshot of each moment that could be read, in order of time."""
        for time, group in groups_by_time(files):
            intake = Intake(self._profile)
            self._take(intake, time, group)
            try:
                snapshot = intake.snapshot()
            except LoadError as error:
                self._problems += error.diagnostics
                continue
            self._problems += snapshot.diagnostics
            lives = [life for kind in LIVING for life in lives_of(intake.collector.taken(kind), self._problems)]
            yield _Moment(time, len(group), replace(snapshot, cluster=with_lives(snapshot.cluster, lives)))

    def _take(self, intake: Intake, time: int | None, files: Sequence[Dated]) -> None:
        """Take what the files hold; kinds that they do not hold at all are taken from the moment before."""
        found: dict[tuple[str, str], list[Document]] = {}
        for document in intake.read_sources(file.source for file in files):
            if intake.minds(document):
                found.setdefault((document.group, document.kind), []).append(document)
            intake.take(document, with_cluster=True)
        is_whole = any(file.is_whole for file in files)
        kept = {} if is_whole else {kind: them for kind, them in self._before.items() if kind not in found}
        for document in chain.from_iterable(kept.values()):
            intake.take(document, with_cluster=True)
        self._before = {**kept, **found}
        if kept and time is not None:
            kinds = ", ".join(sorted({kind for _, kind in kept}))
            message = f"the snapshot of {write_time(time)} holds none of these kinds, so those of before go on: {kinds}"
            self._problems.append(Diagnostic(Severity.WARNING, Place(files[-1].source.name), message))


def _put_together(moments: Sequence[_Moment], diagnostics: tuple[Diagnostic, ...]) -> History:
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
    return History(
        cluster, parts, tuple(_lines(moments)), MappingProxyType(dict(sorted(ignored.items()))), diagnostics, plugin
    )


def _lines(moments: Sequence[_Moment]) -> Iterator[str]:
    for moment in moments:
        if moment.time is not None:
            files = f"{moment.files:,} file{'s' if moment.files > 1 else ''}"
            yield f"snapshot of {write_time(moment.time)}: {len(moment.snapshot.cluster.pods):,} pods, {files}"
