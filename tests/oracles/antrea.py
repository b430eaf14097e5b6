"""Antrea's policies in their own words: flows judged straight from the manifests, pipeline stage by pipeline stage.

Nothing of the product is imported, and nothing is lowered. Every part of a rule holds (True), does not (False), or
cannot be told (None); where that leaves several answers open, or Antrea itself does, all of them are given. A flow is
``{"source": end, "destination": end, "protocol": name, "port": number, "source_port": number, "icmp_type": number,
"icmp_code": number, "service": (namespace, name) or None, "dialled": (address, port)}``; with a Service, which the
client dialled there, its pods are the destination.
"""

from __future__ import annotations

import re

from tests.oracles import networkpolicy as knp

STATIC_TIERS = {"emergency": 50, "securityops": 100, "networkops": 150, "platform": 200, "application": 250}
BASELINE = 253
GROUP = "crd.antrea.io/v1beta1"
PORT_PROTOCOLS = ("TCP", "UDP", "SCTP")
SIDES = {"Ingress": "from", "Egress": "to"}


def any_of(answers):
    found = list(answers)
    return True if True in found else None if None in found else False


def all_of(answers):
    found = list(answers)
    return False if False in found else None if None in found else True


def answers(cluster, policies, flow, names=None, unknown_addresses=(), unknown_ports=()):
    """Every answer that is possible: ``allow``, ``drop``, ``reject``; none where a Service has no pod."""
    world = World(cluster, policies, names, unknown_addresses)
    ports = unknown_ports if flow["port"] is None and flow["protocol"] in PORT_PROTOCOLS else [flow["port"]]
    return {
        answer
        for source in world.readings(flow["source"])
        for destination in world.destinations(flow)
        for port in ports
        if source.address.version == destination.address.version
        for answer in world.connect(source, destination, {**flow, "port": port})
    }


