"""NetworkPolicy of networking.k8s.io/v1, lowered to the rule list (docs/semantics/networkpolicy.md)."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import Diagnostic
from simcore.model.labels import LabelSelector
from simcore.model.peers import ANYTHING, AnyOf, Endpoints, Network, PeerSet
from simcore.model.policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Role, Rule
from simcore.model.ports import (
    EVERY_PORT,
    LAST_PORT,
    PROTOCOL_NUMBERS,
    TCP,
    NamedPort,
    PortRange,
    PortSet,
)
from simcore.model.profile import UPSTREAM, Profile

from ..documents import Document
from .blocks import read_block
from .fields import Field, describe, read_alone
from .metadata import read_metadata
from .names import port_name_complaint
from .selectors import read_selector

API_VERSION = "networking.k8s.io/v1"
ORDER = 1000.0
"""Order of every NetworkPolicy, where it shares a tier with policies that have one."""
_FORMER_VERSIONS = ("extensions/v1beta1",)
_PROTOCOLS = ("TCP", "UDP", "SCTP")
_DIRECTIONS = {"Ingress": Direction.INGRESS, "Egress": Direction.EGRESS}
_PEERS_FIELD = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_PEER_FIELDS = ("podSelector", "namespaceSelector", "ipBlock")
_MOST_TYPES = 2

_SPEC_HINTS = {
    "policyType": "Did you mean policyTypes? It takes a list",
    "matchLabels": "Put it below podSelector",
    "selector": "Did you mean podSelector?",
    "from": "It belongs into an item of ingress",
    "to": "It belongs into an item of egress",
    "ports": "It belongs into an item of ingress or egress",
    "namespaceSelector": "A NetworkPolicy binds pods of its own namespace only",
}
_PEER_HINTS = {
    "cidr": "Put it below ipBlock",
    "except": "Put it below ipBlock, beside cidr",
    "matchLabels": "Put it below podSelector or namespaceSelector",
    "matchExpressions": "Put it below podSelector or namespaceSelector",
    "ports": "It stands beside from or to, not inside",
    "ipblock": "Did you mean ipBlock?",
}
_PORT_HINTS = {
    "endport": "Did you mean endPort?",
    "name": "Write the name of the port as the value of port",
    "targetPort": "Policies take the pod's port, as port",
    "containerPort": "Did you mean port?",
    "ports": "One port per item: write port",
}


def lower(document: Document, diagnostics: list[Diagnostic], *, profile: Profile = UPSTREAM) -> list[Policy]:
    """Turn one NetworkPolicy into rules.

    Parameters
    ----------
    document : Document
        The manifest.
    diagnostics : list of Diagnostic
        Written: every problem found, as the API server would refuse it, and warnings.
    profile : Profile
        How policies are read: of its settings `strict_cidr`, and those of Cilium's agent.

    Returns
    -------
    list of Policy
        The policy; empty where the manifest is invalid.
    """
    return read_alone(document, diagnostics, lambda root: _Lowering(root, profile.strict_cidr).policy())


def read_rules(spec: Field, ref: PolicyRef, *, strict_cidr: bool) -> tuple[Rule, ...]:
    """Turn a spec as NetworkPolicies have it into the rules of a policy."""
    return _Lowering(spec, strict_cidr).rules(spec, ref)


@dataclass(frozen=True, slots=True)
class _Lowering:
    """One manifest on its way to rules."""

    root: Field
    strict_cidr: bool

    def policy(self) -> Policy:
        root = self.root.mapping(
            ("apiVersion", "kind", "metadata", "spec", "status"),
            dict.fromkeys(SPEC_FIELDS, "Put it below spec"),
        )
        if (version := root.document.api_version) != API_VERSION:
            former = version in _FORMER_VERSIONS
            fate = f"{version} is no longer served" if former else f"there is no NetworkPolicy in {version}"
            root.error(f"{fate}. Write apiVersion: {API_VERSION}, the only version that is read", "apiVersion")
        for path in root.document.repeated_keys():
            root.error("this key stands here twice. Keep one", *path)
        metadata = read_metadata(root.get("metadata"))
        ref = PolicyRef("NetworkPolicy", metadata.namespace, metadata.name)
        spec = root.get("spec").mapping(SPEC_FIELDS, _SPEC_HINTS)
        return Policy(ref, self.rules(spec, ref), root.document.place())

    def rules(self, spec: Field, ref: PolicyRef) -> tuple[Rule, ...]:
        """Turn a spec into rules of a policy."""
        subject = Endpoints(LabelSelector.namespace(ref.namespace), read_selector(spec.get("podSelector")))
        written = [
            rule
            for direction in (Direction.INGRESS, Direction.EGRESS)
            for rule in self._rules(spec.get(direction.word), direction, ref, subject)
        ]
        types = _policy_types(spec)
        rules = [rule for rule in written if rule.direction in types]
        return (*rules, *(_isolation(spec, direction, ref, subject) for direction in types))

    def _rules(self, field: Field, direction: Direction, ref: PolicyRef, subject: Endpoints) -> list[Rule]:
        return [
            Rule(
                policy=ref,
                index=index,
                direction=direction,
                subject=subject,
                peer=self._peers(item, direction, ref.namespace),
                ports=_ports(item.get("ports")),
                action=Action.ALLOW,
                tier=NETWORKPOLICY,
                order=(0, ORDER, tie_break(ref), index),
                place=item.place,
            )
            for index, item in enumerate(_rule_items(field, direction))
        ]

    def _peers(self, rule: Field, direction: Direction, namespace: str) -> PeerSet:
        items = rule.get(_PEERS_FIELD[direction])
        peers = [self._peer(item, namespace) for item in items.items()]
        found = tuple(dict.fromkeys(peer for peer in peers if peer is not None))
        if not peers:
            return ANYTHING
        return found[0] if len(found) == 1 else AnyOf(found)

    def _peer(self, item: Field, namespace: str) -> Endpoints | Network | None:
        peer = item.mapping(_PEER_FIELDS, _PEER_HINTS)
        pods, namespaces, block = (peer.get(name) for name in _PEER_FIELDS)
        selects = pods.value is not None or namespaces.value is not None
        if block.value is not None:
            if selects:
                peer.error(
                    "ipBlock may not stand beside a selector in one item. Give each an item of its own",
                    "ipBlock",
                )
                for selector in (pods, namespaces):
                    read_selector(selector)
            return read_block(block, strict_cidr=self.strict_cidr)
        if not selects:
            if item.value is None or (peer.value is not None and peer.value.keys() <= set(_PEER_FIELDS)):
                item.error(
                    "a peer is required: podSelector, namespaceSelector or ipBlock. "
                    "Leave the whole list out to mean everybody"
                )
            return None
        in_namespaces = (
            read_selector(namespaces) if namespaces.value is not None else LabelSelector.namespace(namespace)
        )
        return Endpoints(in_namespaces, read_selector(pods))


SPEC_FIELDS = ("podSelector", "policyTypes", "ingress", "egress")


def _rule_items(field: Field, direction: Direction) -> list[Field]:
    """Return the items of ``ingress`` or ``egress``, checked to be rules."""
    own = _PEERS_FIELD[direction]
    other = "to" if own == "from" else "from"
    hints = {
        other: f"An {direction.word} rule names its peers in {own}",
        "podSelector": f"Put it into an item of {own}",
        "namespaceSelector": f"Put it into an item of {own}",
        "ipBlock": f"Put it into an item of {own}",
        "port": "Put it into an item of ports",
        "protocol": "Put it into an item of ports",
    }
    checked = []
    for item in field.items():
        if item.value is None:
            item.error("an empty item would allow everything. Write {} if that is meant, or remove the dash")
        checked.append(item.mapping((own, "ports"), hints))
    return checked


def tie_break(ref: PolicyRef) -> str:
    """Return what decides between policies of equal order; kinds of Kubernetes' own groups come before others."""
    return f"{ref.name}/{ref.namespace}/{ref.kind}"


