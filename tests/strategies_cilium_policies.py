"""Policies of every form that Cilium takes, for the clusters of `tests.strategies_cilium`."""

from __future__ import annotations

import json

from tests import strategies as small
from tests import strategies_admin as admin
from tests.strategies_cilium import ACCOUNTS, BLOCKS, DROPPED, KEPT, NAMESPACES, RESERVED

ENTITIES = (
    *("all", "world", "host", "remote-node", "kube-apiserver", "init", "ingress", "health", "unmanaged", "none"),
    "cluster-mesh",
)
LABELS_OF_NAMESPACE = "io.cilium.k8s.namespace.labels."
PREFIXES = ("", "", "k8s:", "any:")


def make_policies(random, settings):
    """Up to five policies of all kinds that the version knows; half of the time plain ones, with many requests."""
    settings = {**settings, "plain": random.random() < 0.5}
    makers = [cilium_policy] * 4 + [clusterwide_policy] * 4 + [kubernetes_policy] * 2
    if settings["version"] >= (1, 20):
        makers.append(tiered_policy)
    count = random.choice([1, 1, 1, 2, 2, 3] if settings["plain"] else [0, 1, 1, 2, 2, 3, 3, 4, 5])
    return [random.choice(makers)(random, f"p{number}", settings) for number in range(count)]


def cilium_policy(random, name, settings):
    count = random.choice([1, 1, 2])
    specs = [spec(random, {"endpointSelector": own_selector(random, settings)}, settings) for _ in range(count)]
    metadata = {"name": name, "namespace": random.choice(small.CROWDED)}
    written = {"spec": specs[0]} if len(specs) == 1 else {"specs": specs}
    if len(specs) == 2 and random.random() < 0.5:
        written = {"spec": specs[0], "specs": specs[1:]}
    return {"apiVersion": "cilium.io/v2", "kind": "CiliumNetworkPolicy", "metadata": metadata, **written}


def clusterwide_policy(random, name, settings):
    if random.random() < 0.25:
        subject = {"nodeSelector": small.selector(random)}
    else:
        subject = {"endpointSelector": wide_selector(random, settings)}
    found = {"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": name}}
    return {**found, "spec": spec(random, subject, settings)}


def kubernetes_policy(random, name, settings):
    """A NetworkPolicy, without blocks that Cilium would have to read in two ways."""
    while True:
        found = small.policy_document(random, name)
        if "ffff" not in (text := json.dumps(found)) and "10.0.0.5/30" not in text:
            return found


def tiered_policy(random, name, settings):
    """A ClusterNetworkPolicy, without selectors of nodes."""
    while True:
        found = admin.policy(random, "ClusterNetworkPolicy", name, names=False)
        if '"nodes"' not in json.dumps(found) and (found["spec"].get("ingress") or found["spec"].get("egress")):
            return found


# Selectors


def pair(random):
    """A key with a value that some labels have."""
    kind = random.choice([*["own"] * 8, "dropped", "kept", "namespace", "namespace", "labels", "account", "cluster"])
    prefix = random.choice(PREFIXES)
    match kind:
        case "dropped":
            return prefix + random.choice(DROPPED), random.choice(small.VALUES)
        case "kept":
            return prefix + KEPT, random.choice(small.VALUES)
        case "namespace":
            return f"{prefix}io.kubernetes.pod.namespace", random.choice(NAMESPACES)
        case "labels":
            key = random.choice(["kubernetes.io/metadata.name", *small.KEYS])
            values = NAMESPACES if "/" in key else small.VALUES
            return prefix + LABELS_OF_NAMESPACE + key, random.choice(values)
        case "account":
            return f"{prefix}io.cilium.k8s.policy.serviceaccount", random.choice(ACCOUNTS)
        case "cluster":
            return f"{prefix}io.cilium.k8s.policy.cluster", random.choice(["default", "default", "other"])
    return prefix + random.choice(small.KEYS), random.choice(small.VALUES)


def selector(random):
    shape = random.random()
    if shape < 0.25:
        return {}
    if shape < 0.65:
        return {"matchLabels": dict(pair(random) for _ in range(random.choice([1, 1, 1, 2])))}
    found = {"matchExpressions": [expression(random) for _ in range(random.choice([1, 1, 2]))]}
    return {**found, "matchLabels": dict([pair(random)])} if shape > 0.9 else found


def expression(random):
    key, value = pair(random)
    operator = random.choice(["In", "NotIn", "Exists", "DoesNotExist"])
    values = sorted({value, random.choice(small.VALUES)}) if operator in ("In", "NotIn") else None
    if values and "" in values and random.random() < 0.5:
        values = [value]
    return small.fields(key=key, operator=operator, values=values)


def own_selector(random, settings):
    return {} if random.random() < (0.85 if settings["plain"] else 0.5) else selector(random)


def wide_selector(random, settings):
    if random.random() < 0.2:
        return {"matchLabels": {f"reserved:{random.choice(list(RESERVED))}": ""}}
    return own_selector(random, settings)


