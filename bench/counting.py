"""What DuckDB and Polars are asked, whichever way they judge: to count flows as a replay does.

They judge distinct flows, as anybody would who has looked at a capture: few pairs have most of the flows. So equal ones
are counted first, and the counts of groups are sums of theirs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from simcore.analyses.sweep import Sweep
from simcore.model.flows import Verdict

from .flows import FiveTuples

GROUP = ("source_label", "destination_label", "protocol", "port", "egress", "ingress", "verdict")
SUMS = ("flows", "packets", "bytes", "first", "last")
_CELLS = [GROUP.index("egress"), GROUP.index("ingress")]


@dataclass(frozen=True)
class Answer:
    """What a replay tells: flows by verdict, and a row a group of those that are not allowed, ordered by key."""

    counts: np.ndarray
    groups: np.ndarray

    @classmethod
    def of_table(cls, found: pa.Table) -> "Answer":
        """Read what a query returned: groups, those of allowed flows without labels and what decides."""
        rows = np.stack([found[name].cast(pa.int64(), safe=False).to_numpy() for name in (*GROUP, *SUMS)], axis=1)
        verdict = rows[:, GROUP.index("verdict")]
        counts = np.zeros(len(Verdict), np.int64)
        np.add.at(counts, verdict, rows[:, len(GROUP)])
        return cls(counts, _by_key(rows[verdict != Verdict.ALLOW]))

    @classmethod
    def of_sweep(cls, found: Sweep) -> "Answer":
        """Read what a sweep found, in the same form."""
        tally = found.tally
        groups = np.concatenate([tally.keys, tally.sums, tally.times], axis=1)
        return cls(np.diagonal(found.counts), _by_key(groups))

    def by_rule(self, rule_of: np.ndarray) -> "Answer":
        """Write rules for cells, by outcome: groups that differ in their reasons only become one."""
        groups = self.groups.copy()
        groups[:, _CELLS] = rule_of[groups[:, _CELLS] >> 2]
        groups = _by_key(groups)
        keys = groups[:, : len(GROUP)]
        starts = np.flatnonzero(np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)])
        sums = groups[:, len(GROUP) :]
        merged = [np.add.reduceat(sums[:, :3], starts)]
        merged += [np.minimum.reduceat(sums[:, 3:4], starts), np.maximum.reduceat(sums[:, 4:], starts)]
        return Answer(self.counts, np.concatenate([keys[starts], *merged], axis=1))

    def equals(self, other: "Answer") -> bool:
        return np.array_equal(self.counts, other.counts) and np.array_equal(self.groups, other.groups)


def _by_key(groups: np.ndarray) -> np.ndarray:
    return groups[np.lexsort(groups[:, : len(GROUP)].T[::-1])]


@dataclass(frozen=True)
class Judged:
    """Distinct flows of a capture, and what decides each: cells or rules."""

    flows: FiveTuples
    egress: np.ndarray
    ingress: np.ndarray

    @classmethod
    def of_table(cls, found: pa.Table) -> "Judged":
        source, destination, port, protocol, egress, ingress = (found[name].to_numpy() for name in _DISTINCT)
        return cls(FiveTuples(source, destination, np.zeros_like(port), port, protocol), egress, ingress)


@dataclass(frozen=True)
class Peer:
    """A way to have the judging done.

    Attributes
    ----------
    count : callable
        Judges and counts; this is what is timed. What it returns is for `Answer.of_table`.
    judge : callable
        Returns every distinct flow of the capture with what decides it, for `Judged.of_table`; this is for comparing.
    """

    version: str
    count: Callable[[], pa.Table]
    judge: Callable[[], pa.Table]


def is_installed(name: str) -> bool:
    return find_spec(name.partition(" ")[0].lower()) is not None


_TUPLES = """
    WITH flows AS (
        SELECT source_address, destination_address, protocol, destination_port AS port, count(*) AS flows,
            sum(packets)::BIGINT AS packets, sum(bytes)::BIGINT AS bytes,
            epoch_ns(min(time)) AS first, epoch_ns(max(end_time)) AS last
        FROM read_parquet('{path}')
        GROUP BY ALL
    )
"""
_COUNTED = """
    SELECT {groups}, verdict, sum(flows)::BIGINT AS flows, sum(packets)::BIGINT AS packets, sum(bytes)::BIGINT AS bytes,
        min(first) AS first, max(last) AS last
    FROM judged
    GROUP BY ALL
"""
_DISTINCT = ("source_address", "destination_address", "port", "protocol", "egress", "ingress")


def duckdb_peer(relations: dict[str, pa.Table], judging: str, path: Path, threads: int) -> Peer:
    """Have DuckDB do it.

    Parameters
    ----------
    relations : dict
        Tables that are there before.
    judging : str
        Common table expressions that make of `flows`, each once and counted, a relation `judged`: the counts, and a
        column for each part of a group.
    """
    import duckdb

    connection = duckdb.connect(config={"threads": threads})
    for name, table in relations.items():
        connection.register("given", table)
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM given")
        connection.unregister("given")
    denied = ", ".join(f"CASE WHEN verdict = 0 THEN -1 ELSE {name} END AS {name}" for name in GROUP[:-1])
    begin = f"{_TUPLES.format(path=path)}, {judging}"
    counted, distinct = begin + _COUNTED.format(groups=denied), f"{begin} SELECT {', '.join(_DISTINCT)} FROM judged"
    return Peer(
        f"DuckDB {duckdb.__version__}",
        lambda: connection.sql(counted).to_arrow_table(),
        lambda: connection.sql(distinct).to_arrow_table(),
    )


def polars_peer(judging: Callable[[Any], Any], path: Path, engine: str) -> Peer:
    """Have Polars do it, by its engine of that name.

    Parameters
    ----------
    judging : callable
        Makes of a lazy frame of flows, each once and counted, one with a column for each part of a group.
    """
    import polars as pl

    def judged() -> Any:
        key = ["source_address", "destination_address", "protocol", pl.col("destination_port").alias("port")]
        sums = [pl.len().cast(pl.Int64).alias("flows"), pl.col("packets").sum(), pl.col("bytes").sum()]
        sums += [pl.col("time").min().alias("first"), pl.col("end_time").max().alias("last")]
        return judging(pl.scan_parquet(path).group_by(key).agg(sums).collect(engine=engine).lazy())

    def count() -> pa.Table:
        allowed = pl.col("verdict") == 0
        denied = [pl.when(allowed).then(-1).otherwise(pl.col(n).cast(pl.Int64)).alias(n) for n in GROUP[:-1]]
        sums = [pl.col("flows", "packets", "bytes").sum(), pl.col("first").min(), pl.col("last").max()]
        counted = judged().with_columns(denied).group_by(GROUP).agg(*sums)
        return counted.collect(engine=engine).to_arrow()

    def distinct() -> pa.Table:
        return judged().select(_DISTINCT).collect(engine=engine).to_arrow()

    return Peer(f"Polars {pl.__version__}", count, distinct)
