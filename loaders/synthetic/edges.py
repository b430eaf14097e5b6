"""The traffic that a cluster is likely to carry: edges between its workloads, drawn once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from simcore.errors import ResolveError
from simcore.model.addresses import Address, Family
from simcore.model.cluster import Cluster, ContainerPort, Service
from simcore.model.flows import End, Flow
from simcore.model.ports import TCP, UDP

from .places import Place, Places
from .traffic import Kind, Members, Traffic, icmp_of

_SHARES = {
    "dns": 0.20,
    "application": 0.50,
    "odd": 0.015,
    "inbound": 0.07,
    "outbound": 0.08,
    "probe": 0.05,
    "scrape": 0.06,
    "scan": 0.01,
    "ping": 0.01,
}
_SERVERS = {
    "web": ("api", "api", "cache"),
    "api": ("db", "cache", "queue", "api"),
    "worker": ("db", "cache", "queue", "api"),
    "batch": ("db",),
    "db": (),
    "cache": (),
    "queue": (),
}
_DEFAULT_PORT = ContainerPort("", TCP, 8080)
_DNS = 53
_THROUGH_SERVICE = 0.3
_MOST_CLIENTS = 40
_FEW_WORKLOADS = 100
_SOMEBODY_OUTSIDE = End(address=Address.parse("13.0.0.1"))
Expected = Callable[[Flow], bool]
"""Whether a flow is one that the cluster is there for: the traffic is mostly of such."""


def draw_traffic(cluster: Cluster, random: Random, ipv6: float, expected: Expected | None = None) -> Traffic:
    """Draw the edges of a cluster.

    Parameters
    ----------
    ipv6 : float
        Share of IPv6 in traffic between two dual-stack ends; 0 leaves IPv6 out.
    expected : callable, optional
        Which flows between workloads, and with the world outside, to draw; any without it.

    Raises
    ------
    ResolveError
        The cluster has no running pod, or none of a family that traffic is wanted in.
    """
    return _Drawing(cluster, random, ipv6, expected).draw()


class _Drawing:
    def __init__(self, cluster: Cluster, random: Random, ipv6: float, expected: Expected | None) -> None:
        self._expected = expected
        self._pod_of = {
            pod.workload: pod.full_name for pod in reversed(cluster.pods) if pod.is_plain and not pod.finished
        }
        self._shares = {Family.V4: 1 - ipv6, Family.V6: ipv6} if ipv6 else {Family.V4: 1.0}
        self._places = Places(cluster, tuple(self._shares), random)
        self._cluster = cluster
        self._random = random
        self._outsiders = {family: self._places.outsiders(family) for family in self._shares}
        self._everyone = {family: self._places.everyone(family) for family in self._shares}
        self._service_members: dict[tuple[str, str, Family], Members | None] = {}
        self._edges: dict[str, list[tuple[Members, Members, int, int, float, Kind]]] = {}

    def draw(self) -> Traffic:
        self._draw_dns()
        self._draw_application()
        self._draw_world()
        self._draw_probes()
        self._draw_scrapes()
        self._draw_noise()
        for name, edges in self._edges.items():
            total = sum(edge[4] for edge in edges) or 1.0
            for source, destination, protocol, port, weight, kind in edges:
                self._places.builder.edge(source, destination, protocol, port, weight / total * _SHARES[name], kind)
        if self._places.builder.is_empty:
            raise ResolveError("no two ends have addresses of one family that traffic is wanted in. Ask for less IPv6")
        return self._places.builder.build()

    def _expects(self, client: Place | None, server: Place | None, port: ContainerPort) -> bool:
        """Whether a workload, or somebody outside, is expected to open connections to another's port."""
        if self._expected is None:
            return True
        source, destination = (
            _SOMEBODY_OUTSIDE if place is None else End(pod=self._pod_of[place.ref]) for place in (client, server)
        )
        return self._expected(Flow(source, destination, port.protocol, port.number))

    def _add(
        self,
        name: str,
        sources: dict[Family, Members] | dict[Family, Members | None],
        destinations: dict[Family, Members] | dict[Family, Members | None],
        port: ContainerPort,
        weight: float,
        kind: Kind = Kind.PLAIN,
    ) -> None:
        """Add an edge in each family that both ends have."""
        for family, share in self._shares.items():
            source, destination = sources.get(family), destinations.get(family)
            if source and destination:
                edge = (source, destination, port.protocol, port.number, weight * share, kind)
                self._edges.setdefault(name, []).append(edge)

    def _serve(
        self, name: str, sources: dict[Family, Members], server: Place, port: ContainerPort, weight: float
    ) -> None:
        """Add traffic to a port of a workload: to its pods, and to the Services that lead there."""
        fronts = [front for front in server.fronts if _leads_to(*front, port) and front[0].addresses]
        direct = 1 - _THROUGH_SERVICE if fronts else 1.0
        self._add(name, sources, server.members, port, weight * direct)
        for service, number in fronts[:1]:
            front = ContainerPort("", port.protocol, service.ports[number].port)
            self._add(name, sources, self._service(service), front, weight * _THROUGH_SERVICE)

    def _service(self, service: Service) -> dict[Family, Members | None]:
        for family in self._shares:
            key = (service.namespace, service.name, family)
            if key not in self._service_members:
                self._service_members[key] = self._places.service_members(service, family)
        return {family: self._service_members[service.namespace, service.name, family] for family in self._shares}

    def _draw_dns(self) -> None:
        servers = [place for place in self._places.workloads if _is_dns(place)]
        queries = ContainerPort("", UDP, _DNS), ContainerPort("", TCP, _DNS)
        for place in self._places.workloads:
            weight = _size(place) ** 0.8
            for server in servers:
                if server is not place:
                    self._serve("dns", place.members, server, queries[0], weight)
                    self._serve("dns", place.members, server, queries[1], weight / 30)
        if not servers:
            resolver = self._places.resolver()
            for place in self._places.workloads:
                if self._expects(place, None, queries[0]):
                    self._add("dns", place.members, resolver, queries[0], _size(place))
        for server in servers:
            self._add("outbound", server.members, self._outsiders, queries[0], 3.0)

    def _draw_application(self) -> None:
        servers_of: dict[str, list[Place]] = {}
        for place in self._places.workloads:
            if not place.host_network:
                servers_of.setdefault(place.ref.namespace, []).append(place)
        everyone = [place for places in servers_of.values() for place in places]
        if self._expected is not None and len(everyone) <= _FEW_WORKLOADS:
            servers_of = dict.fromkeys(servers_of, everyone)
        pairs = [
            (client, *server)
            for client in everyone
            for server in self._servers(client, servers_of[client.ref.namespace])
        ]
        self._random.shuffle(pairs)
        for rank, (client, server, port) in enumerate(pairs):
            self._serve("application", client.members, server, port, 1 / (rank + 20))
        for rank in range(min(200, 2 * len(self._places.workloads))):
            client, server = (self._random.choice(self._places.workloads) for _ in range(2))
            port = self._random.choice(server.ports or (_DEFAULT_PORT,))
            self._serve("odd", client.members, server, port, 1 / (rank + 5))

    def _servers(self, client: Place, neighbours: list[Place]) -> Iterator[tuple[Place, ContainerPort]]:
        """Draw whom a workload calls, and on which port: the next tiers of its namespace, where it has tiers."""
        tiers = _SERVERS.get(client.labels.get("tier", ""))
        fitting = [place for place in neighbours if tiers is None or place.labels.get("tier") in tiers]
        fitting = [place for place in fitting if place.served] or [place for place in fitting if place.ports]
        calls = [
            (server, port)
            for server in fitting
            for port in server.served or server.ports or (_DEFAULT_PORT,)
            if (server is not client or _size(client) > 1) and self._expects(client, server, port)
        ]
        for _ in range(min(self._random.choice((1, 2, 3, 5)), len(calls))):
            yield self._random.choice(calls)

    def _draw_world(self) -> None:
        """Add traffic with the world outside: through entry points, and to port 443 out there."""
        doors = [place for place in self._places.workloads if "ingress" in place.ref.namespace and place.served]
        web = [place for place in self._places.workloads if place.labels.get("tier") == "web" and place.served]
        for place in doors or web[:3] or self._places.workloads[:1]:
            for port in place.served or (_DEFAULT_PORT,):
                if not self._expects(None, place, port):
                    continue
                self._serve("inbound", self._known(self._outsiders), place, port, 3.0)
        for door in doors[:1]:
            for rank, place in enumerate(self._random.sample(web, len(web))):
                self._serve("inbound", door.members, place, place.served[0], 5 / (rank + 5))
        hosts = {family: self._places.host_members(family) for family in self._shares}
        for service in self._cluster.services:
            for number in (port for port in service.ports if port.node_port):
                port = ContainerPort("", number.protocol, number.node_port)
                self._add("inbound", self._outsiders, hosts, port, 0.3)
        for place in self._places.workloads:
            online = 1.0 if "internet-access" in place.labels else 0.02
            https = ContainerPort("", TCP, 443)
            if self._expects(place, None, https):
                self._add("outbound", place.members, self._outsiders, https, online * _size(place))

    def _known(self, members: dict[Family, Members | None]) -> dict[Family, Members]:
        return {family: stretch for family, stretch in members.items() if stretch}

    def _draw_probes(self) -> None:
        for place in self._places.workloads:
            slots = [slot for stretch in place.slots.values() for slot in stretch]
            if not place.host_network and self._places.builder.has_host(slots):
                for port in (place.served or place.ports)[:1]:
                    if port.protocol == TCP:
                        self._add("probe", place.members, place.members, port, _size(place), Kind.PROBE)

    def _draw_scrapes(self) -> None:
        scrapers = [place for place in self._places.workloads if "prometheus" in place.ref.name][:1]
        for scraper in scrapers:
            for place in self._places.workloads:
                for port in place.ports:
                    if port.name == "metrics":
                        self._add("scrape", scraper.members, place.members, port, _size(place))

    def _draw_noise(self) -> None:
        any_port = ContainerPort("", TCP, 0)
        for scanner in self._random.sample(self._places.workloads, min(2, len(self._places.workloads))):
            self._add("scan", scanner.members, self._everyone, any_port, 1.0, Kind.SCAN)
        self._add("scan", self._outsiders, self._everyone, any_port, 0.5, Kind.SCAN)
        count = min(_MOST_CLIENTS, len(self._places.workloads))
        for place in self._random.sample(self._places.workloads, count):
            for family in self._shares:
                echo = ContainerPort("", icmp_of(family), 0)
                self._add("ping", _only(place.members, family), self._everyone, echo, 1.0)


def _only(members: dict[Family, Members], family: Family) -> dict[Family, Members]:
    return {family: members[family]} if family in members else {}


def _size(place: Place) -> int:
    return max(map(len, place.slots.values()))


def _is_dns(place: Place) -> bool:
    return place.labels.get("k8s-app") == "kube-dns" or any(
        port.protocol == UDP and port.number == _DNS for port in place.ports
    )


def _leads_to(service: Service, number: int, port: ContainerPort) -> bool:
    """Whether a Service's port leads to this port of the workloads it selects."""
    front = service.ports[number]
    return front.protocol == port.protocol and front.target in (port.number, port.name)
