"""``flowverdict diagnose`` as a user runs it."""

import json
import re
import shlex
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from loaders.synthetic.demo import write_demo
from simcore.advice.diagnosis import Cause, Status
from simcore.model.addresses import Address
from simcore.report.manifests import manifest_yaml

ROOT = Path(__file__).resolve().parents[3]
CASES = ROOT / "tests/cases/diagnose"
PAGE = (ROOT / "docs/diagnose.md").read_text("utf-8")
START = 1_767_225_600_000_000_000
SECOND = 1_000_000_000

CILIUM_RULE = """
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {namespace: shop, name: api}
spec:
  endpointSelector: {matchLabels: {app: api}}
  ingress:
    - fromEndpoints: [{matchLabels: {app: job}}]
      toPorts: [{ports: [{port: "8080", protocol: TCP}]}]
"""
CALICO_RULE = """
apiVersion: projectcalico.org/v3
kind: NetworkPolicy
metadata: {namespace: shop, name: api}
spec:
  selector: app == 'api'
  types: [Ingress]
  ingress: [{action: Deny, source: {selector: app == 'web'}}, {action: Allow}]
"""
BLOCK_RULE = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {namespace: shop, name: api}
spec:
  podSelector: {matchLabels: {app: api}}
  ingress: [{from: [{ipBlock: {cidr: 10.42.0.0/16}}]}]
