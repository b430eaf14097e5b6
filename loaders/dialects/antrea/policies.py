"""NetworkPolicy and ClusterNetworkPolicy of Antrea as rows of the list (docs/semantics/antrea.md)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from simcore.model.cluster import Cluster, Namespace
from simcore.model.labels import LabelSelector
from simcore.model.peers import NOBODY, Endpoints, PeerSet, all_of, any_of
from simcore.model.policy import Action, Direction, Policy, PolicyRef, Rule, Tier

from ..fields import Field, describe
from ..kubernetes import tie_break
from ..names import label_value_complaint
from .applied import Applied, read_applied
from .groups import Groups
from .objects import GROUP, Antrea
from .peers import PEERS_FIELD, Alike, PeerReader, Peers
from .selecting import OUTSIDE, members
from .tiers import BASELINE, Tiers
from .traffic import Traffic, layer7_doubt, names_igmp, read_layer7, read_traffic

SPEC_FIELDS = ("tier", "priority", "appliedTo", "ingress", "egress")
_FIRST_PRIORITY, _LAST_PRIORITY = 1, 10_000
_ACTIONS = {"Allow": Action.ALLOW, "Drop": Action.DENY, "Reject": Action.DENY, "Pass": Action.PASS}
_RULE_FIELDS = ("action", "ports", "protocols", "l7Protocols", "name", "enableLogging", "logLabel", "appliedTo")
_SPEC_HINTS = {
    "podSelector": "Put it below appliedTo, in an item of the list",
    "namespaceSelector": "Put it below appliedTo, in an item of the list",
    "policyTypes": "There is none here: nothing is isolated but by a rule that drops",
    "order": "Did you mean priority?",
}
_NODE_CONDITION = "the feature gate NodeNetworkPolicy is on"
_NODE_DOUBT = "Antrea does not support {} in policies of nodes"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What policies lean on."""

    cluster: Cluster
    tiers: Tiers
    groups: Groups
    strict_cidr: bool


@dataclass(frozen=True, slots=True)
class _Row:
    """One row that a rule becomes: both ends, and the traffic."""

    subject: PeerSet
    peer: PeerSet
    traffic: Traffic
    action: Action
    hosts: bool


def lower_policy(found: Antrea, around: Surroundings) -> Policy:
    """Turn a policy into rules, writing what is wrong with it into its problems."""
    spec = found.spec.mapping(SPEC_FIELDS, _SPEC_HINTS)
    ref = PolicyRef(f"{found.kind}.{GROUP}", found.namespace, found.name)
    tier, priority = around.tiers.name(spec.get("tier")), _priority(spec.get("priority"))
    lowering = _Lowering(ref, tier, priority, around, PeerReader(found.namespace, around.groups, around.strict_cidr))
    applied = read_applied(spec.get("appliedTo"), found.namespace, around.groups)
    items = {direction: _rule_items(spec, direction) for direction in (Direction.INGRESS, Direction.EGRESS)}
    _check_applied(spec, items)
    _check_names(items)
    if found.is_cluster_wide:
        _warn_of_mixture(spec, items)
    rules = tuple(
        rule
        for direction, fields in items.items()
        for index, item in enumerate(fields)
        for rule in lowering.rules(item, direction, index, applied)
    )
    return Policy(ref, rules, found.root.place)


def _priority(field: Field) -> float:
    number = field.number()
    if field.value is None:
        field.error(f"a priority is required, from {_FIRST_PRIORITY} to {_LAST_PRIORITY}, the lower the earlier")
    elif number is not None and not _FIRST_PRIORITY <= number <= _LAST_PRIORITY:
        field.error(f"{number} is not a priority: they go from {_FIRST_PRIORITY} to {_LAST_PRIORITY}")
    return float(number or _FIRST_PRIORITY)


def _rule_items(spec: Field, direction: Direction) -> list[Field]:
    own = PEERS_FIELD[direction]
    egress_only = ("toServices",) if direction is Direction.EGRESS else ()
    hints = {
        "from": "An egress rule names its peers in to",
        "to": "An ingress rule names its peers in from",
        "toServices": "Only egress rules take it",
        "podSelector": f"Put it into an item of {own}",
        "namespaceSelector": f"Put it into an item of {own}",
        "ipBlock": f"Put it into an item of {own}",
        "priority": "Rules have none: they are asked in the order in which they stand",
    }
    checked = []
    for item in spec.get(direction.word).items():
        if item.value is None:
            item.error("an empty item has no action. Write the rule, or remove the dash")
        else:
            checked.append(item.mapping((own, *egress_only, *_RULE_FIELDS), hints))
    return checked


