"""What the requests of flows are to the request sets of rules: each distinct text is looked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..kernels.ladders import UNTOLD
from ..kernels.rows import MAYBE, NO, YES, number_signatures
from ..model.requests import (
    DnsMatch,
    HttpMatch,
    KafkaMatch,
    OpaqueMatch,
    Request,
    RequestMatch,
    RequestSet,
    SniMatch,
    read_headers,
)

_TOLD_BY: Mapping[type[RequestMatch], tuple[str, ...]] = {
    HttpMatch: ("http_method", "http_path", "http_host", "http_headers"),
    DnsMatch: ("dns_query",),
    SniMatch: ("tls_sni",),
    KafkaMatch: ("kafka_api_key",),
    OpaqueMatch: (),
}
"""The parts any of which tells something of what a member of a request set asks for."""
_REQUESTS: Mapping[str, Callable[[str], Request]] = {
    "http_method": lambda text: Request(http_method=text),
    "http_path": lambda text: Request(http_path=text),
    "http_host": lambda text: Request(http_host=text),
    "http_headers": lambda text: Request(http_headers=read_headers(text)),
    "dns_query": lambda text: Request(dns_query=text),
    "tls_sni": lambda text: Request(tls_sni=text),
    "kafka_api_key": lambda text: Request(kafka_api_key=text),
    "kafka_topic": lambda text: Request(kafka_api_key="", kafka_topic=text),
}
"""A request of which nothing is told but one part."""
PARTS = tuple(_REQUESTS)
"""Parts of a request."""
NO_REQUEST = -1
_MOST_TEXTS = 1 << 17
"""How many texts of a part are remembered."""
_CHUNK = 1 << 12
"""How many requests are looked up at a time."""
_SILENT = -1
"""What a member of a request set says of a request that tells nothing of what it asks for."""


@dataclass(frozen=True)
class TextColumn:
    """One part of the requests of some flows.

    Attributes
    ----------
    codes : int32[n]
        Number of each text; ``len(texts)`` where it is missing.
    texts : sequence of str
    """

    codes: NDArray[np.int32]
    texts: Sequence[str]

    def take(self, rows: NDArray[np.integer]) -> TextColumn:
        """Return some rows."""
        return TextColumn(self.codes[rows], self.texts)


@dataclass(frozen=True)
class _Member:
    """A member of request sets.

    Attributes
    ----------
    told_by : tuple of str
        The parts any of which tells something of it.
    probes : tuple of (str, int)
        What it asks, by part and number.
    most : int
        The most that it says.
    """

    told_by: tuple[str, ...]
    probes: tuple[tuple[str, int], ...]
    most: int


class RequestTable:
    """Looks requests up in the request sets of some tables.

    What texts are to the parts of request sets is kept from batch to batch, which is a matter of speed only.

    Attributes
    ----------
    asked : tuple of RequestSet
    parts : tuple of str
        The parts of requests that make a difference.
    """

    def __init__(self, asked: Sequence[RequestSet]) -> None:
        self.asked = tuple(asked)
        members: dict[RequestMatch, int] = {}
        self._sets = [[members.setdefault(each, len(members)) for each in requests.members] for requests in asked]
        self._probes: dict[str, list[RequestMatch]] = {part: [] for part in PARTS}
        self._members = [_compile(member, self._probes) for member in members]
        self._known: dict[str, dict[str, bytes]] = {part: {} for part in PARTS}
        told = {part for member in self._members for part in member.told_by} if all(self._sets) else set(PARTS)
        self.parts = tuple(part for part in PARTS if part in told or self._probes[part])

    def __reduce__(self) -> tuple[type[RequestTable], tuple[tuple[RequestSet, ...]]]:
        """Leave out what is remembered of texts."""
        return RequestTable, (self.asked,)

    def find(self, columns: Mapping[str, TextColumn], count: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Tell what requests are to all request sets.

        Parameters
        ----------
        columns : mapping
            Parts of the requests of some flows, by name; parts that are absent are missing.
        count : int
            How many flows there are.

        Returns
        -------
        numbers : int32[n]
            Row of each flow's request in `vectors`; -1 where it has none.
        vectors : uint8[requests, request sets]
            NO, MAYBE, YES or UNTOLD.
        """
        given = {part: columns[part] for part in self.parts if part in columns}
        if not given:
            return np.full(count, NO_REQUEST, np.int32), np.empty((0, len(self.asked)), np.uint8)
        numbers, firsts = _distinct(list(given.values()), count)
        chosen = {part: column.codes[firsts] for part, column in given.items()}
        found = {part: self._look_up(part, column.texts) for part, column in given.items()}
        rows: dict[bytes, int] = {}
        row_of = np.empty(firsts.size, np.int32)
        for first in range(0, firsts.size, _CHUNK):
            codes = {part: column[first : first + _CHUNK] for part, column in chosen.items()}
            for place, row in enumerate(self._vectors(codes, found)):
                row_of[first + place] = rows.setdefault(row.tobytes(), len(rows))
        is_none = np.ones(firsts.size, bool)
        for part, column in given.items():
            is_none &= chosen[part] == len(column.texts)
        row_of[is_none] = NO_REQUEST
        vectors = np.frombuffer(b"".join(rows), np.uint8).reshape(len(rows), len(self.asked))
        return row_of[numbers], vectors

    def _look_up(self, part: str, texts: Sequence[str]) -> NDArray[np.uint8]:
        """Tell what texts, and a missing one in the end, are to the probes of a part: ``uint8[texts + 1, probes]``."""
        known, probes = self._known[part], self._probes[part]
        if len(known) + len(texts) > _MOST_TEXTS:
            known = self._known[part] = {}
        for text in texts:
            if text not in known:
                known[text] = bytes(_ask(part, probe, text) for probe in probes)
        found = b"".join([*(known[text] for text in texts), bytes([MAYBE] * len(probes))])
        return np.frombuffer(found, np.uint8).reshape(len(texts) + 1, len(probes))

    def _vectors(
        self, codes: Mapping[str, NDArray[np.int32]], found: Mapping[str, NDArray[np.uint8]]
    ) -> NDArray[np.uint8]:
        """Tell what requests are to every request set, given the texts of their parts."""
        count = next(iter(codes.values())).size
        said = np.empty((len(self._members), count), np.int8)
        for number, member in enumerate(self._members):
            is_told = np.zeros(count, bool)
            for part in member.told_by:
                if part in codes:
                    is_told |= codes[part] < len(found[part]) - 1
            match = np.full(count, member.most, np.int8)
            for part, probe in member.probes:
                here = found[part][codes[part], probe] if part in codes else MAYBE
                match = np.minimum(match, here)
            said[number] = np.where(is_told, match, _SILENT)
        vectors = np.empty((count, len(self.asked)), np.uint8)
        for number, members in enumerate(self._sets):
            most = said[members].max(axis=0, initial=_SILENT if members else NO)
            vectors[:, number] = np.where(most == _SILENT, UNTOLD, most)
        return vectors


