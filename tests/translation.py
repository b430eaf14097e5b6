"""Connections through Services, recorded at several places on their way, or once at its end."""

from dataclasses import dataclass

from tests.connections import row

PODS = {"web1": ("10.0.1.1", "n1"), "web2": ("10.0.2.1", "n2"), "db1": ("10.0.1.2", "n1"), "db2": ("10.0.2.2", "n2")}
NODES = {"n1": "10.9.0.1", "n2": "10.9.0.2"}
OUTSIDE = ("192.0.2.7", "192.0.2.8")
VIP, NODE_PORT, TARGET = "10.96.0.1", 30080, 5432
BACKENDS = ("db1", "db2")
S, SA = 0x02, 0x12


def metadata(name):
    return {"name": name, "namespace": "shop"}


def _pod(name):
    address, node = PODS[name]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata(name) | {"labels": {"app": name.rstrip("12"), "name": name}},
        "spec": {"nodeName": node, "containers": [{"name": "main"}]},
        "status": {"podIP": address, "podIPs": [{"ip": address}]},
    }


def _node(name):
    status = {"addresses": [{"type": "InternalIP", "address": NODES[name]}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": metadata("db"),
    "spec": {
        "type": "NodePort",
        "clusterIP": VIP,
        "selector": {"app": "db"},
        "ports": [{"port": 80, "targetPort": TARGET, "nodePort": NODE_PORT}],
    },
}


def policy(name, selected, *peers):
    """A policy that lets some peers in, and nobody else."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name),
        "spec": {"podSelector": {"matchLabels": {"name": selected}}, "ingress": [{"from": list(peers)}]},
    }


CLUSTER = [*map(_pod, PODS), *map(_node, NODES), SERVICE]
# web1 reaches db1 alone, clients from outside too; a node that stands for them reaches db2.
BEFORE = [
    policy("db1", "db1", {"podSelector": {"matchLabels": {"name": "web1"}}}, {"ipBlock": {"cidr": "192.0.2.0/24"}}),
    policy("db2", "db2", {"ipBlock": {"cidr": "10.9.0.0/24"}}, {"podSelector": {"matchLabels": {"name": "web2"}}}),
]
AFTER = [policy("db1", "db1", {"podSelector": {"matchLabels": {"name": "web2"}}}), BEFORE[1]]


@dataclass(frozen=True)
class Connection:
    """One connection: who dials what, what is behind it, which node stands for the client, where it is recorded."""

    client: str
    port: int
    dialled: str
    backend: str
    time: float
    lasts: float
    node: str = ""
    between: bool = True
    one_way: bool = False
    lag: float = 0.01

    @property
    def places(self):
        """Client and server as each place on the way sees them, the last place last."""
        server = (PODS[self.backend][0], TARGET)
        client = (PODS.get(self.client, (self.client,))[0], self.port)
        if not self.dialled:
            return [(client, server)]
        dialled = (VIP, 80) if self.dialled == "vip" else (NODES[self.dialled], NODE_PORT)
        found = [(client, dialled)]
        if self.between or not self.node:
            found.append((client, server))
        if self.node:
            found.append(((NODES[self.node], self.port), server))
        return found

    def rows(self, places):
        """Its rows at some places: one, or one a direction; each place sees everything by its lag later."""
        made = []
        for number, (client, server) in enumerate(places):
            time = self.time + self.lag * number
            made.append(row(time, client, server, S, packets=4, lasts=self.lasts))
            if self.one_way:
                made.append(row(time + 0.001, server, client, SA, packets=4, lasts=self.lasts))
        return made

    @property
    def everywhere(self):
        return self.rows(self.places)

    @property
    def once(self):
        return self.rows(self.places[-1:])
