"""Subjects and peers (docs/semantics/admin.md)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from simcore.model.peers import DomainNames, Endpoints, Network, Nodes, PeerSet, any_of

from ..blocks import read_cidr
from ..fields import Field
from ..selectors import read_selector
from .forms import Form
from .shapes import bounded, distinct, exact, one_of

_MOST_BLOCKS = 25
_LONGEST_BLOCK = 43
_LABEL = r"[A-Za-z0-9](?:[-A-Za-z0-9_]*[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"(?:\*\.)?(?:{_LABEL}\.)+{_LABEL}\.?")
_OLD = "in force until v0.1.2 of the API; servers drop it now, and what is left means every namespace. "
_SELECTOR_HINTS = {
    "namespaceSelector": f"It was {_OLD}Write its labels directly below namespaces",
    "sameLabels": f"It was {_OLD}Write a rule for each namespace",
    "notSameLabels": f"It was {_OLD}Write a rule for each namespace",
}
_SUBJECT_HINTS = {
    "namespaceSelector": "Did you mean namespaces? Beside podSelector it goes below pods",
    "podSelector": "Put it below pods, beside namespaceSelector",
    "matchLabels": "Put it below namespaces, or below pods.podSelector",
    "matchExpressions": "Put it below namespaces, or below pods.podSelector",
}
_PEER_HINTS = {
    **_SUBJECT_HINTS,
    "namespacedPods": "Did you mean pods?",
    "ipBlock": "Write networks, a list of CIDRs; there is no except",
    "cidr": "Write networks, a list of CIDRs",
    "fqdn": "Did you mean domainNames? It takes a list",
}
_PODS_HINTS = {"namespaces": "Did you mean namespaceSelector?", "pods": "Did you mean podSelector?"}
_UNMATCHED = "an empty peer comes from a newer API, and would have to deny everything or allow nothing (AP-15)"


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers of one rule."""

    form: Form
    egress: bool
    strict_cidr: bool

    def read(self, field: Field) -> PeerSet:
        """Read the whole list."""
        found = [self._peer(item) for item in bounded(field, self.form.most, "peer", required=True)]
        return any_of(peer for peers in found for peer in peers)

    def _peer(self, item: Field) -> list[PeerSet]:
        kinds = ["namespaces", "pods"]
        if self.egress:
            kinds += ["networks", "nodes", *(["domainNames"] if self.form.has_domain_names else [])]
        given = one_of(item, kinds, self._hints(), _UNMATCHED)
        match given.path[-1] if given else "":
            case "namespaces" | "pods":
                return [_pods(given, self.form)] if given else []
            case "networks":
                return list(self._networks(given)) if given else []
            case "nodes":
                return [Nodes(read_selector(given))] if given else []
            case "domainNames":
                return self._domain_names(given) if given else []
        return []

    def _hints(self) -> dict[str, str]:
        if self.egress:
            return {**_PEER_HINTS, "domainNames": f"{self.form.kind} takes none"}
        outward = "Only egress rules take it: nobody outside the pod network can be a peer of an ingress rule"
        return {**_PEER_HINTS, **dict.fromkeys(("networks", "nodes", "domainNames", "ipBlock", "cidr"), outward)}

    def _networks(self, field: Field) -> list[Network]:
        items = bounded(field, _MOST_BLOCKS, "CIDR")
        distinct(items)
        return [block for item in items if (block := self._network(item)) is not None]

    def _network(self, item: Field) -> Network | None:
        if item.value is None or item.value == "":
            item.error("a CIDR is required, such as 10.0.0.0/8")
        elif isinstance(item.value, str) and len(item.value) > _LONGEST_BLOCK:
            item.error(f"a CIDR has at most {_LONGEST_BLOCK} characters")
        else:
            cidr = read_cidr(item, strict_cidr=self.strict_cidr, canonical=True)
            return Network(cidr) if cidr else None
        return None

    def _domain_names(self, field: Field) -> list[PeerSet]:
        items = bounded(field, _MOST_BLOCKS, "name")
        distinct(items)
        names = [name for item in items if (name := _domain_name(item))]
        return [DomainNames(tuple(map(_pattern, names)), tuple(names))]


def read_subject(field: Field, form: Form) -> Endpoints:
    """Read whom a policy binds; hostNetwork pods never are (AP-11)."""
    if field.value is None:
        field.error("a subject is required. Write namespaces: {} below it to mean every pod")
        return Endpoints()
    given = one_of(field, ("namespaces", "pods"), _SUBJECT_HINTS, "namespaces: {} means every pod")
    return _pods(given, form) if given else Endpoints()


def _pods(field: Field, form: Form) -> Endpoints:
    """Read ``namespaces`` or ``pods``."""
    if field.path[-1] == "namespaces":
        return Endpoints(read_selector(field, _SELECTOR_HINTS))
    both = exact(field, ("namespaceSelector", "podSelector"), _PODS_HINTS)
    required = ("namespaceSelector", "podSelector") if form.needs_namespaces else ("podSelector",)
    for name in required:
        if both.value is None or name not in both.value:
            meaning = "everything is selected. The API server refuses this"
            both.warn(f"{name} is missing, so {meaning}: write {name}: {{}} if that is meant", name)
    return Endpoints(read_selector(both.get("namespaceSelector")), read_selector(both.get("podSelector")))


def _domain_name(item: Field) -> str | None:
    name = item.text()
    if name is not None and _DOMAIN.fullmatch(name):
        return name
    if name is not None or item.value is None:
        item.error(
            f"{name or 'nothing'!r} is not a domain name. Write www.example.com, or *.example.com for all below it; "
            "a * stands for whole labels, and only in front"
        )
    return None


def _pattern(name: str) -> str:
    """Return the regular expression of a name: ``*.`` stands for one or more whole labels."""
    plain = name.lower().removesuffix(".")
    rest = re.escape(plain.removeprefix("*."))
    return rf"(?:[^.]+\.)+{rest}" if plain.startswith("*.") else rest
