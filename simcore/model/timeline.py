"""A cluster and its policies over time, put together of what was seen at single moments."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import count, pairwise
from typing import Generic, TypeVar, overload

from .addresses import Address
from .cluster import Cluster, Namespace, Node, Pod, Service, Stretch
from .names import ALWAYS, KnownNames, united
from .policy import Policy

_K = TypeVar("_K")
_T = TypeVar("_T")
_Object = TypeVar("_Object", Pod, Node, Service)

Stretches = tuple[Stretch, ...]
BEGIN, END = ALWAYS


@dataclass(frozen=True)
class Instant:
    """What was seen at one moment.

    Attributes
    ----------
    time : int
        Nanoseconds since 1970.
    cluster : Cluster
        Its `lives` are what the objects themselves tell of when they came and when they went, if they do.
    policies : tuple of Policy, or None
        None: of policies nothing was seen.
    """

    time: int
    cluster: Cluster
    policies: tuple[Policy, ...] | None = None


@dataclass(frozen=True)
class PolicyHistory(Sequence[tuple[Stretch, tuple[Policy, ...]]]):
    """The policies of all times: each set with the stretch of time in which it held.

    Attributes
    ----------
    parts : tuple of ((int, int), tuple of Policy)
        In order, without gaps, from the beginning of `ALWAYS` to its end.

    Raises
    ------
    ValueError
        The stretches leave a gap, or overlap.
    """

    parts: tuple[tuple[Stretch, tuple[Policy, ...]], ...]

    def __post_init__(self) -> None:
        """Hold the stretches against each other."""
        edges = [BEGIN, *(edge for stretch, _ in self.parts for edge in stretch), END]
        is_whole = all(before == after for before, after in zip(edges[::2], edges[1::2], strict=True))
        if not self.parts or not is_whole or any(first >= end for (first, end), _ in self.parts):
            raise ValueError("the stretches of a history of policies are to follow each other without gaps")

    @classmethod
    def of(cls, changes: Iterable[tuple[int, Sequence[Policy]]]) -> PolicyHistory:
        """Make the history of sets that held from a time on (ns), each until the next; the first one also before."""
        found: list[tuple[int, tuple[Policy, ...]]] = []
        for time, policies in sorted(changes, key=lambda change: change[0]):
            if found and found[-1][0] == time:
                found.pop()
            if not found or found[-1][1] != tuple(policies):
                found.append((time, tuple(policies)))
        edges = [BEGIN, *(time for time, _ in found[1:]), END]
        return cls(tuple((stretch, held) for stretch, (_, held) in zip(pairwise(edges), found, strict=True)))

    @classmethod
    def constant(cls, policies: Sequence[Policy]) -> PolicyHistory:
        """Return the history of policies that always held."""
        return cls(((ALWAYS, tuple(policies)),))

    @overload
    def __getitem__(self, index: int) -> tuple[Stretch, tuple[Policy, ...]]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[tuple[Stretch, tuple[Policy, ...]]]: ...

    def __getitem__(
        self, index: int | slice
    ) -> tuple[Stretch, tuple[Policy, ...]] | Sequence[tuple[Stretch, tuple[Policy, ...]]]:
        """Return one part, or some."""
        return self.parts[index]

    def __len__(self) -> int:
        """Tell how many parts there are."""
        return len(self.parts)

    def at(self, time: int) -> tuple[Policy, ...]:
        """Return the policies that held at a time (ns)."""
        return self.parts[bisect_right(self._begins, time) - 1][1]

    def during(self, first: int, last: int) -> PolicyHistory:
        """Return the history of the times from one to another (ns), as if nothing had changed before and after."""
        held = [(begin, policies) for (begin, end), policies in self.parts if begin <= last and first < end]
        return PolicyHistory.of(held)

    def changed(self, change: Callable[[tuple[Policy, ...]], Sequence[Policy]]) -> PolicyHistory:
        """Return the history with every set changed."""
        return PolicyHistory(tuple((stretch, tuple(change(policies))) for stretch, policies in self.parts))

    @cached_property
    def _begins(self) -> list[int]:
        return [first for (first, _), _ in self.parts]


@dataclass(frozen=True)
class Timeline:
    """A cluster over time, and its policies over time where they are known."""

    cluster: Cluster
    policies: PolicyHistory | None = None

    @classmethod
    def of(cls, instants: Iterable[Instant]) -> Timeline:
        """Put together what was seen at single moments.

        What was seen at one moment held until the next one, the first also before, and the last also afterwards. What
        objects tell of when they came and went corrects this; so does another that came in the meantime by the same
        name, or with the same address.

        Raises
        ------
        ValueError
            There is no instant.
        """
        order = sorted(instants, key=lambda instant: instant.time)
        if not order:
            raise ValueError("a timeline is made of at least one instant")
        told = [(instant.time, instant.policies) for instant in order if instant.policies is not None]
        policies = PolicyHistory.of(told) if told else None
        return cls(order[0].cluster if len(order) == 1 else _folded(order), policies)


def over_time(
    namespaces: Iterable[tuple[Namespace, Stretches]],
    pods: Iterable[tuple[Pod, Stretches]],
    nodes: Iterable[tuple[Node, Stretches]] = (),
    services: Iterable[tuple[Service, Stretches]] = (),
    accounts: Iterable[tuple[tuple[str, str], Mapping[str, str], Stretches]] = (),
) -> Cluster:
    """Make the cluster of objects that were there at times; equal ones of a name become one.

    Pods are cut where the labels of their namespace or of their service account change; that of the last labels is the
    one that the cluster names. A namespace or account is taken to have had its first labels before, and to have kept
    them while nothing is told.
    """
    spaces = _versions((space.name, space.labels, times) for space, times in namespaces)
    owned = _versions(accounts)
    cut = (piece for pod, times in pods for piece in _cut(pod, times, spaces, owned))
    held, lives = _merged(cut, lambda pod: (pod.namespace, pod.name))
    found_nodes, node_lives = _merged(nodes, lambda node: ("", node.name))
    found_services, service_lives = _merged(services, lambda service: (service.namespace, service.name))
    cluster = Cluster.of(
        [Namespace(name, versions[-1][1]) for name, versions in spaces.items()],
        held,
        found_nodes,
        found_services,
        {key: versions[-1][1] for key, versions in owned.items()},
    )
    return replace(cluster, lives=lives, node_lives=node_lives, service_lives=service_lives)


_Versions = list[tuple[int, Mapping[str, str]]]
"""Labels, each set from a time on."""


def _versions(told: Iterable[tuple[_K, Mapping[str, str], Stretches]]) -> dict[_K, _Versions]:
    """Collect the labels of each key in order of time."""
    found: dict[_K, _Versions] = {}
    for key, labels, times in told:
        found.setdefault(key, []).extend((first, labels) for first, _ in times)
    return {key: _changes(sorted(versions, key=lambda version: version[0])) for key, versions in found.items()}


def _changes(versions: _Versions) -> _Versions:
    found: _Versions = []
    for time, labels in versions:
        if not found or found[-1][1] != labels:
            found.append((time, labels))
    return found


def _cut(
    pod: Pod, times: Stretches, spaces: Mapping[str, _Versions], owned: Mapping[tuple[str, str], _Versions]
) -> Iterator[tuple[Pod, Stretches]]:
    """Cut a pod where the labels around it change."""
    of_space = spaces.get(pod.namespace, []) if pod.namespace_labels is None else []
    of_account = owned.get((pod.namespace, pod.account), []) if pod.account_labels is None else []
    if len(of_space) < 2 and len(of_account) < 2:
        yield pod, times
        return
    edges = sorted({BEGIN, END, *(time for time, _ in of_space[1:]), *(time for time, _ in of_account[1:])})
    for first, end in pairwise(edges):
        within = within_stretch(times, (first, end))
        if within:
            yield (
                replace(
                    pod,
                    namespace_labels=_then(of_space, first) if of_space else pod.namespace_labels,
                    account_labels=_then(of_account, first) if of_account else pod.account_labels,
                ),
                within,
            )


def _then(versions: _Versions, time: int) -> Mapping[str, str] | None:
    """Return the labels of a time; None where they are the last ones, which are the cluster's."""
    labels = versions[max(bisect_right([begin for begin, _ in versions], time) - 1, 0)][1]
    return None if labels == versions[-1][1] else labels


