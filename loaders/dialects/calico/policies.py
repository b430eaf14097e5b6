"""Calico policies, lowered to the rule list (CA-31 to CA-39, CA-55, CA-61 to CA-64)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from simcore.errors import Place
from simcore.model.peers import NOBODY, PeerSet, any_of
from simcore.model.policy import Action, Direction, Policy, PolicyRef, Position, Role, Rule, Tier
from simcore.model.ports import EVERY_PORT

from .. import kubernetes
from ..fields import Field
from .endpoints import ACCOUNT, NAMESPACE, HostEndpoint, Population, narrowed, single
from .entities import Scope, every, in_namespaces, read_account_selector, with_all_meaning
from .expressions import Always, Comparison, Expression, holds, parse
from .objects import DEFAULT_TIER, TierEnd, missing_tier
from .reading import API_GROUP, Head, read_expression, read_flag, read_number, read_texts, read_word
from .rules import Written, read_rules

KINDS = ("NetworkPolicy", "GlobalNetworkPolicy")
STAGED = {f"Staged{kind}": kind for kind in KINDS}
STAGED_KUBERNETES = "StagedKubernetesNetworkPolicy"
_SPEC = ("tier", "order", "ingress", "egress", "selector", "types", "serviceAccountSelector", "performanceHints")
_GLOBAL = ("doNotTrack", "preDNAT", "applyOnForward", "namespaceSelector")
_HINTS = {
    "podSelector": "Calico selects pods by selector: app == 'web'",
    "policyTypes": "Calico says types",
    "type": "Did you mean types? It takes a list",
    "priority": "Did you mean order?",
    "action": "It belongs into an item of ingress or egress",
}
_DIRECTIONS = {"Ingress": Direction.INGRESS, "Egress": Direction.EGRESS}
_STAGED_ACTIONS = ("Set", "Delete", "Learn", "Ignore")
PERFORMANCE_HINT = "AssumeNeededOnEveryNode"
LAST = float("inf")
"""The order of a policy that names none."""

Group = Literal["normal", "untracked", "pre-dnat"]
_STAGES = {"untracked": -3.0, "pre-dnat": -2.0}
"""Where the policies of a host endpoint that come before the tiers stand (CA-62)."""


@dataclass(frozen=True, slots=True)
class World:
    """What policies are lowered in."""

    population: Population
    tiers: Mapping[str, TierEnd]
    strict_cidr: bool


def ref_of(head: Head) -> PolicyRef:
    """Name a policy; in storage, those of tier default may carry its name before their own (CA-2)."""
    name = head.name
    if head.is_stored:
        name = name.removeprefix(f"{DEFAULT_TIER}.") or name
    return PolicyRef(f"{head.kind}.{API_GROUP}", head.namespace, name)


def lower_policy(head: Head, world: World) -> Policy:
    """Turn one policy into rules."""
    if head.kind == STAGED_KUBERNETES:
        return _staged_kubernetes(head, world)
    is_staged = head.kind in STAGED
    fields = (*_SPEC, *(_GLOBAL if "Global" in head.kind else ()), *(("stagedAction",) if is_staged else ()))
    spec = head.root.get("spec").mapping(fields, _HINTS)
    ref, place = ref_of(head), head.root.document.place()
    twin = PolicyRef(f"{STAGED[head.kind]}.{API_GROUP}", ref.namespace, ref.name) if is_staged else None
    if is_staged and _deletes(spec):
        return Policy(ref, (), place, stages=twin)
    order = read_number(spec.get("order"))
    for item in read_texts(spec.get("performanceHints")):
        if item != PERFORMANCE_HINT:
            spec.error(f"{item!r} is no hint. Use {PERFORMANCE_HINT}, or none", "performanceHints")
    scope = Scope(world.population, head.namespace, world.strict_cidr)
    draft = _Draft(
        ref=ref,
        end=_tier(spec.get("tier"), world),
        order=LAST if order is None else order,
        types=_types(head, spec),
        written={direction: read_rules(spec.get(direction.word), direction, scope) for direction in Direction},
        place=place,
        population=world.population,
    )
    group, is_forwarded = _group(spec, draft.types)
    subject = _subject(head, spec, world.population)
    hosts = [host for host in world.population.hosts if not head.namespace and holds(subject, host.labels)]
    rules: list[Rule] = []
    if group == "normal":
        rules += draft.rows(world.population.pods(subject), draft.end.tier, ends=draft.end.denies)
    if hosts:
        rules += draft.host_rows(hosts, group)
    if hosts and is_forwarded:
        rules += draft.forwarded_rows(hosts, group, world)
    return Policy(ref, tuple(rules), place, stages=twin)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A policy that was read, on its way to rules."""

    ref: PolicyRef
    end: TierEnd
    order: float
    types: tuple[Direction, ...]
    written: Mapping[Direction, Sequence[Written]]
    place: Place
    population: Population

    def rows(self, subject: PeerSet, tier: Tier, *, ends: bool, hosts: bool = False) -> Iterator[Rule]:
        """Yield a row for each written rule, and one for the end of the tier where that denies."""
        if subject == NOBODY:
            return
        for direction in self.types:
            for row in self.written[direction]:
                guarded = narrowed([subject, row.own])
                if guarded != NOBODY:
                    yield self._row(row, direction, guarded, tier, hosts)
            if ends:
                yield self._end(direction, subject, tier, hosts)

    def _row(self, row: Written, direction: Direction, subject: PeerSet, tier: Tier, hosts: bool) -> Rule:
        return Rule(
            policy=self.ref,
            index=row.index,
            direction=direction,
            subject=subject,
            peer=row.peer,
            ports=row.ports,
            action=row.action,
            tier=tier,
            order=(0, self.order, kubernetes.tie_break(self.ref), row.index),
            place=row.place,
            source_ports=row.source_ports,
            hosts=hosts,
            condition=row.condition,
        )

    def _end(self, direction: Direction, subject: PeerSet, tier: Tier, hosts: bool) -> Rule:
        order = (1, self.order, kubernetes.tie_break(self.ref))
        return Rule.closing(self.ref, direction, subject, tier, order, self.place, Role.TIER_END, hosts=hosts)

    def host_rows(self, hosts: Sequence[HostEndpoint], group: Group) -> Iterator[Rule]:
        """Yield the rows for traffic of the hosts themselves (CA-61, CA-62)."""
        subject = any_of(self.population.guards(host) for host in hosts)
        if group == "normal":
            return self.rows(subject, self.end.tier, ends=self.end.denies, hosts=True)
        return self.rows(subject, self._early(_STAGES[group], group), ends=False, hosts=True)

    def _early(self, stage: float, group: str) -> Tier:
        position = self.end.tier.position
        below = position.stage if position else ()
        return Tier(f"{self.end.tier.name} ({group})", Position((stage, *below)))

    def forwarded_rows(self, hosts: Sequence[HostEndpoint], group: Group, world: World) -> Iterator[Rule]:
        """Yield what may befall the traffic of pods on its way through hosts: denials that are not sure (CA-64).

        A rule that allows ends the doubt where the policy guards every host endpoint there is.
        """
        subject = _behind(hosts, self.population)
        tier = Tier("forwarded", Position((-1.0,), (_STAGES.get(group, -1.0), *_rank(self.end, world))))
        guards_all = len(hosts) == len(self.population.hosts)
        for rule in self.rows(subject, tier, ends=group == "normal" and self.end.denies):
            if rule.action is Action.DENY:
                ports = rule.ports if group == "normal" else EVERY_PORT
                yield replace(rule, ports=ports, doubt=_FORWARDED)
            elif rule.action is Action.ALLOW and guards_all and (group == "normal" or rule.ports == EVERY_PORT):
                yield replace(rule, action=Action.PASS)


