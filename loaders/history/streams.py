"""Watches and audit logs, with snapshots or without, as a cluster and its policies over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from simcore.errors import Diagnostic, LoadError, Place, Severity
from simcore.model.names import ALWAYS
from simcore.model.profile import Profile

from ..clusters.kubernetes import Collector
from ..documents import Document
from ..files import Source
from ..manifests import Intake
from ..policysets import PolicySet
from .audit import is_audit, read_audit
from .changes import Change, is_minded
from .histories import History, WrittenPart, governed
from .instants import Dated, groups_by_time
from .ledger import Ledger
from .periods import Clusters, PolicySets
from .records import Told, first_keys
from .times import write_time
from .watch import is_watch, read_watch

_UNKNOWN_BEFORE = (
    "objects are changed before anything told what they were, so they count from that change on. Give a snapshot of "
    "before"
)
_UNTIMED = "changes tell no time, so they count from the event before on. kubectl tells more with --show-managed-fields"


@dataclass(frozen=True, slots=True)
class Form:
    """A way in which changes are written: what it is called, what tells it, and what reads it."""

    name: str
    is_meant: Callable[[dict[str, str]], bool]
    read: Callable[[str, Told], Iterator[Change]]


@dataclass(frozen=True, slots=True)
class Stream:
    """A file of changes; `only_policies` leaves those of other objects out."""

    source: Source
    form: Form
    only_policies: bool = False


FORMS = (Form("watch", is_watch, read_watch), Form("audit log", is_audit, read_audit))


def form_of(source: Source) -> Form | None:
    """Tell what changes a file holds by its beginning; None where it holds none, or is standard input."""
    if source.path == "-":
        return None
    try:
        keys = first_keys(source.path)
    except (OSError, LoadError):
        return None
    return next((form for form in FORMS if form.is_meant(keys)), None)


def of_streams(
    files: Sequence[Dated], streams: Sequence[Stream], problems: list[Diagnostic], *, profile: Profile
) -> History | None:
    """Make a history of what changed, from what snapshots say or from nothing.

    A snapshot without time is taken to be of before everything else.

    Parameters
    ----------
    files : sequence of Dated
    streams : sequence of Stream
        The files among them that tell changes, and others.
    problems : list of Diagnostic
        Written. Where there are errors among them, the result is None.
    profile : Profile
        How policies are read.
    """
    story = _Story(problems, profile)
    for stream in streams:
        story.read_stream(stream)
    paths = {stream.source.path for stream in streams}
    if snapshots := [file for file in files if file.source.path not in paths]:
        for time, group in groups_by_time(snapshots):
            story.read_snapshot(time, group)
    return story.history()


class _Story:
    """Puts together what happened."""

    def __init__(self, problems: list[Diagnostic], profile: Profile) -> None:
        self._problems = problems
        self._profile = profile
        self._changes: list[Change] = []
        self._snapshots: list[tuple[int, list[Document], bool]] = []
        self._moments: list[str] = []
        self._others = Intake(profile)
        self._ignored: Counter[str] = Counter()

    def read_stream(self, stream: Stream) -> None:
        """Read the changes of one file."""
        source, form = stream.source, stream.form
        told = Told(self._problems)
        found = [
            change
            for change in form.read(source.path, told)
            if not (stream.only_policies and Collector.takes(*change.key[:2]))
        ]
        self._changes += found
        self._ignored += told.ignored
        for text, number in sorted(told.doubtful.items()):
            self._problems.append(Diagnostic(Severity.WARNING, Place(source.name), f"{number:,} {text}"))
        count = f"{len(found):,} change{'' if len(found) == 1 else 's'}"
        times = [change.time for change in found if change.time > ALWAYS[0]]
        span = f", {write_time(min(times))} to {write_time(max(times))}" if times else ""
        self._moments.append(f"{form.name} {source.name}: {count}{span}")

    def read_snapshot(self, time: int | None, files: Sequence[Dated]) -> None:
        """Read the files of one moment."""
        documents = []
        for document in self._others.read_sources(file.source for file in files):
            if is_minded(document):
                documents.append(document)
            else:
                self._others.take(document, with_cluster=False)
        at = ALWAYS[0] if time is None else time
        self._snapshots.append((at, documents, any(file.is_whole for file in files)))
        when = "before everything else" if time is None else f"of {write_time(time)}"
        count = f"{len(files):,} file{'' if len(files) == 1 else 's'}"
        self._moments.append(f"snapshot {when}: {len(documents):,} objects, {count}")

    def history(self) -> History | None:
        """Return the whole story; None where anything in it is in error."""
        ledger = self._ledger()
        versions = list(ledger.versions())
        policies = PolicySets(versions, self._profile, self._problems)
        clusters = Clusters(versions, policies.namespaces, self._problems)
        periods = clusters.periods()
        self._finish()
        if any(problem.severity is Severity.ERROR for problem in self._problems):
            return None
        bare = [WrittenPart(period.stretch, PolicySet(), (), period.cluster) for period in periods]
        parts = governed(bare, list(policies.sets()), self._problems, profile=self._profile)
        plugin = next((period.plugin for period in reversed(periods) if period.plugin), None)
        ignored = MappingProxyType(dict(sorted((self._ignored + Counter(self._others.ignored())).items())))
        return History(clusters.over_time(), parts, tuple(self._moments), ignored, (), plugin)

    def _ledger(self) -> Ledger:
        """Take everything in order of time; of one time, snapshots first."""
        ledger = Ledger(self._problems)
        changes = iter(sorted(self._changes, key=lambda change: change.time))
        change = next(changes, None)
        for time, documents, is_whole in self._snapshots:
            while change is not None and change.time < time:
                ledger.take(change)
                change = next(changes, None)
            ledger.see(time, documents, is_whole=is_whole)
        while change is not None:
            ledger.take(change)
            change = next(changes, None)
        for count, text in ((ledger.unknown_before, _UNKNOWN_BEFORE), (ledger.untimed, _UNTIMED)):
            if count:
                self._problems.append(Diagnostic(Severity.WARNING, Place("input"), f"{count:,} {text}"))
        return ledger

    def _finish(self) -> None:
        try:
            self._others.finish()
        except LoadError as error:
            self._problems += error.diagnostics
        else:
            self._problems += self._others.problems