def peer_selector(random):
    if random.random() < 0.1:
        name = random.choice(["host", "remote-node", "world", "world-ipv4", "kube-apiserver", *RESERVED])
        if random.random() < 0.5:
            return {"matchLabels": {f"reserved:{name}": ""}}
        return {
            "matchExpressions": [{"key": f"reserved:{name}", "operator": random.choice(["Exists", "DoesNotExist"])}]
        }
    return selector(random)


# Rules


def spec(random, subject, settings):
    """A rule with at least one section that counts."""
    sections = {}
    deny, allow = (0.3, 0.95) if settings["plain"] else (0.3, 0.6)
    keys = ("ingress", "ingressDeny", "egress", "egressDeny")
    if settings["plain"]:
        keys = random.choice([keys[:2], keys[2:]])
    while not any(sections.values()):
        for key in keys:
            shape = random.random()
            if shape < 0.05:
                sections[key] = []
            elif shape < (deny if key.endswith("Deny") else allow):
                count = random.choice([1, 1, 2, *([2, 3] if settings["plain"] else [])])
                sections[key] = [item(random, key, "nodeSelector" in subject, settings) for _ in range(count)]
                if key.endswith("Deny") and sections.get(key[:-4]) and random.random() < 0.6:
                    sections[key].append(denial_of(random.choice(sections[key[:-4]])))
    found = {**subject, **sections}
    if random.random() < (0.4 if settings["plain"] else 0.2) and "Requires" not in str(sections):
        choices = {"ingress": random.choice([True, False, False]), "egress": random.choice([True, False, False])}
        found["enableDefaultDeny"] = dict(random.sample(list(choices.items()), random.randint(1, 2)))
    return found


def denial_of(allowed):
    """An item that denies what another allows, as far as denials can tell."""
    without = ("toFQDNs", "fromRequires", "toRequires", "authentication")
    found = {field: value for field, value in allowed.items() if field not in without}
    if found.get("toPorts"):
        found["toPorts"] = [{"ports": one.get("ports", [])} for one in found["toPorts"]]
    return found


def item(random, section, is_node, settings):
    side = "from" if section.startswith("ingress") else "to"
    is_deny = section.endswith("Deny")
    found = {**peers(random, side, is_deny, settings)}
    shape = random.random() * (0.5 if settings["plain"] else 1)
    if shape < 0.45:
        found["toPorts"] = [to_port(random, side, is_deny, is_node, settings) for _ in range(random.choice([1, 1, 2]))]
    elif shape < 0.5:
        found["toPorts"] = []
    elif shape < 0.58:
        found["icmps"] = [{"fields": [icmp(random) for _ in range(random.randint(1, 2))]}]
    if not is_deny and settings["version"] < (1, 19) and random.random() < 0.04:
        found[f"{side}Requires"] = [selector(random)]
    if not is_deny and not is_node and random.random() < 0.04:
        found["authentication"] = {"mode": random.choice(["required", "disabled", "test-always-fail"])}
    return found


def peers(random, side, is_deny, settings):
    if settings["plain"] and random.random() < 0.6:
        entities = [random.choice(["all", "world", "cluster", "host", "remote-node"])]
        return random.choice([{}, {}, {f"{side}Entities": entities}, {f"{side}Endpoints": [{}]}])
    kinds = [*["endpoints"] * 5, *["entities"] * 3, "cidr", *["blocks"] * 3, "absent", "absent", "empty"]
    kinds += ["nodes"] if settings["enable_node_selector_labels"] else []
    kinds += ["services", "services"] if side == "to" else []
    kinds += ["names", "names"] if side == "to" and not is_deny else []
    count = range(random.choice([1, 1, 2]))
    match random.choice(kinds):
        case "endpoints":
            return {f"{side}Endpoints": [peer_selector(random) for _ in count]}
        case "entities":
            return {f"{side}Entities": [entity(random) for _ in count]}
        case "cidr":
            return {f"{side}CIDR": [random.choice(BLOCKS) for _ in count]}
        case "blocks":
            return {f"{side}CIDRSet": [cidr_set(random) for _ in count]}
        case "nodes":
            return {f"{side}Nodes": [small.selector(random) for _ in count]}
        case "services":
            return {"toServices": [to_service(random) for _ in range(random.choice([0, 1, 1, 2]))]}
        case "names":
            return {"toFQDNs": [name(random) for _ in range(random.choice([0, 1, 1, 2]))]}
        case "empty":
            return {f"{side}{random.choice(['Endpoints', 'Entities', 'CIDR', 'CIDRSet'])}": []}
    return {}


def entity(random):
    return random.choice([*ENTITIES, "cluster", "cluster", "world", "host"])


def cidr_set(random):
    shape = random.random()
    if shape < 0.15:
        return {"cidrGroupRef": random.choice(["g0", "g1", "missing"])}
    if shape < 0.3:
        return {"cidrGroupSelector": small.selector(random)}
    while True:
        found = small.ip_block(random)
        if found["cidr"] in BLOCKS and set(found.get("except") or ()) <= set(BLOCKS):
            return found


