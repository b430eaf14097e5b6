"""The band of allocated entries against a plain table of buckets with a collector, entry by entry."""

import numpy as np
import pytest

from simcore.analyses.sizing.entries import CLASSES
from simcore.analyses.sizing.occupancy import Counter, Entries, Period, pack_paths
from simcore.kernels.sizing.zombies import pass_interval, timer_step
from simcore.model.conntrack import SECOND, Conntrack, CtState

HZ = 250
BEGIN = 1_767_607_200 * SECOND
UDP_KIND, TCP_KIND = 2, 0


def plain_interval(left, seconds=60):
    """The collector's next interval by whole ticks, each entry met twice; `left` in seconds."""
    average, samples = seconds * HZ, 100
    for each in np.repeat(left, 2):
        ticks = int(min(max(each, 1), 300) * HZ)
        samples += 1
        average += int((ticks - average) / samples)
    return min(max(average / HZ, 1), 60)


class PlainTable:
    """Buckets of entries that expire; whoever looks into a bucket, and the collector, takes the expired away."""

    def __init__(self, buckets, random):
        self.chains = [set() for _ in range(buckets)]
        self.random = random
        self.expiry = {}
        self.places = {}

    def visit(self, bucket, now):
        for entry in [entry for entry in self.chains[bucket] if self.expiry[entry] <= now]:
            self.remove(entry)

    def remove(self, entry):
        for bucket in self.places.pop(entry):
            self.chains[bucket].discard(entry)
        del self.expiry[entry]

    def open(self, entry, now, expiry, has_nat):
        places = self.random.integers(0, len(self.chains), 2).tolist()
        for bucket in places[: 1 + has_nat]:
            self.visit(bucket, now)
        self.expiry[entry], self.places[entry] = expiry, places
        for bucket in places:
            self.chains[bucket].add(entry)

    def collect(self, now):
        gone = [entry for entry, expiry in self.expiry.items() if expiry <= now]
        left = [(expiry - now) / SECOND for expiry in self.expiry.values() if expiry > now]
        for entry in gone:
            self.remove(entry)
        interval = plain_interval(left)
        ticks = interval * HZ
        step = timer_step(interval, HZ) * HZ
        return (int(ticks / step + 1) * step if step else ticks) / HZ


