"""Cilium as the dataplane, and clusters as the corpus writes them, as manifests."""

import itertools
from dataclasses import replace

from simcore.model.addresses import Address
from simcore.model.cluster import Pod
from simcore.model.plugins import plugin_named
from simcore.model.requests import Request

CILIUM = replace(plugin_named("cilium").profile, sctp="enforced")
LOCAL = "local"
"""The node of every pod; it is the endpoint of kind ``host``, where there is one."""
_FIRST_CLUSTER_IP = int.from_bytes(bytes((198, 18, 0, 1)), "big")
ENDPOINT = {"id", "kind", "namespace", "labels", "ip", "named_ports", "service_account", "cluster", "kube_apiserver"}
CLUSTER = {"name", "namespaces", "endpoints", "services", "cidr_groups", "dns"}
SERVICE = {"name", "namespace", "labels", "selector", "ports", "endpoint_ips"}
LAYER7 = {"method", "path", "host", "headers", "query", "sni", "kafka"}
KINDS = ("pod", "host", "remote-node", "world", "health", "init", "ingress", "unmanaged")


def expect_known(found, known, what):
    """Fail on keys that this harness would pass over."""
    unknown = set(found) - set(known)
    assert not unknown, f"{what}: unknown {', '.join(sorted(unknown))}"


def agent(version="1.20", profile=CILIUM, **settings):
    """The profile of an agent of a version, with settings."""
    made = replace(profile, cilium=profile.cilium.of_version(version))
    for name, value in settings.items():
        made = made.with_setting(name, word_of(name, value))
    return made


def word_of(name, value):
    if name == "policy_cidr_match_mode":
        return ",".join(value) or "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def document(api_version, kind, name, namespace=None, labels=None, **fields):
    metadata = {"name": name, "labels": labels or {}} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def cluster_documents(cluster):
    """The manifests of a cluster; endpoints that are no pods are `reserved_pods`."""
    expect_known(cluster, CLUSTER, "cluster")
    for name, labels in cluster["namespaces"].items():
        yield document("v1", "Namespace", name, labels=labels)
    for endpoint in cluster["endpoints"]:
        expect_known(endpoint, ENDPOINT, f"endpoint {endpoint['id']}")
        assert endpoint["kind"] in KINDS, endpoint["kind"]
        if endpoint["kind"] == "pod":
            yield pod_document(endpoint)
        elif endpoint["kind"] in ("host", "remote-node"):
            yield node_document(endpoint)
    yield from service_documents(cluster)
    for group in cluster.get("cidr_groups", []):
        expect_known(group, {"name", "labels", "cidrs"}, "CIDR group")
        spec = {"externalCIDRs": group["cidrs"]}
        yield document("cilium.io/v2", "CiliumCIDRGroup", group["name"], labels=group.get("labels"), spec=spec)


def pod_document(endpoint):
    ports = [
        {"name": name.partition("/")[0], "protocol": name.partition("/")[2], "containerPort": number}
        for name, number in endpoint.get("named_ports", {}).items()
    ]
    labels = dict(endpoint.get("labels", {}))
    if "cluster" in endpoint:
        labels["io.cilium.k8s.policy.cluster"] = endpoint["cluster"]
    spec = {
        "nodeName": LOCAL,
        "serviceAccountName": endpoint.get("service_account", "default"),
        "containers": [{"name": "c", "ports": ports}],
    }
    status = {"phase": "Running", "podIPs": [{"ip": endpoint["ip"]}]}
    return document("v1", "Pod", endpoint["id"], endpoint["namespace"], labels, spec=spec, status=status)


def node_name(endpoint):
    return LOCAL if endpoint["kind"] == "host" else endpoint["id"]


def node_document(endpoint):
    status = {"addresses": [{"type": "InternalIP", "address": endpoint["ip"]}]}
    return document("v1", "Node", node_name(endpoint), labels=endpoint.get("labels"), status=status)


