"""explain and check, asked about a request; `tests/data/layer7` is their cluster."""

import json
from pathlib import Path

import pytest

from tests import golden

LAYER7 = Path(__file__).resolve().parents[2] / "data" / "layer7"
ASKED = ["explain", "shop/web", "shop/api", "--port", "8080", "-c", "cluster.yaml", "-p", "policies.yaml"]
CILIUM = ["--cni", "cilium"]
GET = ["--http-method", "GET"]


@pytest.fixture(autouse=True)
def in_the_folder(monkeypatch):
    monkeypatch.chdir(LAYER7)
    for name in ("COLUMNS", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def explained(call):
    def _explained(*request):
        return json.loads(call(*ASKED, *CILIUM, *request, "--format", "json")[1])

    return _explained


@pytest.mark.parametrize("name", ["connection", "missing", "refused", "allowed"])
def test_explain(name, call, update_golden):
    request = {"connection": [], "missing": GET, "refused": [*GET, "--http-path", "/private"]}
    code, out, _ = call(*ASKED, *CILIUM, *request.get(name, [*GET, "--http-path", "/public/1"]))
    assert code == 0
    golden.compare(f"explain-layer7-{name}.txt", out, update_golden)


@pytest.mark.parametrize(
    ("request_", "verdict", "reason"),
    [
        ([], "allow", "rule"),
        (["--http-method", "PUT", "--http-header", "x-KEY: 1"], "allow", "request-allowed"),
        (["--http-method", "PUT", "--http-header", "X-Key: 2"], "deny", "request-not-allowed"),
        (["--http-method", "PUT", "--http-host", "api"], "unknown", "unknown-request"),
        (["--dns-query", "Example.org."], "allow", "rule"),
        (["--tls-sni", "example.org"], "allow", "rule"),
    ],
)
def test_a_request_decides(explained, request_, verdict, reason):
    found = explained(*request_)
    assert found["verdict"] == verdict
    assert found["ingress"]["reason"].partition(" ")[0] == reason
    assert found["pairs"][0]["ingress"]["proxy"] == "http"
    assert "proxy" not in found["pairs"][0]["egress"]


def test_json_has_the_request_and_what_it_is_to_each_rule(explained):
    found = explained(*GET, "--http-path", "/private", "--http-header", "A: b")
    assert found["request"] == {"http_method": "GET", "http_path": "/private", "http_headers": ["A: b"]}
    (asking,) = [each for each in found["pairs"][0]["ingress"]["considered"] if "request" in each]
    assert (asking["peer"], asking["ports"], asking["request"], asking["match"]) == ("yes", "yes", "no", "no")
    assert explained("--dns-query", "Example.org.")["request"] == {"dns_query": "example.org"}
    assert "request" not in explained()


def test_a_header_has_a_name_and_a_value(call):
    code, _, err = call(*ASKED, "--http-header", "no colon")
    assert code == 2
    assert "'no colon' is not a header. Write 'Name: value'" in err


def test_check(call):
    code, out, _ = call("check", "tests.yaml", "-c", "cluster.yaml", "-p", "policies.yaml", *CILIUM)
    assert code == 0, out
    assert "ok    shop/web -> shop/api TCP 8080 HTTP GET /public/1: allow" in out
    assert "ok    shop/web -> shop/api TCP 8080 HTTP PUT /, X-Key: 1: allow" in out
    arguments = ["check", "tests.yaml", "-c", "cluster.yaml", "-p", "policies.yaml", *CILIUM]
    results = json.loads(call(*arguments, "--format", "json")[1])["results"]
    assert results[1]["request"] == {"http_method": "GET", "http_path": "/private"}
    assert "request" not in results[3]