def simulate(opens, ends, has_nat, buckets, first_pass, random):
    """Allocated entries after every opening, and ten times a second."""
    table = PlainTable(buckets, random)
    times, counts = [], []
    next_pass = BEGIN + first_pass * SECOND
    looks = np.arange(BEGIN, opens[-1], SECOND // 10)
    events = sorted([(time, 1, number) for number, time in enumerate(opens.tolist())] + [(t, 0, -1) for t in looks])
    for time, _, number in events:
        while next_pass <= time:
            next_pass += int(table.collect(next_pass) * SECOND)
        if number >= 0:
            table.open(number, time, ends[number], has_nat)
        times.append(time)
        counts.append(len(table.expiry))
    return np.array(times), np.array(counts)


def occupancy(opens, ends, settings, kind, states, buckets, has_nat=False):
    """What the project makes of the same entries, in one state each."""
    time = np.concatenate([opens, ends])
    order = np.argsort(time, kind="stable")
    count = opens.size
    before = np.repeat(np.array([CtState.NONE, states], np.uint8), count)
    after = np.repeat(np.array([states, CtState.NONE], np.uint8), count)
    path = pack_paths(np.zeros(2 * count, np.int64), np.zeros(2 * count, np.int64))
    period = Period(BEGIN, int(opens[-1]), SECOND, SECOND)
    buckets = np.full(1, float(buckets))
    room = {"limits": np.zeros(1), "buckets": buckets}
    counter = Counter(1, 1, settings, period, **room, has_nat=has_nat, first_pass=30.0)
    counter.add(Entries(time[order], before[order], after[order], np.full(2 * count, kind, np.uint8), path))
    return counter.finish()


LOADS = {
    "one-way, few buckets": (UDP_KIND, CtState.UNREPLIED, 1, 200, 128),
    "one-way, many buckets": (UDP_KIND, CtState.UNREPLIED, 3, 200, 65536),
    "answered, few buckets": (UDP_KIND, CtState.REPLIED, 2, 300, 512),
    "one-way, default timeout": (UDP_KIND, CtState.UNREPLIED, 30, 100, 4096),
    "closed, default timeout": (TCP_KIND, CtState.TIME_WAIT, 120, 60, 8192),
}


@pytest.mark.parametrize("has_nat", [False, True])
@pytest.mark.parametrize("load", LOADS)
def test_the_band_holds_what_a_plain_table_has_allocated(load, has_nat):
    kind, state, seconds, rate, buckets = LOADS[load]
    random = np.random.default_rng(7)
    opens = BEGIN + np.sort(random.integers(0, 200 * SECOND, 200 * rate))
    ends = opens + seconds * SECOND
    settings = Conntrack(nf_conntrack_udp_timeout=seconds) if kind == UDP_KIND else Conntrack()
    found = occupancy(opens, ends, settings, kind, state, buckets, has_nat)
    peaks = []
    for first_pass in (7, 31, 59):
        times, counts = simulate(opens, ends, has_nat, buckets, first_pass, random)
        places = (times - found.period.start) // found.period.bin
        assert (counts >= found.curve.least[0][places] - 1).all()
        assert (counts <= found.curve.bound[0][places]).all()
        peaks.append(counts.max())
    # The band is of use only if it is not far off what the worst of phases gives.
    assert max(peaks) <= found.bound[0] <= 1.25 * max(peaks)


@pytest.mark.parametrize("buckets", [128, 256, 512])
@pytest.mark.parametrize(("state", "has_nat", "share"), [(CtState.UNREPLIED, False, 2), (CtState.REPLIED, True, 4)])
def test_a_busy_table_holds_as_many_zombies_as_its_buckets_allow(state, has_nat, share, buckets):
    random = np.random.default_rng(3)
    opens = BEGIN + np.sort(random.integers(0, 30 * SECOND, 60_000))
    settings = Conntrack(nf_conntrack_udp_timeout=1)
    found = occupancy(opens, opens + SECOND, settings, UDP_KIND, state, buckets, has_nat)
    mean = found.curve.top[0][5:25] - found.curve.most[0][5:25]
    # The most of either is not at one time, so the difference is a little less than the zombies.
    assert 0.7 * buckets / share < mean.mean() < 1.04 * buckets / share


@pytest.mark.parametrize(
    "counts",
    [
        {CtState.TIME_WAIT: 5000},
        {CtState.CLOSE: 3000},
        {CtState.UNREPLIED: 2000, CtState.TIME_WAIT: 100},
        {CtState.ESTABLISHED: 400, CtState.CLOSE: 4000},
        {CtState.UNREPLIED: 40},
    ],
)
def test_the_interval_is_about_that_of_whole_ticks(counts):
    random = np.random.default_rng(5)
    settings = Conntrack()
    lifetime = np.array([each.lifetime(settings) for each in CLASSES])
    refreshed = np.array([each.is_refreshed for each in CLASSES])
    table = np.zeros((1, len(CLASSES)), np.int64)
    left = []
    for state, count in counts.items():
        number = next(n for n, each in enumerate(CLASSES) if each.state == state)
        table[0, number] = count
        share = np.ones(count) if refreshed[number] else random.random(count)
        left += (lifetime[number] * share).tolist()
    random.shuffle(left)
    exact = plain_interval(left)
    about, most = (pass_interval(table, 0, lifetime, refreshed, HZ, at_most) for at_most in (False, True))
    assert about == pytest.approx(exact, rel=0.15)
    assert most >= 0.95 * exact


@pytest.mark.parametrize(("seconds", "step"), [(0.2, 0), (1, 0.032), (10, 0.256), (20, 2.048), (60, 2.048)])
def test_timers_are_the_coarser_the_farther_they_are(seconds, step):
    assert timer_step(seconds, HZ) == pytest.approx(step)
