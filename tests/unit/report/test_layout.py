import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcore.report.layout import Layout, lay_out, width_of, wrap
from simcore.report.render import PIPE, plain_text
from simcore.report.structure import Choice, Column, Entry, Report, Section, Span, Table, Tone, faint, line, strong

WORDS = st.lists(st.text("abc/.-", min_size=1, max_size=12), max_size=30)


def text_of(lines):
    return ["".join(span.text for span in each) for each in lines]


@given(WORDS, st.integers(20, 60), st.integers(0, 4), st.integers(0, 8))
def test_wrapping_keeps_every_word_whole_and_in_order(words, width, start, hanging):
    lines = text_of(wrap(line(" ".join(words)), width, start, hanging))
    assert " ".join(lines).split() == words
    assert all(len(each) <= width for each in lines)


def test_a_word_longer_than_the_line_is_not_broken():
    assert text_of(wrap(line("a shop/Deployment/checkout b"), 10)) == ["a", "shop/Deployment/checkout", "b"]


def test_spans_without_a_blank_between_them_stay_together():
    spans = line(strong("NetworkPolicy"), " (", faint("file.yaml:1"), ")")
    assert text_of(wrap(spans, 15)) == ["NetworkPolicy", "(file.yaml:1)"]


TABLE = Table(
    (Column("verdict"), Column("flows", right=True), Column("meaning")),
    ((line("ALLOW"), line("9"), line("goes through")), (line("DENY"), line("1,234"), ())),
)


def table_text(width):
    report = Report(line("title"), sections=(Section((), (TABLE,)),))
    return plain_text(report, Layout(prose=width, table=width)).splitlines()[2:]


def test_columns_are_aligned_and_numbers_end_together():
    assert table_text(80) == [
        "  verdict  flows  meaning",
        "  -------  -----  ------------",
        "  ALLOW        9  goes through",
        "  DENY     1,234",
    ]


def test_a_table_too_wide_for_the_terminal_is_stacked():
    assert table_text(25) == [
        "  ALLOW",
        "        flows    9",
        "        meaning  goes",
        "                 through",
        "",
        "  DENY",
        "        flows  1,234",
    ]


def test_a_table_in_a_pipe_keeps_a_row_on_a_line():
    wide = Table((Column("name"),), ((line("x" * 500),),))
    assert "  " + "x" * 500 in plain_text(Report(line("t"), sections=(Section((), (wide,)),)), PIPE).splitlines()


@pytest.mark.parametrize("width", [40, 80, 100])
def test_labels_of_an_entry_stand_in_one_column(width):
    entry = Entry(line("head"), (("flows", line("7")), ("example", line("word " * 40))))
    report = Report(line("t"), sections=(Section(line("s"), (entry,)),))
    lines = text_of(lay_out(report, Layout(width, width)))
    assert "        flows    7" in lines
    follows = lines[lines.index("        flows    7") + 2 :]
    assert all(each.startswith(" " * 17 + "word") for each in follows)


def test_no_line_ends_in_blanks():
    assert all(each == each.rstrip() for width in (25, 80) for each in table_text(width))


def test_width_counts_every_span():
    assert width_of((Span("ab"), Span("c", Tone.BAD))) == 3


NARROW = (Table((Column("n"),), ((line("1"),),)), Table((Column("m"),), ((line("2"),),)))


@pytest.mark.parametrize(("width", "first"), [(None, "verdict"), (60, "verdict"), (20, "n")])
def test_a_choice_is_wide_where_it_fits(width, first):
    report = Report(line("title"), sections=(Section((), (Choice(TABLE, NARROW),)),))
    lines = plain_text(report, Layout(prose=width or 80, table=width)).splitlines()[2:]
    assert lines[0].split()[0] == first
    assert first != "n" or lines == ["  n", "  -", "  1", "", "  m", "  -", "  2"]
