"""`flowverdict reach --exposure --format npa-txt|npa-csv` beside np-guard/netpol-analyzer's exposure, as sets.

Selectors are compared by what they ask for, since the order of their parts and of values differs. What the expected
text says of a single port (``On TCP 8080``) is compared with what we say of it.
"""

import csv
import io
import re
from contextlib import redirect_stderr, redirect_stdout

from simcore.cli.run import run
from tests.corpus import test_netpol_analyzer as connections
from tests.corpus.test_netpol_analyzer_reach import SETTINGS, questions

HEAD = re.compile(r"Exposure Analysis Result(?: On (.+))?:")
LINE = re.compile(r"(\S+)\s+(=>|<=)\s+(.+?)(?: : (.+))?")
UNPROTECTED = re.compile(r"(\S+) is not protected on (Egress|Ingress)")
PART = re.compile(r"\{Key:([^,]+),Operator:(\w+),Values:\[(.*?)\],\}|([^,={}]+)=([^,}]*)")
HEADS = ("src", "dst")


def pytest_generate_tests(metafunc):
    if "case" in metafunc.fixturenames:
        chosen = [case for case in connections.cases() if "exposure" in case["section"]]
        metafunc.parametrize("case", chosen, ids=[case["name"] for case in chosen])
        metafunc.parametrize("format_", ("npa-txt", "npa-csv"))


def read(path):
    return (connections.ROOT / path).read_text("utf-8")


def peer(text):
    """Who is meant: selectors by their parts."""
    if "[" not in text or text.endswith("[External]"):
        return text
    namespaces, _, pods = text.partition("/[")
    return selector(namespaces), selector(pods)


def selector(text):
    inner = text.partition("{")[2]
    if not inner:
        return text.strip("[]")
    parts = PART.findall(inner.rpartition("}")[0])
    return frozenset(
        (key, operator, frozenset(values.split())) if key else (label, "=", value)
        for key, operator, values, label, value in parts
    )


def ports(text):
    """Ports as ranges, and names as they are: ``TCP http,local-dns``, ``TCP 80``."""
    found, protocol = set(), ""
    for part in text.split(","):
        name, blank, span = part.rpartition(" ")
        protocol = name if blank else protocol
        if span.replace("-", "").isdigit():
            found.update(connections.parse_connections(f"{protocol} {span}"))
        else:
            found.add(part if "onnections" in part else f"{protocol} {span}")
    return frozenset(found)


def exposure_of(text):
    """(way, workload, peer, ports) of each line of a text, and who is not protected."""
    lines = iter(text.splitlines())
    focus = next((head[1] for line in lines if (head := HEAD.fullmatch(line))), None)
    exposed, unprotected = set(), set()
    for line in lines:
        if found := UNPROTECTED.fullmatch(line):
            unprotected.add(found.groups())
        elif found := LINE.fullmatch(line):
            workload, way, who, what = found.groups()
            exposed.add((way, workload, peer(who), ports(what or focus)))
    return exposed, unprotected


def exposure_of_csv(text):
    rows = csv.reader(text.splitlines())
    assert any(row[0] == "Exposure Analysis Result:" for row in rows)
    exposed, way = set(), ""
    for first, second, what in rows:
        if first in HEADS:
            way = "=>" if first == "src" else "<="
        elif second:
            exposed.add((way, first, peer(second), ports(what)))
    return exposed


def told(case, format_):
    """What we say of each direction that is asked about."""
    path = str(connections.ROOT / case["dir"])
    texts = []
    for question in questions(case):
        with redirect_stdout(out := io.StringIO()), redirect_stderr(io.StringIO()):
            command = ["reach", "--cluster", path, "--exposure", "--format", format_]
            assert run([*command, *SETTINGS, *question]) == 0
        texts.append(out.getvalue())
    return texts


def test_exposure(case, format_):
    expected, unprotected = exposure_of(read(case["expected"]))
    texts = told(case, format_)
    if format_ == "npa-csv":
        found = [exposure_of_csv(text) for text in texts]
        assert all(exposure_of_csv(read(path)) == expected for path in case["expected_all"] if path.endswith(".csv"))
    else:
        found = [exposure_of(text)[0] for text in texts]
        assert set().union(*(exposure_of(text)[1] for text in texts)) == unprotected
    assert set().union(*found) == expected


def test_the_cases_are_all_there(corpus):
    assert sum("exposure" in case["section"] for case in connections.cases()) == 64
