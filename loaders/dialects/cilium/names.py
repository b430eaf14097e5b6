"""Domain names and patterns of them (CI-31)."""

from __future__ import annotations

import re

from simcore.model.agent import CiliumAgent

from ..fields import Field

_NAME = re.compile(r"[-a-zA-Z0-9_.]+")
_PATTERN = re.compile(r"[-a-zA-Z0-9_.*]+")
_MOST_CHARACTERS = 255
_ANY_LABELS, _WITHIN_LABEL = r"(?:[-a-z0-9_]+\.)+", "[-a-z0-9_]*"
EVERY_NAME = ".*"
_WHOLE_LABELS = (1, 19)
"""The version from which ``**.`` stands for whole labels."""
_UNWRITTEN = "either matchName or matchPattern is required"


def read_name(item: Field, *, needed: bool) -> tuple[str, str] | None:
    """Read ``matchName`` or ``matchPattern``: the pattern as it is to be made a regular expression, and as written.

    Parameters
    ----------
    needed : bool
        One of both must be there.
    """
    entry = item.mapping(("matchName", "matchPattern"), {"name": "Did you mean matchName?"})
    name, pattern = entry.get("matchName").text(), entry.get("matchPattern").text()
    if name and pattern:
        item.error("only one of MatchName or MatchPattern is allowed in one item. Make an item of each")
        return None
    if not name and not pattern:
        if needed:
            item.error(f"{_UNWRITTEN}: without it the item says nothing")
        else:
            item.warn(f"{_UNWRITTEN}: without it the item matches nothing")
        return None
    _check(entry, name or "", pattern or "")
    return name or pattern or "", name or pattern or ""


def _check(entry: Field, name: str, pattern: str) -> None:
    text = name or pattern
    key, word, known = ("matchName", "MatchName", _NAME) if name else ("matchPattern", "MatchPattern", _PATTERN)
    if not known.fullmatch(text) or ".." in text or text.startswith("."):
        entry.error(
            f"Invalid characters in {word}: {text!r}. Names take letters, digits, '-' and '_' between single dots"
            + ("" if name else ", and patterns '*' as well"),
            key,
        )
    if len(text) > _MOST_CHARACTERS:
        entry.error(f"{len(text)} characters; names and patterns have at most {_MOST_CHARACTERS} characters", key)


def name_regex(text: str, agent: CiliumAgent) -> str:
    """Write a name or a pattern as a regular expression that matches names in lower case, without last dot."""
    plain = text.lower().removesuffix(".")
    if plain and not plain.strip("*"):
        return EVERY_NAME
    start = ""
    if plain.startswith("**.") and agent.version >= _WHOLE_LABELS:
        start, plain = _ANY_LABELS, plain.removeprefix("**.")
    return start + _WITHIN_LABEL.join(map(re.escape, re.split(r"\*+", plain)))
