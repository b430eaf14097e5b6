"""Where a Service leads, read straight from the manifests; Services by selector only."""

from .networkpolicy import addresses_of, is_running, lasting_containers, namespace_of, parse_address, spec_of


def destinations(cluster, flow):
    """The flows that a flow may become behind Services; None where no Service has the address.

    Each is the flow with its destination and port replaced by a pod's. A node hands on to its own pods only where the
    Service says Local: what comes from its pods and itself, by the Service's address; what comes from outside of the
    cluster, by its own. Where nobody knows on which node something is, it may be there.
    """
    address = parse_address(flow["destination"]["address"])
    services = [document for document in cluster if document["kind"] == "Service"]
    ports = [(s, port) for s in services for port in spec_of(s)["ports"] if answers(cluster, s, port, flow)]
    if not ports and not any(address in cluster_addresses(service) for service in services):
        return None
    return [
        {**flow, "destination": {"pod": name, "address": str(own)}, "port": target}
        for service, port in ports
        for name, own, target, there in targets(cluster, service, port)
        if own.version == address.version and there in ("", *nodes_serving(cluster, service, flow, there))
    ]


def nodes_serving(cluster, service, flow, there):
    """The nodes whose pods the flow may be handed to; `there` among them where any node will do."""
    spec, address = spec_of(service), parse_address(flow["destination"]["address"])
    clients = client_nodes(cluster, flow["source"])
    if address in cluster_addresses(service):
        local, nodes = spec.get("internalTrafficPolicy") == "Local", clients
    else:
        local = spec.get("externalTrafficPolicy") == "Local" and clients == {None}
        nodes = {node_of_address(cluster, address)}
    return {node or there for node in nodes} if local else {there}


def client_nodes(cluster, end):
    """The names of the nodes that an end may be on, empty where nobody knows; None for outside of the cluster."""
    address = parse_address(end["address"]) if end["address"] else None
    owners = [pod for pod in cluster if pod["kind"] == "Pod" and is_end(pod, end["pod"], address)]
    if owners:
        return {spec_of(pod).get("nodeName") or "" for pod in owners}
    return {node_of_address(cluster, address)}


def is_end(pod, name, address):
    if name:
        return name == f"{namespace_of(pod)}/{pod['metadata']['name']}"
    return is_running(pod) and not spec_of(pod).get("hostNetwork") and address in addresses_of(pod)


def node_of_address(cluster, address):
    for document in cluster:
        if document["kind"] == "Node":
            listed = document["status"]["addresses"]
            if address in [parse_address(item["address"]) for item in listed if item["type"] != "Hostname"]:
                return document["metadata"]["name"]
    for document in cluster:
        is_host = document["kind"] == "Pod" and is_running(document) and spec_of(document).get("hostNetwork")
        if is_host and address in addresses_of(document) and spec_of(document).get("nodeName"):
            return spec_of(document)["nodeName"]
    return None


def answers(cluster, service, port, flow):
    if (port.get("protocol") or "TCP") != flow["protocol"]:
        return False
    address = parse_address(flow["destination"]["address"])
    if address in cluster_addresses(service):
        return port["port"] == flow["port"]
    return port.get("nodePort", 0) == flow["port"] and address in node_addresses(cluster)


def cluster_addresses(service):
    return [parse_address(text) for text in spec_of(service).get("clusterIPs") or []]


def node_addresses(cluster):
    for document in cluster:
        if document["kind"] == "Node":
            listed = document["status"]["addresses"]
            yield from (parse_address(item["address"]) for item in listed if item["type"] != "Hostname")
        elif document["kind"] == "Pod" and is_running(document) and spec_of(document).get("hostNetwork"):
            yield from addresses_of(document) if spec_of(document).get("nodeName") else []


def targets(cluster, service, port):
    for pod in cluster:
        if pod["kind"] != "Pod" or not is_running(pod) or namespace_of(pod) != namespace_of(service):
            continue
        labels = pod["metadata"].get("labels") or {}
        number = target_number(pod, port)
        if number and spec_of(service)["selector"].items() <= labels.items():
            for address in addresses_of(pod):
                name = f"{namespace_of(pod)}/{pod['metadata']['name']}"
                yield name, address, number, spec_of(pod).get("nodeName") or ""


def target_number(pod, port):
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    for container in lasting_containers(pod):
        for declared in container.get("ports") or []:
            named = declared.get("name") == target
            if named and (declared.get("protocol") or "TCP") == (port.get("protocol") or "TCP"):
                return declared["containerPort"]
    return None
