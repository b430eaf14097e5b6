"""What proxies look at inside a connection: requests, and what rules ask of them (docs/semantics/cilium.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .match import Match
from .regexes import matcher


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a connection; None for what the record does not tell.

    Attributes
    ----------
    http_path : str or None
        With the query string, as in the request line.
    http_host : str or None
        The authority, with the port if it was sent.
    http_headers : tuple of (str, str), or None
        Names and values.
    dns_query : str or None
        In lower case, without the last dot.
    tls_sni : str or None
        The name that the client asked for in the handshake.
    kafka_api_key : str or None
        What a Kafka request asks for, by name, such as ``produce``.
    kafka_topic : str or None
        The topic it is about; empty: it is about none.
    """

    http_method: str | None = None
    http_path: str | None = None
    http_host: str | None = None
    http_headers: tuple[tuple[str, str], ...] | None = None
    dns_query: str | None = None
    tls_sni: str | None = None
    kafka_api_key: str | None = None
    kafka_topic: str | None = None

    @property
    def is_http(self) -> bool:
        """Whether it tells anything of an HTTP request."""
        parts = (self.http_method, self.http_path, self.http_host, self.http_headers)
        return any(part is not None for part in parts)

    def __str__(self) -> str:
        """Write what is told: ``HTTP GET /public, host shop``."""
        found = []
        if self.is_http:
            first = " ".join(filter(None, ("HTTP", self.http_method, self.http_path)))
            host = f"host {self.http_host}" if self.http_host is not None else ""
            headers = [f"{name}: {value}" for name, value in self.http_headers or ()]
            found.append(", ".join(filter(None, (first, host, *headers))))
        if self.dns_query is not None:
            found.append(f"DNS question for {self.dns_query}")
        if self.tls_sni is not None:
            found.append(f"TLS for {self.tls_sni}")
        if self.kafka_api_key is not None:
            found.append(f"Kafka {self.kafka_api_key}" + (f" of {self.kafka_topic}" if self.kafka_topic else ""))
        return " and ".join(found) or "nothing"


def read_headers(text: str) -> tuple[tuple[str, str], ...]:
    """Read headers that are written ``Name: value``, a line each."""
    pairs = ((line, line.find(":", 1)) for line in text.split("\n") if line)
    return tuple((line[:colon].strip(), line[colon + 1 :].strip()) for line, colon in pairs if colon > 0)


def write_headers(headers: Iterable[tuple[str, str]]) -> str:
    """Write headers ``Name: value``, a line each."""
    return "\n".join(f"{name}: {value}" for name, value in headers)


@dataclass(frozen=True, slots=True)
class HeaderMatch:
    """A header that a request must have; with this very value, unless `value` is None.

    Attributes
    ----------
    name : str
        In lower case.
    """

    name: str
    value: str | None = None

    def match(self, headers: Iterable[tuple[str, str]] | None) -> Match:
        """Tell whether headers hold it; MAYBE where none are recorded."""
        if headers is None:
            return Match.MAYBE
        values = [value for name, value in headers if name.lower() == self.name]
        return Match.YES if (self.value in values if self.value is not None else values) else Match.NO

    def __str__(self) -> str:
        """Write as ``header x-key: 1``."""
        return f"header {self.name}" if self.value is None else f"header {self.name}: {self.value}"


@dataclass(frozen=True, slots=True)
class HttpMatch:
    """An HTTP request: regular expressions that whole values match; None asks for nothing.

    Attributes
    ----------
    never : bool
        It asks for something that no request has.
    """

    method: str | None = None
    path: str | None = None
    host: str | None = None
    headers: tuple[HeaderMatch, ...] = ()
    never: bool = False

    def match(self, request: Request) -> Match | None:
        """Tell whether a request matches; None where it tells nothing of HTTP."""
        if not request.is_http:
            return None
        if self.never:
            return Match.NO
        asked = (
            (self.method, request.http_method),
            (self.path, request.http_path),
            (self.host, request.http_host),
        )
        parts = [_match_text(pattern, value) for pattern, value in asked]
        return min([*parts, *(header.match(request.http_headers) for header in self.headers)])

    def missing(self, request: Request) -> tuple[str, ...]:
        """Name the parts that it asks for and a request does not tell."""
        asked = {
            "method": (self.method, request.http_method),
            "path": (self.path, request.http_path),
            "host": (self.host, request.http_host),
            "headers": (self.headers or None, request.http_headers),
        }
        return tuple(name for name, (ours, theirs) in asked.items() if ours is not None and theirs is None)

    def __str__(self) -> str:
        """Write as ``HTTP GET /public.*, host shop``."""
        if self.never:
            return "no HTTP request"
        first = " ".join(["HTTP", *(pattern for pattern in (self.method, self.path) if pattern is not None)])
        host = f"host {self.host}" if self.host is not None else ""
        return ", ".join(filter(None, (first, host, *map(str, self.headers))))


