import csv
import json

import pytest

from simcore.cli.choosing import read_selector
from simcore.errors import ResolveError
from tests import golden

CLUSTER = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Namespace
metadata: {name: empty}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web}]}}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db, tier: data}}
status: {podIP: 10.0.0.9, podIPs: [{ip: 10.0.0.9}]}
---
apiVersion: v1
kind: Pod
metadata: {name: old, namespace: shop, labels: {app: db}}
status: {phase: Succeeded}
---
apiVersion: v1
kind: Pod
metadata: {name: probe, namespace: ops}
---
apiVersion: v1
kind: Node
metadata: {name: w1}
status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.1, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: web}}}]
      ports: [{port: 5432}, {port: 9000, endPort: 9100}]
    - from: [{ipBlock: {cidr: 192.0.2.0/24}}]
"""


@pytest.fixture
def reach(call, tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER)

    def _reach(*arguments):
        return call("reach", "--cluster", str(path), *arguments)

    return _reach


def rows(text):
    return [tuple(row) for row in csv.reader(text.splitlines()[1:])]


def test_text(reach, update_golden):
    code, out, _ = reach()
    assert code == 0
    golden.compare("reach.txt", out, update_golden)


def test_what_cannot_be_told_is_said_apart(reach):
    _, out, _ = reach("--from", "ops", "--to", "shop/db", "--format", "csv")
    assert rows(out) == [("ops/Pod/probe", "shop/Pod/db", "", "all ports")]
    _, out, _ = reach("--from", "ops", "--to", "shop/db")
    assert "unknown on all ports  to shop/Pod/db" in out


def test_one_port_is_shown_alone(reach):
    _, out, _ = reach("--from", "shop/web", "--to", "shop/db", "--port", "9050", "--format", "csv")
    assert ("shop/Deployment/web", "shop/Pod/db", "TCP 9050", "") in rows(out)
    _, out, _ = reach("--from", "shop/web", "--to", "shop/db", "--protocol", "udp", "--format", "csv")
    assert rows(out) == [("shop/Deployment/web", "shop/Pod/db", "", "UDP")]


@pytest.mark.parametrize("text", ["shop/web", "shop/Deployment/web", "app=web", "app in (web, x)", "app!=db,app"])
def test_a_workload_has_many_names(reach, text):
    _, out, _ = reach("--from", text, "--to", "shop/db", "--port", "5432", "--format", "csv")
    assert rows(out) == [("shop/Deployment/web", "shop/Pod/db", "TCP 5432", "")]


def test_a_block_is_the_part_of_it_that_is_outside(reach):
    _, out, _ = reach("--from", "192.0.2.128/25", "--from", "192.0.3.1", "--to", "shop/db", "--format", "csv")
    assert rows(out) == [("192.0.2.128/25", "shop/Pod/db", "all ports", "")]


def test_an_address_of_a_pod_is_the_pod(reach):
    _, out, _ = reach("--from", "10.0.0.9", "--to", "ops", "--format", "csv")
    assert rows(out) == [("shop/Pod/db", "ops/Pod/probe", "all ports", "")]


def test_a_pod_of_several_is_named(reach):
    _, out, _ = reach("--from", "shop/web-0", "--to", "shop/web", "--format", "csv")
    assert [row[0] for row in rows(out)] == ["shop/Deployment/web (1 of 2 pods, such as shop/web-0)"]


def test_one_pod_does_not_connect_to_itself(reach):
    _, out, _ = reach("--from", "ops", "--to", "ops")
    assert "No pair may connect" in out


def test_json_names_ends_and_groups(reach):
    code, out, _ = reach("--from", "shop", "--to", "192.0.2.1", "--format", "json")
    found = json.loads(out)
    assert code == 0
    assert found["pairs"] == 2
    assert {end["name"] for end in found["ends"]} == {"shop/Deployment/web", "shop/Pod/db", "192.0.2.1"}
    (group,) = found["groups"]
    assert group["sources"] == ["shop/Deployment/web", "shop/Pod/db"]
    assert group["reached"][0]["destinations"] == ["192.0.2.1"]
    assert group["reached"][0]["allowed"][0] == {"protocol": "TCP", "first": 0, "last": 65535}


def test_markdown_is_a_table(reach):
    _, out, _ = reach("--from", "shop/web", "--to", "ops", "--format", "md")
    assert out.splitlines()[2] == "| shop/Deployment/web | all ports | ops/Pod/probe |"


def test_groups_beyond_the_limit_are_counted(reach):
    _, out, _ = reach("--limit", "1")
    assert "more groups of sources with" in out


def test_npa_formats_say_what_they_leave_out(reach):
    code, out, err = reach("--from", "ops", "--to", "shop/db", "--format", "npa-txt")
    assert (code, out) == (0, "")
    assert "1 pairs have ports that cannot be told" in err


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("shpo", "no namespace 'shpo'. Did you mean shop?"),
        ("web", "no namespace 'web'. Did you mean shop/web?"),
        ("empty", "namespace 'empty' has no pod"),
        ("shop/wbe", "no pod 'shop/wbe'. Did you mean shop/web?"),
        ("shop/Service/web", "is a Service, and no end"),
        ("shop/old", "every pod of 'shop/old' has finished"),
        ("app=bd", "no pod has labels 'app=bd'. Did you mean app=db or app=web?"),
        ("10.96.0.1", "is a Service's. Name the pods behind it"),
        ("node/w11", "the cluster has no 'node/w11'. Did you mean node/w1?"),
        ("app==(", "are no labels as kubectl -l takes them"),
    ],
)
def test_what_means_nothing_is_an_error_that_names_what_is_near(reach, text, wanted):
    code, _, err = reach("--to", text)
    assert code == 2
    assert f"--to {text}: " in err
    assert wanted in err


def test_selectors_are_those_of_kubectl():
    selector = read_selector("a=1,b!=2,c in (x, y),d notin (z),e,!f")
    assert selector.matches({"a": "1", "b": "3", "c": "y", "e": ""})
    assert not selector.matches({"a": "1", "b": "3", "c": "y"})
    assert not selector.matches({"a": "1", "b": "3", "c": "y", "e": "", "f": ""})
    with pytest.raises(ResolveError):
        read_selector("a=1,,b")


def test_pods_on_the_network_of_nodes_are_said_to_be_nodes(call, tmp_path):
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER + "---\napiVersion: v1\nkind: Pod\nmetadata: {name: agent}\nspec: {hostNetwork: true}\n")
    assert "hostNetwork pods are told of as their nodes" in call("reach", "--cluster", str(path))[1]
    assert "hostNetwork pods" not in call("reach", "--cluster", str(path), "--set", "hostnetwork=pod")[1]
