"""What a snapshot tells of itself: when it was taken, and what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

PREFIX = "flowverdict.dev/"
TAKEN_AT = f"{PREFIX}taken-at"
"""RFC 3339, in UTC: the moment whose objects a snapshot holds."""
MISSING = f"{PREFIX}missing"
"""Resources that could not be listed, such as ``pods, networkpolicies.networking.k8s.io``."""
NAMESPACES = f"{PREFIX}namespaces"
"""How many namespaces were asked for, where it was not all of them."""


@dataclass(slots=True)
class Notes:
    """Annotations of a snapshot's ``List``, and metadata of a snapshot in Parquet.

    Attributes
    ----------
    taken_at : str
        Empty where it is not told.
    missing : list of str
        Resources that could not be listed.
    namespaces : int
        How many namespaces were asked for; 0 where it was all of them.
    """

    taken_at: str = ""
    missing: list[str] = field(default_factory=list)
    namespaces: int = 0

    @classmethod
    def of(cls, annotations: Mapping[str, object]) -> Notes:
        """Read annotations; what is not ours is passed over."""
        told = {key: value for key, value in annotations.items() if isinstance(value, str)}
        count = told.get(NAMESPACES, "")
        missing = [name.strip() for name in told.get(MISSING, "").split(",")]
        return cls(
            told.get(TAKEN_AT, ""),
            [name for name in missing if name],
            int(count) if count.isascii() and count.isdigit() else 0,
        )

    def annotations(self) -> dict[str, str]:
        """Write them as annotations."""
        found = {
            TAKEN_AT: self.taken_at,
            MISSING: ", ".join(self.missing),
            NAMESPACES: str(self.namespaces) if self.namespaces else "",
        }
        return {key: text for key, text in found.items() if text}

    def warnings(self) -> list[str]:
        """Say what judging by such a snapshot should know."""
        found = []
        if self.missing:
            found.append(
                f"this snapshot lacks what could not be listed when it was taken: {', '.join(self.missing)}. "
                "Verdicts that depend on these may be wrong"
            )
        if self.namespaces:
            of = "one namespace" if self.namespaces == 1 else f"{self.namespaces:,} namespaces"
            found.append(f"this snapshot is of {of} only: pods and policies of the others are not in it")
        return found
