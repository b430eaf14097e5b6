"""Rules: the one ordered list that every dialect is lowered to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ..errors import Place
from .peers import PeerSet
from .ports import PortSet


class Action(StrEnum):
    """What a matching rule does."""

    ALLOW = "allow"
    DENY = "deny"
    PASS = "pass"


class Direction(IntEnum):
    """Whose side a rule guards: egress the initiator's, ingress the responder's."""

    EGRESS = 0
    INGRESS = 1

    @property
    def word(self) -> str:
        """The direction as it is written in a policy's fields."""
        return self.name.lower()


class Role(StrEnum):
    """Whether a rule was written out, or stands for the isolation that a policy brings along."""

    WRITTEN = "written"
    ISOLATION = "isolation"


@dataclass(frozen=True, slots=True, order=True)
class PolicyRef:
    """The name of a policy: ``NetworkPolicy shop/web``."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Write as ``Kind namespace/name``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the ordered list: what it does to traffic between its subject and its peer.

    Attributes
    ----------
    policy : PolicyRef
        The policy it belongs to.
    index : int
        0-based number among the policy's written rules of this direction; -1 for isolation.
    tier : str
        The profile says which tier comes first.
    order : tuple
        Position within the tier, lowest first.
    certain : bool
        False: it may match, we cannot tell.
    """

    policy: PolicyRef
    index: int
    direction: Direction
    subject: PeerSet
    peer: PeerSet
    ports: PortSet
    action: Action
    tier: str
    order: tuple[int | str, ...]
    place: Place
    role: Role = Role.WRITTEN
    certain: bool = True

    def __str__(self) -> str:
        """Write as ``NetworkPolicy shop/web ingress[0]``."""
        part = (
            f"{self.direction.word}[{self.index}]" if self.role is Role.WRITTEN else f"{self.direction.word} isolation"
        )
        return f"{self.policy} {part}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as written: its name, its place and the rules it is lowered to."""

    ref: PolicyRef
    rules: tuple[Rule, ...]
    place: Place
