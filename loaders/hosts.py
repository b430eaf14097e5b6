"""What domain names stand for, from files in the form of hosts(5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from simcore.errors import Diagnostic, LoadError, Place, Severity
from simcore.model.addresses import Address

from .files import find_sources, problem, read_bytes

_NAME = re.compile(r"([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")


def load_hosts(paths: Sequence[str]) -> Mapping[str, tuple[Address, ...]]:
    """Load the addresses of domain names: lines of an address and its names, ``#`` before a remark.

    Parameters
    ----------
    paths : sequence of str
        Files, or ``-`` for standard input. A name may stand on several lines, with an address each.

    Returns
    -------
    mapping of str to tuple of Address
        By name, in lower case and without its last dot.

    Raises
    ------
    LoadError
        With every error of all files.
    """
    problems: list[Diagnostic] = []
    found: dict[str, list[Address]] = {}
    for source in find_sources(paths, problems):
        try:
            text = read_bytes(source).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else f"it is not UTF-8 (byte {error.start})"
            problems.append(problem(source.name, f"this file cannot be read: {reason}"))
            continue
        for number, line in enumerate(text.splitlines(), 1):
            _read_line(line, Place(source.name, line=number), found, problems)
    if problems:
        raise LoadError(problems)
    return {name: tuple(dict.fromkeys(addresses)) for name, addresses in found.items()}


def _read_line(line: str, place: Place, found: dict[str, list[Address]], problems: list[Diagnostic]) -> None:
    words = line.partition("#")[0].split()
    if not words:
        return

    def complain(message: str) -> None:
        problems.append(Diagnostic(Severity.ERROR, place, message))

    try:
        address = Address.parse(words[0])
    except ValueError as error:
        complain(f"{error}. Write the address first, then its names")
        return
    if len(words) == 1:
        complain(f"no name follows {words[0]}. Write the names that stand for it behind it")
    for word in words[1:]:
        name = word.lower().removesuffix(".")
        if _NAME.fullmatch(name):
            found.setdefault(name, []).append(address)
        else:
            complain(f"{word!r} is not a domain name. Write names of letters, digits, dashes and dots, no wildcards")
