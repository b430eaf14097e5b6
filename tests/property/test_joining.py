"""Connections recorded before and after translation, against the same ones recorded once."""

import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

import loaders
import simcore
from simcore.analyses.sessions.stateful import StatefulOptions
from simcore.analyses.sizing.sizing import Assumptions, size
from simcore.model.conntrack import LINUX
from tests import translation
from tests.connections import SCHEMA
from tests.manifests import load
from tests.translation import AFTER, BEFORE, CLUSTER, NODES, OUTSIDE, Connection

CLUSTER_OF_TWO = load(*CLUSTER).cluster
POLICIES = [load(*CLUSTER, *documents).policies for documents in (BEFORE, AFTER)]


@st.composite
def connections(draw, lag=0.01):
    """Connections whose clients differ in their ports, so that nothing but translation makes two of them alike."""
    found = []
    one_way = draw(st.booleans())
    for number in range(draw(st.integers(1, 8))):
        client = draw(st.sampled_from(["web1", "web2", *OUTSIDE]))
        dialled = draw(st.sampled_from(["", "vip", "n1", "n2"] if client in OUTSIDE else ["", "vip", "vip"]))
        node = draw(st.sampled_from(["", dialled])) if dialled in NODES else ""
        found.append(
            Connection(
                client,
                40_000 + 7 * number,
                dialled,
                draw(st.sampled_from(translation.BACKENDS)),
                draw(st.integers(0, 3000)) / 10,
                draw(st.sampled_from([0.0, 0.2, 5.0, 90.0])),
                node,
                draw(st.booleans()),
                one_way,
                lag,
            )
        )
    return found


def written(folder, name, rows, group):
    path = Path(folder) / f"{name}.parquet"
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path, row_group_size=group)
    return loaders.open_capture([str(path)])


def in_order(found, which):
    """Rows of connections by time, and the connection of each."""
    rows = [(made, number) for number, each in enumerate(found) for made in getattr(each, which)]
    rows.sort(key=lambda pair: pair[0]["time"])
    return [made for made, _ in rows], [number for _, number in rows]


@settings(max_examples=60, deadline=None)
@given(connections(), st.sampled_from([(1, 3, 100), (2, 2, 5), (3, 1000, 1000)]))
def test_what_is_recorded_everywhere_is_what_is_recorded_once(found, how):
    threads, batch_rows, group = how
    options = {"threads": threads, "batch_rows": batch_rows}
    with tempfile.TemporaryDirectory() as folder:
        everywhere, owners = in_order(found, "everywhere")
        once, owners_once = in_order(found, "once")
        captures = written(folder, "everywhere", everywhere, group), written(folder, "once", once, 1000)
        outputs = [Path(folder) / "1.parquet", Path(folder) / "2.parquet"]
        results = [
            simcore.replay(capture, CLUSTER_OF_TWO, POLICIES[0], output=output, stateful=StatefulOptions(), **options)
            for capture, output in zip(captures, outputs, strict=True)
        ]
        said = [pq.read_table(output).to_pylist() for output in outputs]
        words = [
            {
                (owner, row["verdict"], row["ingress_reason"], row["ct_class"], row["passed_by"], row["orientation"])
                for row, owner in zip(rows, whose, strict=True)
            }
            for rows, whose in zip(said, (owners, owners_once), strict=True)
        ]
        assert words[0] == words[1]
        assert results[0].state.connections == results[1].state.connections == len(found)
        before = sum(len(each.everywhere) - len(each.once) for each in found)
        assert sum(results[0].state.joined.values()) == before
        changed = [
            simcore.whatif(c, CLUSTER_OF_TWO, *POLICIES, stateful=StatefulOptions(), **options) for c in captures
        ]
        assert changed[0].cut == changed[1].cut


@settings(max_examples=25, deadline=None)
@given(connections(lag=0.0))
def test_tables_are_sized_for_each_connection_once(found):
    with tempfile.TemporaryDirectory() as folder:
        captures = [written(folder, which, in_order(found, which)[0], 1000) for which in ("everywhere", "once")]
        cases = [size(capture, CLUSTER_OF_TWO, Assumptions(POLICIES[0], LINUX)).baseline for capture in captures]
    everywhere, once = (
        [(table.node, table.peak_live, table.owners, table.classes) for table in (*case.tables, case.fleet)]
        for case in cases
    )
    assert everywhere == once


@settings(max_examples=25, deadline=None)
@given(connections())
def test_neither_threads_nor_batches_nor_row_groups_matter(found):
    rows, _ = in_order(found, "everywhere")
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        for number, (threads, batch_rows) in enumerate([(1, 1000), (2, 2), (3, 5)]):
            output = Path(folder) / f"{number}.out.parquet"
            capture = written(folder, "capture", rows, 4)
            options = {"threads": threads, "batch_rows": batch_rows, "stateful": StatefulOptions()}
            simcore.replay(capture, CLUSTER_OF_TWO, POLICIES[0], output=output, **options)
            outputs.append(output.read_bytes())
    assert len(set(outputs)) == 1
