"""The verdict join as a careful user of DuckDB or Polars would write it, on the same Parquet.

They get what is hard for nothing: our tables, as relations. Addresses lead to programs and columns, these to rows, rows
and port classes to cells. What is left is the join itself, and the counting that a replay does. Each distinct address
is looked up once, by an as-of join with the ranges of addresses; looking up both ends of every flow took either of
them more than twice as long. A row and a class are one number: joined on two columns, DuckDB took five times as long.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa

from simcore.analyses.ends import EndColumn
from simcore.analyses.judging import objects_of
from simcore.analyses.sweep import Sweep
from simcore.kernels.places import place_pairs_v4
from simcore.kernels.special import CELL_SELF
from simcore.model.addresses import Family
from simcore.model.flows import Verdict
from simcore.model.ports import TCP, UDP
from simcore.tables.layout import Tables

from .clusters import Scenario
from .flows import networks

GROUP = ("source_label", "destination_label", "protocol", "port", "egress", "ingress", "verdict")
SUMS = ("flows", "packets", "bytes", "first", "last")
_NONE = np.empty(0, np.uint64)


@dataclass(frozen=True)
class Relations:
    """Tables as relations.

    Attributes
    ----------
    ranges : first, label, egress_program, ingress_program, egress_column, ingress_column
        Address ranges; each ends where the next one begins.
    rows : key, row
        Where a row of cells begins, by the sum of a program and a peer's column.
    ports : protocol, first_port, class
        Ranges of ports, likewise, of TCP and UDP.
    cells : key, cell
        Cell by the sum of where its row begins and a port class.
    self_cell : int
        The cell of a flow from an address to itself.
    """

    ranges: pa.Table
    rows: pa.Table
    ports: pa.Table
    cells: pa.Table
    self_cell: int


def relations_of(scenario: Scenario, tables: Tables) -> Relations:
    """Write out what plain flows need, those between pods and addresses that nothing in the cluster owns."""
    arrays = tables.arrays
    first, place, label = _ranges(scenario, tables)
    classes = arrays.decision.shape[1]
    return Relations(
        pa.table(
            {
                "first": first,
                "label": label,
                "egress_program": arrays.program_of[0, place],
                "ingress_program": arrays.program_of[1, place],
                "egress_column": arrays.column_of[0, place],
                "ingress_column": arrays.column_of[1, place],
            }
        ),
        pa.table({"key": np.arange(arrays.row_of.size, dtype=np.uint32), "row": arrays.row_of * np.uint32(classes)}),
        _ports(tables),
        pa.table(
            {
                "key": np.arange(arrays.decision.size, dtype=np.uint32),
                "cell": arrays.decision.ravel().astype(np.uint32),
            }
        ),
        int(arrays.cells[CELL_SELF]),
    )


def _ranges(scenario: Scenario, tables: Tables) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where ranges of addresses begin, and their identities and labels."""
    starts = {0}
    owners = (*scenario.cluster.pods, *scenario.cluster.nodes, *scenario.cluster.services)
    for address in (address for owner in owners for address in owner.addresses):
        if address.family is Family.V4:
            starts |= {address.value, address.value + 1}
    for network in networks(scenario.policies):
        for block in (network.cidr, *network.excluded):
            if block.family is Family.V4:
                starts |= {block.first, block.last + 1}
    first = np.array(sorted(start for start in starts if start < 1 << 32), np.uint32)
    place, unused = np.empty((2, first.size), np.int32)
    place_pairs_v4(tables.arrays.trie_v4, first, first + np.uint32(1), place, unused)
    label = tables.label_of[
        objects_of(tables, EndColumn(first, _NONE, _NONE, np.empty(0, bool), np.empty(0, np.int32)))
    ]
    place = np.where(place < tables.arrays.program_of.shape[1], place, 0)  # Services; nobody asks for them
    is_new = np.ones(first.size, bool)
    is_new[1:] = (place[1:] != place[:-1]) | (label[1:] != label[:-1])
    return first[is_new], place[is_new], label[is_new]


def _ports(tables: Tables) -> pa.Table:
    protocols, firsts, classes = [], [], []
    for protocol in (TCP, UDP):
        numbers = tables.arrays.port_class.reshape(-1, 65536)[tables.arrays.slot_of[protocol]]
        starts = np.flatnonzero(np.diff(numbers.astype(np.int64), prepend=-1))
        protocols.append(np.full(starts.size, protocol, np.uint8))
        firsts.append(starts.astype(np.uint16))
        classes.append(numbers[starts].astype(np.uint32))
    joined = map(np.concatenate, (protocols, firsts, classes))
    return pa.table(dict(zip(("protocol", "first_port", "class"), joined, strict=True)))


