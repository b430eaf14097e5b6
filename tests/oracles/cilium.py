"""Cilium's policies in their own words: flows judged on identities, straight from the manifests.

Nothing of the product is imported, and nothing is lowered. A cluster is ``{"name", "namespaces": {name: labels},
"endpoints", "services", "cidr_groups", "names": {name: addresses} or None}``. An endpoint is of a kind (``pod``,
``node``, ``world``, ``health``, ``init``, ``ingress``, ``unmanaged``) and has ``id``, ``ips``, ``node``; pods also
``namespace``, ``labels``, ``host_network``, ``named_ports`` (by ``name/PROTOCOL``), ``service_account``, ``cluster``;
whoever is the API server is marked by ``kube_apiserver``; anybody may be where the cluster has ``api_server_unknown``.
A flow is ``{"source": end, "destination": end, "protocol", "port", "icmp_type", "icmp_code", "request"}``, an end
``{"id", "address"}``. Where the manifests leave something open, or Cilium does, all answers are given.
"""

from __future__ import annotations

import ipaddress
from itertools import groupby, product

from tests.oracles import cilium_labels as cl
from tests.oracles.cilium_entries import ANY_PEER, EXTENDED, EXTENDED_LATELY, NORMAL, PORT_PROTOCOLS, Reader
from tests.oracles.cilium_requests import all_of, any_of, holds, is_anything, sni_holds, tells

DEFAULTS = {
    "version": (1, 20),
    "policy_enforcement_mode": "default",
    "allow_localhost": "auto",
    "policy_cidr_match_mode": (),
    "policy_audit_mode": False,
    "host_firewall": False,
    "enable_node_selector_labels": False,
    "policy_default_local_cluster": None,
    "ipv6": False,
    "enable_extended_ip_protocols": False,
    "allow_icmp_frag_needed": True,
}
WITHOUT_CHECK = ("world", "unmanaged")
ICMP = ("ICMP", "ICMPV6")
HANDSHAKES = ("required", "test-always-fail")
STRENGTH = {"deny": 0, "allow": 1, "pass": 2}

ALLOWED, DENIED, AUTH = "allowed", "denied", "auth-required"
PROXY_ALLOWS, PROXY_DENIES, PROXY_ASKS, DELEGATED = (
    "redirect-l7 allowed",
    "redirect-l7 denied",
    "redirect-l7 unasked",
    "redirect-l7 delegated",
)
"""The proxy lets the request through, refuses it, or would ask for a request, of which nothing is known."""
UNSETTLED = "unsettled"
"""Nobody tells: the proxy refuses a request that a later tier lets through, or the agent for the pod's own node; rules
for one connection differ in the handshakes that they ask for; or selectors for it are the same but for their spelling.
"""
BOTH = (DENIED, PROXY_DENIES, UNSETTLED, AUTH, DELEGATED, PROXY_ASKS, PROXY_ALLOWS, ALLOWED)
"""What two directions say together is the first of these that either says."""


def answers(cluster, policies, flow, settings=None, unknown_ports=(), unknown_types=range(256)):
    """Every answer that is possible; a port or a type of ICMP that is not known may be any of those given."""
    sides = directions(cluster, policies, flow, settings, unknown_ports, unknown_types)
    return {min(pair, key=BOTH.index) for pair in sides}


def directions(cluster, policies, flow, settings=None, unknown_ports=(), unknown_types=range(256)):
    """Every possible pair of answers: the source's egress, and the destination's ingress."""
    world = World(cluster, policies, {**DEFAULTS, **(settings or {})})
    has_ports = flow["protocol"] in PORT_PROTOCOLS
    ports = unknown_ports if has_ports and flow.get("port") is None else [flow.get("port")]
    is_vague = flow["protocol"] in ICMP and flow.get("icmp_type") is None
    kinds = unknown_types if is_vague else [flow.get("icmp_type")]
    codes = (0, 4) if flow["protocol"] == "ICMP" and flow.get("icmp_code") is None else [flow.get("icmp_code")]
    found = set()
    sources, destinations = world.readings(flow["source"]), world.readings(flow["destination"])
    servers = (False, True) if cluster.get("api_server_unknown") else (False,)
    for source, destination, port, kind, code, guess, server in product(
        sources, destinations, ports, kinds, codes, (False, True), servers
    ):
        packet = {**flow, "port": port, "icmp_type": kind, "icmp_code": code}
        world.may_be_server = server
        found |= world.connect(source, destination, packet, guess)
    return found


