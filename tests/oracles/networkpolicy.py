"""NetworkPolicy in its own words: flows judged straight from the manifests, by the API's text alone.

Nothing of the product is imported, and nothing is lowered: policies are asked as they were written. It knows
allowed and refused only. A flow is ``{"source": end, "destination": end, "protocol": name, "port": number}``,
an end ``{"pod": "namespace/name", "address": "10.0.0.1"}``, one of the two at least. Services are not its
business.
"""

from __future__ import annotations

import ipaddress

DEFAULTS = {
    "ipblock_matches_pods": True,
    "ipblock_matches_nodes": True,
    "other_protocols": "follow-peers",
    "egress_to_own_node": "policy",
    "hostnetwork": "node",
    "duplicate_port_names": "any",
}
PORT_PROTOCOLS = ("TCP", "UDP", "SCTP")
NAME_LABEL = "kubernetes.io/metadata.name"


def allowed(cluster, policies, flow, switches=None):
    """Whether the flow is let through; None where its ends are ambiguous and the readings differ."""
    answers = verdicts(cluster, policies, flow, switches)
    return answers.pop() if len(answers) == 1 else None


def verdicts(cluster, policies, flow, switches=None, unknown_addresses=(), unknown_ports=()):
    """The answers of every reading of the flow whose ends are of one address family.

    An address may be that of several pods; an address or a port that is not known may be any of those given.
    """
    world = World(cluster, policies, {**DEFAULTS, **(switches or {})}, unknown_addresses)
    is_open = flow["port"] is None and flow["protocol"] in PORT_PROTOCOLS
    return {
        world.connects(source, destination, flow["protocol"], port)
        for source in world.readings(flow["source"])
        for destination in world.readings(flow["destination"])
        for port in (unknown_ports if is_open else [flow["port"]])
        if source.address.version == destination.address.version
    }


class PodEnd:
    def __init__(self, document, address):
        self.document, self.address = document, address
        self.namespace = namespace_of(document)
        self.name = document["metadata"]["name"]
        self.labels = document["metadata"].get("labels") or {}
        self.node = spec_of(document).get("nodeName")


class NodeEnd:
    def __init__(self, name, address):
        self.name, self.address = name, address


class Outsider:
    def __init__(self, address):
        self.address = address


def spec_of(document):
    return document.get("spec") or {}


def namespace_of(document):
    return document["metadata"].get("namespace") or "default"


def parse_address(text):
    address = ipaddress.ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def parse_block(text):
    block = ipaddress.ip_network(text, strict=False)
    mapped = getattr(block.network_address, "ipv4_mapped", None)
    if mapped and block.prefixlen >= 96:
        return ipaddress.ip_network(f"{mapped}/{block.prefixlen - 96}")
    return block


def addresses_of(pod):
    status = pod.get("status") or {}
    listed = [item["ip"] for item in status.get("podIPs") or []]
    return [parse_address(text) for text in listed or filter(None, [status.get("podIP")])]


