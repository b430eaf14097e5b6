"""Rules that many workloads of a namespace have alike, as one policy for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from ...model.cluster import WorkloadRef
from ...model.policy import Direction
from ...model.ports import PortRange
from ..proposals import NOTHING_SEEN, BlockPeer, Labels, PodPeer, ProposedPeer, ProposedPolicy, ProposedRule
from ..rules.building import Group

FEWEST = 3
"""Workloads that share a rule before it has a policy of its own."""

_Key = tuple[Direction, tuple[PodPeer | BlockPeer, ...], tuple[PortRange, ...]]


def shared(
    namespace: str, groups: Sequence[Group], workloads: Sequence[WorkloadRef]
) -> tuple[list[ProposedPolicy], list[Group]]:
    """Take out of the groups of one namespace the rules that many of them share.

    The policies of such rules select the same pods: all of the namespace where each of its workloads has the rule, else
    those whose one label has one of several values. Where no such selector is, nothing is taken out.

    Parameters
    ----------
    workloads : sequence of WorkloadRef
        All of the namespace.
    """
    alike: dict[_Key, list[Group]] = defaultdict(list)
    for group in groups:
        for direction, rules in group.rules.items():
            for rule in rules:
                alike[_key(direction, rule)].append(group)
    policies, taken = [], set()
    for key, sharing in alike.items():
        pods = _selecting(sharing, workloads)
        if len(sharing) >= FEWEST and pods is not None:
            policies.append(_policy(namespace, key, sharing, pods))
            taken.add(key)
    return policies, [left for group in groups if (left := _without(group, taken)).rules]


def _key(direction: Direction, rule: ProposedRule) -> _Key:
    return direction, tuple(peer.peer for peer in rule.peers), rule.ports


def _selecting(groups: Sequence[Group], workloads: Sequence[WorkloadRef]) -> Labels | None:
    """Return labels that select the pods of some groups and nobody else's."""
    if {workload for group in groups for workload in group.workloads} >= set(workloads):
        return ()
    labels = [group.subject.labels for group in groups]
    keys = {tuple(key for key, _ in each) for each in labels}
    if len(keys) > 1 or len(next(iter(keys))) != 1:
        return None
    values = {value for ((_, several),) in labels for value in several}
    return ((labels[0][0][0], tuple(sorted(values))),)


def _policy(namespace: str, key: _Key, groups: Sequence[Group], pods: Labels) -> ProposedPolicy:
    direction = key[0]
    alike = [rule for group in groups for rule in group.rules[direction] if _key(direction, rule) == key]
    peers = tuple(
        replace(peer, evidence=sum((rule.peers[number].evidence for rule in alike), NOTHING_SEEN))
        for number, peer in enumerate(alike[0].peers)
    )
    who = "Every workload" if not pods else ", ".join(str(workload) for group in groups for workload in group.workloads)
    deed = "accept these connections" if direction is Direction.INGRESS else "open these connections"
    remark = f"{who} of this namespace was seen to {deed}." if not pods else f"Seen to {deed}: {who}."
    rules = {direction: (replace(alike[0], peers=peers),)}
    return ProposedPolicy(namespace, _name(direction, peers), pods, rules, (remark,))


def _name(direction: Direction, peers: Sequence[ProposedPeer]) -> str:
    word = "from" if direction is Direction.INGRESS else "to"
    first = peers[0]
    if isinstance(first.peer, BlockPeer):
        return f"allow-{word}-addresses"
    return f"allow-{word}-{first.who[0].rpartition('/')[2] if first.who else 'pods'}"


def _without(group: Group, taken: set[_Key]) -> Group:
    rules = {
        direction: kept
        for direction, found in group.rules.items()
        if (kept := tuple(rule for rule in found if _key(direction, rule) not in taken))
    }
    return replace(group, rules=rules)
