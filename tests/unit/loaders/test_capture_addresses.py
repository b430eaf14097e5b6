import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.captures import open_capture
from loaders.captures.addresses import AddressReader
from simcore.model.addresses import Address, Family
from simcore.model.schema import WIDE_ADDRESS
from tests.captures import column, number, read, wide


def test_text_becomes_numbers_in_host_byte_order(save):
    found = column(save, "source_address", ["10.0.0.1", "255.255.255.255", "0.0.0.0", "192.168.17.250"])
    assert found.type == pa.uint32()
    assert found.to_pylist() == [0x0A000001, 0xFFFFFFFF, 0, 0xC0A811FA]


@pytest.mark.parametrize(
    "text",
    [
        *["", "-", "10.0.0", "10.0.0.256", "10.0.0.1.2", "010.0.0.1", "10.0.0.00", "1000.0.0.1", "10..0.1", ".0.0.1"],
        *["10.0.0.", "10.0.0.1 ", "10.0.0.x", "10.0.0.1\0", "web", "fe80::1%eth0", "::ffff:10.0.0.300", "1é.0.0.1"],
    ],
)
def test_text_that_is_no_address_is_null_among_others(save, text):
    found = column(save, "source_address", ["10.0.0.1", text, "10.0.0.2", None])
    assert found.to_pylist() == [number("10.0.0.1"), None, number("10.0.0.2"), None]
    assert found.null_count == 2


def test_dots_that_only_add_up_over_two_rows_are_seen(save):
    found = column(save, "source_address", ["10.0.0", "1.2.3.4.5", "10.0.0.1"])
    assert found.to_pylist() == [None, None, number("10.0.0.1")]


def test_one_ipv6_address_makes_the_batch_wide(save):
    words = ["10.0.0.1", "fd00::1", "-", "::ffff:10.0.0.9"]
    found = column(save, "source_address", words)
    assert found.type == WIDE_ADDRESS
    assert found.to_pylist() == [wide("10.0.0.1"), wide("fd00::1"), None, wide("10.0.0.9")]


def test_mapped_addresses_alone_stay_numbers(save):
    assert column(save, "source_address", ["::ffff:10.0.0.9"]).to_pylist() == [number("10.0.0.9")]


def test_width_is_a_matter_of_each_batch(save):
    capture = open_capture([save({"src_ip": ["10.0.0.1", "fd00::1"], "dst_ip": ["10.0.0.1"] * 2})])
    batches = list(capture.read(capture.splits[0], ["source_address"], 1))
    assert [batch["source_address"].type for batch in batches] == [pa.uint32(), WIDE_ADDRESS]


def test_numbers_that_are_no_address_are_null(save):
    assert column(save, "source_address", [5, -1, 2**32, 2**32 - 1]).to_pylist() == [5, None, None, 2**32 - 1]


def test_bytes_of_other_lengths_are_null(save):
    found = column(save, "source_address", [b"\x0a\0\0\1", b"", b"\x0a\0\0", None])
    assert found.to_pylist() == [number("10.0.0.1"), None, None, None]


def representations(words):
    """One column of addresses in every shape that can hold it."""
    known = [None if word is None else Address.parse(word) for word in words]
    text = pa.array(words, pa.string())
    shapes = {
        "string": text,
        "large_string": text.cast(pa.large_string()),
        "string_view": text.cast(pa.string_view()),
        "dictionary": text.dictionary_encode(),
        "small dictionary": text.dictionary_encode().cast(pa.dictionary(pa.int16(), pa.large_string())),
        "binary16": pa.array([word and wide(word) for word in words], pa.binary(16)),
        "binary": pa.array([word and wide(word) for word in words], pa.binary()),
        "sliced": pa.concat_arrays([pa.array(["fd00::99", None]), text, pa.array(["1.1.1.1"])]).slice(2, len(words)),
    }
    if all(address is None or address.family is Family.V4 for address in known):
        values = [None if address is None else address.value for address in known]
        packed = [None if value is None else value.to_bytes(4, "big") for value in values]
        shapes |= {
            "uint32": pa.array(values, pa.uint32()),
            "int64": pa.array(values, pa.int64()),
            "uint64": pa.array(values, pa.uint64()),
            "binary4": pa.array(packed, pa.binary(4)),
            "large_binary": pa.array(packed, pa.large_binary()),
        }
    return shapes


v4_words = st.ip_addresses(v=4).map(str)
v6_words = st.ip_addresses(v=6).map(str)


@given(st.lists(st.none() | v4_words) | st.lists(st.none() | v4_words | v6_words))
def test_every_representation_of_addresses_reads_the_same(words):
    known = [None if word is None else Address.parse(word) for word in words]
    if any(address and address.family is Family.V6 for address in known):
        expected = pa.array([word and wide(word) for word in words], WIDE_ADDRESS)
    else:
        expected = pa.array([None if address is None else address.value for address in known], pa.uint32())
    for shape, array in representations(words).items():
        found = AddressReader()([array])
        found.validate(full=True)
        assert found.equals(expected), shape


@given(st.lists(st.text(alphabet="0123456789.:af-", max_size=16) | v4_words, max_size=30))
def test_text_is_read_as_the_model_reads_it(words):
    expected = []
    for word in words:
        try:
            address = Address.parse(word)
        except ValueError:
            expected.append(None)
        else:
            expected.append(address)
    found = AddressReader()([pa.array(words, pa.string())]).to_pylist()
    if any(isinstance(value, bytes) for value in found):
        found = [value and Address.from_bytes(value) for value in found]
    else:
        found = [None if value is None else Address(Family.V4, value) for value in found]
    assert found == expected


@given(st.lists(st.none() | v4_words | v6_words), st.randoms(use_true_random=False))
def test_the_first_known_address_of_several_columns_counts(words, source):
    others = [source.choice([None, "10.0.0.1", "fd00::1"]) for _ in words]
    expected = [word or other for word, other in zip(words, others, strict=True)]
    reader = AddressReader()
    found = reader([pa.array(words, pa.string()), pa.array(others, pa.string()).dictionary_encode()])
    assert found.equals(AddressReader()([pa.array(expected, pa.string())]))


def test_a_new_dictionary_is_not_taken_for_the_one_before():
    reader = AddressReader()
    for word in ("10.0.0.1", "10.0.0.2", "10.0.0.1"):
        assert reader([pa.array([word]).dictionary_encode()]).to_pylist() == [number(word)]


@pytest.mark.parametrize("distinct", [50, 200_000], ids=["dictionary kept", "dictionary given up"])
def test_text_reads_the_same_whether_or_not_the_writer_kept_its_dictionary(save, distinct):
    drawn = random.Random(1)
    numbers = [drawn.randrange(distinct) * 20_000 for _ in range(distinct)]
    words = [str(Address(Family.V4, value)) for value in numbers]
    path = save({"src_ip": words, "dst_ip": words})
    assert read(open_capture([path]), batch_rows=70_000)["source_address"] == numbers
