"""Made-up captures: flows between the pods of any cluster, as one Parquet file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa

from simcore.model.addresses import Family
from simcore.model.cluster import Cluster

from ..captures.writer import GROUP_ROWS, write_flows
from .edges import Expected, draw_traffic
from .rows import DURATION, START_TIME, RowMaker
from .traffic import Traffic

_CHUNK = GROUP_ROWS
_AHEAD = 2


def generate_flows(
    cluster: Cluster,
    count: int,
    seed: int,
    out: str | Path,
    *,
    pods: bool | None = None,
    ipv6: float = 0.3,
    expected: Expected | None = None,
) -> Path:
    """Write `count` flows that the pods of a cluster may have had within an hour; return the path.

    Parameters
    ----------
    cluster : Cluster
        Pods without address get one from 10.128.0.0/9, as far as nothing else has it.
    seed : int
        The same cluster, count and seed make the same bytes.
    pods : bool, optional
        Name pods and nodes in columns of their own; by default where a pod has no address.
    ipv6 : float
        Share of IPv6 in traffic between dual-stack ends. 0 leaves it out, and addresses then take 4 bytes.
    expected : callable, optional
        Tells of a flow whether the cluster is there for it; most traffic is then of such. Policies know it best.

    Raises
    ------
    ResolveError
        The cluster has no running pod.
    ValueError
        `count` is negative, or `ipv6` is not within 0 and 1.
    """
    if count < 0 or not 0 <= ipv6 <= 1:
        raise ValueError(f"{count} flows with a share of {ipv6} of IPv6 cannot be made")
    running = [pod for pod in cluster.pods if pod.is_plain and not pod.finished]
    if not any(address.family is Family.V6 for pod in running for address in pod.addresses):
        ipv6 = 0.0
    traffic = draw_traffic(cluster, Random(f"flows {seed}"), ipv6, expected)
    named = any(not pod.addresses for pod in running) if pods is None else pods
    return write_rows(traffic, count, seed, out, pods=named)


def write_rows(traffic: Traffic, count: int, seed: int, out: str | Path, *, pods: bool, odd: bool = True) -> Path:
    """Write `count` rows drawn from `traffic`, in row groups of a million; return the path."""
    path = Path(out)
    path.parent.mkdir(parents=True, exist_ok=True)
    maker = RowMaker(traffic, pods, odd)
    write_flows(str(path), _batches(maker, count, seed), wide=traffic.wide)
    return path


def _batches(maker: RowMaker, count: int, seed: int) -> Iterator[pa.RecordBatch]:
    """Draw the chunks in threads, a few ahead of the one that is asked for."""
    starts = range(0, count, _CHUNK)
    seeds = np.random.SeedSequence(seed).spawn(len(starts))
    waiting: deque[Future[pa.RecordBatch]] = deque()
    with ThreadPoolExecutor(_AHEAD) as pool:
        for start, child in zip(starts, seeds, strict=True):
            rows = range(start, min(start + _CHUNK, count))
            waiting.append(pool.submit(_draw, maker, rows, count, np.random.default_rng(child)))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _draw(maker: RowMaker, rows: range, count: int, random: np.random.Generator) -> pa.RecordBatch:
    """Draw the rows of these numbers, out of `count`, in their part of the hour."""
    start, end = (START_TIME + DURATION * row // count for row in (rows.start, rows.stop))
    return maker.rows(len(rows), start, end, random)
