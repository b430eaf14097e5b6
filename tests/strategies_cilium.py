"""Small hostile clusters under Cilium's policies, in the manner of `tests.strategies`.

A cluster is described as `tests.oracles.cilium` takes it; `documents` writes it as manifests, and `model_cluster` adds
what no manifest tells.
"""

from __future__ import annotations

from dataclasses import replace

from simcore.model.addresses import Address
from simcore.model.cluster import Pod
from simcore.model.flows import Flow
from simcore.model.ports import PROTOCOL_NUMBERS
from simcore.model.requests import Request
from tests import strategies as small

NAMESPACES = ("n1", "n2", "n3")
CROWDED = ("n1", "n1", "n1", "n2", "n2", "n3")
DROPPED = ("pod-template-hash", "kubernetes.io/os", "topology.kubernetes.io/zone")
KEPT = "app.kubernetes.io/name"
NODES = {"w1": ["10.9.0.1"], "w2": ["10.9.0.2", "fd00:9::2"]}
OUTSIDE = ("192.0.2.1", "10.0.0.200", "255.255.255.255", "2001:db8::1", "2001:db8::2")
RESERVED = {"health": "10.0.1.1", "ingress": "10.0.1.2", "init": "10.0.1.3", "unmanaged": "10.0.1.4"}
API_SERVERS = ("192.0.2.9", NODES["w1"][0])
NAMES = {
    "a.test": ["192.0.2.1", "2001:db8::1"],
    "b.a.test": ["10.0.0.200"],
    "c.b.a.test": ["192.0.2.1"],
    "in.test": [small.POD_ADDRESSES_V4[0]],
}
NUMBERS = {"web": (80, 81), "dns": (53,)}
PROTOCOLS = {**PROTOCOL_NUMBERS, "IGMP": 2, "VRRP": 112}
ACCOUNTS = ("default", "robot")


# The cluster


def make_cluster(random):
    addresses = random.sample(small.POD_ADDRESSES_V4, 6), random.sample(small.POD_ADDRESSES_V6, 4)
    endpoints = [node(random, name) for name in NODES]
    endpoints += [pod(random, number, addresses) for number in range(random.randint(3, 6))]
    endpoints += [reserved(random, kind) for kind in RESERVED if random.random() < 0.6]
    endpoints += [{"id": None, "kind": "world", "ips": [address]} for address in OUTSIDE]
    found = {
        "name": "default",
        "namespaces": {name: small.make_labels(random) for name in NAMESPACES},
        "endpoints": endpoints,
        "services": [service(random, number) for number in range(3)],
        "cidr_groups": [cidr_group(random, name) for name in ("g0", "g1")],
        "names": None if random.random() < 0.1 else {name: NAMES[name] for name in NAMES if random.random() < 0.8},
    }
    if random.random() < 0.8:
        place_api_server(found, random.choice(API_SERVERS))
    else:
        found["api_server_unknown"] = True
    return found


def place_api_server(cluster, address):
    """Mark who has the address, outside an endpoint of its own; the API server's Service leads there."""
    owners = [one for one in cluster["endpoints"] if one["kind"] == "node" and address in one["ips"]]
    if not owners:
        owners.append({"id": None, "kind": "world", "ips": [address]})
        cluster["endpoints"] += owners
    owners[0]["kube_apiserver"] = True
    own = {"name": "kubernetes", "namespace": "default", "labels": {}, "ip": "10.96.0.9"}
    cluster["services"].append({**own, "endpoint_ips": owners[0]["ips"]})


def node(random, name):
    return {"id": None, "kind": "node", "node": name, "ips": NODES[name], "labels": small.make_labels(random)}


def pod(random, number, addresses):
    namespace, place = random.choice(CROWDED), random.choice(["w1", "w1", "w2"])
    is_host = random.random() < 0.12
    ips = [addresses[0][number], *([addresses[1][number]] if number < 4 and random.random() < 0.4 else [])]
    labels = small.make_labels(random)
    for key in (*DROPPED, KEPT):
        if random.random() < 0.2:
            labels[key] = random.choice(small.VALUES)
    return {
        "id": f"{namespace}/p{number}",
        "kind": "pod",
        "namespace": namespace,
        "labels": labels,
        "node": place if is_host or random.random() < 0.9 else None,
        "ips": NODES[place] if is_host else ips,
        "host_network": is_host,
        "service_account": random.choice(ACCOUNTS),
        "named_ports": {
            f"{name}/{protocol}": random.choice(NUMBERS[name])
            for name, protocol in (("web", "TCP"), ("dns", "UDP"), ("dns", "TCP"))
            if random.random() < 0.5
        },
    }


def reserved(random, kind):
    return {"id": kind, "kind": kind, "node": random.choice(list(NODES)), "ips": [RESERVED[kind]]}


