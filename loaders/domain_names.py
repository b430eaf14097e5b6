"""What domain names stand for, from files: in the form of hosts(5), or JSON that may tell times too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from simcore.errors import Diagnostic, LoadError, Place, Severity
from simcore.model.addresses import Address
from simcore.model.cluster import Stretch
from simcore.model.names import ALWAYS, KnownNames, united

from .files import find_sources, problem, read_bytes
from .json_source import JsonText, JsonValue, is_too_deep
from .paths import TOO_DEEP, Path, path_text

_NAME = re.compile(r"([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = 'Write {"api.example.com": ["192.0.2.1"]}, or {"address": ..., "from": ..., "until": ...} for the address'
_FIELDS = ("address", "from", "until")
_Found = Iterator[tuple[str, Address, Stretch]]
_Complain = Callable[..., None]


def load_names(paths: Sequence[str]) -> KnownNames:
    """Load the addresses of domain names.

    Parameters
    ----------
    paths : sequence of str
        Files, or ``-`` for standard input: lines of an address and its names, ``#`` before a remark; or a JSON object
        of lists by name, whose items are addresses, or objects with ``address``, ``from`` and ``until``. A name may
        stand in several places.

    Returns
    -------
    KnownNames
        Names are in lower case and without their last dot.

    Raises
    ------
    LoadError
        With every error of all files.
    """
    problems: list[Diagnostic] = []
    found: dict[tuple[str, Address], list[Stretch]] = {}
    for source in find_sources(paths, problems):
        try:
            text = read_bytes(source).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else f"it is not UTF-8 (byte {error.start})"
            problems.append(problem(source.name, f"this file cannot be read: {reason}"))
            continue
        read = _read_json if text.lstrip().startswith("{") else _read_lines
        for name, address, stretch in read(text, source.name, problems):
            found.setdefault((name, address), []).append(stretch)
    if problems:
        raise LoadError(problems)
    return KnownNames({key: united(stretches) for key, stretches in found.items()})


def _read_lines(text: str, file: str, problems: list[Diagnostic]) -> _Found:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        place = Place(file, line=number)
        if not words:
            continue

        def complain(message: str, place: Place = place) -> None:
            problems.append(Diagnostic(Severity.ERROR, place, message))

        try:
            address = Address.parse(words[0])
        except ValueError as error:
            complain(f"{error}. Write the address first, then its names")
            continue
        if len(words) == 1:
            complain(f"no name follows {words[0]}. Write the names that stand for it behind it")
        for word in words[1:]:
            if name := _name(word, complain):
                yield name, address, ALWAYS


def _read_json(text: str, file: str, problems: list[Diagnostic]) -> _Found:
    data = text.encode()
    body = JsonValue.at(JsonText(data), 0, len(data))

    def complain(message: str, *path: str | int) -> None:
        problems.append(Diagnostic(Severity.ERROR, Place(file, 0, body.line_of(path), path_text(path)), message))

    if is_too_deep(data):
        problems.append(problem(file, TOO_DEEP))
        return
    try:
        value = body.value
    except msgspec.DecodeError as error:
        problems.append(problem(file, f"this is no JSON: {error}. Mend the file"))
        return
    for path in body.repeated_keys():
        complain("this stands here twice. Keep one of them", *path)
    for word, items in value.items():
        name = _name(word, complain, word)
        if not isinstance(items, list):
            complain(f"a list of addresses is expected. {_FORM}", word)
            continue
        for number, item in enumerate(items):
            if (read := _read_item(item, complain, (word, number))) and name:
                yield name, *read


def _name(word: str, complain: _Complain, *path: str | int) -> str | None:
    name = word.lower().removesuffix(".")
    if _NAME.fullmatch(name):
        return name
    complain(f"{word!r} is not a domain name. Write names of letters, digits, dashes and dots, no wildcards", *path)
    return None


def _read_item(item: object, complain: _Complain, path: Path) -> tuple[Address, Stretch] | None:
    """Read an address, and when it holds."""
    given = {"address": item} if isinstance(item, str) else item
    if not isinstance(given, dict) or "address" not in given:
        complain(f"an address is expected. {_FORM}", *path)
        return None
    for key in given.keys() - set(_FIELDS):
        complain(f"{key!r} is no field here. There are {', '.join(_FIELDS)}", *path, key)
    try:
        address = Address.parse(str(given["address"]))
    except ValueError as error:
        complain(f"{error}. Correct it", *path)
        return None
    first, end = (_moment(given.get(key), complain, (*path, key)) for key in ("from", "until"))
    stretch = ALWAYS[0] if first is None else first, ALWAYS[1] if end is None else end
    if stretch[0] >= stretch[1]:
        complain("it ends before it begins. Correct from or until", *path)
    return address, stretch


def _moment(value: object, complain: _Complain, path: Path) -> int | None:
    """Read a time as nanoseconds since 1970; without zone it is UTC."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        complain(f"{value!r} is no time. Write it as 2026-11-02T09:30:00Z", *path)
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return (found - _EPOCH) // timedelta(microseconds=1) * 1000