@dataclass(frozen=True)
class Answer:
    """What a replay tells: flows by verdict, and a row a group of those that are not allowed, ordered by key."""

    counts: np.ndarray
    groups: np.ndarray

    @classmethod
    def of_table(cls, found: pa.Table) -> "Answer":
        """Read what a query returned: groups, those of allowed flows without labels and cells."""
        rows = np.stack([found[name].cast(pa.int64(), safe=False).to_numpy() for name in (*GROUP, *SUMS)], axis=1)
        verdict = rows[:, GROUP.index("verdict")]
        counts = np.zeros(len(Verdict), np.int64)
        np.add.at(counts, verdict, rows[:, len(GROUP)])
        groups = rows[verdict != Verdict.ALLOW]
        return cls(counts, groups[np.lexsort(groups[:, : len(GROUP)].T[::-1])])

    @classmethod
    def of_sweep(cls, found: Sweep) -> "Answer":
        """Read what a sweep found, in the same form."""
        tally = found.tally
        groups = np.concatenate([tally.keys, tally.sums, tally.times], axis=1)
        return cls(np.diagonal(found.counts), groups[np.lexsort(groups[:, : len(GROUP)].T[::-1])])

    def equals(self, other: "Answer") -> bool:
        return np.array_equal(self.counts, other.counts) and np.array_equal(self.groups, other.groups)


