"""What a proxy saw of requests and of DNS answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from .messages import Dns, Header, Http, Layer7

_REDACTED = "HUBBLE_REDACTED"
"""What Hubble writes in place of what it was told to hide."""


class Details(NamedTuple):
    """What a request or an answer has besides a flow; None for what the record does not say."""

    http_method: str | None = None
    http_path: str | None = None
    http_host: str | None = None
    http_headers: str | None = None
    dns_query: str | None = None
    dns_addresses: str | None = None
    dns_ttl: int | None = None


NO_DETAILS = Details()


def read_details(layer7: Layer7) -> Details:
    """Read what a proxy saw."""
    if layer7.http is not None:
        return _read_http(layer7.http)
    return NO_DETAILS if layer7.dns is None else _read_dns(layer7.dns)


def _read_dns(dns: Dns) -> Details:
    query = dns.query.lower().removesuffix(".") or None
    addresses = ",".join(dns.ips) or None
    return Details(dns_query=query, dns_addresses=addresses, dns_ttl=min(dns.ttl, 2**31 - 1) if addresses else None)


def _read_http(http: Http) -> Details:
    host, path = _split_url(http.method, http.url)
    return Details(http.method or None, path, host or _host_of(http.headers), _join_headers(http.headers))


def _split_url(method: str, url: str) -> tuple[str | None, str | None]:
    """Return host and path of a URL, which has them both where the proxy knew both."""
    if method == "CONNECT":
        return url.removeprefix("//") or None, None
    if not url or (url[0] == "/" and url[:2] != "//"):
        return None, url.partition("#")[0] or None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None, None
    path = parts.path or ("/" if parts.netloc else "")
    return parts.netloc.rpartition("@")[2] or None, f"{path}?{parts.query}" if parts.query else path or None


def _host_of(headers: Sequence[Header]) -> str | None:
    told = {header.key.lower(): header.value for header in headers}
    host = told.get(":authority") or told.get("host")
    return None if host == _REDACTED else host or None


def _join_headers(headers: Sequence[Header]) -> str | None:
    """Write headers as lines; None where some were hidden, since nothing can be told of those then."""
    if any(header.value == _REDACTED for header in headers):
        return None
    lines = (f"{header.key}: {' '.join(header.value.splitlines())}" for header in headers if header.key[:1] != ":")
    return "\n".join(lines) or None
