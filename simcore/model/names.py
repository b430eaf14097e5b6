"""What domain names stand for, and when."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .addresses import Address
from .cluster import Cluster, Stretch
from .peers import DomainNames, atoms_of
from .policy import Rule
from .regexes import matcher

ALWAYS: Stretch = (1 - 2**63, 2**63 - 1)
_TAIL = re.compile(r"(?:\\[.\-]|[A-Za-z0-9_-])*\Z")
_ALTERNATIVES_OR_FLAGS = re.compile(r"\||\(\?[a-zA-Z-]")


@dataclass(frozen=True)
class KnownNames:
    """What is told of domain names.

    Attributes
    ----------
    stretches : mapping of (str, Address) to tuple of (int, int)
        When a name, in lower case and without last dot, stands for an address; see `Cluster.name_times`. `ALWAYS`
        where it always does.
    """

    stretches: Mapping[tuple[str, Address], tuple[Stretch, ...]] = field(default_factory=dict)

    def joined(self, other: KnownNames) -> KnownNames:
        """Return what either tells."""
        found = {key: list(stretches) for key, stretches in self.stretches.items()}
        for key, stretches in other.stretches.items():
            found.setdefault(key, []).extend(stretches)
        return KnownNames({key: united(stretches) for key, stretches in found.items()})

    def given_to(self, cluster: Cluster, *, are_all: bool) -> Cluster:
        """Return the cluster with these names in place of its own; `are_all` is whether there are no others."""
        names: dict[str, list[Address]] = {}
        for name, address in self.stretches:
            names.setdefault(name, []).append(address)
        return replace(
            cluster,
            names={name: tuple(addresses) for name, addresses in names.items()},
            names_are_all=are_all,
            name_times={key: stretches for key, stretches in self.stretches.items() if stretches != (ALWAYS,)},
        )

    @classmethod
    def of(cls, cluster: Cluster) -> KnownNames:
        """Return the names of a cluster."""
        return cls(
            {
                (name, address): cluster.name_times.get((name, address), (ALWAYS,))
                for name, addresses in (cluster.names or {}).items()
                for address in addresses
            }
        )


def united(stretches: Iterable[Stretch]) -> tuple[Stretch, ...]:
    """Unite stretches of time, those that meet included; in order."""
    found: list[Stretch] = []
    for first, end in sorted(stretches):
        if found and first <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], end)
        else:
            found.append((first, end))
    return tuple(found)


def names_in(rule: Rule) -> tuple[DomainNames, ...]:
    """Return the sets of domain names that a rule's peer is made of."""
    return tuple(dict.fromkeys(atom for atom in atoms_of(rule.peer) if isinstance(atom, DomainNames)))


class NameIndex:
    """Finds the names that patterns match, holding against each pattern only names that end as it does."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._by_end: dict[str, list[str]] = {}
        for name in self._names:
            start = 0
            while start <= len(name):
                self._by_end.setdefault(name[start:], []).append(name)
                start = name.find(".", start) + 1 or len(name) + 1

    def matching(self, pattern: str) -> Sequence[str]:
        """Return the names that a regular expression matches as a whole, in order."""
        match = matcher(pattern)
        return [name for name in self._candidates(pattern) if match(name)]

    def _candidates(self, pattern: str) -> Sequence[str]:
        tail = _literal_tail(pattern)
        text = re.sub(r"\\(.)", r"\1", tail)
        if tail != pattern:
            text = text.partition(".")[2]
        return self._by_end.get(text, ()) if text else self._names


def _literal_tail(pattern: str) -> str:
    """Return the end of an expression that stands for itself."""
    found = _TAIL.search(pattern)
    if found is None or _ALTERNATIVES_OR_FLAGS.search(pattern):
        return ""
    return "" if pattern[: found.start()].endswith("\\") else found[0]


class Timetable:
    """When the names of a cluster stand for its addresses, by patterns of names."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._names: dict[Address, list[str]] = {}
        for name, addresses in (cluster.names or {}).items():
            for address in addresses:
                self._names.setdefault(address, []).append(name)

    def of(self, atoms: Sequence[DomainNames], address: Address) -> tuple[Stretch, ...]:
        """Return when any name that the sets of names mean stands for an address; nothing where none ever does."""
        matches = [matcher(pattern) for atom in atoms for pattern in atom.patterns]
        names = [name for name in self._names.get(address, ()) if any(match(name) for match in matches)]
        times = self._cluster.name_times
        return united(stretch for name in names for stretch in times.get((name, address), (ALWAYS,)))


def unsupported(rules: Iterable[Rule], cluster: Cluster) -> Iterator[tuple[Rule, str]]:
    """Yield each rule with each of its patterns, as written, that no known name matches."""
    index = NameIndex(cluster.names or {})
    seen: dict[str, bool] = {}
    for rule in rules:
        for atom in names_in(rule):
            for pattern, written in zip(atom.patterns, atom.written, strict=True):
                if pattern not in seen:
                    seen[pattern] = bool(index.matching(pattern))
                if not seen[pattern]:
                    yield rule, written
