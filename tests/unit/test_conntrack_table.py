"""The plain simulation of a conntrack table obeys the laws measured on a kernel (C-5, C-6, C-11)."""

import math

import pytest

from simcore.model.conntrack import LINUX, Conntrack
from tests.oracles.conntrack import Entry, Tuple
from tests.oracles.conntrack_table import SECOND, BucketTable

TICK = SECOND // LINUX.hz


def table_of(buckets, limit=0, **more):
    return BucketTable(Conntrack(nf_conntrack_max=limit, nf_conntrack_buckets=buckets), **more)


def flow(number):
    return Tuple(f"10.0.{number >> 8}.{number & 255}", "10.1.0.1", 17, 5000, 53)


def add(table, number, now=0, life=30, assured=False):
    entry = Entry(flow(number))
    entry.assured = assured
    entry.refresh(now, life)
    table.insert(entry, now)
    return entry


# Early drop.


@pytest.mark.parametrize(("buckets", "unassured"), [(512, 16), (512, 32), (2048, 512), (8192, 256)])
def test_a_new_flow_gets_into_a_full_table_as_often_as_the_law_says(buckets, unassured):
    trials = 300
    table = table_of(buckets)
    for number in range(unassured):
        add(table, number)
    entries = set(table.allocated)
    chains = {bucket: list(chain) for bucket, chain in table.chains.items()}
    got_in = 0
    for number in range(trials):
        table.allocated = set(entries)
        table.chains.update({bucket: list(chain) for bucket, chain in chains.items()})
        got_in += table.drop_early(flow(50_000 + number), 0)
    law = 1 - math.exp(-16 * unassured / buckets)
    assert got_in / trials == pytest.approx(law, abs=4 * math.sqrt(0.25 / trials))


def test_an_eviction_kills_all_unassured_entries_of_its_bucket():
    buckets = unassured = 64
    evicted = tables = 0
    for seed in range(200):
        table = table_of(buckets, seed=seed)
        for number in range(unassured):
            add(table, number)
        tables += table.drop_early(flow(50_000), 0)
        evicted += table.evicted
    load = 2 * unassured / buckets
    assert evicted / tables == pytest.approx(load / (1 - math.exp(-load)), rel=0.1)


def test_assured_entries_are_not_evicted_and_expired_ones_do_not_make_room():
    table = table_of(8, limit=4)
    add(table, 0, life=1)
    for number in range(1, 4):
        add(table, number, assured=True)
    assert not table.has_room(flow(9), 2 * SECOND)
    assert len(table.allocated) == 3  # the expired entry went, but the packet is lost
    assert table.full == 1
    assert table.has_room(flow(9), 2 * SECOND)


# Expired entries.


def churn(buckets, places, rate=2000, seconds=4):
    """Mean number of expired entries under one-way flows that live a second; each new flow walks `places` chains."""
    table, expired = table_of(buckets, seed=1), []
    for number in range(rate * seconds):
        now = number * SECOND // rate
        entry = Entry(Tuple(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "10.200.0.1", 17, 5000, 53))
        for tuple_ in entry.tuples[:places]:
            table.find(tuple_, now)
        entry.refresh(now, 1)
        table.insert(entry, now)
        if now >= 2 * SECOND:
            expired.append(len(table.allocated) - rate)
    return sum(expired) / len(expired)


@pytest.mark.parametrize("buckets", [256, 512, 1024])
def test_expired_entries_settle_at_half_the_buckets(buckets):
    assert churn(buckets, 1) == pytest.approx(buckets / 2, rel=0.1)


def test_they_settle_at_a_quarter_where_a_flow_walks_two_chains():
    assert churn(512, 2) == pytest.approx(512 / 4, rel=0.1)


def test_their_number_does_not_depend_on_the_rate():
    assert churn(256, 1, rate=1000) == pytest.approx(churn(256, 1, rate=3000), rel=0.1)


def test_a_walk_ends_where_it_finds_its_entry():
    table = table_of(1)
    old = add(table, 1, life=1)
    wanted = add(table, 2)
    new = add(table, 3, life=1)
    assert table.find(flow(2), 5 * SECOND) is wanted
    assert table.allocated == {old, wanted}
    assert new not in table.allocated


# The collector.


def test_an_idle_table_is_scanned_every_minute():
    table = table_of(64, first_pass=0)
    table.pass_time(200 * SECOND)
    late = 61_440_000_000  # a timer of a minute goes off at a multiple of 2.048 s
    assert table.passes == [0, late, 2 * late, 3 * late]


@pytest.mark.parametrize(("ticks", "fires"), [(1, 2), (62, 63), (63, 64), (503, 504), (504, 512), (4031, 4032)])
def test_timers_go_off_late_on_a_grid(ticks, fires):
    assert table_of(64, first_pass=0).timer(0, ticks) == fires * TICK


def test_the_intervals_measured_on_a_kernel_lie_on_that_grid():
    for measured in (22.6, 26.6, 24.6, 61.5, 47.1, 38.9):  # C-11.3
        assert abs(measured / 2.048 - round(measured / 2.048)) < 0.05


def test_the_collector_takes_what_is_expired_and_nothing_else():
    table = table_of(64, first_pass=10 * SECOND)
    for number in range(20):
        add(table, number, life=number + 1)
    table.pass_time(10 * SECOND - 1)
    assert len(table.allocated) == 20
    table.pass_time(10 * SECOND)
    assert len(table.allocated) == 10


def test_the_interval_is_a_mean_in_ticks_that_is_cut_at_every_step():
    table = table_of(64, first_pass=0)
    for number in range(50):
        add(table, number, life=5)
    table.pass_time(0)
    mean, samples = 60 * LINUX.hz, 100
    for _ in range(100):  # each entry is met twice
        samples += 1
        mean += int((5 * LINUX.hz - mean) / samples)
    assert table.next_slice == table.timer(0, mean - 1)
    exact = (100 * 60 + 100 * 5) / 200
    assert 0 < mean / LINUX.hz - exact < 1


def test_the_mean_freezes_above_what_an_exact_one_would_be():
    table = table_of(4096, first_pass=0)
    for number in range(20_000):
        add(table, number, life=50)
    table.pass_time(0)
    assert table.next_slice > 52 * SECOND


def test_many_expired_entries_take_several_slices():
    table = table_of(4096, first_pass=10 * SECOND)
    for number in range(600):
        add(table, number, life=1)
    for ticks, left in enumerate((600 - 257, 600 - 514, 0)):
        table.pass_time(10 * SECOND + 2 * ticks * TICK)
        assert abs(len(table.allocated) - left) <= 1
    assert table.passes == [10 * SECOND]


def test_after_a_table_was_full_the_collector_kills_unassured_entries_once():
    table = table_of(65536, limit=200, first_pass=10 * SECOND)
    for number in range(200):
        add(table, number, life=600, assured=number % 2 == 0)
    assert not all(table.has_room(flow(50_000 + number), 0) for number in range(20))
    table.pass_time(10 * SECOND)
    assert len(table.allocated) == 189  # below 95 % of the maximum it stops
    for number in range(11):
        add(table, 1000 + number, life=600)
    table.pass_time(table.next_slice)
    assert len(table.allocated) == 200