def service(random, number):
    found = {"name": f"s{number}", "namespace": random.choice(NAMESPACES), "labels": small.make_labels(random)}
    found["ip"] = random.choice(["None", f"10.96.0.{number + 1}"])
    if random.random() < 0.3:
        count = random.choice([0, 1, 2, 2])
        return {**found, "endpoint_ips": random.sample([*OUTSIDE[:2], *small.POD_ADDRESSES_V4[:2]], count)}
    key = random.choice([*small.KEYS * 3, *DROPPED[:1]])
    return {**found, "selector": {key: random.choice(small.VALUES)}}


def cidr_group(random, name):
    blocks = random.sample(BLOCKS, random.randint(1, 2))
    return {"name": name, "labels": small.make_labels(random), "cidrs": blocks}


# The cluster as manifests


def documents(cluster):
    found = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in cluster["namespaces"].items()
    ]
    for endpoint in cluster["endpoints"]:
        if endpoint["kind"] == "node":
            found.append(node_document(endpoint))
        elif endpoint["kind"] == "pod":
            found.append(pod_document(endpoint))
    for group in cluster["cidr_groups"]:
        metadata = {"name": group["name"], "labels": group["labels"]}
        spec = {"externalCIDRs": group["cidrs"]}
        found.append({"apiVersion": "cilium.io/v2", "kind": "CiliumCIDRGroup", "metadata": metadata, "spec": spec})
    found += [document for one in cluster["services"] for document in service_documents(one)]
    return found


def node_document(endpoint):
    addresses = [{"type": "InternalIP", "address": address} for address in endpoint["ips"]]
    metadata = {"name": endpoint["node"], "labels": endpoint["labels"]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"addresses": addresses}}


def pod_document(endpoint):
    ports = [
        {"name": written.split("/")[0], "protocol": written.split("/")[1], "containerPort": number}
        for written, number in endpoint["named_ports"].items()
    ]
    containers = [{"name": f"c{number}", "ports": [port]} for number, port in enumerate(ports)] or [{"name": "c"}]
    spec = small.fields(
        nodeName=endpoint["node"],
        hostNetwork=endpoint["host_network"] or None,
        serviceAccountName=endpoint["service_account"],
        containers=containers,
    )
    namespace, name = endpoint["id"].split("/")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": endpoint["labels"]},
        "spec": spec,
        "status": {"phase": "Running", "podIPs": [{"ip": address} for address in endpoint["ips"]]},
    }


def service_documents(found):
    metadata = {"name": found["name"], "namespace": found["namespace"], "labels": found["labels"]}
    spec = small.fields(selector=found.get("selector"), clusterIP=found["ip"], ports=[{"name": "p", "port": 80}])
    yield {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}
    if "endpoint_ips" in found:
        for family in ("IPv4", "IPv6"):
            addresses = [text for text in found["endpoint_ips"] if (":" in text) == (family == "IPv6")]
            yield {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {
                    "name": f"{found['name']}-{family.lower()}",
                    "namespace": found["namespace"],
                    "labels": {"kubernetes.io/service-name": found["name"]},
                },
                "addressType": family,
                "endpoints": [{"addresses": [text]} for text in addresses],
                "ports": [{"name": "p", "port": 80, "protocol": "TCP"}],
            }


def model_cluster(found, cluster):
    """The loaded cluster with the endpoints that no manifest makes, and with names."""
    pods = [
        Pod("", one["kind"], {}, tuple(map(Address.parse, one["ips"])), one["node"], reserved=one["kind"])
        for one in cluster["endpoints"]
        if one["kind"] in RESERVED
    ]
    names = cluster["names"]
    known = None if names is None else {name: tuple(map(Address.parse, found)) for name, found in names.items()}
    everybody = sorted([*found.pods, *pods], key=lambda one: (one.namespace, one.name))
    return replace(found, pods=tuple(everybody), names=known)


# Settings


def make_settings(random):
    """Settings that differ from the defaults here and there, as the evaluator takes them."""
    modes = [(), (), (), ("nodes",), ("pods",), ("nodes", "pods")]
    return {
        "version": random.choice([*[(1, 20)] * 4, (1, 19), (1, 18), (1, 17), (1, 15)]),
        "policy_enforcement_mode": random.choice([*["default"] * 8, "always", "always", "never"]),
        "allow_localhost": random.choice(["auto", "auto", "always", "policy"]),
        "policy_cidr_match_mode": random.choice(modes),
        "policy_audit_mode": random.random() < 0.05,
        "host_firewall": random.random() < 0.4,
        "enable_node_selector_labels": random.random() < 0.5,
        "policy_default_local_cluster": random.choice([None, None, True, False]),
        "ipv6": random.random() < 0.5,
        "enable_extended_ip_protocols": random.random() < 0.3,
    }


def profile_of(profile, settings):
    """A profile with these settings, SCTP being on."""
    profile = profile.with_setting("sctp", "enforced")
    for name, value in settings.items():
        if name == "version":
            version = profile.cilium.of_version(".".join(map(str, value)))
            profile = replace(profile, cilium=version)
        else:
            profile = profile.with_setting(name, word_of(name, value))
    return profile


