"""Calico's policies in Calico's own words: packets judged straight from the manifests, tier by tier, by IP sets.

Nothing of the product is imported, and nothing is lowered. A packet is ``{"source": address, "destination": address,
"protocol": number, "port": number, "source_port": number, "icmp": (type, code)}``; every address is that of one pod,
of a node, or of the world outside. What hosts forward is not its business: policies with `applyOnForward` count for
the hosts themselves only.
"""

from __future__ import annotations

import ipaddress
import re

from tests.oracles.networkpolicy import lasting_containers, selects, spec_of

NAMES = {"TCP": 6, "UDP": 17, "SCTP": 132, "ICMP": 1, "ICMPv6": 58, "UDPLite": 136}
BUILTIN = {"kube-admin": (1000, "Pass"), "default": (1_000_000, "Deny"), "kube-baseline": (10_000_000, "Pass")}
FAILSAFE = {
    "Ingress": {(6, 22), (17, 68), *((6, port) for port in (179, 2379, 2380, 5473, 6443, 6666, 6667))},
    "Egress": {(17, 53), (17, 67), *((6, port) for port in (179, 2379, 2380, 5473, 6443, 6666, 6667))},
}
ATOM = re.compile(
    r"""has\(\s*(?P<has>[\w./-]+)\s*\)|(?P<call>all|global)\(\s*\)
    |(?P<label>[\w./-]+)\s*(?P<op>==|!=|not\s*in|in|contains|starts\s*with|ends\s*with)\s*
     (?P<value>"[^"]*"|'[^']*'|\{[^}]*\})""",
    re.VERBOSE,
)


def allowed(cluster, documents, packet, *, pending=False):
    """Whether a packet that opens a connection is let through; `pending` takes staged policies for enforced."""
    return World(cluster, documents, pending).connects(packet)


def truth(selector, labels):
    """Whether a selector holds for an object with these labels."""

    def meaning(found):
        if found["has"]:
            return str(found["has"] in labels)
        if found["call"]:
            return "True"
        return str(
            compare(labels.get(found["label"]), found["op"], re.findall(r"\"([^\"]*)\"|'([^']*)'", found["value"]))
        )

    text = ATOM.sub(meaning, selector.strip() or "all()")
    python = text.replace("&&", " and ").replace("||", " or ").replace("!", " not ").strip()
    return bool(eval(python, {"__builtins__": {}}))  # what is left are True, False, and, or, not and parentheses


def compare(value, operator, quoted):
    wanted = [double or single for double, single in quoted]
    match re.sub(r"\s", "", operator):
        case "==" | "in":
            return value is not None and value in wanted
        case "!=" | "notin":
            return value is None or value not in wanted
        case "contains":
            return value is not None and wanted[0] in value
        case "startswith":
            return value is not None and value.startswith(wanted[0])
        case "endswith":
            return value is not None and value.endswith(wanted[0])
    raise ValueError(operator)


def labels_of(document):
    return document["metadata"].get("labels") or {}


def namespace_of(document):
    return document["metadata"].get("namespace") or "default"


