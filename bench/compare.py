"""Time the working tree beside another revision, in turns, on the same data; print ratios with their spread.

``make bench-compare BASE=main~3``, or ``.venv/bin/python bench/compare.py main~3 --rounds 20``.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import floor, sqrt
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.captures import write_capture
from bench.clusters import SEED, load_scenario, write_cluster
from bench.compare_side import COUNTING, ROUNDS
from bench.flows import random_flows
from bench.table import plain
from loaders.synthetic.flows import generate_flows
from simcore.analyses.pace import allowing
from simcore.tables.build import build_tables

SIDE = ROOT / "bench" / "compare_side.py"
KEPT = ROOT / ".venv" / "compare"
"""Where the other revision is checked out, always at one place, and where its compiled kernels are kept."""
HEAD = ("what", "base", "now", "now / base", "95 % of the time between", "")
DIFFER = "ANSWERS DIFFER"
FEWEST = 6
COUNTED = ("judge realistic", "judge random")
_REFS = re.compile(r"I\s+refs:\s+([\d,]+)")


@dataclass(frozen=True)
class Data:
    """How much is worked on."""

    cluster: str
    flows: int
    counted_flows: int


FULL = Data("M dual", 4_000_000, 100_000)
QUICK = Data("S dual", 50_000, 20_000)


@dataclass(frozen=True)
class Pairs:
    """Seconds of one task: of the base and of the working tree, round by round; or why there are none."""

    name: str
    seconds: list[tuple[float, float]]
    note: str = ""

    @property
    def row(self) -> tuple[str, ...]:
        if not self.seconds:
            return self.name, "", "", "", "", self.note
        ratios = [now / base for base, now in self.seconds]
        low, high = interval(ratios)
        base, now = (median(each) for each in zip(*self.seconds, strict=True))
        told = self.note or ("slower" if low > 1 else "faster" if high < 1 else "no difference seen")
        if len(ratios) < FEWEST and not self.note:
            told = "too few rounds to tell"
        return self.name, _seconds(base), _seconds(now), f"{median(ratios):.3f}", f"{low:.3f} to {high:.3f}", told


def interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Return between which of the values their true median lies, in 95 of 100 cases; with few values, all of them."""
    beyond = max(0, floor((len(ratios) - 1.96 * sqrt(len(ratios))) / 2))
    ordered = sorted(ratios)
    return ordered[beyond], ordered[-1 - beyond]


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"


def main() -> int:
    """Compare; the exit code is 1 where answers differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="the revision to compare with: a commit, a branch, a tag")
    parser.add_argument("--rounds", type=int, default=10, help="how often each of both does each task")
    parser.add_argument("--quick", action="store_true", help="small data, to see that it works")
    parser.add_argument("--instructions", action="store_true", help="count instructions with valgrind: minutes more")
    asked = parser.parse_args()
    data = QUICK if asked.quick else FULL
    with TemporaryDirectory() as folder, checked_out(asked.base) as base:
        make_data(data.cluster, data.flows, Path(folder))
        found = take_turns(base, Path(folder), asked.rounds)
        print(plain(HEAD, [pairs.row for pairs in found]))
    counted = shutil.which("valgrind") is not None
    if asked.instructions and counted:
        with TemporaryDirectory() as folder, checked_out(asked.base) as base:
            make_data("S dual", data.counted_flows, Path(folder))
            print(plain(("instructions a flow", "base", "now", "now / base"), instructions(base, Path(folder), data)))
    elif asked.instructions:
        print("Instructions are not counted: valgrind is not installed.")
    elif counted:
        print("Times are noisy: --instructions counts instructions with valgrind.")
    return int(any(pairs.note == DIFFER for pairs in found))


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Check a revision out into a worktree that is gone afterwards."""
    tree = KEPT / "base"
    _git("worktree", "prune")
    if tree.exists():
        shutil.rmtree(tree)
        _git("worktree", "prune")
    _git("worktree", "add", "--detach", "--quiet", str(tree), revision)
    try:
        yield tree
    finally:
        _git("worktree", "remove", "--force", str(tree))


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True)


def make_data(cluster: str, flows: int, folder: Path) -> None:
    """Write a cluster and captures, by the working tree, for both."""
    scenario = load_scenario(write_cluster(cluster, folder / "cluster"))
    expected = allowing(build_tables(scenario.cluster, scenario.policies))
    for name, ipv6 in (("realistic", 0.0), ("ipv6", 1.0)):
        generate_flows(scenario.cluster, flows, SEED, folder / f"{name}.parquet", ipv6=ipv6, expected=expected)
    write_capture(random_flows(scenario, flows), folder / "random.parquet")


def environment(tree: Path, **more: str) -> dict[str, str]:
    """Return what makes a process take its code from a tree."""
    return {**os.environ, "PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(KEPT / "compiled"), **more}


class Worker:
    """A process in the tree of one revision."""

    def __init__(self, tree: Path, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(SIDE), str(folder)],
            cwd=folder,
            env=environment(tree),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.tasks: list[str] = self._answer()

    def do(self, name: str) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a side ended with {self._process.wait()}; its error stands above")
        return json.loads(line)

    def end(self) -> None:
        self._process.communicate()


def take_turns(base: Path, folder: Path, rounds: int) -> list[Pairs]:
    """Have both do each task in turns, after one round that does not count."""
    sides = Worker(base, folder), Worker(ROOT, folder)
    found = []
    for name in sides[1].tasks:
        first = [side.do(name) for side in sides]
        told = zip(("base", "now"), first, strict=True)
        faults = [f"{who} cannot: {one['fault']}" for who, one in told if "fault" in one]
        if faults:
            found.append(Pairs(name, [], "; ".join(faults)))
            continue
        seconds = []
        for number in range(rounds):
            order = sides if number % 2 else sides[::-1]
            taken = [side.do(name)["seconds"] for side in order]
            seconds.append(tuple(taken if number % 2 else taken[::-1]))
        found.append(Pairs(name, seconds, "" if first[0]["answer"] == first[1]["answer"] else DIFFER))
    for side in sides:
        side.end()
    return found


def instructions(base: Path, folder: Path, data: Data) -> list[tuple[str, ...]]:
    """Count the instructions of judging in both trees."""
    rows = []
    for name in COUNTED:
        a_flow = [_count(tree, folder, name) / (ROUNDS * data.counted_flows) for tree in (base, ROOT)]
        rows.append((name, *(f"{each:.1f}" for each in a_flow), f"{a_flow[1] / a_flow[0]:.3f}"))
    return rows


def _count(tree: Path, folder: Path, name: str) -> int:
    """Count the instructions of some rounds; valgrind knows no AVX-512, so code is compiled without."""
    command = [sys.executable, str(SIDE), str(folder), name]
    plain_code = environment(tree, NUMBA_CPU_NAME="x86-64-v3", NUMBA_CPU_FEATURES="+avx2", PYTHONHASHSEED="0")
    subprocess.run(command, cwd=folder, env=plain_code, check=True)  # compiles what is not compiled yet
    counting = ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--callgrind-out-file=/dev/null", *command]
    wanted = plain_code | {COUNTING: "1"}
    done = subprocess.run(counting, cwd=folder, env=wanted, capture_output=True, text=True, check=False)
    found = _REFS.search(done.stderr)
    if done.returncode or not found:
        raise SystemExit(f"valgrind told no count:\n{done.stderr}")
    return int(found[1].replace(",", ""))


if __name__ == "__main__":
    sys.exit(main())
