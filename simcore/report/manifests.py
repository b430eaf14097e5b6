"""Manifests as a person would write them: YAML in block style, with comments above the lines they are about."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str | int, ...]
"""Where a value is in a manifest: the keys and positions that lead there; none lead to the manifest itself."""

_WORD = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
_ADDRESS = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?")
_NOT_STRINGS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
_NUMBER_LIKE = re.compile(r"\.+([0-9_].*|inf|nan)?", re.IGNORECASE)


def manifest_yaml(value: dict[str, Any], comments: Mapping[Path, str] | None = None) -> str:
    """Write one manifest.

    Parameters
    ----------
    value : dict
        Of dicts, lists, strings, numbers, booleans and None. Keys stay in their order; strings that YAML could take
        for anything else are quoted, and those of several lines are literal blocks.
    comments : mapping of path to str, optional
        What is written above the line of a value, each of its lines behind ``# ``; above the first line where the path
        is empty.

    Returns
    -------
    str
        Lines without a ``---``; join manifests by ``---`` and a newline.

    Raises
    ------
    ValueError
        A comment is about a value that is not there.
    """
    writer = _Writer(dict(comments or {}))
    lines = [*writer.remarks((), ""), *writer.entries(value, (), "")]
    if writer.comments:
        raise ValueError(f"comments on what is not there: {sorted(map(str, writer.comments))}")
    return "".join(f"{line}\n" for line in lines)


class _Writer:
    """Writes values line by line, and takes each comment out of `comments` as it is written."""

    def __init__(self, comments: dict[Path, str]) -> None:
        self.comments = comments

    def remarks(self, path: Path, indent: str) -> Iterator[str]:
        """Write the comment on a value."""
        for line in self.comments.pop(path, "").splitlines():
            yield f"{indent}# {line}".rstrip()

    def entries(self, value: dict[str, Any], path: Path, indent: str) -> Iterator[str]:
        """Write the keys of a mapping, each with what it holds."""
        if not value:
            yield f"{indent}{{}}"
        for key, item in value.items():
            below = (*path, key)
            yield from self.remarks(below, indent)
            yield from self._entry(f"{indent}{_scalar(key)}:", item, below, indent)

    def _entry(self, head: str, item: Any, path: Path, indent: str) -> Iterator[str]:
        if isinstance(item, dict) and item:
            yield head
            yield from self.entries(item, path, f"{indent}  ")
        elif isinstance(item, list) and item:
            yield head
            yield from self._items(item, path, indent)
        else:
            yield from _written(f"{head} ", item, f"{indent}  ")

    def _items(self, value: list[Any], path: Path, indent: str) -> Iterator[str]:
        for number, item in enumerate(value):
            below = (*path, number)
            yield from self.remarks(below, indent)
            if isinstance(item, dict) and item:
                # A comment on the first key stands above the dash, which is on the same line.
                first = next(iter(item))
                yield from self.remarks((*below, first), indent)
                yield from _dashed(self.entries(item, below, f"{indent}  "), indent)
            elif isinstance(item, list) and item:
                yield from self.remarks((*below, 0), indent)
                yield from _dashed(self._items(item, below, f"{indent}  "), indent)
            else:
                yield from _written(f"{indent}- ", item, f"{indent}  ")


def _dashed(lines: Iterator[str], indent: str) -> Iterator[str]:
    """Put a dash in front of the first line of what is one item."""
    yield f"{indent}- {next(lines)[len(indent) + 2 :]}"
    yield from lines


def _written(head: str, value: Any, indent: str) -> Iterator[str]:
    """Write a value that fits behind its key or dash, or a text of several lines as a block."""
    if not isinstance(value, str) or not _is_block(value):
        yield f"{head}{_scalar(value)}"
        return
    yield f"{head}|" if value.endswith("\n") else f"{head}|-"
    for line in value.removesuffix("\n").split("\n"):
        yield f"{indent}{line}" if line else ""


def _is_block(text: str) -> bool:
    """Whether a text has several lines and a literal block says just that."""
    body = text.removesuffix("\n")
    lines = body.split("\n")
    return (
        "\n" in text
        and bool(lines[0])
        and bool(lines[-1])
        and not lines[0].startswith((" ", "\t"))
        and all(line.isprintable() or line.replace("\t", "").isprintable() for line in lines)
    )


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return value if _is_plain(value) else _quoted(value)
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return json.dumps(value)


def _quoted(text: str) -> str:
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)


def _is_plain(text: str) -> bool:
    """Whether every reader of YAML takes this for the text that it is, without quotes."""
    if _ADDRESS.fullmatch(text):
        return True
    return bool(_WORD.fullmatch(text)) and text.lower() not in _NOT_STRINGS and not _NUMBER_LIKE.fullmatch(text)
