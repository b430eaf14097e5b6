"""The table of connections against its plain twin: random records, windows, shards."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from simcore.analyses.sessions.sessions import Sessions, longest_timeouts, session_timeouts
from simcore.analyses.shards import Threads
from simcore.kernels.sessions import sessions as kernel
from simcore.model.conntrack import CILIUM, LINUX, CtClass, CtState, kube_proxy
from tests.oracles import sessions as twin

SECOND = 1_000_000_000
BEGIN = 1_767_607_200 * SECOND
FAMILIES = ("tcp", "udp", "udplite", "icmp", "icmpv6", "gre", "sctp", "generic")
WORDS = {state.name: int(state) for state in CtState} | {"CLOSED": 13, "PICKED_UP": kernel.PICKED_UP}
CODES = ("passes", "ingress", "egress", "doubtful")
WAYS = ("", "forward", "reverse")
EVIDENCE = ("first-seen", "ports", "flags")
SETTINGS = [
    LINUX,
    CILIUM,
    kube_proxy(8),
    replace(LINUX, nf_conntrack_tcp_loose=False, nf_conntrack_tcp_timeout_established=60),
    replace(LINUX, nf_conntrack_udp_timeout=3, nf_conntrack_udp_timeout_stream=1, nf_conntrack_tcp_timeout_syn_sent=2),
]


def twin_settings(model):
    table, longest = session_timeouts(model), longest_timeouts(model)
    return twin.Settings(
        timeouts={
            (family, word): int(table[row, number])
            for row, family in enumerate(FAMILIES)
            for word, number in WORDS.items()
        },
        begin=BEGIN,
        longest={family: int(longest[row]) for row, family in enumerate(FAMILIES)},
        loose=model is CILIUM or model.nf_conntrack_tcp_loose,
        later_syns_count=model is CILIUM,
    )


instants = st.sampled_from([0, 0, 1, 2, 5, 10, 11, 29, 30, 31, 60, 119, 120, 121, 130, 300, 301, 900]).map(
    lambda seconds: seconds * SECOND
) | st.integers(0, 400 * SECOND)
durations = st.sampled_from([0, 0, 1, 2, 3, 55, 60, 119, 240, 700]).map(lambda seconds: seconds * SECOND)


@st.composite
def records(draw):
    connection = draw(st.integers(0, 5))
    protocol = (6, 6, 17, 17, 1, 132)[connection] if draw(st.integers(0, 9)) else 47
    time = BEGIN + draw(instants)
    way = draw(st.sampled_from(WAYS))
    flag = st.booleans()
    many = draw(flag)
    return twin.Record(
        connection=connection * 256 + protocol,
        time=time,
        end=time + (draw(durations) if many else 0),
        low=draw(flag),
        protocol=protocol,
        way=way,
        evidence=draw(st.sampled_from(EVIDENCE[1:])) if way else "first-seen",
        opens=protocol == 6 and draw(flag),
        answered=draw(flag),
        fin=protocol == 6 and draw(flag),
        rst=protocol == 6 and draw(flag),
        midstream=protocol == 6 and draw(flag),
        many=many,
        refused=protocol == 6 and not draw(st.integers(0, 5)),
        spacing=draw(st.sampled_from([0, 1, 20_000, 31_000, 121_000, 700_000])) if many else 0,
        verdict=draw(st.sampled_from(CODES)) if not draw(st.integers(0, 3)) else "passes",
        turned=draw(st.sampled_from(CODES)),
    )


def key_of(record):
    """A fingerprint; the two bytes that choose a shard differ from the bits that choose a slot, which collide."""
    return (record.connection * 0x9E37 & 0xFFFF) << 32 | (record.connection & 1) | record.connection << 50


def rows_of(given):
    rows = np.zeros(len(given), kernel.ROW)
    for number, record in enumerate(given):
        bits = kernel.LOW if record.low else 0
        bits |= WAYS.index(record.way) << kernel.HINT | EVIDENCE.index(record.evidence) << kernel.EVIDENCE
        for name, bit in (
            ("opens", kernel.OPENS),
            ("answered", kernel.ANSWERED),
            ("fin", kernel.FIN),
            ("rst", kernel.RST),
            ("midstream", kernel.MIDSTREAM),
            ("many", kernel.MANY),
            ("refused", kernel.REFUSED),
        ):
            bits |= bit if getattr(record, name) else 0
        codes = CODES.index(record.verdict) | CODES.index(record.turned) << 2
        client, server = (1, 2) if record.low != (record.way == "reverse") else (2, 1)
        rows[number] = (
            key_of(record),
            record.time,
            record.end,
            number,
            client,
            server,
            record.spacing,
            bits,
            record.protocol,
            codes | codes << 4,
        )
    return rows


def run(given, model, shards, edges):
    results = np.zeros(len(given), np.uint8)
    sessions = Sessions(model, BEGIN, shards=shards, engine=Threads(shards), results=results)
    rows = rows_of(given)
    parts, before = [], 0
    for edge in [*edges, BEGIN + 1_000 * SECOND]:
        some = rows[(rows["time"] >= before) & (rows["time"] < edge)]
        parts.append(sessions.advance(some, edge))
        before = edge
    parts.append(sessions.finish())
    assert not sessions.live().size
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return results, columns


@settings(max_examples=400, deadline=None)
@given(
    st.lists(records(), max_size=40),
    st.sampled_from(SETTINGS),
    st.integers(1, 3),
    st.lists(instants.map(lambda instant: BEGIN + instant), max_size=6).map(lambda edges: sorted(set(edges))),
)
def test_the_table_says_what_its_twin_says(given, model, shards, edges):
    results, (time, before, after, protocol, source, destination, denied) = run(given, model, shards, edges)
    said, changes = twin.follow(given, twin_settings(model))
    kinds = {0: "new", 1: "established", 3: "invalid"}
    verdicts = {"passes": 0, "ingress": 1, "egress": 1, "doubtful": 2}
    for result, expected in zip(results.tolist(), said, strict=True):
        assert kinds[result & 7] == expected.kind
        assert ("reverse" if result >> 3 & 1 else "forward") == expected.way
        assert EVIDENCE[result >> 4 & 3] == expected.evidence
        assert result >> 6 == verdicts[expected.verdict]
    found = sorted(
        zip(time, protocol, before, after, source == 1, denied == 1, strict=True),
        key=lambda change: tuple(map(int, change)),
    )
    wanted = sorted(
        (when, connection & 255, WORDS[old], WORDS[new], opener_low, is_denied)
        for when, connection, old, new, opener_low, is_denied in changes
    )
    assert [tuple(map(int, change)) for change in found] == [tuple(map(int, change)) for change in wanted]
    assert (np.diff(time) >= 0).all()
    assert (source + destination == 3).all()


@settings(max_examples=100, deadline=None)
@given(
    st.lists(records(), max_size=40),
    st.sampled_from(SETTINGS),
    st.lists(instants.map(lambda instant: BEGIN + instant), max_size=6).map(lambda edges: sorted(set(edges))),
)
def test_shards_and_windows_change_nothing(given, model, edges):
    first = run(given, model, 1, [])
    second = run(given, model, 3, edges)
    assert (first[0] == second[0]).all()
    for one, other in zip(first[1], second[1], strict=True):
        assert one.tolist() == other.tolist()


@settings(max_examples=100, deadline=None)
@given(st.lists(records(), max_size=40))
def test_no_entry_goes_before_it_is_made(given):
    _, (_time, before, after, *_) = run(given, LINUX, 1, [])
    count = np.cumsum((after != 0).astype(int) - (before != 0).astype(int))
    assert (count >= 0).all()
    assert not count.size or count[-1] == 0


def test_the_kernel_numbers_are_those_of_the_model():
    for name in ("NONE", "SYN_SENT", "ESTABLISHED", "TIME_WAIT", "CLOSE", "UNREPLIED", "REPLIED", "ASSURED"):
        assert getattr(kernel, name) == CtState[name]
    assert (kernel.SCTP_CLOSED, kernel.SCTP_ESTABLISHED) == (CtState.SCTP_CLOSED, CtState.SCTP_ESTABLISHED)
    assert (kernel.NEW, kernel.PART, kernel.INVALID) == (CtClass.NEW, CtClass.ESTABLISHED, CtClass.INVALID)
    assert len(CtState) <= kernel.PICKED_UP < kernel.STATES
    assert kernel.ENTRY.itemsize == 48