def service_documents(cluster):
    services = [dict(service) for service in cluster.get("services", [])]
    servers = [endpoint["ip"] for endpoint in cluster["endpoints"] if endpoint.get("kube_apiserver")]
    own = [service for service in services if (service["namespace"], service["name"]) == ("default", "kubernetes")]
    for service in own or [{"name": "kubernetes", "namespace": "default"}]:
        service["endpoint_ips"] = list(dict.fromkeys([*service.get("endpoint_ips", []), *servers]))
        services += [] if own else [service]
    for number, service in enumerate(services):
        expect_known(service, SERVICE, "service")
        yield from service_pair(service, str(Address.from_bytes((_FIRST_CLUSTER_IP + number).to_bytes(4, "big"))))


def service_pair(service, address):
    name, namespace = service["name"], service["namespace"]
    ports = [
        {"name": f"p{n}", "protocol": "TCP", **port} for n, port in enumerate(service.get("ports") or [{"port": 443}])
    ]
    spec = {"clusterIP": address, "ports": ports, "selector": service.get("selector")}
    yield document("v1", "Service", name, namespace, service.get("labels"), spec=spec)
    by_family = {"IPv4": [], "IPv6": []} if "endpoint_ips" in service else {}
    for each in service.get("endpoint_ips", ()):
        by_family["IPv6" if ":" in each else "IPv4"].append(each)
    for family, addresses in by_family.items():
        yield document(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            f"{name}-{family.lower()}",
            namespace,
            {"kubernetes.io/service-name": name},
            addressType=family,
            ports=[{key: port[key] for key in ("name", "protocol", "port")} for port in ports],
            endpoints=[{"addresses": [each]} for each in addresses],
        )


def reserved_pods(cluster):
    """Endpoints that the dataplane keeps for itself."""
    for endpoint in cluster["endpoints"]:
        if endpoint["kind"] in ("health", "init", "ingress", "unmanaged"):
            addresses = (Address.parse(endpoint["ip"]),) if endpoint.get("ip") else ()
            yield Pod("", endpoint["id"], {}, addresses, LOCAL, reserved=endpoint["kind"])


def names_of(cluster):
    """What names stand for; addresses that no name of the corpus has are known to have none."""
    names = {name: tuple(map(Address.parse, found)) for name, found in cluster.get("dns", {}).items()}
    named = set(itertools.chain.from_iterable(names.values()))
    world = [Address.parse(e["ip"]) for e in cluster["endpoints"] if e["kind"] == "world"]
    return {**names, "nameless.invalid": tuple(address for address in world if address not in named)}


def request_of(layer7):
    """A request as the corpus writes it, which tells all of it."""
    if layer7 is None:
        return None
    expect_known(layer7, LAYER7, "l7")
    if "query" in layer7:
        return Request(dns_query=layer7["query"].lower().removesuffix("."))
    if "kafka" in layer7:
        expect_known(layer7["kafka"], {"apiKey", "topic"}, "l7.kafka")
        return Request(kafka_api_key=layer7["kafka"]["apiKey"], kafka_topic=layer7["kafka"].get("topic", ""))
    if "sni" in layer7:
        return Request(tls_sni=(layer7["sni"] or "").lower())
    return Request(
        http_method=layer7.get("method", "GET"),
        http_path=layer7.get("path", "/"),
        http_host=layer7.get("host", ""),
        http_headers=tuple(layer7.get("headers", {}).items()),
    )


V2 = "cilium.io/v2"
EVERYTHING = {"endpointSelector": {}}


def cnp(name="p", namespace="shop", version=V2, **spec):
    """A CiliumNetworkPolicy; it selects every pod of its namespace unless a selector is given."""
    return document(version, "CiliumNetworkPolicy", name, namespace, spec={**EVERYTHING, **spec})


def ccnp(name="p", **spec):
    """A CiliumClusterwideNetworkPolicy."""
    own = {} if "nodeSelector" in spec else EVERYTHING
    return document(V2, "CiliumClusterwideNetworkPolicy", name, spec={**own, **spec})


def cidr_group(name, *cidrs, labels=None):
    """A CiliumCIDRGroup."""
    return document(V2, "CiliumCIDRGroup", name, labels=labels, spec={"externalCIDRs": list(cidrs)})
