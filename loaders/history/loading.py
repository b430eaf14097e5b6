"""A cluster and its policies over time, from files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from simcore.errors import Diagnostic, LoadError, Place, Severity
from simcore.model.memory import collection_paused
from simcore.model.profile import UPSTREAM, Profile

from ..clusters.repeats import is_of_repeat
from ..files import Source
from .histories import History, governed
from .instants import Dated, dated_files
from .policies import load_commits
from .snapshots import of_snapshots
from .streams import Stream, form_of, of_streams

T = TypeVar("T")


def load_history(paths: Sequence[str], *, policies: str | None = None, profile: Profile = UPSTREAM) -> History:
    """Load a cluster and its policies over time.

    Parameters
    ----------
    paths : sequence of str
        Files (YAML or JSON, also gzip or zstd), folders, patterns, ``-`` for standard input. Those that tell when they
        were taken are snapshots of that moment: ``TIME=FILE``, the annotation ``flowverdict.dev/taken-at`` of a list in
        JSON, or a time in the file's name. The others belong to every moment. Watches and audit logs, told by what they
        hold, say what changed in between, or since one snapshot.
    policies : str, optional
        A folder in git, or ``TIME=FOLDER`` for its commits from a time on: the policies of each time, in place of those
        of the snapshots. What the first commit holds is taken to have held before, too. Or a watch or an audit log,
        of which the policies count, from those of the snapshots on.
    profile : Profile
        How policies are read; see `load_manifests`.

    Raises
    ------
    LoadError
        With every error of the whole input.
    """
    problems: list[Diagnostic] = []
    log = None if policies is None else form_of(Source(policies, policies))
    commits = policies if log is None else None
    changes = _attempt(lambda: None if commits is None else load_commits(commits, profile=profile), problems)
    with collection_paused():
        files = dated_files(paths, problems)
        streams = [Stream(file.source, form) for file in files if (form := form_of(file.source))]
        if policies is not None and log is not None:
            streams.append(Stream(Source(policies, policies), log, only_policies=True))
        history = (
            of_streams(files, streams, problems, profile=profile)
            if streams
            else of_snapshots(files, problems, profile=profile)
        )
        if history and changes:
            problems += changes.diagnostics
            parts = governed(history.parts, changes.sets, problems, profile=profile)
            history = replace(history, parts=parts, moments=(*history.moments, *changes.moments))
    errors = [diagnostic for diagnostic in problems if diagnostic.severity is Severity.ERROR]
    if history is None or errors:
        raise LoadError([*dict.fromkeys(errors), *_hints(errors, files)])
    return replace(history, diagnostics=tuple(dict.fromkeys(problems)))


def _attempt(load: Callable[[], T], problems: list[Diagnostic]) -> T | None:
    try:
        return load()
    except LoadError as error:
        problems += error.diagnostics
        return None


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
