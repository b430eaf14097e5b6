"""Following packets: in bulk on a million live connections, beside a loop that looks nothing up; exactly on a load."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from loaders.synthetic.live import draw_live, opening_packets
from loaders.synthetic.packets import draw_load, packet_batch
from simcore.analyses.conntrack.bulk import BULK_SCHEMA, BulkTracker
from simcore.analyses.conntrack.tracking import Tracker
from simcore.model.addresses import Cidr
from simcore.model.conntrack import LINUX

from .peers import copy_packets

CLIENTS = (Cidr.parse("10.77.1.0/24"),)
COLUMNS = (
    *("time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("flags", "length", "sequence", "acknowledgement", "window"),
)
SECONDS = 20.0
ROUNDS = 5


@pytest.fixture(scope="module")
def load(sizes):
    return packet_batch(draw_load(sizes.load_connections, 1, SECONDS))


@pytest.fixture(scope="module")
def live(sizes):
    """Packets that open the connections, and packets on them."""
    parts = draw_live(sizes.live_connections, sizes.live_packets, 1, SECONDS)
    table = pa.Table.from_batches(map(packet_batch, parts))
    opening = opening_packets(sizes.live_connections)
    return table.slice(0, opening), table.slice(opening)


def columns_of(packets):
    names = [name for name in COLUMNS if name != "time"]
    return [packets["time"].cast("int64").to_numpy(), *(packets[name].fill_null(0).to_numpy() for name in names)]


def followed(tracker, table):
    for batch in table.to_batches():
        tracker.track_arrays(batch)
    return tracker


@pytest.mark.parametrize("threads", [1, 2])
def test_track(benchmark, live, load, sizes, threads):
    opening, packets = live
    exact = Tracker(LINUX, clients=CLIENTS).track(load)
    assert BulkTracker(LINUX, clients=CLIENTS, shards=threads).track(load).equals(exact.select(BULK_SCHEMA.names))

    def opened():
        return (followed(BulkTracker(LINUX, clients=CLIENTS, shards=threads), opening), packets), {}

    tracker = benchmark.pedantic(followed, setup=opened, rounds=sizes.rounds_of(ROUNDS))
    end = packets["time"][-1].value
    assert tracker.live(end) == sizes.live_connections
    benchmark.extra_info.update(packets=packets.num_rows, connections=sizes.live_connections, entry_bytes=tracker.size)


def test_tracker(benchmark, load, sizes):
    def new_tracker():
        return (Tracker(LINUX, clients=CLIENTS), load), {}

    answers = Tracker(LINUX, clients=CLIENTS).track(load)
    assert set(answers["ct_class"].to_pylist()) == {"new", "established"}
    benchmark.extra_info.update(packets=load.num_rows, connections=sizes.load_connections)
    benchmark.pedantic(Tracker.track, setup=new_tracker, rounds=sizes.rounds_of(ROUNDS))


@pytest.mark.parametrize("threads", [1, 2])
def test_no_table(benchmark, live, sizes, threads):
    _, packets = live
    columns = columns_of(packets)
    columns += [np.empty(packets.num_rows, kind) for kind in (np.uint8, np.uint8, np.int64)]
    size = -(-packets.num_rows // threads)
    parts = [[column[part * size :][:size] for column in columns] for part in range(threads)]

    def copy_all():
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: copy_packets(*part), parts))

    benchmark.extra_info.update(packets=packets.num_rows)
    benchmark.pedantic(copy_all, rounds=sizes.rounds_of(ROUNDS), warmup_rounds=1)
