"""Strangers: pods that do not exist, known by nothing but the selectors of a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

from ...model.cluster import Cluster, Pod
from ...model.labels import EVERYTHING, NAME_KEY, NAMESPACE_NAME_LABEL, LabelSelector, Operator, Requirement
from ...model.peers import AllOf, AnyOf, Anything, Endpoints, Except, PeerSet, Unresolved
from ...model.policy import Policy, Role, Rule

MARK = "@stranger"
"""Stands among the labels of strangers; no label can be called that."""
SOMEBODY, UNSELECTED, FIRST_KNOWN = 0, 1, 2
"""Positions of the stranger of whom nothing is known, of the one whom no selector holds, and of the first other."""
ANYBODY = Endpoints()
Reading = Literal["labels", "selectors"]
_DEPENDS = Unresolved("it depends on the labels of the pod and of its namespace")
_NEW = MARK


@dataclass(frozen=True, slots=True)
class Stranger:
    """A pod that does not exist.

    Attributes
    ----------
    known : Endpoints
        All that is known of it; `ANYBODY`: nothing.
    pod : Pod
        One such pod: as few labels as will do.
    """

    known: Endpoints
    pod: Pod


def strangers(cluster: Cluster, policies: Iterable[Policy]) -> tuple[Stranger, ...]:
    """Think of a pod of which nothing is known, of one whom no selector holds, and of one for each selector of peers.

    Left out are selectors that nobody can meet; and those of labels alone, of the namespace as well as of the pod,
    that a pod there is meets already.
    """
    found = dict.fromkeys(
        known
        for policy in policies
        for rule in policy.rules
        if rule.role is Role.WRITTEN
        for known in selectors_of(rule.peer)
    )
    seen = _Seen(cluster)
    chosen = [ANYBODY, ANYBODY, *(known for known in found if known != ANYBODY and not seen.meets(known))]
    pods = [_pod(cluster, known, number) for number, known in enumerate(chosen)]
    return tuple(Stranger(known, pod) for known, pod in zip(chosen, pods, strict=True) if pod)


def selectors_of(peer: PeerSet) -> tuple[Endpoints, ...]:
    """List the selectors by which a peer set may hold pods, what it rules out and what is no selector left aside."""
    match peer:
        case Anything() | Except():
            return (ANYBODY,)
        case Endpoints():
            return (peer,)
        case AnyOf(members):
            return tuple(known for member in members for known in selectors_of(member))
        case AllOf(members):
            ways = product(*(selectors_of(member) or (ANYBODY,) for member in members))
            return tuple(_all(way) for way in ways) if any(map(selectors_of, members)) else ()
        case _:
            return ()


def _all(way: Iterable[Endpoints]) -> Endpoints:
    both = ANYBODY
    for one in way:
        both = Endpoints(
            _and(both.namespaces, one.namespaces), _and(both.pods, one.pods), _and(both.accounts, one.accounts)
        )
    return both


def _and(one: LabelSelector, other: LabelSelector) -> LabelSelector:
    return LabelSelector.of(*one.requirements, *other.requirements)


class _Seen:
    """Knows what the pods that exist are labelled with."""

    def __init__(self, cluster: Cluster) -> None:
        self._labels = {
            (frozenset(cluster.labels_around(pod).items()), frozenset(pod.labels.items()))
            for pod in cluster.pods
            if pod.is_plain and not pod.finished
        }

    def meets(self, known: Endpoints) -> bool:
        """Whether one of them meets a selector of labels alone."""
        around, own = _plain(known.namespaces), _plain(known.pods)
        if not around or not own or known.accounts != EVERYTHING:
            return False
        return any(around <= outer and own <= inner for outer, inner in self._labels)


def _plain(selector: LabelSelector) -> frozenset[tuple[str, str]]:
    """Return the labels that a selector asks for; none where it asks for anything else."""
    asked = selector.requirements
    if any(each.is_expression or each.operator is not Operator.IN or len(each.values) != 1 for each in asked):
        return frozenset()
    return frozenset((each.key, value) for each in asked for value in each.values)


# Somebody whom selectors hold


def _pod(cluster: Cluster, known: Endpoints, number: int) -> Pod | None:
    """Return a pod that selectors hold; None where there cannot be one."""
    asked = {each.key: each for each in known.namespaces.requirements if each.operator is Operator.IN}
    names = sorted(asked[NAMESPACE_NAME_LABEL].values) if NAMESPACE_NAME_LABEL in asked else [f"{_NEW}-{number}"]
    own, account = labels_for(known.pods), labels_for(known.accounts)
    homes = ((name, _around(cluster, name, known.namespaces)) for name in names)
    home = next(((name, labels) for name, labels in homes if labels is not None), None)
    if home is None or own is None or account is None:
        return None
    name, around = home
    return Pod(
        namespace=name,
        name=f"{_NEW}-{number}",
        labels=own,
        account=account.get(NAME_KEY, "default"),
        namespace_labels=around,
        account_labels={key: value for key, value in account.items() if key != NAME_KEY},
    )


def _around(cluster: Cluster, name: str, selector: LabelSelector) -> Mapping[str, str] | None:
    """Return the labels of a namespace that exists, or that could, if the selector holds it."""
    if name in cluster.namespaces:
        labels = cluster.namespaces[name].labels
        return labels if selector.matches(labels) else None
    named = Requirement(NAMESPACE_NAME_LABEL, Operator.IN, frozenset([name]))
    return labels_for(LabelSelector.of(*selector.requirements, named))


def labels_for(selector: LabelSelector) -> dict[str, str] | None:
    """Return as few labels as a selector asks for; None where none meet it."""
    labels: dict[str, str] = {}
    by_key: dict[str, list[Requirement]] = {}
    for requirement in selector.requirements:
        by_key.setdefault(requirement.key, []).append(requirement)
    for key, asked in by_key.items():
        fitting = [value for value in _values(asked) if all(each.holds(value) for each in asked)]
        if not fitting:
            return None
        if fitting[0] is not None:
            labels[key] = fitting[0]
    return labels


def _values(asked: Sequence[Requirement]) -> Iterator[str | None]:
    """Yield values that may meet all requirements of a key, the plainest first."""
    yield None
    for each in asked:
        if each.operator is Operator.IN:
            yield from sorted(each.values)
    taken = {value for each in asked for value in each.values}
    yield next(value for value in ("any", *(f"any-{number}" for number in range(len(taken)))) if value not in taken)
    parts = (
        sorted({value for each in asked if each.operator is operator for value in each.values}) or [""]
        for operator in (Operator.STARTS_WITH, Operator.CONTAINS, Operator.ENDS_WITH)
    )
    for first, middle, last in product(*parts):
        yield from (f"{first}{middle}{last}", f"{first}{middle}any{last}")


# Policies, as strangers meet them


def meeting(policies: Iterable[Policy], known: Sequence[Endpoints], reading: Reading) -> list[Policy]:
    """Return the policies with peers that hold strangers, who bear their number as `MARK`.

    Parameters
    ----------
    known : sequence of Endpoints
        What is known of each.
    reading : {"labels", "selectors"}
        A rule's selector holds strangers by their labels. Or by what is known of them as it is written: those whose
        own selector is the same, wherever the rule's asks for anything at all.
    """
    change = _Selectors(known).change if reading == "selectors" else _by_labels
    changed: dict[PeerSet, PeerSet] = {}

    def met(rule: Rule) -> Rule:
        if rule.peer not in changed:
            changed[rule.peer] = _changed(rule.peer, change)
        return replace(rule, peer=changed[rule.peer])

    return [replace(policy, rules=tuple(map(met, policy.rules))) for policy in policies]


def _changed(peer: PeerSet, change: Callable[[Endpoints], PeerSet]) -> PeerSet:
    match peer:
        case Endpoints():
            return peer if peer == ANYBODY else change(peer)
        case AnyOf(members):
            return AnyOf(tuple(_changed(member, change) for member in members))
        case AllOf(members):
            return AllOf(tuple(_changed(member, change) for member in members))
        case Except(but):
            return Except(_changed(but, change))
        case _:
            return peer


def _marked(*numbers: int) -> Endpoints:
    return Endpoints(pods=LabelSelector.of(Requirement(MARK, Operator.IN, frozenset(map(str, numbers)))))


_PERHAPS_SOMEBODY = AllOf((_marked(SOMEBODY), _DEPENDS))


def _by_labels(peer: Endpoints) -> PeerSet:
    others = Requirement(MARK, Operator.NOT_IN, frozenset([str(SOMEBODY), str(UNSELECTED)]))
    return AnyOf((replace(peer, pods=LabelSelector.of(*peer.pods.requirements, others)), _PERHAPS_SOMEBODY))


class _Selectors:
    """Tells which strangers are held by a selector as it is written."""

    def __init__(self, known: Sequence[Endpoints]) -> None:
        self._known = known

    def change(self, peer: Endpoints) -> PeerSet:
        """Hold those of the same selectors."""
        held = [number for number, known in enumerate(self._known) if known != ANYBODY and _covers(peer, known)]
        return AnyOf((_marked(*held), _PERHAPS_SOMEBODY))


def _covers(peer: Endpoints, known: Endpoints) -> bool:
    return all(
        asked in (EVERYTHING, given)
        for asked, given in (
            (peer.namespaces, known.namespaces),
            (peer.pods, known.pods),
            (peer.accounts, known.accounts),
        )
    )