def _check_applied(spec: Field, items: Mapping[Direction, list[Field]]) -> None:
    """Check where ``appliedTo`` stands: in the policy, or in each of its rules (AN-9)."""
    rules = [item for fields in items.values() for item in fields]
    with_own = [item for item in rules if item.get("appliedTo").value]
    if spec.get("appliedTo").value:
        for item in with_own:
            item.error("the policy says already whom it applies to. Keep one of the two", "appliedTo")
    elif not with_own:
        spec.error("nothing is said of whom the policy applies to. Add it, here or in every rule", "appliedTo")
    else:
        for item in rules:
            if item not in with_own:
                item.error("other rules of the policy have one, so each needs one. Add it", "appliedTo")


def _check_names(items: Mapping[Direction, list[Field]]) -> None:
    """Check that no two rules have one name; those without get one that is made of what they say (AN-6)."""
    taken: set[str] = set()
    for direction, fields in items.items():
        for item in fields:
            name = item.get("name").text()
            content = {key: value for key, value in (item.value or {}).items() if key != "name" and value is not None}
            key = name or f"{direction.word} {json.dumps(content, sort_keys=True)}"
            if key in taken and name:
                item.error(f"another rule of the policy is called {name} already. Choose another name", "name")
            elif key in taken:
                item.error("another rule of the policy says the same. Remove one, or give each a name")
            taken.add(key)


def _warn_of_mixture(spec: Field, items: Mapping[Direction, list[Field]]) -> None:
    """Warn of groups beside selectors, which Antrea's pages forbid and its admission takes (AN-10)."""
    lists = [spec.get("appliedTo")]
    lists += [item.get(name) for fields in items.values() for item in fields for name in ("appliedTo", "from", "to")]
    entries = [entry for field in lists if isinstance(field.value, list) for entry in field.value]
    named = {name for entry in entries if isinstance(entry, dict) for name, value in entry.items() if value is not None}
    if "group" in named and named & {"podSelector", "namespaceSelector"}:
        spec.warn(
            "Antrea's pages say that one ClusterNetworkPolicy names either groups or selectors. It is read as written: "
            "to be safe, make groups of all"
        )


@dataclass(frozen=True, slots=True)
class _Lowering:
    """One policy on its way to rules."""

    ref: PolicyRef
    tier: str
    priority: float
    around: Surroundings
    peers: PeerReader

    def rules(self, item: Field, direction: Direction, index: int, of_policy: Applied | None) -> list[Rule]:
        """Turn one item of ``ingress`` or ``egress`` into rows, all of one index."""
        own = read_applied(item.get("appliedTo"), self.ref.namespace, self.around.groups, of_rule=True)
        applied = own or of_policy
        word = self._action(item)
        peers, traffic = self.peers.read(item, direction), read_traffic(item, direction)
        has_layer7 = read_layer7(item)
        _check_igmp(item)
        _check_labels(item)
        if applied is None:
            return []
        _check_kinds(item, direction, applied, peers)
        if has_layer7:
            rows = list(self._rows(applied, peers, [layer7_doubt(row) for row in traffic], Action.ALLOW))
            rows += self._rows(applied, peers, traffic, Action.DENY)
        else:
            rows = list(self._rows(applied, peers, traffic, _ACTIONS.get(word, Action.DENY)))
        doubt = _node_doubt(item, has_layer7) if applied.nodes else ""
        return [
            Rule(
                policy=self.ref,
                index=index,
                direction=direction,
                subject=row.subject,
                peer=row.peer,
                ports=row.traffic.ports,
                action=row.action,
                tier=self._place(direction, applied),
                order=(0, self.priority, index, tie_break(self.ref), number),
                place=item.place,
                source_ports=row.traffic.source_ports,
                hosts=row.hosts,
                rejects=word == "Reject",
                tie=(self.priority, index),
                name=item.get("name").text() or "",
                condition=_NODE_CONDITION if applied.nodes else "",
                doubt=doubt or row.traffic.doubt,
            )
            for number, row in enumerate(rows)
        ]

    def _place(self, direction: Direction, applied: Applied) -> Tier:
        tiers = self.around.tiers
        return tiers.before_pods(self.tier) if applied.services else tiers.place(self.tier, direction)

    def _action(self, item: Field) -> str:
        field = item.get("action")
        word = field.text()
        if field.value is None:
            field.error(f"an action is required: one of {', '.join(_ACTIONS)}")
        elif word is not None and word not in _ACTIONS:
            hint = "Write Drop, or Reject to answer as well" if word == "Deny" else f"Use one of {', '.join(_ACTIONS)}"
            field.error(f"{describe(word)} is not an action. {hint}")
        elif word == "Pass" and self.tier == BASELINE:
            field.error("nothing is left to pass to behind the baseline tier. Leave the rule out, or write Allow")
        return word or ""

    def _rows(self, applied: Applied, peers: Peers, traffic: Iterable[Traffic], action: Action) -> Iterator[_Row]:
        ends = list(self._ends(applied, peers))
        if applied.services:
            ends = [(subject, all_of((peer, *OUTSIDE))) for subject, peer in ends]
            action = Action.PASS if action is Action.ALLOW else action
        hosts = (False, True) if applied.services else (bool(applied.nodes),)
        for row in traffic:
            for subject, peer in ends:
                yield from (_Row(subject, peer, row, action, of_hosts) for of_hosts in hosts)

    def _ends(self, applied: Applied, peers: Peers) -> Iterator[tuple[PeerSet, PeerSet]]:
        """Pair the guarded ends with their peers, by namespaces where these depend on them (AN-15, AN-16)."""
        if peers.anywhere is not None:
            yield applied.subject, peers.anywhere
        for alike in peers.alike:
            for wanted, namespaces in self._alike(alike):
                subject = _within(applied.subject, wanted, namespaces)
                if subject != NOBODY:
                    yield subject, Endpoints(wanted, alike.pods)

    def _alike(self, alike: Alike) -> Iterator[tuple[LabelSelector, list[Namespace]]]:
        """Group the namespaces that have all keys by their values."""
        found: dict[tuple[str, ...], list[Namespace]] = {}
        for namespace in self.around.cluster.namespaces.values():
            if all(key in namespace.labels for key in alike.keys):
                found.setdefault(tuple(namespace.labels[key] for key in alike.keys), []).append(namespace)
        for values, namespaces in sorted(found.items()):
            yield LabelSelector.equal(dict(zip(alike.keys, values, strict=True))), namespaces


