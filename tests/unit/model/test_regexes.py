"""Regular expressions that match as a whole, in a time that grows with the text's length only."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.model.regexes import RegexError, matcher

LEAVES = ["a", "b", "/", ".", r"\.", "[ab]", "[^a]", r"[\]a]", r"\d", r"\w", r"\b", "^", r"\A", "\n", "1", "A"]
REPEATS = ["*", "+", "?", "{2}", "{1,}", "{0,2}", "{1,3}", "*?", "+?", "??", "{0}"]


def _grown(parts):
    return st.one_of(
        st.tuples(parts, parts).map("".join),
        st.tuples(parts, parts).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(st.sampled_from(["(", "(?:", "(?i:", "(?s:", "(?i-s:"]), parts).map("{0[0]}{0[1]})".format),
        st.tuples(parts, st.sampled_from(REPEATS)).map("({0[0]}){0[1]}".format),
    )


@given(
    st.recursive(st.sampled_from(LEAVES), _grown, max_leaves=8),
    st.lists(st.text("abAB/.1_\n c]", max_size=6), min_size=1),
)
def test_what_both_know_means_what_it_means_in_python(pattern, texts):
    for text in texts:
        assert bool(matcher(pattern)(text)) == bool(re.fullmatch(pattern, text, re.ASCII)), text


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("/(a+)+", "/" + "a" * 50_000 + "b", False),
        ("/.*/.*/.*/.*/.*x", "/" + "ab/" * 30_000, False),
        ("a?" * 40 + "a" * 40, "a" * 40, True),
        ("(a|a)*", "a" * 50_000 + "b", False),
    ],
)
def test_expressions_that_hang_others_are_answered(pattern, text, is_match):
    assert bool(matcher(pattern)(text)) == is_match


@pytest.mark.parametrize("pattern", ["(", "a**", "(?=a)", "a{1001}", r"\1", "((a{100}){100}){100}"])
def test_what_is_no_expression_is_an_error(pattern):
    with pytest.raises(RegexError):
        matcher(pattern)
