"""The verdict as a careful user of DuckDB or Polars would ask for it, of the rules as they are written.

Label selectors are evaluated before, once: which pods a rule binds, and which it names, are relations of a rule and a
pod. So are the names of ports, which mean what the destination declares. The rest is left to joins: of each distinct
flow with the rules that bind either end, by equality, then with their ports and peers, by ranges or by equality. The
first rule that matches decides, and where none does the isolation.

This is of plain flows, between pods that have addresses of their own and addresses that nothing in the cluster owns.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from simcore.model.addresses import Cidr, Family
from simcore.model.peers import Endpoints, Network
from simcore.model.policy import Direction, Role, Rule
from simcore.model.ports import LAST_PORT, TCP, UDP, NamedPort
from simcore.tables.layout import Tables

from .clusters import Scenario
from .counting import Peer, duckdb_peer, polars_peer
from .flows import plain_pods

_EVERYWHERE = Network(Cidr(Family.V4, 0, 0))
_NUMBERS = {"address": pa.uint32(), "direction": pa.uint8(), "protocol": pa.uint8(), "port": pa.uint16()}


@dataclass(frozen=True)
class Relations:
    """Rules and what they are about; a rule is its position in the order in which they decide.

    Attributes
    ----------
    tables : dict
        The relations by name.

        labels : first, label
            Address ranges and what people call them; each ends where the next one begins.
        pods : address, pod
        isolated : direction, pod, rule
            The first rule that isolates a pod.
        bound : direction, pod, rule
            The rules that allow something to or from a pod.
        ports : rule, protocol, first_port, last_port
        named_ports : rule, pod, protocol, port
            What the names of ports in a rule stand for, by the destination.
        peer_pods : rule, pod
        peer_ranges : rule, first_address, last_address
    rule_of : dict
        Position of a rule by its identity.
    """

    tables: dict[str, pa.Table]
    rule_of: dict[int, int]

    def deciding(self, tables: Tables) -> np.ndarray:
        """Return which rule decides, by outcome; -1 for none."""
        return np.array([self.rule_of.get(id(outcome.rule), -1) for outcome in tables.outcomes])


def relations_of(scenario: Scenario, labels: pa.Table) -> Relations:
    """Write policies out as relations.

    Parameters
    ----------
    labels : first, label
    """
    rules = sorted((rule for policy in scenario.policies for rule in policy.rules), key=lambda rule: rule.order)
    writing = _Writing(scenario)
    rows: dict[str, tuple[tuple[str, ...], Iterable[tuple[int, ...]]]] = {
        "pods": (("address", "pod"), writing.addresses()),
        "isolated": (("direction", "pod", "rule"), writing.isolated(rules)),
        "bound": (("direction", "pod", "rule"), writing.bound(rules)),
        "ports": (("rule", "protocol", "first_port", "last_port"), writing.ports(rules)),
        "named_ports": (("rule", "pod", "protocol", "port"), writing.named_ports(rules)),
        "peer_pods": (("rule", "pod"), writing.peer_pods(rules)),
        "peer_ranges": (("rule", "first_address", "last_address"), writing.peer_ranges(rules)),
    }
    tables = {name: _table(names, found) for name, (names, found) in rows.items()}
    return Relations({"labels": labels, **tables}, {id(rule): number for number, rule in enumerate(rules)})


def _table(names: tuple[str, ...], rows: Iterable[tuple[int, ...]]) -> pa.Table:
    columns = np.array(list(rows), np.int64).reshape(-1, len(names)).T
    kinds = [_NUMBERS.get(name.rpartition("_")[2], pa.int32()) for name in names]
    return pa.table([pa.array(column).cast(kind) for column, kind in zip(columns, kinds, strict=True)], names)


class _Writing:
    """Writes rules out, pods by their position among the plain ones."""

    def __init__(self, scenario: Scenario) -> None:
        self._cluster = scenario.cluster
        self._pods = list(plain_pods(scenario.cluster))
        self._of_namespace: dict[str, list[int]] = {}
        for number, pod in enumerate(self._pods):
            self._of_namespace.setdefault(pod.namespace, []).append(number)
        self._selected = cache(self._select)

    def _select(self, ends: Endpoints) -> list[int]:
        return [
            number
            for namespace, pods in self._of_namespace.items()
            if ends.namespaces.matches(self._cluster.namespace_labels(namespace))
            for number in pods
            if ends.pods.matches(self._pods[number].labels)
        ]

    def addresses(self) -> Iterator[tuple[int, ...]]:
        for number, pod in enumerate(self._pods):
            yield from ((address.value, number) for address in pod.addresses if address.family is Family.V4)

    def isolated(self, rules: list[Rule]) -> Iterator[tuple[int, ...]]:
        first: dict[tuple[int, int], int] = {}
        for number, rule in enumerate(rules):
            if rule.role is Role.ISOLATION:
                for pod in self._selected(rule.subject):
                    first.setdefault((rule.direction, pod), number)
        return ((*key, number) for key, number in first.items())

    def bound(self, rules: list[Rule]) -> Iterator[tuple[int, ...]]:
        for number, rule in _written(rules):
            yield from ((rule.direction, pod, number) for pod in self._selected(rule.subject))

    def ports(self, rules: list[Rule]) -> Iterator[tuple[int, ...]]:
        for number, rule in _written(rules):
            if rule.ports.is_everything:
                yield from ((number, protocol, 0, LAST_PORT) for protocol in (TCP, UDP))
            yield from ((number, some.protocol, some.first, some.last) for some in rule.ports.ranges)

    def named_ports(self, rules: list[Rule]) -> Iterator[tuple[int, ...]]:
        for number, rule in _written(rules):
            if rule.ports.names:
                ingress = rule.direction is Direction.INGRESS
                for pod in self._selected(rule.subject) if ingress else range(len(self._pods)):
                    for port in self._pods[pod].ports:
                        if NamedPort(port.protocol, port.name) in rule.ports.names:
                            yield number, pod, port.protocol, port.number

    def peer_pods(self, rules: list[Rule]) -> Iterator[tuple[int, ...]]:
        for number, rule in _written(rules):
            for peer in getattr(rule.peer, "members", (rule.peer,)):
                if isinstance(peer, Endpoints):
                    yield from ((number, pod) for pod in self._selected(peer))

    def peer_ranges(self, rules: list[Rule]) -> Iterator[tuple[int, ...]]:
        for number, rule in _written(rules):
            for peer in getattr(rule.peer, "members", (rule.peer,)):
                if not isinstance(peer, Endpoints):
                    block = peer if isinstance(peer, Network) else _EVERYWHERE
                    yield from ((number, *span) for span in spans(block) if block.cidr.family is Family.V4)


def _written(rules: list[Rule]) -> Iterator[tuple[int, Rule]]:
    return ((number, rule) for number, rule in enumerate(rules) if rule.role is Role.WRITTEN)


def spans(block: Network) -> Iterator[tuple[int, int]]:
    """Enumerate the ranges of addresses that are in a block and in none of its exceptions."""
    first = block.cidr.first
    for hole in sorted(block.excluded, key=lambda hole: hole.first):
        if first < hole.first:
            yield first, hole.first - 1
        first = max(first, hole.last + 1)
    if first <= block.cidr.last:
        yield first, block.cidr.last


_JUDGED = """
    addresses AS (SELECT source_address AS address FROM flows UNION SELECT destination_address FROM flows),
    ends AS (
        SELECT a.address, label, pod
        FROM addresses a ASOF JOIN labels l ON a.address >= l.first LEFT JOIN pods p ON p.address = a.address
    ),
    placed AS MATERIALIZED (
        SELECT row_number() OVER () AS id, flows.*, s.label AS source_label, d.label AS destination_label,
            s.pod AS source_pod, d.pod AS destination_pod, e.rule AS egress_isolation, i.rule AS ingress_isolation,
            coalesce(s.pod = d.pod, false) AS itself
        FROM flows
        JOIN ends s ON s.address = source_address
        JOIN ends d ON d.address = destination_address
        LEFT JOIN isolated e ON e.direction = 0 AND e.pod = s.pod
        LEFT JOIN isolated i ON i.direction = 1 AND i.pod = d.pod
    ),
    asked AS (
        SELECT id, 0 AS direction, source_pod AS subject, destination_pod AS peer, destination_address AS address,
            destination_pod, protocol, port
        FROM placed
        WHERE egress_isolation IS NOT NULL
        UNION ALL
        SELECT id, 1, destination_pod, source_pod, source_address, destination_pod, protocol, port
        FROM placed
        WHERE ingress_isolation IS NOT NULL
    ),
    candidates AS MATERIALIZED (
        SELECT id, a.direction, b.rule, peer, address
        FROM asked a
        JOIN bound b ON b.direction = a.direction AND b.pod = subject
        JOIN ports p ON p.rule = b.rule AND p.protocol = a.protocol AND port BETWEEN first_port AND last_port
        UNION ALL
        SELECT id, a.direction, b.rule, peer, address
        FROM asked a
        JOIN bound b ON b.direction = a.direction AND b.pod = subject
        JOIN named_ports n
            ON n.rule = b.rule AND n.pod = destination_pod AND n.protocol = a.protocol AND n.port = a.port
    ),
    matching AS (
        SELECT id, direction, c.rule FROM candidates c JOIN peer_pods p ON p.rule = c.rule AND p.pod = peer
        UNION ALL
        SELECT id, direction, c.rule
        FROM candidates c JOIN peer_ranges r ON r.rule = c.rule AND address BETWEEN first_address AND last_address
    ),
    deciding AS (
        SELECT id, min(rule) FILTER (direction = 0) AS egress, min(rule) FILTER (direction = 1) AS ingress
        FROM matching
        GROUP BY id
    ),
    judged AS (
        SELECT placed.*,
            CASE WHEN itself THEN -1 ELSE coalesce(d.egress, egress_isolation, -1) END AS egress,
            CASE WHEN itself THEN -1 ELSE coalesce(d.ingress, ingress_isolation, -1) END AS ingress,
            CASE WHEN itself THEN 0
                WHEN egress_isolation IS NOT NULL AND d.egress IS NULL THEN 1
                WHEN ingress_isolation IS NOT NULL AND d.ingress IS NULL THEN 1
                ELSE 0 END AS verdict
        FROM placed LEFT JOIN deciding d USING (id)
    )
