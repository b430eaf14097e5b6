"""Small hostile clusters under Calico: policies of all kinds, with selectors as people and generators write them."""

from __future__ import annotations

import ipaddress

from simcore.model.addresses import Address
from simcore.model.flows import End, Flow
from tests.strategies import (
    KEYS,
    NAMESPACES,
    NODES,
    OUTSIDE,
    POD_ADDRESSES_V4,
    POD_ADDRESSES_V6,
    container,
    fields,
    make_labels,
    namespace_document,
    node_document,
    seeded,
)

V3, STORED = "projectcalico.org/v3", "crd.projectcalico.org/v1"
SET_BLOCKS = ("192.0.2.0/24", "10.0.0.0/30", "10.0.0.5/32", "2001:db8::/32", "fd00::2/128", "10.9.0.0/16")
BLOCKS = {
    4: ("10.0.0.0/8", "10.0.0.0/30", "10.0.0.4/30", "192.0.2.0/24", "10.9.0.1/32"),
    6: ("fd00::/16", "fd00::2/127"),
}
ACCOUNTS = ("default", "sa", "s" * 63)
VALUES = ("", "a", "b")
TIERS = ("default", "default", "default", "t1", "t2", "t3", "kube-admin", "gone")
ORDERS = (None, 1, 2, 2, 0.5, -1, 1000)
PORTS = (22, 53, 80, 81, 443)


# Selectors


def make_selector(random, depth=2):
    kind = random.random()
    if depth and kind < 0.25:
        sign = random.choice([" && ", "||", " && "])
        inner = sign.join(make_selector(random, depth - 1) for _ in range(2))
        return f"({inner})" if random.random() < 0.7 or depth < 2 else inner
    if depth and kind < 0.4:
        return f"!({make_selector(random, depth - 1)})"
    if kind < 0.5:
        return random.choice(["all()", " all( )", "!all()"])
    return make_comparison(random)


def make_comparison(random):
    label = random.choice([*KEYS, *KEYS, *SPECIAL])
    quote = random.choice("'\"")
    value = f"{quote}{random.choice([*VALUES, *NAMESPACES])}{quote}"
    listed = ", ".join(f"'{each}'" for each in random.sample(VALUES, random.randint(0, 2)))
    return random.choice(
        [
            f"has({label})",
            f"! has({label})",
            f"{label} == {value}",
            f"{label}!={value}",
            f"!{label} == {value}",
            f"{label} in {{{listed}}}",
            f"{label} not in {{{listed}}}",
            f"{label} contains {value}",
            f"{label} starts with {value}",
            f"{label} endswith {value}",
        ]
    )


SPECIAL = (
    "projectcalico.org/namespace",
    "projectcalico.org/orchestrator",
    "projectcalico.org/serviceaccount",
    "pcns.app",
    "pcsa.app",
    "pcns.projectcalico.org/name",
)


def make_namespace_selector(random):
    name = random.choice(NAMESPACES)
    plain = ["all()", f"projectcalico.org/name == '{name}'", f"kubernetes.io/metadata.name != '{name}'"]
    return random.choice([*plain, "has(app)", "app != 'a'", "!has(tier) || app == 'b'"])


# The cluster


def make_cluster(random):
    """Namespaces, nodes, service accounts, Services, and pods of which each has addresses of its own."""
    documents = [namespace_document(random, name) for name in NAMESPACES if random.random() < 0.8]
    documents += [node_document(name) for name in NODES]
    documents += [
        document("v1", "ServiceAccount", "sa", namespace, make_labels(random) or None) for namespace in NAMESPACES
    ]
    v4, v6 = iter(random.sample(POD_ADDRESSES_V4, 6)), iter(random.sample(POD_ADDRESSES_V6, 4))
    documents += [pod_document(random, f"p{n}", v4, v6) for n in range(random.randint(2, 5))]
    return documents + make_services(random)


def document(api_version, kind, name, namespace=None, labels=None, **parts):
    metadata = fields(name=name, namespace=namespace, labels=labels)
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}


