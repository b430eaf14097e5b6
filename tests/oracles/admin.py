"""AdminNetworkPolicy, its baseline and ClusterNetworkPolicy in their own words, with NetworkPolicy between them.

Policies are asked as they were written. What the API leaves open gives several answers: policies of one priority in any
order, and names that nobody resolved as if they stood for the address or not. Nothing of the product is imported.
"""

from __future__ import annotations

from .networkpolicy import (
    DEFAULTS,
    NAME_LABEL,
    PORT_PROTOCOLS,
    NodeEnd,
    Packet,
    PodEnd,
    World,
    is_same_pod,
    parse_block,
    selects,
    spec_of,
)

SWITCHES = {**DEFAULTS, "ties": "unknown", "np_final": "per-direction"}
TIERS = {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}
ALLOWING = ("Allow", "Accept")
DNS_READINGS = (False, True)


def verdicts(cluster, policies, flow, switches=None, unknown_addresses=(), unknown_ports=()):
    """The answers of every reading of the flow, of every order of what ties, and of every resolution of names."""
    world = TieredWorld(cluster, policies, {**SWITCHES, **(switches or {})}, unknown_addresses)
    is_open = flow["port"] is None and flow["protocol"] in PORT_PROTOCOLS
    answers = set()
    for world.resolves in DNS_READINGS:
        for source in world.readings(flow["source"]):
            for destination in world.readings(flow["destination"]):
                if source.address.version == destination.address.version:
                    for port in unknown_ports if is_open else [flow["port"]]:
                        answers |= world.answers(source, destination, flow["protocol"], port)
    return answers


class TieredWorld(World):
    resolves = False

    def __init__(self, cluster, policies, switches, unknown_addresses):
        own = [policy for policy in policies if policy["kind"] == "NetworkPolicy"]
        super().__init__(cluster, own, switches, unknown_addresses)
        self.tiered = [policy for policy in policies if policy["kind"] != "NetworkPolicy"]
        self.node_labels = {node["metadata"]["name"]: node["metadata"].get("labels") or {} for node in self.nodes}

    # The decision procedure

    def answers(self, source, destination, protocol, port):
        if is_same_pod(source, destination):
            return {True}
        packet = Packet(destination, protocol, port)
        outward = self.possible("Egress", source, destination, packet)
        inward = self.possible("Ingress", destination, source, packet)
        return {out and into for out in outward for into in inward}

    def possible(self, direction, subject, peer, packet):
        """Whether one direction lets the packet through: the answers there may be."""
        if not isinstance(subject, PodEnd) or self.is_own_node(direction, subject, peer):
            return {True}
        found = set()
        for action in self.first_actions("Admin", direction, subject, peer, packet):
            if action in ALLOWING or action == "Deny":
                found.add(action != "Deny")
            else:
                found |= self.without_admin(direction, subject, peer, packet)
        return found

    def without_admin(self, direction, subject, peer, packet):
        if any(self.applies(policy, direction, subject) for policy in self.policies):
            return {self.lets(direction, subject, peer, packet)}
        if self.switches["np_final"] == "any" and self.is_selected_at_all(subject):
            return {True}
        return {action != "Deny" for action in self.first_actions("Baseline", direction, subject, peer, packet)}

    def is_selected_at_all(self, subject):
        return any(self.applies(policy, side, subject) for policy in self.policies for side in ("Ingress", "Egress"))

    def is_own_node(self, direction, subject, peer):
        is_own = isinstance(peer, NodeEnd) and peer.name and peer.name == subject.node
        return is_own and (direction == "Ingress" or self.switches["egress_to_own_node"] == "allow")

    def first_actions(self, tier, direction, subject, peer, packet):
        """The actions that may come first in a tier; None where no rule matches."""
        policies = [policy for policy in self.tiered if tier_of(policy) == tier and self.binds(policy, subject)]
        for priority in sorted({priority_of(policy) for policy in policies}):
            equals = sorted((p for p in policies if priority_of(p) == priority), key=lambda p: p["metadata"]["name"])
            actions = [self.first_action(policy, direction, peer, packet) for policy in equals]
            actions = [action for action in actions if action is not None]
            if actions:
                return actions[:1] if self.switches["ties"] == "name" else set(actions)
        return [None]

    def first_action(self, policy, direction, peer, packet):
        for rule in spec_of(policy).get(direction.lower(), ()):
            if self.matches(rule, direction, peer, packet):
                return rule["action"]
        return None

    # Subjects, peers, ports

    def binds(self, policy, subject):
        return self.is_among(spec_of(policy)["subject"], subject)

    def matches(self, rule, direction, peer, packet):
        peers = rule["from" if direction == "Ingress" else "to"]
        ports = rule.get("ports") or rule.get("protocols")
        return any(self.is_peer(item, peer) for item in peers) and (
            ports is None or any(self.is_port(item, packet) for item in ports)
        )

    def is_peer(self, item, peer):
        if "networks" in item:
            return self.sees(peer) and any(peer.address in parse_block(text) for text in item["networks"])
        if "nodes" in item:
            return isinstance(peer, NodeEnd) and selects(item["nodes"], self.node_labels.get(peer.name, {}))
        if "domainNames" in item:
            return self.resolves
        return self.is_among(item, peer)

    def is_among(self, item, pod):
        """Whether a pod is one of ``namespaces`` or ``pods``."""
        if not isinstance(pod, PodEnd):
            return False
        labels = {**self.namespace_labels.get(pod.namespace, {}), NAME_LABEL: pod.namespace}
        if "namespaces" in item:
            return selects(item["namespaces"], labels)
        inner = item["pods"]
        return selects(inner.get("namespaceSelector", {}), labels) and selects(inner["podSelector"], pod.labels)

    def is_port(self, item, packet):
        if name := item.get("namedPort") or item.get("destinationNamedPort"):
            return packet.has_ports and packet.port in self.named_ports(packet.destination, name, packet.protocol)
        if number := item.get("portNumber"):
            return (number.get("protocol", "TCP"), number["port"]) == (packet.protocol, packet.port)
        if span := item.get("portRange"):
            return span.get("protocol", "TCP") == packet.protocol and span["start"] <= packet.port <= span["end"]
        ((protocol, inner),) = item.items()
        if protocol.upper() != packet.protocol:
            return False
        port = inner["destinationPort"]
        if "number" in port:
            return packet.port == port["number"]
        return port["range"]["start"] <= packet.port <= port["range"]["end"]


def tier_of(policy):
    return spec_of(policy).get("tier") or TIERS[policy["kind"]]


def priority_of(policy):
    return spec_of(policy).get("priority", 0)
