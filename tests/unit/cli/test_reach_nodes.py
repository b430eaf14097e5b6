"""Nodes in reach and diff: who may reach them and be reached by them, near and far."""

import csv
import json
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "api-server-egress"
NODE = """\
apiVersion: v1
kind: Node
metadata: {{name: w{0}}}
status: {{addresses: [{{type: InternalIP, address: 10.9.0.{0}}}]}}
---
"""
POD = """\
apiVersion: v1
kind: Pod
metadata: {{name: {0}, namespace: shop, labels: {{app: web}}, ownerReferences: [{{{2}}}]}}
spec: {{nodeName: {1}}}
status: {{podIP: 10.0.0.{3}, podIPs: [{{ip: 10.0.0.{3}}}], phase: Running}}
---
"""
OWNER = "apiVersion: apps/v1, kind: StatefulSet, name: web, uid: a, controller: true"
ISOLATED = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [], egress: []}
"""
TO_HOST = """\
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: web, namespace: shop}
spec: {endpointSelector: {}, egress: [{toEntities: [host]}]}
"""


def manifests(nodes, homes):
    pods = [POD.format(f"web-{number}", home, OWNER, number + 1) for number, home in enumerate(homes)]
    return "".join([*(NODE.format(number) for number in range(1, nodes + 1)), *pods])


@pytest.fixture
def ask(call, tmp_path):
    def _ask(policies, nodes, homes, *arguments):
        path = tmp_path / "cluster.yaml"
        path.write_text(manifests(nodes, homes) + policies)
        code, out, _ = call("reach", "--cluster", str(path), "--format", "csv", *arguments)
        assert code == 0
        return {(row["source"], row["destination"]): row["allowed"] or (row["unknown"] and "?") for row in rows(out)}

    return _ask


def rows(text):
    return list(csv.DictReader(text.splitlines()))


WEB = "shop/StatefulSet/web"


def test_a_rule_for_a_nodes_address_is_shown(call):
    _, out, _ = call("reach", "--cluster", str(EXAMPLE), "--from", "app=backup-operator", "--to", "node/control-1")
    assert "TCP 6443  to node/control-1" in out
    assert "to 0 workloads, 1 node and" in out


@pytest.mark.parametrize("text", ["node/control-1", "192.168.10.1"])
def test_a_node_is_asked_about_by_name_and_by_address(call, text):
    _, out, _ = call("reach", "--cluster", str(EXAMPLE), "--to", text, "--format", "json")
    reached = [one for group in json.loads(out)["groups"] for one in group["reached"]]
    assert {name for one in reached for name in one["destinations"]} == {"node/control-1"}


def test_a_change_of_such_a_rule_is_in_diff(call, tmp_path):
    text = (EXAMPLE / "policies.yaml").read_text()
    changed = tmp_path / "policies.yaml"
    changed.write_text(text.replace("192.168.10.1/32", "192.168.10.2/32"))
    sides = str(EXAMPLE / "policies.yaml"), str(changed)
    _, out, _ = call("diff", *sides, "--cluster", str(EXAMPLE / "cluster.yaml"), "--format", "json")
    lost = [change for change in json.loads(out)["changes"] if change["change"] == "lost"]
    assert [(change["destinations"], change["ports"][0]["first"]) for change in lost] == [(["node/control-1"], 6443)]
    assert lost[0]["before"]["verdict"] == "allow"
    assert lost[0]["after"]["verdict"] == "deny"


@pytest.mark.parametrize(("homes", "sources"), [(["w1", "w1"], set()), (["w1", "w2"], {"node/w1"})])
def test_diff_tells_of_nodes_only_what_is_so_for_pods_elsewhere(call, tmp_path, homes, sources):
    """What a node does to its own pods stays, whatever policies say."""
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    before.write_text(manifests(1, homes))
    after.write_text(manifests(1, homes) + ISOLATED)
    _, out, _ = call("diff", str(before), str(after), "--format", "json")
    lost = [change for change in json.loads(out)["changes"] if change["change"] == "lost"]
    assert {name for change in lost for name in change["sources"] if name.startswith("node")} == sources
    own = [change for change in lost if change["sources"] == ["node/w1"]]
    assert all(change["after"]["verdict"] == "deny" for change in own)


def test_nodes_that_are_added_are_no_change_if_rules_see_them_as_others(call, tmp_path):
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    before.write_text(manifests(2, ["w1", "w2"]))
    after.write_text(manifests(3, ["w1", "w2"]))
    assert "none would gain" not in call("diff", str(before), str(after))[1]
    assert "No connection is lost" in call("diff", str(before), str(after))[1]


def test_nodes_that_no_rule_tells_apart_are_one_end(ask):
    found = ask("", 3, ["w1", "w2"])
    assert found[WEB, "3 nodes (node/w1, node/w2 and 1 more)"] == "all ports"
    assert found["3 nodes (node/w1, node/w2 and 1 more)", WEB] == "all ports"
    assert ask("", 3, ["w1", "w2"], "--to", "node/w2")[WEB, "node/w2"] == "all ports"


def test_what_a_node_does_to_its_own_pods_is_not_told(ask):
    assert ask(ISOLATED, 1, ["w1", "w1"]) == {}


def test_rules_for_the_own_node_make_others_unknown(ask):
    agent = ("--cni", "cilium")
    assert ask(TO_HOST, 2, ["w1", "w2"], *agent)[WEB, "2 nodes (node/w1, node/w2)"] == "?"
    assert ask(TO_HOST, 1, ["w1", "w1"], *agent)[WEB, "node/w1"] == "?"
    everywhere = TO_HOST.replace("[host]", "[host, remote-node]")
    assert ask(everywhere, 2, ["w1", "w2"], *agent)[WEB, "2 nodes (node/w1, node/w2)"] == "TCP; UDP"


def test_netpol_analyzers_formats_have_no_nodes(call):
    assert "node" not in call("reach", "--cluster", str(EXAMPLE), "--format", "npa-txt")[1]


@pytest.mark.parametrize("format_", ["svg", "dot"])
def test_pictures_have_nodes(call, format_):
    assert "control-1" in call("reach", "--cluster", str(EXAMPLE), "--format", format_)[1]


DUAL = """\
apiVersion: v1
kind: Node
metadata: {name: w1}
status: {addresses: [{type: InternalIP, address: 10.9.0.1}, {type: InternalIP, address: "fd00::9"}]}
---
apiVersion: v1
kind: Node
metadata: {name: w2}
status: {addresses: [{type: InternalIP, address: 10.9.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec: {nodeName: w2}
status: {podIP: "fd00::1", podIPs: [{ip: "fd00::1"}], phase: Running}
"""
OUT = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: shop}
spec: {podSelector: {}, policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: "fd00::9/128"}}]}]}
"""


@pytest.mark.parametrize("format_", ["text", "md", "json"])
def test_rules_are_not_told_where_the_address_asked_about_tells_something_else(call, tmp_path, format_):
    for name, text in (("cluster", DUAL), ("before", OUT), ("after", ISOLATED)):
        (tmp_path / f"{name}.yaml").write_text(text)
    paths = [str(tmp_path / f"{name}.yaml") for name in ("before", "after")]
    code, out, _ = call("diff", *paths, "--cluster", str(tmp_path / "cluster.yaml"), "--format", format_)
    assert code == 0
    if format_ == "json":
        lost = [entry for entry in json.loads(out)["changes"] if entry["change"] == "lost"]
        assert {(entry["before"], entry["after"]) for entry in lost if "node/w1" in str(entry)} == {(None, None)}
    else:
        assert "it depends on the addresses of these ends" in " ".join(out.split())
