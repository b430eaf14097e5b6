import pytest

from simcore.model.spelling import distance, is_slip, nearest


@pytest.mark.parametrize(
    ("one", "other", "steps"),
    [
        ("web", "web", 0),
        ("web", "wbe", 1),
        ("frontend", "fronted", 1),
        ("cart", "card", 1),
        ("", "ab", 2),
        ("ab", "ba", 1),
    ],
)
def test_distance_counts_letters_and_exchanges(one, other, steps):
    assert distance(one, other) == distance(other, one) == steps


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("frontend", "fronted"),
        ("monitoring", "monitorng"),
        ("Web", "web"),
        ("web", "wbe"),
        ("checkout", "chekcout"),
        ("backend", "back-end"),
    ],
)
def test_a_letter_or_two_are_a_slip(one, other):
    assert is_slip(one, other)
    assert is_slip(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("web", "web"),
        ("db-1", "db-2"),
        ("v1", "v12"),
        ("web", "api"),
        ("a", "b"),
        ("cart", "tarts"),
        ("web", "web-front"),
        ("web-1", "web-12"),
        ("api", "app"),
        ("cart", "card"),
        ("db", "bd"),
        ("front", "store"),
    ],
)
def test_other_words_are_none(one, other):
    assert not is_slip(one, other)


def test_the_nearest_word_is_found():
    assert nearest("fronted", ["backend", "frontend", "front"]) == "frontend"
    assert nearest("api", ["backend"]) is None