def to_service(random):
    namespace = random.choice([None, *NAMESPACES])
    if random.random() < 0.6:
        return {"k8sService": small.fields(serviceName=random.choice(["s0", "s1", "s2"]), namespace=namespace)}
    return {"k8sServiceSelector": small.fields(selector=small.selector(random), namespace=namespace)}


def name(random):
    if random.random() < 0.4:
        return {"matchName": random.choice(["a.test", "B.A.test", "c.b.a.test", "in.test", "other.test"])}
    return {
        "matchPattern": random.choice(["*", "*", "*.test", "*.test", "*.a.test", "*a.test", "**.test", "**.a.test"])
    }


# Ports


def to_port(random, side, is_deny, is_node, settings):
    kinds = ["plain"] * (2 if settings["plain"] else 6) + ["empty"] * (not settings["plain"])
    if not is_deny:
        kinds += ["dns", "dns"] if side == "to" else []
        kinds += ["http", "http", "http", "tls"] if not is_node else []
        kinds += ["kafka"] if not is_node and settings["version"] < (1, 20) else []
        kinds += ["listener"] if side == "to" and not is_node else []
    match random.choice(kinds):
        case "http":
            rules = [http(random) for _ in range(random.choice([0, 1, 1, 1, 2, 2]))]
            return {"ports": [http_port(random)], "rules": random.choice([*[{"http": rules}] * 6, {}])}
        case "dns":
            protocol = random.choice([{}, {"protocol": "ANY"}, {"protocol": "UDP"}, {"protocol": "TCP"}])
            rules = [name(random) for _ in range(random.choice([0, 1, 1, 2]))]
            return {"ports": [{"port": "53", **protocol}], "rules": {"dns": rules}}
        case "tls":
            names = ["a.test", "b.a.test", *(["*.a.test", "**.test"] if settings["version"] >= (1, 19) else [])]
            return {"ports": [{"port": "443", "protocol": "TCP"}], "serverNames": random.sample(names, 1)}
        case "listener":
            config = {"kind": "CiliumClusterwideEnvoyConfig", "name": "config"}
            listener = {"envoyConfig": config, "name": "listener"}
            return {"ports": [{"port": "8443", "protocol": "TCP"}], "listener": listener}
        case "kafka":
            rules = [kafka(random) for _ in range(random.choice([1, 1, 2]))]
            return {"ports": [{"port": "9092", "protocol": "TCP"}], "rules": {"kafka": rules}}
        case "empty":
            return random.choice([{"ports": []}, {}])
    return {"ports": [port(random, settings) for _ in range(random.choice([1, 1, 2]))]}


def http_port(random):
    return random.choice(
        [
            {"port": "80", "protocol": "TCP"},
            {"port": "80", "endPort": 81, "protocol": "TCP"},
            {"port": "web", "protocol": "TCP"},
        ]
    )


def http(random):
    headers = [*[None] * 8, ["X-T: 1"], ["X-T"]]
    matches = [*[None] * 12, {"name": "X-T", "value": "1"}, {"name": "X-T"}]
    matches += [{"name": "X-T", "value": "1", "mismatch": kind} for kind in ("LOG", "REPLACE")]
    found = random.choice(matches)
    return small.fields(
        method=random.choice([None, None, "GET", "GET|POST", "P.*"]),
        path=random.choice([*[None] * 3, "/a", "/.*", "/a$", "/"]),
        host=random.choice([*[None] * 6, "a.test", ".*[.]a[.]test(:[0-9]+)?"]),
        headers=random.choice(headers),
        headerMatches=None if found is None else [found],
    )


def kafka(random):
    asked = random.choice([{}, {"role": "produce"}, {"role": "consume"}, {"apiKey": "fetch"}, {"apiKey": "metadata"}])
    return {**asked, **small.fields(topic=random.choice([None, "a", "b"]), clientID=random.choice([*[None] * 5, "c"]))}


def port(random, settings):
    first = random.choice([0, 1, 53, 80, 80, 81, 443, 8443, "web", "web", "dns", "WEB"])
    protocol = random.choice([None, "ANY", *small.FREQUENT])
    if settings["enable_extended_ip_protocols"] and random.random() < 0.1:
        return {"port": "0", "protocol": random.choice(["VRRP", "IGMP"])}
    ends = [last for last in (80, 81, 443, 65535) if isinstance(first, int) and first]
    end_port = random.choice([None, None, *ends])
    if str(first) == "WEB":
        protocol = "TCP"
    return small.fields(port=str(first), endPort=end_port, protocol=protocol)


def icmp(random):
    family = random.choice([None, "IPv4", "IPv6"])
    kinds = [128, 129, "EchoRequest", 1] if family == "IPv6" else [8, "EchoRequest", 3, "TimeExceeded", 11]
    return small.fields(family=family, type=random.choice(kinds))


policies = small.seeded(make_policies)
