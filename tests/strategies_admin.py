"""Small hostile sets of tiered policies, as manifest documents; see `tests.strategies` for how they are drawn."""

from __future__ import annotations

from tests import strategies as small
from tests.strategies import fields, seeded, selector

OLD, NEW = "policy.networking.k8s.io/v1alpha1", "policy.networking.k8s.io/v1alpha2"
PRIORITIES = (0, 10, 10, 20, 1000)
BLOCKS = tuple(block for block in small.BLOCKS if "ffff" not in block and block != "10.0.0.5/30")
DOMAINS = ("db.example.com", "*.example.com")


def make_cluster(random, services=True):
    """A cluster whose nodes have labels."""
    documents = small.make_cluster(random, services)
    for node in (document for document in documents if document["kind"] == "Node"):
        node["metadata"]["labels"] = small.make_labels(random)
    return documents


def make_policies(random, names=True):
    """Tiered policies of one version, with NetworkPolicies between them."""
    kinds = random.choice([("AdminNetworkPolicy",), ("ClusterNetworkPolicy",)])
    tiered = [policy(random, random.choice(kinds), f"t{n}", names) for n in range(random.choice([0, 1, 2, 3, 4, 5]))]
    if kinds == ("AdminNetworkPolicy",) and random.random() < 0.6:
        tiered.append(policy(random, "BaselineAdminNetworkPolicy", "default", names))
    documents = [*tiered, *small.make_policies(random)]
    random.shuffle(documents)
    return documents


def policy(random, kind, name, names=True):
    spec = fields(
        tier=random.choice(["Admin", "Baseline"]) if kind == "ClusterNetworkPolicy" else None,
        priority=None if kind == "BaselineAdminNetworkPolicy" else random.choice(PRIORITIES),
        subject=subject(random),
        ingress=rules(random, kind, "from", names),
        egress=rules(random, kind, "to", names),
    )
    version = NEW if kind == "ClusterNetworkPolicy" else OLD
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def subject(random):
    return random.choice([{"namespaces": {}}, {"namespaces": small.namespace_selector(random)}, pods(random)])


def pods(random):
    return {"pods": {"namespaceSelector": small.namespace_selector(random), "podSelector": selector(random)}}


def rules(random, kind, side, names):
    if random.random() < 0.2:
        return None
    return [rule(random, kind, side, names) for _ in range(random.randint(1, 3))]


def rule(random, kind, side, names):
    new = kind == "ClusterNetworkPolicy"
    allow = "Accept" if new else "Allow"
    action = random.choice([allow, "Deny", *([] if kind == "BaselineAdminNetworkPolicy" else ["Pass"])])
    peers = [peer(random, side) for _ in range(random.randint(1, 2))]
    if names and side == "to" and action == allow and kind != "BaselineAdminNetworkPolicy" and random.random() < 0.15:
        peers.append({"domainNames": [random.choice(DOMAINS)]})
    ports = [port(random, new) for _ in range(random.randint(1, 2))] if random.random() < 0.5 else None
    return fields(
        name=random.choice([None, "named"]),
        action=action,
        **{side: peers, "protocols" if new else "ports": ports},
    )


def peer(random, side):
    shape = random.choice(["namespaces", "pods", *(["networks", "nodes", "networks"] if side == "to" else [])])
    if shape == "pods":
        return pods(random)
    if shape == "networks":
        return {"networks": random.sample(BLOCKS, random.randint(1, 2))}
    return {shape: random.choice([{}, selector(random)])}


def port(random, new):
    protocol, (first, last) = random.choice(small.FREQUENT), sorted(random.sample(small.PORTS, 2))
    shape = random.choice(["number", "number", "range", "name"])
    if shape == "name":
        return {"destinationNamedPort" if new else "namedPort": random.choice(small.PORT_NAMES)}
    if new:
        written = {"number": first} if shape == "number" else {"range": {"start": first, "end": last}}
        return {protocol.lower(): {"destinationPort": written}}
    said = {} if protocol == "TCP" and random.random() < 0.5 else {"protocol": protocol}
    if shape == "number":
        return {"portNumber": {**said, "port": first}}
    return {"portRange": {**said, "start": first, "end": random.choice([last, first])}}


clusters = seeded(make_cluster)
policies = seeded(make_policies)
