"""Texts of times are read alike in bulk and one by one."""

from functools import partial

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loaders.captures import numbers
from loaders.captures.texts import map_distinct

FRACTIONS = st.from_regex(r"(\.[0-9]{0,12})?", fullmatch=True)
DATES = st.builds(
    "{}{}{}{}{}".format,
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]", fullmatch=True) | st.dates().map(str),
    st.sampled_from("T T  _"),
    st.from_regex(r"[0-2][0-9]:[0-5][0-9](:[0-6][0-9])?", fullmatch=True) | st.times().map(lambda time: str(time)[:8]),
    FRACTIONS,
    st.sampled_from(["", "", "Z", "z", "ZZ", "+02:00", " UTC"]),
)
TICKS = st.builds("{}{}{}".format, st.sampled_from(["", "", "", "-", "+"]), st.integers(0, 10**20), FRACTIONS)
OTHERS = st.none() | st.text(max_size=4)


@pytest.mark.parametrize("unit", [None, "s", "ms", "ns"])
@given(data=st.data())
def test_texts_are_read_alike_in_bulk_and_one_by_one(unit, data):
    usual = DATES if unit is None else TICKS
    drawn = st.lists(usual, max_size=4) | st.lists(usual | OTHERS, max_size=4)
    texts = pa.array(data.draw(drawn), pa.string())
    read = numbers.read_moment if unit is None else partial(numbers._read_ticks, numbers.NANOSECONDS[unit])
    expected = map_distinct(texts, read, pa.int64()).view(pa.timestamp("ns"))
    assert numbers.to_times(texts, unit).equals(expected)
