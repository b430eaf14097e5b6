"""YAML text of plain values: a fraction of the language, at many times a general writer's speed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_NOT_STRINGS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}


def yaml_documents(documents: Iterable[dict[str, Any]]) -> str:
    """Write documents of dicts, lists, strings, whole numbers and booleans, each behind a ``---`` line."""
    return "".join(f"{line}\n" for document in documents for line in ("---", *_mapping(document, "")))


def _mapping(value: dict[str, Any], indent: str) -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, dict) and item:
            yield f"{indent}{_scalar(key)}:"
            yield from _mapping(item, indent + "  ")
        elif isinstance(item, list) and item:
            yield f"{indent}{_scalar(key)}:"
            yield from _sequence(item, indent + "  ")
        else:
            yield f"{indent}{_scalar(key)}: {_scalar(item)}"


def _sequence(value: list[Any], indent: str) -> Iterator[str]:
    for item in value:
        if isinstance(item, dict) and item:
            lines = _mapping(item, indent + "  ")
            yield f"{indent}- {next(lines).lstrip()}"
            yield from lines
        else:
            yield f"{indent}- {_scalar(item)}"


def _scalar(value: Any) -> str:
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_STRINGS:
        return value
    return json.dumps(value)