def pod_document(random, name, v4, v6):
    addresses = [next(v4)] if random.random() < 0.9 else []
    addresses += [next(v6)] if not addresses or (random.random() < 0.3 and name < "p3") else []
    labels = make_labels(random) | ({"pcns.app": "a"} if random.random() < 0.15 else {})
    spec = fields(
        nodeName=random.choice([None, *NODES]),
        serviceAccountName=random.choice([None, *ACCOUNTS]),
        containers=[container(random, "c")],
    )
    status = {"phase": "Running", "podIPs": [{"ip": address} for address in addresses]}
    return document("v1", "Pod", name, random.choice(NAMESPACES), labels or None, spec=spec, status=status)


def make_services(random):
    ports = [{"name": "p", "protocol": "TCP", "port": 80, "targetPort": random.choice(PORTS)}]
    spec = {"selector": {"app": random.choice(VALUES)}, "ports": ports}
    found = [document("v1", "Service", "s", random.choice(NAMESPACES), spec=spec)]
    if random.random() < 0.5:
        found += [slice_document(random, found[0]["metadata"]["namespace"], n) for n in range(2)]
    return found


def slice_document(random, namespace, number):
    return document(
        "discovery.k8s.io/v1",
        "EndpointSlice",
        f"s-{number}",
        namespace,
        {"kubernetes.io/service-name": "s"},
        addressType="IPv4",
        ports=[{"name": "p", "protocol": "TCP", "port": random.choice(PORTS)}],
        endpoints=[{"addresses": [random.choice([*POD_ADDRESSES_V4, "192.0.2.1"])]}],
    )


# Calico's objects


def make_documents(random, staged=False):
    """Policies, and what they lean on."""
    found = [tier_document(random, name) for name in ("t1", "t2", "t3") if random.random() < 0.9]
    found += [set_document(random, number) for number in range(random.randint(0, 3))]
    found += [profile_document(random)] if random.random() < 0.5 else []
    found += [
        host_document(random, node, is_all) for node in NODES for is_all in (True, False) if random.random() < 0.25
    ]
    names = ["a", "b", "b-c", "c", "d"]
    found += [policy_document(random, random.choice(names[: n + 2]), staged) for n in range(random.randint(1, 4))]
    return list({key_of(each): each for each in found}.values())


def key_of(each):
    return each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]


def tier_document(random, name):
    action = random.choice([None, "Deny", "Pass"])
    return document(V3, "Tier", name, spec=fields(order=random.choice([None, 1, 1, 2_000_000]), defaultAction=action))


def set_document(random, number):
    spec = {"nets": random.sample(SET_BLOCKS, random.randint(0, 2))}
    if random.random() < 0.5:
        return document(V3, "GlobalNetworkSet", f"g{number}", None, make_labels(random) or None, spec=spec)
    return document(V3, "NetworkSet", f"n{number}", random.choice(NAMESPACES), make_labels(random) or None, spec=spec)


def profile_document(random):
    spec = fields(
        labelsToApply=make_labels(random),
        ingress=[make_rule(random, "ingress", True) for _ in range(random.randint(0, 2))],
        egress=[make_rule(random, "egress", True) for _ in range(random.randint(0, 2))],
    )
    return document(V3, "Profile", "some", spec=spec)


def host_document(random, node, is_all):
    spec = {
        "node": node,
        "interfaceName": "*" if is_all else "eth0",
        "expectedIPs": list(NODES[node] if is_all else random.sample(NODES[node], 1)),
        "profiles": random.choice(
            [[], ["projectcalico-default-allow"], ["some"], ["some", "projectcalico-default-allow"]]
        ),
    }
    return document(
        V3, "HostEndpoint", f"{node}-{'all' if is_all else 'one'}", None, make_labels(random) or None, spec=spec
    )


def policy_document(random, name, staged):
    is_global = random.random() < 0.5
    spec = fields(
        tier=random.choice([None, *TIERS]),
        order=random.choice(ORDERS),
        selector=random.choice([None, "", make_selector(random), make_selector(random)]),
        serviceAccountSelector=make_selector(random, 1) if random.random() < 0.1 else None,
        types=random.choice([None, None, ["Ingress"], ["Egress"], ["Egress", "Ingress"]]),
    )
    for direction in ("ingress", "egress"):
        if random.random() < 0.7:
            spec[direction] = [make_rule(random, direction, is_global) for _ in range(random.randint(0, 3))]
    if is_global and random.random() < 0.3:
        spec["namespaceSelector"] = make_namespace_selector(random)
    if is_global and random.random() < 0.15:
        make_early(random, spec)
    prefix = "Staged" if staged and random.random() < 0.5 else ""
    kind = f"{prefix}{'Global' if is_global else ''}NetworkPolicy"
    return document(
        random.choice([V3, V3, STORED]), kind, name, None if is_global else random.choice(NAMESPACES), spec=spec
    )