class World:
    def __init__(self, cluster, documents, pending):
        self.namespaces = {d["metadata"]["name"]: labels_of(d) for d in cluster if d["kind"] == "Namespace"}
        self.accounts = {
            (namespace_of(d), d["metadata"]["name"]): labels_of(d) for d in cluster if d["kind"] == "ServiceAccount"
        }
        self.pods = [d for d in cluster if d["kind"] == "Pod" and not spec_of(d).get("hostNetwork")]
        self.nodes = [d for d in cluster if d["kind"] == "Node"]
        self.services = [d for d in cluster if d["kind"] == "Service"]
        self.slices = [d for d in cluster if d["kind"] == "EndpointSlice"]
        self.of_kind = lambda *kinds: [d for d in documents if d["kind"] in kinds]
        self.tiers = dict(BUILTIN)
        for tier in self.of_kind("Tier"):
            spec = spec_of(tier)
            self.tiers[tier["metadata"]["name"]] = (spec.get("order"), spec.get("defaultAction") or "Deny")
        kinds = ["NetworkPolicy", "GlobalNetworkPolicy"]
        kinds += ["StagedNetworkPolicy", "StagedGlobalNetworkPolicy"] if pending else []
        self.policies = sorted(self.of_kind(*kinds), key=policy_order)

    # Who is who

    def pod_at(self, address):
        for pod in self.pods:
            if address in [ipaddress.ip_address(item["ip"]) for item in pod["status"].get("podIPs") or []]:
                return pod
        return None

    def node_at(self, address):
        for node in self.nodes:
            if str(address) in [item["address"] for item in node["status"]["addresses"]]:
                return node["metadata"]["name"]
        return None

    def pod_labels(self, pod):
        namespace, account = namespace_of(pod), spec_of(pod).get("serviceAccountName") or "default"
        inherited = {f"pcns.{k}": v for k, v in self.namespace_labels(namespace).items()}
        inherited |= {f"pcsa.{k}": v for k, v in self.accounts.get((namespace, account), {}).items()}
        inherited |= {"pcsa.projectcalico.org/name": account}
        own = labels_of(pod) | {"projectcalico.org/namespace": namespace, "projectcalico.org/orchestrator": "k8s"}
        return inherited | own | ({"projectcalico.org/serviceaccount": account} if len(account) < 63 else {})

    def namespace_labels(self, name):
        own = self.namespaces.get(name, {}) | {"kubernetes.io/metadata.name": name}
        return own | {"projectcalico.org/name": name}

    def host_labels(self, host):
        profiles = {d["metadata"]["name"]: spec_of(d).get("labelsToApply") or {} for d in self.of_kind("Profile")}
        labels = {}
        for name in reversed(spec_of(host).get("profiles") or []):
            labels |= profiles.get(name, {})
        return labels | labels_of(host)

    def ip_set(self, selector, address):
        """Whether an address is in the set of all that a selector selects in the whole cluster."""
        pod = self.pod_at(address)
        if pod and truth(selector, self.pod_labels(pod)):
            return True
        for found in self.of_kind("NetworkSet"):
            namespace = namespace_of(found)
            labels = {f"pcns.{k}": v for k, v in self.namespace_labels(namespace).items()}
            labels |= labels_of(found) | {"projectcalico.org/namespace": namespace}
            if truth(selector, labels) and inside(address, spec_of(found).get("nets")):
                return True
        return any(
            truth(selector, labels_of(found)) and inside(address, spec_of(found).get("nets"))
            for found in self.of_kind("GlobalNetworkSet")
        ) or any(
            truth(selector, self.host_labels(host)) and str(address) in (spec_of(host).get("expectedIPs") or [])
            for host in self.of_kind("HostEndpoint")
        )

    def host_at(self, address):
        """The host endpoint that traffic of a node's address passes, if there is one."""
        node = self.node_at(address)
        own = [host for host in self.of_kind("HostEndpoint") if spec_of(host)["node"] == node]
        named = [host for host in own if spec_of(host)["interfaceName"] != "*"]
        for host in named:
            if str(address) in spec_of(host)["expectedIPs"]:
                return host
        return next((host for host in own if spec_of(host)["interfaceName"] == "*"), None)

    # The decision procedure

    def connects(self, packet):
        source, destination = packet["source"], packet["destination"]
        pod = self.pod_at(source)
        if pod and pod is self.pod_at(destination):
            return True
        return self.lets("Egress", source, destination, packet) and self.lets("Ingress", destination, source, packet)

    def lets(self, direction, own, other, packet):
        pod = self.pod_at(own)
        if pod:
            is_own_node = self.node_at(other) is not None and self.node_at(other) == spec_of(pod).get("nodeName")
            if direction == "Ingress" and is_own_node:
                return True
            labels = self.pod_labels(pod)
            mine = [p for p in self.policies if not is_early(p) and self.binds(p, direction, labels)]
            return self.walk(mine, direction, packet, ends=True) is not False
        host = self.host_at(own) if self.node_at(own) else None
        return True if host is None else self.host_lets(host, direction, own, other, packet)

    def host_lets(self, host, direction, own, other, packet):
        if self.node_at(own) == self.node_at(other):
            return True
        pod = self.pod_at(other)
        if pod and spec_of(host)["interfaceName"] != "*" and spec_of(pod).get("nodeName") == spec_of(host)["node"]:
            return True
        if (packet["protocol"], packet["port"]) in FAILSAFE[direction]:
            return True
        labels = self.host_labels(host)
        mine = [p for p in self.policies if self.binds(p, direction, labels)]
        for group in ("doNotTrack", "preDNAT", None):
            chosen = [p for p in mine if (spec_of(p).get(group) if group else not is_early(p))]
            answer = self.walk(chosen, direction, packet, ends=group is None)
            if answer is not None:
                return answer
        return self.profiles_let(host, direction, packet)

    def profiles_let(self, host, direction, packet):
        written = {d["metadata"]["name"]: spec_of(d) for d in self.of_kind("Profile")}
        for name in spec_of(host).get("profiles") or []:
            if name == "projectcalico-default-allow":
                return True
            for rule in written.get(name, {}).get(direction.lower()) or []:
                if rule["action"] != "Log" and self.matches(rule, "", packet):
                    return rule["action"] == "Allow"
        return False

    def walk(self, policies, direction, packet, *, ends):
        """What the tiers decide: True, False, or None where they leave it open."""
        names = {spec_of(policy).get("tier") or "default" for policy in policies}
        for name in sorted(names, key=self.tier_order):
            action = self.tier_action(
                [p for p in policies if (spec_of(p).get("tier") or "default") == name], direction, packet
            )
            if action in ("Allow", "Deny"):
                return action == "Allow"
            if action is None and ends and self.tiers.get(name, (None, "Deny"))[1] == "Deny":
                return False
        return None

    def tier_action(self, policies, direction, packet):
        for policy in policies:
            for rule in spec_of(policy).get(direction.lower()) or []:
                is_global = policy["kind"].endswith("GlobalNetworkPolicy")
                if rule["action"] != "Log" and self.matches(rule, "" if is_global else namespace_of(policy), packet):
                    return rule["action"]
        return None

    def tier_order(self, name):
        if name not in self.tiers:
            return (2, 0, name)
        order = self.tiers[name][0]
        return (1, 0, name) if order is None else (0, order, name)

    def binds(self, policy, direction, labels):
        if direction not in types_of(policy):
            return False
        spec = spec_of(policy)
        selector, namespaces = spec.get("selector") or "", spec.get("namespaceSelector") or ""
        parts = [selector] if selector else []
        if not policy["kind"].endswith("GlobalNetworkPolicy"):
            parts.append(f"projectcalico.org/namespace == '{namespace_of(policy)}'")
        if namespaces:
            parts.append(prefixed(namespaces, "pcns."))
            parts = [part.replace("all()", "has(projectcalico.org/namespace)") for part in parts]
        if spec.get("serviceAccountSelector"):
            parts.append(prefixed(spec["serviceAccountSelector"], "pcsa."))
            parts = [part.replace("all()", "has(projectcalico.org/serviceaccount)") for part in parts]
        return all(truth(part, labels) for part in parts)

    # One rule

    def matches(self, rule, namespace, packet):
        number = packet["protocol"]
        if "protocol" in rule and number_of(rule["protocol"]) != number:
            return False
        if "notProtocol" in rule and number_of(rule["notProtocol"]) == number:
            return False
        if "ipVersion" in rule and rule["ipVersion"] != packet["source"].version:
            return False
        if "icmp" in rule and not is_message(rule["icmp"], packet):
            return False
        if "notICMP" in rule and is_message(rule["notICMP"], packet):
            return False
        return self.end_matches(
            rule.get("source") or {}, namespace, packet["source"], packet["source_port"], packet
        ) and (
            self.end_matches(rule.get("destination") or {}, namespace, packet["destination"], packet["port"], packet)
        )

    def end_matches(self, entity, namespace, address, port, packet):
        for field in ("nets", "notNets"):
            blocks = entity.get(field) or []
            if blocks and not any(ipaddress.ip_network(b).version == address.version for b in blocks):
                return False
        if entity.get("nets") and not inside(address, entity["nets"]):
            return False
        if inside(address, entity.get("notNets")):
            return False
        positive = self.positive(entity, namespace)
        if positive and not self.ip_set(positive, address):
            return False
        if entity.get("notSelector") and self.ip_set(entity["notSelector"], address):
            return False
        if "services" in entity and not self.is_served(entity["services"], namespace, address, port, packet):
            return False
        numbers = [self.is_port(item, address, port, packet["protocol"]) for item in entity.get("ports") or []]
        if numbers and not any(numbers):
            return False
        return not any(self.is_port(item, address, port, packet["protocol"]) for item in entity.get("notPorts") or [])

    def positive(self, entity, namespace):
        """The one selector that an end must be in the set of; empty where everybody will do."""
        accounts = entity.get("serviceAccounts") or {}
        parts = [prefixed(accounts["selector"], "pcsa.")] if accounts.get("selector") else []
        if accounts.get("names"):
            listed = ", ".join(f"'{name}'" for name in accounts["names"])
            parts.append(f"projectcalico.org/serviceaccount in {{{listed}}}")
        parts += [entity["selector"]] if entity.get("selector") else []
        if entity.get("namespaceSelector"):
            text = prefixed(entity["namespaceSelector"], "pcns.")
            text = text.replace("all()", "has(projectcalico.org/namespace)")
            parts.append(text.replace("global()", "!has(projectcalico.org/namespace)"))
        elif namespace and (parts or entity.get("notSelector")):
            parts.append(f"projectcalico.org/namespace == '{namespace}'")
        return " && ".join(f"({part})" for part in parts)

    def is_served(self, services, namespace, address, port, packet):
        """Whether an address is an endpoint of a Service; at the destination of a packet, at that port."""
        key = (services.get("namespace") or namespace, services["name"])
        is_destination = address == packet["destination"]
        for service in self.services:
            if (namespace_of(service), service["metadata"]["name"]) == key:
                for where, protocol, number in self.endpoints_of(service):
                    if where == address and (not is_destination or (protocol, number) == (packet["protocol"], port)):
                        return True
        return False

    def endpoints_of(self, service):
        pieces = [
            piece
            for piece in self.slices
            if labels_of(piece).get("kubernetes.io/service-name") == service["metadata"]["name"]
            and namespace_of(piece) == namespace_of(service)
        ]
        for piece in pieces:
            for port in piece["ports"]:
                for endpoint in piece["endpoints"]:
                    for text in endpoint["addresses"]:
                        yield ipaddress.ip_address(text), NAMES[port["protocol"]], port["port"]
        for pod in [] if pieces else self.pods:
            if namespace_of(pod) == namespace_of(service) and selects(
                {"matchLabels": spec_of(service)["selector"]}, labels_of(pod)
            ):
                for port in spec_of(service)["ports"]:
                    for item in pod["status"].get("podIPs") or []:
                        yield ipaddress.ip_address(item["ip"]), NAMES[port["protocol"]], port["targetPort"]

    def is_port(self, item, address, port, protocol):
        if protocol not in (6, 17, 132):
            return False
        low, colon, high = str(item).partition(":")
        if low.isdigit():
            return int(low) <= port <= int(high if colon else low)
        pod = self.pod_at(address)
        return pod is not None and (port, protocol) in [
            (declared["containerPort"], NAMES[declared.get("protocol") or "TCP"])
            for container in lasting_containers(pod)
            for declared in container.get("ports") or []
            if declared.get("name") == item
        ]


