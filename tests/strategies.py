"""Small hostile clusters, as manifest documents: few names, addresses and ports, so that they collide.

A document is made by a function of a random generator, and a strategy draws the generator's seed only: hundreds of
evenly mixed clusters cost what a dozen would if each of their fields were drawn.
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from random import Random

from hypothesis import strategies as st

from simcore.model.addresses import Address
from simcore.model.flows import End, Flow
from simcore.model.ports import PROTOCOL_NUMBERS
from simcore.model.profile import PLUGIN_SETTINGS, UPSTREAM, Profile

NAMESPACES = ("n1", "n2", "n3")
CROWDED = ("n1", "n1", "n1", "n1", "n2", "n2", "n3")
KEYS = ("app", "tier")
VALUES = ("", "a", "b")
NODES = {"w1": ("10.9.0.1", "fd00:9::1"), "w2": ("10.9.0.2",)}
POD_ADDRESSES_V4 = tuple(f"10.0.0.{n}" for n in range(1, 9))
POD_ADDRESSES_V6 = tuple(f"fd00::{n}" for n in range(1, 5))
OUTSIDE = ("192.0.2.1", "10.0.0.200", "0.0.0.0", "255.255.255.255", "2001:db8::1")
SERVICE_ADDRESSES = ("10.96.0.1", "10.96.0.2", "fd00:96::1")
BLOCKS = (
    *("0.0.0.0/0", "0.0.0.0/1", "10.0.0.0/8", "10.0.0.0/29", "10.0.0.4/30", "10.0.0.1/32", "10.9.0.0/16"),
    *("10.9.0.1/32", "10.96.0.0/16", "192.0.2.0/24", "10.0.0.5/30", "::ffff:10.0.0.0/120"),
    *("::/0", "fd00::/16", "fd00::/64", "fd00::2/127", "fd00::1/128", "2001:db8::/32"),
)
PORTS = (1, 80, 81, 443, 65535)
NODE_PORTS = (30080, 30081)
PORT_NAMES = ("web", "dns")
PROTOCOLS = ("TCP", "UDP", "SCTP")
FREQUENT = ("TCP", "TCP", "TCP", "UDP", "UDP", "SCTP")
POLICY_TYPES = (None, None, [], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Egress", "Ingress"])
END_KINDS = (*("pod",) * 4, *("address",) * 6, "node", "outside", "strange")


def seeded(make):
    """The strategy of what a function makes of a random generator and further arguments."""

    @st.composite
    def strategy(draw, *arguments, **named):
        return make(Random(draw(st.integers(0, 2**48))), *arguments, **named)

    return strategy


def fields(**values):
    """A mapping without the fields that are None."""
    return {name: value for name, value in values.items() if value is not None}


def nulled(random, document, *optional):
    """The document, one time in ten with an explicit null for a field it lacks."""
    missing = [name for name in optional if name not in document]
    if missing and random.random() < 0.1:
        document[random.choice(missing)] = None
    return document


def filled(random, make, *arguments):
    """A list in all its shapes: absent (None here), empty, or filled."""
    shape = random.random()
    if shape < 0.3:
        return None if shape < 0.2 else []
    return [make(random, *arguments) for _ in range(random.randint(1, 2))]


def make_labels(random):
    return {key: random.choice(VALUES) for key in KEYS if random.random() < 0.7}


# The cluster


def make_cluster(random, services=True):
    """Namespaces (some of them missing), nodes, pods and services."""
    documents = [namespace_document(random, name) for name in NAMESPACES if random.random() < 0.8]
    documents += [node_document(name) for name in NODES if random.random() < 0.8]
    documents += [pod_document(random, f"p{n}") for n in range(random.randint(2, 6))]
    if services and random.random() < 0.7:
        documents.append(service_document(random, "s0", random.choice(SERVICE_ADDRESSES)))
    return documents


def namespace_document(random, name):
    metadata = fields(name=name, labels=random.choice([None, make_labels(random), make_labels(random)]))
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def node_document(name):
    listed = [{"type": "InternalIP", "address": address} for address in NODES[name]]
    status = {"addresses": [*listed, {"type": "Hostname", "address": name}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": status}


def pod_document(random, name):
    host, node = random.random() < 0.15, random.choice([None, *NODES])
    addresses = pod_addresses(random, NODES[node] if host and node else None)
    sidecar = {**container(random, "i0"), **random.choice([{}, {"restartPolicy": "Always"}])}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": fields(name=name, namespace=random.choice(CROWDED), labels=make_labels(random) or None),
        "spec": fields(
            nodeName=node,
            hostNetwork=True if host else None,
            containers=[container(random, f"c{n}") for n in range(random.randint(1, 2))],
            initContainers=random.choice([None, [sidecar]]),
        ),
        "status": fields(
            phase=random.choice([*["Running"] * 12, "Succeeded", "Failed", "Pending"]),
            podIP=addresses[0] if addresses else None,
            podIPs=[{"ip": address} for address in addresses] or None,
        ),
    }


def pod_addresses(random, of_node):
    if of_node:
        return list(of_node[: random.randint(0, 2)])
    v4, v6 = random.choice(POD_ADDRESSES_V4), random.choice(POD_ADDRESSES_V6)
    return list(random.choice([*[(v4,)] * 6, (v4, v6), (v4, v6), (v6, v4), (v6,), ()]))


def container(random, name):
    """A container and its ports; within one container, a port's name is taken once."""
    ports = [container_port(random) for _ in range(random.randint(0, 3))]
    taken = {port.get("name", number): port for number, port in enumerate(ports)}
    return fields(name=name, ports=list(taken.values()) or random.choice([None, []]))


