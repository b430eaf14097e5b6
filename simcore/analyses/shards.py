"""The seam between an analysis and what runs it: a map over splits whose results merge in any order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Engine(Protocol):
    """What runs a task for each split: threads here, a cluster of machines elsewhere."""

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Run the task on every item; yield the results in the items' order."""
        ...


class Threads:
    """Runs tasks on threads of this process. Kernels and decoding leave the interpreter's lock.

    Parameters
    ----------
    count : int or None
        How many; None for one a processor that this process may use.
    """

    def __init__(self, count: int | None = None) -> None:
        if count is not None and count < 1:
            raise ValueError(f"{count} threads cannot run anything")
        self.count = count or _processors()

    def map(self, task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """Run the task on every item, at most one more than there are threads in flight or waiting to be taken."""
        if self.count == 1:
            yield from map(task, items)
            return
        waiting: deque[Future[Result]] = deque()
        with ThreadPoolExecutor(self.count, thread_name_prefix="flowverdict") as pool:
            try:
                for item in items:
                    waiting.append(pool.submit(task, item))
                    if len(waiting) > self.count:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()


def _processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
