"""Comments that let findings pass: what they are about, and what is said of them."""

import pytest

from simcore.errors import Place
from simcore.lint.findings import Finding, LintRule, Severity
from simcore.lint.suppressions import SUPPRESSIONS, sift, suppressions_in

TEXT = """\
# the first
# flowverdict: ignore[FV001] all of it
a: 1
b: 2
---
c: 3 # flowverdict: ignore[FV002, FV003] this line
# flowverdict: ignore[FV001] the next, over the comment and the gap

# another remark
d:
  - e: 'no # comment' # flowverdict: ignore[FV004]
  - # flowverdict: ignore[FV005] what the dash brings
    f: 4
---
g: 5 # flowverdict: ignore FV001
# flowverdict: ignored is not it
"""
RULE = LintRule("FV001", "one", Severity.ERROR, "One.", lambda context: ())
KNOWN = frozenset({"FV000", "FV001", "FV002", "FV003", "FV004", "FV005"})


def comments(text=TEXT, held=(3, 6, 15)):
    return list(suppressions_in("p.yaml", text, held))


def test_what_comments_are_about():
    assert [(found.place.line, found.codes, found.reason, found.first, found.last) for found in comments()] == [
        (2, ("FV001",), "all of it", 1, 4),
        (6, ("FV002", "FV003"), "this line", 6, 6),
        (7, ("FV001",), "the next, over the comment and the gap", 10, 10),
        (11, ("FV004",), "", 11, 11),
        (12, ("FV005",), "what the dash brings", 13, 13),
        (15, (), "FV001", 15, 15),
    ]


def test_comments_of_documents_that_are_not_looked_at_are_passed_over():
    assert [found.place.line for found in comments(held=(6,))] == [6, 7, 11, 12]
    assert comments(held=()) == []


def test_lines_may_end_as_on_windows():
    assert [(found.codes, found.reason) for found in comments("a: 1 # flowverdict: ignore[FV001] why\r\n", (1,))] == [
        (("FV001",), "why")
    ]


def finding(line, code="FV001", file="p.yaml"):
    return Finding(code, Place(file, 1, line), "")


@pytest.mark.parametrize(
    ("found", "kept"),
    [(finding(3), 0), (finding(4), 0), (finding(5), 1), (finding(3, "FV002"), 1), (finding(3, file="q.yaml"), 1)],
)
def test_a_comment_lets_pass_what_it_is_about_and_nothing_else(found, kept):
    rest, passed = sift([found], comments()[:1], [RULE], KNOWN)
    assert (len(rest), len(passed)) == (kept, 1 - kept)
    assert [suppressed.reason for suppressed in passed] == ["all of it"] * (1 - kept)


def complaints(text, *findings, rules=(SUPPRESSIONS, RULE)):
    rest, _ = sift(list(findings), comments(text, (1,)), rules, KNOWN)
    return [found.message for found in rest if found.code == "FV000"]


def test_comments_are_complained_of():
    (unused,) = complaints("a: 1 # flowverdict: ignore[FV001] why\n")
    assert unused.startswith("This comment lets nothing pass")
    (unknown,) = complaints("a: 1 # flowverdict: ignore[FV001, FV999] why\n", finding(1))
    assert "FV999" in unknown
    (reasonless,) = complaints("a: 1 # flowverdict: ignore[FV001]\n", finding(1))
    assert "no reason" in reasonless
    (nameless,) = complaints("a: 1 # flowverdict: ignore\n")
    assert "names no code" in nameless


def test_what_nobody_looked_for_may_well_be_needed():
    assert complaints("a: 1 # flowverdict: ignore[FV002] why\n") == []
    assert complaints("a: 1 # flowverdict: ignore[FV001] why\n", rules=(RULE,)) == []


def test_nothing_is_complained_of_where_everything_is_well():
    assert complaints("a: 1 # flowverdict: ignore[FV001] why\n", finding(1)) == []
