"""The traffic that the demo's shop was seen to carry."""

from __future__ import annotations

from typing import Any

from simcore.model.addresses import Address
from simcore.model.ports import TCP, UDP

from .shop_cluster import ITEMS
from .traffic import Kind, Members, Traffic, TrafficBuilder

_BANK = tuple(f"203.0.113.{last}" for last in (40, 41, 42))
_MAIL = ("198.51.100.25",)
_RESOLVER = ("9.9.9.9",)
_SCANNER = ("198.51.100.77",)
_CLIENTS = tuple(f"192.0.2.{last}" for last in range(1, 255))

_CALLS = (
    ("ingress-nginx", "frontend", 8080, 16),
    ("frontend", "cart", 8080, 10),
    ("frontend", "catalog", 8080, 14),
    ("frontend", "checkout", 8080, 5),
    ("checkout", "cart", 8080, 3),
    ("checkout", "catalog", 8080, 3),
    ("checkout", "postgres", 5432, 4),
    ("catalog", "postgres", 5432, 8),
    ("cart", "redis", 6379, 9),
    ("checkout", "gateway", 8443, 3),
    ("gateway", "ledger", 5432, 2),
    ("grafana", "prometheus", 9090, 0.8),
)
_ATTEMPTS = (
    ("grafana", "postgres", 5432, 0.12),
    ("settlement", "postgres", 5432, 0.08),
    ("toolbox", "postgres", 5432, 0.02),
)
_THROUGH_SERVICE = 0.6


def shop_traffic(documents: list[dict[str, Any]]) -> Traffic:
    """Return the traffic between the pods of the shop's documents, and with the world outside."""
    return _Shop(documents).build()


class _Shop:
    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._builder = TrafficBuilder()
        self._nodes = {
            document["metadata"]["name"]: self._slot(document["status"]["addresses"][0]["address"])
            for document in documents
            if document["kind"] == "Node"
        }
        self._slots: dict[str, list[int]] = {}
        for document in documents:
            if document["kind"] == "Pod":
                name = document["spec"]["containers"][0]["name"]
                host = self._nodes[document["spec"]["nodeName"]]
                self._slots.setdefault(name, []).append(self._slot(document["status"]["podIP"], host))
        self._pods = {name: self._group(slots) for name, slots in self._slots.items()}
        self._services = {item.name: self._outside(item.service) for item in ITEMS if item.service}

    def build(self) -> Traffic:
        for source, destination, port, weight in _CALLS:
            self._call(source, destination, TCP, port, weight)
        for source, destination, port, weight in _ATTEMPTS:
            self._edge(source, destination, TCP, port, weight, Kind.ATTEMPT)
        for item in ITEMS:
            if item.name not in ("coredns", "toolbox") and not item.host_network:
                self._call(item.name, "coredns", UDP, 53, item.replicas)
            if ("metrics", "TCP", 9102) in item.ports:
                self._edge("prometheus", item.name, TCP, 9102, 0.3)
                self._edge(item.name, item.name, TCP, item.ports[0][2], 0.4, Kind.PROBE)
        self._meet_the_world()
        return self._builder.build()

    def _meet_the_world(self) -> None:
        add = self._builder.edge
        add(self._outside(*_CLIENTS), self._pods["ingress-nginx"], TCP, 443, 14)
        add(self._outside(*_SCANNER), self._pods["ingress-nginx"], TCP, 0, 0.2, Kind.SCAN)
        add(self._pods["gateway"], self._outside(*_BANK), TCP, 443, 2)
        add(self._pods["checkout"], self._outside(*_MAIL), TCP, 587, 0.5)
        add(self._pods["coredns"], self._outside(*_RESOLVER), UDP, 53, 2)

    def _call(self, source: str, destination: str, protocol: int, port: int, weight: float) -> None:
        """Add traffic to the pods of a workload, and to its Service where it has one."""
        share = _THROUGH_SERVICE if destination in self._services else 0.0
        self._edge(source, destination, protocol, port, weight * (1 - share))
        self._builder.edge(self._pods[source], self._services.get(destination), protocol, port, weight * share)

    def _edge(
        self, source: str, destination: str, protocol: int, port: int, weight: float, kind: Kind = Kind.PLAIN
    ) -> None:
        self._builder.edge(self._pods[source], self._pods[destination], protocol, port, weight, kind)

    def _slot(self, address: str, host: int = -1) -> int:
        return self._builder.slot(Address.parse(address), host=host)

    def _group(self, slots: list[int]) -> Members | None:
        return self._builder.group(slots)

    def _outside(self, *addresses: str) -> Members | None:
        return self._group([self._slot(address) for address in addresses])
