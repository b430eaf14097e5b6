"""Policies as each commit of a folder in git left them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from simcore.errors import Diagnostic, LoadError, Place, Severity
from simcore.model.memory import collection_paused
from simcore.model.profile import Profile

from ..documents import Document
from ..files import Source
from ..manifests import Intake
from ..policysets import PolicySet
from ..reader import Reader, Skipped
from .commits import Commit, Repository
from .times import read_time, split_time, write_time

_SHORT = 12


@dataclass(frozen=True)
class PolicyChanges:
    """Sets of policies, each with the time (ns) from which it held, in order; and what was read, in words."""

    sets: tuple[tuple[int, PolicySet], ...]
    moments: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True)
class _File:
    """What one version of a file holds."""

    documents: tuple[Document, ...]
    written: PolicySet


def load_commits(path: str, *, profile: Profile) -> PolicyChanges:
    """Load the policies that each commit of a folder in git holds, at the time at which it was committed.

    Parameters
    ----------
    path : str
        The folder, or ``TIME=FOLDER`` for the history from a time on.
    profile : Profile
        How policies are read.

    Raises
    ------
    LoadError
        The history cannot be read, or with every error of all commits.
    """
    time, folder = split_time(path)
    try:
        since = None if time is None else read_time(time)
    except ValueError as error:
        raise LoadError.at(Place(f"--policies-history {path}"), str(error)) from None
    repository = Repository(folder)
    commits = _since(list(repository.commits()), since)
    if not commits:
        message = "no commit of this folder holds a manifest: no file ends in .yaml, .yml or .json"
        raise LoadError.at(Place(folder), message)
    problems: list[Diagnostic] = []
    with collection_paused():
        files = _Files(folder, commits, repository, profile, problems)
        sets = tuple((commit.time, files.joined(commit)) for commit in commits)
    errors = [diagnostic for diagnostic in problems if diagnostic.severity is Severity.ERROR]
    if errors:
        raise LoadError([*dict.fromkeys(errors), _way_out(folder)])
    if repository.is_shallow():
        message = "git holds only the end of this folder's history. Fetch all of it: git fetch --unshallow"
        problems.append(Diagnostic(Severity.WARNING, Place(folder), message))
    return PolicyChanges(sets, (_line(folder, commits),), tuple(dict.fromkeys(problems)))


def _since(commits: list[Commit], time: int | None) -> list[Commit]:
    """Leave out the commits before the one that held at a time."""
    if time is None:
        return commits
    before = [commit for commit in commits if commit.time <= time]
    return [*before[-1:], *commits[len(before) :]]


def _way_out(folder: str) -> Diagnostic:
    message = f"commits older than the capture need not be read: 2026-11-20T10:00:00Z={folder} leaves them out"
    return Diagnostic(Severity.ERROR, Place("--policies-history"), message)


def _line(folder: str, commits: Sequence[Commit]) -> str:
    count = f"{len(commits):,} commits" if len(commits) > 1 else "1 commit"
    return f"policies of {folder}: {count}, {write_time(commits[0].time)} to {write_time(commits[-1].time)}"


class _Files:
    """The versions of the files that some commits hold, each read once."""

    def __init__(
        self,
        folder: str,
        commits: Sequence[Commit],
        repository: Repository,
        profile: Profile,
        problems: list[Diagnostic],
    ) -> None:
        self._profile = profile
        self._problems = problems
        first = {version: commit.id for commit in reversed(commits) for version in commit.files.items()}
        contents = repository.contents(identity for _, identity in first)
        self._files = {
            (path, identity): self._read(f"{os.path.join(folder, path)}@{commit[:_SHORT]}", contents[identity])
            for (path, identity), commit in first.items()
        }

    def joined(self, commit: Commit) -> PolicySet:
        """Return what all files of a commit hold; an object that two of them hold is complained of."""
        files = [self._files[version] for version in sorted(commit.files.items())]
        everything = PolicySet(
            tuple(policy for file in files for policy in file.written.lowered),
            tuple(document for file in files for document in file.written.documents),
        )
        found = PolicySet().applied(everything)
        if _size(found) == _size(everything):
            return found
        return self._taken(document for file in files for document in file.documents)

    def _read(self, name: str, data: bytes) -> _File:
        documents = tuple(Reader(Source(name, name, from_folder=True), self._problems, Skipped()).documents_of(data))
        return _File(documents, self._taken(documents))

    def _taken(self, documents: Iterable[Document]) -> PolicySet:
        intake = Intake(self._profile)
        for document in documents:
            intake.take(document, with_cluster=False)
        with suppress(LoadError):
            intake.finish()
        self._problems += intake.problems
        return intake.written()


def _size(written: PolicySet) -> int:
    return len(written.lowered) + len(written.documents)
