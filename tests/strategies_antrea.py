"""Small hostile clusters under Antrea's policies, in the manner of `tests.strategies`."""

from __future__ import annotations

from simcore.model.addresses import Address
from simcore.model.flows import Flow
from simcore.model.ports import PROTOCOL_NUMBERS
from tests import strategies as small
from tests.antrea import antrea, cluster_group, group, tier

TIERS = {"early": 45, "late": 245}
TIER_NAMES = (None, None, None, "", "application", "emergency", "baseline", "baseline", *TIERS)
GROUPS = ("g0", "g1", "g2", "missing")
ACCOUNTS = ("default", "robot")
NAMES = {"a.test": small.OUTSIDE[0], "b.a.test": small.POD_ADDRESSES_V4[0], "c.test": small.OUTSIDE[1]}
PATTERNS = ("a.test", "*.test", "*a.test", "B.A.test", "other")
SERVICE = ("n1", "s0")
SERVICE_ADDRESS = "10.96.0.1"
SERVICE_PORT = 80
ACTIONS = ("Allow", "Drop", "Reject", "Pass")
PROTOCOLS = {**PROTOCOL_NUMBERS, "IGMP": 2}


# The cluster


def make_cluster(random):
    """A cluster with service accounts, labels of nodes, and a Service of a node port."""
    documents = small.make_cluster(random, services=False)
    for document in documents:
        if document["kind"] == "Pod" and random.random() < 0.4:
            document["spec"]["serviceAccountName"] = random.choice(ACCOUNTS)
        if document["kind"] == "Node":
            document["metadata"]["labels"] = small.make_labels(random)
    return [*documents, service_document(random, documents)]


def service_document(random, documents):
    namespace, name = SERVICE
    labels = [pod["metadata"].get("labels") or {} for pod in small.pods_of(documents)]
    pairs = [{key: value} for found in labels for key, value in found.items()]
    spec = {
        "type": "NodePort",
        "clusterIP": SERVICE_ADDRESS,
        "selector": random.choice([{}, *(pairs or [{"app": "a"}]) * 3]),
        "ports": [{"port": SERVICE_PORT, "nodePort": small.NODE_PORTS[0], "protocol": "TCP"}],
    }
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def make_names(random):
    """What names stand for; None where nothing is known of any."""
    if random.random() < 0.15:
        return None
    return {name: (address,) for name, address in NAMES.items() if random.random() < 0.8}


# Policies


def make_policies(random):
    """Tiers, groups, and up to five policies, some of them NetworkPolicies."""
    documents = [tier(name, priority) for name, priority in TIERS.items()]
    documents += [cluster_group(name, **group_spec(random, name, "")) for name in GROUPS[:3]]
    documents += [group(name, "n1", **group_spec(random, name, "n1")) for name in GROUPS[:3]]
    for number in range(random.choice([1, 2, 2, 3, 3, 4, 5])):
        make = random.choice([small.policy_document, namespaced_policy, *[cluster_policy] * 4])
        documents.append(make(random, f"p{number}"))
    return documents


def group_spec(random, name, namespace):
    kinds = ["pods", "pods", "namespaces", "blocks", "service", "children", "entities"] + (
        [] if namespace else ["nodes"]
    )
    match random.choice(kinds):
        case "pods":
            return {"podSelector": small.selector(random)}
        case "namespaces":
            return {"namespaceSelector": small.namespace_selector(random)}
        case "blocks":
            return {"ipBlocks": [small.ip_block(random) for _ in range(random.randint(1, 2))]}
        case "service":
            return {"serviceReference": {"namespace": "n1", "name": random.choice(["s0", "s0", "missing"])}}
        case "children":
            return {"childGroups": [random.choice(GROUPS[GROUPS.index(name) + 1 :])]}
        case "entities":
            return {"externalEntitySelector": {}}
        case _:
            return {"nodeSelector": small.selector(random)}


