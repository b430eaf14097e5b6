"""Times as objects, files and users write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SECOND = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 2**63 // SECOND
_FORM = "Write it as 2026-11-20T10:00:00Z"
_IN_NAME = re.compile(
    r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)[T_ -]?(\d\d)[-:_.]?(\d\d)[-:_.]?(\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?(?!\d)"
)
_MEANT_AS_TIME = re.compile(r"\d{4}-?\d\d")
_WITH_HOUR = re.compile(r"\d{4}-?\d\d-?\d\d[Tt ]\d\d")


def read_time(text: str) -> int:
    """Read a time (RFC 3339) as nanoseconds since 1970; without zone it is UTC.

    Raises
    ------
    ValueError
        It is none, or lies before 1970 or after 2261.
    """
    try:
        found = datetime.fromisoformat(text if _WITH_HOUR.match(text) else "")
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        since = found - _EPOCH
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a time. {_FORM}") from None
    if not 0 <= since.total_seconds() < _LATEST:
        raise ValueError(f"{text!r} is not a time between 1970 and 2261. {_FORM}")
    return since // timedelta(microseconds=1) * 1000


def write_time(time: int) -> str:
    """Write nanoseconds since 1970 as RFC 3339, without a fraction where there is none."""
    found = _EPOCH + timedelta(microseconds=time // 1000)
    return found.isoformat().replace("+00:00", "Z")


def time_in_name(name: str) -> int | None:
    """Find the one time that the name of a file tells; None where it tells none, several, or a day alone."""
    found = {_moment(match) for match in _IN_NAME.finditer(name)} - {None}
    return found.pop() if len(found) == 1 else None


def _moment(match: re.Match[str]) -> int | None:
    year, month, day, hour, minute, second, zone = match.groups()
    try:
        return read_time(f"{year}-{month}-{day}T{hour}:{minute}:{second}{zone or 'Z'}")
    except ValueError:
        return None


def split_time(path: str) -> tuple[str | None, str]:
    """Split ``TIME=FILE``; a path that merely holds an equals sign stays whole."""
    time, equals, file = path.partition("=")
    if equals and file and _MEANT_AS_TIME.match(time):
        return time, file
    return None, path
