"""Where the parts of a NetworkPolicy's rules are written, and manifests in which one of them is changed."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from ..errors import Place
from ..model.addresses import Cidr
from ..model.labels import LabelSelector, Operator, Requirement
from ..model.peers import Endpoints, Network, PeerSet
from ..model.policy import Direction, Policy, Rule
from .context import NETWORK_POLICY
from .findings import Fix
from .manifests import with_spec

if TYPE_CHECKING:
    from .context import LintContext, Written

Path = tuple[str | int, ...]

_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


def rule_path(rule: Rule) -> Path:
    """Return where a rule of a NetworkPolicy is written."""
    return "spec", rule.direction.word, rule.index


def peer_paths(document: Written, rule: Rule, peer: PeerSet) -> list[Path]:
    """Return where a NetworkPolicy names a peer among those of a rule."""
    path = (*rule_path(rule), _PEERS[rule.direction])
    items = value_at(document.value, path)
    namespace = rule.policy.namespace
    found = enumerate(items if isinstance(items, list) else ())
    return [(*path, number) for number, item in found if _peer(item, namespace) == peer]


def network_policy_of(context: LintContext, policy: Policy) -> Written | None:
    """Return a policy as it was written, if it is a NetworkPolicy of Kubernetes."""
    document = context.document_of(policy)
    if document is None or (document.group, document.kind) != NETWORK_POLICY:
        return None
    return document


def peer_place(context: LintContext, policy: Policy, rule: Rule, peer: PeerSet) -> Place:
    """Return where a peer is written; where that cannot be told, where its rule is."""
    document = network_policy_of(context, policy)
    paths = peer_paths(document, rule, peer) if document else []
    return document.place(paths[0]) if document and paths else rule.place


def value_at(value: Any, path: Path) -> Any:
    """Return what stands at a path; None where nothing does."""
    for key in path:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return value


def changed(document: Written, path: Path, value: object) -> Fix:
    """Make the manifest in which another value stands at a path, which begins with ``spec``."""
    spec = deepcopy(document.value["spec"])
    holder = value_at({"spec": spec}, path[:-1])
    holder[path[-1]] = value
    return Fix(with_spec(document.value, **spec))


def without_item(document: Written, path: Path) -> Fix:
    """Make the manifest without an item of a list."""
    spec = deepcopy(document.value["spec"])
    del value_at({"spec": spec}, path[:-1])[path[-1]]
    return Fix(with_spec(document.value, **spec))


def selector_value(selector: LabelSelector) -> dict[str, object]:
    """Write a selector as Kubernetes does."""
    labels, expressions = {}, []
    for each in selector.requirements:
        if each.operator is Operator.IN and len(each.values) == 1:
            labels[each.key] = next(iter(each.values))
            continue
        values = {"values": sorted(each.values)} if each.values else {}
        expressions.append({"key": each.key, "operator": str(each.operator), **values})
    parts = {"matchLabels": labels, "matchExpressions": expressions}
    return {name: part for name, part in parts.items() if part}


def _peer(item: Any, namespace: str) -> PeerSet | None:
    if not isinstance(item, dict):
        return None
    if block := item.get("ipBlock"):
        return Network(Cidr.parse(block["cidr"]), tuple(map(Cidr.parse, block.get("except") or ())))
    namespaces, pods = item.get("namespaceSelector"), item.get("podSelector")
    around = LabelSelector.namespace(namespace) if namespaces is None else _selector(namespaces)
    return Endpoints(around, _selector(pods or {}))


def _selector(value: Any) -> LabelSelector:
    labels = value.get("matchLabels") or {}
    expressions = value.get("matchExpressions") or ()
    return LabelSelector.of(
        *(Requirement(key, Operator.IN, frozenset([each])) for key, each in labels.items()),
        *(
            Requirement(each["key"], Operator(each["operator"]), frozenset(each.get("values") or ()))
            for each in expressions
        ),
    )