@dataclass(frozen=True, slots=True)
class DnsMatch:
    """A DNS question for a name that `pattern`, a regular expression, matches as a whole.

    Attributes
    ----------
    written : str
        The pattern as the policy wrote it.
    """

    pattern: str
    written: str

    def match(self, request: Request) -> Match | None:
        """Tell whether a request matches; None where it tells nothing of DNS."""
        return None if request.dns_query is None else _match_text(self.pattern, request.dns_query)

    def __str__(self) -> str:
        """Write as ``DNS question for *.shop``."""
        return f"DNS question for {self.written}"


@dataclass(frozen=True, slots=True)
class SniMatch:
    """A TLS handshake for a name that `pattern`, a regular expression, matches as a whole.

    Attributes
    ----------
    written : str
        The pattern as the policy wrote it.
    """

    pattern: str
    written: str

    def match(self, request: Request) -> Match | None:
        """Tell whether a request matches; None where it tells nothing of TLS."""
        return None if request.tls_sni is None else _match_text(self.pattern, request.tls_sni)

    def __str__(self) -> str:
        """Write as ``TLS for *.shop``."""
        return f"TLS for {self.written}"


@dataclass(frozen=True, slots=True)
class KafkaMatch:
    """A Kafka request.

    Attributes
    ----------
    api_keys : frozenset of str or None
        What it may ask for, in lower case; None: anything.
    topic : str or None
        The only topic it may be about; None: any.
    unseen : bool
        It is also asked for something that no record tells, such as the client's name.
    """

    api_keys: frozenset[str] | None = None
    topic: str | None = None
    unseen: bool = False

    def match(self, request: Request) -> Match | None:
        """Tell whether a request matches; None where it tells nothing of Kafka. One without topic is about any."""
        if request.kafka_api_key is None:
            return None
        if self.api_keys is not None and request.kafka_api_key.lower() not in self.api_keys:
            return Match.NO
        if self.topic is not None and request.kafka_topic not in ("", None, self.topic):
            return Match.NO
        is_told = not self.unseen and (self.topic is None or request.kafka_topic is not None)
        return Match.YES if is_told else Match.MAYBE

    def __str__(self) -> str:
        """Write as ``Kafka fetch or produce of orders``."""
        keys = " or ".join(sorted(self.api_keys)) if self.api_keys is not None else "requests"
        return f"Kafka {keys}" + ("" if self.topic is None else f" of {self.topic}")


@dataclass(frozen=True, slots=True)
class OpaqueMatch:
    """A request of a protocol that captures do not show."""

    written: str

    def match(self, request: Request) -> Match | None:
        """Tell nothing."""
        return None

    def __str__(self) -> str:
        """Write as the policy does."""
        return self.written


RequestMatch = HttpMatch | DnsMatch | SniMatch | KafkaMatch | OpaqueMatch


@dataclass(frozen=True, slots=True)
class RequestSet:
    """Requests that any of `members` matches; no member, none."""

    members: tuple[RequestMatch, ...]

    def match(self, request: Request | None) -> Match:
        """Tell whether a request is among them.

        YES where there is no request, or it tells nothing of what is asked for: then the connection is judged, and
        what it carries is a condition.
        """
        found = self.find(request)
        return Match.YES if found is None else found

    def find(self, request: Request | None) -> Match | None:
        """Tell the same; None where there is no request, or it tells nothing of what is asked for."""
        if request is None or request == _NOTHING:
            return None
        found = [member.match(request) for member in self.members]
        told = [match for match in found if match is not None]
        return max(told, default=None if found else Match.NO)

    def missing(self, request: Request) -> tuple[str, ...]:
        """Name the parts of an HTTP request that are asked for and it does not tell."""
        members = [member for member in self.members if isinstance(member, HttpMatch)]
        return tuple(dict.fromkeys(name for member in members for name in member.missing(request)))

    def __str__(self) -> str:
        """Write as ``HTTP GET /public or HTTP PUT``."""
        return " or ".join(map(str, self.members)) or "no request"


_NOTHING = Request()


def _match_text(pattern: str | None, value: str | None) -> Match:
    if pattern is None:
        return Match.YES
    if value is None:
        return Match.MAYBE
    return Match.YES if matcher(pattern)(value) else Match.NO
