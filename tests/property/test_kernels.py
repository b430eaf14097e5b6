"""Kernels against their twins in `tests.naive`."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.tally import Merger, Tally
from simcore.kernels.places import find_ends, find_ends_v4, find_object, find_packed
from simcore.kernels.rows import number_signatures
from simcore.model.addresses import Family
from simcore.tables.space import halves
from simcore.tables.tries import build_exact, build_trie, find_single, without

from .. import naive


@st.composite
def range_tables(draw, bits):
    """Ranges whose edges lie close together, or anywhere, and addresses around them."""
    near = draw(st.integers(0, 2**bits - 1))
    edge = st.integers(0, 2**bits - 1) | st.integers(0, 600).map(lambda step: (near + step) % 2**bits)
    starts = sorted({0, *draw(st.lists(edge, max_size=12))})
    values = draw(st.lists(st.integers(0, 3), min_size=len(starts), max_size=len(starts)))
    around = [(start + step) % 2**bits for start in starts for step in (-1, 0, 1)]
    return starts, np.array(values, np.int32), [*around, *draw(st.lists(edge, max_size=5))]


@given(range_tables(32))
def test_ipv4_addresses_are_found_as_by_their_twin(table):
    starts, values, addresses = table
    out = np.empty(len(addresses), np.int32)
    find_ends_v4(build_trie(Family.V4, halves(starts), values), np.array(addresses, np.uint32), out)
    assert out.tolist() == naive.find_addresses(starts, values, addresses)


@given(range_tables(128))
def test_ipv6_addresses_are_found_as_by_their_twin(table):
    starts, values, addresses = table
    addresses = [address for address in addresses if address >> 32 != 0xFFFF]
    cut = halves(starts)
    single = find_single(cut)
    trie, exact = build_trie(Family.V6, cut, without(single, values)), build_exact(cut, single)
    count = len(addresses)
    out = np.empty(count, np.int32)
    high = np.array([address >> 64 for address in addresses], np.uint64)
    low = np.array([address & (1 << 64) - 1 for address in addresses], np.uint64)
    none = np.full(count, -1, np.int32)
    known = np.ones(count, bool)
    table_v4 = np.zeros(65536, np.int32)
    of_pods = np.zeros((0, 1), np.int32)
    find_ends(table_v4, trie, exact.keys, exact.values(values), high, low, known, none, of_pods, 7, 8, out)
    assert out.tolist() == naive.find_addresses(starts, values, addresses)
    one = [find_object(table_v4, trie, exact.keys, exact.values(values), *pair) for pair in zip(high, low, strict=True)]
    assert one == out.tolist()
    packed = np.frombuffer(b"".join(address.to_bytes(16, "big") for address in addresses), np.uint64).reshape(-1, 2)
    odd = np.arange(count) % 2 == 1
    for there, expected in ((known[:0], out), (odd, np.where(odd, out, 7))):
        found = np.empty(count, np.int32)
        find_packed(table_v4, trie, exact.keys, exact.values(values), packed, there, 7, found)
        assert found.tolist() == expected.tolist()


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=40))
def test_signatures_are_numbered_as_by_their_twin(signatures):
    numbers = np.empty(len(signatures), np.int32)
    firsts = np.empty(len(signatures), np.int64)
    found = number_signatures(np.array(signatures, np.uint64), numbers, firsts)
    assert numbers.tolist() == naive.number_signatures(signatures)
    assert found == len(set(signatures))
    assert numbers[firsts[:found]].tolist() == list(range(found))


labels, cells = st.sampled_from([0, 1, 2**31 - 1]), st.sampled_from([0, 1, 2**32 - 1])
ports = st.sampled_from([-1, 0, 65535])
records = st.tuples(
    st.tuples(labels, labels, st.sampled_from([0, 255]), ports, cells, cells, st.integers(0, 2)),
    *(st.integers(0, 5) for _ in range(3)),
    st.integers(0, 3),
    st.integers(4, 9),
)


@given(st.lists(records, min_size=1, max_size=30), st.data())
def test_tallies_merge_as_their_twin_in_any_split(drawn, data):
    numbered = [(*record, sequence) for sequence, record in enumerate(drawn)]
    cut = data.draw(st.integers(0, len(numbered)))
    repeats = data.draw(st.sampled_from([1, 300]))
    merger = Merger(sets=1)
    for part in (numbered[cut:], numbered[:cut]):
        partial = Merger(sets=1)
        partial.add(tally(part * repeats))
        merger.add(partial.merged())
    merged = merger.merged()
    found = {
        tuple(key): (*sums, *times, sequence)
        for key, sums, times, sequence in zip(
            merged.keys.tolist(),
            merged.sums.tolist(),
            merged.times.tolist(),
            merged.sequence.tolist(),
            strict=True,
        )
    }
    assert found == naive.group(numbered * repeats)


@given(st.lists(records, min_size=2, max_size=30), st.sampled_from([0, 1 << 32, 1 << 50]), st.integers(1, 6))
def test_groups_are_ordered_by_a_number_and_then_by_key(drawn, least, numbers):
    found = tally([(*record, 0) for record in drawn])
    rows = np.arange(found.size)[::-1]
    before = least + found.sums[rows, 0] % numbers
    order = found.order(rows, before)
    assert sorted(order.tolist()) == sorted(rows.tolist())
    assert found.keys[order].tolist() == [key for _, key in sorted(zip(before, found.keys[rows].tolist(), strict=True))]


def tally(part):
    groups, examples = [], []
    for (source, destination, protocol, port, egress, ingress, verdict), *counts, sequence in part:
        words = source << 32 | destination, verdict << 32 | protocol << 17 | port + 1, egress << 32 | ingress
        groups.append([*words, *counts])
        examples.append([sequence, *[0] * 6])
    return Tally(np.array(groups, np.uint64).view(np.int64), np.array(examples))
