"""Regular expressions whose time grows with the text's length only, held against those of Python."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.model.regexes import _Automaton, _may_backtrack, matcher

LEAVES = [
    "a",
    "b",
    "/",
    ".",
    r"\.",
    "[ab]",
    "[^a]",
    r"[\]a]",
    r"\d",
    r"\w",
    r"\b",
    "^",
    "$",
    r"\A",
    r"\Z",
    "\n",
    "1",
    "A",
]
REPEATS = ["*", "+", "?", "{2}", "{1,}", "{0,2}", "{1,3}", "*?", "+?", "??", "{0}"]
LEADING = ["(?a)", "(?ai)", "(?as)", "(?am)", "(?ais)"]


def _grown(parts):
    return st.one_of(
        st.tuples(parts, parts).map("".join),
        st.tuples(parts, parts).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(st.sampled_from(["(", "(?:", "(?i:", "(?s:", "(?i-s:"]), parts).map("{0[0]}{0[1]})".format),
        st.tuples(parts, st.sampled_from(REPEATS)).map("({0[0]}){0[1]}".format),
    )


@given(
    st.tuples(st.sampled_from(LEADING), st.recursive(st.sampled_from(LEAVES), _grown, max_leaves=8)).map("".join),
    st.lists(st.text("abAB/.1_\n c]", max_size=6), min_size=1),
)
def test_the_automaton_is_equal_to_python(pattern, texts):
    automaton = _Automaton(pattern)
    for text in texts:
        assert automaton.matches(text) == bool(re.fullmatch(pattern, text)), text


@pytest.mark.parametrize(
    ("pattern", "text", "is_match"),
    [
        ("(?a)/(a+)+", "/" + "a" * 5_000 + "b", False),
        ("(?a)/.*/.*/.*/.*/.*x", "/" + "ab/" * 3_000, False),
        ("(?a)(?:a?){50}a{50}", "a" * 50, True),
        ("(?a)" + "a?" * 40 + "a" * 40, "a" * 40, True),
        ("(?a)(a|a)*", "a" * 5_000 + "b", False),
    ],
)
def test_no_expression_takes_long(pattern, text, is_match):
    start = time.process_time()
    assert bool(matcher(pattern)(text)) == is_match
    assert time.process_time() - start < 5


@pytest.mark.parametrize("pattern", ["(?a)/public.*", r"(?a)GET|POST", r"(?a)/v1/items(\?.*)?", "(?a).*a.*"])
def test_plain_expressions_are_left_to_python(pattern):
    assert not _may_backtrack(pattern)
