"""What a full table turns away and evicts, against a plain one of buckets that has as much room."""

import numpy as np
import pytest

from simcore.analyses.sizing.occupancy import Counter, Entries, Period, pack_paths
from simcore.model.conntrack import SECOND, Conntrack, CtState
from tests.property.test_zombies import BEGIN, PlainTable

TCP_KIND, UDP_KIND = 0, 2
SECONDS = 120
SETTINGS = Conntrack(nf_conntrack_udp_timeout=10, nf_conntrack_tcp_timeout_time_wait=10)


class FullTable(PlainTable):
    """A table with a maximum: it looks for entries to evict in eight buckets, and stops where it found some (C-5)."""

    def __init__(self, buckets, limit, random):
        super().__init__(buckets, random)
        self.limit = limit
        self.assured = set()
        self.lost = self.evicted = 0

    def offer(self, entry, now, expiry, is_assured):
        places = self.random.integers(0, len(self.chains), 2).tolist()
        self.visit(places[0], now)
        if len(self.expiry) >= self.limit and not self.early_drop(places[0], now):
            self.lost += 1
            return
        self.expiry[entry], self.places[entry] = expiry, places
        for bucket in places:
            self.chains[bucket].add(entry)
        if is_assured:
            self.visit(places[1], now)
            self.assured.add(entry)

    def early_drop(self, first, now):
        for bucket in range(first, first + 8):
            bucket %= len(self.chains)
            self.visit(bucket, now)
            victims = self.chains[bucket] - self.assured
            for entry in victims:
                self.remove(entry)
            self.evicted += len(victims)
            if victims:
                return True
        return False


def offered(rate, assured, random):
    """When connections open, which of them are assured; all last ten seconds."""
    opens = BEGIN + np.sort(random.integers(0, SECONDS * SECOND, SECONDS * rate))
    return opens, random.random(opens.size) < assured


def counted(opens, is_assured, limit, buckets):
    ends = opens + 10 * SECOND
    state = np.where(is_assured, CtState.TIME_WAIT, CtState.UNREPLIED).astype(np.uint8)
    kind = np.where(is_assured, TCP_KIND, UDP_KIND).astype(np.uint8)
    none = np.zeros(opens.size, np.uint8)
    time = np.concatenate([opens, ends])
    order = np.argsort(time, kind="stable")
    path = pack_paths(np.zeros(time.size, np.int64), np.zeros(time.size, np.int64))
    columns = (time, np.concatenate([none, state]), np.concatenate([state, none]), np.tile(kind, 2), path)
    period = Period(BEGIN, BEGIN + SECONDS * SECOND, SECOND, SECOND)
    room = {"limits": np.full(1, float(limit)), "buckets": np.full(1, float(buckets))}
    counter = Counter(1, 1, SETTINGS, period, **room, first_pass=20.0)
    counter.add(Entries(*(column[order] for column in columns)))
    return counter.finish()


def simulated(opens, is_assured, limit, buckets, random):
    table = FullTable(buckets, limit, random)
    next_pass = BEGIN + 20 * SECOND
    for number, (time, assured) in enumerate(zip(opens.tolist(), is_assured.tolist(), strict=True)):
        while next_pass <= time:
            next_pass += int(table.collect(next_pass) * SECOND)
        table.offer(number, time, time + 10 * SECOND, assured)
    return table


@pytest.mark.parametrize(
    ("rate", "assured", "limit", "buckets"),
    [
        (200, 1.0, 1_000, 4_096),
        (200, 1.0, 1_500, 65_536),
        (200, 0.0, 1_000, 1_024),
        (200, 0.0, 200, 65_536),
        (200, 0.0, 1_000, 16_384),
        (200, 0.5, 1_000, 16_384),
        (100, 0.9, 500, 2_048),
    ],
)
def test_as_many_are_turned_away_and_evicted_as_by_a_plain_table(rate, assured, limit, buckets):
    random = np.random.default_rng(11)
    opens, is_assured = offered(rate, assured, random)
    found = counted(opens, is_assured, limit, buckets)
    plain = simulated(opens, is_assured, limit, buckets, random)
    assert found.turned_away[0].sum() == pytest.approx(plain.lost, rel=0.04, abs=0.01 * opens.size)
    # Too few: those that expire are taken to have been evicted no more often than the young.
    assert found.evicted[0] == pytest.approx(plain.evicted, rel=0.3, abs=0.01 * opens.size)


def test_a_table_with_room_turns_nobody_away():
    opens, is_assured = offered(100, 0.5, np.random.default_rng(2))
    found = counted(opens, is_assured, 10_000, 65_536)
    assert (found.tried[0], found.evicted[0], found.first_full[0]) == (0, 0, -1)