class End:
    """An end of a flow at some place: ``node`` is where it runs, or which one it is; None: nowhere in the cluster."""

    def __init__(self, endpoint, address, node):
        self.endpoint, self.address, self.node = endpoint, address, node
        self.is_node = endpoint["kind"] == "node" or bool(endpoint.get("host_network"))
        self.kind = "node" if self.is_node else endpoint["kind"]


class Seen:
    """The other end, as the guarded one knows it: labels and an address."""

    def __init__(self, labels, address):
        self.labels, self.address = labels, address

    def is_any(self, reserved):
        return any(source == "reserved" and key in reserved for source, key, _ in self.labels)


class World:
    def __init__(self, cluster, policies, settings):
        self.cluster, self.settings = cluster, settings
        self.version, self.name = settings["version"], cluster.get("name", "default")
        reader = Reader(cluster, settings)
        self.entries = [entry for policy in policies for entry in reader.read(policy)]
        self.may_be_server = False
        self.nodes = {e["node"]: e for e in cluster["endpoints"] if e["kind"] == "node"}

    # Who is meant

    def readings(self, end):
        address = ipaddress.ip_address(end["address"]) if end.get("address") else None
        found = [e for e in self.cluster["endpoints"] if end.get("id") == e["id"]]
        if not end.get("id"):
            found = [e for e in self.cluster["endpoints"] if address in addresses_of(e) and not e.get("host_network")]
        endpoint = found[0] if found else {"kind": "world"}
        own = addresses_of(endpoint)
        address = address or (own[0] if own else None)
        places = [endpoint.get("node")]
        if endpoint["kind"] == "pod" and not endpoint.get("node"):
            places = [*self.nodes, "elsewhere"]
        return [End(endpoint, address, place) for place in places]

    def labels_of(self, end, here):
        """The labels of an end's identity, as the agent of a node knows it."""
        extra = [("reserved", "kube-apiserver", "")] if self.is_apiserver(end) else []
        if end.is_node:
            node = self.nodes.get(end.node, {})
            if end.node == here:
                return [("reserved", "host", ""), *extra]
            labels = [("k8s", cl.CLUSTER_KEY, self.name), *(("node", *pair) for pair in node.get("labels", {}).items())]
            known = labels if self.settings["enable_node_selector_labels"] else []
            return [("reserved", "remote-node", ""), *extra, *known]
        if end.kind == "pod":
            return cl.pod_labels(end.endpoint, self.cluster["namespaces"], self.name)
        if end.kind == "world":
            family = f"-ipv{end.address.version}" if self.settings["ipv6"] else ""
            return [("reserved", f"world{family}", ""), *extra]
        return [("reserved", end.kind, "")]

    def is_apiserver(self, end):
        if self.may_be_server and (end.is_node or end.kind == "world"):
            return True
        if end.is_node:
            return bool(self.nodes.get(end.node, {}).get("kube_apiserver"))
        return bool(end.endpoint.get("kube_apiserver"))

    def subject_labels(self, end):
        if end.is_node:
            return [("k8s", *pair) for pair in self.nodes.get(end.node, {}).get("labels", {}).items()]
        return self.labels_of(end, end.node)

    # The decision procedure

    def connect(self, source, destination, packet, guess):
        if is_same(source, destination):
            return {(ALLOWED, ALLOWED)}
        judge = Judge(self, destination, packet, guess)
        return set(product(judge.lets("egress", source, destination), judge.lets("ingress", destination, source)))

    def is_checked(self, end):
        """Whether an agent enforces anything for this end."""
        if end.is_node:
            return self.settings["host_firewall"]
        return end.kind not in WITHOUT_CHECK and end.endpoint.get("cluster", self.name) == self.name

    def is_known_protocol(self, protocol):
        extended = (*EXTENDED, *(EXTENDED_LATELY if self.version >= (1, 20) else ()))
        is_extended = self.settings["enable_extended_ip_protocols"] and protocol in extended
        return is_extended or protocol in (*PORT_PROTOCOLS, *ICMP)

    def port_numbers(self, direction, port, protocol, destination):
        """What a port's name stands for."""
        if direction == "ingress" or self.version >= (1, 20):
            declared = [] if destination.is_node else [destination.endpoint]
        else:
            declared = [e for e in self.cluster["endpoints"] if not e.get("host_network")]
        found = {
            number
            for endpoint in declared
            for written, number in endpoint.get("named_ports", {}).items()
            if written.lower() == f"{port.name}/{protocol.lower()}"
        }
        return found if len(found) == 1 else set()


