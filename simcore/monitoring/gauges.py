"""Gauges: what does not follow from single flows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..analyses.judging import judge_flows
from ..analyses.prepared import Policies
from ..analyses.sizing.cases import Sizing
from ..analyses.sizing.sizes import FLEET
from ..model.addresses import Address
from ..model.cluster import Cluster, Pod
from ..model.conntrack import SECOND
from ..model.flows import End, Flow, Reason
from ..model.policy import Direction, Policy
from ..model.ports import TCP
from ..model.profile import Profile
from ..model.timeline import PolicyHistory
from .metrics import ENTRIES, LIMIT, NOT_ENFORCED, WITHOUT_DENY, Labels, Values

_PROBE = "new"
"""Name of the pod that is asked about; there is no other."""
_NOWHERE = Address.parse("240.0.0.1")
"""An address that nothing is at and no rule has reason to name."""


def without_default_deny(
    cluster: Cluster, policies: Policies, profile: Profile, time: int
) -> dict[tuple[str, Direction], bool]:
    """Tell of each namespace and direction whether a new pod without labels would be open.

    Parameters
    ----------
    cluster : Cluster
    policies : sequence of Policy or PolicyHistory
        Of a history, those of the time.
    profile : Profile
    time : int
        ns; which pods and nodes are there.
    """
    held: tuple[Policy, ...] = tuple(policies.at(time) if isinstance(policies, PolicyHistory) else policies)
    names = sorted(cluster.namespaces)
    probes = [Pod(name, _PROBE, {}) for name in names]
    with_probes = replace(cluster.at(time), pods=tuple(probes), services=(), identities={})
    ways = [(name, direction) for name in names for direction in Direction]
    flows = [_flow(End(pod=f"{name}/{_PROBE}"), direction) for name, direction in ways]
    judged = judge_flows(with_probes, held, flows, profile)
    open_for = (Reason.NOT_ISOLATED, Reason.NOT_ENFORCED)
    return {way: judgement.outcome(way[1]).reason in open_for for way, judgement in zip(ways, judged, strict=True)}


def _flow(probe: End, direction: Direction) -> Flow:
    outside = End(_NOWHERE)
    ends = (probe, outside) if direction is Direction.EGRESS else (outside, probe)
    return Flow(*ends, TCP, 1)


def policy_gauges(
    open_ways: Mapping[tuple[str, Direction], bool], not_enforced: Mapping[str, int], samples: int
) -> Values:
    """Make the gauges of namespaces and of policies that have no effect: the same at all times."""
    return {
        WITHOUT_DENY.name: {
            (name, direction.word): np.full(samples, float(is_open)) for (name, direction), is_open in open_ways.items()
        },
        NOT_ENFORCED.name: {(kind,): np.full(samples, float(number)) for kind, number in not_enforced.items()},
    }


def conntrack_gauges(sizing: Sizing, times: NDArray[np.int64]) -> Values:
    """Make the gauges of connection tracking at some times, in seconds since 1970.

    An entry that was allocated and freed between two samples is not seen, as by node_exporter; a bin of `Sizing` tells
    its most, which stands for all of its samples.
    """
    case, curves = sizing.final, sizing.final.curves
    at = np.searchsorted(curves.times, times * SECOND, "right") - 1
    entries: dict[Labels, NDArray[np.float64]] = {}
    for (node, _), values in zip(curves.names, curves.allocated, strict=True):
        if node != FLEET:
            entries[(node,)] = np.where(at < 0, 0.0, np.ceil(values[np.maximum(at, 0)]))
    limits: dict[Labels, NDArray[np.float64]] = {
        (table.node,): np.full(times.size, float(table.current.entries)) for table in case.tables
    }
    return {ENTRIES.name: {labels: entries[labels] for labels in limits}, LIMIT.name: limits}
