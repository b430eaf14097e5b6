"""``from``, ``to`` and ``toServices``: who is at the other end (AN-14 to AN-17)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simcore.model.labels import NAMESPACE_NAME_LABEL, LabelSelector
from simcore.model.peers import (
    ANYTHING,
    AllOf,
    DomainNames,
    Network,
    Nodes,
    PeerSet,
    ThroughService,
    Unresolved,
    any_of,
)
from simcore.model.policy import Direction

from ..blocks import read_block
from ..fields import Field, describe
from ..names import label_key_complaint
from ..selectors import read_selector
from .groups import Groups
from .selecting import (
    EXTERNAL_ENTITIES,
    OUTSIDE,
    check_not_mixed,
    given,
    is_empty,
    read_account,
    read_full_name,
    read_pods,
    stands_alone,
)

PEERS_FIELD = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_ALONE = ("group", "serviceAccount", "nodeSelector", "ipBlock", "fqdn")
_FIELDS = ("podSelector", "namespaceSelector", "externalEntitySelector", *_ALONE)
_HINTS = {
    "cidr": "Put it below ipBlock",
    "except": "Put it below ipBlock, beside cidr",
    "service": "Egress rules name Services in toServices, beside to",
    "namespace": "Did you mean namespaces or namespaceSelector?",
    "ports": "It stands beside from or to, not inside",
    "matchLabels": "Put it below podSelector or namespaceSelector",
}
_NAME_CHARACTERS = re.compile(r"[-0-9a-zA-Z.*]+")
_OTHER_CLUSTERS = AllOf((*OUTSIDE, Unresolved("pods of other clusters of the ClusterSet are not in the input")))
_SCOPES = ("Cluster", "ClusterSet")


@dataclass(frozen=True, slots=True)
class Alike:
    """Pods of the namespaces that have the values of the guarded pod's namespace for all of some label keys."""

    keys: tuple[str, ...]
    pods: LabelSelector


