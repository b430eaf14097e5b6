"""Service meshes, which carry the traffic of applications to ports of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass

from ...model.cluster import Pod
from ...model.flows import End, Verdict
from ...model.peers import PeerSet
from ...model.policy import Direction, Rule
from ...model.ports import TCP, protocol_name
from ..allowing import allowing_rules
from ..context import LintContext, Written
from ..findings import Finding, Fix, LintRule, Severity
from ..written import changed, network_policy_of, rule_path, value_at


@dataclass(frozen=True, slots=True)
class Mesh:
    """A mesh: the port at which its traffic reaches a pod, and where that is written."""

    title: str
    port: int
    source: str


LINKERD = Mesh("Linkerd", 4143, "https://linkerd.io/2/common-errors/network-policy")
AMBIENT = Mesh("Istio's ambient mode", 15008, "https://istio.io/latest/docs/ambient/usage/networkpolicy")


def _sends(pod: Pod, around: Mapping[str, str]) -> Mesh | None:
    """Return the mesh that carries what a pod sends to other ports than the application's."""
    if pod.host_network:
        return None
    if "linkerd.io/control-plane-ns" in pod.labels or any(port.name == "linkerd-proxy" for port in pod.ports):
        return LINKERD
    mode = pod.labels.get("istio.io/dataplane-mode", around.get("istio.io/dataplane-mode"))
    return AMBIENT if mode == "ambient" and not _has_envoy(pod) else None


def _receives(pod: Pod, around: Mapping[str, str]) -> Mesh | None:
    """Return the mesh whose traffic a pod takes in at the mesh's port; sidecars of Istio take in the ambient mode's."""
    return AMBIENT if _has_envoy(pod) else _sends(pod, around)


def _has_envoy(pod: Pod) -> bool:
    """Whether a sidecar of Istio was put into a pod."""
    return pod.labels.get("security.istio.io/tlsMode") == "istio" or any(
        port.name == "http-envoy-prom" for port in pod.ports
    )


def _closed(context: LintContext) -> Iterator[Finding]:
    cluster = context.cluster
    if not any(_sends(pod, cluster.labels_around(pod)) for pod in cluster.pods):
        return
    for policy, rule in allowing_rules(context):
        if not any(port.protocol == TCP for port in rule.ports.members or ()):
            continue
        pair = _pair(context, rule)
        if pair is None:
            continue
        source, destination, mesh = pair
        ends = (End(pod=source.full_name), End(pod=destination.full_name))
        judgement = context.judge(*ends, TCP, mesh.port)
        side = judgement.ingress if rule.direction is Direction.INGRESS else judgement.egress
        if side.verdict is not Verdict.DENY:
            continue
        document = network_policy_of(context, policy)
        yield Finding(
            "FV019",
            rule.place,
            f"{mesh.title} carries what {source.workload} sends to {destination.workload} to port {mesh.port}, which "
            "no rule allows, so the ports that this rule allows are never reached.",
            _with_port(document, rule, mesh) if document else None,
            (f"Source: {mesh.source}.",),
            policy.ref,
        )


def _pair(context: LintContext, rule: Rule) -> tuple[Pod, Pod, Mesh] | None:
    """Return the first two pods of a mesh that a rule is about."""
    subjects, peers = ([*_pods(context, side)] for side in (rule.subject, rule.peer))
    sources, destinations = (peers, subjects) if rule.direction is Direction.INGRESS else (subjects, peers)
    sending = ((pod, _sends(pod, context.cluster.labels_around(pod))) for pod in sources)
    meshed = [(pod, mesh) for pod, mesh in sending if mesh is not None]
    if not meshed:
        return None
    for destination in destinations:
        taken = _receives(destination, context.cluster.labels_around(destination))
        for source, mesh in meshed if taken else ():
            if mesh == taken and source.workload != destination.workload:
                return source, destination, mesh
    return None


def _pods(context: LintContext, side: PeerSet) -> Iterator[Pod]:
    numbers = context.population.who(side) or ()
    return (context.cluster.pods[number] for number in sorted(numbers))


def _with_port(document: Written, rule: Rule, mesh: Mesh) -> Fix:
    path = (*rule_path(rule), "ports")
    ports = deepcopy(value_at(document.value, path))
    return changed(document, path, [*ports, {"protocol": protocol_name(TCP), "port": mesh.port}])


RULES = (
    LintRule(
        "FV019",
        "mesh-port-closed",
        Severity.ERROR,
        "Only ports of the application are open between pods of a mesh, which goes by a port of its own.",
        _closed,
    ),
)
