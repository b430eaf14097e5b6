"""One side of a comparison, run in the tree of one revision.

``python compare_side.py FOLDER``: reads names of tasks, a line each, does each once, and answers with a line of JSON:
seconds, and what came out. ``python compare_side.py FOLDER TASK`` does one task, then some rounds of it whose
instructions valgrind counts.

It runs in trees older than itself, so it keeps to names that last; a task that a tree cannot do is told as such.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import simcore
from loaders import load_manifests, open_capture

EVERY = 100
ROUNDS = 5
COUNTING = "COUNT_INSTRUCTIONS"


class Side:
    """What the tasks work on."""

    def __init__(self, folder: Path) -> None:
        snapshot = load_manifests([str(folder / "cluster")])
        self.cluster, self.policies = snapshot.cluster, snapshot.policies
        self.candidate = tuple(policy for number, policy in enumerate(self.policies) if number % EVERY)
        self.tables = simcore.build_tables(self.cluster, self.policies)
        self.both = simcore.build_tables(self.cluster, self.policies, self.candidate)
        self.captures = {path.stem: open_capture([str(path)]) for path in sorted(folder.glob("*.parquet"))}
        self.held: dict[str, list] = {}

    def build(self) -> object:
        return len(simcore.build_tables(self.cluster, self.policies).rules)

    def judge(self, name: str) -> object:
        """Judge a capture whose columns are in memory, on one thread."""
        from simcore.analyses.ends import JUDGED_COLUMNS
        from simcore.analyses.judging import Workspace, judge_batch
        from simcore.analyses.sweep import DEFAULT_BATCH_ROWS

        capture = self.captures[name]
        if name not in self.held:
            columns = [column for column in JUDGED_COLUMNS if column in capture.columns]
            self.held[name] = [
                batch for split in capture.splits for batch in capture.read(split, columns, DEFAULT_BATCH_ROWS)
            ]
        workspace = Workspace(self.tables, DEFAULT_BATCH_ROWS)
        return sum(int(judge_batch(self.tables, batch, workspace).verdict.sum()) for batch in self.held[name])

    def replay(self, name: str) -> object:
        found = simcore.replay(self.captures[name], self.tables)
        return found.allowed, found.denied, found.unknown

    def whatif(self, name: str) -> object:
        found = simcore.whatif(self.captures[name], self.both)
        return found.lost, found.gained, found.unknown, found.unchanged


def tasks_of(side: Side) -> dict[str, Callable[[], object]]:
    """Return everything that is compared, by name."""
    return {
        "build": side.build,
        "judge realistic": lambda: side.judge("realistic"),
        "judge random": lambda: side.judge("random"),
        "replay realistic": lambda: side.replay("realistic"),
        "replay ipv6": lambda: side.replay("ipv6"),
        "what-if realistic": lambda: side.whatif("realistic"),
    }


def done(task: Callable[[], object]) -> dict[str, Any]:
    """Do a task; tell how long it took, or why it cannot be done."""
    start = perf_counter()
    try:
        answer = task()
    except (AttributeError, ImportError, KeyError, TypeError) as error:
        return {"fault": f"{type(error).__name__}: {error}"}
    return {"seconds": perf_counter() - start, "answer": answer}


def count(begin: bool) -> None:
    """Have valgrind begin counting, or end it, where it runs this."""
    if COUNTING in os.environ:
        command = ["callgrind_control", f"--instr={'on' if begin else 'off'}", str(os.getpid())]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    """Answer until the input ends."""
    tasks = tasks_of(Side(Path(sys.argv[1])))
    if len(sys.argv) > 2:
        task = tasks[sys.argv[2]]
        task()
        count(True)
        for _ in range(ROUNDS):
            task()
        count(False)
        return 0
    print(json.dumps(list(tasks)), flush=True)
    for line in sys.stdin:
        print(json.dumps(done(tasks[line.strip()])), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
