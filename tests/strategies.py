"""Small hostile clusters, as manifest documents: few names, addresses and ports, so that they collide."""

from __future__ import annotations

import ipaddress

from hypothesis import strategies as st

from simcore.model.addresses import Address
from simcore.model.flows import End, Flow
from simcore.model.ports import PROTOCOL_NUMBERS
from simcore.model.profile import UPSTREAM, Profile

NAMESPACES = ("n1", "n2", "n3")
CROWDED = ("n1", "n1", "n1", "n1", "n2", "n2", "n3")
KEYS = ("app", "tier")
VALUES = ("", "a", "b")
NODES = {"w1": ("10.9.0.1", "fd00:9::1"), "w2": ("10.9.0.2",)}
POD_ADDRESSES_V4 = tuple(f"10.0.0.{n}" for n in range(1, 7))
POD_ADDRESSES_V6 = tuple(f"fd00::{n}" for n in range(1, 4))
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
END_KINDS = (*("pod",) * 5, *("address",) * 5, "node", "outside", "strange")
PROTOCOLS = ("TCP", "UDP", "SCTP")

labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=2)


def maybe(strategy):
    return st.none() | strategy


def nothing_or(strategy):
    """A list in all its shapes: absent (None here), empty, or filled."""
    return st.sampled_from([None, []]) | st.lists(strategy, min_size=1, max_size=2)


def fields(**values):
    """A mapping without the fields that are None."""
    return {name: value for name, value in values.items() if value is not None}


# The cluster


@st.composite
def container_ports(draw):
    port = {"containerPort": draw(st.sampled_from(PORTS))}
    if draw(st.booleans()):
        port["protocol"] = draw(st.sampled_from(PROTOCOLS))
    if draw(st.integers(0, 3)):
        port["name"] = draw(st.sampled_from(PORT_NAMES))
    return port


def port_lists():
    """The ports of one container; within one, a name is taken once."""
    return st.lists(container_ports(), max_size=2, unique_by=lambda port: port.get("name", id(port)))


@st.composite
def pod_documents(draw, name):
    host = draw(st.integers(0, 7)) == 7
    node = draw(maybe(st.sampled_from(sorted(NODES))))
    if host and node:
        addresses = list(NODES[node][: draw(st.integers(0, 2))])
    else:
        v4 = draw(st.sampled_from(POD_ADDRESSES_V4)) if draw(st.integers(0, 7)) else None
        v6 = draw(st.sampled_from(POD_ADDRESSES_V6)) if draw(st.integers(0, 3)) == 3 else None
        addresses = [address for address in draw(st.sampled_from([(v4, v6)] * 3 + [(v6, v4)])) if address]
    containers = [fields(name=f"c{n}", ports=draw(port_lists()) or None) for n in range(draw(st.integers(1, 2)))]
    init = {
        "name": "i0",
        "ports": draw(port_lists()),
        **draw(st.sampled_from([{}, {"restartPolicy": "Always"}])),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": fields(name=name, namespace=draw(st.sampled_from(CROWDED)), labels=draw(labels) or None),
        "spec": fields(
            nodeName=node,
            hostNetwork=True if host else None,
            containers=containers,
            initContainers=draw(st.sampled_from([None, [init]])),
        ),
        "status": fields(
            phase=draw(st.sampled_from([*["Running"] * 6, "Succeeded", "Failed", "Pending"])),
            podIP=addresses[0] if addresses else None,
            podIPs=[{"ip": address} for address in addresses] or None,
        ),
    }


@st.composite
def namespace_documents(draw, name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": draw(labels)}}


def node_document(name):
    addresses = [{"type": "InternalIP", "address": address} for address in NODES[name]]
    hostname = {"type": "Hostname", "address": name}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name},
        "status": {"addresses": [*addresses, hostname]},
    }


