"""What is told to hold what, from how both are written."""

import pytest

from simcore.analyses.redundancy.containment import holds_peers, holds_ports
from simcore.model.addresses import Cidr
from simcore.model.labels import LabelSelector, Operator, Requirement
from simcore.model.peers import ANYTHING, AllOf, AnyOf, Endpoints, Network, Outside
from simcore.model.ports import ICMP, TCP, UDP, IcmpType, NamedPort, PortRange, PortSet

SHOP = LabelSelector.namespace("shop")


def pods(**labels):
    return Endpoints(SHOP, LabelSelector.equal(labels))


def pods_with(operator, *values):
    return Endpoints(SHOP, LabelSelector.of(Requirement("app", operator, frozenset(values))))


def block(text, *excluded):
    return Network(Cidr.parse(text), tuple(map(Cidr.parse, excluded)))


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (ANYTHING, Outside()),
        (pods(), pods(app="web")),
        (pods(app="web"), pods(app="web", tier="front")),
        (AnyOf((pods(app="web"), pods(app="api"))), pods(app="api")),
        (pods(), AnyOf((pods(app="web"), pods(app="api")))),
        (pods(), AllOf((Outside(), pods(app="web")))),
        (AllOf((Endpoints(), pods())), pods(app="web")),
        (pods_with(Operator.EXISTS), pods(app="web")),
        (pods_with(Operator.IN, "web", "api"), pods(app="web")),
        (pods_with(Operator.NOT_IN, "db"), pods(app="web")),
        (pods_with(Operator.NOT_IN, "db"), pods_with(Operator.NOT_IN, "db", "web")),
        (pods_with(Operator.NOT_IN, "db"), pods_with(Operator.DOES_NOT_EXIST)),
        (block("10.0.0.0/8"), block("10.1.0.0/16")),
        (block("10.0.0.0/8", "10.2.0.0/16"), block("10.1.0.0/16")),
        (block("10.0.0.0/8", "10.1.2.0/24"), block("10.1.0.0/16", "10.1.2.0/23")),
    ],
)
def test_the_wider_holds_the_narrower_and_not_the_other_way_round(wide, narrow):
    assert holds_peers(wide, narrow)
    assert not holds_peers(narrow, wide)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pods(app="web"), pods(app="api")),
        (pods(app="web"), Endpoints(pods=LabelSelector.equal({"app": "web"}))),
        (block("10.0.0.0/8"), block("fd00::/8")),
        (block("10.0.0.0/8", "10.1.0.0/16"), block("10.1.2.0/24")),
        (block("10.0.0.0/8", "10.1.2.0/24"), block("10.1.0.0/16")),
        (pods_with(Operator.NOT_IN, "db"), pods_with(Operator.EXISTS)),
    ],
)
def test_what_lies_beside_is_not_held(one, other):
    assert not holds_peers(one, other)


@pytest.mark.parametrize(
    ("wide", "narrow", "holds"),
    [
        (PortSet(), PortSet((PortRange(TCP, 80, 80),)), True),
        (PortSet((PortRange(TCP, 80, 90),)), PortSet((PortRange(TCP, 80, 80),)), True),
        (PortSet((PortRange(TCP, 80, 84), PortRange(TCP, 85, 90))), PortSet((PortRange(TCP, 82, 88),)), True),
        (PortSet((PortRange(TCP, 80, 84), PortRange(TCP, 86, 90))), PortSet((PortRange(TCP, 82, 88),)), False),
        (PortSet((PortRange(TCP, 80, 80),)), PortSet((PortRange(UDP, 80, 80),)), False),
        (PortSet((PortRange(TCP),)), PortSet((NamedPort(TCP, "http"),)), True),
        (PortSet((PortRange(TCP, 80, 80),)), PortSet((NamedPort(TCP, "http"),)), False),
        (PortSet((PortRange(ICMP),)), PortSet((IcmpType(ICMP, 8),)), True),
        (PortSet((IcmpType(ICMP, 8),)), PortSet((IcmpType(ICMP, 8, 0),)), True),
        (PortSet((IcmpType(ICMP, 8, 0),)), PortSet((IcmpType(ICMP, 8),)), False),
        (PortSet((PortRange(TCP),), (PortRange(TCP, 22, 22),)), PortSet((PortRange(TCP, 80, 80),)), False),
    ],
)
def test_ports_are_held(wide, narrow, holds):
    assert holds_ports(wide, narrow) is holds
