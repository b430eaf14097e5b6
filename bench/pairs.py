"""Two things timed in turns, since machines change their pace."""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any


def take_turns(benchmark: Any, task: Callable[[], Any], other: Callable[[], Any], rounds: int) -> tuple[Any, float]:
    """Time `task`, each round after one of `other`.

    Returns
    -------
    found : what `task` returns
    ratio : float
        The median of what a round of `task` took to what the round of `other` before it did.
    """
    seconds = []

    def run_other() -> None:
        start = perf_counter()
        other()
        seconds.append(perf_counter() - start)

    found = benchmark.pedantic(task, setup=run_other, rounds=rounds)
    ratios = [own / its for own, its in zip(benchmark.stats.stats.data, seconds, strict=True)]
    return found, median(ratios)