def _isolation(spec: Field, direction: Direction, ref: PolicyRef, subject: Endpoints) -> Rule:
    place = spec.document.place(field="spec.policyTypes" if spec.get("policyTypes").value else "")
    order = (1, ORDER, tie_break(ref))
    return Rule.closing(ref, direction, subject, NETWORKPOLICY, order, place, Role.ISOLATION)


def _policy_types(spec: Field) -> list[Direction]:
    """Return the directions that the policy isolates (NP-6 to NP-9)."""
    field = spec.get("policyTypes")
    items = list(field.items())
    egress = spec.get("egress").value
    if not items:
        return [Direction.INGRESS, Direction.EGRESS] if egress else [Direction.INGRESS]
    if len(items) > _MOST_TYPES:
        field.error("at most two types may stand here: Ingress and Egress. Remove the rest")
        return []
    given = [_policy_type(item) for item in items]
    for word, direction in _DIRECTIONS.items():
        if direction not in given and None not in given and spec.get(direction.word).value:
            spec.warn(
                f"these rules have no effect, because policyTypes does not list {word}. Add it",
                direction.word,
            )
    return [direction for direction in _DIRECTIONS.values() if direction in given]


def _policy_type(item: Field) -> Direction | None:
    word = item.text()
    if word in _DIRECTIONS:
        return _DIRECTIONS[word]
    if item.value is None or word is not None:
        item.error(f"{describe(item.value)} is not a policy type. Write Ingress or Egress, with a capital")
    return None


