"""Records before and after translation, by hand: which are joined, and which are left as they were recorded."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from simcore.analyses.sessions.joining import find_joined
from simcore.analyses.sessions.stateful import StatefulOptions
from simcore.analyses.shards import Threads
from simcore.tables.build import build_tables
from tests.connections import SCHEMA, A, S, row
from tests.manifests import load
from tests.translation import BEFORE, CLUSTER, NODES, OUTSIDE, PODS, TARGET, VIP

SNAPSHOT = load(*CLUSTER, *BEFORE)
TABLES = build_tables(SNAPSHOT.cluster, SNAPSHOT.policies)
WEB, OTHER = (PODS["web1"][0], 40_000), (PODS["web2"][0], 40_000)
DB1, DB2 = (PODS["db1"][0], TARGET), (PODS["db2"][0], TARGET)
SERVICE, PORT = (VIP, 80), (NODES["n1"], 30080)
OUT, OUT2, NODE1, NODE2 = *((address, 40_000) for address in OUTSIDE), *((a, 40_000) for a in NODES.values())
UDP = {"protocol": 17}


@pytest.fixture
def joined(tmp_path):
    """Say of each row what it is joined with: the row, or ``alone``; nothing where it is not joined."""

    def _joined(*rows, schema=SCHEMA):
        path = tmp_path / "capture.parquet"
        pq.write_table(pa.Table.from_pylist(list(rows), schema), path)
        found = find_joined(loaders.open_capture([str(path)]), TABLES, Threads(1), 3)
        if found is None:
            return {}
        twins = [twin if twin >= 0 else "alone" for twin in found.twins.tolist()]
        return dict(zip(found.rows.tolist(), twins, strict=True))

    return _joined


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param([row(0, WEB, SERVICE, S), row(0, WEB, DB1, S)], {0: 1}, id="a pair"),
        pytest.param([row(0.05, WEB, DB1, S), row(0, WEB, SERVICE, S)], {1: 0}, id="in any order"),
        pytest.param([row(0, WEB, SERVICE, S)], {}, id="recorded at one place"),
        pytest.param([row(0, WEB, SERVICE, S), row(0.5, WEB, DB1, S)], {}, id="another connection, by its SYN"),
        pytest.param([row(0.5, WEB, SERVICE, A, lasts=60), row(0, WEB, DB1, A, lasts=70)], {0: 1}, id="overlapping"),
        pytest.param(
            [row(0.5, WEB, SERVICE, S, lasts=60), row(0, WEB, DB1, A, lasts=70)], {}, id="one that ran before"
        ),
        pytest.param([row(0.5, WEB, SERVICE, A, lasts=1), row(1.9, WEB, DB1, A)], {}, id="too late"),
        pytest.param([row(0, WEB, SERVICE, S), row(1, WEB, DB1, S)], {0: 1}, id="whole seconds"),
        pytest.param([row(0, WEB, SERVICE, S), row(0, OTHER, DB1, S)], {}, id="another client"),
        pytest.param([row(0, WEB, SERVICE, S), row(0, WEB, (DB1[0], 99), S)], {}, id="another port"),
        pytest.param([row(0, WEB, SERVICE, S, **UDP), row(0, WEB, DB1, S)], {}, id="another protocol"),
        pytest.param([row(0, WEB, SERVICE, S), row(0, WEB, DB1, S), row(0, WEB, DB2, S)], {}, id="two backends"),
        pytest.param([row(0, WEB, SERVICE, A), row(0, DB1, WEB, A)], {0: "alone"}, id="only the answer has a twin"),
        pytest.param(
            [row(0, WEB, SERVICE, S), row(0, SERVICE, WEB, A), row(0, WEB, DB1, S), row(0, DB1, WEB, A)],
            {0: 2, 1: 3},
            id="both ways",
        ),
        pytest.param(
            [row(5, WEB, SERVICE, A, lasts=9), row(0, WEB, DB1, S, lasts=6), row(5.2, WEB, DB1, A)],
            {0: 2},
            id="the twin that begins nearest",
        ),
        pytest.param(
            [row(1, WEB, SERVICE, A, lasts=9), row(0, WEB, DB1, A, lasts=6), row(5.2, WEB, DB1, A)],
            {0: 1},
            id="an earlier twin that begins nearest",
        ),
        pytest.param([row(None, WEB, SERVICE, S), row(0, WEB, DB1, S)], {}, id="without time"),
        pytest.param([row(0, OUT, PORT, S), row(0, OUT, DB1, S)], {0: 1}, id="a node port, the client kept"),
        pytest.param([row(0, OUT, PORT, S), row(0, NODE1, DB2, S)], {0: 1}, id="a node for the client"),
        pytest.param([row(0, OUT, PORT, S), row(0, NODE2, DB2, S)], {}, id="not the node that was dialled"),
        pytest.param([row(0, OUT, SERVICE, S), row(0, NODE2, DB2, S)], {0: 1}, id="any node, by another address"),
        pytest.param(
            [row(0, OUT, SERVICE, S), row(0, NODE1, DB2, S), row(0, NODE2, DB2, S)], {}, id="two nodes for one client"
        ),
        pytest.param(
            [row(0, OUT, PORT, S), row(0, OUT2, PORT, S), row(0, NODE1, DB2, S)], {}, id="one node for two clients"
        ),
        pytest.param([row(0, WEB, PORT, S), row(0, NODE1, DB2, S)], {}, id="a node for a pod"),
        pytest.param(
            [row(0, OUT, PORT, S), row(0, OUT, DB2, S), row(0, NODE1, DB2, S)], {0: 2, 1: 2}, id="three places"
        ),
        pytest.param(
            [row(0, OUT, PORT, S), row(0, OUT, DB1, S), row(0, NODE1, DB2, S)], {0: 1}, id="a node for somebody else"
        ),
        pytest.param([row(0, WEB, DB1, S), row(0, NODE1, DB1, S)], {}, id="nobody dialled"),
    ],
)
def test_what_is_joined(rows, expected, joined):
    assert joined(*rows) == expected


def test_what_so_many_rows_may_be_is_left_alone(joined):
    crowd = [row(0, WEB, DB1, A, lasts=9)] * 257
    assert joined(row(0, WEB, SERVICE, A), *crowd) == {}
    assert joined(row(0, WEB, SERVICE, A), *crowd[:256]) != {}


def test_a_record_that_names_its_pods_is_a_twin(joined, tmp_path):
    schema = SCHEMA.append(pa.field("source_pod", pa.string())).append(pa.field("destination_pod", pa.string()))
    named = row(0, WEB, DB1, S) | {"source_pod": "shop/web1", "destination_pod": "shop/db1"}
    without = named | {"source_address": None, "destination_address": None}
    dialled = row(0, WEB, SERVICE, S) | {"source_pod": None, "destination_pod": None}
    assert joined(dialled, named, schema=schema) == {0: 1}
    assert joined(dialled, without, schema=schema) == {0: 1}
    result = simcore.replay(
        loaders.open_capture([str(tmp_path / "capture.parquet")]), TABLES, stateful=StatefulOptions()
    )
    assert (result.allowed, result.state.connections, dict(result.state.joined)) == (2, 1, {"service": 1, "source": 0})


def test_rows_from_nodes_are_counted(tmp_path):
    path = tmp_path / "capture.parquet"
    rows = [row(0, NODE1, DB2, S), row(1, NODE1, DB1, S), row(2, WEB, DB1, S)]
    pq.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    result = simcore.replay(loaders.open_capture([str(path)]), TABLES, stateful=StatefulOptions())
    assert result.state.node_sources == 1