def _within(subject: PeerSet, wanted: LabelSelector, namespaces: list[Namespace]) -> PeerSet:
    """Narrow a subject to some namespaces; `wanted` selects these."""
    parts: list[PeerSet] = []
    for part in members(subject):
        if not isinstance(part, Endpoints):
            parts.append(all_of((part, Endpoints(wanted))))
        elif any(part.namespaces.matches(namespace.labels) for namespace in namespaces):
            both = LabelSelector.of(*part.namespaces.requirements, *wanted.requirements)
            parts.append(replace(part, namespaces=both))
    return any_of(parts)


def _check_igmp(item: Field) -> None:
    if not names_igmp(item):
        return
    others = [name for name in ("from", "to", "ports", "toServices") if item.get(name).value]
    others += [
        "icmp"
        for entry in item.get("protocols").items()
        if isinstance(entry.value, dict) and entry.value.get("icmp") is not None
    ]
    if others:
        item.error(f"igmp may not stand beside {others[0]}. Make a rule of each", "protocols")
    if item.get("action").value in ("Pass", "Reject"):
        item.error("IGMP is allowed or dropped only. Write Allow or Drop", "action")


def _check_labels(item: Field) -> None:
    item.get("enableLogging").boolean()
    label = item.get("logLabel").text()
    if label and (complaint := label_value_complaint(label)):
        item.get("logLabel").error(complaint)


def _check_kinds(item: Field, direction: Direction, applied: Applied, peers: Peers) -> None:
    """Check what rules of Services and of nodes may not say, and warn where releases differ."""
    if applied.services and direction is Direction.EGRESS:
        item.error("what applies to Services has ingress rules only. Move this rule to a policy of pods")
    elif applied.services:
        for entry in item.get("from").items():
            if isinstance(entry.value, dict) and [k for k, v in entry.value.items() if v is not None] != ["ipBlock"]:
                entry.error("rules that apply to Services know clients by ipBlock only. Write one")
    if applied.nodes and peers.alike:
        item.error("a node has no namespace that namespaces could be compared with. Write namespaceSelector")
    if peers.alike and (applied.by_group or len(members(applied.subject)) > 1):
        item.warn(
            "Antrea's controller is known to miss pods where namespaces stands in a rule that applies to a "
            "group or to several items. It is read as written: make a policy of each item to be sure"
        )


def _node_doubt(item: Field, has_layer7: bool) -> str:
    names = any(isinstance(e.value, dict) and e.value.get("fqdn") for e in item.get("to").items())
    return _NODE_DOUBT.format("fqdn" if names else "l7Protocols") if names or has_layer7 else ""