def _ports(field: Field) -> PortSet:
    items = list(field.items())
    found = [_port(item) for item in items]
    members = tuple(dict.fromkeys(port for port in found if port is not None))
    return PortSet(members) if items else EVERY_PORT


def _port(item: Field) -> PortRange | NamedPort | None:
    if item.value is None:
        item.error("an empty item would stand for every TCP port. Write protocol: TCP if that is meant")
    entry = item.mapping(("protocol", "port", "endPort"), _PORT_HINTS)
    protocol = _protocol(entry.get("protocol"))
    port, end = entry.get("port"), entry.get("endPort")
    last = end.integer()
    if isinstance(port.value, str):
        return _named_port(port, end, protocol)
    first = port.integer()
    if port.value is None:
        if end.value is not None:
            end.error("endPort ends a range, but there is no port to begin it. Add port")
        return PortRange(protocol)
    if first is None:
        return None
    if not _is_port(port, first):
        return None
    if last is None:
        return PortRange(protocol, first, first)
    if last < first:
        end.error(f"{last} is below port {first}. Did you swap them?")
    elif last != first and not _is_port(end, last):
        return None
    return PortRange(protocol, first, last)


def _named_port(port: Field, end: Field, protocol: int) -> NamedPort:
    if complaint := port_name_complaint(port.value):
        port.error(complaint)
    if end.value is not None:
        end.error(f"a range needs numbers, but port is the name {port.value!r}. Use a number, or drop endPort")
    return NamedPort(protocol, port.value)


def _is_port(field: Field, number: int) -> bool:
    if 1 <= number <= LAST_PORT:
        return True
    field.error(f"{number} is not a port: ports go from 1 to {LAST_PORT}")
    return False


def _protocol(field: Field) -> int:
    word = field.text()
    if word is None:
        return TCP
    if word not in _PROTOCOLS:
        upper = word.upper()
        hint = f"Write {upper}" if upper in _PROTOCOLS else f"Use one of {', '.join(_PROTOCOLS)}"
        field.error(f"{word!r} is not a protocol that policies take. {hint}")
    return PROTOCOL_NUMBERS.get(word.upper(), TCP)