Query = Callable[[], Answer]
Cells = Callable[[], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Peer:
    """A way to have the join done.

    Attributes
    ----------
    answer : callable
        Judges and counts; this is what is timed.
    cells : callable
        Returns egress and ingress cell of every flow, in the order of the capture; this is for comparing them.
    """

    version: str
    answer: Query
    cells: Cells


def is_installed(name: str) -> bool:
    return find_spec(name.partition(" ")[0].lower()) is not None


_JOIN = """
    FROM flows
    JOIN placed a ON a.address = source_address
    JOIN placed b ON b.address = destination_address
    JOIN classes p ON p.protocol = flows.protocol AND p.port = destination_port
    JOIN rows e ON e.key = a.egress_program + b.egress_column
    JOIN rows i ON i.key = b.ingress_program + a.ingress_column
    JOIN cells c ON c.key = e.row + p.class
    JOIN cells d ON d.key = i.row + p.class
"""
_WITH = """
    WITH flows AS (SELECT * FROM read_parquet('{path}', file_row_number = {numbered})),
    addresses AS (SELECT source_address AS address FROM flows UNION SELECT destination_address FROM flows),
    placed AS (SELECT * FROM addresses ASOF JOIN ranges ON address >= first),
    wanted AS (SELECT DISTINCT protocol, destination_port AS port FROM flows),
    classes AS (SELECT w.*, class FROM wanted w ASOF JOIN ports p ON w.protocol = p.protocol AND port >= first_port)
"""
_JUDGED = """
    judged AS (
        SELECT a.label AS source_label, b.label AS destination_label, flows.protocol, destination_port AS port,
            packets, bytes, epoch_ns(time) AS first, epoch_ns(end_time) AS last,
            CASE WHEN source_address = destination_address THEN {self_cell} ELSE c.cell END AS egress,
            CASE WHEN source_address = destination_address THEN {self_cell} ELSE d.cell END AS ingress,
            CASE WHEN egress & 3 = 1 OR ingress & 3 = 1 THEN 1 ELSE greatest(egress & 3, ingress & 3) END AS verdict
"""
_COUNTED = """
    SELECT {groups}, verdict, count(*) AS flows, sum(packets)::BIGINT AS packets, sum(bytes)::BIGINT AS bytes,
        min(first) AS first, max(last) AS last
    FROM judged
    GROUP BY ALL
"""


def duckdb_peer(relations: Relations, path: Path, threads: int) -> Peer:
    """Have DuckDB do it."""
    import duckdb

    connection = duckdb.connect(config={"threads": threads})
    for name in ("ranges", "rows", "ports", "cells"):
        connection.register("given", getattr(relations, name))
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
        connection.unregister("given")

    def query(numbered: bool, rest: str) -> pa.Table:
        text = f"{_WITH},{_JUDGED}".format(path=path, numbered=numbered, self_cell=relations.self_cell)
        return connection.sql(text + rest).to_arrow_table()

    def answer() -> Answer:
        denied = ", ".join(f"CASE WHEN verdict = 0 THEN -1 ELSE {name} END AS {name}" for name in GROUP[:-1])
        return Answer.of_table(query(False, f"{_JOIN})" + _COUNTED.format(groups=denied)))

    def cells() -> tuple[np.ndarray, np.ndarray]:
        found = query(True, f", file_row_number {_JOIN}) SELECT file_row_number, egress, ingress FROM judged")
        return _in_order(*(found[name].to_numpy() for name in ("file_row_number", "egress", "ingress")))

    return Peer(f"DuckDB {duckdb.__version__}", answer, cells)


def polars_peer(relations: Relations, path: Path, engine: str) -> Peer:
    """Have Polars do it, by its engine of that name."""
    import polars as pl

    def lazy(table: pa.Table) -> pl.LazyFrame:
        return pl.from_arrow(table).lazy()

    ranges, rows, cells_ = lazy(relations.ranges), lazy(relations.rows), lazy(relations.cells)
    ports = lazy(relations.ports).sort("protocol", "first_port")
    ranges = ranges.sort("first")

    def judged(flows: pl.LazyFrame) -> pl.LazyFrame:
        ends = [flows.select(pl.col(f"{end}_address").alias("address")) for end in ("source", "destination")]
        placed = pl.concat(ends).unique().sort("address").join_asof(ranges, left_on="address", right_on="first")
        wanted = flows.select("protocol", port="destination_port").unique().sort("protocol", "port")
        classes = wanted.join_asof(ports, left_on="port", right_on="first_port", by="protocol", check_sortedness=False)
        egress, ingress = (placed.rename({"label": f"{end}_label"}) for end in ("source", "destination"))
        same = pl.col("source_address") == pl.col("destination_address")
        allowed = [pl.col(name) & 3 for name in ("egress", "ingress")]
        return (
            flows.rename({"destination_port": "port"})
            .join(
                egress.select(
                    source_address="address",
                    source_label="source_label",
                    program="egress_program",
                    back_column="ingress_column",
                ),
                on="source_address",
            )
            .join(
                ingress.select(
                    destination_address="address",
                    destination_label="destination_label",
                    back_program="ingress_program",
                    column="egress_column",
                ),
                on="destination_address",
            )
            .join(classes.select("protocol", "port", "class"), on=["protocol", "port"])
            .with_columns(
                key=(pl.col("program") + pl.col("column")).cast(pl.UInt32),
                back_key=(pl.col("back_program") + pl.col("back_column")).cast(pl.UInt32),
            )
            .join(rows, on="key")
            .join(rows.select(back_key="key", back_row="row"), on="back_key")
            .with_columns(cell=pl.col("row") + pl.col("class"), back_cell=pl.col("back_row") + pl.col("class"))
            .join(cells_.select(cell="key", egress="cell"), on="cell")
            .join(cells_.select(back_cell="key", ingress="cell"), on="back_cell")
            .with_columns(
                pl.when(same).then(pl.lit(relations.self_cell, pl.UInt32)).otherwise(pl.col(name)).alias(name)
                for name in ("egress", "ingress")
            )
            .with_columns(
                verdict=pl.when((allowed[0] == 1) | (allowed[1] == 1))
                .then(pl.lit(1, pl.UInt32))
                .otherwise(pl.max_horizontal(*allowed))
            )
        )

    def answer() -> Answer:
        flows = pl.scan_parquet(path).drop("source_port")
        denied = [
            pl.when(pl.col("verdict") == 0).then(-1).otherwise(pl.col(name).cast(pl.Int64)).alias(name)
            for name in GROUP[:-1]
        ]
        counted = (
            judged(flows)
            .with_columns(denied)
            .group_by(GROUP)
            .agg(
                flows=pl.len(),
                packets=pl.col("packets").sum(),
                bytes=pl.col("bytes").sum(),
                first=pl.col("time").min(),
                last=pl.col("end_time").max(),
            )
        )
        return Answer.of_table(counted.collect(engine=engine).to_arrow())

    def cells() -> tuple[np.ndarray, np.ndarray]:
        flows = pl.scan_parquet(path, row_index_name="number").select(
            "number", "source_address", "destination_address", "protocol", "destination_port"
        )
        found = judged(flows).select("number", "egress", "ingress").collect(engine=engine)
        return _in_order(*(found[name].to_numpy() for name in found.columns))

    return Peer(f"Polars {pl.__version__}", answer, cells)


def _in_order(number: np.ndarray, egress: np.ndarray, ingress: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = np.empty((2, number.size), np.uint32)
    found[0, number], found[1, number] = egress, ingress
    return found[0], found[1]
