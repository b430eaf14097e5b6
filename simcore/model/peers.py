"""Peer sets: who may be at one end of a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from .addresses import Address, Cidr, Family
from .labels import EVERYTHING, LabelSelector


@dataclass(frozen=True, slots=True)
class Anything:
    """Every address there is, in and outside the cluster."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Pods whose namespace, whose own labels and whose service account are all selected; no reserved ones.

    `accounts` may ask for the account's name by `simcore.model.labels.NAME_KEY`.
    """

    namespaces: LabelSelector = EVERYTHING
    pods: LabelSelector = EVERYTHING
    accounts: LabelSelector = EVERYTHING


@dataclass(frozen=True, slots=True)
class Network:
    """Addresses inside `cidr` and in none of `excluded` (NP-13); the profile says whether pods' and nodes' too."""

    cidr: Cidr
    excluded: tuple[Cidr, ...] = ()

    def contains(self, address: Address) -> bool:
        """Whether the block, less its exclusions, holds `address`."""
        return self.cidr.contains(address) and not any(block.contains(address) for block in self.excluded)


@dataclass(frozen=True, slots=True)
class OfFamily:
    """Every address of one family, whoever owns it."""

    family: Family


@dataclass(frozen=True, slots=True)
class Nodes:
    """Addresses of the nodes with these labels; `simcore.model.labels.NAME_KEY` asks for a node's name.

    Attributes
    ----------
    where : {"anywhere", "here", "elsewhere"}
        Only the node that the rule's subject runs on, or is; or only the others. In a subject, all nodes are elsewhere.
    """

    labels: LabelSelector = EVERYTHING
    where: Literal["anywhere", "here", "elsewhere"] = "anywhere"


@dataclass(frozen=True, slots=True)
class Outside:
    """Every address that neither a pod nor a node owns."""


@dataclass(frozen=True, slots=True)
class Reserved:
    """Endpoints that the dataplane keeps for itself, by what `Pod.reserved` calls them."""

    identity: str


@dataclass(frozen=True, slots=True)
class Backends:
    """The pods and addresses that a Service leads to."""

    namespace: str
    service: str


@dataclass(frozen=True, slots=True)
class ThroughService:
    """Whatever is reached through the address of a Service; the same end reached directly is not meant."""

    namespace: str
    service: str


@dataclass(frozen=True, slots=True)
class DomainNames:
    """Addresses that names stand for, as far as the cluster's `names` tell.

    Attributes
    ----------
    patterns : tuple of str
        Regular expressions; a name in lower case and without its last dot matches one as a whole.
    written : tuple of str
        The same as the policy wrote them.
    external : bool
        Only addresses outside are meant, and one that no known name stands for may be among them.
    """

    patterns: tuple[str, ...]
    written: tuple[str, ...]
    external: bool = False


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Anybody or nobody: what cannot be told from the input; `why` says what is missing."""

    why: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The union of its members; no member, nobody."""

    members: tuple[PeerSet, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """The intersection of its members; no member, everybody."""

    members: tuple[PeerSet, ...]


@dataclass(frozen=True, slots=True)
class Except:
    """Everybody but `peer`: pods, nodes and addresses outside."""

    peer: PeerSet


Atom = (
    Endpoints | Network | OfFamily | Nodes | Outside | Reserved | Backends | ThroughService | DomainNames | Unresolved
)
PeerSet = Anything | Atom | AnyOf | AllOf | Except
ANYTHING = Anything()
NOBODY = AnyOf(())


def atoms_of(peers: PeerSet) -> Iterator[Atom]:
    """Yield the atoms that a peer set is made of, with repeats."""
    match peers:
        case Anything():
            return
        case AnyOf(members) | AllOf(members):
            for member in members:
                yield from atoms_of(member)
        case Except(peer):
            yield from atoms_of(peer)
        case _:
            yield peers


def any_of(peers: Iterable[PeerSet]) -> PeerSet:
    """Unite peer sets: each once, a single one as it is, everybody where one of them is everybody."""
    members = tuple(dict.fromkeys(peers))
    if ANYTHING in members:
        return ANYTHING
    return members[0] if len(members) == 1 else AnyOf(members)


def all_of(peers: Iterable[PeerSet]) -> PeerSet:
    """Intersect peer sets: each once, a single one as it is, everybody where there is none."""
    members = tuple(peer for peer in dict.fromkeys(peers) if peer != ANYTHING)
    if not members:
        return ANYTHING
    return members[0] if len(members) == 1 else AllOf(members)