@dataclass(frozen=True, slots=True)
class Peers:
    """Who is at the other end, whichever pod is guarded, and what depends on its namespace.

    Attributes
    ----------
    anywhere : PeerSet or None
        The same for every guarded pod; None where nothing of that kind is named.
    alike : tuple of Alike
        What differs between guarded pods of different namespaces.
    """

    anywhere: PeerSet | None
    alike: tuple[Alike, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerReader:
    """Reads the peers of rules of one policy."""

    namespace: str
    groups: Groups
    strict_cidr: bool

    def read(self, rule: Field, direction: Direction) -> Peers:
        """Read the peers of a rule; none at all is everybody."""
        services = rule.get("toServices")
        named = [self._service(item) for item in services.items()]
        items = list(rule.get(PEERS_FIELD[direction]).items())
        if services.value is not None:
            for name in ("to", "ports", "protocols"):
                if rule.get(name).value is not None and (name != "to" or items):
                    services.error(f"toServices may not stand beside {name}. Make a rule of each")
        if named:
            return Peers(any_of(named))
        if not items:
            return Peers(ANYTHING)
        entries = [self._checked(item, direction) for item in items]
        found = [self._anywhere(entry) for entry in entries]
        if direction is Direction.EGRESS:
            _check_multicast(rule, [peer for peer in found if isinstance(peer, Network)])
        anywhere = [peer for peer in found if peer is not None]
        alike = tuple(dict.fromkeys(pods for entry in entries if (pods := _in_alike_namespaces(entry)) is not None))
        return Peers(any_of(anywhere) if anywhere or not alike else None, alike)

    def _service(self, item: Field) -> PeerSet:
        entry = item.mapping(("name", "namespace", "scope"))
        key = read_full_name(entry, "Service", self.namespace, ("scope",))
        if _scope(entry) == "ClusterSet":
            return Unresolved("Services of other clusters of the ClusterSet are not in the input")
        return ThroughService(*key)

    def _checked(self, item: Field, direction: Direction) -> Field:
        only = {"namespaces": not self.namespace, "fqdn": direction is Direction.EGRESS}
        only["scope"] = direction is Direction.INGRESS
        known = [name for name in (*_FIELDS, "namespaces", "scope") if only.get(name, True)]
        hints = {
            **_HINTS,
            "namespaces": "Only a ClusterNetworkPolicy takes it. Leave it out for the policy's own namespace",
            "fqdn": "Only egress rules know names",
            "scope": "Only ingress rules take it",
        }
        entry = item.mapping(known, hints)
        if is_empty(item, ("scope",)):
            item.error("an empty item says nothing of who is meant. Leave the whole list out to mean everybody")
        stands_alone(entry, _ALONE, known)
        stands_alone(entry, ("externalEntitySelector",), ("externalEntitySelector", "podSelector"))
        if entry.get("namespaces").value is not None and entry.get("namespaceSelector").value is not None:
            entry.error("namespaces may not stand beside namespaceSelector. Give each an item of its own", "namespaces")
        return entry

    def _anywhere(self, entry: Field) -> PeerSet | None:
        """Read an item that means the same for every guarded pod; None where it is none, or invalid."""
        read_selector(entry.get("externalEntitySelector"))
        is_wide = _scope(entry) == "ClusterSet"
        if entry.get("externalEntitySelector").value is not None:
            read_selector(entry.get("namespaceSelector"))
            return EXTERNAL_ENTITIES
        if entry.get("namespaces").value is not None:
            return _OTHER_CLUSTERS if is_wide else None
        if given(entry, ("podSelector", "namespaceSelector")):
            pods = read_pods(entry, self.namespace)
            return any_of((pods, _OTHER_CLUSTERS)) if is_wide else pods
        return self._alone(entry)

    def _alone(self, entry: Field) -> PeerSet | None:
        group, account, nodes, block, name = (entry.get(field) for field in _ALONE)
        if group.value:
            return self.groups.peer(group, self.namespace)
        if account.value is not None:
            return read_account(account)
        if nodes.value is not None:
            return Nodes(read_selector(nodes))
        if block.value is not None:
            return read_block(block, strict_cidr=self.strict_cidr)
        return _domain_names(name)


def _check_multicast(rule: Field, networks: list[Network]) -> None:
    if check_not_mixed(rule.get("to"), networks) and rule.get("action").value in ("Pass", "Reject"):
        rule.error("multicast is allowed or dropped only. Write Allow or Drop", "action")


def _in_alike_namespaces(entry: Field) -> Alike | None:
    """Read an item with ``namespaces``; ``match: Self`` is the namespace of the same name."""
    namespaces = entry.get("namespaces").mapping(("match", "sameLabels"))
    if namespaces.value is None:
        return None
    keys = _keys(namespaces)
    if entry.get("externalEntitySelector").value is not None:
        return None
    return Alike(keys or (NAMESPACE_NAME_LABEL,), read_selector(entry.get("podSelector")))


def _keys(namespaces: Field) -> tuple[str, ...]:
    """Read the label keys of ``sameLabels``; none for ``match: Self``."""
    match, labels = namespaces.get("match"), namespaces.get("sameLabels")
    keys = tuple(dict.fromkeys(key for item in labels.items() if (key := item.text())))
    if len(given(namespaces, ("match", "sameLabels"))) > 1:
        namespaces.error("match and sameLabels may not stand beside each other. Give each an item of its own")
    elif match.value is None and not keys:
        namespaces.error("nothing is said of which namespaces are meant. Write match: Self, or sameLabels")
    if match.value not in (None, "", "Self"):
        match.error(f"{describe(match.value)} is not known. Write Self, the namespace of the guarded pod")
    for item in labels.items():
        if isinstance(item.value, str) and (complaint := label_key_complaint(item.value)):
            item.error(complaint)
    return keys


def _scope(entry: Field) -> str:
    field = entry.get("scope")
    word = field.text()
    if word and word not in _SCOPES:
        field.error(f"{word!r} is not a scope. Use one of {', '.join(_SCOPES)}")
    return word or "Cluster"


def _domain_names(field: Field) -> DomainNames | None:
    """Read ``fqdn``: a name, or a pattern in which ``*`` stands for any characters, dots included."""
    text = field.text()
    if not text:
        return None
    if not _NAME_CHARACTERS.fullmatch(text):
        field.error(f"{text!r} is not a domain name: letters, digits, '-' and '.' only, and '*' for any of them")
    pattern = ".*".join(map(re.escape, text.lower().split("*")))
    return DomainNames((pattern,), (text,))
