"""The history of a folder in git: what each commit changed in it, and the files' bytes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from simcore.errors import LoadError, Place

from ..files import is_manifest, unpacked
from .times import SECOND

_LOG = (
    "log",
    "--first-parent",
    "-m",
    "--no-renames",
    "--raw",
    "-z",
    "--no-abbrev",
    "--relative",
    "--reverse",
    "--format=commit %H %ct",
    "--",
    ".",
)
_SAFE = ("-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "-c", "log.showRoot=true")
"""Settings of the repository that would run programs, or hide the first commit."""
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE")
"""What would lead git to another repository."""
_QUIETLY = {"GIT_OPTIONAL_LOCKS": "0", "GIT_NO_LAZY_FETCH": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
_REGULAR = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, and the manifests of the folder as it left them.

    Attributes
    ----------
    id : str
    time : int
        When it was committed (ns); never before the commit that it follows.
    files : dict of str to str
        Identities of what each file holds, by the path within the folder.
    """

    id: str
    time: int
    files: dict[str, str]


class Repository:
    """A folder in git.

    Parameters
    ----------
    folder : str
        A folder of a working tree.

    Raises
    ------
    LoadError
        It is not in git, or there is no git.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._run("rev-parse", "--is-inside-work-tree")

    def commits(self) -> Iterator[Commit]:
        """Yield the commits that changed the folder's manifests, along first parents, the oldest first.

        Raises
        ------
        LoadError
            git cannot tell.
        """
        files: dict[str, str] = {}
        head, time, is_changed = "", 0, False
        fields = iter(self._run(*_LOG).split(b"\0"))
        for field in fields:
            text = field.decode("utf-8", "replace").strip()
            if text.startswith("commit "):
                if is_changed:
                    yield Commit(head, time, dict(files))
                _, head, seconds = text.split(" ")
                time, is_changed = max(time, int(seconds) * SECOND), False
            elif text.startswith(":"):
                is_changed |= _apply(text, next(fields, b""), files)
        if is_changed:
            yield Commit(head, time, files)

    def contents(self, ids: Iterable[str]) -> dict[str, bytes]:
        """Return what files hold, by identity, unpacked.

        Raises
        ------
        LoadError
            The repository lacks one, or its packed data is damaged.
        """
        wanted = sorted(set(ids))
        data = memoryview(self._run("cat-file", "--batch", given="".join(f"{one}\n" for one in wanted).encode()))
        found: dict[str, bytes] = {}
        start = 0
        for one in wanted:
            end = bytes(data[start : start + 200]).find(b"\n") + start
            head = bytes(data[start:end]).decode().split(" ")
            if len(head) != 3 or head[1] != "blob":
                raise self._error(f"the repository lacks {one}. Fetch all of its history: git fetch --unshallow")
            start = end + 1 + int(head[2])
            try:
                found[one] = unpacked(bytes(data[end + 1 : start]))
            except OSError as error:
                raise self._error(f"{one}: {error.strerror}") from None
            start += 1
        return found

    def is_shallow(self) -> bool:
        """Whether the history was cut off when the repository was cloned."""
        return self._run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def _run(self, *words: str, given: bytes = b"") -> bytes:
        command = ("git", "--no-pager", *_SAFE, "-C", self._folder, *words)
        environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE} | _QUIETLY
        try:
            done = subprocess.run(command, input=given, capture_output=True, env=environment, check=False)
        except FileNotFoundError:
            raise self._error("there is no git to read its history with. Install it") from None
        if done.returncode:
            told = done.stderr.decode("utf-8", "replace").strip().partition("\n")[0].removeprefix("fatal: ")
            raise self._error(f"git cannot read its history: {told}")
        return done.stdout

    def _error(self, message: str) -> LoadError:
        return LoadError.at(Place(self._folder), message)


def _apply(change: str, name: bytes, files: dict[str, str]) -> bool:
    """Take over one change of a commit; return whether it is of a manifest."""
    _, mode, _, identity, *_ = change.split(" ")
    path = os.fsdecode(name)
    if not is_manifest(path):
        return False
    if mode in _REGULAR:
        files[path] = identity
        return True
    return files.pop(path, None) is not None
