"""The commands that read a capture, from made-up files to exit codes; the demo's shop is their cluster."""

import json
import shlex

import pyarrow.parquet as pq
import pytest

from simcore.cli.run import run

INPUTS = ("--cluster", "cluster.yaml", "--policies", "policies.yaml")
CHANGE = ("--apply", "change.yaml")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    from loaders.synthetic.demo import write_demo

    folder = tmp_path_factory.mktemp("shop")
    write_demo(folder)
    return folder


@pytest.fixture
def call(shop, monkeypatch, capsys):
    monkeypatch.chdir(shop)

    def _call(*arguments):
        code = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return _call


def test_the_whatif_names_what_breaks_and_why(call):
    code, out, err = call("whatif", "flows.parquet", *INPUTS, *CHANGE)
    assert (code, err) == (0, "")
    assert "WARNING  DNS:" in out
    assert "shop/Deployment/checkout -> shop/StatefulSet/postgres  TCP 5432" in out
    assert "NetworkPolicy shop/allow-egress egress isolation (change.yaml:10)" in " ".join(out.split())


def test_whatif_figures_add_up(call):
    _, out, _ = call("whatif", "flows.parquet", *INPUTS, *CHANGE, "--format", "json")
    result = json.loads(out)
    assert result["lost"] + result["gained"] + result["unknown"] + result["unchanged"] == result["flows"]
    assert sum(group["flows"] for group in result["groups"]) == result["flows"] - result["unchanged"]
    assert result["groups"][0]["dns"]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("fail_on", "code"), [((), 0), (("lost",), 1), (("gained",), 1), (("changed",), 1), (("unknown",), 0)]
)
def test_fail_on(fail_on, code, form, call):
    options = [word for name in fail_on for word in ("--fail-on", name)]
    assert call("whatif", "flows.parquet", *INPUTS, *CHANGE, *options, "--format", form)[0] == code


def test_no_change_at_all(call):
    code, out, _ = call("whatif", "flows.parquet", *INPUTS, "--candidate", "policies.yaml", "--fail-on", "changed")
    assert code == 0
    assert "makes no difference" in out


def test_a_deleted_policy_is_named_exactly(call):
    code, out, err = call("whatif", "flows.parquet", *INPUTS, "--delete", "netpol/shop/databse")
    assert (code, out) == (2, "")
    assert "NetworkPolicy/shop/database" in err
    assert call("whatif", "flows.parquet", *INPUTS, "--delete", "netpol/shop/database")[0] == 0


def test_replay_counts_and_writes_every_flow(call, tmp_path):
    output = tmp_path / "verdicts.parquet"
    code, out, _ = call("replay", "flows.parquet", *INPUTS, "-o", output, "--format", "json")
    result = json.loads(out)
    assert code == 0
    assert result["allowed"] + result["denied"] + result["unknown"] == result["flows"]
    assert pq.read_metadata(output).num_rows == result["flows"]
    assert output.with_name("verdicts.rules.parquet").exists()


def test_replay_of_a_change(call):
    before = json.loads(call("replay", "flows.parquet", *INPUTS, "--format", "json")[1])
    after = json.loads(call("replay", "flows.parquet", *INPUTS, *CHANGE, "--format", "json")[1])
    assert after["denied"] > before["denied"]


def test_threads_and_batches_do_not_change_the_answer(call):
    arguments = ("whatif", "flows.parquet", *INPUTS, *CHANGE, "--format", "json")
    assert call(*arguments)[1] == call(*arguments, "--threads", "1", "--batch-rows", "10007")[1]


def test_the_tests_of_the_shop_hold_before_the_change_and_fail_after_it(call):
    assert call("check", "TESTS.yaml", *INPUTS)[0] == 0
    assert call("check", "TESTS.yaml", *INPUTS, *CHANGE)[0] == 1


def test_a_capture_that_is_none(call):
    code, out, err = call("replay", "cluster.yaml", *INPUTS)
    assert (code, out) == (2, "")
    assert err.startswith("error: cluster.yaml")


def test_a_wrong_capture_and_a_wrong_cluster_are_told_together(call):
    code, _, err = call("replay", "nowhere.parquet", "--cluster", "nowhere.yaml")
    assert code == 2
    assert "nowhere.parquet" in err and "nowhere.yaml" in err


def test_generated_files_fit_together(call, tmp_path):
    assert call("generate", "cluster", "--size", "S", "--out", tmp_path / "s")[0] == 0
    capture = tmp_path / "flows.parquet"
    cluster = ("--cluster", tmp_path / "s")
    code, out, _ = call("generate", "flows", *cluster, "--count", "2k", "--out", capture)
    assert (code, out) == (0, f"{capture}\n")
    result = json.loads(call("replay", capture, *cluster, "--format", "json")[1])
    assert result["flows"] == 2_000


def test_the_demo_leaves_its_files(capsys, tmp_path):
    assert run(["demo", "--out", str(tmp_path / "demo")]) == 0
    assert capsys.readouterr().out.startswith("What-if over")
    left = {path.name for path in (tmp_path / "demo").iterdir()}
    assert left == {"cluster.yaml", "policies.yaml", "change.yaml", "flows.parquet", "TESTS.yaml"}


def test_every_command_of_the_demo_runs(capsys, tmp_path):
    run(["demo", "--out", str(tmp_path / "demo")])
    lines = capsys.readouterr().out.splitlines()
    commands = [shlex.split(each.split("$", 1)[1])[1:] for each in lines if each.startswith("        $  ")]
    assert [command[0] for command in commands] == ["whatif", "check", "check", "explain", "replay", "size"]
    assert [run(command) for command in commands] == [0, 0, 1, 0, 0, 0]
    assert (tmp_path / "demo" / "occupancy.svg").exists()


def test_the_demo_ends_with_a_sizing_table(capsys, tmp_path):
    run(["demo", "--out", str(tmp_path / "demo")])
    last = capsys.readouterr().out.split("\n\nConntrack tables of 3 nodes, from 200,000 flows\n")[-1]
    assert "Before and after" in last and "kube-proxy sets" in last