def policy_order(policy):
    order, metadata = spec_of(policy).get("order"), policy["metadata"]
    namespace = "" if policy["kind"].endswith("GlobalNetworkPolicy") else namespace_of(policy)
    return float("inf") if order is None else order, f"{metadata['name']}/{namespace}/{policy['kind']}"


def is_early(policy):
    return bool(spec_of(policy).get("doNotTrack") or spec_of(policy).get("preDNAT"))


def types_of(policy):
    spec = spec_of(policy)
    if "types" in spec:
        return spec["types"]
    if policy["apiVersion"] == "crd.projectcalico.org/v1":
        return ["Ingress", "Egress"]
    return [name for name in ("Ingress", "Egress") if spec.get(name.lower())] if spec.get("egress") else ["Ingress"]


def prefixed(selector, prefix):
    """The selector with a prefix before each of its labels."""

    def asked(found):
        if found["call"]:
            return f"{found['call']}()"
        if found["has"]:
            return f"has({prefix}{found['has']})"
        return f"{prefix}{found['label']} {found['op']} {found['value']}"

    return ATOM.sub(asked, selector)


def number_of(protocol):
    return NAMES.get(protocol) or int(protocol)


def inside(address, blocks):
    return any(address in ipaddress.ip_network(block) for block in blocks or [])


def is_message(fields, packet):
    kind, code = packet["icmp"] or (None, None)
    if "type" in fields and fields["type"] != kind:
        return False
    return "code" not in fields or fields["code"] == code
