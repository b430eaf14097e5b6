"""What runs in a made-up cluster: its namespaces and workloads, before any address is given out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from random import Random

from .scale import Scale

TEAMS = ("atlas", "birch", "comet", "delta", "ember", "fjord", "grove", "harbor", "indigo", "juniper")
ENVIRONMENTS = ("prod", "prod", "staging", "dev")
# fmt: off
_THINGS = (
    "orders", "catalog", "billing", "search", "media", "ledger", "profile", "shipping", "pricing",
    "quotes", "rewards", "alerts", "sessions", "inventory", "invoices", "reports", "tickets", "photos",
    "maps", "routes", "tariffs", "payroll", "claims", "vaults", "metrics", "events", "audit", "carts",
    "coupons", "stock", "refunds", "identity", "labels", "drafts", "notes", "forms", "chats", "mail",
    "files", "backups",
)
# fmt: on
_ROLES = {
    "web": ("web", "ui", "portal", "bff"),
    "api": ("api", "service", "gateway", "core"),
    "worker": ("worker", "consumer", "sync", "indexer"),
    "db": ("postgres", "mysql", "mongodb"),
    "cache": ("redis", "memcached"),
    "queue": ("kafka", "rabbitmq"),
    "batch": ("import", "cleanup", "report"),
}
_KINDS = {"db": "StatefulSet", "queue": "StatefulSet", "cache": "StatefulSet", "batch": "Job"}
_TIER_WEIGHTS = {"web": 18, "api": 40, "worker": 18, "db": 8, "cache": 7, "queue": 4, "batch": 5}
_STORE_PORTS = {
    "postgres": ("postgres", 5432),
    "mysql": ("mysql", 3306),
    "mongodb": ("mongodb", 27017),
    "redis": ("redis", 6379),
    "memcached": ("memcache", 11211),
    "kafka": ("kafka", 9092),
    "rabbitmq": ("amqp", 5672),
}
_METRICS = ("metrics", "TCP", 9102)


@dataclass(frozen=True, slots=True)
class Group:
    """A namespace: its name and labels, and whether policies guard it."""

    name: str
    labels: dict[str, str]
    team: str
    environment: str
    guarded: bool = True


@dataclass(frozen=True, slots=True)
class Work:
    """A workload of a namespace.

    Attributes
    ----------
    kind : str
        Deployment, StatefulSet, DaemonSet or Job.
    app : str
        Value of its ``app`` label; a canary shares it with the workload it stands beside.
    ports : tuple
        (name, protocol, number) of each declared port; an unnamed one has the empty name.
    """

    group: Group
    kind: str
    name: str
    app: str
    tier: str
    replicas: int
    ports: tuple[tuple[str, str, int], ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    host_network: bool = False
    dual_stack: bool = False


def draw_groups(scale: Scale, random: Random) -> list[Group]:
    """Draw the application namespaces; the second one, and few others, have no policies."""
    names = [f"{thing}-{env}" for thing in _THINGS for env in ("prod", "staging", "dev")]
    names += [f"{team}-{thing}" for team in TEAMS for thing in _THINGS]
    names += [f"tenant-{number:04d}" for number in range(max(0, scale.namespaces - len(names)))]
    chosen = random.sample(names, scale.namespaces)
    groups = []
    for number, name in enumerate(chosen):
        team = random.choice(TEAMS)
        suffix = name.rpartition("-")[2]
        environment = suffix if suffix in ENVIRONMENTS else random.choice(ENVIRONMENTS)
        labels = {"kubernetes.io/metadata.name": name, "team": team, "env": environment}
        if random.random() < 0.2:
            labels["mesh"] = "enabled"
        guarded = number != 1 and random.random() >= 0.03
        groups.append(Group(name, labels, team, environment, guarded))
    return groups


def draw_works(scale: Scale, groups: list[Group], random: Random) -> list[Work]:
    """Fill the namespaces with workloads: the first gets most pods, the sizes follow Zipf's law."""
    weights = [1 / (rank + 3) ** 0.9 for rank in range(len(groups))]
    budget = scale.pods - _system_pods(scale)
    works: list[Work] = []
    for group, weight in zip(groups, weights, strict=True):
        works += _fill(group, max(2, round(budget * weight / sum(weights))), scale, random)
    return works


def _fill(group: Group, pods: int, scale: Scale, random: Random) -> Iterator[Work]:
    taken: set[str] = set()
    tiers = itertools.chain(("api", "web", "db"), iter(lambda: _tier(random), None))
    while pods > 0:
        work = _draw_work(group, next(tiers), pods, taken, scale, random)
        yield work
        pods -= work.replicas
        if pods > 0 and work.tier == "api" and work.replicas > 3 and random.random() < 0.15:
            yield _canary(work)
            pods -= 1


def _tier(random: Random) -> str:
    return random.choices(list(_TIER_WEIGHTS), list(_TIER_WEIGHTS.values()))[0]


