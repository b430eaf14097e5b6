"""NetworkPolicies of a made-up cluster, in the habits that real ones show."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

from .workloads import TEAMS, Group, Work

Document = dict[str, Any]

_PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.169.254/32"]
_CLIENTS = {
    "web": ("web",),
    "api": ("web", "api", "worker"),
    "db": ("api", "worker", "batch"),
    "cache": ("api", "web", "worker"),
    "queue": ("api", "worker"),
    "worker": ("api",),
    "batch": (),
}
_MOST_NAMED = 60
_COMMON_POLICIES = 4.5
_WEB_PORTS = [{"protocol": "TCP", "port": 80}, {"protocol": "TCP", "port": 443}]
_DNS_PORTS = [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def policy_documents(groups: Iterable[Group], works: Iterable[Work], count: int, random: Random) -> list[Document]:
    """Return about `count` policies: what every guarded namespace has, then those of single workloads."""
    works_of: dict[str, list[Work]] = {}
    for work in works:
        works_of.setdefault(work.group.name, []).append(work)
    guarded = [group for group in groups if group.guarded]
    sizes = [len(works_of.get(group.name, ())) for group in guarded]
    uncovered = 1 - (count - _COMMON_POLICIES * len(guarded)) / max(1, sum(sizes))
    common = [list(_common(group, 2 * uncovered + 0.15, random)) for group in guarded]
    single = [_single(group, works_of.get(group.name, []), random) for group in guarded]
    left = max(0, count - sum(map(len, common)))
    chosen = _share(single, sizes, left)
    return [document for parts in zip(common, chosen, strict=True) for part in parts for document in part]


def _share(sources: list[Iterator[Document]], sizes: list[int], count: int) -> list[list[Document]]:
    """Take `count` documents, of each source as its size asks for, as long as the sources last."""
    total = max(1, sum(sizes))
    taken = [list(itertools.islice(source, count * size // total)) for source, size in zip(sources, sizes, strict=True)]
    rest = count - sum(map(len, taken))
    for source, documents in zip(sources, taken, strict=True):
        more = list(itertools.islice(source, rest))
        documents += more
        rest -= len(more)
    return taken


def _policy(namespace: str, name: str, selector: Document, **directions: list[Document]) -> Document:
    spec: Document = {
        "podSelector": selector,
        "policyTypes": [direction.capitalize() for direction in directions],
    }
    spec |= {direction: rules for direction, rules in directions.items() if rules}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def _equal(**labels: str) -> Document:
    return {"matchLabels": labels}


def _named(namespace: str) -> Document:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace}}


def _common(group: Group, open_inside: float, random: Random) -> Iterator[Document]:
    """Enumerate what a platform team puts into every guarded namespace.

    `open_inside` is how likely the namespace is open to itself; where single workloads have few policies of
    their own, most namespaces must be.
    """
    name = group.name
    closed_egress = random.random() < 0.5
    if closed_egress:
        yield _policy(name, "default-deny", {}, ingress=[], egress=[])
        yield _policy(name, "allow-dns", {}, egress=[{"to": [_dns_peer()], "ports": _DNS_PORTS}])
        yield _policy(name, "allow-egress-inside", {}, egress=[{"to": [{"namespaceSelector": {}}]}])
    else:
        yield _policy(name, "default-deny-ingress", {}, ingress=[])
    yield _policy(name, "allow-monitoring", {}, ingress=[_monitoring_rule(random)])
    if random.random() < open_inside:
        yield _policy(name, "allow-same-namespace", {}, ingress=[{"from": [{"podSelector": {}}]}])
    if name == "ingress-nginx":
        yield _policy(name, "allow-world", _equal(app="ingress-nginx"), ingress=[{"ports": _WEB_PORTS}])
    if group.team != "platform":
        yield _policy(name, "allow-ingress-controller", _equal(tier="web"), ingress=[_controller_rule()])
        if closed_egress:
            selector = _equal(**{"internet-access": "true"})
            yield _policy(name, "allow-internet", selector, egress=[{"to": [_internet_peer()]}])


def _dns_peer() -> Document:
    return {"namespaceSelector": _named("kube-system"), "podSelector": _equal(**{"k8s-app": "kube-dns"})}


def _internet_peer() -> Document:
    return {"ipBlock": {"cidr": "0.0.0.0/0", "except": _PRIVATE}}


def _controller_rule() -> Document:
    controller = _equal(**{"app.kubernetes.io/name": "ingress-nginx"})
    peer = {"namespaceSelector": _named("ingress-nginx"), "podSelector": controller}
    return {"from": [peer], "ports": [{"protocol": "TCP", "port": "http"}]}


def _monitoring_rule(random: Random) -> Document:
    peer: Document = {"namespaceSelector": _named("monitoring")}
    if random.random() < 0.7:
        peer["podSelector"] = _equal(**{"app.kubernetes.io/name": "prometheus"})
    port: int | str = "metrics" if random.random() < 0.6 else 9102
    return {"from": [peer], "ports": [{"protocol": "TCP", "port": port}]}


def _single(group: Group, works: list[Work], random: Random) -> Iterator[Document]:
    """Enumerate the policies of single workloads: ingress for all, then egress for some."""
    if group.team == "platform":
        return
    apps = {work.app: work for work in works if work.kind != "DaemonSet" and "canary" not in work.name}
    for work in apps.values():
        if work.ports and work.tier != "worker":
            yield _policy(
                group.name,
                f"{work.app}-ingress",
                _selector(work, random),
                ingress=_ingress(work, apps, random),
            )
    for number, work in enumerate(itertools.islice(itertools.cycle(apps.values()), 4 * len(apps))):
        suffix = "" if number < len(apps) else f"-{number // len(apps) + 1}"
        name = f"{work.app}-egress{suffix}"
        yield _policy(group.name, name, _selector(work, random), egress=_egress(group, random))


def _selector(work: Work, random: Random) -> Document:
    draw = random.random()
    if draw < 0.7:
        return _equal(app=work.app)
    if draw < 0.85:
        return _equal(**{"app.kubernetes.io/name": work.app})
    return {
        "matchLabels": {"app": work.app},
        "matchExpressions": [{"key": "version", "operator": "NotIn", "values": ["v0", "canary"]}],
    }


def _ingress(work: Work, apps: dict[str, Work], random: Random) -> list[Document]:
    clients = [other.app for other in apps.values() if other.tier in _CLIENTS.get(work.tier, ())]
    peers: list[Document] = [{"podSelector": _client_selector(work, clients, random)}]
    if random.random() < 0.3:
        peers.append(_foreign_peer(work, random))
    if random.random() < 0.05:
        peers.append({"ipBlock": {"cidr": f"10.0.{random.randrange(16) * 16}.0/20"}})
    ports = [_port(*port, random) for port in work.ports if port[0] != "metrics"] or _metrics_port()
    rules: list[Document] = [{"from": peers, "ports": ports}]
    if work.tier == "queue":
        rules.append({"from": [{"podSelector": _equal(app=work.app)}], "ports": _range(9090, 9099)})
    return rules


def _metrics_port() -> list[Document]:
    return [{"protocol": "TCP", "port": "metrics"}]


def _client_selector(work: Work, clients: list[str], random: Random) -> Document:
    tiers = list(_CLIENTS.get(work.tier, ()))
    draw = random.random()
    if draw < 0.5 or not clients:
        return _expression("tier", "In", *(tiers or ["web"]))
    if draw < 0.9:
        known = [app for app in clients[:_MOST_NAMED] if random.random() < 0.97] or clients[:1]
        return _expression("app", "In", *sorted(known))
    return {
        "matchExpressions": [
            {"key": "tier", "operator": "Exists"},
            {"key": "tier", "operator": "NotIn", "values": ["batch", "db"]},
            {"key": "job-name", "operator": "DoesNotExist"},
        ]
    }


def _foreign_peer(work: Work, random: Random) -> Document:
    draw = random.random()
    if draw < 0.5:
        namespaces = _equal(team=work.group.team, env=work.group.environment)
        return {"namespaceSelector": namespaces, "podSelector": _equal(tier=random.choice(("web", "api")))}
    if draw < 0.8:
        teams = sorted(random.sample(TEAMS, random.randint(2, 5)))
        return {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": teams}]}}
    if draw < 0.9:
        return {"namespaceSelector": {}, "podSelector": _equal(tier="api")}
    return {"namespaceSelector": {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["dev"]}]}}


def _expression(key: str, operator: str, *values: str) -> Document:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def _port(name: str, protocol: str, number: int, random: Random) -> Document:
    draw = random.random()
    if name and draw < 0.5:
        return {"protocol": protocol, "port": name}
    if draw < 0.92:
        return {"protocol": protocol, "port": number}
    return _range(number, number + random.choice((1, 10, 99)))[0]


def _range(first: int, last: int) -> list[Document]:
    return [{"protocol": "TCP", "port": first, "endPort": last}]


def _egress(group: Group, random: Random) -> list[Document]:
    rules = [_egress_rule(group, random), {"to": [_dns_peer()], "ports": _DNS_PORTS}]
    return [*rules, {"to": [{"podSelector": {}}]}] if random.random() < 0.95 else rules


def _egress_rule(group: Group, random: Random) -> Document:
    draw = random.random()
    if draw < 0.35:
        return {"to": [{"podSelector": {}}]}
    if draw < 0.55:
        return {"to": [{"namespaceSelector": _equal(team=group.team)}, _dns_peer()]}
    if draw < 0.75:
        return {"to": [_internet_peer()], "ports": [{"protocol": "TCP", "port": 443}]}
    if draw < 0.78:
        return {"to": [{"ipBlock": {"cidr": block}} for block in _cidrs(200, random)]}
    if draw < 0.97:
        return {"to": _partner_peers(random), "ports": [{"protocol": "TCP", "port": 443}]}
    return {"to": [{"ipBlock": {"cidr": "2001:db8::/32", "except": [f"2001:db8:{random.randrange(256):x}::/48"]}}]}


def _partner_peers(random: Random) -> list[Document]:
    """Return the CIDR list of a partner: a few blocks, one of them with holes."""
    base = f"{random.choice((52, 54, 99, 151))}.{random.randrange(256)}"
    holes = [f"{base}.{random.randrange(64)}.0/24", f"{base}.{random.randrange(64, 128)}.128/25"]
    wide = {"ipBlock": {"cidr": f"{base}.0.0/16", "except": holes}}
    return [wide, *({"ipBlock": {"cidr": block}} for block in _cidrs(random.choice((1, 2, 8)), random))]


def _cidrs(count: int, random: Random) -> list[str]:
    return [
        f"198.{random.choice((18, 19))}.{random.randrange(256)}.{random.randrange(16) * 16}/28" for _ in range(count)
    ]
