import pytest

from simcore.model.flows import Reason
from simcore.model.policy import Direction
from simcore.report.fixes import FIXES
from simcore.report.words import REASONS, count, iso_time, period, protocol_port, share, size, words_of

SECOND = 1_000_000_000
START = 1_767_225_600 * SECOND
ALLOWING = list(Reason)[: list(Reason).index(Reason.NO_RULE)]


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("direction", Direction)
def test_every_reason_has_words(reason, direction):
    assert "{" not in words_of(reason, direction)


def test_every_reason_that_does_not_allow_has_a_way_out():
    assert set(FIXES) == set(REASONS) - set(ALLOWING)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1 kB"), (1_234_567, "1.23 MB"), (999_600, "1 MB"), (5 * 10**18, "5e+03 PB")],
)
def test_sizes(number, text):
    assert size(number) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 0, "0%"), (0, 5, "0%"), (5, 5, "100%"), (1, 10**6, "<0.1%"), (10**6 - 1, 10**6, ">99.9%"), (1, 3, "33.3%")],
)
def test_only_nothing_is_none_and_only_everything_is_all(part, whole, text):
    assert share(part, whole) == text


def test_counts_have_their_noun():
    assert (count(1, "flow"), count(0, "flow"), count(12345, "flow")) == ("1 flow", "0 flows", "12,345 flows")


def test_a_period_names_a_day_once():
    assert period(START, START + 90 * SECOND) == "2026-01-01 00:00:00 to 00:01:30 UTC"
    assert period(START, START + 86_400 * SECOND) == "2026-01-01 00:00:00 to 2026-01-02 00:00:00 UTC"
    assert period(START, START) == "2026-01-01 00:00:00 UTC"
    assert period(None, None) == ""


def test_json_times_keep_all_digits():
    assert iso_time(START + 7) == "2026-01-01T00:00:00.000000007Z"
    assert iso_time(-1) == "1969-12-31T23:59:59.999999999Z"


def test_protocols():
    assert protocol_port(6, 443) == "TCP 443"
    assert protocol_port(89, None) == "protocol 89"
    assert protocol_port(None, None) == "no protocol"