class Judge:
    """Judges one packet."""

    def __init__(self, world, destination, packet, guess):
        self.world, self.destination, self.packet, self.guess = world, destination, packet, guess
        self.settings, self.version = world.settings, world.version
        self.protocol, self.request = packet["protocol"], packet.get("request") or {}

    def lets(self, direction, subject, peer):
        """The answers for one direction."""
        if not self.world.is_checked(subject):
            return {ALLOWED}
        if not self.world.is_known_protocol(self.protocol) and not subject.is_node:
            return {DENIED}
        found = self.by_policy(direction, subject, peer)
        if self.settings["policy_audit_mode"]:
            return {ALLOWED if answer in (DENIED, AUTH) else answer for answer in found}
        return found

    def by_policy(self, direction, subject, peer):
        mode = self.settings["policy_enforcement_mode"]
        if mode == "never":
            return {ALLOWED}
        labels = self.world.subject_labels(subject)
        entries = [
            e
            for e in self.world.entries
            if e.direction == direction and e.is_node == subject.is_node and e.guards(labels)
        ]
        forced = mode == "always" or subject.kind == "init"
        if not entries and not forced:
            return {ALLOWED}
        if self.settings["allow_icmp_frag_needed"] and self.is_frag_needed():
            return {ALLOWED}
        closes = forced or any(entry.default_deny for entry in entries)
        seen = Seen(self.world.labels_of(peer, subject.node), peer.address)
        is_old = self.version < (1, 20)
        is_let_in = direction == "ingress" and not subject.is_node and self.is_local_host(seen) and (closes or is_old)
        found = self.walk(entries, seen, direction, is_let_in and is_old)
        if found is None:
            is_last = is_let_in and not is_old and bool(entries)
            return {ALLOWED} if not closes or is_last else {DENIED}
        if is_let_in and not is_old and PROXY_DENIES in found:
            return {UNSETTLED}
        return found

    def is_frag_needed(self):
        return self.protocol == "ICMP" and (self.packet["icmp_type"], self.packet["icmp_code"]) == (3, 4)

    def is_local_host(self, seen):
        return seen.is_any(("host",)) and self.settings["allow_localhost"] != "policy"

    def walk(self, entries, seen, direction, is_let_in):
        """The answers of the first entries that match; None where none decides."""
        needed = [one for entry in entries for one in entry.requires]
        matches = [(e, units) for e in entries if (units := self.units(e, seen, direction, needed))]
        matches.sort(key=lambda match: match[0].tier)
        for tier, in_tier in groupby(matches, lambda match: match[0].tier):
            ranked = sorted(in_tier, key=lambda match: (match[0].priority, STRENGTH[match[0].verdict]))
            if tier == NORMAL and is_let_in and not any(entry.verdict == "deny" for entry, _ in ranked):
                is_shaken = any(unit[3] in HANDSHAKES for _, units in ranked for unit in units)
                return {UNSETTLED} if is_shaken else {ALLOWED}
            if not ranked or ranked[0][0].verdict == "pass":
                continue
            first = ranked[0][0]
            if first.verdict == "deny":
                return {DENIED}
            equals = [units for e, units in ranked if (e.priority, e.verdict) == (first.priority, "allow")]
            found = self.let([unit for units in equals for unit in units])
            is_let_later = any(entry.tier > tier and entry.verdict == "allow" for entry, _ in matches)
            return {UNSETTLED} if is_let_later and PROXY_DENIES in found else found
        return {ALLOWED} if is_let_in else None

    # One entry

    def units(self, entry, seen, direction, needed):
        """The pairs of a peer and ports of an entry that hold the packet, each with what is asked of requests."""
        if entry.verdict == "allow" and needed and not cl.selects(needed, seen.labels):
            return []
        if entry.peers == ANY_PEER:
            peers = [ANY_PEER]
        else:
            peers = [key for key, test in entry.peers if self.guess_of(test(seen))]
        return [
            (peer, port, section, entry.auth) for peer in peers for port, section in self.ports_of(entry, direction)
        ]

    def guess_of(self, answer):
        return self.guess if answer is None else answer

    def ports_of(self, entry, direction):
        if entry.sections is None:
            return [("every port", None)]
        return [
            ((port.first, port.last, port.name), section)
            for section in entry.sections
            for port in section.ports
            if self.is_port(port, direction)
        ]

    def is_port(self, port, direction):
        if self.protocol not in port.protocols:
            return False
        if port.name == "type":
            return port.first == self.packet["icmp_type"]
        if self.protocol not in PORT_PROTOCOLS:
            return not port.name and port.first == 0
        number = self.packet["port"]
        if port.name:
            return number in self.world.port_numbers(direction, port, self.protocol, self.destination)
        return (port.first, port.last) == (0, 0) or port.first <= number <= port.last

    # What allows

    def let(self, units):
        """The answers where these pairs allow: what they ask of requests is united."""
        modes = {auth if auth in HANDSHAKES else None for _, _, _, auth in units}
        if len(modes) > 1:
            return {UNSETTLED}
        if "test-always-fail" in modes:
            return {DENIED}
        first = AUTH if "required" in modes else ALLOWED
        said, respelt = (self.ask_proxy(grouped(units, key)) for key in (str, alike))
        return {min(first, answer, key=BOTH.index) for answer in (said if said == respelt else {UNSETTLED})}

    def ask_proxy(self, groups):
        sections = [section for group in groups for section in group if section]
        if not any(section.parser for section in sections):
            return {ALLOWED}
        if any(section.listener for section in sections):
            return {DELEGATED}
        said = [self.ask_group(group) for group in groups]
        answer = any_of(answer for answer in said if answer != "unasked")
        if "unasked" in said and not answer:
            return {PROXY_ASKS}
        return {True: {PROXY_ALLOWS}, False: {PROXY_DENIES}, None: {PROXY_ALLOWS, PROXY_DENIES}}[answer]

    def ask_group(self, sections):
        """Whether one selector's rules for one port let the request through; "unasked" where it tells nothing."""
        names = [name for section in sections if section for name in section.names]
        parts = []
        if names:
            parts.append(
                sni_holds(names, self.request["sni"], self.version) if tells(self.request, "tls") else "unasked"
            )
        if all(section and section.rules for section in sections):
            parts.append(self.ask_rules(sections))
        if "unasked" in parts:
            return False if False in parts else "unasked"
        return all_of(parts)

    def ask_rules(self, sections):
        rules = [(section.parser, rule) for section in sections for rule in section.rules]
        if any(is_anything(parser, rule) for parser, rule in rules):
            return True
        told = [(parser, rule) for parser, rule in rules if tells(self.request, parser)]
        if not told:
            return "unasked"
        return any_of(holds(parser, rule, self.request, self.version) for parser, rule in told)


def grouped(units, key):
    """What is asked of requests, by peer and ports."""
    found = {}
    for peer, port, section, _ in units:
        found.setdefault((key(peer), port), []).append(section)
    return list(found.values())


def alike(peer):
    """A peer's key, the same for selectors that are the same but for their spelling."""
    if not isinstance(peer, tuple) or peer[0] in ("cidr", "fqdn"):
        return str(peer)
    return str(sorted({(source.replace("any", "k8s"), key, op.replace("Is", "In"), v) for source, key, op, v in peer}))


def addresses_of(endpoint):
    return [ipaddress.ip_address(text) for text in endpoint.get("ips", ())]


def is_same(source, destination):
    if source.is_node and destination.is_node:
        return source.node == destination.node
    return source.endpoint is destination.endpoint and source.kind != "world"