def within_stretch(times: Stretches, stretch: Stretch) -> Stretches:
    """Return what of some stretches of time lies within one."""
    cut = ((max(first, stretch[0]), min(end, stretch[1])) for first, end in times)
    return tuple((first, end) for first, end in cut if first < end)


def _merged(
    told: Iterable[tuple[_T, Stretches]], name_of: Callable[[_T], tuple[str, str]]
) -> tuple[list[_T], dict[int, Stretches]]:
    """Unite the times of equal objects; return them by name and time, and when each was there by position."""
    by_name: dict[tuple[str, str], list[tuple[_T, list[Stretch]]]] = {}
    for one, times in told:
        versions = by_name.setdefault(name_of(one), [])
        same = next((held for other, held in reversed(versions) if other is one or other == one), None)
        if same is not None:
            same.extend(times)
        else:
            versions.append((one, list(times)))
    found: list[tuple[_T, Stretches]] = []
    for _, versions in sorted(by_name.items(), key=lambda item: item[0]):
        lived = ((one, united(times)) for one, times in versions)
        found += sorted((pair for pair in lived if pair[1]), key=lambda pair: pair[1])
    return (
        [one for one, _ in found],
        {number: times for number, (_, times) in enumerate(found) if times != (ALWAYS,)},
    )