def container_port(random):
    return fields(
        containerPort=random.choice(PORTS),
        protocol=random.choice([None, *FREQUENT]),
        name=random.choice([None, "web", "web", "web", "dns"]),
    )


def service_document(random, name, address):
    numbers = random.sample(PORTS, random.randint(1, 2))
    ports = [service_port(random, number, port) for number, port in enumerate(numbers)]
    spec = {
        "type": "NodePort" if any("nodePort" in port for port in ports) else "ClusterIP",
        "clusterIP": address,
        "clusterIPs": [address],
        "selector": {random.choice(KEYS): random.choice(VALUES)},
        "ports": ports,
        "internalTrafficPolicy": random.choice(["Cluster", "Cluster", "Local"]),
        "externalTrafficPolicy": random.choice(["Cluster", "Local"]),
    }
    metadata = {"name": name, "namespace": random.choice(CROWDED)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def service_port(random, number, port):
    return fields(
        name=f"p{number}",
        port=port,
        protocol=random.choice([None, *FREQUENT]),
        targetPort=random.choice([None, *PORTS, *PORT_NAMES * 3]),
        nodePort=random.choice([None, NODE_PORTS[number]]),
    )


# Policies


def make_policies(random):
    """Up to four NetworkPolicies."""
    return [policy_document(random, f"np{n}") for n in range(random.choice([0, 1, 2, 2, 3, 3, 4]))]


def policy_document(random, name):
    spec = fields(
        podSelector=random.choice([None, {}, {}, selector(random), selector(random)]),
        policyTypes=random.choice(POLICY_TYPES),
        ingress=filled(random, rule, "from"),
        egress=filled(random, rule, "to"),
    )
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": random.choice(CROWDED)},
        "spec": nulled(random, spec, "podSelector", "policyTypes", "ingress", "egress"),
    }


def rule(random, side):
    written = fields(ports=filled(random, policy_port), **{side: filled(random, peer)})
    return nulled(random, written, "ports", side)


def policy_port(random):
    port = random.choice([None, *PORTS, "web", "web", "web", "web", "dns"])
    ends = [last for last in PORTS if isinstance(port, int) and last >= port]
    protocol = random.choice([None, *FREQUENT])
    return nulled(random, fields(protocol=protocol, port=port, endPort=random.choice([None, *ends])), "port", "endPort")


def peer(random):
    shape = random.choice(["pods", "namespaces", "both", "block", "block"])
    if shape == "block":
        return {"ipBlock": ip_block(random)}
    written = fields(
        podSelector=selector(random) if shape != "namespaces" else None,
        namespaceSelector=namespace_selector(random) if shape != "pods" else None,
    )
    return nulled(random, written, "podSelector", "namespaceSelector", "ipBlock")


def ip_block(random):
    cidr = random.choice(BLOCKS)
    inside = [text for text in BLOCKS if (":" in text) == (":" in cidr) and is_strict_subset(text, cidr)]
    excluded = random.choice([None, [], *[random.sample(inside, min(len(inside), 2))] * 2])
    return fields(cidr=cidr, **{"except": excluded})


def is_strict_subset(inner, outer):
    one, other = network(inner), network(outer)
    return one.version == other.version and one != other and one.subnet_of(other)


