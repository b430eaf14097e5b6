"""``flowverdict snapshot`` through the real kubectl, against a server that plays the API."""

import gzip
import json
import shutil
import stat
from collections import Counter
from datetime import UTC, datetime

import pyarrow.parquet as pq
import pytest

from loaders import load_manifests
from loaders.snapshots import kubectl as running
from loaders.snapshots.kubectl import Kubectl
from loaders.snapshots.taking import Taking
from simcore.cli import snapshot
from simcore.cli.run import run
from tests.kubernetes_api import Api, Resource, serving

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")

SECRET = "hunter2"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def metadata(name, namespace=None, **more):
    found = {
        "name": name,
        "uid": "0",
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-20T09:00:00Z",
        "annotations": {LAST_APPLIED: SECRET, "vault": SECRET},
        "managedFields": [{"manager": SECRET, "fieldsV1": {f"f:{SECRET}": {}}}],
        **more,
    }
    return found | ({"namespace": namespace} if namespace else {})


def pod(name, namespace="shop", app="web", address="10.1.0.1"):
    return {
        "metadata": metadata(name, namespace, labels={"app": app}),
        "spec": {
            "nodeName": "one",
            "containers": [
                {
                    "name": "main",
                    "image": SECRET,
                    "env": [{"name": "PASSWORD", "value": SECRET}],
                    "command": [SECRET],
                    "args": [f"--token={SECRET}"],
                    "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                    "livenessProbe": {"httpGet": {"httpHeaders": [{"name": "Authorization", "value": SECRET}]}},
                }
            ],
            "volumes": [{"name": "v", "csi": {"volumeAttributes": {"key": SECRET}}}],
        },
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "hostIP": "10.0.0.1",
            "startTime": "2026-11-20T09:00:01Z",
            "message": SECRET,
            "containerStatuses": [{"state": {"running": {"startedAt": SECRET}}, "image": SECRET}],
            "conditions": [{"type": "Ready", "message": SECRET, "lastTransitionTime": "2026-11-20T09:00:02Z"}],
        },
    }


def policy(name, namespace="shop"):
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}
    return {
        "metadata": metadata(name, namespace),
        "spec": {"podSelector": {}, "ingress": [rule], "policyTypes": ["Ingress"]},
        "status": {"conditions": [{"message": SECRET}]},
    }


def secret(name):
    return {"metadata": metadata(name, "shop"), "data": {"password": SECRET}}


def resources(pods=5):
    running = [pod(f"web-{n}", address=f"10.1.0.{n + 1}") for n in range(pods)]
    node = {
        "metadata": metadata("one", annotations={"network.cilium.io/ipv4-pod-cidr": SECRET, "other": SECRET}),
        "spec": {"providerID": SECRET},
        "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}], "capacity": {"cpu": "4"}},
    }
    template = {**pod("x"), "metadata": {"labels": {"app": "web"}, "annotations": {"vault": SECRET}}}
    deployment = {"metadata": metadata("web", "shop"), "spec": {"replicas": 5, "template": template}}
    job = {"metadata": metadata("sweep", "shop"), "spec": {"jobTemplate": {"spec": {"template": template}}}}
    service = {
        "metadata": metadata("web", "shop"),
        "spec": {
            "clusterIP": "10.9.0.1",
            "ports": [{"port": 80}],
            "selector": {"app": "web"},
            "sessionAffinity": SECRET,
        },
    }
    crd = {
        "metadata": metadata("ciliumnodes.cilium.io"),
        "spec": {"group": "cilium.io", "versions": [{"schema": {"description": SECRET}}]},
    }
    felix = {"metadata": metadata("default"), "spec": {"failsafeInboundHostPorts": [], "openstackRegion": SECRET}}
    strange = {"metadata": metadata("all", "shop"), "spec": {"token": SECRET}}
    return [
        Resource("v1", "namespaces", "Namespace", [{"metadata": metadata(n)} for n in ("shop", "pay")], False),
        Resource("v1", "nodes", "Node", [node], False),
        Resource("v1", "pods", "Pod", [*running, pod("till", "pay", "till", "10.1.1.1")]),
        Resource("v1", "services", "Service", [service]),
        Resource("v1", "serviceaccounts", "ServiceAccount", [{"metadata": metadata("default", "shop"), "secrets": []}]),
        Resource("v1", "secrets", "Secret", [secret("s")]),
        Resource("v1", "configmaps", "ConfigMap", [secret("c")]),
        Resource("v1", "bindings", "Binding", [], verbs=["create"]),
        Resource("apps/v1", "deployments", "Deployment", [deployment]),
        Resource("batch/v1", "cronjobs", "CronJob", [job]),
        Resource("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", [policy("web"), policy("till", "pay")]),
        Resource("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", [crd], False),
        Resource("crd.projectcalico.org/v1", "felixconfigurations", "FelixConfiguration", [felix], False),
        Resource("strange.example.com/v1", "strangenetworkpolicies", "StrangeNetworkPolicy", [strange]),
        Resource("controlplane.antrea.io/v1beta2", "networkpolicies", "NetworkPolicy", [policy("computed")]),
    ]


