"""`flowverdict reach --format npa-txt|npa-csv` beside the lists of np-guard/netpol-analyzer, compared by points."""

import csv
import io
from contextlib import redirect_stderr, redirect_stdout
from functools import cache

from simcore.cli.run import run
from tests.corpus import test_netpol_analyzer as connections

SETTINGS = ("--set", "ipblock_matches_pods=false", "--set", "hostnetwork=pod")


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        chosen = [case for case in connections.cases() if case["section"] in ("connlist", "exposure")]
        metafunc.parametrize("case", chosen, ids=[case["name"] for case in chosen])
        metafunc.parametrize("format_", ("npa-txt", "npa-csv"))


def questions(case):
    """The options of `reach` for each direction in which the case looks at some workloads."""
    options = connections.options_of(case)
    focus, others = (labelled(case, options.get(name, "")) for name in ("--focusworkload", "--focusworkload-peer"))
    name, _, port = options.get("--focus-conn", "").partition("-")
    ports = ["--protocol", name, "--port", port] if name else []
    if not focus:
        return [ports]
    outgoing, incoming = (
        [*ports, *asked(here, focus), *asked(there, others)] for here, there in (("--from", "--to"), ("--to", "--from"))
    )
    return {"egress": [outgoing], "ingress": [incoming]}.get(options.get("--focus-direction"), [outgoing, incoming])


def labelled(case, text):
    """The workloads that netpol-analyzer may call so, as namespace/name."""
    wanted = set(text.split(",")) - {""}
    labels = connections.folder(case["dir"]).workloads
    return sorted({label.partition("[")[0] for label in labels if connections.names(label) & wanted})


def asked(option, names):
    return [word for name in names for word in (option, name)]


@cache
def printed(*arguments):
    """What the command writes, as (source, destination, connections)."""
    out = io.StringIO()
    with redirect_stdout(out), redirect_stderr(io.StringIO()):
        assert run(["reach", *arguments]) == 0
    lines = out.getvalue().splitlines()
    if "npa-csv" in arguments:
        return tuple(tuple(row) for row in csv.reader(lines[1:]))
    return tuple(connections.LINE.fullmatch(line).groups() for line in lines)


def test_reach(case, format_):
    one = connections.folder(case["dir"])
    path = str(connections.ROOT / case["dir"])
    found = [
        (source, destination, connections.parse_connections(text))
        for question in questions(case)
        for source, destination, text in printed("--cluster", path, *SETTINGS, "--format", format_, *question)
    ]
    expected = list(connections.expected_lines(case))
    peers = [peer for line in (*found, *expected) for text in line[:2] for peer in connections.split_peer(text)]
    points = connections.port_points([one], [line[2] for line in (*found, *expected)])
    addresses = list(connections.address_points([one], peers))
    assert connections.spread(found, addresses, points) == connections.spread(expected, addresses, points)
