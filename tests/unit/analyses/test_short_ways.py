"""Flows to Services whose pods count as one, beside addresses that are no Service's."""

import pytest

from simcore.analyses.judging import judge_flows
from simcore.model.addresses import Address
from simcore.model.flows import End, Flow
from simcore.reference import Reference
from tests.manifests import load


def pod(name, address, **labels):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {"nodeName": "w1", "containers": [{"name": "c"}]},
        "status": {"podIP": address, "podIPs": [{"ip": address}]},
    }


def service(name, address, app, **ports):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "clusterIP": address,
            "selector": {"app": app},
            "ports": [{"name": n, "port": number, "targetPort": 8080} for n, number in ports.items()],
        },
    }


CLOSED = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "closed", "namespace": "shop"},
    "spec": {"podSelector": {"matchLabels": {"app": "closed"}}, "ingress": [{"ports": [{"port": 8080}]}]},
}
CLUSTER = load(
    pod("client", "10.0.0.1"),
    pod("one", "10.0.0.9", app="closed"),
    pod("other", "10.0.0.9", app="open"),
    pod("web-1", "10.0.0.2", app="open"),
    pod("web-2", "10.0.0.3", app="closed"),
    service("open", "10.96.0.1", "open", http=80, more=81),
    service("closed", "10.96.0.2", "closed", http=80),
    CLOSED,
)


@pytest.mark.parametrize("destination", ["10.0.0.2", "10.0.0.3", "10.0.0.9", "10.96.0.1", "10.96.0.2"])
@pytest.mark.parametrize("port", [80, 81, 8080])
@pytest.mark.parametrize("source", ["10.0.0.1", "192.0.2.1"])
def test_tables_say_what_the_reference_says(source, destination, port):
    flow = Flow(End(Address.parse(source)), End(Address.parse(destination)), 6, port)
    reference = Reference(CLUSTER.cluster, CLUSTER.policies)
    assert judge_flows(CLUSTER.cluster, CLUSTER.policies, [flow]) == [reference.judge(flow)]
