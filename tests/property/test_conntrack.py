"""The tracker against the oracle: hostile packets, judged by both, agree in everything that is told of a packet."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.conntrack.bulk import BulkTracker
from simcore.analyses.conntrack.tracking import Tracker
from simcore.model.addresses import Cidr
from simcore.model.conntrack import RULESETS, SECOND, Conntrack
from tests.oracles.conntrack import Oracle
from tests.oracles.conntrack_table import BucketTable
from tests.packets import CLIENTS, PROTOCOLS, SETTINGS, TCP, Caller, Maker, batch_of

ALL_IN_ONE, MANY = 1, 262144  # buckets; between them it is chance which entries share one
FIRST_PASS = 60


@st.composite
def settings(draw, **fixed):
    chosen = {name: draw(st.sampled_from(values)) for name, values in SETTINGS.items()}
    return Conntrack(**{f"nf_conntrack_{name}": value for name, value in (chosen | fixed).items()})


@st.composite
def loads(draw, protocols=PROTOCOLS, rulesets=tuple(RULESETS), number=16):
    """A ruleset's name, and packets that know where its translations lead."""
    ruleset = draw(st.sampled_from(rulesets))
    maker = Maker(lambda options: draw(st.sampled_from(options)), ruleset)
    return ruleset, maker.packets(draw(st.integers(1, number)), protocols)


def tracked(tracker, packets):
    """What the tracker says of each packet, as the oracle would."""
    rows = tracker.track(batch_of(packets)).to_pylist()
    return [told(row) for row in rows]


def told(row):
    left = None if row["timeout"] is None else round(row["timeout"] * 1000)
    start = row["verdict"], row["ct_class"], row["ct_state"]
    return *start, left, bool(row["assured"]), row["count"], row["live"]


def expected(oracle, packets):
    return [in_words(oracle.track(packet)) for packet in packets]


def in_words(answer):
    known = answer.timeout is not None
    left = round(answer.timeout / SECOND * 1000) if known else None
    state = answer.state.word if known else None
    return answer.verdict, answer.ct_class.word, state, left, answer.assured, answer.count, answer.live


def agree(settings, ruleset, packets):
    table = BucketTable(settings, first_pass=packets[0].time + FIRST_PASS * SECOND)
    oracle = Oracle(settings, RULESETS[ruleset], CLIENTS, table)
    wanted = expected(oracle, packets)
    tracker = Tracker(settings, RULESETS[ruleset], clients=map(Cidr.parse, CLIENTS), gc_first_pass=FIRST_PASS)
    for number, (ours, theirs) in enumerate(zip(wanted, tracked(tracker, packets), strict=True)):
        assert theirs == ours, f"packet {number}: {packets[number]}"
    later = packets[-1].time + 5 * SECOND
    assert tracker.dump(later).num_rows == len(oracle.dump(later))


@given(settings(buckets=MANY), loads(protocols=[TCP]))
def test_tcp(settings, load):
    agree(settings, *load)


@given(settings(buckets=MANY), loads(protocols=[TCP]))
def test_tcp_without_sequence_numbers(settings, load):
    ruleset, packets = load
    unknown = {"sequence": None, "acknowledgement": None, "window": None}
    agree(settings, ruleset, [replace(packet, **unknown) for packet in packets])


@given(st.data())
def test_ftp(data):
    caller = Caller(lambda options: data.draw(st.sampled_from(options)))
    agree(Conntrack(), "ftp", caller.packets(data.draw(st.integers(1, 10))))


@given(settings(buckets=MANY), loads())
def test_any_protocol(settings, load):
    agree(settings, *load)


@given(settings(buckets=ALL_IN_ONE), loads())
def test_one_bucket(settings, load):
    """Walks, early drop and the collector meet every entry: nothing is left to chance."""
    agree(settings, *load)


@given(settings(buckets=MANY), loads(), st.integers(1, 15))
def test_time_goes_on_from_call_to_call(settings, load, cut):
    ruleset, packets = load
    whole, parts = (Tracker(settings, RULESETS[ruleset], clients=map(Cidr.parse, CLIENTS)) for _ in range(2))
    found = [row for part in (packets[:cut], packets[cut:]) if part for row in tracked(parts, part)]
    assert found == tracked(whole, packets)


@given(settings(max=0), loads(rulesets=("stateful", "bothnew", "synonly", "notrack")), st.sampled_from([1, 2, 5]))
def test_in_bulk(settings, load, shards):
    ruleset, packets = load
    bulk = BulkTracker(settings, RULESETS[ruleset], clients=map(Cidr.parse, CLIENTS), shards=shards)
    rows = [told({**row, "count": None, "live": None}) for row in bulk.track(batch_of(packets)).to_pylist()]
    wanted = expected(Oracle(settings, RULESETS[ruleset], CLIENTS), packets)
    assert rows == [(*answer[:5], None, None) for answer in wanted]