"""


@pytest.fixture
def ask(call, tmp_path):
    """Asks about the cluster of a case: the code and the JSON."""

    def _ask(words, policies="", case="no-dns-rule", cluster=None):
        path = tmp_path / "policies.yaml"
        path.write_text(policies, "utf-8")
        given = ["-c", str(cluster or CASES / case / "cluster.yaml"), *(["-p", str(path)] if policies else [])]
        code, out, err = call("diagnose", *given, *shlex.split(words), "--format", "json")
        assert out, err
        return code, json.loads(out)

    return _ask


def step(found, name):
    return next(each for each in found["steps"] if each["step"] == name)


def commands(found):
    return [command["command"] for each in found["steps"] for command in each["commands"]]


@pytest.fixture
def capture(tmp_path):
    """Writes a capture between the pods of the cases: seconds, source ports and what was recorded."""

    def _capture(*rows):
        source, destination = (Address.parse(text).value for text in ("10.42.1.1", "10.42.1.2"))
        table = pa.table(
            {
                "time": pa.array([START + seconds * SECOND for seconds, _, _ in rows], pa.timestamp("ns")),
                "source_address": pa.array([source] * len(rows), pa.uint32()),
                "destination_address": pa.array([destination] * len(rows), pa.uint32()),
                "source_port": pa.array([40_000 + number for number in range(len(rows))], pa.uint16()),
                "destination_port": pa.array([port for _, port, _ in rows], pa.uint16()),
                "protocol": pa.array([6] * len(rows), pa.uint8()),
                "observed_verdict": pa.array([verdict for _, _, verdict in rows], pa.string()),
            }
        )
        path = tmp_path / "flows.parquet"
        pq.write_table(table, path)
        return str(path)

    return _capture


def test_ends_that_stand_for_nothing_are_told_with_near_names(call):
    cluster = str(CASES / "no-dns-rule/cluster.yaml")
    code, out, err = call("diagnose", "-c", cluster, "shop/web-9", "shop/Service/apis", "--port", "80")
    assert (code, out) == (2, "")
    assert "SOURCE: the cluster has no pod 'shop/web-9'. Did you mean shop/web-0?" in err
    assert "DESTINATION: the cluster has no 'shop/Service/apis'. Did you mean shop/Service/api?" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("shop/web-0 shop/web-0", "DESTINATION: containers of shop/web-0 declare no port: say which with --port N"),
        ("shop/web-0 192.0.2.1", "DESTINATION: 192.0.2.1 is no pod and no Service, so its ports are not known"),
        ("shop/web-0 shop/Service/api --protocol UDP", "DESTINATION: shop/Service/api has no UDP port: say which"),
        (
            "shop/web-0 kube-system/Service/kube-dns",
            "DESTINATION: kube-system/Service/kube-dns has TCP 53 and UDP 53: say which with --port N and --protocol",
        ),
        ("a b --protocol ICMP --port 1", "leave --port out"),
        ("a", "DESTI"),
    ],
)
def test_wrong_use_is_told(call, words, message):
    code, out, err = call("diagnose", "-c", str(CASES / "no-dns-rule/cluster.yaml"), *words.split())
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize(
    ("words", "protocol", "port", "reason"),
    [
        ("shop/Service/api", "TCP", 80, "80 is the only port that shop/Service/api has"),
        ("shop/api-0", "TCP", 8080, "8080 is the only port that containers of shop/api-0 declare"),
        ("10.42.1.2", "TCP", 8080, "8080 is the only port that containers of shop/api-0 declare"),
        (
            "kube-system/Service/kube-dns --protocol UDP",
            "UDP",
            53,
            "53 is the only UDP port that kube-system/Service/kube-dns has",
        ),
        ("shop/api-0 --port 81", "TCP", 81, None),
        ("shop/api-0 --protocol ICMP", "ICMP", None, None),
    ],
)
def test_the_only_port_is_taken_and_told(ask, words, protocol, port, reason):
    found = ask(f"shop/web-0 {words}")[1]
    assert (found["protocol"], found["port"], found["port_taken"]) == (protocol, port, reason)


@pytest.mark.parametrize(("target", "port"), [("8080", 8080), ("http", 8080)])
def test_a_headless_service_is_dialled_at_the_port_of_its_pods(ask, tmp_path, target, port):
    cluster = (CASES / "no-dns-rule/cluster.yaml").read_text("utf-8")
    headless = re.sub(r"clusterIP: 10.96.1.1", "clusterIP: None", cluster)
    assert headless != cluster
    path = tmp_path / "cluster.yaml"
    path.write_text(headless.replace("targetPort: 8080", f"targetPort: {target}"), "utf-8")
    assert ask("shop/web-0 shop/Service/api", cluster=path)[1]["port"] == port


def test_the_report_says_which_port_was_taken(call):
    cluster = str(CASES / "no-dns-rule/cluster.yaml")
    out = call("diagnose", "-c", cluster, "shop/web-0", "shop/Service/api")[1]
    assert out.splitlines()[2] == "Port 80 is the only port that shop/Service/api has."
    assert "only port" not in call("diagnose", "-c", cluster, "shop/web-0", "shop/Service/api", "--port", "80")[1]


def test_an_address_outside_is_no_pod(ask):
    code, found = ask("198.51.100.7 shop/api-0 --port 8080")
    assert (code, found["cause"]) == (0, "allowed")
    assert [step(found, name)["status"] for name in ("dns", "egress")] == ["not-asked"] * 2
    code, found = ask("shop/web-0 198.51.100.7 --port 443", BLOCK_RULE)
    assert (code, found["cause"]) == (0, "allowed")
    assert step(found, "ingress")["status"] == "not-asked"


def test_what_is_not_known_is_said(ask, tmp_path):
    cluster = (CASES / "no-dns-rule/cluster.yaml").read_text("utf-8").replace("podIP: 10.42.1.1, ", "")
    path = tmp_path / "cluster.yaml"
    path.write_text(cluster, "utf-8")
    code, found = ask("shop/web-0 shop/api-0 --port 8080", BLOCK_RULE, cluster=path)
    assert (code, found["verdict"], found["cause"]) == (1, "unknown", "unknown")
    assert step(found, "ingress")["status"] == "unknown"
    assert found["to_do"] == ["Load the cluster with its pods' addresses: kubectl get pods -A -o json."]


def test_a_cluster_without_dns_pods_is_in_doubt_about_names_only(ask, tmp_path):
    documents = (CASES / "no-dns-rule/cluster.yaml").read_text("utf-8").split("---\n")
    path = tmp_path / "cluster.yaml"
    path.write_text("---\n".join(text for text in documents if "kube-system" not in text), "utf-8")
    code, found = ask("shop/web-0 shop/api-0 --port 8080", cluster=path)
    assert (code, found["cause"], step(found, "dns")["status"]) == (0, "allowed", "unknown")
    assert "whether names are found is not known" in found["sentence"]


def test_policies_of_cilium_are_followed_with_hubble(ask):
    code, found = ask("shop/web-0 shop/api-0 --port 8080 --cni cilium", CILIUM_RULE)
    assert (code, found["cause"]) == (1, "wrong-label")
    assert step(found, "ingress")["findings"][0]["policy"] == "CiliumNetworkPolicy shop/api"
    observed = "hubble observe --verdict DROPPED --follow --from-pod shop/web-0 --to-pod shop/api-0 --to-port 8080"
    assert any(line.startswith(observed) for line in commands(found))
    assert "kubectl describe ciliumnetworkpolicy -n shop api" in commands(found)


def test_a_rule_of_calico_that_denies_is_named(ask):
    code, found = ask("shop/web-0 shop/api-0 --port 8080 --cni calico", CALICO_RULE)
    assert (code, found["cause"]) == (1, "denied-by-rule")
    assert step(found, "ingress")["findings"][0]["line"] == 8
    assert not any(line.startswith("hubble") for line in commands(found))
    assert "kubectl describe networkpolicy.projectcalico.org -n shop api" in commands(found)


def test_commands_hold_on_one_line_in_a_shell(ask):
    _, found = ask("shop/web-0 shop/Service/api --port 80 --cni cilium", BLOCK_RULE)
    for line in commands(found):
        assert "\n" not in line
        assert shlex.split(line)[0] in ("kubectl", "hubble")


def test_a_service_that_nobody_is_behind_is_worth_a_diagnosis(ask, tmp_path):
    text = (
        (CASES / "service-without-backend/cluster.yaml")
        .read_text("utf-8")
        .replace("clusterIP: 10.96.1.1", "clusterIP: None")
    )
    path = tmp_path / "cluster.yaml"
    path.write_text(text, "utf-8")
    code, found = ask("shop/web-0 shop/Service/api --port 80", cluster=path)
    assert (code, found["cause"], found["verdict"]) == (1, "service-without-backend", "unknown")
    assert "app=apii" in found["sentence"]
    assert "shop/api-0 has app=api" in found["sentence"]


def test_a_change_is_held_against_what_was_before(call):
    folder = ROOT / "examples/three-tier"
    words = ["-c", str(folder / "cluster.yaml"), "-p", str(folder / "policies.yaml"), "--format", "json"]
    ends = ["bookstore/web-0", "bookstore/Service/api", "--port", "80"]
    told = {}
    for name in ("allow-dns", "web-to-api-egress", "api-to-db-egress"):
        code, out, _ = call("diagnose", *words, "--delete", f"netpol/bookstore/{name}", *ends)
        found = json.loads(out)
        told[name] = code, found["cause"], step(found, "change")["status"]
    assert told == {
        "allow-dns": (1, "no-dns-rule", "found"),
        "web-to-api-egress": (1, "no-egress-rule", "found"),
        "api-to-db-egress": (0, "allowed", "ok"),
    }


def test_the_newest_policy_that_isolates_is_named(ask):
    policies = (CASES / "no-dns-rule/policies.yaml").read_text("utf-8")
    stamps = iter(["2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"])
    dated = re.sub(r"metadata: \{", lambda found: f"{found[0]}creationTimestamp: '{next(stamps)}', ", policies)
    _, found = ask("shop/web-0 shop/Service/api --port 80", dated)
    assert "NetworkPolicy shop/web-to-api, of 2026-03-01T00:00:00Z" in step(found, "change")["found"]


def test_a_capture_tells_when_it_last_worked(ask, capture):
    path = capture((0, 8080, "FORWARDED"), (60, 8080, "FORWARDED"), (90, 8080, "DROPPED"), (99, 22, "DROPPED"))
    _, found = ask(f"{path} shop/web-0 shop/Service/api --port 80", BLOCK_RULE)
    traffic = step(found, "traffic")
    assert traffic["status"] == "found"
    assert traffic["found"] == "3 seen on this port: 2 recorded as let through, 1 as dropped."
    assert traffic["details"][1:] == [
        "1 more on other ports.",
        "The first began at 2026-01-01 00:00:00 UTC, the last at 2026-01-01 00:01:30 UTC.",
        "It last worked at 2026-01-01 00:01:00 UTC.",
        "It was first dropped at 2026-01-01 00:01:30 UTC.",
    ]
    _, found = ask(f"{path} shop/api-0 shop/web-0 --port 80")
    assert step(found, "traffic")["found"] == "Nothing was seen on this port."


def test_a_full_table_is_a_cause(ask, capture):
    path = capture(*((number, 8080, None) for number in range(50)))
    code, found = ask(f"{path} shop/web-0 shop/api-0 --port 8080 --conntrack-max 16")
    assert (code, found["cause"]) == (1, "conntrack-full")
    code, found = ask(f"{path} shop/web-0 shop/api-0 --port 8080 --conntrack-max 64")
    assert (code, found["cause"], step(found, "conntrack")["status"]) == (0, "allowed", "ok")


def test_the_demo_with_its_change(call, tmp_path):
    demo = write_demo(tmp_path / "demo")
    given = ["-c", str(demo.cluster), "-p", str(demo.policies), "--apply", str(demo.change), str(demo.capture)]
    code, out, _ = call("diagnose", *given, "shop/Deployment/checkout", "shop/Service/postgres", "--port", "5432")
    assert code == 1
    assert "Conclusion: no-dns-rule" in out
    assert "- and-for-or: " in out
    assert "The change denies it: before, it was allowed." in out


def test_the_manifest_of_dns_mends_it(call, ask, tmp_path):
    _, found = ask("shop/web-0 shop/Service/api --port 80", (CASES / "no-dns-rule/policies.yaml").read_text("utf-8"))
    path = tmp_path / "mended.yaml"
    path.write_text(found["manifest"], "utf-8")
    folder = CASES / "no-dns-rule"
    words = ["-c", str(folder / "cluster.yaml"), "-p", str(folder / "policies.yaml"), "--apply", str(path)]
    code, out, _ = call("diagnose", *words, "shop/web-0", "shop/Service/api", "--port", "80")
    assert code == 0
    assert "Conclusion: allowed" in out
    assert manifest_yaml(yaml.safe_load(found["manifest"])) == found["manifest"]


def test_the_example_of_the_page_is_what_it_answers(call, monkeypatch):
    monkeypatch.chdir(ROOT)
    (block,) = re.findall(r"^```\n\$ flowverdict (.*?)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    _, out, _ = call(*shlex.split(block[0]))
    assert out == block[1]


def test_the_page_has_every_cause_and_status():
    assert [cause for cause in Cause if f"`{cause}`" not in PAGE] == []
    assert [status for status in Status if f"`{status}`" not in PAGE] == []


def test_a_service_is_a_source_by_its_pods(ask):
    policies = (CASES / "no-dns-rule/policies.yaml").read_text("utf-8")
    code, found = ask("shop/Service/api shop/web-0 --port 8080", policies)
    assert (code, found["cause"]) == (1, "no-dns-rule")
    assert "lets shop/api-0 ask kube-system/Service/kube-dns" in found["sentence"]


def test_a_named_port_is_told_with_its_number(ask):
    policies = (CASES / "named-port/healthy/policies.yaml").read_text("utf-8")
    _, found = ask("shop/web-0 shop/api-0 --port 9090", policies, case="named-port")
    assert "allows TCP port named http (8080) and not TCP 9090" in found["sentence"]


def test_a_manifest_selects_one_workload_only(ask, tmp_path):
    documents = list(yaml.safe_load_all((CASES / "no-egress-rule/cluster.yaml").read_text("utf-8")))
    (pod,) = (one for one in documents if one["metadata"]["name"] == "web-0")
    canary = json.loads(json.dumps(pod))
    canary["metadata"] |= {"name": "web-canary", "labels": {"app": "web", "track": "canary", "pod-template-hash": "x1"}}
    canary["status"]["podIP"] = "10.42.1.9"
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump_all([*documents, canary]), "utf-8")
    policies = (CASES / "no-egress-rule/policies.yaml").read_text("utf-8")
    _, found = ask("shop/web-canary shop/api-0 --port 8080", policies, cluster=path)
    (manifest,) = (
        yaml.safe_load(finding["manifest"])
        for finding in step(found, "egress")["findings"]
        if finding["cause"] == "no-egress-rule"
    )
    assert manifest["spec"]["podSelector"] == {"matchLabels": {"app": "web", "track": "canary"}}
    assert manifest["spec"]["egress"][0]["to"] == [{"podSelector": {"matchLabels": {"app": "api"}}}]


def test_what_may_be_meant_is_told_beside_an_answer_that_is_fine(ask):
    words = "shop/web-0 shop/agent-0 --port 8080"
    policies = (CASES / "host-network-open/policies.yaml").read_text("utf-8")
    code, found = ask(words, policies, case="host-network-open")
    assert (code, found["cause"], [one["cause"] for one in found["others"]]) == (0, "allowed", ["host-network"])
    policies = (CASES / "or-for-and/policies.yaml").read_text("utf-8")
    code, found = ask("staging/job-0 shop/api-0 --port 8080", policies, case="or-for-and")
    assert (code, found["cause"], [one["cause"] for one in found["others"]]) == (0, "allowed", ["or-for-and"])
    assert "pods with app=web in namespaces with env=prod, and this would be denied" in found["others"][0]["sentence"]


def test_one_item_that_shuts_its_own_namespace_out_is_told_once(ask):
    policies = (CASES / "and-for-or/policies.yaml").read_text("utf-8")
    _, found = ask("shop/web-0 shop/api-0 --port 8080", policies, case="and-for-or")
    assert [each["step"] for each in found["steps"] if each["status"] == "found"] == ["ingress", "and-or"]
    assert found["others"] == []


def test_no_manifest_is_offered_where_another_kind_of_policy_closes(ask):
    _, found = ask("shop/api-0 shop/api-0 --port 8080 --cni cilium", CILIUM_RULE)
    assert found["cause"] == "allowed"
    closed = CILIUM_RULE.replace("app: job", "app: web").replace("{app: api}", "{app: web}")
    _, found = ask("shop/api-0 shop/web-0 --port 8080 --cni cilium", closed)
    assert (found["cause"], found["manifest"]) == ("no-ingress-rule", None)


def test_the_name_of_a_namespace_is_mended_in_the_rule(ask):
    policies = (CASES / "misspelt-namespace/policies.yaml").read_text("utf-8")
    _, found = ask("monitoring/prometheus-0 shop/Service/api --port 9090", policies, case="misspelt-namespace")
    assert found["to_do"] == ["Write kubernetes.io/metadata.name=monitoring in the rule."]
    assert "kubectl describe networkpolicy -n shop scrape" in commands(found)
