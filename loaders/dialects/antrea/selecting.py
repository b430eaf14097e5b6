"""Fields that select pods, nodes and addresses, alike in groups, in appliedTo and in peers (AN-7)."""

from __future__ import annotations

from collections.abc import Iterable

from simcore.model.addresses import Address, Cidr
from simcore.model.labels import EVERYTHING, NAME_KEY, LabelSelector
from simcore.model.peers import AllOf, AnyOf, Endpoints, Except, Network, Nodes, PeerSet, Unresolved

from ..fields import Field
from ..names import namespace_complaint, object_name_complaint
from ..selectors import read_selector

OUTSIDE = (Except(Endpoints()), Except(Nodes()))
"""What is neither a pod nor a node, as members of an intersection."""
EXTERNAL_ENTITIES = AllOf((*OUTSIDE, Unresolved("ExternalEntity objects are not read")))
_MULTICAST = (Cidr.parse("224.0.0.0/4"), Cidr.parse("ff00::/8"))


def given(field: Field, names: Iterable[str]) -> list[str]:
    """List which of these fields are set."""
    return [name for name in names if field.get(name).value not in (None, "")]


def is_empty(item: Field, but: Iterable[str] = ()) -> bool:
    """Whether an item of a list says nothing, or nothing else than some fields."""
    value = item.value if isinstance(item.value, dict) else {}
    is_mapping = item.value is None or isinstance(item.value, dict)
    return is_mapping and all(found is None for name, found in value.items() if name not in but)


def stands_alone(field: Field, alone: Iterable[str], names: Iterable[str]) -> None:
    """Report fields that may have no other beside them in one item, and have."""
    found = given(field, names)
    for name in alone:
        others = [other for other in found if other != name]
        if name in found and others:
            field.error(f"{name} may not stand beside {others[0]} in one item. Give each an item of its own", name)
            return


def read_pods(field: Field, namespace: str) -> Endpoints:
    """Read ``podSelector`` and ``namespaceSelector``: without the latter the own namespace, or all of them."""
    namespaces = field.get("namespaceSelector")
    own = LabelSelector.namespace(namespace) if namespace else EVERYTHING
    return Endpoints(
        read_selector(namespaces) if namespaces.value is not None else own, read_selector(field.get("podSelector"))
    )


def read_account(field: Field) -> Endpoints:
    """Read ``serviceAccount``: the pods that run under it."""
    namespace, name = read_full_name(field, "service account")
    return Endpoints(LabelSelector.namespace(namespace), accounts=LabelSelector.equal({NAME_KEY: name}))


def read_full_name(field: Field, what: str, default: str = "", more: tuple[str, ...] = ()) -> tuple[str, str]:
    """Read ``namespace`` and ``name`` of an object; both are required, but for a namespace that has a default."""
    full_name = field.mapping(("name", "namespace", *more))
    namespace, name = full_name.get("namespace"), full_name.get("name")
    for part, word, complain in (
        (namespace, "namespace", namespace_complaint),
        (name, "name", object_name_complaint),
    ):
        text = part.text()
        if part.value in (None, "") and not (word == "namespace" and default):
            part.error(f"the {word} of the {what} is required")
        elif text and (complaint := complain(text)):
            part.error(complaint)
    return namespace.text() or default, name.text() or ""


def is_multicast_address(address: Address) -> bool:
    """Whether an address is that of a multicast group."""
    return any(block.contains(address) for block in _MULTICAST)


def _is_multicast(network: Network) -> bool:
    return is_multicast_address(Address(network.cidr.family, network.cidr.first))


def check_not_mixed(field: Field, networks: Iterable[Network]) -> bool:
    """Report multicast and other blocks in one list; tell whether there is multicast."""
    kinds = {_is_multicast(network) for network in networks}
    if len(kinds) > 1:
        field.error("multicast and unicast blocks may not stand in one list. Give each a list of its own")
    return True in kinds


def members(peer: PeerSet) -> tuple[PeerSet, ...]:
    """Take a union apart."""
    return peer.members if isinstance(peer, AnyOf) else (peer,)
