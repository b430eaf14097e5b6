"""CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy, down to their entries (CI-5, CI-16 to CI-18, CI-39)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from simcore.errors import Diagnostic
from simcore.model.agent import CiliumAgent
from simcore.model.cluster import Cluster
from simcore.model.peers import NOBODY, PeerSet
from simcore.model.policy import Direction, PolicyRef

from ..fields import Field
from .cidrs import Blocks
from .entries import Entry, EntryReader, Owner, Requirement
from .identities import Identities
from .labels import Scope, read_wants
from .objects import CLUSTERWIDE, Cilium
from .peers import PeerReader
from .services import Services

_SECTIONS = ("ingress", "ingressDeny", "egress", "egressDeny")
_FIELDS = ("endpointSelector", "nodeSelector", *_SECTIONS, "enableDefaultDeny", "labels", "description", "log")
SPEC_HINTS = dict.fromkeys(_FIELDS, "Put it below spec")
_HINTS = {
    "podSelector": "Cilium says endpointSelector",
    "policyTypes": "There is none here: a direction is closed by a rule in it. See enableDefaultDeny",
    "matchLabels": "Put it below endpointSelector",
    "order": "Cilium's policies have no order: a denial always wins",
    "priority": "Cilium's policies have no priority: a denial always wins",
}
_LABEL_FIELDS = ("key", "value", "source")
_LONGEST_LOG = 32
_DEFAULT_DENY_SINCE = (1, 16)


@dataclass(frozen=True)
class Surroundings:
    """What policies are read in."""

    cluster: Cluster
    agent: CiliumAgent
    blocks: Blocks
    identities: Identities


@dataclass(slots=True)
class Draft:
    """A policy that was read.

    Attributes
    ----------
    found : list
        Entries and requirements, in the order in which they stand.
    """

    source: Cilium
    ref: PolicyRef
    owners: list[Owner] = field(default_factory=list)
    found: list[Entry | Requirement] = field(default_factory=list)

    @property
    def problems(self) -> list[Diagnostic]:
        """What is wrong with it."""
        return self.source.root.problems

    @property
    def entries(self) -> Iterator[Entry]:
        """The entries among what was found."""
        return (each for each in self.found if isinstance(each, Entry))


def read_policy(source: Cilium, around: Surroundings) -> Draft:
    """Read a policy, writing what is wrong with it into its problems."""
    draft = Draft(source, PolicyRef(source.kind, source.namespace, source.name))
    specs = list(_specs(source.root))
    if not specs:
        source.root.error("empty policy: there are no/empty spec(s). Write spec, or specs with an item")
    for prefix, spec in specs:
        _read_spec(prefix, spec.mapping(_FIELDS, _HINTS), draft, around)
    return draft


def _specs(root: Field) -> Iterator[tuple[str, Field]]:
    if root.get("spec").value is not None:
        yield "", root.get("spec")
    for number, item in enumerate(root.get("specs").items()):
        yield f"specs[{number}].", item


def _read_spec(prefix: str, spec: Field, draft: Draft, around: Surroundings) -> None:
    if spec.value is None:
        spec.error("an empty item says nothing. Remove the dash")
        return
    hosts = _check_selectors(spec, draft.source)
    scope = Scope(draft.source.namespace, around.agent)
    subject, scope = _subject(spec, scope, around.identities, hosts=hosts)
    sections = [name for name in _SECTIONS if _has_items(spec.get(name))]
    if not sections:
        spec.error("rule must have at least one of Ingress, IngressDeny, Egress, EgressDeny. Add one with an item")
    _check_rest(spec)
    owner = Owner(draft.ref, prefix, subject, hosts, _closes(spec, sections, around.agent))
    reader = EntryReader(
        owner,
        PeerReader(scope, around.identities, around.blocks, Services(around.cluster)),
        clusterwide=draft.source.kind == CLUSTERWIDE,
    )
    found = [each for direction in (Direction.INGRESS, Direction.EGRESS) for each in reader.read(spec, direction)]
    if hosts and not around.agent.host_firewall:
        spec.warn("the host firewall is off, so nothing enforces this (--set host_firewall=true)", "nodeSelector")
    if subject != NOBODY:
        draft.owners.append(owner)
        draft.found += found


def _has_items(field: Field) -> bool:
    """Whether a list has items; what is no list is complained about where it is read."""
    return field.value is not None and field.value != []


def _check_selectors(spec: Field, source: Cilium) -> bool:
    """Check which selector there is; tell whether it is one of nodes."""
    pods, nodes = spec.get("endpointSelector").value, spec.get("nodeSelector").value
    if nodes is not None and source.kind != CLUSTERWIDE:
        spec.error(f"rule cannot have NodeSelector: only a {CLUSTERWIDE} binds nodes", "nodeSelector")
    elif pods is None and nodes is None:
        spec.error("rule must have one of EndpointSelector or NodeSelector. Write endpointSelector: {} for everything")
    elif pods is not None and nodes is not None:
        spec.error("rule cannot have both EndpointSelector and NodeSelector. Make a policy of each", "nodeSelector")
    return nodes is not None


def _subject(spec: Field, scope: Scope, identities: Identities, *, hosts: bool) -> tuple[PeerSet, Scope]:
    """Read whom a specification binds, and what its peers mean for that."""
    field = spec.get("nodeSelector" if hosts else "endpointSelector")
    wants = read_wants(field)
    if hosts:
        return identities.node_subject(wants), scope
    selects_init = any(each.source == "reserved" and each.key == "init" for each in wants)
    scope = Scope(scope.namespace, scope.agent, selects_init)
    return identities.subject(scope.of_subject(field, wants)), scope


def _closes(spec: Field, sections: Sequence[str], agent: CiliumAgent) -> dict[Direction, bool]:
    """Tell in which directions a specification denies what no rule allows (CI-18)."""
    entry = spec.get("enableDefaultDeny").mapping(("ingress", "egress"))
    is_known = agent.version >= _DEFAULT_DENY_SINCE
    if entry.value is not None and not is_known:
        entry.warn("Cilium knows this from 1.16 on: it is overlooked")
    closes = {}
    for direction in Direction:
        asked = entry.get(direction.word).boolean()
        has_rules = any(name in sections for name in (direction.word, f"{direction.word}Deny"))
        closes[direction] = has_rules and (asked is None or asked or not is_known)
        if asked and is_known and not has_rules:
            entry.warn(f"there is no {direction.word} rule, so nothing is closed. Add one: [{{}}]", direction.word)
    return closes


def _check_rest(spec: Field) -> None:
    for item in spec.get("labels").items():
        item.mapping(_LABEL_FIELDS)
    spec.get("description").text()
    log = spec.get("log").mapping(("value",))
    text = log.get("value").text() or ""
    if len(text) > _LONGEST_LOG or not text.isprintable():
        log.error(f"log.value has up to {_LONGEST_LOG} printable characters", "value")
