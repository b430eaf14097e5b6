"""How speed, building and size grow with pods, policies, blocks and ports; one of them at a time."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.clusters import kernel_scenario
from bench.flows import FiveTuples, judge_tuples, random_flows, zipf_flows
from bench.growth_plot import Chart, draw
from simcore.analyses.judging import Workspace
from simcore.analyses.sweep import DEFAULT_BATCH_ROWS
from simcore.tables.build import build_tables
from simcore.tables.layout import Tables

FOLDER = ROOT / "bench"
AXES = ("pods", "blocks", "policies", "ports")
WORDS = {"pods": "pods", "blocks": "CIDR blocks", "policies": "policies", "ports": "ports in rules"}
ROUNDS = 5
HEAD = ("grown", *AXES, "realistic, Mflows/s", "random, Mflows/s", "build", "tables")


@dataclass(frozen=True)
class Range:
    """Where it is measured: the middle, which the other three keep to, and what each of the four goes through."""

    base: tuple[int, int, int, int]
    steps: dict[str, tuple[int, ...]]
    flows: int


FULL = Range(
    (10_000, 5_000, 1_000, 40),
    {
        "pods": (1_000, 10_000, 100_000),
        "blocks": (1_000, 10_000, 100_000),
        "policies": (100, 1_000, 10_000),
        "ports": (100, 1_000, 10_000),
    },
    3_000_000,
)
QUICK = Range(
    (300, 100, 40, 40), {"pods": (200, 400), "blocks": (50, 200), "policies": (20, 60), "ports": (20, 80)}, 50_000
)


@dataclass(frozen=True)
class Point:
    """What was measured at one size: flows a second on one thread, seconds to build, bytes of tables."""

    grown: str
    pods: int
    blocks: int
    policies: int
    ports: int
    realistic: float
    random: float
    build: float
    table_bytes: int


def measure(where: Range) -> Iterator[Point]:
    """Measure at every size, one after the other."""
    for grown in AXES:
        for value in where.steps[grown]:
            counts = dict(zip(AXES, where.base, strict=True)) | {grown: value}
            yield measure_at(grown, counts, where.flows)


def measure_at(grown: str, counts: dict[str, int], flows: int) -> Point:
    """Build, and judge realistic and random flows."""
    scenario = kernel_scenario(counts["pods"], counts["blocks"], counts["policies"], counts["ports"])
    start = perf_counter()
    tables = build_tables(scenario.cluster, scenario.policies)
    build = perf_counter() - start
    return Point(
        grown,
        len(scenario.cluster.pods),
        counts["blocks"],
        len(scenario.policies),
        counts["ports"],
        speed(tables, zipf_flows(scenario, tables, flows)),
        speed(tables, random_flows(scenario, flows)),
        build,
        tables.size,
    )


def speed(tables: Tables, flows: FiveTuples) -> float:
    """Return flows a second on one thread."""
    workspace = Workspace(tables, DEFAULT_BATCH_ROWS)
    seconds = []
    for _ in range(ROUNDS + 1):
        start = perf_counter()
        for batch in flows.batches(DEFAULT_BATCH_ROWS):
            judge_tuples(tables, batch, workspace)
        seconds.append(perf_counter() - start)
    return len(flows) / median(seconds[1:])


def rows(points: Sequence[Point]) -> list[tuple[str, ...]]:
    """Lay the points out for a table."""
    return [
        (
            WORDS[point.grown],
            *(f"{getattr(point, axis):,}" for axis in AXES),
            f"{point.realistic / 1e6:.1f}",
            f"{point.random / 1e6:.1f}",
            f"{point.build:.2f} s",
            f"{point.table_bytes / 1e6:,.0f} MB",
        )
        for point in points
    ]


def charts(points: Sequence[Point], of: dict[str, str], scale: float) -> list[Chart]:
    """Make a chart for each of what grows, with a curve for each of some figures of a point."""
    found = []
    for axis in AXES:
        along = [point for point in points if point.grown == axis]
        curves = {words: [(getattr(p, axis), getattr(p, name) / scale) for p in along] for name, words in of.items()}
        found.append(Chart(WORDS[axis], curves))
    return found


def write(points: Sequence[Point], folder: Path = FOLDER) -> None:
    """Draw what was measured."""
    speeds = charts(points, {"realistic": "realistic flows", "random": "random flows"}, 1e6)
    (folder / "growth.svg").write_text(draw("Millions of flows judged a second, one thread", speeds))
    (folder / "growth-build.svg").write_text(draw("Seconds to build tables", charts(points, {"build": "build"}, 1)))
    (folder / "growth-size.svg").write_text(draw("Megabytes of tables", charts(points, {"table_bytes": "tables"}, 1e6)))


def main() -> int:
    """Measure, and print JSON for the program that makes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data")
    asked = parser.parse_args()
    print(json.dumps([asdict(point) for point in measure(QUICK if asked.quick else FULL)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
