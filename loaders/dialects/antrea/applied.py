"""``appliedTo``: which pods, nodes or Services a policy or a rule guards (AN-9 to AN-13)."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.model.peers import NOBODY, Nodes, PeerSet, ThroughService, any_of

from ..fields import Field
from ..selectors import read_selector
from .groups import Groups
from .selecting import given, is_empty, read_account, read_full_name, read_pods, stands_alone

_ALONE = ("group", "nodeSelector", "serviceAccount", "service")
_CLUSTER_FIELDS = ("podSelector", "namespaceSelector", "externalEntitySelector", *_ALONE)
_OWN_FIELDS = ("podSelector", "externalEntitySelector", "group")
_HINTS = {
    "ipBlock": "Policies apply to pods, not to addresses",
    "namespaces": "It stands in from and to. Write namespaceSelector",
    "matchLabels": "Put it below podSelector or namespaceSelector",
    "nodeSelector": "Only a policy as a whole applies to nodes. Put it into appliedTo of spec",
}
_OWN_HINTS = {
    **_HINTS,
    **dict.fromkeys(
        ("namespaceSelector", "serviceAccount", "service", "nodeSelector"),
        "A NetworkPolicy binds pods of its own namespace, by labels. Use a ClusterNetworkPolicy",
    ),
}


@dataclass(frozen=True, slots=True)
class Applied:
    """What is guarded; only one of the three kinds.

    Attributes
    ----------
    pods : PeerSet
        Nobody where nodes or Services are guarded.
    services : tuple of ThroughService
        Services, guarded where clients from outside enter by a node's port.
    nodes : tuple of Nodes
        The nodes themselves.
    by_group : bool
        Whether a group names some of the pods.
    """

    pods: PeerSet
    services: tuple[ThroughService, ...] = ()
    nodes: tuple[Nodes, ...] = ()
    by_group: bool = False

    @property
    def subject(self) -> PeerSet:
        """All that is guarded."""
        return any_of((*self.services, *self.nodes)) if self.services or self.nodes else self.pods


def read_applied(field: Field, namespace: str, groups: Groups, *, of_rule: bool = False) -> Applied | None:
    """Read ``appliedTo`` of a policy or of a rule, which knows no nodes; None where it is absent or empty."""
    items = [_checked(item, namespace, of_rule) for item in field.items()]
    if not items:
        return None
    services = [ThroughService(*read_full_name(item.get("service"), "Service")) for item in _with(items, "service")]
    nodes = [Nodes(read_selector(item.get("nodeSelector"))) for item in _with(items, "nodeSelector")]
    for found, what in ((services, "Services"), (nodes, "nodes")):
        if found and len(found) < len(items):
            field.error(f"a policy that applies to {what} can apply to nothing else. Make a policy of each")
    pods = [_pods(item, namespace, groups) for item in items]
    by_group = any(item.get("group").value for item in items)
    return Applied(any_of(part for part in pods if part != NOBODY), tuple(services), tuple(nodes), by_group)


def _with(items: list[Field], name: str) -> list[Field]:
    return [item for item in items if item.get(name).value is not None]


def _checked(item: Field, namespace: str, of_rule: bool) -> Field:
    known, hints = (_OWN_FIELDS, _OWN_HINTS) if namespace else (_CLUSTER_FIELDS, _HINTS)
    entry = item.mapping([name for name in known if not (of_rule and name == "nodeSelector")], hints)
    if is_empty(item):
        item.error(f"an empty item says nothing of whom it applies to. Give one of {', '.join(known)}")
    stands_alone(entry, _ALONE, known)
    stands_alone(entry, ("externalEntitySelector",), ("externalEntitySelector", "podSelector"))
    return entry


def _pods(item: Field, namespace: str, groups: Groups) -> PeerSet:
    entities = item.get("externalEntitySelector")
    if item.get("group").value:
        return groups.subject(item.get("group"), namespace)
    if item.get("serviceAccount").value is not None:
        return read_account(item.get("serviceAccount"))
    if entities.value is not None:
        read_selector(entities)
        entities.warn("ExternalEntity objects are not modelled: what this says of traffic at their end plays no part")
    if entities.value is None and given(item, ("podSelector", "namespaceSelector")):
        return read_pods(item, namespace)
    return NOBODY
