"""What one run of the benchmarks measured."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

CAPTURES = ("ipv4", "both families", "ipv4, pyarrow's defaults")
FORMS = ("IPv6", "text")
SQL_PEERS = ("DuckDB", "Polars in-memory", "Polars streaming")
JOINS = ("rules", "tables", "random flows")
"""What peers join a capture with: rules as they are written, or our tables; or a capture of random flows with rules."""
LISTS = ("matching", "random")


@dataclass(frozen=True)
class Measurement:
    """Seconds that a thing took, over some rounds, and what it worked on."""

    name: str
    median: float
    low: float
    high: float
    rounds: int
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float | None:
        """Flows, packets or events a second, where it worked on such."""
        worked_on = next((self.extra[name] for name in ("flows", "packets", "events") if name in self.extra), None)
        return None if worked_on is None else worked_on / self.median


@dataclass(frozen=True)
class Peer:
    """Packets a second that DPDK classifies on one core: of which flows, by which algorithm, among how many rules."""

    kind: str
    algorithm: str
    speed: float
    rules: int


@dataclass(frozen=True)
class Results:
    """All that one run measured."""

    measured: Mapping[str, Measurement]

    @classmethod
    def of(cls, report: Mapping) -> "Results":
        """Read the JSON report of pytest-benchmark."""
        found = [measurement for entry in report["benchmarks"] for measurement in _measurements(entry)]
        return cls({measurement.name: measurement for measurement in found})

    def seconds(self, name: str) -> float | None:
        return self.measured[name].median if name in self.measured else None

    def rate(self, name: str) -> float | None:
        return self.measured[name].rate if name in self.measured else None

    def extra(self, name: str, what: str) -> float | None:
        return self.measured[name].extra.get(what) if name in self.measured else None

    def dpdk(self) -> Iterator[Peer]:
        """Enumerate what DPDK did, beside our judging by the same policies."""
        for kind in LISTS:
            if measurement := self.measured.get(f"access_list[{kind}]"):
                for algorithm, speed in measurement.extra["dpdk"].items():
                    yield Peer(kind, algorithm, speed, measurement.extra["lines"])

    def to_dpdk(self, kind: str) -> float | None:
        """Return how many times the speed of DPDK's best algorithm ours is."""
        best = max((peer.speed for peer in self.dpdk() if peer.kind == kind), default=None)
        return ratio(self.rate(f"access_list[{kind}]"), best)

    def to_sql(self, name: str, join: str) -> float | None:
        """Return how many times as long as ours a join takes, by the best engine of that name."""
        found = [self.extra(f"join[{join}-{peer}]", "to_ours") for peer in SQL_PEERS if peer.startswith(name)]
        return min((value for value in found if value is not None), default=None)


def _measurements(entry: Mapping) -> Iterator[Measurement]:
    """Enumerate what a benchmark measured: the whole, then the steps that it timed itself."""
    extra = dict(entry["extra_info"])
    steps = extra.pop("steps", {})
    stats = (entry["stats"][key] for key in ("median", "min", "max", "rounds"))
    yield Measurement(entry["name"].removeprefix("test_"), *stats, extra)
    for name, seconds in steps.items():
        yield Measurement(name, median(seconds), min(seconds), max(seconds), len(seconds))


def ratio(above: float | None, below: float | None) -> float | None:
    """Divide what was measured; nothing where either was not."""
    return above / below if above is not None and below else None


def million(rate: float | None) -> float | None:
    return None if rate is None else rate / 1e6
