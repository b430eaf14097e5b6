import re
import xml.etree.ElementTree as ElementTree
from itertools import product

import pyarrow.parquet as pq
import pytest

from loaders import load_manifests
from simcore.analyses.connectivity import RangeEnd, connectivity
from simcore.analyses.connectivity.blocks import ALL, OTHERS, SOME, UNKNOWN, blocks
from simcore.analyses.connectivity.columns import REACH_SCHEMA
from simcore.analyses.connectivity.listing import listing
from simcore.report.reach_svg import MOST_ENDS
from simcore.tables.build import build_tables
from tests.unit.cli.test_reach_exposure import CLUSTER

SVG = "{http://www.w3.org/2000/svg}"
WHOLE = [(0, 65535)] * 3


@pytest.fixture
def path(tmp_path):
    found = tmp_path / "cluster.yaml"
    found.write_text(CLUSTER)
    return found


@pytest.fixture
def found(path):
    snapshot = load_manifests([str(path)])
    tables = build_tables(snapshot.cluster, snapshot.policies)
    return listing(connectivity(tables), snapshot.cluster)


def many(workloads, namespaces):
    pods = [
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: p{n}, namespace: n{n % namespaces:03}}}"
        for n in range(workloads)
    ]
    return "\n---\n".join([CLUSTER, *pods])


@pytest.mark.parametrize("most", [1, 100])
def test_blocks_count_every_pair_once(found, most):
    result = blocks(found, most)
    assert result.folded == (most == 1)
    wanted = {kind: 0 for kind in (ALL, SOME, UNKNOWN)}
    for _, _, ports in found.pairs():
        whole = [(one.first, one.last) for one in ports.allowed] == WHOLE
        wanted[ALL if whole else SOME if ports.allowed else UNKNOWN] += 1
    assert {kind: int(result.kinds[kind].sum()) for kind in wanted} == wanted
    ends = [found.found.ends[n] for n in found.sources]
    pairs = [
        (one, other)
        for one, other in product(ends, ends)
        if one is not other and not (isinstance(one, RangeEnd) and isinstance(other, RangeEnd))
    ]
    assert int(result.pairs.sum()) == len(pairs)


def test_of_too_many_namespaces_the_smallest_are_one(found):
    result = blocks(found, 0)
    assert [group.namespace for group in result.sources if group.namespace] == [OTHERS]


def test_svg_is_a_matrix_with_tooltips(call, path):
    code, out, _ = call("reach", "--cluster", str(path), "--format", "svg")
    assert code == 0
    root = ElementTree.fromstring(out)
    titles = {title.text for title in root.iter(f"{SVG}title")}
    assert "shop/Pod/web to 10.0.0.0/8: TCP 443" in titles
    assert "shop/Pod/web to ops/Pod/probe: unknown on TCP 443" in titles
    assert not list(root.iter(f"{SVG}script"))


def test_many_workloads_are_folded_by_namespace(call, tmp_path):
    path = tmp_path / "many.yaml"
    path.write_text(many(MOST_ENDS, 10))
    _, out, _ = call("reach", "--cluster", str(path), "--format", "svg")
    root = ElementTree.fromstring(out)
    assert any(one.text == "n003 (8)" for one in root.iter(f"{SVG}text"))
    assert any(title.text == "n003 (8) to shop (2): of 16 pairs 8 on some ports" for title in root.iter(f"{SVG}title"))
    assert float(root.get("width")) < 1200


def test_dot_is_a_graph_with_a_box_for_each_namespace(call, path):
    code, out, _ = call("reach", "--cluster", str(path), "--format", "dot")
    assert code == 0
    assert out.startswith("digraph connections {")
    assert out.count("subgraph cluster_") == 2
    assert '"ops/Pod/probe" -> "shop/Pod/web" [label="TCP 80"];' in out
    assert '"shop/Pod/web" -> "ops/Pod/probe" [label="unknown on TCP 443", style=dashed, color="#d97706"];' in out
    assert len(re.findall(r"[{]", out)) == len(re.findall(r"[}]", out))


def test_parquet_has_a_row_for_each_range_of_ports(call, path, tmp_path, found):
    out = tmp_path / "reach.parquet"
    code, _, err = call("reach", "--cluster", str(path), "--format", "parquet", "-o", str(out))
    table = pq.read_table(out)
    assert code == 0
    assert f"{table.num_rows:,} rows in {out}" in err
    assert table.schema.equals(REACH_SCHEMA)
    rows = table.to_pylist()
    assert len(rows) == sum(len(ports.allowed) + len(ports.unknown) for _, _, ports in found.pairs())
    assert {
        "source": "shop/Pod/web",
        "destination": "10.0.0.0/8",
        "protocol": "TCP",
        "first_port": 443,
        "last_port": 443,
        "verdict": "allow",
    } in rows


@pytest.mark.parametrize("options", [["--format", "parquet"], ["--format", "svg", "-o", "x.svg"]])
def test_parquet_and_output_go_together(call, path, options):
    code, _, err = call("reach", "--cluster", str(path), *options)
    assert code == 2
    assert "go together" in err
