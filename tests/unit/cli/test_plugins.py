"""Network plugins as a user names them; `tests/data/shop` is the cluster."""

import json
from pathlib import Path

import pytest

SHOP = Path(__file__).resolve().parents[2] / "data" / "shop"

DAEMON_SET = """apiVersion: apps/v1
kind: DaemonSet
metadata: {name: %s, namespace: kube-system}
spec: {template: {metadata: {labels: {app: agent}}, spec: {hostNetwork: true}}}
"""
ASKED = ("explain", "shop/web-2", "shop/db-0", "--port", "5432", "-c", "cluster.yaml")


@pytest.fixture(autouse=True)
def in_the_shop(monkeypatch):
    monkeypatch.chdir(SHOP)


@pytest.mark.parametrize("name", ["flannel", "kubenet"])
def test_a_plugin_that_enforces_nothing_says_so_at_the_top(call, name):
    code, out, _ = call(*ASKED, "--cni", name)
    assert code == 0
    first, _, rest = out.partition("WARNING  ")
    assert "\n\n" in first and "\n\n" not in first.strip()
    assert "enforces no policy at all" in " ".join(rest.split())
    assert "not enforced" in out


@pytest.mark.parametrize(
    ("options", "verdict", "top"),
    [
        (("--set", "enforced=false"), "allow", "WARNING  --set enforced=false: every flow is let through"),
        (("--cni", "flannel", "--set", "enforced=true"), "deny", None),
        (("--cni", "calico", "--set", "enforced=false"), "allow", "WARNING  --set enforced=false: every flow"),
    ],
)
def test_what_is_set_goes_before_what_the_plugin_does(call, tmp_path, options, verdict, top):
    path = tmp_path / "closed.yaml"
    path.write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: shop}\n"
        "spec: {podSelector: {}, policyTypes: [Egress]}\n"
    )
    _, out, _ = call(*ASKED, "-p", str(path), *options)
    assert ("WARNING" in out) == (top is not None)
    assert top is None or top in out
    _, out, _ = call(*ASKED, "-p", str(path), *options, "--format", "json")
    found = json.loads(out)
    assert (found["verdict"], found["network_plugin"]["enforces"]) == (verdict, top is None)
    assert found["network_plugin"]["ignored_policies"] == {}


@pytest.mark.parametrize(("plugin", "said"), [("flannel", "Flannel enforces no policy at all"), ("upstream", None)])
def test_junit_says_what_has_no_effect(call, plugin, said):
    _, out, _ = call("check", "tests.yaml", "-c", "cluster.yaml", "--format", "junit", "--cni", plugin)
    assert ('<property name="warning" value="' in out) == (said is not None)
    assert said is None or said in out


def test_what_a_plugin_makes_of_sctp_is_told_once(call, tmp_path):
    path = tmp_path / "closed.yaml"
    path.write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: closed, namespace: shop}\n"
        "spec: {podSelector: {}, policyTypes: [Egress]}\n"
    )
    _, out, _ = call(*ASKED, "-p", str(path), "--protocol", "SCTP", "--cni", "kube-router")
    assert " ".join(out.split()).count("could decide (what this plugin makes of SCTP is not known)") == 2
    assert out.count("isolated by NetworkPolicy shop/closed\n") == 1


def test_the_help_does_not_run_over_with_names(call):
    _, out, _ = call("explain", "--help")
    assert "--cni NAME " in out and max(map(len, out.splitlines())) <= 80


def test_strict_mode_names_what_closes_a_pod(call, tmp_path):
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: a, namespace: kube-system}\n"
        "spec: {podSelector: {}}\n"
    )
    _, out, _ = call(*ASKED, "-p", str(elsewhere), "--cni", "aws-vpc-cni-strict")
    assert "DENY  egress: a rule denies it; ingress: a rule denies it" in out
    assert "[strict NetworkPlugin closes-unselected-pods rule 1] deny (network plugin)" in out


def test_a_plugin_is_told_from_the_cluster(call, tmp_path):
    path = tmp_path / "agent.yaml"
    path.write_text(DAEMON_SET % "kube-flannel-ds")
    code, out, _ = call(*ASKED, "-c", str(path), "--format", "json")
    told = json.loads(out)["network_plugin"]
    assert (code, told["name"], told["chosen_by"]) == (0, "flannel", "guess")
    assert told["evidence"] == "DaemonSet kube-system/kube-flannel-ds"
    code, out, _ = call(*ASKED, "-c", str(path), "--cni", "upstream", "--format", "json")
    assert json.loads(out)["network_plugin"]["chosen_by"] == "option"


def test_kinds_that_a_plugin_ignores_are_left_out_and_counted(call, tmp_path):
    path = tmp_path / "guard.yaml"
    path.write_text(
        "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {name: guard}\n"
        "spec: {priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}\n"
    )
    answers = {}
    for name in ("upstream", "cilium"):
        code, out, _ = call(*ASKED, "--apply", str(path), "--cni", name, "--format", "json")
        assert code == 0
        answers[name] = json.loads(out)
    assert [answer["verdict"] for answer in answers.values()] == ["deny", "allow"]
    assert answers["cilium"]["network_plugin"]["ignored_policies"] == {"AdminNetworkPolicy": 1}
    _, out, _ = call(*ASKED, "--apply", str(path), "--cni", "cilium")
    assert "WARNING  Cilium does not enforce these policies, so they are left out: 1 AdminNetworkPolicy" in out


