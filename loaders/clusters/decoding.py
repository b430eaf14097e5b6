"""Decodes cluster objects and puts decoding errors into our words."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

from simcore.errors import Diagnostic, Severity

from ..documents import Document
from ..paths import Path
from .objects import Object

T = TypeVar("T", bound=Object)
_MISMATCH = re.compile(r"Expected `(?P<wanted>[^`]+)`, got `(?P<got>[^`]+)`")
_WHERE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|(\[\.\.\.\])")
_SCALARS = ("int", "float", "bool")
_WORDS = {
    "str": "text",
    "int": "a whole number",
    "bool": "true or false",
    "object": "a mapping",
    "array": "a list",
    "float": "a number",
    "null": "nothing",
}


def decode(document: Document, wanted: type[T], problems: list[Diagnostic]) -> T | None:
    """Decode an object; None, and a diagnostic for what is wrong, where a field has another type."""
    try:
        return document.decode(wanted)
    except msgspec.ValidationError as error:
        problems += _diagnostics(document, str(error))
    return None


def _diagnostics(document: Document, text: str) -> list[Diagnostic]:
    match = _WHERE.search(text)
    path, in_map = _path(match["path"] if match else "")
    message = _message(text)
    if in_map:
        entries = _look_up(document.value, path)
        wrong = [key for key, value in entries.items() if not isinstance(value, str | None)]
        paths = [(*path, key) for key in wrong]
    else:
        paths = [path]
    return [Diagnostic(Severity.ERROR, document.place(path), message) for path in paths]


def _path(text: str) -> tuple[Path, bool]:
    """Read a path the way msgspec writes it, and whether it ends in some value of a mapping."""
    steps: list[str | int] = []
    for name, position, anything in _STEP.findall(text):
        if anything:
            return tuple(steps), True
        steps.append(int(position) if position else name)
    return tuple(steps), False


def _look_up(value: object, path: Path) -> dict[str, object]:
    for step in path:
        value = value[step]  # type: ignore[index]
    return value if isinstance(value, dict) else {}


def _message(text: str) -> str:
    if match := _MISMATCH.search(text):
        wanted = [_WORDS.get(word, word) for word in match["wanted"].split(" | ") if word != "null"]
        hint = ". Write it in quotes" if wanted == ["text"] and match["got"] in _SCALARS else ""
        return f"expected {' or '.join(wanted)}, got {_WORDS.get(match['got'], match['got'])}{hint}"
    if "missing required field" in text:
        return _WHERE.sub("", text).replace("Object missing required field", "this needs the field")
    return _WHERE.sub("", text)