@pytest.fixture
def play(tmp_path, monkeypatch, capsys):
    """Serves an API and runs the command against it: its code, its output, its errors."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(running, "_PAUSE", 0.0)
    monkeypatch.chdir(tmp_path)

    def _play(api, *arguments, output="snap.json"):
        with serving(api, tmp_path) as kubeconfig:
            code = run(["snapshot", "--kubeconfig", kubeconfig, "-o", output, *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _play


def items(path="snap.json"):
    with open(path, "rb") as file:
        data = file.read()
    return json.loads(gzip.decompress(data) if path.endswith(".gz") else data)


def kinds(path="snap.json"):
    return Counter(item["kind"] for item in items(path)["items"])


@pytest.mark.parametrize("aggregated", [True, False])
@pytest.mark.parametrize("output", ["snap.json", "snap.json.gz"])
def test_everything_that_is_read_is_taken_and_no_secret(play, aggregated, output):
    api = Api(resources(), aggregated=aggregated)
    before = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    code, out, err = play(api, output=output)
    assert (code, err) == (0, "")
    assert kinds(output) == {
        "Namespace": 2,
        "Node": 1,
        "Pod": 6,
        "Service": 1,
        "ServiceAccount": 1,
        "Deployment": 1,
        "CronJob": 1,
        "NetworkPolicy": 2,
        "CustomResourceDefinition": 1,
        "FelixConfiguration": 1,
        "StrangeNetworkPolicy": 1,
    }
    found = items(output)
    assert SECRET not in json.dumps(found)
    asked = {path.rpartition("/")[2] for path, _ in api.asked}
    assert not asked & {"secrets", "configmaps", "bindings"}
    assert "/apis/controlplane.antrea.io/v1beta2/networkpolicies" not in {path for path, _ in api.asked}
    told = found["metadata"]["annotations"]
    assert list(told) == ["flowverdict.dev/taken-at"]
    assert before <= told["flowverdict.dev/taken-at"] <= datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert out.splitlines()[0] == output
    assert "6  pods" in out
    assert "resource version 100" in out


def test_what_is_kept_is_what_is_read(play):
    play(Api(resources()))
    found = {(item["kind"], item["metadata"]["name"]): item for item in items()["items"]}
    assert found["Pod", "web-0"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-0",
            "namespace": "shop",
            "labels": {"app": "web"},
            "creationTimestamp": "2026-11-20T09:00:00Z",
        },
        "spec": {
            "nodeName": "one",
            "containers": [{"ports": [{"containerPort": 8080, "name": "http", "protocol": "TCP"}]}],
        },
        "status": {
            "phase": "Running",
            "podIP": "10.1.0.1",
            "podIPs": [{"ip": "10.1.0.1"}],
            "hostIP": "10.0.0.1",
            "startTime": "2026-11-20T09:00:01Z",
        },
    }
    assert found["NetworkPolicy", "web"]["spec"] == policy("web")["spec"]
    assert found["Node", "one"]["metadata"]["annotations"] == {"network.cilium.io/ipv4-pod-cidr": ""}
    assert found["CustomResourceDefinition", "ciliumnodes.cilium.io"]["spec"] == {"group": "cilium.io"}
    assert found["FelixConfiguration", "default"]["spec"] == {"failsafeInboundHostPorts": []}
    assert "spec" not in found["StrangeNetworkPolicy", "all"]
    assert "status" not in found["NetworkPolicy", "web"]


def test_a_snapshot_loads_as_a_dump_would(play, tmp_path):
    api = Api(resources())
    play(api)
    dump = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [
            {"apiVersion": resource.api_version, "kind": resource.kind, **found}
            for resource in api.resources
            if resource.plural not in ("secrets", "configmaps") and "antrea" not in resource.api_version
            for found in resource.listed(None)
        ],
    }
    (tmp_path / "dump.json").write_text(json.dumps(dump))
    snap, whole = load_manifests(["snap.json"]), load_manifests(["dump.json"])
    assert snap.cluster == whole.cluster
    assert [policy.ref for policy in snap.policies] == [policy.ref for policy in whole.policies]
    assert snap.plugin == whole.plugin
    assert snap.plugin.plugin == "cilium"
    assert [d.message for d in snap.diagnostics] == [d.message for d in whole.diagnostics]
    assert "StrangeNetworkPolicy" in snap.diagnostics[0].message


def test_parquet_holds_the_same(play):
    api = Api(resources())
    code, out, err = play(api, output="snap.parquet")
    assert (code, err) == (0, "")
    assert "6  pods" in out
    play(api)
    assert load_manifests(["snap.parquet"]).cluster == load_manifests(["snap.json"]).cluster
    with open("snap.parquet", "rb") as file:
        assert SECRET.encode() not in file.read()
    assert all(SECRET not in str(row) for row in pq.read_table("snap.parquet").to_pylist())
    assert play(api, output="snap.parquet")[0] == 0


def test_a_finished_pod_keeps_when_it_ended(play):
    api = Api(resources())
    done = pod("done")
    done["status"] |= {
        "phase": "Succeeded",
        "containerStatuses": [{"state": {"terminated": {"finishedAt": "2026-11-20T10:00:00Z", "message": SECRET}}}],
    }
    api.resources[2].objects.append(done)
    play(api)
    (found,) = [item for item in items()["items"] if item["metadata"]["name"] == "done"]
    assert found["status"]["containerStatuses"] == [{"state": {"terminated": {"finishedAt": "2026-11-20T10:00:00Z"}}}]
    assert found["status"]["conditions"] == [{"lastTransitionTime": "2026-11-20T09:00:02Z"}]
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize("most", [1, 2, 7])
def test_pages_are_followed_and_all_lists_show_one_moment(play, most):
    api = Api(resources(pods=9), most=most, moves=True)
    code, out, err = play(api)
    assert (code, err) == (0, "")
    assert kinds()["Pod"] == 10
    assert "resource version 100" in out
    assert "later" not in out
    first, *others = [query for path, query in api.asked if "limit" in query and "continue" not in query]
    assert "resourceVersion" not in first
    assert {(q["resourceVersion"], q["resourceVersionMatch"]) for q in others} == {("100", "Exact")}


def test_pages_bound_what_is_asked_for_at_once(play, tmp_path):
    api = Api(resources(pods=9))
    with serving(api, tmp_path) as kubeconfig:
        taking = Taking(Kubectl("play", kubeconfig), page=3)
        assert sum(found["kind"] == "Pod" for found in taking.objects()) == 10
    pages = [query for path, query in api.asked if path.endswith("/pods")]
    assert len(pages) == 4
    assert {query["limit"] for query in pages} == {"3"}


def test_a_moment_that_the_server_forgot_is_told(play):
    code, out, err = play(Api(resources(), uncompacted=1000, moves=True))
    assert (code, err) == (0, "")
    assert kinds()["Pod"] == 6
    assert "listed a moment later" in out
    assert "pods, nodes, serviceaccounts, services, deployments.apps, ..." in out


def test_a_list_that_expires_is_started_over(play):
    api = Api(resources(pods=9), most=4, expired=Counter(pods=1))
    code, _, err = play(api)
    assert (code, err) == (0, "")
    assert kinds()["Pod"] == 10
    assert sum(path.endswith("/pods") for path, _ in api.asked) == 5


def test_a_list_that_always_expires_is_left_out(play):
    code, _, err = play(Api(resources(pods=9), most=4, expired=Counter(pods=99)))
    assert code == 0
    assert "warning: pods: The provided continue parameter is too old. It is left out, and the snapshot says so" in err
    assert "Pod" not in kinds()


@pytest.mark.parametrize("fault", ["truncated", "broken"])
def test_an_answer_that_breaks_off_is_asked_for_again(play, fault):
    api = Api(resources(), **{fault: Counter(pods=2, nodes=1)})
    code, _, err = play(api)
    assert (code, err) == (0, "")
    assert kinds()["Pod"] == 6


@pytest.mark.parametrize("fault", ["truncated", "broken"])
def test_an_answer_that_always_breaks_off_is_told(play, fault):
    code, _, err = play(Api(resources(), **{fault: Counter(pods=99)}))
    assert code == 0
    assert "warning: pods: " in err
    assert items()["metadata"]["annotations"]["flowverdict.dev/missing"] == "pods"


def test_a_server_that_is_slow_is_asked_again(play):
    code, _, err = play(Api(resources(), slow=Counter(pods=1), seconds=3), "--timeout", "1")
    assert (code, err) == (0, "")
    assert kinds()["Pod"] == 6


def test_what_is_forbidden_is_told_and_left_out(play):
    code, out, err = play(Api(resources(), forbidden={"pods", "nodes"}))
    assert code == 0
    assert 'cannot list resource "nodes" in API group "" at the cluster scope. It is left out' in err
    assert 'cannot list resource "pods" in API group "" at the cluster scope. Name the namespaces' in err
    assert "Pod" not in kinds()
    assert "pods" not in out
    assert items()["metadata"]["annotations"]["flowverdict.dev/missing"] == "pods, nodes"


def test_nothing_at_all_is_an_error_and_leaves_no_file(play, tmp_path):
    api = Api(resources())
    api.forbidden = {resource.plural for resource in api.resources}
    code, _, err = play(api)
    assert code == 2
    assert "error: kubectl: there is nothing that may be listed" in err
    assert "warning: pods: pods is forbidden" in err
    assert not (tmp_path / "snap.json").exists()


def test_namespaces_may_be_named(play):
    forbidden = {"pods", "networkpolicies", "services", "serviceaccounts", "deployments"}
    api = Api(resources(), forbidden={"nodes", ("pay", "services")})
    code, _, err = play(api, "--namespace", "shop", "-n", "pay", "-n", "shop")
    assert code == 0
    assert kinds()["Pod"] == 6
    assert "warning: services in pay: services is forbidden" in err
    told = items()["metadata"]["annotations"]
    assert told["flowverdict.dev/namespaces"] == "2"
    assert told["flowverdict.dev/missing"] == "nodes, services of a namespace"
    assert not any(path == f"/api/v1/{plural}" for path, _ in api.asked for plural in (*forbidden, "namespaces"))
    code, _, err = play(Api(resources()), "-n", "shop", output="one.json")
    assert (code, err) == (0, "")
    assert kinds("one.json")["Pod"] == 5
    assert [i["metadata"]["name"] for i in items("one.json")["items"] if i["kind"] == "Namespace"] == ["shop"]


@pytest.mark.parametrize(
    ("name", "message"),
    [("none", "there is no such namespace"), ("../secrets", "this is no name of a namespace"), ("", "no name")],
)
def test_a_namespace_that_is_none_is_an_error(play, name, message):
    code, _, err = play(Api(resources()), "-n", name)
    assert code == 2
    assert message in err


def test_a_group_that_does_not_answer_is_told(play):
    for aggregated in (True, False):
        api = Api(resources(), unavailable={"crd.projectcalico.org"}, aggregated=aggregated)
        code, _, err = play(api)
        assert code == 0
        assert "warning: crd.projectcalico.org: this API group does not answer: the server is currently unable" in err
        assert items()["metadata"]["annotations"]["flowverdict.dev/missing"] == "crd.projectcalico.org"


def test_objects_that_two_groups_serve_are_taken_once(play):
    api = Api(resources())
    old = Resource("extensions/v1beta1", "deployments", "Deployment", api.resources[8].objects)
    tiers = [Resource(v, "tiers", "Tier", [], False) for v in ("projectcalico.org/v3", "crd.projectcalico.org/v1")]
    api.resources += [old, *tiers]
    code, _, err = play(api)
    assert (code, err) == (0, "")
    assert kinds()["Deployment"] == 1
    paths = {path for path, _ in api.asked}
    assert "/apis/projectcalico.org/v3/tiers" in paths
    assert not paths & {"/apis/extensions/v1beta1/deployments", "/apis/crd.projectcalico.org/v1/tiers"}


def test_where_the_better_group_refuses_the_other_one_is_asked(play):
    api = Api(resources())
    tier = {"metadata": {"name": "guard"}, "spec": {"order": 1}}
    api.resources += [
        Resource("projectcalico.org/v3", "tiers", "Tier", [], False, verbs=["list"]),
        Resource("crd.projectcalico.org/v1", "tiers", "Tier", [tier], False),
    ]
    api.broken = Counter(tiers=6)
    code, _, err = play(api)
    assert (code, err) == (0, "")
    assert kinds()["Tier"] == 1


def test_the_version_that_is_read_is_asked_for(play):
    api = Api(resources())
    api.resources += [
        Resource("crd.antrea.io/v1beta2", "tiers", "Tier", [{"metadata": {"name": "new"}}], False),
        Resource("crd.antrea.io/v1beta1", "tiers", "Tier", [{"metadata": {"name": "known"}}], False),
    ]
    play(api)
    assert [i["apiVersion"] for i in items()["items"] if i["kind"] == "Tier"] == ["crd.antrea.io/v1beta1"]


def test_an_object_that_cannot_be_read_is_told(play):
    api = Api(resources())
    api.resources[2].objects[0]["spec"]["containers"] = SECRET
    code, _, err = play(api)
    assert code == 0
    assert "warning: Pod: Expected `array | null`, got `str`" in err
    assert kinds()["Pod"] == 5
    assert items()["metadata"]["annotations"]["flowverdict.dev/missing"] == "some pods"


def test_an_answer_that_is_no_list_is_told(play, monkeypatch):
    api = Api(resources())
    monkeypatch.setattr(api, "_page", lambda *_: (200, {"kind": "Table", "rows": []}))
    code, _, err = play(api)
    assert code == 2
    assert "the server's answer is not a list" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--context", "none"], 'error: kubectl: context "none" does not exist. This should work first: kubectl'),
        (["--context", "gone"], "did you specify the right host or port? This should work first"),
        (["--kubeconfig", "/none"], "error: kubectl: stat /none: no such file or directory"),
    ],
)
def test_a_cluster_that_cannot_be_asked_is_an_error(play, arguments, message, tmp_path):
    code, out, err = play(Api(resources()), *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "snap.json").exists()


def test_credentials_that_are_refused_are_an_error(play):
    code, _, err = play(Api(resources(), unauthorized=True))
    assert code == 2
    assert "You must be logged in to the server" in err


def test_credentials_that_expire_on_the_way_are_an_error(play, tmp_path, monkeypatch):
    api = Api(resources())
    page = api._page

    def expire(resource, *arguments):
        api.unauthorized = resource.plural == "pods"
        return page(resource, *arguments)

    monkeypatch.setattr(api, "_page", expire)
    code, out, err = play(api)
    assert (code, out) == (2, "")
    assert err == "error: kubectl: You must be logged in to the server (Unauthorized)\n"
    assert not (tmp_path / "snap.json").exists()


def test_no_kubectl_is_an_error(play, monkeypatch):
    monkeypatch.setenv("PATH", "/none")
    code, _, err = play(Api(resources()))
    assert code == 2
    assert "there is no kubectl on the PATH" in err


def test_the_name_of_the_file_is_checked_before_anything_is_asked(play):
    api = Api(resources())
    code, _, err = play(api, output="snap.yaml")
    assert code == 2
    assert "ends in .json" in err
    assert api.asked == []


def test_an_empty_cluster_is_told_in_words():
    taking = Taking(Kubectl())
    taking.counts.update(pods=1)
    assert snapshot.told(taking) == ["1  pods", "taken at "]


def test_a_snapshot_under_pseudonyms_tells_no_name(play, tmp_path):
    code, _, err = play(Api(resources()), "--anonymize", "key", output="hidden.json")
    assert (code, err) == (0, "")
    play(Api(resources()))
    plain, hidden = (json.dumps(items(path)) for path in ("snap.json", "hidden.json"))
    assert kinds("hidden.json") == kinds()
    for word in ("shop", "till", "pay", "web", "10.1.1.1"):
        assert f'"{word}"' in plain
        assert f'"{word}"' not in hidden
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