GUARD = """apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec: {tier: Admin, priority: 1, subject: {namespaces: {}}, ingress: [{action: Deny, from: [{namespaces: {}}]}]}
"""


@pytest.mark.parametrize(
    ("version", "verdict", "ignored"),
    [
        ((), "deny", {}),
        (("--cilium-version", "v1.20.3"), "deny", {}),
        (("--cilium-version", "1.19"), "allow", {"ClusterNetworkPolicy": 1}),
    ],
)
def test_ciliums_version_tells_what_it_knows(call, tmp_path, version, verdict, ignored):
    path = tmp_path / "guard.yaml"
    path.write_text(GUARD)
    _, out, _ = call(*ASKED, "--apply", str(path), "--cni", "cilium", *version, "--format", "json")
    found = json.loads(out)
    assert (found["verdict"], found["network_plugin"]["ignored_policies"]) == (verdict, ignored)


def test_settings_of_ciliums_agent_count_where_it_enforces(call):
    always = ("--set", "policy_enforcement_mode=always")
    _, out, _ = call(*ASKED, "--cni", "cilium", *always)
    assert "isolated by CiliumAgent policy-enforcement-mode" in out
    for asked in (always, ("--cilium-version", "1.18"), ("--set", "policy_cidr_match_mode=nodes")):
        code, _, err = call(*ASKED, "--cni", "calico", *asked)
        assert code == 2
        told = f"{' '.join(asked)}: this is for Cilium, and the network plugin is calico. Name --cni cilium"
        assert told in " ".join(err.split())


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--cilium-version", "one"), "'one' is not a version of Cilium such as 1.18"),
        (("--cilium-version", "1.9"), "Cilium 1.9 is older than 1.14"),
        (("--set", "allow_localhost=no"), "allow_localhost takes auto or always or policy, not 'no'"),
        (("--set", "policy_cidr_match_mode=node"), "policy_cidr_match_mode takes none, nodes, pods or nodes,pods"),
    ],
)
def test_what_ciliums_agent_does_not_know_is_refused(call, options, complaint):
    code, _, err = call(*ASKED, "--cni", "cilium", *options)
    assert code == 2
    assert complaint in " ".join(err.split())


def test_what_the_agent_stops_is_no_rule_to_be_narrowed(call):
    _, out, _ = call("explain", "shop/web-2", "shop/db-0", "--protocol", "GRE", "-c", "cluster.yaml", "--cni", "cilium")
    assert "[CiliumAgent unsupported-protocols] deny (Cilium's agent)" in " ".join(out.split()).replace("\u00a0", " ")
    assert "The dataplane does this whatever policies say" in out and "Narrow the rule" not in out


def test_profiles_lists_every_plugin(call):
    from simcore.model.plugins import PLUGINS

    code, out, _ = call("profiles")
    assert code == 0
    assert all(f"\n  {plugin.name}  " in out for plugin in PLUGINS)
    _, out, _ = call("profiles", "--format", "json")
    assert [plugin["name"] for plugin in json.loads(out)["plugins"]] == [plugin.name for plugin in PLUGINS]


NAMED = """apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: names}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  egress:
  - {action: Accept, to: [{domainNames: ["*.example.com"]}]}
  - {action: Deny, to: [{networks: [0.0.0.0/0]}]}
"""


@pytest.mark.parametrize(("hosts", "word"), [(None, "UNKNOWN"), ("", "DENY"), ("192.0.2.9 api.example.com", "ALLOW")])
def test_domain_names_stand_for_what_the_hosts_file_says(call, tmp_path, hosts, word):
    policy, names = tmp_path / "names.yaml", tmp_path / "hosts"
    policy.write_text(NAMED)
    names.write_text(hosts or "")
    options = () if hosts is None else ("--dns", str(names))
    code, out, _ = call(
        "explain", "shop/web-2", "192.0.2.9", "--port", "443", "-c", "cluster.yaml", "--apply", str(policy), *options
    )
    assert (code, f"\n{word}  " in out) == (0, True), out
    assert ("--dns" in out) == (hosts is None)


PODS = """
apiVersion: v1
kind: Pod
metadata: {name: bare, namespace: one, labels: {app: a}}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata:
  {name: owned, namespace: one, labels: {app: a}, ownerReferences: [{kind: ReplicaSet, name: a, controller: true}]}
status: {podIP: 10.0.0.2}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: one}
spec: {podSelector: {}}
"""


@pytest.mark.parametrize(("name", "words"), [("upstream", {"DENY"}), ("aws-vpc-cni", {"ALLOW", "DENY"})])
def test_pods_without_owner_are_no_subjects_under_a_plugin_that_ignores_them(call, tmp_path, name, words):
    path = tmp_path / "pods.yaml"
    path.write_text(PODS)
    found = set()
    for pod in ("bare", "owned"):
        _, out, _ = call("explain", "192.0.2.1", f"one/{pod}", "--port", "80", "-c", str(path), "--cni", name)
        found |= {word for word in ("ALLOW", "DENY") if f"\n{word}  " in out}
    assert found == words
