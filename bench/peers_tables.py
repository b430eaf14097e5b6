"""The verdict join by DuckDB or Polars with what is hard given to them: our tables, as relations.

Addresses lead to programs and columns, these to rows, rows and port classes to cells. What is left is the join itself,
and the counting that a replay does. Each distinct address is looked up once, by an as-of join with the ranges of
addresses. A row and a class are one number: joined on two columns, DuckDB took five times as long.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from simcore.analyses.ends import EndColumn
from simcore.analyses.judging import objects_of
from simcore.kernels.places import place_pairs_v4
from simcore.kernels.special import CELL_SELF
from simcore.model.addresses import Family
from simcore.model.ports import TCP, UDP
from simcore.tables.layout import Tables

from .clusters import Scenario
from .counting import Peer, duckdb_peer, polars_peer
from .flows import networks

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


_JUDGED = """
    addresses AS (SELECT source_address AS address FROM flows UNION SELECT destination_address FROM flows),
    placed AS (SELECT * FROM addresses ASOF JOIN ranges ON address >= ranges.first),
    wanted AS (SELECT DISTINCT protocol, port FROM flows),
    classes AS (SELECT w.*, class FROM wanted w ASOF JOIN ports p ON w.protocol = p.protocol AND port >= first_port),
    judged AS (
        SELECT flows.*, a.label AS source_label, b.label AS destination_label,
            CASE WHEN source_address = destination_address THEN {self_cell} ELSE c.cell END AS egress,
            CASE WHEN source_address = destination_address THEN {self_cell} ELSE d.cell END AS ingress,
            CASE WHEN egress & 3 = 1 OR ingress & 3 = 1 THEN 1 ELSE greatest(egress & 3, ingress & 3) END AS verdict
        FROM flows
        JOIN placed a ON a.address = source_address
        JOIN placed b ON b.address = destination_address
        JOIN classes p ON p.protocol = flows.protocol AND p.port = flows.port
        JOIN rows e ON e.key = a.egress_program + b.egress_column
        JOIN rows i ON i.key = b.ingress_program + a.ingress_column
        JOIN cells c ON c.key = e.row + p.class
        JOIN cells d ON d.key = i.row + p.class
    )
"""


def duckdb_tables(relations: Relations, path: Path, threads: int) -> Peer:
    """Have DuckDB do it."""
    given = {name: getattr(relations, name) for name in ("ranges", "rows", "ports", "cells")}
    return duckdb_peer(given, _JUDGED.format(self_cell=relations.self_cell), path, threads)


def polars_tables(relations: Relations, path: Path, engine: str) -> Peer:
    """Have Polars do it, by its engine of that name."""
    import polars as pl

    def lazy(table: pa.Table) -> pl.LazyFrame:
        return pl.from_arrow(table).lazy()

    rows, cells = lazy(relations.rows), lazy(relations.cells)
    ports = lazy(relations.ports).sort("protocol", "first_port")
    ranges = lazy(relations.ranges).sort("first").rename({"first": "first_address"})

    def judged(flows: pl.LazyFrame) -> pl.LazyFrame:
        ends = [flows.select(pl.col(f"{end}_address").alias("address")) for end in ("source", "destination")]
        placed = pl.concat(ends).unique().sort("address").join_asof(ranges, left_on="address", right_on="first_address")
        wanted = flows.select("protocol", "port").unique().sort("protocol", "port")
        classes = wanted.join_asof(ports, left_on="port", right_on="first_port", by="protocol", check_sortedness=False)
        same = pl.col("source_address") == pl.col("destination_address")
        allowed = [pl.col(name) & 3 for name in ("egress", "ingress")]
        return (
            flows.join(
                placed.select(
                    source_address="address",
                    source_label="label",
                    program="egress_program",
                    back_column="ingress_column",
                ),
                on="source_address",
            )
            .join(
                placed.select(
                    destination_address="address",
                    destination_label="label",
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
            .join(cells.select(cell="key", egress="cell"), on="cell")
            .join(cells.select(back_cell="key", ingress="cell"), on="back_cell")
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

    return polars_peer(judged, path, engine)
