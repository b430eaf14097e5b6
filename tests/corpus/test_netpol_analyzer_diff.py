"""`flowverdict diff --format npa-txt` beside the comparisons of np-guard/netpol-analyzer, by points."""

import io
from contextlib import redirect_stderr, redirect_stdout

from simcore.cli.run import run
from tests.corpus import test_netpol_analyzer as connections
from tests.corpus.test_netpol_analyzer_reach import SETTINGS


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        chosen = [case for case in connections.cases() if case["section"] == "diff"]
        metafunc.parametrize("case", chosen, ids=[case["name"] for case in chosen])


def printed(case):
    out = io.StringIO()
    folders = [str(connections.ROOT / case[side]) for side in ("dir", "dir2")]
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        assert run(["diff", *folders, *SETTINGS, "--format", "npa-txt"]) == 0
    return out.getvalue()


def lines_of(text):
    """Source, destination, connections on both sides, and what is said of workloads."""
    found = [connections.DIFF_LINE.fullmatch(line).groups() for line in text.splitlines()[1:]]
    lines = [line for line in found if "{ingress-controller}" not in line[:2]]
    return [(*line[:2], *map(connections.parse_connections, line[2:4]), line[4] or "") for line in lines]


def test_diff(case):
    wanted, got = (lines_of(text) for text in ((connections.ROOT / case["expected"]).read_text("utf-8"), printed(case)))
    folders = [connections.folder(case[side]) for side in ("dir", "dir2")]
    everything = [*wanted, *got]
    peers = [peer for line in everything for text in line[:2] for peer in connections.split_peer(text)]
    points = connections.port_points(folders, [line[side] for line in everything for side in (2, 3)])
    addresses = list(connections.address_points(folders, peers))
    for side in (2, 3):
        tables = [
            connections.spread([(*line[:2], line[side]) for line in lines], addresses, points)
            for lines in (wanted, got)
        ]
        assert tables[0] == tables[1]
    said = [{(*line[:2], line[4]) for line in lines if line[4]} for lines in (wanted, got)]
    assert said[0] == said[1]
    assert got
