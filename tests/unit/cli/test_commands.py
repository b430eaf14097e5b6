"""The commands as a user runs them, up to their exit codes; `tests/data/shop` is their cluster."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import golden

SHOP = Path(__file__).resolve().parents[2] / "data" / "shop"


@pytest.fixture(autouse=True)
def in_the_shop(monkeypatch):
    monkeypatch.chdir(SHOP)
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


EXPLAINED = {
    "denied": ["shop/web-1", "shop/db-0", "--port", "5432"],
    "allowed": ["shop/web-2", "shop/db-0", "--port", "5432"],
    "service": ["shop/StatefulSet/web", "shop/Service/db", "--port", "15432"],
    "self": ["shop/web-1", "shop/web-1", "--port", "8080"],
    "icmp": ["shop/web-1", "shop/db-0", "--protocol", "icmp"],
    "outside": ["8.8.8.8", "shop/db-0", "--port", "9001"],
    "rests-on": ["shop/web-2", "shop/db-0", "--port", "9001"],
    "no-backend": ["shop/web-1", "10.96.0.9", "--port", "1"],
}


@pytest.mark.parametrize("name", EXPLAINED)
def test_explain(name, call, update_golden):
    code, out, err = call("explain", "--cluster", "cluster.yaml", *EXPLAINED[name])
    assert (code, err) == (0, "ignored, since no verdict depends on them: v1 ConfigMap (1)\n")
    golden.compare(f"explain-{name}.txt", out, update_golden)


def test_explain_json_has_the_same_chain(call):
    arguments = [
        "-c",
        "cluster.yaml",
        "--apply",
        "tiers.yaml",
        "shop/web-1",
        "shop/db-0",
        "--port",
        "5432",
        "--format",
        "json",
    ]
    code, out, _ = call("explain", *arguments)
    (pair,) = json.loads(out)["pairs"]
    assert (code, pair["egress"]["chain"]) == (0, [])
    passing, denying = pair["ingress"]["chain"]
    assert passing == {
        "tier": "anp",
        "order": 10,
        "policy": "AdminNetworkPolicy database",
        "index": 0,
        "name": "owners-decide",
        "action": "pass",
        "match": "yes",
        "file": "tiers.yaml",
        "line": 9,
    }
    assert denying == {
        "tier": "networkpolicy",
        "order": None,
        "policy": "NetworkPolicy shop/db",
        "index": None,
        "name": None,
        "action": "deny",
        "match": "yes",
        "file": "cluster.yaml",
        "line": 46,
    }


def test_explain_json(call, update_golden):
    arguments = ["--cluster", "cluster.yaml", *EXPLAINED["service"], "--format", "json"]
    code, out, _ = call("explain", *arguments)
    assert code == 0
    golden.compare("explain-service.json", out, update_golden)


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_check(form, call, update_golden):
    code, out, _ = call("check", "-c", "cluster.yaml", "tests.yaml", "--format", form)
    assert code == 1
    golden.compare(f"check.{form}", out, update_golden)


def test_check_json_has_the_documented_shape(call):
    _, out, _ = call("check", "-c", "cluster.yaml", "tests.yaml", "--format", "json")
    report = json.loads(out)
    assert list(report) == ["results", "passed", "failed", "network_plugin"]
    assert (report["passed"], report["failed"]) == (3, 2)
    for result in report["results"]:
        keys = ["from", "to", "port", "protocol", "verdict", "expect", "passed", "egress", "ingress"]
        assert list(result) == keys
        assert list(result["egress"]) == list(result["ingress"]) == ["verdict", "reason", "policy", "rule"]


def test_junit_counts_its_failures(call):
    _, out, _ = call("check", "-c", "cluster.yaml", "tests.yaml", "--format", "junit")
    suite = ElementTree.fromstring(out).find("testsuite")
    assert suite.get("tests") == str(len(suite.findall("testcase"))) == "5"
    assert suite.get("failures") == str(len(suite.findall("testcase/failure"))) == "2"


@pytest.mark.parametrize("form", ["text", "json", "junit"])
@pytest.mark.parametrize(("expect", "code"), [("deny", 0), ("allow", 1)])
def test_the_format_never_changes_the_exit_code(form, expect, code, call, tmp_path):
    tests = tmp_path / "tests.yaml"
    tests.write_text(f"tests: [{{from: shop/web-1, to: shop/db-0, port: 5432, expect: {expect}}}]")
    assert call("check", "-c", "cluster.yaml", str(tests), "--format", form)[0] == code


def test_an_unknown_verdict_fails_every_expectation(call, tmp_path):
    tests = tmp_path / "tests.yaml"
    test = "{from: shop/StatefulSet/web, to: shop/db-0, port: 5432, expect: %s}"
    tests.write_text(f"tests: [{test % 'allow'}, {test % 'deny'}]")
    code, out, _ = call("check", "-c", "cluster.yaml", str(tests), "--format", "json")
    assert code == 1
    assert [(r["verdict"], r["passed"]) for r in json.loads(out)["results"]] == [("unknown", False)] * 2


def test_a_setting_changes_the_verdict(call):
    arguments = ["explain", "-c", "cluster.yaml", *EXPLAINED["rests-on"], "--format", "json"]
    assert json.loads(call(*arguments)[1])["verdict"] == "allow"
    assert json.loads(call(*arguments, "--set", "ipblock_matches_pods=false")[1])["verdict"] == "deny"


def test_policies_stand_in_for_those_of_the_cluster(call, tmp_path):
    policy = tmp_path / "other.yaml"
    policy.write_text(
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: open, namespace: shop},"
        " spec: {podSelector: {}, ingress: [{}]}}"
    )
    arguments = ["-c", "cluster.yaml", "-p", str(policy), *EXPLAINED["denied"], "--format", "json"]
    assert json.loads(call("explain", *arguments)[1])["verdict"] == "allow"


WRONG = {
    "no-command": (["rplay"], "No such command 'rplay'"),
    "no-cluster": (["explain", "a/b", "c/d", "--port", "1"], "Missing option '--cluster'"),
    "no-port": (["explain", "-c", "cluster.yaml", "a/b", "c/d"], "TCP needs --port N"),
    "needless-port": (
        ["explain", "-c", "cluster.yaml", "a/b", "c/d", "--port", "1", "--protocol", "ICMP"],
        "ICMP has no ports",
    ),
    "no-protocol": (
        ["explain", "-c", "cluster.yaml", "a/b", "c/d", "--protocol", "TPC"],
        "'TPC' is no protocol; there are TCP, UDP",
    ),
    "no-setting": (
        ["check", "-c", "cluster.yaml", "tests.yaml", "--set", "hostnet=pod"],
        "there are ipblock_matches_pods",
    ),
    "no-such-word": (
        ["check", "-c", "cluster.yaml", "tests.yaml", "--set", "hostnetwork=host"],
        "hostnetwork takes node or pod",
    ),
    "no-equals": (["check", "-c", "cluster.yaml", "tests.yaml", "--set", "hostnetwork"], "is not NAME=VALUE"),
    "no-file": (["check", "-c", "nowhere.yaml", "tests.yaml"], "error: nowhere.yaml: there is no such file"),
    "no-tests": (["check", "-c", "cluster.yaml", "nowhere.yaml"], "error: nowhere.yaml: this cannot be read"),
    "no-pod": (
        ["explain", "-c", "cluster.yaml", "shop/web", "shop/db-0", "--port", "1"],
        "error: SOURCE: the cluster has no pod 'shop/web'. Did you mean shop/StatefulSet/web",
    ),
    "no-change": (["whatif", "x.parquet", "-c", "cluster.yaml"], "name the change"),
    "bad-map": (["replay", "x.parquet", "-c", "cluster.yaml", "--map", "a"], "is not NAME=COLUMN"),
    "stdin-twice": (
        ["explain", "-c", "-", "-p", "-", "a/b", "c/d", "--port", "1"],
        "--cluster and --policies name standard input (-), which can be read once",
    ),
    "stdin-thrice": (
        ["check", "-", "-c", "-", "-c", "-"],
        "TESTS.yaml and --cluster and --cluster name standard input (-)",
    ),
    "not a capture": (
        ["generate", "packets", "--count", "5", "--out", "cluster.yaml"],
        "cluster.yaml exists and is not a Parquet file",
    ),
    "not a capture of flows": (
        ["generate", "flows", "-c", "cluster.yaml", "--count", "5", "--out", "cluster.yaml"],
        "cluster.yaml exists and is not a Parquet file",
    ),
    "no-number": (["generate", "packets", "--count", "5", "--seconds", "nan", "--out", "x"], "is not a number"),
    "endless": (["generate", "packets", "--count", "5", "--seconds", "inf", "--out", "x"], "is not in the range"),
    "bad-count": (["generate", "flows", "-c", "cluster.yaml", "--count", "many", "--out", "x"], "'many' is not"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_told_on_stderr_with_code_2(name, call):
    arguments, message = WRONG[name]
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


def told(err):
    """The file and line, or the option, of each error."""
    lines = err.splitlines()
    assert all(each.startswith("error: ") for each in lines)
    return [re.match(r"error: (?:\S*/)?(.+?)(?:, [a-z]\S*)?: ", each)[1] for each in lines]


def test_all_that_is_wrong_is_told_at_once(call, tmp_path):
    tests = tmp_path / "tests.yaml"
    tests.write_text("tests:\n- {from: a/b, port: 1}\n- {from: a/b, to: c/d, port: x, expect: maybe}\n")
    code, _, err = call("check", "-c", "nowhere.yaml", str(tests))
    assert code == 2
    assert told(err) == ["nowhere.yaml", "tests.yaml:2", "tests.yaml:3", "tests.yaml:3"]


def test_names_of_nothing_are_told_beside_all_that_is_wrong(call, tmp_path):
    tests = tmp_path / "tests.yaml"
    tests.write_text(
        "tests:\n- {from: shop/db-0, to: shop/db-9, port: 0}\n- {from: shop/db-8, to: shop/db-0, port: 1}\n- {to: x}\n"
    )
    delete = ("--delete", "netpol/shop/gone", "--delete", "netpol/shop/lost")
    code, out, err = call("check", "-c", "cluster.yaml", str(tests), *delete)
    assert (code, out) == (2, "")
    errors = "".join(each for each in err.splitlines(True) if each.startswith("error: "))
    assert told(errors) == [
        *("tests.yaml:2", "tests.yaml:2", "tests.yaml:3", "tests.yaml:4", "tests.yaml:4", "tests.yaml:4"),
        *("--delete netpol/shop/gone", "--delete netpol/shop/lost"),
    ]


def test_both_ends_that_are_nothing_are_told(call):
    code, _, err = call("explain", "-c", "cluster.yaml", "shop/x", "10.0.0.300", "--port", "1")
    assert code == 2
    assert "error: SOURCE: the cluster has no pod 'shop/x'" in err
    assert "error: DESTINATION: '10.0.0.300' is not namespace/pod" in err


@pytest.mark.parametrize("command", [[], ["demo"], ["generate"], ["check"], ["explain"], ["replay"], ["whatif"]])
def test_every_command_has_help(command, call):
    code, out, _ = call(*command, "--help")
    assert code == 0
    assert "Usage: flowverdict" in out


def test_version(call):
    code, out, _ = call("--version")
    assert code == 0
    assert out.startswith("flowverdict ")


def test_a_fault_of_ours_is_never_an_answer(call, monkeypatch):
    import simcore.cli.judging

    monkeypatch.setattr(simcore.cli.judging.Judge, "answers", lambda *_: 1 / 0)
    code, _, err = call("explain", "-c", "cluster.yaml", *EXPLAINED["denied"])
    assert code == 2
    assert "please report it" in err


@pytest.mark.parametrize(
    ("deleted", "word"),
    [
        ([], "DENY"),
        (["banp/default"], "ALLOW"),
        (["BaselineAdminNetworkPolicy.policy.networking.k8s.io/default"], "ALLOW"),
    ],
)
def test_policies_of_no_namespace_load_with_the_cluster_and_can_be_deleted(deleted, word, call):
    arguments = [argument for name in deleted for argument in ("--delete", name)]
    question = ["explain", "shop/db-0", "shop/web-1", "--port", "8080", "-c", "cluster.yaml", "-c", "tiers.yaml"]
    code, out, _ = call(*question, *arguments)
    assert (code, f"\n{word}  " in out) == (0, True)


TWO_VERSIONS = """\
apiVersion: policy.networking.k8s.io/v1alpha1
kind: AdminNetworkPolicy
metadata: {name: guard}
spec:
  priority: 10
  subject: {namespaces: {}}
  ingress: [{action: Deny, from: [{namespaces: {}}]}]
---
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Admin
  priority: 10
  subject: {namespaces: {}}
  ingress: [{action: Accept, from: [{namespaces: {}}]}]
"""


def test_two_versions_of_one_tier_are_refused_unless_one_of_them_goes(call, tmp_path):
    path = tmp_path / "tiered.yaml"
    path.write_text(TWO_VERSIONS)
    question = ["explain", "shop/web-1", "shop/db-0", "--port", "5432", "-c", "cluster.yaml"]
    code, out, err = call(*question, "--apply", str(path))
    assert (code, out) == (2, "")
    assert f"{path}:9, document 2: ClusterNetworkPolicy guard and AdminNetworkPolicy guard ({path}:1)" in err
    old, new = path.read_text().split("---\n")
    for text, word in ((old, "DENY"), (new, "ALLOW")):
        path.write_text(text)
        code, out, _ = call(*question, "--apply", str(path))
        assert (code, f"\n{word}  " in out) == (0, True)