@st.composite
def service_documents(draw, name, address):
    ports = [
        fields(
            name=f"p{number}",
            port=port,
            protocol=draw(maybe(st.sampled_from(PROTOCOLS))),
            targetPort=draw(maybe(st.sampled_from(PORTS + PORT_NAMES))),
            nodePort=draw(maybe(st.just(NODE_PORTS[number]))),
        )
        for number, port in enumerate(draw(st.lists(st.sampled_from(PORTS), min_size=1, max_size=2, unique=True)))
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": draw(st.sampled_from(CROWDED))},
        "spec": {
            "type": "NodePort" if any("nodePort" in port for port in ports) else "ClusterIP",
            "clusterIP": address,
            "clusterIPs": [address],
            "selector": draw(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), min_size=1, max_size=1)),
            "ports": ports,
        },
    }


@st.composite
def clusters(draw, services=True):
    """Documents of a cluster: namespaces (some of them missing), nodes, pods and services."""
    documents = [draw(namespace_documents(name)) for name in NAMESPACES if draw(st.integers(0, 4))]
    documents += [node_document(name) for name in NODES if draw(st.integers(0, 4))]
    documents += [draw(pod_documents(f"p{n}")) for n in range(draw(st.integers(3, 6)))]
    if services and draw(st.booleans()):
        documents.append(draw(service_documents("s0", draw(st.sampled_from(SERVICE_ADDRESSES)))))
    return documents


# Policies


@st.composite
def expressions(draw):
    operator = draw(st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist"]))
    expression = {"key": draw(st.sampled_from(KEYS)), "operator": operator}
    if operator in ("In", "NotIn"):
        expression["values"] = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=2))
    return expression


@st.composite
def selectors(draw):
    shape = draw(st.sampled_from(["empty", "labels", "expressions", "expressions", "both"]))
    if shape == "empty":
        return draw(st.sampled_from([{}, {"matchLabels": {}}, {"matchExpressions": []}, {"matchLabels": None}]))
    pair = {draw(st.sampled_from(KEYS)): draw(st.sampled_from(VALUES))}
    return fields(
        matchLabels=pair if shape != "expressions" else None,
        matchExpressions=draw(st.lists(expressions(), min_size=1, max_size=2)) if shape != "labels" else None,
    )


@st.composite
def namespace_selectors(draw):
    if draw(st.booleans()):
        return {"matchLabels": {"kubernetes.io/metadata.name": draw(st.sampled_from(NAMESPACES))}}
    return draw(selectors())


def network(text):
    block = ipaddress.ip_network(text, strict=False)
    mapped = getattr(block.network_address, "ipv4_mapped", None)
    return ipaddress.ip_network(f"{mapped}/{block.prefixlen - 96}") if mapped else block


def is_strict_subset(inner, outer):
    one, other = network(inner), network(outer)
    return one.version == other.version and one != other and one.subnet_of(other)


@st.composite
def ip_blocks(draw):
    cidr = draw(st.sampled_from(BLOCKS))
    inside = [text for text in BLOCKS if (":" in text) == (":" in cidr) and is_strict_subset(text, cidr)]
    excluded = draw(nothing_or(st.sampled_from(inside))) if inside else draw(st.sampled_from([None, []]))
    return fields(cidr=cidr, **{"except": excluded})


@st.composite
def peers(draw):
    shape = draw(st.sampled_from(["pods", "namespaces", "both", "block", "block"]))
    if shape == "block":
        return {"ipBlock": draw(ip_blocks())}
    return fields(
        podSelector=draw(selectors()) if shape != "namespaces" else None,
        namespaceSelector=draw(namespace_selectors()) if shape != "pods" else None,
    )


@st.composite
def policy_ports(draw):
    port = draw(st.sampled_from([None, *PORTS, *PORT_NAMES * 2]))
    end = None
    if isinstance(port, int):
        end = draw(maybe(st.sampled_from([last for last in PORTS if last >= port])))
    return fields(protocol=draw(maybe(st.sampled_from(PROTOCOLS))), port=port, endPort=end)


@st.composite
def rules(draw, side):
    rule = fields(ports=draw(nothing_or(policy_ports())), **{side: draw(nothing_or(peers()))})
    missing = [name for name in ("ports", side) if name not in rule]
    if missing and draw(st.integers(0, 9)) == 0:
        rule[missing[0]] = None
    return rule


