"""NetworkPolicies that are proposed: what they say, and what was seen that speaks for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..model.addresses import Cidr
from ..model.labels import LabelSelector, Operator, Requirement
from ..model.policy import Direction
from ..model.ports import PortRange

Labels = tuple[tuple[str, tuple[str, ...]], ...]
"""Keys of labels and the values of each that are meant; no key at all means every pod."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Flows that speak for a rule.

    Attributes
    ----------
    flows : int
    first, last : int or None
        When the first and the last of them began, nanoseconds since 1970.
    """

    flows: int
    first: int | None = None
    last: int | None = None

    def __add__(self, other: Evidence) -> Evidence:
        """Count both."""
        firsts = [time for time in (self.first, other.first) if time is not None]
        lasts = [time for time in (self.last, other.last) if time is not None]
        return Evidence(self.flows + other.flows, min(firsts, default=None), max(lasts, default=None))


NOTHING_SEEN = Evidence(0)


@dataclass(frozen=True, slots=True, order=True)
class PodPeer:
    """Pods by namespace and labels; an empty namespace means every namespace."""

    namespace: str
    labels: Labels = ()


@dataclass(frozen=True, slots=True, order=True)
class BlockPeer:
    """Addresses by block."""

    cidr: Cidr
    excluded: tuple[Cidr, ...] = ()


@dataclass(frozen=True, slots=True)
class ProposedPeer:
    """One peer of a rule.

    Attributes
    ----------
    who : tuple of str
        Whom it stands for: workloads, or addresses that were seen.
    remark : str
        What else is to be known of it.
    """

    peer: PodPeer | BlockPeer
    who: tuple[str, ...] = ()
    evidence: Evidence = NOTHING_SEEN
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ProposedRule:
    """A rule: any of its peers, on any of its ports; no peer means everybody, no port means all."""

    peers: tuple[ProposedPeer, ...]
    ports: tuple[PortRange, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class ProposedPolicy:
    """A NetworkPolicy.

    Attributes
    ----------
    pods : Labels
        The pods of its namespace that it selects.
    rules : mapping of Direction to tuple of ProposedRule
        For each direction that it isolates, what it allows.
    remarks : tuple of str
        What it is for, a line each.
    """

    namespace: str
    name: str
    pods: Labels
    rules: Mapping[Direction, tuple[ProposedRule, ...]] = field(hash=False)
    remarks: tuple[str, ...] = ()

    @property
    def selector(self) -> LabelSelector:
        """The selector of its pods."""
        return selector_of(self.pods)

    def renamed(self, name: str) -> ProposedPolicy:
        """Return it under another name."""
        return replace(self, name=name)


def selector_of(labels: Labels) -> LabelSelector:
    """Return the selector that labels stand for."""
    return LabelSelector.of(*(Requirement(key, Operator.IN, frozenset(values)) for key, values in labels))
