"""Entries by path and node: the table of C-9."""

import numpy as np
import pytest

from simcore.analyses.ends import EndColumn
from simcore.analyses.judging import objects_of
from simcore.analyses.sessions.sessions import Changes
from simcore.analyses.sizing.entries import VXLAN_KIND
from simcore.analyses.sizing.paths import Paths
from simcore.kernels.sizing.occupancy import NODE_BITS, NODE_MASK, OWNER_SHIFT
from simcore.kernels.sizing.paths import TUNNEL
from simcore.model.conntrack import CtState
from simcore.model.ports import TCP, UDP
from simcore.tables.build import build_tables
from tests.sizing import CLUSTER, address

TABLES = build_tables(CLUSTER, ())


def object_at(text):
    value = address(text).value | 0xFFFF << 32
    column = EndColumn(
        None, np.zeros(1, np.uint64), np.array([value], np.uint64), np.ones(1, bool), np.full(1, -1, np.int32)
    )
    return int(objects_of(TABLES, column)[0])


def where(source, destination, port=80, *, protocol=TCP, denied=False, cilium=False, key=1, way=0):
    """Owner and nodes of the entries of a connection."""
    paths = Paths(TABLES, is_doubled=cilium)
    ends = [np.array([object_at(text)], np.int32) for text in (source, destination)]
    other = ends[0].copy()
    protocols, keys = np.array([protocol], np.uint8), np.array([key], np.uint64)
    ends[1] = paths.resolved(ends[1], other, np.array([port], np.uint16), protocols, keys)
    ends[1] += way * paths.objects
    states = np.zeros(1, np.uint8), np.array([CtState.SYN_SENT], np.uint8)
    changes = Changes(np.zeros(1, np.int64), *states, protocols, *ends, np.array([denied], np.uint8))
    found = paths.entries(changes)
    packed = int(found.path[0])
    nodes = [packed >> shift & NODE_MASK for shift in range(0, OWNER_SHIFT, NODE_BITS)]
    if cilium:
        named = [f"{paths.nodes[(n - 1) // 2]} {'any' if (n - 1) % 2 else 'tcp'}" for n in nodes if n]
    else:
        named = [paths.nodes[n - 1] for n in nodes if n]
    assert (found.kind[0] == VXLAN_KIND) == (way == TUNNEL)
    return paths.owners[packed >> OWNER_SHIFT], *named


WEB, DB, LOST = "shop/Deployment/web", "shop/Deployment/db", "shop/Deployment/lost"


@pytest.mark.parametrize(
    ("source", "destination", "port", "expected"),
    [
        ("10.0.1.1", "10.0.2.1", 8080, (WEB, "n1", "n2")),
        ("10.0.1.1", "10.96.0.2", 80, (WEB, "n1", "n2")),
        ("10.0.1.1", "10.0.1.2", 8080, (WEB, "n1")),
        ("10.0.1.1", "10.96.0.1", 80, (WEB, "n1")),
        ("10.0.1.1", "10.96.0.3", 80, (WEB, "n1")),
        ("10.0.1.1", "10.0.1.1", 80, (WEB,)),
        ("10.0.1.1", "8.8.8.8", 443, (WEB, "n1")),
        ("10.9.0.1", "10.0.1.1", 8080, ("node/n1", "n1")),
        ("10.9.0.1", "10.0.2.1", 8080, ("node/n1", "n1", "n2")),
        ("10.9.0.1", "10.96.0.2", 80, ("node/n1", "n1", "n2")),
        ("10.9.0.1", "10.9.0.1", 10250, ("node/n1", "n1")),
        ("10.0.1.1", "10.9.0.1", 10250, (WEB, "n1")),
        ("8.8.8.8", "10.9.0.1", 30080, (WEB, "n1", "n2")),
        ("8.8.8.8", "10.9.0.2", 30080, (WEB, "n2")),
        ("10.0.1.1", "10.9.0.3", 30080, (WEB, "n1", "n3", "n2")),
        ("8.8.8.8", "10.9.0.1", 30081, ("node/n1", "n1")),
        ("8.8.8.8", "10.0.2.1", 443, (WEB, "n2")),
        ("8.8.8.8", "9.9.9.9", 443, ("external",)),
        ("10.0.1.1", "10.96.0.4", 80, (WEB, "n1")),
        ("10.0.9.9", "10.0.2.1", 80, (LOST, "unknown", "n2")),
    ],
)
def test_a_connection_has_its_entries_on_the_nodes_of_its_path(source, destination, port, expected):
    assert where(source, destination, port) == expected


def test_somebody_from_outside_enters_a_service_by_any_node():
    found = {where("8.8.8.8", "10.96.0.2", key=key) for key in range(50)}
    assert found == {(WEB, "n1", "n2"), (WEB, "n2"), (WEB, "n3", "n2")}


@pytest.mark.parametrize(
    ("source", "destination", "port", "expected"),
    [
        ("10.0.1.1", "10.0.2.1", 8080, (WEB, "n1")),
        ("10.0.1.1", "10.0.1.2", 8080, (WEB,)),
        ("8.8.8.8", "10.0.2.1", 443, (WEB,)),
        ("8.8.8.8", "10.9.0.1", 30080, (WEB, "n1")),
    ],
)
def test_what_ingress_denies_has_no_entry_where_it_is_denied(source, destination, port, expected):
    assert where(source, destination, port, denied=True) == expected


@pytest.mark.parametrize(
    ("source", "destination", "port", "protocol", "expected"),
    [
        ("10.0.1.1", "10.0.2.1", 8080, TCP, (WEB, "n1 tcp", "n2 tcp")),
        ("10.0.1.1", "10.0.1.2", 8080, TCP, (WEB, "n1 tcp", "n1 tcp")),
        ("10.0.1.1", "10.0.1.2", 53, UDP, (WEB, "n1 any", "n1 any")),
        ("10.0.1.1", "8.8.8.8", 443, TCP, (WEB, "n1 tcp")),
        ("10.9.0.1", "10.0.2.1", 8080, TCP, ("node/n1", "n2 tcp")),
        ("10.9.0.1", "10.9.0.2", 8080, TCP, ("node/n1",)),
        ("10.0.1.1", "10.96.0.2", 80, TCP, (WEB, "n1 tcp", "n2 tcp")),
        ("8.8.8.8", "10.9.0.1", 30080, TCP, (WEB, "n1 tcp", "n1 tcp", "n2 tcp")),
        ("10.0.1.1", "10.9.0.1", 30080, TCP, (WEB, "n1 tcp", "n2 tcp")),
    ],
)
def test_cilium_has_an_entry_for_each_end_and_two_for_a_node_port(source, destination, port, protocol, expected):
    assert where(source, destination, port, protocol=protocol, cilium=True) == expected


def test_cilium_keeps_nothing_of_what_is_denied():
    assert where("10.0.1.1", "10.0.2.1", denied=True, cilium=True) == (WEB,)


def test_a_tunnel_has_an_entry_at_both_its_ends():
    assert where("10.0.1.1", "10.0.2.1", protocol=UDP, way=TUNNEL) == (WEB, "n1", "n2")
