"""``flowverdict alerts`` as a user runs it."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.synthetic.demo import write_demo
from simcore.cli.run import run


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return write_demo(tmp_path_factory.mktemp("alerts") / "demo")


@pytest.fixture
def call(demo, capsys):
    def _call(*arguments):
        given = ["alerts", str(demo.capture), "-c", str(demo.cluster), "-p", str(demo.policies)]
        code = run([*given, *map(str, arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _call


def found(call, *arguments):
    code, out, err = call("--format", "json", *arguments)
    assert (code, err) == (0, "")
    return json.loads(out)


def of(result, name, **labels):
    """The one alert of a name for some labels."""
    (alert,) = [a for a in result["alerts"] if a["alert"] == name and labels.items() <= a["labels"].items()]
    return alert


def test_the_change_of_the_demo_makes_dns_failures_fire(call, demo):
    code, out, _ = call("--apply", demo.change)
    assert code == 0
    assert "DNSResolutionFailures would fire after the change for namespace shop: at 2026-01-05 10:06:00 UTC, 6" in out
    result = found(call, "--apply", demo.change)
    alert = of(result, "DNSResolutionFailures", namespace="shop")
    assert (alert["new"], alert["before"]["firing"], alert["threshold"], alert["for_seconds"]) == (True, [], 10, 60)
    assert alert["after"]["pending_since"] == "2026-01-05T10:05:00.000000000Z"
    (firing,) = alert["after"]["firing"]
    assert (firing["begin"], firing["seconds_after_start"]) == ("2026-01-05T10:06:00.000000000Z", 360)
    assert 10 < alert["after"]["highest"] < 12
    assert (result["new"], result["unknown"]) == (1, 0)
    deny = of(result, "NamespaceWithoutDefaultDenyPolicy", namespace="shop", direction="egress")
    assert deny["before"]["firing"] and not deny["after"]["firing"]
    mail = of(result, "UnexpectedEgressToInternet", namespace="shop", workload="Deployment/checkout")
    assert mail["before"]["firing"] and not mail["after"]["firing"]


def test_lookups_that_are_not_tried_again_stay_below_the_threshold(call, demo):
    alert = of(found(call, "--apply", demo.change, "--dns-attempts", 1), "DNSResolutionFailures")
    assert alert["after"]["firing"] == []
    assert 5 < alert["after"]["highest"] < 6
    lower = ("--dns-attempts", 1, "--threshold", "DNSResolutionFailures=5")
    assert of(found(call, "--apply", demo.change, *lower), "DNSResolutionFailures")["new"]
    often = ("--dns-attempts", 1, "--scale", 2)
    assert of(found(call, "--apply", demo.change, *often), "DNSResolutionFailures")["new"]


def test_what_is_newly_let_through_to_the_internet_is_unexpected(call, demo, tmp_path):
    opened = tmp_path / "opened.yaml"
    opened.write_text(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: all, namespace: shop}\n"
        "spec: {podSelector: {}, policyTypes: [Egress], egress: [{}]}\n"
    )
    closed = tmp_path / "closed.yaml"
    closed.write_text(opened.read_text().replace(", egress: [{}]", ""))
    result = found(call, "-p", closed, "--apply", opened)
    alert = of(result, "UnexpectedEgressToInternet", workload="Deployment/checkout")
    assert alert["new"]


def test_exit_codes(call, demo):
    assert call("--apply", demo.change, "--fail-on", "new")[0] == 1
    assert call("--apply", demo.change, "--fail-on", "any")[0] == 1
    assert call("--fail-on", "new")[0] == 0
    assert call("--fail-on", "any")[0] == 1
    raised = ("--threshold", "DNSResolutionFailures=50")
    assert call("--apply", demo.change, "--fail-on", "new", *raised)[0] == 0


def test_without_a_change_there_is_one_side(call):
    result = found(call)
    assert (result["firing_before"], result["firing_after"], result["new"]) == (9, 9, 0)
    assert "9 alerts would fire." in call()[1]


def test_threads_and_batches_change_no_byte(call, demo):
    one, two = (call("--apply", demo.change, "--format", "json", *more)[1] for more in ((), ("--batch-rows", 999)))
    assert one == two == call("--apply", demo.change, "--format", "json", "--threads", 1)[1]


def test_wrong_use_is_told(call, demo, tmp_path, monkeypatch):
    assert "'DNS=1' is no alert" not in call("--threshold", "DNS=1")[2]
    assert "'DNS' is no alert. Choose one of HighNetworkPolicyDropRate" in call("--threshold", "DNS=1")[2]
    assert "is not ALERT=N" in call("--threshold", "5")[2]
    assert "'many' is no threshold" in call("--threshold", "DNSResolutionFailures=many")[2]
    assert "30 s is no multiple of 20 s" in call("--interval", "30s", "--metrics-step", "20s")[2]
    assert "leave --rules out" in call("--rules", "r.yaml", "--threshold", "DNSResolutionFailures=1")[2]
    monkeypatch.setenv("PATH", str(tmp_path))
    code, _, err = call("--rules", "r.yaml")
    assert code == 2
    assert "promtool, which is not installed" in err


def test_the_rules_are_written_for_prometheus(call, tmp_path):
    out = tmp_path / "rules.yaml"
    assert call("--rules-out", out, "--threshold", "DNSResolutionFailures=5")[0] == 0
    assert "expr: sum by (namespace) (rate(flowverdict_dns_queries_denied_total[5m])) > 5\n" in out.read_text("utf-8")
    assert call("--rules-out", out)[0] == 0
    other = tmp_path / "mine.yaml"
    other.write_text("groups: []\n")
    assert "exists and is no file of our rules" in call("--rules-out", other)[2]


def test_an_empty_capture_has_nothing_to_evaluate(demo, call, tmp_path, capsys):
    empty = tmp_path / "empty.parquet"
    pq.write_table(pq.read_table(demo.capture).slice(0, 0), empty)
    assert run(["alerts", str(empty), "-c", str(demo.cluster), "--format", "json", "--fail-on", "any"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["begin"], result["alerts"]) == (None, [])


def test_flows_of_unknown_verdict_are_counted(demo, tmp_path, capsys):
    table = pq.read_table(demo.capture).slice(0, 1000)
    protocol = pa.array([None] * 10 + table.column("protocol").to_pylist()[10:], pa.uint8())
    capture = tmp_path / "flows.parquet"
    pq.write_table(table.set_column(table.schema.get_field_index("protocol"), "protocol", protocol), capture)
    arguments = ["alerts", str(capture), "-c", str(demo.cluster), "-p", str(demo.policies), "--apply", str(demo.change)]
    assert run([*arguments, "--scale", "5", "--format", "json"]) == 0
    unknown = json.loads(capsys.readouterr().out)["unknown"]
    assert 0 < unknown <= 10
    assert run(arguments) == 0
    assert f"WARNING  The verdict of {unknown} flows" in capsys.readouterr().out