_FORWARDED = "it guards what host endpoints forward, and whether a packet of the pod takes that way is not known"


def _rank(end: TierEnd, world: World) -> tuple[float, ...]:
    """Return where a tier stands among all, as a number."""
    positions = sorted(other.tier.position for other in world.tiers.values() if other.tier.position is not None)
    position = end.tier.position
    return (float(sum(other < position for other in positions)),) if position else ()


def _behind(hosts: Sequence[HostEndpoint], population: Population) -> PeerSet:
    """Return the pods that may be behind host endpoints: those on their nodes, and those of unknown whereabouts."""
    nodes = {host.node for host in hosts}
    pods_on = population.pods_on
    is_vague = any(not pod.node or not pod.addresses for pods in pods_on.values() for pod in pods)
    if is_vague or pods_on.keys() <= nodes:
        return population.pods(Always())
    behind = (pod for node in sorted(nodes) for pod in pods_on.get(node, ()))
    return any_of(single(address) for pod in behind for address in pod.addresses)


# Parts of the spec


def _deletes(spec: Field) -> bool:
    """Whether a staged policy stages a deletion (CA-71); such a one names its tier and nothing else."""
    action = read_word(spec.get("stagedAction"), _STAGED_ACTIONS)
    if action != "Delete":
        return False
    for name in spec.value or ():
        if name not in ("stagedAction", "tier"):
            spec.error("a policy that stages a deletion has no other field than tier. Remove it", name)
    spec.warn("Calico previews nothing for a staged deletion; --enforce-staged takes the policy away", "stagedAction")
    return True


