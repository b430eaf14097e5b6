"""Occupancy by events against a plain sweep: at every time, count the entries that are there."""

from collections import Counter as Bag
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.sizing.entries import CLASSES, GROUPS, class_table
from simcore.analyses.sizing.occupancy import Counter, Entries, Period, pack_paths
from simcore.model.conntrack import LINUX, SECOND, CtState

NODES, OWNERS = 3, 4
BEGIN = 1_767_607_200 * SECOND + 123
LAST = 40
TCP_KIND, UDP_KIND, DENIED_UDP_KIND = 0, 2, 3
LIVES = {
    TCP_KIND: (CtState.SYN_SENT, CtState.ESTABLISHED, CtState.TIME_WAIT),
    UDP_KIND: (CtState.UNREPLIED, CtState.REPLIED, CtState.ASSURED),
    DENIED_UDP_KIND: (CtState.UNREPLIED,),
}


@st.composite
def entry(draw):
    """An entry: its times (start, changes, end), kind, owner, nodes. Times are few, so that many are equal."""
    kind = draw(st.sampled_from(list(LIVES)))
    times = sorted(draw(st.lists(st.integers(0, LAST), min_size=len(LIVES[kind]) + 1, max_size=len(LIVES[kind]) + 1)))
    nodes = draw(st.lists(st.integers(0, NODES - 1), max_size=3))
    return times, kind, draw(st.integers(0, OWNERS - 1)), nodes


lists_of_entries = st.lists(entry(), min_size=1, max_size=40)


def changes_of(entries):
    """Everything that happens, by time; within one time in the order of a life."""
    found = []
    for number, (times, kind, owner, nodes) in enumerate(entries):
        states = (CtState.NONE, *LIVES[kind], CtState.NONE)
        for step, time in enumerate(times):
            found.append((time, number, step, states[step], states[step + 1], kind, owner, nodes))
    return sorted(found, key=lambda change: change[:3])


def entries_of(found):
    nodes = np.array([(*nodes, -1, -1, -1)[:3] for *_, nodes in found], np.int64).reshape(-1, 3)
    return Entries(
        np.array([BEGIN + time * SECOND for time, *_ in found], np.int64),
        np.array([change[3] for change in found], np.uint8),
        np.array([change[4] for change in found], np.uint8),
        np.array([change[5] for change in found], np.uint8),
        pack_paths(np.array([change[6] for change in found], np.int64), *nodes.T),
    )


def counted(entries, cuts=(), limit=0.0, scale=1.0):
    found = entries_of(changes_of(entries))
    period = Period(BEGIN, BEGIN + LAST * SECOND, SECOND, 2 * SECOND)
    limits = np.full(NODES, float(limit))
    counter = Counter(NODES, OWNERS, LINUX, period, limits=limits, buckets=np.full(NODES, 512.0), scale=scale)
    bounds = [0, *sorted(min(cut, found.time.size) for cut in cuts), found.time.size]
    for start, stop in pairwise(bounds):
        counter.add(found.part(start, stop))
    return counter.finish()


def naive(entries, node):
    """Entries on a node (None: on all) by class and by owner, second by second."""
    table = class_table()
    for second in range(LAST + 1):
        classes, owners = Bag(), Bag()
        for times, kind, owner, nodes in entries:
            held = len(nodes) if node is None else nodes.count(node)
            if held and times[0] <= second < times[-1]:
                state = LIVES[kind][sum(time <= second for time in times[:-1]) - 1]
                classes[int(table[kind, state])] += held
                owners[owner] += held
        yield second, classes, owners


@given(lists_of_entries)
def test_events_count_what_a_plain_sweep_counts(entries):
    found = counted(entries)
    for node in range(NODES + 1):
        sweep = list(naive(entries, None if node == NODES else node))
        counts = [sum(classes.values()) for _, classes, _ in sweep]
        peak = max(counts)
        assert found.peak[node] == peak
        if peak:
            second, classes, owners = sweep[counts.index(peak)]
            assert found.peak_time[node] == BEGIN + second * SECOND
            assert {c: n for c, n in enumerate(found.classes[node].tolist()) if n} == dict(classes)
            assert {o: n for o, n in enumerate(found.owners[node].tolist()) if n} == dict(owners)
        lasting = Bag(counts[:-1])
        assert {v: t // SECOND for v, t in enumerate(found.held[node].tolist()) if t} == dict(lasting)
        for percent in (50, 90, 99.9, 100):
            within = [
                v for v in sorted(lasting) if sum(n for w, n in lasting.items() if w <= v) >= percent / 100 * LAST
            ]
            assert found.percentile(node, percent) == within[0]


@given(lists_of_entries)
def test_a_curve_shows_least_most_and_mean_of_its_bins(entries):
    found = counted(entries)
    first = (found.period.begin - found.period.start) // SECOND
    for node in range(NODES + 1):
        counts = [sum(classes.values()) for _, classes, _ in naive(entries, None if node == NODES else node)]
        for place in range(found.period.bins):
            # Seconds of the naive sweep start 123 ns after those of the bins, so each reaches into the next bin.
            seconds = range(max(2 * place - first - 1, 0), min(2 * place - first + 2, LAST))
            if seconds:
                assert found.curve.most[node, place] == max(counts[second] for second in seconds)
                assert found.curve.least[node, place] == min(counts[second] for second in seconds)
        area = sum(counts[:-1]) * SECOND
        assert np.isclose(found.curve.area[node].sum(), area)


@given(lists_of_entries, st.lists(st.integers(0, 200), max_size=6), st.sampled_from([0, 3]))
def test_windows_do_not_matter(entries, cuts, limit):
    whole, parts = counted(entries, limit=limit), counted(entries, cuts, limit=limit)
    for name in ("peak", "peak_time", "top", "top_time", "bound", "bound_time", "classes", "owners", "turned_away"):
        assert getattr(whole, name).tobytes() == getattr(parts, name).tobytes(), name
    for a, b in zip(whole.curve, parts.curve, strict=True):
        assert a.tobytes() == b.tobytes()
    for node in range(NODES + 1):
        assert np.trim_zeros(whole.held[node], "b").tolist() == np.trim_zeros(parts.held[node], "b").tolist()


@given(lists_of_entries)
def test_allocated_entries_are_never_below_the_live_ones_nor_above_the_bound(entries):
    found = counted(entries)
    assert (found.top >= found.peak).all()
    assert (found.bound >= found.top - 1e-9).all()


@given(lists_of_entries, st.integers(1, 8))
def test_a_table_with_a_maximum_turns_away_what_it_has_no_room_for(entries, limit):
    found = counted(entries, limit=limit)
    openings = sum(len(nodes) for times, _, _, nodes in entries)
    assert 0 <= found.turned_away[-1].sum() <= found.tried[-1] + 1e-9 <= openings + 2e-9
    if (found.bound[:-1] < limit).all():
        assert found.tried[-1] == 0


def test_every_class_has_one_number():
    table = class_table()
    assert table.shape == (2 * len(GROUPS), len(CtState))
    assert len(set(CLASSES)) == len(CLASSES)
