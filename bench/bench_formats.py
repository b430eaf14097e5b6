"""Captures of every format turned into Parquet."""

from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from loaders.captures.opening import convert_capture
from loaders.synthetic.flows import generate_flows
from tests.exports import WRITERS

from .clusters import SEED, load_scenario

NEEDED = ("source_address", "destination_address", "source_port", "destination_port", "protocol")


@pytest.fixture(scope="module")
def flows(cluster_folder, folder, sizes):
    """Flows that name pods and nodes, as a table; those that lack what some format cannot do without are left out."""
    made = load_scenario(cluster_folder("S"))
    path = generate_flows(made.cluster, sizes.format_rows, SEED, folder / "formats.parquet", pods=True)
    table = pq.read_table(path)
    return table.filter(reduce(pc.and_, [pc.is_valid(table[name]) for name in NEEDED]))


@pytest.fixture
def one_core():
    before = pa.cpu_count()
    pa.set_cpu_count(1)
    yield
    pa.set_cpu_count(before)


@pytest.mark.parametrize("name", WRITERS)
def test_format(benchmark, flows, folder, sizes, name, one_core):
    """Records to rows in order of time, on one core, as a library."""
    path = folder / f"export.{name}"
    WRITERS[name](path, flows.to_batches())
    output = str(folder / "converted.parquet")
    reading = benchmark.pedantic(convert_capture, ([str(path)], output), rounds=sizes.rounds_of(3))
    benchmark.extra_info.update(flows=reading.records, file_bytes=path.stat().st_size)
    assert reading.rows
    assert not reading.unreadable