def _tier(field: Field, world: World) -> TierEnd:
    name = field.text() or DEFAULT_TIER
    if name in world.tiers:
        return world.tiers[name]
    names = ", ".join(sorted(world.tiers))
    field.warn(
        f"there is no tier {name!r}, only {names}. Calico asks such a policy after all others, and denies what it "
        "does not decide. Add the Tier, or correct the name"
    )
    return missing_tier(name)


def _types(head: Head, spec: Field) -> tuple[Direction, ...]:
    """Return the directions that a policy is for (CA-31, CA-32)."""
    field = spec.get("types")
    if field.value is None or (field.value == [] and head.is_stored):
        return _stored_types(field) if head.is_stored else _default_types(spec)
    given = [read_word(item, _DIRECTIONS) for item in field.items()]
    if not given:
        field.error("an empty list is not taken. Leave types out, or write Ingress or Egress")
    for number, word in enumerate(given):
        if word is not None and word in given[:number]:
            field.error(f"{word} stands here twice. Keep one", number)
    for word, direction in _DIRECTIONS.items():
        if word not in given and None not in given and spec.get(direction.word).value:
            spec.warn(f"these rules have no effect, because types does not list {word}. Add it", direction.word)
    return tuple(direction for word, direction in _DIRECTIONS.items() if word in given)


def _stored_types(field: Field) -> tuple[Direction, ...]:
    field.warn("no types in a stored policy: Calico applies it to both directions. Write the ones that are meant")
    return tuple(_DIRECTIONS.values())


def _default_types(spec: Field) -> tuple[Direction, ...]:
    has = {direction: bool(spec.get(direction.word).value) for direction in Direction}
    if not has[Direction.EGRESS]:
        return (Direction.INGRESS,)
    return tuple(direction for direction in _DIRECTIONS.values() if has[direction])


def _group(spec: Field, types: tuple[Direction, ...]) -> tuple[Group, bool]:
    """Return where host endpoints ask the policy, and whether for what they forward as well (CA-61)."""
    untracked, early, forwarded = (read_flag(spec.get(name)) for name in ("doNotTrack", "preDNAT", "applyOnForward"))
    if untracked and early:
        spec.error("doNotTrack and preDNAT exclude each other. Keep one", "preDNAT")
    for name, is_set in (("doNotTrack", untracked), ("preDNAT", early)):
        if is_set and not forwarded:
            spec.error("this needs applyOnForward: true beside it", name)
    if early and (spec.get("egress").value or Direction.EGRESS in types):
        spec.error("a preDNAT policy is for ingress only. Remove egress", "preDNAT")
    group: Group = "untracked" if untracked else "pre-dnat" if early else "normal"
    return group, forwarded


def _subject(head: Head, spec: Field, population: Population) -> Expression:
    """Return whom a policy is for (CA-26 to CA-28)."""
    selector, namespaces = (read_expression(spec.get(name)) for name in ("selector", "namespaceSelector"))
    accounts = read_account_selector(spec.get("serviceAccountSelector"), population)
    parts: list[Expression] = []
    if selector is not None:
        meant = NAMESPACE if namespaces is not None else ACCOUNT if accounts is not None else ""
        parts.append(parse(spec.get("selector").value.replace("all()", f"has({meant})")) if meant else selector)
    if head.namespace:
        parts.append(Comparison(NAMESPACE, "==", (head.namespace,)))
    if namespaces is not None:
        parts.append(in_namespaces(namespaces))
    if accounts is not None:
        parts.append(with_all_meaning(accounts, ACCOUNT))
    return every(parts) if parts else Always()


def _staged_kubernetes(head: Head, world: World) -> Policy:
    """Turn a staged NetworkPolicy of Kubernetes into rules (CA-70)."""
    spec = head.root.get("spec").mapping((*kubernetes.SPEC_FIELDS, "stagedAction"))
    ref, place = ref_of(head), head.root.document.place()
    twin = PolicyRef("NetworkPolicy", ref.namespace, ref.name)
    if _deletes(spec):
        return Policy(ref, (), place, stages=twin)
    return Policy(ref, kubernetes.read_rules(spec, ref, strict_cidr=world.strict_cidr), place, stages=twin)
