"""A large cluster from its files on, step by step; tells as JSON how long each took and how much memory.

``python -m bench.large FOLDER ROUNDS``
"""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

from loaders import load_manifests
from simcore.analyses.reachability import reachability
from simcore.cli.machine import forget_peak, peak_bytes
from simcore.model.policy import Policy
from simcore.tables.build import build_tables


def main() -> int:
    """Load, build, build anew after an edit, and tell what every pod may reach."""
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2])
    build_small(folder)
    steps: dict[str, list[float]] = {}

    def timed(name: str, task: Callable[[], Any], times: int = rounds) -> Any:
        found = None
        for _ in range(times):
            found = None  # what the round before made is let go first
            start = perf_counter()
            found = task()
            steps.setdefault(name, []).append(perf_counter() - start)
        return found

    snapshot = timed("load[XL]", lambda: load_manifests([str(folder)]), 1)
    forget_peak()
    tables = timed("build[XL]", lambda: build_tables(snapshot.cluster, snapshot.policies))
    peak = peak_bytes()
    edited = edit(snapshot.policies)
    timed("rebuild[XL]", lambda: build_tables(snapshot.cluster, edited, base=tables))
    timed("reach[XL]", lambda: reachability(tables))
    extra = {"pods": len(snapshot.cluster.pods), "policies": len(snapshot.policies)}
    print(json.dumps({"steps": steps, "table_bytes": tables.size, "peak_bytes": peak, **extra}))
    return 0


def build_small(folder: Path) -> None:
    """Have every kernel compiled or read from disk, which is not what is timed."""
    snapshot = load_manifests([str(folder)])
    namespaces = {policy.ref.namespace for policy in snapshot.policies[:3]}
    pods = [pod for pod in snapshot.cluster.pods if pod.namespace in namespaces]
    small = replace(snapshot.cluster, pods=tuple(pods))
    tables = build_tables(small, snapshot.policies[:3])
    reachability(build_tables(small, edit(snapshot.policies[:3]), base=tables))


def edit(policies: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """Take one rule out of the policy that has most."""
    number = max(range(len(policies)), key=lambda each: len(policies[each].rules))
    edited = replace(policies[number], rules=policies[number].rules[1:])
    return (*policies[:number], edited, *policies[number + 1 :])


if __name__ == "__main__":
    sys.exit(main())
