"""Where rules of several policies meet at one peer and port: what they make of each other (CI-29, CI-36)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations

from simcore.model.cilium import NORMAL
from simcore.model.cluster import Cluster, Pod
from simcore.model.peers import ANYTHING, AnyOf, Endpoints, Except, PeerSet, all_of
from simcore.model.policy import Action, Direction, Rule
from simcore.model.ports import EVERY_PORT, PortMember

from ..kubernetes import ORDER, tie_break
from .entries import Entry, Owner
from .policies import Draft

_CONFLICT = -2.0
"""The first part of the order of rules that stand for a conflict: before all others."""
_Key = tuple[Direction, bool, PeerSet, PortMember | None]


@dataclass
class Meetings:
    """The entries of all policies, by the peer and the port that they are about."""

    cluster: Cluster
    _found: dict[_Key, list[Entry]] = field(default_factory=dict)

    @classmethod
    def of(cls, drafts: Iterable[Draft], cluster: Cluster) -> Meetings:
        """Sort the entries of all policies."""
        made = cls(cluster)
        for draft in drafts:
            for entry in draft.entries:
                if entry.action is Action.ALLOW:
                    for key in _keys(entry):
                        made._found.setdefault(key, []).append(entry)
        return made

    def conflicts(self) -> Iterator[tuple[Entry, Entry, str]]:
        """Yield each pair of entries that cannot hold together, and why."""
        told: set[tuple[int, int]] = set()
        for entries in self._found.values():
            if len({_signature(entry) for entry in entries}) < 2:
                continue
            for first, second in combinations(entries, 2):
                pair = id(first), id(second)
                why = _contradiction(first, second)
                if why and pair not in told and self._meet(first.owner, second.owner):
                    told.add(pair)
                    yield first, second, why

    def narrowed(self, entry: Entry) -> list[Entry]:
        """Take from an entry that no proxy looks at what server names of another take from it (CI-29)."""
        parts = [entry]
        if entry.layer7 is not None or entry.action is Action.DENY or entry.ports is None:
            return parts
        for key in _keys(entry):
            for other in self._named.get(key, ()):
                if self._meet(entry.owner, other.owner):
                    parts = [part for each in parts for part in _without(each, key[2], key[3], other)]
        return parts

    @cached_property
    def _named(self) -> dict[_Key, list[Entry]]:
        """Those entries that ask for server names."""
        named = ((key, [e for e in found if e.layer7 and e.layer7.names]) for key, found in self._found.items())
        return {key: found for key, found in named if found}

    def _meet(self, first: Owner, second: Owner) -> bool:
        """Whether any endpoint is bound by both."""
        if first.subject == second.subject:
            return True
        return any(self._binds(first.subject, pod) and self._binds(second.subject, pod) for pod in self.cluster.pods)

    def _binds(self, subject: PeerSet, pod: Pod) -> bool:
        match subject:
            case AnyOf(members):
                return any(self._binds(member, pod) for member in members)
            case Endpoints(namespaces, pods, accounts):
                return (
                    not pod.reserved
                    and namespaces.matches(self.cluster.labels_around(pod))
                    and pods.matches(pod.labels)
                    and accounts.matches(self.cluster.account_labels(pod))
                )
        return False


def conflict_rules(first: Entry, second: Entry, why: str) -> Iterator[Rule]:
    """Make the rules that leave open what becomes of endpoints whose policies conflict, in both directions."""
    owner = second.owner
    for direction in Direction:
        yield Rule(
            policy=owner.ref,
            index=second.index,
            direction=direction,
            subject=all_of((first.owner.subject, owner.subject)),
            peer=ANYTHING,
            ports=EVERY_PORT,
            action=Action.DENY,
            tier=NORMAL,
            order=(_CONFLICT, ORDER, tie_break(owner.ref), second.index, second.number),
            place=second.field.place,
            hosts=owner.hosts,
            section=second.section,
            doubt=f"policy conflict with {first.owner.ref}: {why}, so the endpoint keeps what it had before",
        )


def _signature(entry: Entry) -> tuple[object, ...]:
    layer7 = entry.layer7
    return entry.authentication, layer7 and (layer7.parser, layer7.contexts, layer7.listener)


def _keys(entry: Entry) -> Iterator[_Key]:
    for selector in entry.selectors:
        for member in (None,) if entry.ports is None else entry.ports:
            yield entry.direction, entry.owner.hosts, selector, member


def _contradiction(first: Entry, second: Entry) -> str:
    modes = {first.authentication, second.authentication} - {""}
    if len(modes) > 1:
        return f"authentication is {' and '.join(sorted(modes))} for one peer and port"
    if first.layer7 is None or second.layer7 is None:
        return ""
    parsers = {first.layer7.parser, second.layer7.parser}
    if len(parsers) > 1 and parsers != {"tls", "http"}:
        return f"cannot merge conflicting L7 parsers ({'/'.join(sorted(parsers))})"
    if any(_differ(layers) for layers in zip(first.layer7.contexts, second.layer7.contexts, strict=True)):
        return "cannot merge conflicting TLS contexts"
    listeners = first.layer7.listener, second.layer7.listener
    if None not in listeners and listeners[0] != listeners[1] and _priority(first) == _priority(second):
        return "cannot merge conflicting listeners of equal priority"
    return ""


def _differ(secrets: Sequence[str]) -> bool:
    return len(set(secrets) - {""}) > 1


def _priority(entry: Entry) -> int:
    return entry.layer7.listener[0] if entry.layer7 and entry.layer7.listener else 0


def _without(entry: Entry, selector: PeerSet, member: PortMember | None, other: Entry) -> Iterator[Entry]:
    """Yield an entry less one peer at one port, for the endpoints that another binds."""
    if selector not in entry.selectors or entry.ports is None or member not in entry.ports:
        yield entry
        return
    others = tuple(each for each in entry.selectors if each != selector)
    ports = tuple(each for each in entry.ports if each != member)
    if others:
        yield replace(entry, selectors=others)
    if ports:
        yield replace(entry, selectors=(selector,), ports=ports)
    if entry.owner.subject != other.owner.subject:
        subject = all_of((entry.owner.subject, Except(other.owner.subject)))
        yield replace(entry, selectors=(selector,), ports=(member,), owner=replace(entry.owner, subject=subject))
