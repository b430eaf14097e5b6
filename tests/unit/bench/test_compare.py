"""Ratios of paired rounds."""

from bench.compare import DIFFER, Pairs, interval


def test_a_change_is_told_where_the_interval_leaves_one_out():
    assert Pairs("a", [(1.0, 1.1 + n / 1000) for n in range(10)]).row[3:] == ("1.105", "1.101 to 1.108", "slower")
    assert Pairs("a", [(0.001, 0.0009)] * 6).row == ("a", "1 ms", "0.9 ms", "0.900", "0.900 to 0.900", "faster")
    assert Pairs("a", [(1.0, 0.9), (1.0, 1.1)] * 3).row[5] == "no difference seen"
    assert Pairs("a", [(1.0, 0.9)] * 3).row[5] == "too few rounds to tell"


def test_what_differs_or_cannot_be_done_is_told():
    assert Pairs("a", [(1.0, 2.0)] * 3, DIFFER).row[5] == DIFFER
    assert Pairs("a", [], "base cannot: ImportError").row == ("a", "", "", "", "", "base cannot: ImportError")


def test_few_rounds_give_all_of_their_range():
    assert interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    assert interval([float(n) for n in range(100)]) == (40.0, 59.0)