def make_early(random, spec):
    spec["applyOnForward"] = True
    group = random.choice([None, "doNotTrack", "preDNAT"])
    if group:
        spec[group] = True
    if group == "preDNAT":
        spec.pop("egress", None)
        spec["types"] = ["Ingress"]


def make_rule(random, direction, is_global):
    protocol = random.choice([None, "TCP", "TCP", "UDP", "SCTP", "ICMP", 6, 89])
    family = random.choice([4, 4, 4, 6])
    rule = fields(
        action=random.choice(["Allow", "Allow", "Deny", "Deny", "Pass", "Log"]),
        protocol=protocol,
        notProtocol=random.choice([None] * 8 + ["UDP"]),
        source=make_entity(random, protocol, family) if random.random() < 0.6 else None,
        destination=make_entity(random, protocol, family) if random.random() < 0.6 else None,
    )
    if protocol == "ICMP" and random.random() < 0.5:
        rule[random.choice(["icmp", "notICMP"])] = random.choice([{"type": 8}, {"type": 8, "code": 0}])
    if random.random() < 0.1 and not has_blocks(rule) and protocol != "ICMP":
        rule["ipVersion"] = random.choice([4, 6])
    if random.random() < 0.12:
        side = "source" if direction == "ingress" else "destination"
        rule[side] = {"services": {"name": "s", "namespace": random.choice(NAMESPACES)}}
    return rule


def has_blocks(rule):
    return any(key in rule.get(side, {}) for side in ("source", "destination") for key in ("nets", "notNets"))


def make_entity(random, protocol, family):
    entity = {}
    if random.random() < 0.45:
        entity["selector"] = make_selector(random)
    if random.random() < 0.2:
        entity["notSelector"] = make_selector(random, 1)
    if random.random() < 0.3:
        entity["namespaceSelector"] = random.choice(["global()", make_namespace_selector(random)])
    if random.random() < 0.15:
        names = random.sample(ACCOUNTS, random.randint(0, 2))
        entity["serviceAccounts"] = fields(names=names, selector=random.choice([None, "has(app)", "app != 'a'"]))
    for field, share in (("nets", 0.2), ("notNets", 0.15)):
        if random.random() < share:
            entity[field] = random.sample(BLOCKS[family], random.randint(1, 2))
    if protocol in ("TCP", "UDP", "SCTP", 6):
        for field, share in (("ports", 0.4), ("notPorts", 0.15)):
            if random.random() < share:
                entity[field] = random.sample([22, 80, "81", "50:100", "443:443", "web", "dns"], random.randint(1, 2))
    elif protocol is None and random.random() < 0.2:
        entity["ports"] = ["web"]
    return entity


# Packets


def make_packets(random, cluster):
    """Packets between all that has an address, as the oracle takes them."""
    addresses = [item["ip"] for each in cluster if each["kind"] == "Pod" for item in each["status"]["podIPs"]]
    places = [*addresses, *addresses, *(a for listed in NODES.values() for a in listed), *OUTSIDE]
    return [packet for _ in range(20) if (packet := make_packet(random, places))]


def make_packet(random, places):
    source, destination = (ipaddress.ip_address(random.choice(places)) for _ in range(2))
    if source.version != destination.version:
        return None
    protocol = random.choice([6, 6, 6, 17, 132, 1, 89])
    has_ports = protocol in (6, 17, 132)
    return {
        "source": source,
        "destination": destination,
        "protocol": protocol,
        "port": random.choice([*PORTS, 2379]) if has_ports else None,
        "source_port": random.choice(PORTS) if has_ports else None,
        "icmp": random.choice([(8, 0), (8, 1), (13, 0)]) if protocol == 1 else None,
    }


def model_flow(packet):
    """The packet as the product takes it."""
    kind, code = packet["icmp"] or (None, None)
    ends = (End(Address.parse(str(packet[side]))) for side in ("source", "destination"))
    return Flow(*ends, packet["protocol"], packet["port"], packet["source_port"], kind, code)


clusters, documents, packets = seeded(make_cluster), seeded(make_documents), seeded(make_packets)