def _compile(member: RequestMatch, probes: Mapping[str, list[RequestMatch]]) -> _Member:
    """Number what a member of a request set asks of each part; it says the least that these say."""
    found = []
    for part, probe in _taken_apart(member).items():
        if probe not in probes[part]:
            probes[part].append(probe)
        found.append((part, probes[part].index(probe)))
    most = YES
    if isinstance(member, HttpMatch) and member.never:
        most = NO
    if isinstance(member, KafkaMatch) and member.unseen:
        most = MAYBE
    return _Member(_TOLD_BY[type(member)], tuple(found), most)


def _taken_apart(member: RequestMatch) -> dict[str, RequestMatch]:
    """Take a member of a request set apart: what it asks of each part, and of nothing else."""
    found: dict[str, RequestMatch] = {}
    match member:
        case HttpMatch(method, path, host, headers):
            if method is not None:
                found["http_method"] = HttpMatch(method=method)
            if path is not None:
                found["http_path"] = HttpMatch(path=path)
            if host is not None:
                found["http_host"] = HttpMatch(host=host)
            if headers:
                found["http_headers"] = HttpMatch(headers=headers)
        case DnsMatch():
            found["dns_query"] = member
        case SniMatch():
            found["tls_sni"] = member
        case KafkaMatch(api_keys, topic):
            found["kafka_api_key"] = KafkaMatch(api_keys)
            if topic is not None:
                found["kafka_topic"] = KafkaMatch(topic=topic)
        case OpaqueMatch():
            pass
    return found


def _ask(part: str, probe: RequestMatch, text: str) -> int:
    """Tell what one text is to what is asked of its part."""
    found = probe.match(_REQUESTS[part](text))
    assert found is not None
    return found


def _distinct(columns: Sequence[TextColumn], count: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Number requests so that equal ones are alike; return the number of each, and where each number first stands."""
    numbers, found = np.zeros(count, np.int32), min(count, 1)
    firsts = np.zeros(count, np.int64)
    signatures = np.empty((count, 2), np.uint64)
    for column in columns:
        signatures[:, 0], signatures[:, 1] = numbers, column.codes
        found = number_signatures(signatures, numbers, firsts)
    return numbers, firsts[:found]
