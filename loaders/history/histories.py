"""What files say of a cluster and of its policies over time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from simcore.errors import Diagnostic
from simcore.model.cluster import Cluster, Stretch
from simcore.model.names import ALWAYS
from simcore.model.policy import Policy
from simcore.model.profile import Profile

from ..clusters.plugins import Guess
from ..manifests import Snapshot
from ..policysets import PolicySet


@dataclass(frozen=True)
class WrittenPart:
    """Policies as they were written, and where and when they held.

    Attributes
    ----------
    stretch : (int, int)
        Nanoseconds since 1970.
    written : PolicySet
    policies : tuple of Policy
        The same, lowered; sorted by name.
    cluster : Cluster
        What the policies may name.
    """

    stretch: Stretch
    written: PolicySet
    policies: tuple[Policy, ...]
    cluster: Cluster


@dataclass(frozen=True)
class History:
    """What files say of a cluster over time.

    Attributes
    ----------
    cluster : Cluster
        Everything that ever was, with the times at which it was there, as far as they are told.
    parts : tuple of WrittenPart
        The policies of all times, in order and without gaps; one part where they never change.
    moments : tuple of str
        What was loaded, a line each; empty where nothing tells a time.
    ignored : mapping of str to int
        How many objects of kinds that play no part were left out, in the snapshot that has most of them.
    diagnostics : tuple of Diagnostic
        Warnings.
    plugin : Guess or None
        The network plugin that the cluster seems to run.
    """

    cluster: Cluster
    parts: tuple[WrittenPart, ...]
    moments: tuple[str, ...] = ()
    ignored: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    diagnostics: tuple[Diagnostic, ...] = ()
    plugin: Guess | None = None

    @classmethod
    def of(cls, snapshot: Snapshot) -> History:
        """Return what one snapshot says, taken to hold at all times."""
        parts = (WrittenPart(ALWAYS, snapshot.written, snapshot.policies, snapshot.cluster),)
        return cls(snapshot.cluster, parts, (), snapshot.ignored, snapshot.diagnostics, snapshot.plugin)


def governed(
    parts: Sequence[WrittenPart],
    sets: Sequence[tuple[int, PolicySet]],
    problems: list[Diagnostic],
    *,
    profile: Profile,
) -> tuple[WrittenPart, ...]:
    """Put other policies in place of those of some parts.

    Parameters
    ----------
    parts : sequence of WrittenPart
        In order, without gaps.
    sets : sequence of (int, PolicySet)
        Each with the time (ns) from which it held, in order; the first is taken to have held before, too.
    problems : list of Diagnostic
        Written.
    profile : Profile
        How policies are read.
    """
    begins = [ALWAYS[0], *(time for time, _ in sets[1:])]
    times = sorted({*begins, *(part.stretch[0] for part in parts)})
    found = []
    for first, end in pairwise([*times, ALWAYS[1]]):
        held = parts[bisect_right(parts, first, key=lambda part: part.stretch[0]) - 1]
        written = sets[bisect_right(begins, first) - 1][1].standing_in(held.written)
        lowered = written.policies(held.cluster, problems, profile=profile)
        found.append(WrittenPart((first, end), written, lowered, held.cluster))
    return tuple(found)
