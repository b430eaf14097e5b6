"""Names that patterns match, found by how they end."""

from hypothesis import given
from hypothesis import strategies as st

from simcore.model.names import NameIndex
from simcore.model.regexes import matcher

LABELS = st.sampled_from(["a", "b-c", "x_1", "example", "net", "subexample"])
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PIECES = st.sampled_from(
    [
        r"[-a-zA-Z0-9_]*",
        r"\.",
        r"\-",
        "a",
        r"b\-c",
        "example",
        "net",
        ".*",
        "(?:[a-z]+\\.)+",
        "a|b",
        r"\w",
        "x?",
        "(?i:A)",
    ]
)


@given(st.lists(NAMES, max_size=12, unique=True), st.lists(PIECES, max_size=5).map("".join))
def test_the_index_finds_what_trying_every_name_finds(names, pattern):
    match = matcher(pattern)
    assert sorted(NameIndex(names).matching(pattern)) == sorted(name for name in names if match(name))


def test_a_pattern_is_held_only_against_names_that_end_like_it(monkeypatch):
    tried = []
    monkeypatch.setattr("simcore.model.names.matcher", lambda pattern: lambda name: tried.append(name) or True)
    index = NameIndex(["a.example.net", "example.net", "b.example.org", "net"])
    assert list(index.matching(r"[a-z]*\.example\.net")) == tried == ["a.example.net", "example.net"]
