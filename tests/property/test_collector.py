"""Both counts of the tracker, live and allocated: against an exact sweep, and against a plain table of buckets."""

from collections import defaultdict
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from loaders.synthetic.packets import draw_load, packet_batch
from simcore.analyses.conntrack.tracking import Tracker
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.conntrack import BOTHNEW, SECOND, Conntrack
from tests.oracles.conntrack import Oracle, Packet
from tests.oracles.conntrack_table import BucketTable
from tests.packets import CLIENTS

SHORT = {
    "tcp_timeout_syn_sent": 5,
    "tcp_timeout_established": 15,
    "tcp_timeout_close_wait": 8,
    "tcp_timeout_time_wait": 6,
    "tcp_timeout_unacknowledged": 12,
    "udp_timeout": 3,
    "udp_timeout_stream": 7,
    "icmp_timeout": 2,
}


def settings_of(**more):
    return Conntrack(**{f"nf_conntrack_{name}": value for name, value in more.items()})


@cache
def load(connections, seed, seconds):
    """A load as a batch, and as packets of the oracle."""
    batch = packet_batch(draw_load(connections, seed, seconds))
    columns = {name: batch[name] for name in batch.schema.names}
    columns["time"] = batch["time"].cast(pa.int64())
    rows = zip(*(column.to_pylist() for column in columns.values()), strict=True)
    return batch, [packet_of(dict(zip(columns, row, strict=True))) for row in rows]


def packet_of(row):
    known = {name: value for name, value in row.items() if value is not None}
    for end in ("source_address", "destination_address"):
        known[end] = str(Address(Family.V4, known[end]))
    return Packet(side="a" if known["source_address"].startswith("10.77.1.") else "b", **known)


def counts(batch, settings, **more):
    rows = Tracker(settings, BOTHNEW, clients=map(Cidr.parse, CLIENTS), **more).track(batch)
    return rows["count"].to_numpy(), rows["live"].to_numpy(), rows


# Live.


def sweep(packets, settings):
    """Entries alive after each packet: their lives are put down as intervals, and counted at the end."""
    oracle = Oracle(settings, BOTHNEW, CLIENTS)
    known = defaultdict(list)  # entry -> (when, until when it would live)
    for packet in packets:
        _, _, entry = oracle.judge(packet)
        if entry is not None:
            known[entry].append((packet.time, entry.expires if entry in oracle.table.allocated else packet.time))
    intervals = [
        (start, min(until, after))
        for moments in known.values()
        for (start, until), (after, _) in pairwise([*moments, (1 << 63, 0)])
    ]
    starts, ends = (np.sort([interval[side] for interval in intervals if interval[0] < interval[1]]) for side in (0, 1))
    times = np.array([packet.time for packet in packets])
    return np.searchsorted(starts, times, "right") - np.searchsorted(ends, times, "right")


@pytest.mark.parametrize("changed", [{}, SHORT], ids=["defaults", "short"])
@pytest.mark.parametrize("seed", [1, 2])
def test_live_is_an_exact_sweep_of_intervals(changed, seed):
    batch, packets = load(400, seed, 20.0)
    settings = settings_of(**changed, max=0)
    _, live, _ = counts(batch, settings)
    assert live.tolist() == sweep(packets, settings).tolist()


# Allocated.


def simulated(packets, settings, seed, first_pass):
    """Allocated entries after each packet, and the table at the end."""
    table = BucketTable(settings, seed, packets[0].time + round(first_pass * SECOND))
    oracle, found, lost = Oracle(settings, BOTHNEW, CLIENTS, table), [], 0
    for packet in packets:
        table.pass_time(packet.time)
        ct_class, _, _ = oracle.judge(packet)
        lost += ct_class.word == "none"
        found.append(len(table.allocated))
    return np.array(found), table, lost


@pytest.mark.parametrize("buckets", [128, 1024, 65536])
@pytest.mark.parametrize("first_pass", [11.0, 60.0])
def test_allocated_runs_with_a_plain_table(buckets, first_pass):
    """Which entries share a bucket is chance; so is then by which step of the timers' grid a pass comes late."""
    batch, packets = load(1200, 3, 20.0)
    settings = settings_of(**SHORT, max=0, buckets=buckets)
    allocated, live, _ = counts(batch, settings, gc_first_pass=first_pass, seed=5)
    runs = [simulated(packets, settings, seed, first_pass) for seed in range(3)]
    times = np.array([packet.time for packet in packets])
    passes = [begin for _, table, _ in runs for begin in table.passes[1:]]
    quiet = ~np.any([abs(times - begin) < 0.6 * SECOND for begin in passes], axis=0) if passes else slice(None)
    curves = np.array([curve for curve, _, _ in runs])[:, quiet]
    allocated, live = allocated[quiet], live[quiet]
    slack = 4 + 0.06 * curves.mean(axis=0)
    assert (allocated >= live).all()
    assert (allocated >= curves.min(axis=0) - slack).all()
    assert (allocated <= curves.max(axis=0) + slack).all()
    assert abs(allocated.mean() / curves.mean() - 1) < 0.02


def test_a_full_table_loses_and_evicts_what_a_plain_one_does():
    batch, packets = load(1200, 4, 20.0)
    settings = settings_of(**SHORT, max=128, buckets=512)
    lost, evicted = [], []
    for seed in range(3):
        tracker = Tracker(settings, BOTHNEW, clients=map(Cidr.parse, CLIENTS), gc_first_pass=9.0, seed=seed)
        lost.append(tracker.track(batch)["ct_class"].to_pylist().count("none"))
        evicted.append(tracker.statistics["early_drop"])
    plain = [simulated(packets, settings, seed, 9.0) for seed in range(3)]
    assert np.mean(lost) == pytest.approx(np.mean([number for _, _, number in plain]), rel=0.04)
    assert np.mean(evicted) == pytest.approx(np.mean([table.evicted for _, table, _ in plain]), rel=0.12)