def network(text):
    block = ipaddress.ip_network(text, strict=False)
    mapped = getattr(block.network_address, "ipv4_mapped", None)
    return ipaddress.ip_network(f"{mapped}/{block.prefixlen - 96}") if mapped else block


def namespace_selector(random):
    if random.random() < 0.5:
        return {"matchLabels": {"kubernetes.io/metadata.name": random.choice(NAMESPACES)}}
    return selector(random)


def selector(random):
    shape = random.choice(["empty", "labels", "expressions", "expressions", "both"])
    if shape == "empty":
        return random.choice([{}, {"matchLabels": {}}, {"matchExpressions": []}, {"matchLabels": None}])
    pair = {random.choice(KEYS): random.choice(VALUES)}
    return fields(
        matchLabels=pair if shape != "expressions" else None,
        matchExpressions=[expression(random) for _ in range(random.randint(1, 2))] if shape != "labels" else None,
    )


def expression(random):
    operator = random.choice(["In", "NotIn", "Exists", "DoesNotExist"])
    values = random.sample(VALUES, random.randint(1, 2)) if operator in ("In", "NotIn") else None
    return fields(key=random.choice(KEYS), operator=operator, values=values)


# Flows


def pods_of(cluster):
    return [document for document in cluster if document["kind"] == "Pod"]


def pod_name(pod):
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def pod_texts(pod):
    return [item["ip"] for item in pod["status"].get("podIPs", ())]


def make_end(random, cluster, strange=True):
    """An end as ``{"pod": ..., "address": ...}``; a strange one may be a service, a stranger, or nothing."""
    kind, pod = random.choice(END_KINDS), random.choice(pods_of(cluster))
    if kind == "strange" and strange:
        return {
            "pod": random.choice([None, None, "n1/no"]),
            "address": random.choice([None, *SERVICE_ADDRESSES]),
        }
    if kind == "pod" or (kind == "address" and not pod_texts(pod)):
        return {"pod": pod_name(pod), "address": random.choice([None, *pod_texts(pod)])}
    if kind == "address":
        return {"pod": None, "address": random.choice(pod_texts(pod))}
    pool = [address for node in NODES.values() for address in node] if kind == "node" else OUTSIDE
    return {"pod": None, "address": random.choice(pool)}


def make_protocol_port(random, strange=True):
    """A protocol with a destination port; a strange one may lack either."""
    protocol = random.choice([*FREQUENT * 3, "ICMP", "ICMPV6", "GRE"])
    if protocol not in PROTOCOLS:
        return {"protocol": protocol, "port": None}
    found = {"protocol": protocol, "port": random.choice([*PORTS * 3, 79, 82, 444, 0, *NODE_PORTS])}
    if strange and random.random() < 0.1:
        found[random.choice(["port", "protocol"])] = None
    return found


def make_flow(random, cluster, strange=True):
    """A flow in the words of the manifests; dull ones, which no policy is asked about, are drawn again twice."""
    for _ in range(3):
        source, destination = make_end(random, cluster, strange), make_end(random, cluster, strange)
        texts = [end["address"] or "" for end in (source, destination)]
        is_mixed = all(texts) and (":" in texts[0]) != (":" in texts[1])
        if source != destination and not is_mixed:
            break
    return {"source": source, "destination": destination, **make_protocol_port(random, strange)}


def make_flows(random, cluster, strange=True):
    return [make_flow(random, cluster, strange) for _ in range(random.randint(10, 40))]


def make_profile(random):
    """A profile with any settings that verdicts depend on."""
    profile = UPSTREAM
    for name, words in Profile.choices().items():
        if name not in ("strict_cidr", "on_change", *PLUGIN_SETTINGS):
            profile = profile.with_setting(name, random.choice(words))
    return replace(profile, enforced=random.random() > 0.05)


clusters = seeded(make_cluster)
service_documents = seeded(service_document)
policies = seeded(make_policies)
ends = seeded(make_end)
flows = seeded(make_flow)
flow_lists = seeded(make_flows)
profiles = seeded(make_profile)


def model_flow(flow):
    """The flow as the simulator takes it."""
    protocol = flow["protocol"] and PROTOCOL_NUMBERS[flow["protocol"]]
    return Flow(model_end(flow["source"]), model_end(flow["destination"]), protocol, flow["port"])


def model_end(end):
    address = end.get("address")
    return End(Address.parse(address) if address else None, end.get("pod"))
