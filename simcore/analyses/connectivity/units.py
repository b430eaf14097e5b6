"""Units: ends as both sides of a comparison see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...model.addresses import Address
from ...model.cluster import Cluster
from ...model.flows import End as FlowEnd
from .results import Connectivity, End, NodeEnd, RangeEnd, WorkloadEnd, is_single

Spans = list[tuple[Address, Address, int]]


@dataclass(frozen=True)
class Side:
    """Connectivity, and the cluster of which it was found."""

    found: Connectivity
    cluster: Cluster


@dataclass(frozen=True, slots=True)
class Unit:
    """Pods of one workload, nodes, or addresses, that neither side tells apart.

    Attributes
    ----------
    end : WorkloadEnd, NodeEnd or RangeEnd
        What it is called; ranges are closed over addresses of the cluster.
    before, after : int or None
        Its end on each side; None where the workload, or the nodes, are on the other side only.
    examples, others : (FlowEnd or None, FlowEnd or None)
        Whom to ask about on each side; and another of the unit, to be asked about with the first.
    homes : ((str, str), (str, str))
        On each side the nodes of both of them, which they are or run on; empty where unknown.
    home : str
        The node that it is, or on which all of its pods run; empty where there are several, or it is not known.
    """

    end: End
    before: int | None
    after: int | None
    examples: tuple[FlowEnd | None, FlowEnd | None]
    others: tuple[FlowEnd | None, FlowEnd | None] = (None, None)
    homes: tuple[tuple[str, str], tuple[str, str]] = (("", ""), ("", ""))
    home: str = ""

    @property
    def is_workload(self) -> bool:
        """Whether it is pods."""
        return isinstance(self.end, WorkloadEnd)

    @property
    def is_single(self) -> bool:
        """Whether it is one pod, or one node, which cannot connect to another of the unit."""
        return is_single(self.end)


def units(before: Side, after: Side) -> list[Unit]:
    """Put the ends of two sides side by side: pods by name, else by workload; nodes by name; ranges by address."""
    return [*_workloads(before, after), *_nodes(before.found, after.found), *_ranges(before.found, after.found)]


def _workloads(before: Side, after: Side) -> Iterator[Unit]:
    here, there = _pods(before), _pods(after)
    pairs: dict[tuple[str, int | None, int | None], list[str]] = {}
    for name, (workload, number) in here.items():
        if name in there and there[name][0] == workload:
            pairs.setdefault((workload, number, there[name][1]), []).append(name)
    _leave(pairs, here, there, is_after=False)
    _leave(pairs, there, here, is_after=True)
    members: dict[str, set[str]] = {}
    for (workload, _, _), names in pairs.items():
        members.setdefault(workload, set()).update(names)
    for (workload, one, other), names in sorted(pairs.items(), key=lambda item: (item[0][0], item[1])):
        names = _spread(names, before.cluster, after.cluster)
        second = names[1] if len(names) > 1 else None
        end = WorkloadEnd(workload, len(names), len(members[workload]), names[0], second)
        sides = ((before.found, one, here), (after.found, other, there))
        examples, others = ([_example(*side, names, position) for side in sides] for position in (0, 1))
        homes = [
            (_home(side.cluster, examples[number]), _home(side.cluster, others[number]))
            for number, side in enumerate((before, after))
        ]
        asked = [(examples[n], homes[n][0]) for n in (0, 1)] + [(others[n], homes[n][1]) for n in (0, 1)]
        distinct = {home for end, home in asked if end}
        home = distinct.pop() if len(distinct) == 1 else ""
        yield Unit(end, one, other, (examples[0], examples[1]), (others[0], others[1]), (homes[0], homes[1]), home)


def _spread(names: list[str], *clusters: Cluster) -> list[str]:
    """Put a pod of another node than the first behind it, where there is one."""
    homes = [tuple(_home(cluster, FlowEnd(pod=name)) for cluster in clusters) for name in names]
    number = next((n for n, home in enumerate(homes) if home != homes[0]), None)
    return names if number is None else [names[0], names[number], *names[1:number], *names[number + 1 :]]


def _home(cluster: Cluster, end: FlowEnd | None) -> str:
    number = cluster.pod_numbers.get(end.pod or "") if end else None
    return "" if number is None else cluster.pods[number].node


def _pods(side: Side) -> dict[str, tuple[str, int]]:
    """Return workload and end of each pod, by name."""
    ends = side.found.ends
    return {
        pod.full_name: (end.workload, number)
        for pod, number in zip(side.cluster.pods, side.found.end_of_pod.tolist(), strict=True)
        if number >= 0 and isinstance(end := ends[number], WorkloadEnd)
    }


def _leave(
    pairs: dict[tuple[str, int | None, int | None], list[str]],
    pods: dict[str, tuple[str, int]],
    others: dict[str, tuple[str, int]],
    *,
    is_after: bool,
) -> None:
    """Enter the pods that are on one side only: as others of their end, or beside what the workload is over there."""
    place = 2 if is_after else 1
    known = {(key[0], key[place]) for key in pairs}
    elsewhere: dict[str, set[int]] = {}
    for workload, number in others.values():
        elsewhere.setdefault(workload, set()).add(number)
    for name, (workload, number) in pods.items():
        if (others.get(name) or ("",))[0] == workload or (workload, number) in known:
            continue
        for other in (*sorted(elsewhere.get(workload, ())),) or (None,):
            key = (workload, other, number) if is_after else (workload, number, other)
            pairs.setdefault(key, []).append(name)


def _example(
    found: Connectivity, number: int | None, pods: dict[str, tuple[str, int]], names: list[str], position: int
) -> FlowEnd | None:
    """Return the first or the second of some pods that are there on a side, else one of the end's own."""
    if number is None:
        return None
    end = found.ends[number]
    assert isinstance(end, WorkloadEnd)
    there = [name for name in names[:2] if pods.get(name, ("", -1))[1] == number]
    own = [name for name in (end.example, end.second) if name and name not in there]
    known = [*there, *own]
    return FlowEnd(pod=known[position]) if position < len(known) else None


