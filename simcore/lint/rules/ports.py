"""Named ports that nobody declares, and rules that leave every port open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...model.cluster import Pod
from ...model.labels import EVERYTHING, LabelSelector
from ...model.peers import ANYTHING, Endpoints, Network
from ...model.policy import Direction, Policy, Rule
from ...model.ports import protocol_name
from ...model.spelling import is_slip
from ..allowing import allowing_rules, peers_of, written_rules
from ..context import LintContext, Written
from ..findings import Finding, Fix, LintRule, Severity
from ..words import counted, listed
from ..written import changed, network_policy_of, rule_path, value_at

MOST_PORTS = 8
"""How many ports a fix lists."""


def _destinations(context: LintContext, rule: Rule) -> list[Pod]:
    """Return the pods whose ports a rule is about, as far as they are known."""
    side = rule.subject if rule.direction is Direction.INGRESS else rule.peer
    numbers = context.population.who(side) or ()
    return [context.cluster.pods[number] for number in sorted(numbers)]


def _undeclared(context: LintContext) -> Iterator[Finding]:
    if not any(pod.ports for pod in context.cluster.pods):
        return
    for policy, rule in written_rules(context):
        wanted = {port.name for port in rule.ports.names}
        if not wanted:
            continue
        pods = _destinations(context, rule)
        declared = {(port.protocol, port.name) for pod in pods for port in pod.ports}
        known = {member.name for member in rule.ports.names if (member.protocol, member.name) in declared}
        for name in sorted(wanted - known if pods else ()):
            yield _undeclared_port(context, policy, rule, name, pods)


def _undeclared_port(context: LintContext, policy: Policy, rule: Rule, name: str, pods: list[Pod]) -> Finding:
    workloads = listed(sorted({str(pod.workload) for pod in pods}))
    document = network_policy_of(context, policy)
    better, said = _meant(context, name, pods)
    path = _port_path(document, rule, name) if document else None
    return Finding(
        "FV011",
        document.place(path) if document and path else rule.place,
        f"No container of {counted(len(pods), 'pod')} of {workloads} declares a port named {name}, so it allows "
        f"nothing{said}.",
        changed(document, path, better) if document and path and better is not None else None,
        policy=policy.ref,
    )


def _meant(context: LintContext, name: str, pods: list[Pod]) -> tuple[str | int | None, str]:
    """Find the port that was probably meant, by its name or its number, and say why."""
    ports = {port for pod in pods for port in pod.ports}
    others = sorted((port for port in ports if port.name == name), key=lambda port: port.protocol)
    if others:
        return None, f"; {name} is a port of {protocol_name(others[0].protocol)} there"
    for service in context.cluster.services:
        chosen = service.selector is not None and any(
            pod.namespace == service.namespace and service.selector.matches(pod.labels) for pod in pods
        )
        for port in service.ports if chosen else ():
            if port.name == name:
                target = port.target
                name_of = f"{service.namespace}/{service.name}"
                return target, f"; Service {name_of} calls its own port {port.port} so, which leads to {target}"
    close = sorted({port.name for port in ports if port.name and is_slip(name, port.name)})
    return (close[0], f"; they call one {close[0]}") if close else (None, "")


def _port_path(document: Written, rule: Rule, name: str) -> tuple[str | int, ...] | None:
    path = (*rule_path(rule), "ports")
    items = value_at(document.value, path)
    for number, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict) and item.get("port") == name:
            return (*path, number, "port")
    return None


def _all_ports(context: LintContext) -> Iterator[Finding]:
    for policy, rule in allowing_rules(context):
        if not rule.ports.is_everything or rule.peer == ANYTHING or _is_familiar(policy, rule):
            continue
        pods = _destinations(context, rule)
        if not pods or not all(pod.ports for pod in pods):
            continue
        ports = sorted({(port.protocol, port.number) for pod in pods for port in pod.ports})
        words = listed((f"{protocol_name(protocol)} {number}" for protocol, number in ports), MOST_PORTS)
        workloads = listed(sorted({str(pod.workload) for pod in pods}))
        yield Finding(
            "FV015",
            rule.place,
            f"This rule opens every port of {workloads}, whose containers declare {words}.",
            _with_ports(network_policy_of(context, policy), rule, ports),
            policy=policy.ref,
        )


def _is_familiar(policy: Policy, rule: Rule) -> bool:
    """Whether a rule is about the whole of the own namespace, or about addresses."""
    own = Endpoints(LabelSelector.namespace(policy.ref.namespace), EVERYTHING)
    return all(peer == own or isinstance(peer, Network) for peer in peers_of(rule))


def _with_ports(document: Written | None, rule: Rule, ports: Iterable[tuple[int, int]]) -> Fix | None:
    found = [{"protocol": protocol_name(protocol), "port": number} for protocol, number in ports]
    if document is None or len(found) > MOST_PORTS:
        return None
    return changed(document, (*rule_path(rule), "ports"), found)


RULES = (
    LintRule(
        "FV011",
        "named-port-undeclared",
        Severity.ERROR,
        "A rule names a port that no pod it is about declares.",
        _undeclared,
    ),
    LintRule(
        "FV015",
        "all-ports",
        Severity.INFO,
        "A rule opens every port of pods that declare a few.",
        _all_ports,
    ),
)