class World:
    def __init__(self, cluster, policies, names, unknown_addresses):
        by_kind = {}
        for document in policies:
            by_kind.setdefault((document["apiVersion"], document["kind"]), []).append(document)
        self.kubernetes = knp.World(
            cluster, by_kind.get(("networking.k8s.io/v1", "NetworkPolicy"), []), knp.DEFAULTS, unknown_addresses
        )
        self.cluster, self.names = cluster, names
        self.native = [*by_kind.get((GROUP, "ClusterNetworkPolicy"), []), *by_kind.get((GROUP, "NetworkPolicy"), [])]
        self.tiers = {d["metadata"]["name"]: d["spec"]["priority"] for d in by_kind.get((GROUP, "Tier"), [])}
        self.tiers.update({**STATIC_TIERS, "baseline": BASELINE})
        self.groups = {
            (d["metadata"].get("namespace"), d["metadata"]["name"]): d["spec"]
            for kind in ("Group", "ClusterGroup")
            for d in by_kind.get((GROUP, kind), [])
        }
        self.services = {
            (d["metadata"]["namespace"], d["metadata"]["name"]): d["spec"].get("selector") or None
            for d in cluster
            if d["kind"] == "Service"
        }
        self.nodes = {d["metadata"]["name"]: d["metadata"].get("labels") or {} for d in cluster if d["kind"] == "Node"}

    # Who is meant

    def readings(self, end):
        return self.kubernetes.readings(end)

    def destinations(self, flow):
        if not flow["service"]:
            return self.readings(flow["destination"])
        namespace, selector = flow["service"][0], self.services[flow["service"]]
        return [
            reading
            for pod in self.kubernetes.pods
            if selector and knp.is_running(pod) and knp.namespace_of(pod) == namespace
            if knp.selects({"matchLabels": selector}, pod["metadata"].get("labels") or {})
            for reading in self.readings({"pod": f"{namespace}/{pod['metadata']['name']}", "address": None})
            if reading.address.version == knp.parse_address(flow["dialled"][0]).version
        ]

    def namespace_labels(self, name):
        return {**self.kubernetes.namespace_labels.get(name, {}), knp.NAME_LABEL: name}

    # The pipeline

    def connect(self, source, destination, flow):
        """Both ends, egress first: what denies first gives the answer its word."""
        is_same = knp.is_same_pod(source, destination)
        if is_same and not flow["service"]:
            return {"allow"}
        egress = self.judge("Egress", source, destination, destination, flow, is_same)
        ingress = {"allow"} if is_same else self.judge("Ingress", destination, source, destination, flow, False)
        return (egress - {"allow"}) | (ingress if "allow" in egress else set())

    def judge(self, direction, subject, peer, destination, flow, is_hairpin):
        if isinstance(subject, knp.Outsider):
            return {"allow"}
        is_node = isinstance(subject, knp.NodeEnd)
        is_own_node = not is_node and isinstance(peer, knp.NodeEnd) and peer.name and peer.name == subject.node
        if direction == "Ingress" and is_own_node:
            return {"allow"}
        packet = Packet(direction, subject, peer, destination, flow)
        found = set()
        goes_on = True
        if direction == "Ingress":
            services = self.sorted_rules(direction, lambda entry: "service" in entry, lambda tier: True)
            found, goes_on = self.walk(services, packet, {"Allow": "pass", "Pass": "pass"})
        if goes_on:
            found |= self.judge_behind(direction, packet, is_node, is_hairpin)
        return found

    def judge_behind(self, direction, packet, is_node, is_hairpin):
        def guards(entry):
            return "service" not in entry and ("nodeSelector" in entry) == is_node

        early = self.sorted_rules(direction, guards, lambda tier: tier < BASELINE)
        found, goes_on = self.walk(early, packet, {"Pass": "pass"})
        if not goes_on:
            return found
        if not is_node:
            isolating = [p for p in self.kubernetes.policies if self.kubernetes.applies(p, direction, packet.subject)]
            if isolating:
                is_let = is_hairpin or self.kubernetes_allows(direction, isolating, packet)
                return found | {"allow" if is_let else "drop"}
        late = self.sorted_rules(direction, guards, lambda tier: tier >= BASELINE)
        last, goes_on = self.walk(late, packet, {})
        return found | last | ({"allow"} if goes_on else set())

    def kubernetes_allows(self, direction, policies, packet):
        plain = knp.Packet(packet.destination, packet.flow["protocol"], packet.flow["port"])
        return any(
            self.kubernetes.rule_matches(rule or {}, direction, knp.namespace_of(policy), packet.peer, plain)
            for policy in policies
            for rule in knp.spec_of(policy).get(direction.lower()) or []
        )

    def sorted_rules(self, direction, guards, in_stage):
        """The rules of some tiers that guard some kind of ends, those without an order among each other together."""
        places = {}
        for policy in self.native:
            spec = policy["spec"]
            tier = self.tiers[spec.get("tier") or "application"]
            for index, rule in enumerate(spec.get(direction.lower()) or []):
                applied = spec.get("appliedTo") or rule["appliedTo"]
                if in_stage(tier) and guards(applied[0]):
                    places.setdefault((tier, spec["priority"], index), []).append((policy, rule, applied))
        return [places[place] for place in sorted(places)]

    def walk(self, places, packet, passing):
        """The answers of the first rules that match, and whether any traffic goes on to the next stage."""
        found, is_left = set(), False
        for equals in places:
            matches = [(rule, self.matches(policy, rule, applied, packet)) for policy, rule, applied in equals]
            for rule, holds in matches:
                if holds is not False:
                    words = self.words_of(rule, passing)
                    is_left |= "pass" in words
                    found |= words - {"pass"}
            if any(holds for _, holds in matches):
                return found, is_left
        return found, True

    def words_of(self, rule, passing):
        if rule.get("l7Protocols"):
            return {passing.get("Allow", "allow"), "drop"}
        return {passing.get(rule["action"], rule["action"].lower())}

    # One rule

    def matches(self, policy, rule, applied, packet):
        namespace = policy["metadata"].get("namespace")
        if not any(self.guards(entry, namespace, packet) for entry in applied):
            return False
        peers = rule.get(SIDES[packet.direction]) or []
        services = rule.get("toServices") or []
        return all_of(
            [
                any_of(self.is_peer(peer, namespace, packet) for peer in peers) if peers else True,
                any_of(self.is_service(entry, namespace, packet) for entry in services) if services else True,
                "service" not in applied[0] or isinstance(packet.peer, knp.Outsider),
                self.is_traffic(rule, packet),
                None if "nodeSelector" in applied[0] and self.is_beyond_nodes(rule) else True,
            ]
        )

    def is_beyond_nodes(self, rule):
        return bool(rule.get("l7Protocols")) or any(peer.get("fqdn") for peer in rule.get("to") or [])

    def guards(self, entry, namespace, packet):
        """Whether an item of appliedTo holds the guarded end."""
        subject = packet.subject
        if "service" in entry:
            return packet.flow["service"] == (entry["service"]["namespace"], entry["service"]["name"])
        if "nodeSelector" in entry:
            return self.is_node(entry["nodeSelector"], subject)
        if "group" in entry:
            if namespace and "namespaceSelector" in self.groups.get((namespace, entry["group"]), {}):
                return False
            return self.in_group(entry["group"], namespace, subject, pods_only=True) is True
        if "externalEntitySelector" in entry:
            return False
        return self.is_selected(entry, namespace, subject)

    def is_selected(self, entry, namespace, end):
        """Whether the selectors, or the service account, of an item hold a pod."""
        if not isinstance(end, knp.PodEnd):
            return False
        if "serviceAccount" in entry:
            account = knp.spec_of(end.document).get("serviceAccountName") or "default"
            return entry["serviceAccount"] == {"namespace": end.namespace, "name": account}
        if "namespaceSelector" in entry:
            in_namespace = knp.selects(entry["namespaceSelector"], self.namespace_labels(end.namespace))
        else:
            in_namespace = namespace in (None, end.namespace)
        return in_namespace and knp.selects(entry.get("podSelector") or {}, end.labels)

    def is_node(self, selector, end):
        return isinstance(end, knp.NodeEnd) and knp.selects(selector, self.nodes.get(end.name, {}))

    def is_peer(self, peer, namespace, packet):
        end = packet.peer
        is_far = None if isinstance(end, knp.Outsider) and peer.get("scope") == "ClusterSet" else False
        if "externalEntitySelector" in peer:
            return None if isinstance(end, knp.Outsider) else False
        if "namespaces" in peer:
            return any_of([self.is_alike(peer, packet), is_far])
        if "ipBlock" in peer:
            return self.kubernetes.in_block(peer["ipBlock"], end)
        if "nodeSelector" in peer:
            return self.is_node(peer["nodeSelector"], end)
        if "group" in peer:
            return self.in_group(peer["group"], namespace, end)
        if "fqdn" in peer:
            return self.is_named(peer["fqdn"], end)
        return any_of([self.is_selected(peer, namespace, end), is_far])

    def is_alike(self, peer, packet):
        """Whether a pod's namespace is that of the guarded pod, or has the same labels."""
        end, subject = packet.peer, packet.subject
        if not isinstance(end, knp.PodEnd) or not knp.selects(peer.get("podSelector") or {}, end.labels):
            return False
        if peer["namespaces"].get("match"):
            return end.namespace == subject.namespace
        own, other = self.namespace_labels(subject.namespace), self.namespace_labels(end.namespace)
        return all(key in own and own[key] == other.get(key) for key in peer["namespaces"]["sameLabels"])

    def is_named(self, pattern, end):
        if self.names is None:
            return None
        regex = pattern.lower().replace(".", "[.]").replace("*", ".*")
        return any(
            re.fullmatch(regex, name) and end.address in map(knp.parse_address, found)
            for name, found in self.names.items()
        )

    def is_service(self, entry, namespace, packet):
        return packet.flow["service"] == (entry.get("namespace") or namespace, entry["name"])

    # Groups

    def in_group(self, name, namespace, end, pods_only=False):
        spec = self.groups.get((namespace, name))
        if spec is None:
            return False
        children = [
            self.groups[namespace, child]
            for child in spec.get("childGroups") or []
            if (namespace, child) in self.groups
        ]
        if any(child.get("childGroups") for child in children):
            return False
        return any_of(self.is_member(one, namespace, end, pods_only) for one in [spec, *children])

    def is_member(self, spec, namespace, end, pods_only):
        if not pods_only:
            if "externalEntitySelector" in spec:
                return None if isinstance(end, knp.Outsider) else False
            if "ipBlocks" in spec:
                return any(self.kubernetes.in_block(block, end) for block in spec["ipBlocks"])
            if "nodeSelector" in spec:
                return self.is_node(spec["nodeSelector"], end)
        if "serviceReference" in spec:
            key = spec["serviceReference"]["namespace"], spec["serviceReference"]["name"]
            selector = self.services.get(key)
            is_there = isinstance(end, knp.PodEnd) and end.namespace == key[0]
            return bool(selector and is_there and knp.selects({"matchLabels": selector}, end.labels))
        if {"podSelector", "namespaceSelector"} & spec.keys() and "externalEntitySelector" not in spec:
            return self.is_selected(spec, namespace, end)
        return False

    # Traffic

    def is_traffic(self, rule, packet):
        ports, protocols = rule.get("ports") or [], rule.get("protocols") or []
        if not ports and not protocols:
            return True
        return any_of(
            [*(self.is_port(port, packet) for port in ports), *(self.is_protocol(entry, packet) for entry in protocols)]
        )

    def is_port(self, entry, packet):
        flow = packet.flow
        if (entry.get("protocol") or "TCP") != flow["protocol"]:
            return False
        return all_of([self.is_destination_port(entry, packet), self.is_source_port(entry, flow["source_port"])])

    def is_destination_port(self, entry, packet):
        port = entry.get("port")
        if port is None:
            return True
        if isinstance(port, str):
            return packet.flow["port"] in self.kubernetes.named_ports(packet.destination, port, packet.flow["protocol"])
        return port <= packet.flow["port"] <= (entry.get("endPort") or port)

    def is_source_port(self, entry, port):
        first = entry.get("sourcePort")
        if first is None:
            return True
        return None if port is None else first <= port <= (entry.get("sourceEndPort") or first)

    def is_protocol(self, entry, packet):
        flow = packet.flow
        if "igmp" in entry:
            return flow["protocol"] == "IGMP" and (None if entry["igmp"] else True)
        if flow["protocol"] not in ("ICMP", "ICMPV6"):
            return False
        wanted = [(entry["icmp"].get(f"icmp{part}"), flow[f"icmp_{part.lower()}"]) for part in ("Type", "Code")]
        return all_of(True if want is None else None if given is None else want == given for want, given in wanted)


class Packet:
    def __init__(self, direction, subject, peer, destination, flow):
        self.direction, self.subject, self.peer = direction, subject, peer
        self.destination, self.flow = destination, flow