def _folded(instants: Sequence[Instant]) -> Cluster:
    """Make one cluster of several instants, in order of time."""
    edges = [BEGIN, *(instant.time for instant in instants[1:]), END]
    windows = list(pairwise(edges))
    clusters = [instant.cluster for instant in instants]
    seen = list(zip(clusters, windows, strict=True))
    cluster = over_time(
        [(space, (window,)) for one, window in seen for space in one.namespaces.values()],
        _lived([_Seen.of(at.time, at.cluster.pods, at.cluster.lives) for at in instants]),
        _lived([_Seen.of(at.time, at.cluster.nodes, at.cluster.node_lives) for at in instants]),
        _lived([_Seen.of(at.time, at.cluster.services, at.cluster.service_lives) for at in instants]),
        [(key, labels, (window,)) for one, window in seen for key, labels in one.accounts.items()],
    )
    identities = {number: name for one in clusters for number, name in one.identities.items()}
    cluster = replace(cluster, identities=dict(sorted(identities.items())))
    return _with_names(cluster, seen)


def _with_names(cluster: Cluster, seen: Sequence[tuple[Cluster, Stretch]]) -> Cluster:
    """Give a cluster what is known of names at any time."""
    if all(one.names is None for one, _ in seen):
        return cluster
    names = KnownNames()
    for one, window in seen:
        known = {key: within_stretch(times, window) for key, times in KnownNames.of(one).stretches.items()}
        names = names.joined(KnownNames({key: times for key, times in known.items() if times}))
    return names.given_to(cluster, are_all=all(one.names is not None and one.names_are_all for one, _ in seen))


@dataclass(frozen=True)
class _Seen(Generic[_Object]):
    """The objects of one kind at one moment, each with when it came and went as far as it tells."""

    time: int
    objects: Sequence[tuple[_Object, Stretch]]

    @classmethod
    def of(cls, time: int, objects: Sequence[_Object], lives: Mapping[int, Stretches]) -> _Seen[_Object]:
        ends = ((lives[number][0][0], lives[number][-1][1]) if number in lives else ALWAYS for number in count())
        return cls(time, list(zip(objects, ends, strict=False)))


def _lived(moments: Sequence[_Seen[_Object]]) -> Iterator[tuple[_Object, Stretches]]:
    """Yield the objects of each moment with the time that they were there, around it."""
    for number, seen in enumerate(moments):
        before = moments[number - 1].time if number else BEGIN
        later = None
        if number + 1 < len(moments):
            later = _Later(seen.time, moments[number + 1].time, moments[number + 1].objects)
        for one, (came, went) in seen.objects:
            first = seen.time if number else came
            if number and came > before:
                first = min(first, came)
            end = min(went, later.end_of(one) if later else END)
            if first < end:
                yield one, ((first, end),)


class _Later:
    """What a moment tells of when the objects of the moment before went."""

    def __init__(self, before: int, time: int, seen: Iterable[tuple[Pod | Node | Service, Stretch]]) -> None:
        self._time = time
        self._went: dict[str, int] = {}
        self._came: dict[str | Address, int] = {}
        for one, (came, went) in seen:
            name = _name_of(one)
            self._went[name] = went
            if before < came:
                self._went[name] = END
                keys: tuple[str | Address, ...] = (name, *_addresses_of(one))
                self._came.update((key, min(came, self._came.get(key, END))) for key in keys)

    def end_of(self, one: Pod | Node | Service) -> int:
        """Tell when an object of the moment before was there no more, or was changed."""
        name = _name_of(one)
        if name in self._went:
            return min(self._time, self._went[name], self._came.get(name, END))
        return min([self._time, *(self._came.get(address, END) for address in _addresses_of(one))])


def _name_of(one: Pod | Node | Service) -> str:
    return one.name if isinstance(one, Node) else f"{one.namespace}/{one.name}"


def _addresses_of(one: Pod | Node | Service) -> tuple[Address, ...]:
    """Return the addresses that nobody else has while the object is there."""
    is_shared = isinstance(one, Pod) and (one.host_network or one.finished)
    return () if is_shared else one.addresses