def _draw_work(group: Group, tier: str, pods: int, taken: set[str], scale: Scale, random: Random) -> Work:
    role = random.choice(_ROLES[tier])
    name = _unused(f"{random.choice(_THINGS)}-{role}", taken)
    replicas = min(pods, _replicas(tier, random))
    kind = {"db": "StatefulSet", "queue": "StatefulSet", "cache": "StatefulSet", "batch": "Job"}.get(tier, "Deployment")
    labels = {"version": f"v{random.randint(1, 4)}", "app.kubernetes.io/part-of": group.name}
    if random.random() < 0.1:
        labels["internet-access"] = "true"
    dual_stack = random.random() < scale.dual_stack
    return Work(group, kind, name, name, tier, replicas, _ports(tier, role, random), labels, False, dual_stack)


def _unused(name: str, taken: set[str]) -> str:
    numbered = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    found = next(candidate for candidate in numbered if candidate not in taken)
    taken.add(found)
    return found


def _replicas(tier: str, random: Random) -> int:
    if tier in ("db", "cache", "queue"):
        return random.choice((1, 2, 3, 3, 5))
    if tier == "batch":
        return random.choice((1, 1, 2, 4))
    return min(400, max(1, round(random.paretovariate(0.95) * 2.2)))


def _ports(tier: str, role: str, random: Random) -> tuple[tuple[str, str, int], ...]:
    if role in _STORE_PORTS:
        name, number = _STORE_PORTS[role]
        return ((name, "TCP", number), _METRICS)
    if tier == "web":
        return (("http", "TCP", random.choice((3000, 8080, 8080, 80))), _METRICS)
    if tier == "api":
        http = ("http" if random.random() < 0.9 else "", "TCP", random.choice((8080, 8080, 8000, 5000)))
        return (http, ("grpc", "TCP", 9000), _METRICS) if random.random() < 0.3 else (http, _METRICS)
    return (_METRICS,) if tier == "worker" else ()


def _canary(work: Work) -> Work:
    """Return one more pod of the same app whose port of the same name has another number."""
    (name, protocol, number), *rest = work.ports
    ports = ((name, protocol, number + 1), *rest)
    labels = {**work.labels, "version": "canary"}
    return replace(work, kind="Deployment", name=f"{work.name}-canary", replicas=1, ports=ports, labels=labels)


def _system_pods(scale: Scale) -> int:
    return sum(work.replicas for work in system_works(scale))


def system_works(scale: Scale) -> list[Work]:
    """Return what every cluster runs: DNS, proxies, monitoring, an ingress controller."""
    few = max(2, scale.nodes // 100)
    return [*_kube_system(scale), *_monitoring(scale, few), _ingress_controller(2 * few)]


def _kube_system(scale: Scale) -> list[Work]:
    group = _system_group("kube-system", guarded=False)
    dns = _system(
        group,
        "Deployment",
        "coredns",
        max(2, scale.nodes // 16),
        ("dns", "UDP", 53),
        ("dns-tcp", "TCP", 53),
        ("metrics", "TCP", 9153),
    )
    return [
        replace(dns, app="kube-dns", labels={"k8s-app": "kube-dns"}, dual_stack=True),
        replace(_daemon(group, "kube-proxy", scale, 10249), host_network=True),
        _system(group, "Deployment", "metrics-server", 2, ("https", "TCP", 10250)),
    ]


def _monitoring(scale: Scale, few: int) -> list[Work]:
    group = _system_group("monitoring")
    return [
        _system(group, "StatefulSet", "prometheus", few, ("web", "TCP", 9090)),
        _system(group, "StatefulSet", "alertmanager", 2, ("web", "TCP", 9093)),
        _system(group, "Deployment", "grafana", 1, ("http", "TCP", 3000)),
        replace(_daemon(group, "node-exporter", scale, 9100), host_network=True),
        _daemon(group, "log-collector", scale, 2020),
    ]


def _ingress_controller(replicas: int) -> Work:
    group = _system_group("ingress-nginx")
    ports = ("http", "TCP", 80), ("https", "TCP", 443), ("metrics", "TCP", 10254)
    work = _system(group, "Deployment", "ingress-nginx-controller", replicas, *ports)
    labels = {"app.kubernetes.io/component": "controller"}
    return replace(work, app="ingress-nginx", labels=labels, dual_stack=True)


def _daemon(group: Group, name: str, scale: Scale, port: int) -> Work:
    return _system(group, "DaemonSet", name, scale.nodes, ("metrics", "TCP", port))


def _system(group: Group, kind: str, name: str, replicas: int, *ports: tuple[str, str, int]) -> Work:
    return Work(group, kind, name, name, "system", replicas, ports)


def _system_group(name: str, guarded: bool = True) -> Group:
    labels = {"kubernetes.io/metadata.name": name, "team": "platform", "env": "prod"}
    return Group(name, labels, "platform", "prod", guarded)
