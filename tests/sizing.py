"""A cluster, policies and captures to size, small enough to count by hand."""

import pyarrow as pa

from simcore.model.addresses import Address
from simcore.model.cluster import Backend, Cluster, Namespace, Node, Pod, Service, ServicePort, WorkloadRef
from simcore.model.ports import TCP
from tests.manifests import load

SECOND = 1_000_000_000
START = 1_767_607_200 * SECOND
SYN, CLOSED = "S", "FSPA"


def address(text):
    return Address.parse(text)


def pod(name, where, node, **more):
    owners = (WorkloadRef("shop", "Deployment", name.rstrip("0123456789")),)
    labels = {"app": name.rstrip("0123456789")}
    return Pod("shop", name, labels, (address(where),), node, owners=owners, **more)


def service(name, where, *backends, node_port=0):
    listed = tuple(Backend("", TCP, address(backend), 8080) for backend in backends)
    return Service("shop", name, (address(where),), (ServicePort("", TCP, 80, 8080, node_port),), backends=listed)


def node(number, cpus=0, memory=0):
    return Node(f"n{number}", (address(f"10.9.0.{number}"),), {}, cpus, memory)


CLUSTER = Cluster.of(
    [Namespace("shop", {"kubernetes.io/metadata.name": "shop"})],
    [
        pod("web1", "10.0.1.1", "n1"),
        pod("web2", "10.0.2.1", "n2"),
        pod("db1", "10.0.1.2", "n1"),
        pod("lost1", "10.0.9.9", ""),
        pod("agent1", "10.9.0.1", "n1", host_network=True),
    ],
    [node(1, 8, 32 << 30), node(2, 2, 2 << 30), node(3)],
    [
        service("far", "10.96.0.2", "10.0.2.1", node_port=30080),
        service("near", "10.96.0.1", "10.0.1.2"),
        service("self", "10.96.0.3", "10.0.1.1"),
        service("none", "10.96.0.4"),
    ],
)


def policy(name, app, kind):
    """A policy that lets nothing in, or nothing out, of some pods."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": [kind]},
    }


NO_WAY_INTO_DB = load(policy("closed-db", "db", "Ingress")).policies
NO_WAY_OUT_OF_WEB = load(policy("closed-web", "web", "Egress")).policies


def flow(at, source, destination, port=8080, *, lasts=0.0, protocol="tcp", flags=CLOSED, packets=8, source_port=40000):
    """A row of a capture; times in seconds."""
    return {
        "time": START + round(at * SECOND),
        "end_time": START + round((at + lasts) * SECOND),
        "source_address": source,
        "destination_address": destination,
        "source_port": source_port,
        "destination_port": port,
        "protocol": protocol,
        "tcp_flags": flags if protocol == "tcp" else None,
        "packets": packets,
    }


def table(*flows):
    rows = pa.Table.from_pylist(list(flows))
    for name in ("time", "end_time"):
        rows = rows.set_column(rows.schema.get_field_index(name), name, rows[name].cast(pa.timestamp("ns")))
    return rows