def cluster_policy(random, name):
    applied = random.choice([applied_pods] * 6 + [applied_nodes, applied_service])
    return antrea("ClusterNetworkPolicy", name, policy_spec(random, "", applied))


def namespaced_policy(random, name):
    return antrea("NetworkPolicy", name, policy_spec(random, "n1", applied_pods), namespace="n1")


def policy_spec(random, namespace, applied):
    tier_name = random.choice(TIER_NAMES)
    spec = small.fields(tier=tier_name, priority=random.choice([1, 1, 1, 1.5]))
    directions = ["ingress"] if applied is applied_service else ["ingress", "egress"]
    per_rule = applied is applied_pods and random.random() < 0.2
    for direction in directions:
        rules = [rule(random, direction, namespace, applied, tier_name) for _ in range(random.choice([0, 1, 2, 2, 3]))]
        spec[direction] = [{**one, "name": f"{direction}{number}"} for number, one in enumerate(rules)]
    rules = [one for direction in directions for one in spec[direction]]
    if per_rule and rules:
        for one in rules:
            one["appliedTo"] = applied(random, namespace)
    else:
        spec["appliedTo"] = applied(random, namespace)
    return spec


def applied_pods(random, namespace):
    return [applied_item(random, namespace) for _ in range(random.choice([1, 1, 1, 2]))]


def applied_nodes(random, namespace):
    return [{"nodeSelector": small.selector(random)}]


def applied_service(random, namespace):
    return [{"service": {"namespace": SERVICE[0], "name": SERVICE[1]}}]


def applied_item(random, namespace):
    kinds = ["all", "all", "all", "pods", "pods", "group", "entities"] + (
        [] if namespace else ["namespaces", "account"]
    )
    match random.choice(kinds):
        case "all":
            return {"podSelector": {}}
        case "pods":
            return {"podSelector": small.selector(random)}
        case "group":
            return {"group": random.choice(GROUPS)}
        case "namespaces":
            return {"namespaceSelector": small.namespace_selector(random), "podSelector": small.selector(random)}
        case "account":
            return {"serviceAccount": {"namespace": "n1", "name": random.choice(ACCOUNTS)}}
        case _:
            return {"externalEntitySelector": {}}


def rule(random, direction, namespace, applied, tier_name):
    actions = ACTIONS[:3] if tier_name == "baseline" else ACTIONS
    found = {"action": random.choice(actions)}
    side = "from" if direction == "ingress" else "to"
    if applied is applied_service:
        blocks = [{"ipBlock": small.ip_block(random)} for _ in range(random.randint(0, 1))]
        return {**found, "from": blocks, **layer_four(random)}
    if direction == "egress" and random.random() < 0.1:
        return {**found, "toServices": [{"namespace": SERVICE[0], "name": SERVICE[1]}]}
    if found["action"] in ("Allow", "Drop") and random.random() < 0.05:
        return {**found, "protocols": [{"igmp": random.choice([{}, {"groupAddress": "225.0.0.1"}])}]}
    peers = [peer(random, direction, namespace, applied) for _ in range(random.choice([0, 0, 1, 1, 1, 2]))]
    found = {**found, side: peers, **layer_four(random)}
    if found["action"] == "Allow" and random.random() < 0.1:
        found["l7Protocols"] = [{"tls": {"sni": "*.test"}}]
    return found


