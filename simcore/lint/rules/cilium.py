"""Traps of Cilium's own language (docs/semantics/cilium.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import Place
from ...model.cluster import Service
from ...model.peers import DomainNames, atoms_of
from ...model.policy import Action, Direction, Policy, Role, Rule
from ..context import LintContext, Written
from ..findings import Finding, LintRule, Severity
from ..words import listed

_GROUP = "cilium.io"
_CLUSTERWIDE = "CiliumClusterwideNetworkPolicy"
_SECTIONS = ("ingress", "ingressDeny", "egress", "egressDeny")
_NOBODY = ("Endpoints", "Nodes", "Entities", "CIDR", "CIDRSet")
"""Lists that mean nobody where they are empty, without ``from`` or ``to``."""
_ABSENT = ("toFQDNs", "toServices", "toGroups")
"""Lists that are as good as absent where they are empty."""
_LETS_HEALTH_IN = frozenset(("all", "cluster", "cluster-mesh", "health", "remote-node"))

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Item:
    """One item of a section."""

    policy: Policy
    document: Written
    path: Path
    section: str
    value: Mapping[str, Any]

    def finding(self, code: str, field: str, message: str, *details: str) -> Finding:
        """Make a finding about one of its fields."""
        place = self.document.place((*self.path, field))
        return Finding(code, place, message, details=details, policy=self.policy.ref)


def _specs(context: LintContext) -> Iterator[tuple[Policy, Written, Path, Mapping[str, Any]]]:
    for policy, document in context.written((_GROUP, "CiliumNetworkPolicy"), (_GROUP, _CLUSTERWIDE)):
        if isinstance(document.value.get("spec"), Mapping):
            yield policy, document, ("spec",), document.value["spec"]
        for number, spec in enumerate(document.value.get("specs") or ()):
            yield policy, document, ("specs", number), spec


def _items(context: LintContext) -> Iterator[_Item]:
    for policy, document, path, spec in _specs(context):
        for section in _SECTIONS:
            for number, item in enumerate(spec.get(section) or ()):
                if isinstance(item, Mapping):
                    yield _Item(policy, document, (*path, section, number), section, item)


def _nobody(context: LintContext) -> Iterator[Finding]:
    for item in _items(context):
        for field in (f"{word}{kind}" for word in ("from", "to") for kind in _NOBODY):
            if item.value.get(field, ()) == []:
                yield item.finding(
                    "FV030",
                    field,
                    f"{field} is an empty list, which means nobody (CI-17): the rule matches nothing; leave the field "
                    "out to mean everybody, or name somebody.",
                )


def _everybody(context: LintContext) -> Iterator[Finding]:
    for item in _items(context):
        if not item.value.get("toPorts") or any(name.startswith("to") for name in _peers(item)):
            continue
        for field in _ABSENT:
            if item.value.get(field) == []:
                yield item.finding(
                    "FV031",
                    field,
                    f"{field} is an empty list, which is as good as absent (CI-17): {_does(item)} these ports to every "
                    "address there is.",
                )
        services = item.value.get("toServices")
        if services and context.cluster.services and not _services(context, item):
            yield item.finding(
                "FV031",
                "toServices",
                f"toServices matches no Service, which is as good as absent (CI-17): {_does(item)} these ports to "
                "every address there is.",
            )


def _peers(item: _Item) -> list[str]:
    return [name for name, value in item.value.items() if value and name.startswith("to") and name not in _NO_PEERS]


_NO_PEERS = (*_ABSENT, "toPorts", "toRequires")


def _does(item: _Item) -> str:
    return "it closes" if item.section.endswith("Deny") else "it opens"


def _services(context: LintContext, item: _Item) -> list[Service]:
    """Return the Services that an item names by name; all, where it goes by labels."""
    found = []
    for entry in item.value.get("toServices") or ():
        named = entry.get("k8sService")
        if not named:
            return list(context.cluster.services)
        found += [
            service
            for service in context.cluster.services
            if service.name == named.get("serviceName")
            and named.get("namespace", service.namespace) == service.namespace
        ]
    return found


def _service_ports(context: LintContext) -> Iterator[Finding]:
    for item in _items(context):
        if not item.value.get("toServices") or any("k8sService" not in entry for entry in item.value["toServices"]):
            continue
        services = _services(context, item)
        targets = {str(port.target) for service in services for port in service.ports}
        fronts = {str(port.port): port for service in services for port in service.ports}
        numbers = [
            str(port.get("port")) for entry in item.value.get("toPorts") or () for port in entry.get("ports") or ()
        ]
        wrong = [number for number in numbers if number in fronts and number not in targets]
        if wrong and all(port.isdigit() for port in targets):
            told = ", ".join(f"{number} leads to {fronts[number].target}" for number in wrong)
            yield item.finding(
                "FV034",
                "toPorts",
                "Beside toServices, toPorts are ports of the pods behind the Service (CI-14), and none of them is "
                f"{listed(wrong)}: {told}.",
            )


def _never_learnt(context: LintContext) -> Iterator[Finding]:
    asked = [rule for policy in context.policies for rule in policy.rules if rule.proxy == "dns"]
    people = context.population
    learning = frozenset[int]().union(*(people.who(rule.subject) or frozenset() for rule in asked))
    told: set[Place] = set()
    for policy, _ in context.written((_GROUP, "CiliumNetworkPolicy"), (_GROUP, _CLUSTERWIDE)):
        for rule in policy.rules:
            if rule.action is not Action.ALLOW or not _by_name(rule) or rule.place in told:
                continue
            told.add(rule.place)
            pods = people.who(rule.subject) or frozenset()
            if pods and not pods & learning:
                yield Finding(
                    "FV032",
                    rule.place,
                    "toFQDNs knows only addresses that Cilium's DNS proxy saw in answers, and no rule has questions of "
                    f"{listed(people.workloads(pods))} looked at (CI-32), so it lets nothing through.",
                    details=(
                        'Allow DNS with toPorts: [{ports: [{port: "53", protocol: ANY}], rules: {dns: '
                        '[{matchPattern: "*"}]}}].',
                    ),
                    policy=policy.ref,
                )


def _by_name(rule: Rule) -> bool:
    return any(isinstance(atom, DomainNames) for atom in atoms_of(rule.peer))


def _denials_close(context: LintContext) -> Iterator[Finding]:
    for policy, document, path, spec in _specs(context):
        for direction in Direction:
            section = f"{direction.word}Deny"
            closes = (spec.get("enableDefaultDeny") or {}).get(direction.word, True)
            if not spec.get(section) or spec.get(direction.word) or closes is False:
                continue
            rules = [rule for rule in policy.rules if rule.role is Role.WRITTEN and rule.direction is direction]
            pods = frozenset[int]().union(*(context.population.who(rule.subject) or frozenset() for rule in rules))
            if pods and not any(_is_let_out(context, number, direction) for number in pods):
                names = listed(context.population.workloads(pods))
                yield Finding(
                    "FV033",
                    document.place((*path, section)),
                    f"{section} alone closes {direction.word} of {names} for everybody (CI-18), since no rule allows "
                    f"anything; write enableDefaultDeny: {{{direction.word}: false}} to deny this and nothing else.",
                    policy=policy.ref,
                )


def _is_let_out(context: LintContext, pod: int, direction: Direction) -> bool:
    name = context.cluster.pods[pod].full_name
    bound = context.reference.binding(name, direction)
    return any(rule.action is Action.ALLOW and rule.role is Role.WRITTEN for rule in bound)


def _health_closed(context: LintContext) -> Iterator[Finding]:
    specs = list(_specs(context))
    about_health = any("reserved:health" in str(spec) for _, _, _, spec in specs)
    for policy, document, path, spec in specs:
        if document.kind != _CLUSTERWIDE or spec.get("endpointSelector") != {} or not spec.get("ingress"):
            continue
        entities = {name for item in spec["ingress"] for name in (item or {}).get("fromEntities") or ()}
        closes = (spec.get("enableDefaultDeny") or {}).get("ingress", True)
        if closes and not about_health and not entities & _LETS_HEALTH_IN:
            yield Finding(
                "FV035",
                document.place((*path, "endpointSelector")),
                "An empty endpointSelector of a clusterwide policy selects Cilium's health endpoints too (CI-5), which "
                "are closed with the rest, so that nodes are told to be unreachable; write matchExpressions: "
                "[{key: reserved:health, operator: DoesNotExist}].",
                policy=policy.ref,
            )


RULES = (
    LintRule("FV030", "cilium-empty-list", Severity.WARNING, "An empty list of peers means nobody.", _nobody),
    LintRule(
        "FV031",
        "cilium-empty-list-opens",
        Severity.ERROR,
        "A list of names, Services or groups is empty, or matches nothing, beside ports: the rule is for everybody.",
        _everybody,
    ),
    LintRule(
        "FV032",
        "cilium-names-not-learnt",
        Severity.ERROR,
        "A rule goes by domain names, and no rule has the pods' questions looked at.",
        _never_learnt,
    ),
    LintRule(
        "FV033",
        "cilium-denials-close",
        Severity.ERROR,
        "Rules that only deny close the whole direction, since nothing allows anything.",
        _denials_close,
    ),
    LintRule(
        "FV034",
        "cilium-service-port",
        Severity.ERROR,
        "Ports beside toServices are the Service's, where the pods' are meant.",
        _service_ports,
    ),
    LintRule(
        "FV035",
        "cilium-health-closed",
        Severity.WARNING,
        "A clusterwide policy for every endpoint closes Cilium's health endpoints.",
        _health_closed,
    ),
)