@st.composite
def policy_documents(draw, name):
    types = draw(st.sampled_from([None, [], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Egress", "Ingress"]]))
    spec = fields(
        podSelector=draw(st.sampled_from([None, {}]) | st.just({}) | selectors()),
        policyTypes=types,
        ingress=draw(nothing_or(rules("from"))),
        egress=draw(nothing_or(rules("to"))),
    )
    missing = [field for field in ("podSelector", "ingress", "egress", "policyTypes") if field not in spec]
    if missing and draw(st.integers(0, 9)) == 0:
        spec[missing[0]] = None
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": draw(st.sampled_from(CROWDED))},
        "spec": spec,
    }


@st.composite
def policies(draw):
    """Documents of up to four NetworkPolicies."""
    return [draw(policy_documents(f"np{n}")) for n in range(draw(st.sampled_from([3, 2, 1, 4, 3, 2, 0])))]


# Flows


def pod_name(pod):
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


@st.composite
def ends(draw, cluster, strange=True):
    """An end as ``{"pod": ..., "address": ...}``; a strange one may be a service, a stranger, or nothing."""
    pods = [document for document in cluster if document["kind"] == "Pod"]
    kind = draw(st.sampled_from(END_KINDS))
    pod = draw(st.sampled_from(pods))
    own = [item["ip"] for item in pod["status"].get("podIPs", ())]
    name = pod_name(pod)
    if kind == "strange" and strange:
        return {
            "address": draw(maybe(st.sampled_from(SERVICE_ADDRESSES))),
            "pod": draw(st.sampled_from([None, "n1/no"])),
        }
    if kind == "pod" or (kind == "address" and not own):
        return {"pod": name, "address": draw(maybe(st.sampled_from(own))) if own else None}
    if kind == "address":
        return {"pod": None, "address": draw(st.sampled_from(own))}
    pool = tuple(address for node in NODES.values() for address in node) if kind == "node" else OUTSIDE
    return {"pod": None, "address": draw(st.sampled_from(pool))}


@st.composite
def protocol_ports(draw, strange=True):
    """A protocol with a destination port; a strange one may lack either."""
    protocol = draw(st.sampled_from([*PROTOCOLS, *PROTOCOLS[:2] * 5, "ICMP", "ICMPV6", "GRE"]))
    if protocol not in PROTOCOLS:
        return {"protocol": protocol, "port": None}
    port = draw(st.sampled_from([*PORTS * 3, 79, 82, 444, 0, *NODE_PORTS]))
    found = {"protocol": protocol, "port": port}
    if strange and draw(st.integers(0, 9)) == 0:
        found[draw(st.sampled_from(["port", "protocol"]))] = None
    return found


@st.composite
def flows(draw, cluster, strange=True):
    """A flow in the words of the manifests."""
    source, destination = draw(ends(cluster, strange)), draw(ends(cluster, strange))
    return {"source": source, "destination": destination, **draw(protocol_ports(strange))}


@st.composite
def flow_grids(draw, cluster, strange=True):
    """Many flows of few draws: every pod and a few other ends to each other, on some ports."""
    pods = [document for document in cluster if document["kind"] == "Pod"]
    every_end = [{"pod": pod_name(pod), "address": None} for pod in pods]
    every_end += draw(st.lists(ends(cluster, strange), min_size=3, max_size=4))
    ports = draw(st.lists(protocol_ports(strange), min_size=3, max_size=4))
    return [
        {"source": source, "destination": destination, **port}
        for source in every_end
        for destination in every_end
        for port in ports
    ]


def model_flow(flow):
    """The flow as the simulator takes it."""
    protocol = flow["protocol"] and PROTOCOL_NUMBERS[flow["protocol"]]
    return Flow(model_end(flow["source"]), model_end(flow["destination"]), protocol, flow["port"])


def model_end(end):
    address = end.get("address")
    return End(Address.parse(address) if address else None, end.get("pod"))


@st.composite
def profiles(draw):
    """A profile with any settings that verdicts depend on."""
    profile = UPSTREAM
    for name, words in Profile.choices().items():
        if name not in ("strict_cidr", "on_change"):
            profile = profile.with_setting(name, draw(st.sampled_from(words)))
    return profile
