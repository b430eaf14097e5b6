"""Requests and DNS questions inside connections: what is asked, and how a proxy writes it down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from simcore.model.addresses import Address, Family
from simcore.model.cluster import Service
from simcore.model.flows import Judgement, Verdict
from simcore.model.peers import DomainNames, atoms_of
from simcore.model.policy import Policy, Rule
from simcore.model.requests import DnsMatch, Request

from .conversations import Steps, managed_sides
from .events import Connection, access_event

_LATENCY = 1_284_013
TTL = 60
_HTTP = (
    ("GET", "/"),
    ("GET", "/public"),
    ("GET", "/public/index.html"),
    ("GET", "/healthz"),
    ("GET", "/v1/items?id=7&all=1"),
    ("POST", "/v1/items"),
    ("DELETE", "/v1/items?id=7"),
    ("PUT", "/admin/users"),
)
_STARS = ("www", "api", "static")
_OUTSIDE = ("ads.example.net", "updates.example.org", "telemetry.example.net")
_FIRST_ADDRESS = Address.parse("203.0.113.16").value


def http_requests(connection: Connection) -> list[Request]:
    """List the HTTP requests that a client may make."""
    host = f"{connection.destination.address}:{connection.port}"
    headers = (("User-Agent", "made-up/1.0"), ("X-Request-Id", "5e0a2d0e-6c11-4c7f-9d0a-0f7b1f0e5d11"))
    return [Request(http_method=m, http_path=p, http_host=host, http_headers=headers) for m, p in _HTTP]


def dns_requests(names: Iterable[str]) -> list[Request]:
    """List the DNS questions that a client may ask."""
    return [Request(dns_query=name) for name in names]


def made_up_names(policies: Sequence[Policy], services: Iterable[Service]) -> dict[str, tuple[Address, ...]]:
    """Make up what clients ask DNS for: names that policies mention, of Services, and others outside."""
    written = dict.fromkeys(text for policy in policies for rule in policy.rules for text in _written(rule))
    outside = dict.fromkeys(name for text in written for name in _names_of(text))
    names = [*outside, *(name for name in _OUTSIDE if name not in outside)]
    found: dict[str, tuple[Address, ...]] = {}
    for number, name in enumerate(names):
        first = _FIRST_ADDRESS + 2 * (number % 100)
        found[name] = (Address(Family.V4, first), Address(Family.V4, first + 1))
    inside = {f"{service.name}.{service.namespace}.svc.cluster.local": service.addresses for service in services}
    return found | inside


def exchange(
    connection: Connection, request: Request, judgement: Judgement, names: Mapping[str, tuple[Address, ...]]
) -> Steps:
    """Make the lines of a request, from its proxy, or from those at both ends."""
    steps = []
    for direction in managed_sides(connection):
        outcome = judgement.outcome(direction)
        rule = outcome.rule
        denied = outcome.verdict is Verdict.DENY
        if denied or (rule is not None and rule.proxy):
            asked, answered = _layer7(connection, request, denied, names)
            steps.append((0, access_event(connection, direction, asked, denied=denied)))
            if answered:
                steps.append((_LATENCY, access_event(connection, direction, answered, reply=True)))
        if denied:
            break
    return tuple((at + number * 90_000, line) for number, (at, line) in enumerate(sorted(steps, key=_start)))


def _start(step: tuple[int, Any]) -> int:
    return step[0]


def _layer7(
    connection: Connection, request: Request, denied: bool, names: Mapping[str, tuple[Address, ...]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Write a request and its response as the proxy does; an answer to a DNS question that it refuses has no line."""
    if request.dns_query is None:
        http = {
            "method": request.http_method,
            "url": f"http://{request.http_host}{request.http_path}",
            "protocol": "HTTP/1.1",
            "headers": [{"key": key, "value": value} for key, value in request.http_headers or ()],
        }
        response = {"code": 403 if denied else 200, **http}
        return {"type": "REQUEST", "http": http}, {
            "type": "RESPONSE",
            "latency_ns": str(_LATENCY),
            "http": response,
        }
    dns: dict[str, Any] = {
        "query": f"{request.dns_query}.",
        "observation_source": "proxy",
        "qtypes": ["A"],
    }
    if denied:
        return {"type": "REQUEST", "dns": dns}, {}
    addresses = [str(address) for address in names.get(request.dns_query, ())]
    found = {"ips": addresses, "ttl": TTL, "rrtypes": ["A"] * len(addresses)} if addresses else {"rcode": 3}
    return {"type": "REQUEST", "dns": dns}, {
        "type": "RESPONSE",
        "latency_ns": str(_LATENCY),
        "dns": dns | found,
    }


def _written(rule: Rule) -> Iterator[str]:
    """Yield the names that a rule mentions, as the policy wrote them."""
    for atom in atoms_of(rule.peer):
        if isinstance(atom, DomainNames):
            yield from atom.written
    for member in rule.requests.members if rule.requests else ():
        if isinstance(member, DnsMatch):
            yield member.written


def _names_of(written: str) -> Iterator[str]:
    """Yield names that a pattern may mean."""
    text = written.lower().removesuffix(".")
    if not text.strip("*."):
        return
    if text.startswith("**."):
        text = f"a.b.{text.removeprefix('**.')}"
    if "*" not in text:
        yield text
        return
    for word in _STARS:
        yield text.replace("*", word)