"""


def duckdb_rules(relations: Relations, path: Path, threads: int) -> Peer:
    """Have DuckDB do it."""
    return duckdb_peer(relations.tables, _JUDGED, path, threads)


def polars_rules(relations: Relations, path: Path, engine: str) -> Peer:
    """Have Polars do it, by its engine of that name."""
    import polars as pl

    given = {name: pl.from_arrow(table).lazy() for name, table in relations.tables.items()}
    labels = given["labels"].sort("first").rename({"first": "first_address"})
    in_block = pl.col("address").is_between("first_address", "last_address")

    def isolation(direction: Direction, end: str) -> pl.LazyFrame:
        rules = given["isolated"].filter(pl.col("direction") == int(direction))
        return rules.select(pl.col("pod").alias(f"{end}_pod"), pl.col("rule").alias(f"{direction.word}_isolation"))

    def placed(flows: pl.LazyFrame) -> pl.LazyFrame:
        both = [flows.select(pl.col(f"{end}_address").alias("address")) for end in ("source", "destination")]
        ends = pl.concat(both).unique().sort("address").join_asof(labels, left_on="address", right_on="first_address")
        ends = ends.select("address", "label").join(given["pods"], on="address", how="left").collect(engine=engine)
        found = flows.with_row_index("id")
        for end in ("source", "destination"):
            named = ends.lazy().rename({name: f"{end}_{name}" for name in ends.columns})
            found = found.join(named, on=f"{end}_address")
        found = found.join(isolation(Direction.EGRESS, "source"), on="source_pod", how="left")
        found = found.join(isolation(Direction.INGRESS, "destination"), on="destination_pod", how="left")
        return found.collect(engine=engine).lazy()

    def matching(found: pl.LazyFrame, direction: Direction) -> pl.LazyFrame:
        subject, peer = ("source", "destination")[:: 1 if direction is Direction.EGRESS else -1]
        bound = given["bound"].filter(pl.col("direction") == int(direction))
        asked = found.filter(pl.col(f"{direction.word}_isolation").is_not_null()).select(
            *("id", "protocol", "port", "destination_pod"),
            subject=f"{subject}_pod",
            peer=f"{peer}_pod",
            address=f"{peer}_address",
        )
        asked = asked.join(bound.select("rule", subject="pod"), on="subject")
        named = asked.join(
            given["named_ports"],
            left_on=["rule", "destination_pod", "protocol", "port"],
            right_on=["rule", "pod", "protocol", "port"],
        )
        numbered = asked.join(given["ports"], on=["rule", "protocol"])
        numbered = numbered.filter(pl.col("port").is_between("first_port", "last_port"))
        wanted = ("id", "rule", "peer", "address")
        candidates = pl.concat([numbered.select(wanted), named.select(wanted)]).collect(engine=engine).lazy()
        of_pods = candidates.join(given["peer_pods"], left_on=["rule", "peer"], right_on=["rule", "pod"])
        of_blocks = candidates.join(given["peer_ranges"], on="rule").filter(in_block)
        either = pl.concat([of_pods.select("id", "rule"), of_blocks.select("id", "rule")])
        return either.group_by("id").agg(pl.col("rule").min().alias(direction.word))

    def judged(flows: pl.LazyFrame) -> pl.LazyFrame:
        found = placed(flows)
        for direction in Direction:
            found = found.join(matching(found, direction), on="id", how="left")
        itself = (pl.col("source_pod") == pl.col("destination_pod")).fill_null(False)
        denied = [pl.col(f"{each.word}_isolation").is_not_null() & pl.col(each.word).is_null() for each in Direction]
        return found.with_columns(verdict=(~itself & (denied[0] | denied[1])).cast(pl.Int32)).with_columns(
            pl.when(itself).then(-1).otherwise(pl.coalesce(each.word, f"{each.word}_isolation", -1)).alias(each.word)
            for each in Direction
        )

    return polars_peer(judged, path, engine)
