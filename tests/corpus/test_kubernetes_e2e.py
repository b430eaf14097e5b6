"""The Kubernetes end-to-end suite: who reaches whom under each of its policies."""

import json
from functools import cache

import pytest

from simcore.errors import LoadError
from simcore.model.addresses import Family
from simcore.model.flows import End, Flow, Verdict
from simcore.model.ports import PROTOCOL_NUMBERS
from tests.conftest import CORPUS
from tests.engines import engines
from tests.manifests import load

EXPECTED = {".": Verdict.ALLOW, "X": Verdict.DENY}


@cache
def suite():
    path = CORPUS / "kubernetes-e2e" / "cases.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {"cases": [], "api_validation_cases": []}


def pytest_generate_tests(metafunc):
    for argument, key in (("case", "cases"), ("validation", "api_validation_cases")):
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, suite()[key], ids=[case["id"] for case in suite()[key]])


def cluster_documents(setup):
    model = suite()["model"]
    for namespace in model["namespaces"]:
        yield namespace_document(namespace, setup)
    for pod in model["pods"]:
        yield pod_document(pod, setup)
    yield from ({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}} for name in nodes(model))


def nodes(model):
    return sorted({pod["node"] for pod in model["pods"]})


def namespace_document(namespace, setup):
    labels = {**namespace["labels"], **setup.get("add_namespace_labels", {}).get(namespace["name"], {})}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": namespace["name"], "labels": labels},
    }


def pod_document(pod, setup):
    added = setup.get("add_pod_labels", {}).get(f"{pod['namespace']}/{pod['name']}", {})
    metadata = {"name": pod["name"], "namespace": pod["namespace"], "labels": {**pod["labels"], **added}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": pod["node"], "containers": [{"name": "c", "ports": pod["ports"]}]},
        "status": {"phase": "Running", "podIPs": [{"ip": ip} for ip in pod["ips"]]},
    }


def asserted_pairs(case):
    for source, row in case["expected"]["matrix"].items():
        for destination, mark in zip(suite()["pod_order"], row, strict=True):
            if mark != "?":
                yield source, destination, EXPECTED[mark]


def end_of(cluster, name, family):
    addresses = cluster.pods[cluster.pod_numbers[name]].addresses
    return End(next(address for address in addresses if address.family is family))


@pytest.mark.parametrize("engine", engines())
def test_case(case, engine):
    snapshot = load(*cluster_documents(case["setup"]), *case["policies"])
    family = Family(int(case["ip_family"][-1]))
    pairs = list(asserted_pairs(case))
    flows = [
        Flow(
            end_of(snapshot.cluster, source, family),
            end_of(snapshot.cluster, destination, family),
            PROTOCOL_NUMBERS[case["protocol"]],
            case["port"],
        )
        for source, destination, _ in pairs
    ]
    judgements = engines()[engine](snapshot.cluster, snapshot.policies, flows)
    wrong = [pair for pair, given in zip(pairs, judgements, strict=True) if given.verdict is not pair[2]]
    assert wrong == []


def test_validation(validation):
    """What the API server refuses is refused here, and at the same field."""
    if validation["accepted"]:
        assert len(load(validation["policy"]).policies) == 1
        return
    with pytest.raises(LoadError) as caught:
        load(validation["policy"])
    assert validation["field"] in [diagnostic.place.field for diagnostic in caught.value.diagnostics]


def test_the_suite_is_whole(corpus):
    assert len(suite()["cases"]) == 69
    assert sum(len(list(asserted_pairs(case))) for case in suite()["cases"]) == 4968
