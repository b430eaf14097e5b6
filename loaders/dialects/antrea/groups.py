"""Group and ClusterGroup: who belongs to each, as a peer and as what policies apply to (AN-18 to AN-21)."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.model.cluster import Cluster
from simcore.model.labels import LabelSelector
from simcore.model.peers import NOBODY, Endpoints, Network, Nodes, PeerSet, Unresolved, any_of

from ..blocks import read_block
from ..fields import Field
from ..selectors import read_selector
from .objects import Antrea
from .selecting import EXTERNAL_ENTITIES, check_not_mixed, given, read_full_name, read_pods

SPEC_FIELDS = (
    "podSelector",
    "namespaceSelector",
    "nodeSelector",
    "externalEntitySelector",
    "serviceReference",
    "ipBlocks",
    "ipBlock",
    "childGroups",
)
_PAIRS = ({"podSelector", "namespaceSelector"}, {"externalEntitySelector", "namespaceSelector"})
_HINTS = {"nodeSelector": "Only a ClusterGroup takes it", "group": "Did you mean childGroups? It takes a list"}


@dataclass(frozen=True, slots=True)
class _Group:
    """What a group says of itself.

    Attributes
    ----------
    pods : PeerSet
        The members that policies can apply to.
    others : PeerSet
        Members that can be peers only.
    reach : str
        Why a policy of the group's namespace cannot apply to it; empty where it can.
    """

    pods: PeerSet
    others: PeerSet
    children: tuple[str, ...]
    reach: str = ""


class Groups:
    """The groups there are, by namespace and name; those of the whole cluster have none."""

    def __init__(self, cluster: Cluster, *, strict_cidr: bool) -> None:
        self._services = {(service.namespace, service.name): service for service in cluster.services}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._strict_cidr = strict_cidr

    def add(self, group: Antrea) -> None:
        """Take a group object."""
        known = [name for name in SPEC_FIELDS if group.is_cluster_wide or name != "nodeSelector"]
        spec = group.spec.mapping(known, _HINTS)
        mechanisms = given(spec, known)
        if len(mechanisms) > 1 and set(mechanisms) not in _PAIRS:
            spec.error(f"a group has one kind of members, not {' and '.join(mechanisms)}. Make a group of each")
        children = tuple(name for item in spec.get("childGroups").items() if (name := item.text()))
        if group.name in children:
            spec.get("childGroups").error("a group cannot be a child of its own. Remove it from the list")
        pods, others = self._members(group, spec)
        if not mechanisms:
            spec.warn("nothing is said of who belongs to it. Add a selector, ipBlocks or childGroups")
            others = Unresolved(f"{group} says nothing of who belongs to it")
        is_far = not group.is_cluster_wide and spec.get("namespaceSelector").value is not None
        reach = "it selects pods by namespaceSelector, and policies apply to their own namespace only" if is_far else ""
        self._groups[group.namespace, group.name] = _Group(pods, others, children, reach)

    def _members(self, group: Antrea, spec: Field) -> tuple[PeerSet, PeerSet]:
        selector, nodes = spec.get("externalEntitySelector"), spec.get("nodeSelector")
        for field in (selector, nodes):
            read_selector(field)
        blocks = self._blocks(spec)
        if selector.value is not None:
            read_pods(spec, group.namespace)
            return NOBODY, EXTERNAL_ENTITIES
        if given(spec, ("podSelector", "namespaceSelector")):
            return read_pods(spec, group.namespace), NOBODY
        if nodes.value is not None:
            return NOBODY, Nodes(read_selector(nodes))
        if spec.get("serviceReference").value is not None:
            return self._behind(spec.get("serviceReference"), group.namespace), NOBODY
        return NOBODY, any_of(blocks)

    def _blocks(self, spec: Field) -> list[Network]:
        fields = list(spec.get("ipBlocks").items())
        if spec.get("ipBlock").value is not None:
            fields.append(spec.get("ipBlock"))
        found = [block for field in fields if (block := read_block(field, strict_cidr=self._strict_cidr))]
        check_not_mixed(spec.get("ipBlocks"), found)
        return found

    def _behind(self, field: Field, namespace: str) -> PeerSet:
        """Return the pods that a Service selects, on every port (AN-20)."""
        key = read_full_name(field, "Service", namespace)
        service = self._services.get(key)
        if service is not None and service.selector is not None:
            return Endpoints(LabelSelector.namespace(key[0]), service.selector)
        missing = "there is no Service" if service is None else "no selector has Service"
        if all(key):
            field.warn(f"{missing} {key[0]}/{key[1]}, so nobody belongs to the group. Check name and namespace")
        return NOBODY

    def peer(self, field: Field, namespace: str) -> PeerSet:
        """Return who is meant where a rule names a group as its peer."""
        found = self._find(field, namespace)
        return any_of(part for group in found for part in (group.pods, group.others) if part != NOBODY)

    def subject(self, field: Field, namespace: str) -> PeerSet:
        """Return which pods a policy binds that applies to a group."""
        found = self._find(field, namespace)
        if found and found[0].reach:
            field.warn(f"the policy has no effect on this group: {found[0].reach}. Select the pods by labels alone")
            return NOBODY
        pods = any_of(group.pods for group in found if group.pods != NOBODY)
        if pods == NOBODY and any(group.others != NOBODY for group in found):
            field.warn("the policy has no effect on this group: none of its members are pods. Name a group of pods")
        return pods

    def _find(self, field: Field, namespace: str) -> list[_Group]:
        """Return a group and its children; nothing where they nest too deeply (AN-21)."""
        name = field.text() or ""
        first = self._groups.get((namespace, name))
        if first is None:
            kind = "Group" if namespace else "ClusterGroup"
            where = f" in namespace {namespace}" if namespace else ""
            field.warn(f"there is no {kind} {name}{where}, so nobody is meant. Add it, or check the name")
            return []
        children = [group for child in first.children if (group := self._groups.get((namespace, child)))]
        if any(child.children for child in children):
            field.warn(f"children of group {name} have children of their own, so nobody is meant. Nest one level deep")
            return []
        return [first, *children]
