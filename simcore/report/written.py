"""Where in a file a field is written, as people and editors see it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import normpath

from ..errors import Place

_LAST_STEP = re.compile(r"([A-Za-z_$][\w$-]*)$|\[([^\[\]]*)\]$")


def repository_path(file: str) -> str:
    """Write a path as tools that look at a repository know it: without a leading ``./``."""
    return normpath(file) if file else ""


class Lines:
    """The lines of files, by the names of the files."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def at(self, place: Place) -> str | None:
        """Return the line that a place is on, without blanks behind it; None where it is not known."""
        if place.file not in self._lines:
            self._lines[place.file] = self._texts.get(place.file, "").split("\n")
        lines = self._lines[place.file]
        known = place.file in self._texts and 1 <= place.line <= len(lines)
        return lines[place.line - 1].rstrip() if known else None

    def column(self, place: Place) -> int:
        """Return the 1-based column at which a field begins: its key, else whatever its line holds first."""
        text = self.at(place) or ""
        found = _LAST_STEP.search(place.field)
        name = (found[1] or found[2]) if found else ""
        if name and not name.isdigit():
            key = re.search(rf"(?<![\w./-])[\"']?{re.escape(name)}[\"']?\s*:", text)
            if key:
                return key.start() + 1
        return len(text) - len(text.lstrip()) + 1