class World:
    def __init__(self, cluster, policies, switches, unknown_addresses):
        self.switches = switches
        self.unknown_addresses = [parse_address(text) for text in unknown_addresses]
        self.pods = [document for document in cluster if document["kind"] == "Pod"]
        self.nodes = [document for document in cluster if document["kind"] == "Node"]
        self.policies = policies
        self.namespace_labels = {
            document["metadata"]["name"]: document["metadata"].get("labels") or {}
            for document in cluster
            if document["kind"] == "Namespace"
        }

    # Who is meant

    def readings(self, end):
        address = parse_address(end["address"]) if end.get("address") else None
        if end.get("pod"):
            return list(self.named_pod(end["pod"], address))
        pods = [pod for pod in self.pods if is_running(pod) and address in addresses_of(pod)]
        if owners := [pod for pod in pods if not spec_of(pod).get("hostNetwork")]:
            return [PodEnd(pod, address) for pod in owners]
        found = [PodEnd(pod, address) for pod in pods] if self.switches["hostnetwork"] == "pod" else []
        node = self.node_with(address)
        if node:
            found.append(NodeEnd(node, address))
        return found or [Outsider(address)]

    def named_pod(self, full_name, address):
        (pod,) = (p for p in self.pods if f"{namespace_of(p)}/{p['metadata']['name']}" == full_name)
        own = [a for a in addresses_of(pod) if address is None or a.version == address.version]
        for possible in (own if address is None else own[:1]) or self.unknown_addresses:
            if spec_of(pod).get("hostNetwork") and self.switches["hostnetwork"] == "node":
                yield NodeEnd(spec_of(pod).get("nodeName"), possible)
            else:
                yield PodEnd(pod, possible)

    def node_with(self, address):
        for node in self.nodes:
            listed = [item for item in node["status"]["addresses"] if item["type"] != "Hostname"]
            if address in [parse_address(item["address"]) for item in listed]:
                return node["metadata"]["name"]
        for pod in self.pods:
            lends = spec_of(pod).get("hostNetwork") and spec_of(pod).get("nodeName") and is_running(pod)
            if lends and address in addresses_of(pod):
                return spec_of(pod)["nodeName"]
        return None

    # The decision procedure

    def connects(self, source, destination, protocol, port):
        if is_same_pod(source, destination):
            return True
        packet = Packet(destination, protocol, port)
        return self.lets("Egress", source, destination, packet) and self.lets("Ingress", destination, source, packet)

    def lets(self, direction, subject, peer, packet):
        if not isinstance(subject, PodEnd):
            return True
        is_own_node = isinstance(peer, NodeEnd) and peer.name and peer.name == subject.node
        if is_own_node and (direction == "Ingress" or self.switches["egress_to_own_node"] == "allow"):
            return True
        applying = [policy for policy in self.policies if self.applies(policy, direction, subject)]
        if not applying:
            return True
        if not packet.has_ports and self.switches["other_protocols"] not in ("follow-peers", "judged"):
            return self.switches["other_protocols"] == "allow"
        return any(
            self.rule_matches(rule or {}, direction, namespace_of(policy), peer, packet)
            for policy in applying
            for rule in spec_of(policy).get(direction.lower()) or []
        )

    def applies(self, policy, direction, subject):
        if namespace_of(policy) != subject.namespace or direction not in types_of(policy):
            return False
        return selects(spec_of(policy).get("podSelector") or {}, subject.labels)

    def rule_matches(self, rule, direction, namespace, peer, packet):
        peers = rule.get("from" if direction == "Ingress" else "to") or []
        ports = rule.get("ports") or []
        if peers and not any(self.peer_matches(item, namespace, peer) for item in peers):
            return False
        return not ports or any(self.port_matches(item, packet) for item in ports)

    def peer_matches(self, item, namespace, peer):
        if item.get("ipBlock"):
            return self.in_block(item["ipBlock"], peer)
        if not isinstance(peer, PodEnd):
            return False
        if item.get("namespaceSelector") is None:
            in_namespace = peer.namespace == namespace
        else:
            labels = {**self.namespace_labels.get(peer.namespace, {}), NAME_LABEL: peer.namespace}
            in_namespace = selects(item["namespaceSelector"], labels)
        return in_namespace and selects(item.get("podSelector") or {}, peer.labels)

    def in_block(self, block, peer):
        if not self.sees(peer):
            return False
        return peer.address in parse_block(block["cidr"]) and not any(
            peer.address in parse_block(text) for text in block.get("except") or []
        )

    def sees(self, peer):
        """Whether a block may match such an end at all."""
        if isinstance(peer, Outsider):
            return True
        return self.switches["ipblock_matches_pods" if isinstance(peer, PodEnd) else "ipblock_matches_nodes"]

    def port_matches(self, item, packet):
        if (item.get("protocol") or "TCP") != packet.protocol:
            return False
        port = item.get("port")
        if port is None:
            return True
        if isinstance(port, str):
            return packet.port in self.named_ports(packet.destination, port, packet.protocol)
        return port <= packet.port <= (item.get("endPort") or port)

    def named_ports(self, destination, name, protocol):
        if not isinstance(destination, PodEnd):
            return []
        numbers = [
            port["containerPort"]
            for container in lasting_containers(destination.document)
            for port in container.get("ports") or []
            if port.get("name") == name and (port.get("protocol") or "TCP") == protocol
        ]
        return numbers if self.switches["duplicate_port_names"] == "any" else numbers[:1]


class Packet:
    def __init__(self, destination, protocol, port):
        self.destination, self.protocol, self.port = destination, protocol, port
        self.has_ports = protocol in PORT_PROTOCOLS


def is_running(pod):
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def is_same_pod(source, destination):
    if not isinstance(source, PodEnd) or not isinstance(destination, PodEnd):
        return False
    return (source.namespace, source.name) == (destination.namespace, destination.name)


def lasting_containers(pod):
    """Regular containers, then the init containers that stay."""
    sidecars = [c for c in spec_of(pod).get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    return [*(spec_of(pod).get("containers") or []), *sidecars]


def types_of(policy):
    spec = spec_of(policy)
    return spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]


def selects(selector, labels):
    pairs = (selector.get("matchLabels") or {}).items()
    return all(key in labels and labels[key] == value for key, value in pairs) and all(
        meets(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def meets(expression, labels):
    key, values = expression["key"], expression.get("values") or []
    match expression["operator"]:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return key not in labels or labels[key] not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    raise ValueError(expression)
