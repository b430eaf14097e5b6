"""Pods of meshes, and what is closed to them."""

import pytest

from simcore.errors import Place
from simcore.lint.context import LintContext
from simcore.lint.rules.mesh import RULES
from simcore.model.cluster import Cluster, ContainerPort, Namespace, Pod
from simcore.model.labels import NAMESPACE_NAME_LABEL, LabelSelector
from simcore.model.peers import Endpoints
from simcore.model.plugins import UPSTREAM_PLUGIN, Enforcement
from simcore.model.policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Role, Rule
from simcore.model.ports import TCP, PortRange, PortSet
from simcore.model.profile import UPSTREAM

NOWHERE = Place("policies.yaml", 1, 1)
LINKERD = {"labels": {"linkerd.io/control-plane-ns": "linkerd"}}
PROXY = {"ports": (ContainerPort("linkerd-proxy", TCP, 4143),)}
AMBIENT = {"labels": {"istio.io/dataplane-mode": "ambient"}}
SIDECAR = {"labels": {"security.istio.io/tlsMode": "istio"}}
ENVOY = {"ports": (ContainerPort("http-envoy-prom", TCP, 15090),)}
PLAIN = {"labels": {}}


def pod(name, labels=None, ports=(), **others):
    return Pod("shop", name, {"app": name, **(labels or {})}, ports=ports, **others)


def named(name):
    return Endpoints(LabelSelector.namespace("shop"), LabelSelector.equal({"app": name}))


def found(client, server, *ports, around=None):
    """What is found where `server` lets `client` in on some ports."""
    ref = PolicyRef("NetworkPolicy", "shop", "server")
    subject, direction = named("server"), Direction.INGRESS
    allowed = PortSet(tuple(PortRange(TCP, port, port) for port in ports)) if ports else PortSet()
    rule = Rule(
        ref, 0, direction, subject, named("client"), allowed, Action.ALLOW, NETWORKPOLICY, (0, 0, "a", 0), NOWHERE
    )
    closing = Rule.closing(ref, direction, subject, NETWORKPOLICY, (1, 0, "a"), NOWHERE, Role.ISOLATION)
    cluster = Cluster.of(
        [Namespace("shop", {NAMESPACE_NAME_LABEL: "shop", **(around or {})})],
        [pod("client", **client), pod("server", **server)],
    )
    policies = (Policy(ref, (rule, closing), NOWHERE),)
    context = LintContext(cluster, policies, UPSTREAM, Enforcement(UPSTREAM_PLUGIN))
    return [finding.message for finding in RULES[0].check(context)]


@pytest.mark.parametrize(
    ("client", "server", "port"),
    [
        (LINKERD, LINKERD, 4143),
        (PROXY, LINKERD, 4143),
        (AMBIENT, AMBIENT, 15008),
        (AMBIENT, SIDECAR, 15008),
        (AMBIENT, ENVOY, 15008),
    ],
)
def test_the_port_of_the_mesh_is_closed(client, server, port):
    (message,) = found(client, server, 8080)
    assert f"to port {port}, which no rule allows" in message
    assert found(client, server, 8080, port) == []


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (PLAIN, LINKERD),
        (LINKERD, PLAIN),
        (LINKERD, AMBIENT),
        (SIDECAR, SIDECAR),
        (SIDECAR, AMBIENT),
        ({**AMBIENT, "host_network": True}, AMBIENT),
    ],
)
def test_nothing_is_carried_elsewhere(client, server):
    assert found(client, server, 8080) == []


def test_the_mode_of_a_namespace_is_that_of_its_pods():
    assert found(PLAIN, PLAIN, 8080, around=AMBIENT["labels"])
    assert not found(PLAIN, {"labels": {"istio.io/dataplane-mode": "none"}}, 8080, around=AMBIENT["labels"])


def test_a_rule_without_ports_opens_those_of_the_mesh_too():
    assert found(LINKERD, LINKERD) == []
