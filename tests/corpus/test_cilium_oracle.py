"""Cilium's evaluator against the corpus of its policies: what it says of every probe."""

import json
from functools import cache

from tests.conftest import CORPUS
from tests.oracles import cilium as oracle

HERE = "here"


@cache
def suite():
    path = CORPUS / "cilium" / "cases.json"
    return json.loads(path.read_text("utf-8"))["cases"] if path.exists() else []


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        judged = [case for case in suite() if case["probes"]]
        metafunc.parametrize("case", judged, ids=[case["id"] for case in judged])


def endpoint_of(found):
    """An endpoint as the evaluator takes it; every pod runs on the one node that is the host."""
    kind = {"host": "node", "remote-node": "node"}.get(found["kind"], found["kind"])
    node = found["id"] if found["kind"] == "remote-node" else HERE
    ips = [found["ip"]] if "ip" in found else []
    return {**found, "kind": kind, "node": node, "ips": ips}


def cluster_of(case):
    found = case["cluster"]
    return {**found, "endpoints": [endpoint_of(one) for one in found["endpoints"]], "names": found.get("dns")}


def version_of(case):
    """The newest version that the case holds for."""
    said = case["cilium_versions"]
    return tuple(int(part) for part in said.split()[0][2:].split(".")) if said.startswith("<=") else (1, 20)


def settings_of(case):
    return {**case["config"], "version": version_of(case)}


def flow_of(probe):
    flow = {"source": {"id": probe["src"]}, "destination": {"id": probe["dst"]}, "protocol": probe["proto"]}
    return {**flow, "port": probe.get("port"), "icmp_type": probe.get("icmp_type"), "request": request_of(probe)}


def request_of(probe):
    """The request, whole: headers that are not named are absent."""
    found = probe.get("l7") or {}
    return {**found, "headers": found.get("headers", {})} if "method" in found else found


def expected(expect):
    """The answer in the evaluator's words; a redirect of which nothing is asked is a question of its own."""
    if expect["verdict"] != "redirect-l7":
        return {expect["verdict"]}
    return {f"redirect-l7 {expect.get('l7', 'unasked')}"}


def test_case(case):
    cluster, settings = cluster_of(case), settings_of(case)
    found = [(probe, oracle.answers(cluster, case["policies"], flow_of(probe), settings)) for probe in case["probes"]]
    assert [pair for pair in found if pair[1] != expected(pair[0]["expect"])] == []


def test_sides(case):
    """Where the case says which direction decides, it is that one."""
    cluster, settings = cluster_of(case), settings_of(case)
    for probe in case["probes"]:
        for place, side in enumerate(("egress", "ingress")):
            if side in probe["expect"]:
                pairs = oracle.directions(cluster, case["policies"], flow_of(probe), settings)
                assert {pair[place] for pair in pairs} == {probe["expect"][side]}


def test_the_corpus_is_whole(corpus):
    assert len([case for case in suite() if case["probes"]]) == 84
    assert sum(len(case["probes"]) for case in suite()) == 225