def peer(random, direction, namespace, applied):
    kinds = ["pods", "pods", "namespaces", "both", "block", "block", "node", "group", "account", "entities"]
    kinds += ["self", "alike"] if not namespace and applied is applied_pods else []
    kinds += ["name"] if direction == "egress" else ["wide"]
    match random.choice(kinds):
        case "pods":
            return {"podSelector": small.selector(random)}
        case "namespaces":
            return {"namespaceSelector": small.namespace_selector(random)}
        case "both":
            return {"podSelector": small.selector(random), "namespaceSelector": small.namespace_selector(random)}
        case "block":
            return {"ipBlock": small.ip_block(random)}
        case "node":
            return {"nodeSelector": small.selector(random)}
        case "group":
            return {"group": random.choice(GROUPS)}
        case "account":
            return {"serviceAccount": {"namespace": "n1", "name": random.choice(ACCOUNTS)}}
        case "entities":
            return {"externalEntitySelector": {}}
        case "self":
            return {"namespaces": {"match": "Self"}, "podSelector": small.selector(random)}
        case "alike":
            return {"namespaces": {"sameLabels": random.sample(small.KEYS, random.randint(1, 2))}}
        case "name":
            return {"fqdn": random.choice(PATTERNS)}
        case _:
            return {"podSelector": small.selector(random), "scope": "ClusterSet"}


def layer_four(random):
    shape = random.random()
    if shape < 0.5:
        return {}
    if shape < 0.6:
        return {"protocols": [{"icmp": icmp(random)}]}
    found = {"ports": [port(random) for _ in range(random.randint(1, 2))]}
    return {**found, "protocols": [{"icmp": icmp(random)}]} if shape > 0.9 else found


def icmp(random):
    return small.fields(icmpType=random.choice([None, 8, 8, 3]), icmpCode=random.choice([None, None, 0, 1]))


def port(random):
    found = {key: value for key, value in small.policy_port(random).items() if value is not None}
    source = random.choice([None, None, None, 80, 443])
    return {**found, **small.fields(sourcePort=source, sourceEndPort=source and random.choice([None, 65535]))}


# Flows


def make_flow(random, cluster):
    """A flow, some through the Service, some without source port or type of ICMP."""
    flow = small.make_flow(random, cluster, strange=False)
    kind = 1 if ":" in (flow["source"]["address"] or ":") else random.random()
    if flow["protocol"] == "GRE":
        flow["protocol"] = "IGMP"
    is_icmp = flow["protocol"] in ("ICMP", "ICMPV6")
    flow.update(
        source_port=random.choice([None, 80, 443, 444, 65535]),
        icmp_type=random.choice([None, 8, 8, 3]) if is_icmp else None,
        service=None,
    )
    flow["icmp_code"] = random.choice([None, 0, 1]) if flow["icmp_type"] is not None else None
    has_node = any(document["metadata"]["name"] == "w1" for document in cluster if document["kind"] == "Node")
    if kind < 0.2:
        dialled = (SERVICE_ADDRESS, SERVICE_PORT)
        if kind < 0.1 and has_node:
            dialled = (small.NODES["w1"][0], small.NODE_PORTS[0])
        flow.update(protocol="TCP", service=SERVICE, dialled=dialled, port=SERVICE_PORT)
    elif flow["protocol"] == "TCP" and flow["port"] == small.NODE_PORTS[0]:
        flow["port"] = small.NODE_PORTS[1]
    return flow


def make_flows(random, cluster):
    return [make_flow(random, cluster) for _ in range(random.randint(10, 40))]


clusters = small.seeded(make_cluster)
names = small.seeded(make_names)
policies = small.seeded(make_policies)
flow_lists = small.seeded(make_flows)


def model_flow(flow):
    """The flow as the simulator takes it: with the address that the client dialled."""
    address, port_number = flow.get("dialled") or (flow["destination"].get("address"), flow["port"])
    destination = small.model_end({**flow["destination"], "address": address})
    if flow["service"]:
        destination = small.model_end({"address": address})
    return Flow(
        small.model_end(flow["source"]),
        destination,
        PROTOCOLS[flow["protocol"]],
        port_number,
        flow["source_port"],
        flow["icmp_type"],
        flow["icmp_code"],
    )


def model_names(found):
    """What names stand for, as the simulator takes it."""
    if found is None:
        return None
    return {name: tuple(map(Address.parse, addresses)) for name, addresses in found.items()}