def word_of(name, value):
    if name == "policy_cidr_match_mode":
        return ",".join(value) or "none"
    return {None: "auto", True: "true", False: "false"}.get(value, value)


# Flows


def make_flow(random, cluster):
    """A flow between two ends of one family, with a request where its port has any."""
    pool = [one for one in cluster["endpoints"] for _ in range(3 if one["kind"] == "pod" else 1)]
    for _ in range(10):
        source, destination = random.choice(pool), random.choice(pool)
        families = {":" in text for text in source["ips"]} & {":" in text for text in destination["ips"]}
        kinds = {source["kind"], destination["kind"]}
        if families and source is not destination and kinds != {"world"}:
            break
    else:
        return make_flow(random, cluster)
    is_new = random.choice(sorted(families))
    flow = {"source": end(random, source, is_new), "destination": end(random, destination, is_new)}
    return {**flow, **traffic(random, is_new)}


def end(random, endpoint, is_new):
    address = next(text for text in endpoint["ips"] if (":" in text) == is_new)
    is_named = endpoint["id"] and (endpoint.get("host_network") or random.random() < 0.5)
    return {"id": endpoint["id"] if is_named else None, "address": address}


def traffic(random, is_new):
    kind = random.choice(
        [*["http"] * 4, *["dns"] * 3, "tls", "tls", "kafka", "icmp", "icmp", *["other"] * 4, "strange"]
    )
    found = {"port": None, "icmp_type": None, "icmp_code": None, "request": None}
    match kind:
        case "http":
            return {**found, "protocol": "TCP", "port": random.choice([80, 80, 81]), "request": http_request(random)}
        case "dns":
            protocol = random.choice(["UDP", "UDP", "TCP"])
            return {**found, "protocol": protocol, "port": 53, "request": dns_request(random)}
        case "tls":
            return {**found, "protocol": "TCP", "port": 443, "request": tls_request(random)}
        case "kafka":
            return {**found, "protocol": "TCP", "port": 9092, "request": kafka_request(random)}
        case "icmp":
            number = random.choice([None, *([128, 129, 1] if is_new else [8, 8, 3, 11])])
            code = random.choice([None, 0, 4]) if number == 3 else None
            return {**found, "protocol": "ICMPV6" if is_new else "ICMP", "icmp_type": number, "icmp_code": code}
        case "strange":
            return {**found, "protocol": random.choice(["GRE", "IGMP", "VRRP", "ESP"])}
    port = random.choice([None, 1, 53, 79, 80, 81, 82, 442, 443, 444, 8443, 65535])
    return {**found, "protocol": random.choice(["TCP", "TCP", "UDP", "SCTP"]), "port": port}


def http_request(random):
    if random.random() < 0.3:
        return None
    found = small.fields(
        method=random.choice(["GET", "GET", "POST", "HEAD", None]),
        path=random.choice(["/", "/a", "/a/b", "/a?x=1", None]),
        host=random.choice(["a.test", "b.a.test:8080", "xaxtest", None]),
        headers=random.choice([None, {}, {"X-T": "1"}, {"x-t": "2", "Other": "1"}]),
    )
    return found or None


def dns_request(random):
    return random.choice([None, *({"query": name} for name in (*NAMES, "x.test", "test", "sub-a.test"))])


def tls_request(random):
    return random.choice([None, *({"sni": name} for name in ("a.test", "b.a.test", "c.b.a.test", "x.test"))])


def kafka_request(random):
    keys = ("produce", "fetch", "metadata", "listgroups")
    return random.choice([None, {"kafka": {"apiKey": random.choice(keys), "topic": random.choice(["", "a", "b"])}}])


def make_flows(random, cluster):
    return [make_flow(random, cluster) for _ in range(random.randint(10, 40))]


def model_flow(flow):
    """The flow as the simulator takes it."""
    ends = [small.model_end({"address": e["address"], "pod": e["id"]}) for e in (flow["source"], flow["destination"])]
    protocol, port = PROTOCOLS[flow["protocol"]], flow["port"]
    kind, code = flow["icmp_type"], flow["icmp_code"]
    return Flow(*ends, protocol, port, icmp_type=kind, icmp_code=code, request=model_request(flow["request"]))


def model_request(request):
    if request is None:
        return None
    headers, kafka = request.get("headers"), request.get("kafka", {})
    return Request(
        http_method=request.get("method"),
        http_path=request.get("path"),
        http_host=request.get("host"),
        http_headers=None if headers is None else tuple(headers.items()),
        dns_query=request.get("query"),
        tls_sni=request.get("sni"),
        kafka_api_key=kafka.get("apiKey"),
        kafka_topic=kafka.get("topic"),
    )


BLOCKS = tuple(block for block in small.BLOCKS if "ffff" not in block and block != "10.0.0.5/30")

clusters = small.seeded(make_cluster)
flow_lists = small.seeded(make_flows)
settings_choices = small.seeded(make_settings)
