"""Where the time of a replay goes: nanoseconds, cycles and bytes a flow, stage by stage, on one thread; and the roof.

``.venv/bin/python bench/stages.py``; with ``--write`` into docs/performance.md.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any
from unittest.mock import patch

import numpy as np
from numba import njit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.clusters import SEED, load_scenario, write_cluster
from bench.table import markdown
from loaders import open_capture
from loaders.synthetic.flows import generate_flows
from simcore.analyses import judging, sweep, tally
from simcore.analyses.ends import EndColumn, PortColumns
from simcore.analyses.pace import allowing
from simcore.analyses.shards import Threads
from simcore.cli.machine import machine_words
from simcore.model.flows import Capture
from simcore.tables.build import build_tables
from simcore.tables.layout import Tables

DOCUMENT = ROOT / "docs" / "performance.md"
BEGIN, END = "<!-- stages: begin -->\n", "<!-- stages: end -->\n"
ROUNDS = 5
HEAD = ("stage", "ns a flow", "cycles a flow", "share", "bytes a flow")
READ, REST = "read: Parquet to Arrow columns", "the rest: counting verdicts, choosing rows"
STAGES: dict[str, tuple[tuple[Any, str], ...]] = {
    READ: (),
    "columns: Arrow to numpy": ((judging, "read_end"), (judging, "read_ports")),
    "place: addresses to identities": tuple(
        (judging, name) for name in ("place_pairs_v4", "place_pairs_packed", "_place")
    ),
    "hot kernel: identities and ports to cells": ((judging, "judge"),),
    "special flows: Services, nodes, what is missing": ((judging, "judge_special"), (judging, "objects_of")),
    "groups: flows that are not allowed, counted by group": ((tally.Merger, "add_flows"),),
    "merge: groups of one row group into those of others": ((tally.Merger, "joined"),),
    REST: (),
}
"""What is watched, by the names under which it is called; a name that is gone is passed over."""


@dataclass
class Watch:
    """Adds up what calls take, those within others taken off, and what they read and write of a batch's columns."""

    seconds: dict[str, float] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    special: int = 0
    _inner: list[float] = field(default_factory=lambda: [0.0])
    _rows: int = 0

    def timed(self, stage: str, task: Callable[..., Any], *arguments: Any) -> Any:
        self._inner.append(0.0)
        start = perf_counter()
        found = task(*arguments)
        whole = perf_counter() - start
        self.seconds[stage] = self.seconds.get(stage, 0.0) + whole - self._inner.pop()
        self._inner[-1] += whole
        arrays = [array for each in arguments for array in _arrays(each)]
        columns = [each for each in arrays if isinstance(each, np.ndarray) and each.shape[-1:] == (self._rows,)]
        self.bytes[stage] = self.bytes.get(stage, 0) + sum(column.nbytes for column in columns)
        if stage.startswith("hot") and isinstance(found, int):
            self.special += found
        return found

    def wrapped(self, stage: str, task: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: self.timed(stage, task, *arguments)

    def batches(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Pass batches on, and note what reading them takes."""
        while True:
            batch = self.timed(READ, next, batches, None)
            if batch is None:
                return
            self._rows = batch.num_rows
            self.bytes[READ] = self.bytes.get(READ, 0) + batch.nbytes
            yield batch


def _arrays(value: Any) -> Iterator[Any]:
    yield from vars(value).values() if isinstance(value, EndColumn | PortColumns) else (value,)


class Watched:
    """A capture whose reading is watched."""

    def __init__(self, capture: Capture, watch: Watch) -> None:
        self._capture, self._watch = capture, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._capture, name)

    def read(self, *arguments: Any) -> Iterator[Any]:
        return self._watch.batches(self._capture.read(*arguments))


def watched_replay(capture: Capture, tables: Tables) -> Watch:
    """Replay once on one thread, every stage watched."""
    watch = Watch()
    patches = [
        patch.object(where, name, watch.wrapped(stage, getattr(where, name)))
        for stage, names in STAGES.items()
        for where, name in names
        if hasattr(where, name)
    ]
    for each in patches:
        each.start()
    try:
        start = perf_counter()
        sweep.sweep(Watched(capture, watch), tables, sweep.not_allowed, Threads(1))
        whole = perf_counter() - start
    finally:
        for each in patches:
            each.stop()
    watch.seconds[REST] = whole - sum(watch.seconds.values())
    return watch


def stage_rows(capture: Capture, tables: Tables, clock: float) -> list[tuple[str, ...]]:
    """Lay out the medians of some replays: a row a stage, then all of it."""
    flows = sum(split.rows for split in capture.splits)
    watches = [watched_replay(capture, tables) for _ in range(ROUNDS + 1)][1:]
    a_flow = {stage: median(watch.seconds.get(stage, 0.0) for watch in watches) / flows * 1e9 for stage in STAGES}
    total = sum(a_flow.values())
    moved = {stage: watches[0].bytes.get(stage, 0) / flows for stage in STAGES}
    rows = [
        (
            stage,
            f"{ns:.2f}",
            f"{ns * clock:.0f}",
            f"{100 * ns / total:.0f} %",
            f"{moved[stage]:.0f}" if moved[stage] else "",
        )
        for stage, ns in a_flow.items()
    ]
    special = watches[0].special / flows
    return [*rows, ("all", f"{total:.2f}", f"{total * clock:.0f}", "100 %", f"{100 * special:.1f} % are special")]


@njit(nogil=True, cache=True)
def _chain(count):
    """Multiply and mix, each waiting for the one before: four cycles a round on all common processors."""
    value = np.uint64(1)
    for _ in range(count):
        value = (value * np.uint64(6364136223846793005)) ^ (value >> np.uint64(29))
    return value


def clock_gigahertz() -> float:
    """Measure the clock of the processor under load."""
    count = 5_000_000
    return 4 * count / min(_seconds_of(lambda: _chain(count)) for _ in range(10 * ROUNDS)) / 1e9


@njit(nogil=True, cache=True)
def _gather(table, places, out):
    for i in range(places.size):
        out[i] = table[places[i]]


def copy_bandwidth(threads: int) -> float:
    """Measure bytes read and written a second by threads that copy what no cache holds."""
    size = 1 << 25
    pairs = [(np.ones(size, np.uint64), np.empty(size, np.uint64)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        seconds = [
            _seconds_of(lambda: list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))) for _ in range(ROUNDS)
        ]
    return 2 * 8 * size * threads / min(seconds[1:])


def loads(table_bytes: int) -> float:
    """Measure independent loads a second from random places of a table, on one thread."""
    random = np.random.default_rng(SEED)
    table = np.ones(table_bytes // 4, np.uint32)
    places = random.integers(0, table.size, 10_000_000).astype(np.uint32)
    out = np.empty(places.size, np.uint32)
    return places.size / min([_seconds_of(lambda: _gather(table, places, out)) for _ in range(ROUNDS)][1:])


def _seconds_of(task: Callable[[], object]) -> float:
    start = perf_counter()
    task()
    return perf_counter() - start


def roof_rows(clock: float) -> list[tuple[str, ...]]:
    """Lay out what processor and memory allow."""
    rows = [("clock", f"{clock:.2f} GHz")]
    for threads in (1, 2):
        found = copy_bandwidth(threads)
        words = "one thread" if threads == 1 else f"{threads} threads"
        rows.append((f"copying what no cache holds, {words}", f"{found / 1e9:.1f} GB/s read and written"))
    for megabytes in (1, 16, 256):
        found = loads(megabytes << 20)
        ns = 1e9 / found
        rows.append((f"random loads from {megabytes} MB, many under way", f"{found / 1e6:.0f} M/s, {ns:.2f} ns each"))
    return rows


def document(parts: dict[str, list[tuple[str, ...]]], roof: list[tuple[str, ...]], flows: int) -> str:
    """Write what stands between the marks of docs/performance.md."""
    lines = [f"{machine_words()}. A cluster of size M, {flows:,} flows, one thread; medians of {ROUNDS} replays.\n"]
    for title, rows in parts.items():
        lines.append(f"### {title}\n\n{markdown(HEAD, rows)}")
    lines.append(f"### The roof\n\n{markdown(('what', 'measured'), roof)}")
    return "\n".join(lines)


def main() -> int:
    """Measure; print, or write into the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data")
    parser.add_argument("--write", action="store_true", help=f"into {DOCUMENT.relative_to(ROOT)}")
    asked = parser.parse_args()
    size, flows = ("S dual", 50_000) if asked.quick else ("M dual", 4_000_000)
    clock = clock_gigahertz()
    with TemporaryDirectory() as folder:
        scenario = load_scenario(write_cluster(size, Path(folder, "cluster")))
        tables = build_tables(scenario.cluster, scenario.policies)
        expected = allowing(tables)
        parts = {}
        for title, ipv6 in (("IPv4", 0.0), ("IPv6", 1.0)):
            path = Path(folder, f"{title}.parquet")
            generate_flows(scenario.cluster, flows, SEED, path, ipv6=ipv6, expected=expected)
            parts[title] = stage_rows(open_capture([str(path)]), tables, clock)
    written = document(parts, roof_rows(clock), flows)
    if asked.write:
        text = DOCUMENT.read_text()
        before, after = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
        DOCUMENT.write_text(f"{before}\n{written}\n{after}")
    else:
        print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
