"""Policies as Cilium's agent keeps them: entries, of which each says whom it binds, whom it means and what it says."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

from tests.oracles import cilium_labels as cl
from tests.oracles.cilium_requests import name_holds

ADMIN, NORMAL, BASELINE = 100, 200, 250
ANY_PEER = "any peer"
PORT_PROTOCOLS = ("TCP", "UDP", "SCTP")
EXTENDED, EXTENDED_LATELY = ("VRRP", "IGMP"), ("GRE", "IPIP", "IPV6", "ESP", "AH")
LISTS = ("Endpoints", "Nodes", "Entities", "CIDR", "CIDRSet")
ICMP_NAMES = {
    "IPv4": {"EchoReply": 0, "DestinationUnreachable": 3, "EchoRequest": 8, "TimeExceeded": 11},
    "IPv6": {"DestinationUnreachable": 1, "PacketTooBig": 2, "EchoRequest": 128, "EchoReply": 129},
}
IN_CLUSTER = ("host", "remote-node", "init", "ingress", "health", "unmanaged", "kube-apiserver")
WORLDS = ("world", "world-ipv4", "world-ipv6")


@dataclass
class Port:
    """Ports of some protocols: ``first`` to ``last``, or a name; ICMP types are ports too."""

    protocols: tuple
    first: int = 0
    last: int = 0
    name: str = ""


@dataclass
class Section:
    """Ports, and what is asked of the requests on them."""

    ports: list
    parser: str = ""
    rules: list = field(default_factory=list)
    names: list = field(default_factory=list)
    listener: bool = False


@dataclass
class Entry:
    """One rule. ``peers`` are ``(key, test)``, or ANY_PEER; ``sections`` is None where ports do not matter."""

    direction: str
    guards: object
    verdict: str
    peers: object
    sections: object
    default_deny: bool = True
    auth: object = None
    tier: int = NORMAL
    priority: float = 0
    is_node: bool = False
    requires: list = field(default_factory=list)


class Reader:
    """Reads policies in the light of a cluster and the agent's settings."""

    def __init__(self, cluster, settings):
        self.cluster, self.settings = cluster, settings
        self.version = settings["version"]
        self.name = cluster.get("name", "default")
        local = settings["policy_default_local_cluster"]
        is_local = self.version >= (1, 19) if local is None else local
        self.scope = self.name if is_local else None

    def read(self, policy):
        kind = policy["kind"]
        if kind == "NetworkPolicy":
            return self.kubernetes_entries(policy)
        if kind == "ClusterNetworkPolicy":
            return self.tiered_entries(policy)
        specs = [*([policy["spec"]] if policy.get("spec") else []), *(policy.get("specs") or [])]
        namespace = policy["metadata"]["namespace"] if kind == "CiliumNetworkPolicy" else None
        return [entry for spec in specs for entry in self.spec_entries(spec, namespace)]

    # CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy

    def spec_entries(self, spec, namespace):
        is_node = spec.get("nodeSelector") is not None
        subject = cl.requirements(spec["nodeSelector" if is_node else "endpointSelector"])
        is_for_init = any(one[:2] == ("reserved", "init") for one in subject)
        if namespace:
            subject = cl.scoped_subject(subject, namespace)
        found = []
        for direction in ("ingress", "egress"):
            side = "from" if direction == "ingress" else "to"
            for key, verdict in ((direction, "allow"), (f"{direction}Deny", "deny")):
                for item in spec.get(key) or []:
                    entry = Entry(
                        direction,
                        lambda labels, subject=subject: cl.selects(subject, labels),
                        verdict,
                        self.peers(item, side, namespace, is_for_init),
                        self.sections(item),
                        self.denies_by_default(spec, direction),
                        (item.get("authentication") or {}).get("mode"),
                        is_node=is_node,
                    )
                    if item.get(f"{side}Requires"):
                        selectors = [self.peer_selector(one, namespace, is_for_init) for one in item[f"{side}Requires"]]
                        entry.requires = [one for asked in selectors for one in asked]
                    self.open_requests(entry)
                    found.append(entry)
        return found

    def denies_by_default(self, spec, direction):
        said = (spec.get("enableDefaultDeny") or {}).get(direction) if self.version >= (1, 16) else None
        return True if said is None else said

    def open_requests(self, entry):
        """Where nothing is denied by default, requests are looked at but let through."""
        if not entry.default_deny and self.version >= (1, 18):
            for section in entry.sections or []:
                if section.rules:
                    section.rules = [*section.rules, "anything"]

    def peers(self, item, side, namespace, is_for_init):
        has_ports = bool(item.get("toPorts") or item.get("icmps"))
        found = [
            *self.endpoint_peers(item.get(f"{side}Endpoints"), namespace, is_for_init),
            *self.node_peers(item.get(f"{side}Nodes")),
            *self.entity_peers(item.get(f"{side}Entities")),
            *(self.cidr_peer(text, ()) for text in item.get(f"{side}CIDR") or []),
            *(peer for one in item.get(f"{side}CIDRSet") or [] for peer in self.cidr_set(one)),
            *(self.named_peer(one) for one in item.get("toFQDNs") or []),
            *(peer for one in item.get("toServices") or [] for peer in self.service_peers(one)),
        ]
        if any(key == ANY_PEER for key, _ in found):
            return ANY_PEER
        if found or any(item.get(f"{side}{name}") is not None for name in LISTS):
            return found
        return ANY_PEER if has_ports else []

    def endpoint_peers(self, selectors, namespace, is_for_init):
        for selector in selectors or []:
            yield self.selector_peer(self.peer_selector(selector, namespace, is_for_init))

    def peer_selector(self, selector, namespace, is_for_init):
        return cl.scoped_peer(cl.requirements(selector), namespace, self.scope, is_for_init)

    def selector_peer(self, asked):
        if not asked:
            return ANY_PEER, None
        return tuple(sorted(set(asked))), lambda seen: cl.selects(asked, seen.labels)

    def node_peers(self, selectors):
        for selector in selectors or []:
            asked = [*cl.requirements(selector), ("reserved", "remote-node", "Exists", ())]
            yield self.selector_peer(cl.in_cluster(asked, self.scope))

    def entity_peers(self, entities):
        for entity in entities or []:
            match entity:
                case "all":
                    yield ANY_PEER, None
                case "none":
                    yield "nobody", lambda seen: False
                case "world":
                    yield from (self.reserved_peer(name) for name in WORLDS)
                case "cluster" | "cluster-mesh":
                    yield from (self.reserved_peer(name) for name in IN_CLUSTER)
                    values = ("Is", (self.name,)) if entity == "cluster" else ("Exists", ())
                    yield self.selector_peer([("any", cl.CLUSTER_KEY, *values)])
                case _:
                    yield self.reserved_peer(entity)

    def reserved_peer(self, name):
        return self.selector_peer([("reserved", name, "Exists", ())])

    def cidr_set(self, item):
        excluded = tuple(item.get("except") or ())
        for group in self.groups(item):
            yield from (self.cidr_peer(text, excluded) for text in group["cidrs"])
        if item.get("cidr"):
            yield self.cidr_peer(item["cidr"], excluded)

    def groups(self, item):
        known = self.cluster.get("cidr_groups", [])
        if item.get("cidrGroupRef"):
            return [group for group in known if group["name"] == item["cidrGroupRef"]]
        if item.get("cidrGroupSelector") is not None:
            asked = cl.requirements(item["cidrGroupSelector"], "cidrgroup")
            return [g for g in known if cl.selects(asked, [("cidrgroup", *pair) for pair in g["labels"].items()])]
        return []

    def cidr_peer(self, text, excluded):
        block, holes = ipaddress.ip_network(text, False), [ipaddress.ip_network(one, False) for one in excluded]
        modes = self.settings["policy_cidr_match_mode"]

        def holds(seen):
            is_world, is_node = seen.is_any(WORLDS), seen.is_any(("host", "remote-node"))
            is_meant = is_world or ("nodes" in modes if is_node else "pods" in modes)
            if not is_meant or seen.address is None:
                return False
            return seen.address in block and not any(seen.address in hole for hole in holes)

        return ("cidr", text, excluded), holds

    def named_peer(self, item):
        def holds(seen):
            names = self.cluster.get("names")
            known = [n for n, found in (names or {}).items() if seen.address in map(ipaddress.ip_address, found)]
            if not seen.is_any(WORLDS):
                return False
            return any(name_holds(item, name, self.version) for name in known) if known else None

        return ("fqdn", str(item)), holds

    def service_peers(self, item):
        for service in self.cluster.get("services", []):
            if not self.is_service(item, service):
                continue
            if service.get("selector"):
                asked = cl.requirements({"matchLabels": service["selector"]}, "k8s")
                yield self.selector_peer([*asked, ("k8s", cl.NAMESPACE_KEY, "Is", (service["namespace"],))])
            else:
                yield from (self.cidr_peer(text, ()) for text in service.get("endpoint_ips", []))

    def is_service(self, item, service):
        wanted = item.get("k8sService") or item["k8sServiceSelector"]
        if wanted.get("namespace") and wanted["namespace"] != service["namespace"]:
            return False
        if item.get("k8sService"):
            return wanted.get("serviceName") == service["name"]
        labels = [("k8s", *pair) for pair in service.get("labels", {}).items()]
        return cl.selects(cl.requirements(wanted["selector"]), labels)

    # Ports

    def sections(self, item):
        if item.get("icmps"):
            return [Section([icmp_port(one) for block in item["icmps"] for one in block.get("fields") or []])]
        if not item.get("toPorts"):
            return None
        return [self.section(one) for one in item["toPorts"]]

    def section(self, item):
        found = Section([self.port(one) for one in item.get("ports") or []])
        rules = {parser: listed for parser, listed in (item.get("rules") or {}).items() if listed}
        for parser in ("http", "dns", "kafka"):
            if parser in rules:
                found.parser, found.rules = parser, rules[parser]
        if item.get("serverNames"):
            found.parser, found.names = found.parser or "tls", item["serverNames"]
        if item.get("listener"):
            found.parser, found.listener = "listener", True
        if item.get("terminatingTLS") or item.get("originatingTLS"):
            found.parser = found.parser or "tls"
        return found

    def port(self, item):
        written = str(item.get("port") or "0")
        protocol = item.get("protocol") or "ANY"
        protocols = PORT_PROTOCOLS if protocol == "ANY" else (protocol,)
        if not written.isdecimal():
            return Port(protocols, name=written.lower())
        first = int(written)
        last = int(item.get("endPort") or 0) if self.version >= (1, 16) else 0
        return Port(protocols, first, max(first, last))

    # NetworkPolicy

    def kubernetes_entries(self, policy):
        spec, namespace = policy.get("spec") or {}, policy["metadata"].get("namespace") or "default"
        listed = [p for key in ("ingress", "egress") for r in spec.get(key) or [] for p in (r or {}).get("ports") or []]
        if any((port.get("protocol") or "TCP") not in PORT_PROTOCOLS for port in listed):
            return []
        types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        own = [("k8s", cl.NAMESPACE_KEY, "Is", (namespace,))]
        subject = [*cl.requirements(spec.get("podSelector"), "k8s"), *own]
        found = []
        for direction, side in (("Ingress", "from"), ("Egress", "to")):
            if direction not in types:
                continue

            def entry(peers, sections, direction=direction):
                return Entry(direction.lower(), lambda labels: cl.selects(subject, labels), "allow", peers, sections)

            found.append(entry([], None))
            for rule in spec.get(direction.lower()) or []:
                peers = [self.kubernetes_peer(one, namespace) for one in (rule or {}).get(side) or []] or ANY_PEER
                found.append(entry(peers, kubernetes_sections(rule or {})))
        return found

    def kubernetes_peer(self, item, namespace):
        if item.get("ipBlock"):
            return self.cidr_peer(item["ipBlock"]["cidr"], tuple(item["ipBlock"].get("except") or ()))
        own = [("k8s", cl.NAMESPACE_KEY, "Is", (namespace,))]
        return self.pods_peer(item.get("namespaceSelector"), item.get("podSelector"), own)

    def pods_peer(self, namespaces, pods, own=()):
        asked = cl.requirements(pods, "k8s")
        if namespaces is None:
            asked += own
        else:
            asked += cl.requirements(namespaces, "k8s", cl.NAMESPACE_LABELS)
            asked.append(("k8s", cl.NAMESPACE_KEY, "Exists", ()))
        return self.selector_peer(cl.in_cluster(asked, self.scope))

    # ClusterNetworkPolicy

    def tiered_entries(self, policy):
        spec = policy["spec"]
        subject = spec["subject"]
        pods = subject.get("pods") or {"namespaceSelector": subject.get("namespaces")}
        asked = self.pods_peer(pods["namespaceSelector"], pods.get("podSelector"))[0]
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(spec.get(direction) or []):
                yield Entry(
                    direction,
                    lambda labels: cl.selects(asked, labels),
                    {"Accept": "allow", "Deny": "deny", "Pass": "pass"}[rule["action"]],
                    [peer for one in rule[side] for peer in self.tiered_peers(one)],
                    tiered_sections(rule),
                    default_deny=False,
                    tier=ADMIN if spec["tier"] == "Admin" else BASELINE,
                    priority=round(spec["priority"] + index / 100, 2),
                )

    def tiered_peers(self, item):
        if "networks" in item:
            return [self.cidr_peer(text, ()) for text in item["networks"]]
        pods = item.get("pods") or {"namespaceSelector": item["namespaces"]}
        return [self.pods_peer(pods["namespaceSelector"], pods.get("podSelector"))]


def icmp_port(item):
    family = item.get("family") or "IPv4"
    kind = item["type"]
    number = int(kind) if str(kind).isdecimal() else ICMP_NAMES[family][kind]
    return Port(("ICMP" if family == "IPv4" else "ICMPV6",), number, number, "type")


def kubernetes_sections(rule):
    if not rule.get("ports"):
        return None
    ports = []
    for item in rule["ports"]:
        written, protocols = item.get("port"), (item.get("protocol") or "TCP",)
        if isinstance(written, str):
            ports.append(Port(protocols, name=written.lower()))
        else:
            ports.append(Port(protocols, written or 0, item.get("endPort") or written or 0))
    return [Section(ports)]


def tiered_sections(rule):
    if not rule.get("protocols"):
        return None
    ports = []
    for item in rule["protocols"]:
        ((kind, said),) = item.items()
        if kind == "destinationNamedPort":
            ports.append(Port(PORT_PROTOCOLS, name=said.lower()))
            continue
        port = said.get("destinationPort") or {}
        bounds = port.get("range") or {"start": port.get("number", 0), "end": port.get("number", 0)}
        ports.append(Port((kind.upper(),), bounds["start"], bounds["end"]))
    return [Section(ports)]
