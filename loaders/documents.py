"""Kubernetes objects as documents that know their file, their number in it and their lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from simcore.errors import Place

from .json_source import JsonValue, StoredValue
from .paths import Path, path_text
from .yaml_source import YamlValue

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """One Kubernetes object as it was written.

    Attributes
    ----------
    file : str
        Path as the user gave it; ``<stdin>`` for standard input.
    number : int
        1-based number of the object in the file, the items of a list counted one by one; 0 where it has a name instead.
    api_version, kind : str
        What the object says it is; for an item of a list that says nothing, what the list implies.
    """

    file: str
    number: int
    api_version: str
    kind: str
    body: YamlValue | JsonValue

    @property
    def group(self) -> str:
        """API group; the core group is the empty text."""
        return self.api_version.rpartition("/")[0]

    @property
    def value(self) -> object:
        """The object as plain dicts and lists."""
        return self.body.value

    def decode(self, wanted: type[T]) -> T:
        """Decode the fields that a msgspec structure names.

        Raises
        ------
        msgspec.ValidationError
            A field has another type; the message names the first such field.
        """
        if isinstance(self.body, JsonValue):
            return msgspec.json.decode(self.body.raw, type=wanted)
        return msgspec.convert(self.body.value, wanted)

    def repeated_keys(self) -> list[Path]:
        """Return the keys that one JSON object holds twice; YAML was checked when it was read."""
        return self.body.repeated_keys() if isinstance(self.body, JsonValue) else []

    def place(self, path: Path = (), field: str | None = None) -> Place:
        """Return where a field is written; `field` overrides how it is named."""
        line = self.body.line_of(path) if path else self.body.first_line
        told = path_text(path) if field is None else field
        if isinstance(self.body, StoredValue):
            told = f"object {self.body.name}, {told}" if told else f"object {self.body.name}"
        return Place(self.file, self.number, line, told)