def _nodes(before: Connectivity, after: Connectivity) -> Iterator[Unit]:
    """Yield nodes that are on both sides; of those on one side, the ones that are unlike any of the others."""
    here, there = _numbers(before), _numbers(after)
    known = {(here.get(name), there.get(name)) for name in here.keys() & there.keys()}
    found: dict[tuple[int | None, int | None], list[str]] = {}
    for name in sorted(here.keys() | there.keys()):
        pair = here.get(name), there.get(name)
        if None not in pair or not any(pair[0] == one or pair[1] == other for one, other in known):
            found.setdefault(pair, []).append(name)
    for (one, other), names in found.items():
        ends = [None if number is None else side.ends[number] for side, number in ((before, one), (after, other))]
        parts = [end.only(names) if isinstance(end, NodeEnd) else None for end in ends]
        end = parts[1] or parts[0]
        assert end is not None
        examples, others = ([_node_example(part, position) for part in parts] for position in (0, 1))
        homes = (names[0], names[1] if len(names) > 1 else "")
        yield Unit(
            end,
            one,
            other,
            (examples[0], examples[1]),
            (others[0], others[1]),
            (homes, homes),
            names[0] if len(names) == 1 else "",
        )


def _numbers(found: Connectivity) -> dict[str, int]:
    """Return the end of each node, by name."""
    return {name: number for number, end in enumerate(found.ends) if isinstance(end, NodeEnd) for name in end.nodes}


def _node_example(end: NodeEnd | None, position: int) -> FlowEnd | None:
    return FlowEnd(address=end.addresses[position][0]) if end and position < len(end.nodes) else None


def _ranges(before: Connectivity, after: Connectivity) -> Iterator[Unit]:
    found: dict[tuple[int, int], list[tuple[Address, Address]]] = {}
    here, there = _spans(before), _spans(after)
    place = other = 0
    while place < len(here) and other < len(there):
        (first, last, number), (start, end, opposite) = here[place], there[other]
        if max(first, start) <= min(last, end):
            ranges = found.setdefault((number, opposite), [])
            low, high = max(first, start), min(last, end)
            if ranges and (ranges[-1][1].family, ranges[-1][1].value + 1) == (low.family, low.value):
                low = ranges.pop()[0]
            ranges.append((low, high))
        if last <= end:
            place += 1
        if end <= last:
            other += 1
    for (number, opposite), ranges in found.items():
        example = FlowEnd(address=_free(before, after, number, opposite, ranges[0][0]))
        yield Unit(RangeEnd(tuple(ranges), ranges[0][0]), number, opposite, (example, example))


def _spans(found: Connectivity) -> Spans:
    return sorted((first, last, number) for number, spans in found.spans.items() for first, last in spans)


def _free(before: Connectivity, after: Connectivity, number: int, opposite: int, otherwise: Address) -> Address:
    """Return an address that both ends hold, and nobody of the cluster has."""
    here, there = before.ends[number], after.ends[opposite]
    assert isinstance(here, RangeEnd) and isinstance(there, RangeEnd)
    for first, last in here.ranges:
        for start, end in there.ranges:
            if max(first, start) <= min(last, end):
                return max(first, start)
    return otherwise
