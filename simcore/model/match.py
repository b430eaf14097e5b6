"""Whether a part of a rule holds for a flow."""

from __future__ import annotations

from enum import IntEnum


class Match(IntEnum):
    """Whether a part of a rule holds for a flow; the least of its parts is the rule's own."""

    NO = 0
    MAYBE = 1
    YES = 2

    @property
    def word(self) -> str:
        """The answer in lower case."""
        return self.name.lower()
