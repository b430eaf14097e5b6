import json
import os
import shutil
import subprocess

import pytest
import yaml

from tests import golden

CLUSTER = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, pod-template-hash: 5f8c}}
spec: {serviceAccountName: robot, containers: [{name: web, ports: [{containerPort: 8080}]}]}
status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}
status: {podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
status: {podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress, Egress]
  ingress:
    - from: [{podSelector: {matchLabels: {app: web}}}]
      ports: [{port: 5432}]
"""
KUBECTL = """\
#!/bin/bash
case "$*" in
  "get pod "*" -o name") grep -q "^$5 " "$ANSWERS/pods" && echo "pod/$5";;
  "get pod "*podIP*) sed -n "s/^$5 //p" "$ANSWERS/pods" | tr -d '\\n';;
  "get pods "*) sed -n 's/^\\(fallback\\) .*/\\1/p' "$ANSWERS/pods" | tr -d '\\n';;
  debug*|exec*) echo "$4" > "$ANSWERS/source"; while [ "$1" != -- ]; do shift; done; shift; exec "$@";;
esac
"""
NC = """\
#!/bin/bash
grep -q "^$(cat "$ANSWERS/source") ${*: -2}$" "$ANSWERS/open" && exit 0
echo "nc: connect to ${*: -2}: timed out" >&2
exit 1
"""
NSLOOKUP = """\
#!/bin/bash
grep -q "^$(cat "$ANSWERS/source") dns$" "$ANSWERS/open" && exit 0
echo ";; connection timed out; no servers could be reached"
exit 1
"""
PODS = {"web": "10.0.0.1", "db": "10.0.0.2", "dns": "10.0.0.3"}


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "cluster.yaml"
    found.write_text(CLUSTER)
    return found


@pytest.fixture
def probes(call, path):
    def _probes(*arguments):
        return call("probes", "--cluster", str(path), *arguments)

    return _probes


class FakeCluster:
    """A kubectl that runs commands here, where connections go through as a list says."""

    def __init__(self, folder, probes):
        self.folder, self.results = folder, folder / "results.yaml"
        _, script, _ = probes()
        (folder / "probes.sh").write_text(script)
        for name, text in (("kubectl", KUBECTL), ("nc", NC), ("nslookup", NSLOOKUP), ("sleep", "#!/bin/bash\n")):
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)
        (folder / "pods").write_text("".join(f"{name} {address}\n" for name, address in PODS.items()))
        everything = [
            (source, f"{PODS[name]} {port}")
            for source in PODS
            for name, ports in {"web": (8080, 80), "db": (5432, 80), "dns": (53, 80)}.items()
            for port in ports
        ]
        self.open = {*everything, *((source, "dns") for source in PODS)}
        self.open = {pair for pair in self.open if pair[0] != "db" and not pair[1].startswith("10.0.0.2 ")}
        self.open.add(("web", "10.0.0.2 5432"))

    def run(self, **settings):
        (self.folder / "open").write_text("".join(f"{source} {what}\n" for source, what in sorted(self.open)))
        path = f"{self.folder}:{os.environ['PATH']}"
        command = [shutil.which("bash"), "probes.sh", str(self.results)]
        environment = {**os.environ, "PATH": path, "ANSWERS": str(self.folder), **settings}
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def fake(tmp_path, probes):
    folder = tmp_path / "fake"
    folder.mkdir()
    return FakeCluster(folder, probes)


def test_script(probes, update_golden):
    code, out, err = probes("--outside", "203.0.113.7:443")
    assert code == 0
    assert "probes from 3 pods, 2 lookups among them" in err
    golden.compare("probes.sh", out, update_golden)
    subprocess.run([shutil.which("bash"), "-n"], input=out, text=True, check=True)


@pytest.mark.parametrize("through", ["debug", "exec"])
def test_what_comes_out_as_expected_is_read_back(fake, call, path, through):
    done = fake.run(THROUGH=through)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 different, 0 could not be tried" in done.stdout
    assert len(yaml.safe_load(fake.results.read_text())["tests"]) >= 6
    code, out, _ = call("check", str(fake.results), "--cluster", str(path))
    assert code == 0, out


def test_what_comes_out_differently_is_told(fake, call, path):
    fake.open.add(("dns", "10.0.0.2 5432"))
    fake.open.remove(("web", "dns"))
    done = fake.run()
    assert done.returncode == 1
    assert "2 different" in done.stdout
    assert "allow     expected deny  from: kube-system/dns, to: shop/db, port: 5432, protocol: TCP" in done.stdout
    assert "deny      expected allow from: shop/web, to: kube-system/dns, port: 53, protocol: UDP" in done.stdout
    code, out, _ = call("check", str(fake.results), "--cluster", str(path), "--format", "json")
    assert code == 1
    assert json.loads(out)["failed"] == 2


def test_what_cannot_be_tried_is_told(fake):
    (fake.folder / "pods").write_text("web 10.0.0.1\ndb 10.0.0.2\n")
    done = fake.run()
    assert done.returncode == 2
    assert "unknown   expected" in done.stdout
    assert all(
        "kube-system/dns" not in str(test.get("from")) for test in yaml.safe_load(fake.results.read_text())["tests"]
    )


def test_a_pod_by_another_name_is_found_by_labels(fake):
    (fake.folder / "pods").write_text("web 10.0.0.1\nfallback 10.0.0.2\ndns 10.0.0.3\n")
    fake.open = {(source.replace("db", "fallback"), what) for source, what in fake.open}
    done = fake.run()
    assert done.returncode == 0, done.stdout + done.stderr


def test_jobs_stand_for_pods(probes):
    code, out, _ = probes("--format", "jobs", "--outside", "203.0.113.7:443", "--image", "example/tools")
    assert code == 0
    jobs = list(yaml.safe_load_all(out))
    assert {(job["kind"], job["metadata"]["namespace"]) for job in jobs} == {("Job", "shop"), ("Job", "kube-system")}
    (web,) = (job for job in jobs if job["spec"]["template"]["metadata"]["labels"] == {"app": "web"})
    spec = web["spec"]["template"]["spec"]
    assert spec["serviceAccountName"] == "robot"
    (container,) = spec["containers"]
    assert container["image"] == "example/tools"
    assert container["readinessProbe"] == {"exec": {"command": ["false"]}}
    rows = container["args"]
    assert rows[rows.index("10.0.0.2") - 2] == "from: shop/web, to: shop/db, port: 5432, protocol: TCP"
    assert rows[-4:] == ["from: shop/web, to: 203.0.113.7, port: 443, protocol: TCP", "http", "203.0.113.7", "443"]
    assert all(isinstance(word, str) for word in rows)
    subprocess.run(["sh", "-n"], input=container["command"][2], text=True, check=True)


def test_the_limit_is_said(probes):
    _, out, err = probes("--limit", "1")
    assert out.count("\nto_pod ") == 1
    assert "pairs of classes are left out: see --limit" in err


def test_an_image_is_named_by_its_name(probes):
    code, _, err = probes("--image", "$(id)")
    assert code == 2
    assert "is no name of an image" in err


@pytest.mark.parametrize("text", ["203.0.113.7", "example.com:443", "203.0.113.7:0", "203.0.113.7:x"])
def test_addresses_outside_have_ports(probes, text):
    code, _, err = probes("--outside", text)
    assert code == 2
    assert "is not ADDRESS:PORT" in err
