"""Test files of `check`: ``tests: [{from, to, port, protocol, expect}]``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Diagnostic, Place, Severity
from ..model.flows import Verdict
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, protocol_name
from ..model.requests import Request
from ..report.check import Check
from .options import REQUEST_OPTIONS, dns_name, header, protocol_number

if TYPE_CHECKING:
    from loaders.yaml_source import YamlValue

FIELDS = ("from", "to", "port", "protocol", "expect", *REQUEST_OPTIONS)
EXPECTATIONS = {"allow": Verdict.ALLOW, "deny": Verdict.DENY}
SHAPE = "tests: [{from: shop/web, to: shop/db, port: 5432, expect: allow}]"


@dataclass(frozen=True, slots=True)
class CheckFile:
    """A test file.

    Attributes
    ----------
    checks : tuple of Check
        The tests with which nothing is wrong.
    names : tuple of (str, Place)
        What any test names as an end, and where.
    problems : tuple of Diagnostic
        Everything that is wrong with the file itself.
    """

    checks: tuple[Check, ...]
    names: tuple[tuple[str, Place], ...]
    problems: tuple[Diagnostic, ...]


def read_checks(path: str) -> CheckFile:
    """Read a test file; ``-`` is standard input."""
    problems: list[Diagnostic] = []
    names: list[tuple[str, Place]] = []
    checks = tuple(_checks(path, names, problems))
    return CheckFile(checks, tuple(names), tuple(problems))


def _checks(path: str, names: list[tuple[str, Place]], problems: list[Diagnostic]) -> Iterator[Check]:
    from loaders.files import STDIN, Source, read_bytes
    from loaders.yaml_source import Flaw, read_yaml

    name = STDIN if path == "-" else path
    try:
        text = read_bytes(Source(path, name)).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        problems.append(_problem(Place(name), f"this cannot be read: {reason}"))
        return
    documents = [document for document in read_yaml(text) if document is not None]
    for document in documents:
        flaws = [document] if isinstance(document, Flaw) else document.flaws
        problems += [_problem(Place(name, 0, flaw.line), flaw.message) for flaw in flaws]
        if not isinstance(document, Flaw):
            yield from _Reader(name, document, names, problems).checks()
    if not documents:
        problems.append(_problem(Place(name), f"there is no test in this file. It takes {SHAPE}"))


class _Reader:
    """Reads the tests of one document."""

    def __init__(
        self, file: str, document: YamlValue, names: list[tuple[str, Place]], problems: list[Diagnostic]
    ) -> None:
        self._file = file
        self._document = document
        self._names = names
        self._problems = problems

    def checks(self) -> Iterator[Check]:
        value = self._document.value
        tests = value.get("tests") if isinstance(value, dict) else None
        if not isinstance(tests, list):
            self._report((), f"a list named tests is expected: {SHAPE}")
            return
        self._report_unknown((), value, ("tests",))
        for number, test in enumerate(tests):
            if isinstance(test, dict):
                yield from self._check(number, test)
            else:
                self._report(("tests", number), f"a mapping with {', '.join(FIELDS)} is expected")

    def _check(self, number: int, test: dict[str, object]) -> Iterator[Check]:
        before = len(self._problems)
        path = ("tests", number)
        self._report_unknown(path, test, FIELDS)
        source, destination = (self._name(path, test, field) for field in ("from", "to"))
        protocol = self._protocol(path, test)
        port = self._port(path, test, protocol)
        expect = self._expect(path, test)
        request = self._request(path, test)
        if len(self._problems) == before:
            yield Check(source, destination, port, protocol, expect, self._place(path), request)

    def _name(self, path: tuple[str | int, ...], test: dict[str, object], field: str) -> str:
        value = test.get(field)
        if isinstance(value, str) and value:
            self._names.append((value, self._place((*path, field))))
            return value
        self._report((*path, field), f"{field} must name a pod, a workload or an address")
        return ""

    def _protocol(self, path: tuple[str | int, ...], test: dict[str, object]) -> int:
        value = test.get("protocol")
        try:
            return protocol_number("TCP" if value is None else value)
        except ValueError as error:
            self._report((*path, "protocol"), str(error))
            return -1

    def _port(self, path: tuple[str | int, ...], test: dict[str, object], protocol: int) -> int | None:
        value = test.get("port")
        if isinstance(value, str) and value.isascii() and value.isdigit():
            value = int(value)
        if value is None:
            if protocol in PORT_PROTOCOLS:
                self._report((*path, "port"), f"{protocol_name(protocol)} needs a port number")
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LAST_PORT:
            self._report((*path, "port"), f"{value!r} is not a port number from 1 to {LAST_PORT}")
            return None
        if protocol not in (*PORT_PROTOCOLS, -1):
            self._report((*path, "port"), f"{protocol_name(protocol)} has no ports. Leave the port out")
        return value

    def _expect(self, path: tuple[str | int, ...], test: dict[str, object]) -> Verdict | None:
        value = test.get("expect")
        if value is None:
            return None
        expect = EXPECTATIONS.get(str(value).lower())
        if expect is None:
            self._report((*path, "expect"), f"{value!r} is not allow or deny")
        return expect

    def _request(self, path: tuple[str | int, ...], test: dict[str, object]) -> Request | None:
        names = [name for name in REQUEST_OPTIONS if name != "http_headers"]
        parts = {name: self._text((*path, name), test.get(name)) for name in names}
        if parts["dns_query"] is not None:
            parts["dns_query"] = dns_name(parts["dns_query"])
        request = Request(**parts, http_headers=self._headers((*path, "http_headers"), test.get("http_headers")))
        return None if request == Request() else request

    def _text(self, path: tuple[str | int, ...], value: object) -> str | None:
        if value is None or isinstance(value, str):
            return value
        self._report(path, f"{value!r} is not a text. Put it in quotes")
        return None

    def _headers(self, path: tuple[str | int, ...], value: object) -> tuple[tuple[str, str], ...] | None:
        if value is None:
            return None
        if not isinstance(value, list):
            self._report(path, "a list of headers is expected: ['Name: value']")
            return None
        found = []
        for number, text in enumerate(value):
            try:
                found.append(header(str(text)))
            except ValueError as error:
                self._report((*path, number), str(error))
        return tuple(found)

    def _report_unknown(self, path: tuple[str | int, ...], given: dict[str, object], known: Iterable[str]) -> None:
        for field in given:
            if field not in known:
                self._report((*path, field), f"there is no such field; known are {', '.join(known)}")

    def _report(self, path: tuple[str | int, ...], message: str) -> None:
        self._problems.append(_problem(self._place(path), message))

    def _place(self, path: tuple[str | int, ...]) -> Place:
        from loaders.paths import path_text

        line = self._document.line_of(path) if path else self._document.first_line
        return Place(self._file, 0, line, path_text(path))


def _problem(place: Place, message: str) -> Diagnostic:
    return Diagnostic(Severity.ERROR, place, message)
