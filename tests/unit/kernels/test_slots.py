"""Tags of slots, eight a word."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from simcore.kernels.conntrack.slots import TAGS, place_of_tag, with_tag

BYTES = st.sampled_from([0, 1, 2, 127, 128, 129, 254, 255])


@given(st.lists(BYTES, min_size=16, max_size=16), st.integers(0, 7), BYTES)
def test_the_first_slot_of_eight_with_a_tag_is_found(tags, slot, tag):
    word, after = np.array(tags, np.uint8).view(np.uint64)
    wanted = tags[slot : slot + TAGS]
    expected = wanted.index(tag) if tag in wanted else 0
    assert place_of_tag(word, after, np.uint64(slot), np.uint64(tag)) == expected


@given(st.lists(BYTES, min_size=8, max_size=8), st.integers(0, 100), BYTES)
def test_a_tag_is_changed_alone(tags, slot, tag):
    word = with_tag(np.array(tags, np.uint8).view(np.uint64)[0], np.uint64(slot), np.uint64(tag))
    expected = [tag if place == slot % TAGS else byte for place, byte in enumerate(tags)]
    assert np.array([word], np.uint64).view(np.uint8).tolist() == expected
