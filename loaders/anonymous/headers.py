"""Headers of HTTP requests, which rules compare as a whole: their values can be hidden, standard names stay."""

from __future__ import annotations

from simcore.model.requests import read_headers, write_headers

from .words import Words

_STANDARD = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "authorization", "cache-control", "connection"),
        *("content-encoding", "content-length", "content-type", "cookie", "date", "etag", "expect"),
        *("forwarded", "from", "host", "if-match", "if-modified-since", "if-none-match", "if-range"),
        *("if-unmodified-since", "location", "origin", "pragma", "range", "referer", "server", "set-cookie"),
        *("te", "trailer", "transfer-encoding", "upgrade", "user-agent", "vary", "via", "x-api-key"),
        *("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id", "x-real-ip"),
    )
)


def written_name(names: Words, text: str) -> str:
    """Return the pseudonym of a header's name, whose capitals do not matter."""
    plain = text.lower()
    return plain if plain in _STANDARD or plain.startswith(":") else names.name(plain)


def write_header(names: Words, name: str, value: str | None) -> str:
    """Write a header that a rule asks for; without value, its name alone."""
    made = written_name(names, name)
    return made if value is None else f"{made}: {names.text(value)}"


def hidden_headers(names: Words, text: str) -> str:
    """Write the headers of a request, a line each."""
    return write_headers((written_name(names, name), names.text(value)) for name, value in read_headers(text))
