"""Units: ends as both sides of a comparison see them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ...model.addresses import Address
from ...model.cluster import Cluster
from ...model.flows import End as FlowEnd
from .results import Connectivity, End, RangeEnd, WorkloadEnd

Spans = list[tuple[Address, Address, int]]


@dataclass(frozen=True)
class Side:
    """Connectivity, and the cluster of which it was found."""

    found: Connectivity
    cluster: Cluster


@dataclass(frozen=True, slots=True)
class Unit:
    """Pods of one workload, or addresses, that neither side tells apart.

    Attributes
    ----------
    end : WorkloadEnd or RangeEnd
        What it is called; ranges are closed over addresses of the cluster.
    before, after : int or None
        Its end on each side; None where the workload is on the other side only.
    examples, others : (FlowEnd or None, FlowEnd or None)
        Whom to ask about on each side; and another of the unit, to be asked about with the first.
    """

    end: End
    before: int | None
    after: int | None
    examples: tuple[FlowEnd | None, FlowEnd | None]
    others: tuple[FlowEnd | None, FlowEnd | None] = (None, None)

    @property
    def is_workload(self) -> bool:
        """Whether it is no range."""
        return isinstance(self.end, WorkloadEnd)

    @property
    def is_single(self) -> bool:
        """Whether it is one pod, which cannot connect to another of the unit."""
        return isinstance(self.end, WorkloadEnd) and self.end.pods == 1


def units(before: Side, after: Side) -> list[Unit]:
    """Put the ends of two sides side by side: pods by their names, else by workload; ranges by address."""
    return [*_workloads(before, after), *_ranges(before.found, after.found)]


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
        second = names[1] if len(names) > 1 else None
        end = WorkloadEnd(workload, len(names), len(members[workload]), names[0], second)
        sides = ((before.found, one, here), (after.found, other, there))
        examples, others = ([_example(*side, names, position) for side in sides] for position in (0, 1))
        yield Unit(end, one, other, (examples[0], examples[1]), (others[0], others[1]))


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
