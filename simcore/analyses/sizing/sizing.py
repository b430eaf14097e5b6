"""Sizing: what the conntrack tables of nodes need for the traffic of a capture, as it is and after a change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ...errors import LoadError, Place
from ...kernels.sessions.sessions import HINT, REVERSE
from ...model.cluster import Cluster
from ...model.conntrack import SECOND, Cilium, Conntrack
from ...model.flows import Capture, Split
from ...model.profile import UPSTREAM, Profile
from ..ends import read_ports
from ..prepared import Policies, prepare
from ..sessions.joining import find_joined
from ..sessions.orientation import Orientation, has_times
from ..sessions.stateful import DEFAULT_REORDER, Following, StatefulOptions, Variant, Window
from ..sessions.translated import TranslatedCapture
from ..shards import Threads
from ..sweep import DEFAULT_BATCH_ROWS, Progress
from .cases import Case, Outlasting, Sizing
from .curves import check_curves, write_curves
from .entries import CLASSES
from .occupancy import Counter, Occupancy, Period
from .paths import Paths
from .sizes import Policing, Sizer


@dataclass(frozen=True)
class Assumptions:
    """What tables are sized under.

    Attributes
    ----------
    policies : sequence of Policy or PolicyHistory
    settings : Conntrack or Cilium
        How long entries live.
    scale : float
        Connections that stand for one of the capture.
    """

    policies: Policies
    settings: Conntrack | Cilium
    scale: float = 1.0


@dataclass(frozen=True)
class SizingOptions:
    """How a capture is sized.

    Attributes
    ----------
    preset : str
        ``linux``, ``kube-proxy`` or ``cilium``: how nodes come to the limits they have.
    maximum, buckets : int or None
        Limits of every node, instead.
    headroom : float
        Share to add to what is recommended.
    percent : float
        The percentile to tell.
    tunnels : bool
        Whether the outer packets of VXLAN are tracked.
    orientation, reorder
        As in `simcore.analyses.sessions.stateful.StatefulOptions`.
    first_pass : float
        Seconds from the begin of the capture to the collector's first pass.
    """

    preset: str = "linux"
    maximum: int | None = None
    buckets: int | None = None
    headroom: float = 0.25
    percent: float = 99.9
    tunnels: bool = False
    orientation: Orientation = Orientation.AUTO
    reorder: int = DEFAULT_REORDER
    first_pass: float = 60.0

    def policing(self, settings: Conntrack | Cilium) -> Policing:
        """Return what tables are sized by."""
        return Policing(settings, self.preset, self.maximum, self.buckets, self.headroom, self.percent)


class _Routed(Following):
    """Connections whose ends are those that hold entries: backends for Services, tunnels beside what runs in them."""

    def __init__(self, paths: Paths, tunnels: bool, *arguments: object, **keywords: object) -> None:
        super().__init__(*arguments, **keywords)  # type: ignore[arg-type]
        self._paths = paths
        self._tunnels = tunnels

    def rows_of(self, split: Split, position: int, batch: pa.RecordBatch, seen: NDArray[np.int64]) -> NDArray[np.void]:
        """Return the records of a batch as those of backends, and those of tunnels."""
        rows = super().rows_of(split, position, batch, seen)
        turned = (rows["what"] >> HINT & 3) == REVERSE
        ports = read_ports(batch).port
        if turned.any() and "source_port" in batch.schema.names:
            ports = np.where(turned, batch.column("source_port").fill_null(0).to_numpy(), ports)
        rows["destination"] = self._paths.resolved(
            rows["destination"], rows["source"], ports, rows["protocol"], rows["key"]
        )
        return self._paths.with_tunnels(rows) if self._tunnels else rows


def size(
    capture: Capture,
    cluster: Cluster,
    baseline: Assumptions,
    candidate: Assumptions | None = None,
    profile: Profile = UPSTREAM,
    options: SizingOptions | None = None,
    *,
    changes: Sequence[str] = (),
    threads: int | None = None,
    batch_rows: int = DEFAULT_BATCH_ROWS,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Sizing:
    """Size the conntrack tables of every node.

    Parameters
    ----------
    capture : Capture
        As `loaders.open_capture` gives it. Its records need times.
    cluster : Cluster
        Says which pods are on which nodes, and what CPUs and memory nodes have.
    baseline : Assumptions
        As things are.
    candidate : Assumptions, optional
        What to compare that with, in the same reading of the capture.
    profile : Profile
        The habits of the dataplane that enforces.
    options : SizingOptions, optional
    changes : sequence of str
        What makes the candidate differ, in words; goes into the result.
    threads, batch_rows, progress
        As for `simcore.replay`.
    output : Path, optional
        Parquet file to write in CURVE_SCHEMA: entries of every node over time.

    Raises
    ------
    LoadError
        A part of the capture cannot be read or has no times, or the output cannot be written there.
    CapacityError
        There are too many nodes or workloads.
    """
    options = options or SizingOptions()
    if not has_times(capture):
        place = Place(capture.files[0] if capture.files else "")
        raise LoadError.at(
            place, "no record has a time, without which nothing can be sized. Name it: --map time=COLUMN"
        )
    if output:
        check_curves(output, capture)
    cases = [baseline, candidate] if candidate else [baseline]
    policy_sets = [baseline.policies]
    if candidate and candidate.policies != baseline.policies:
        policy_sets.append(candidate.policies)
    tables = prepare(capture, cluster, policy_sets, profile, Threads(threads), batch_rows)
    paths = Paths(tables, is_doubled=options.preset == "cilium")
    variants = [Variant(case.settings, number % len(policy_sets)) for number, case in enumerate(cases)]
    distinct = list(dict.fromkeys(variants))
    joined = find_joined(capture, tables, Threads(threads), batch_rows)
    following = _Routed(
        paths,
        options.tunnels,
        capture if joined is None else TranslatedCapture(capture, joined, tables.cluster),
        tables,
        distinct,
        StatefulOptions(orientation=options.orientation, reorder=options.reorder),
        threads=threads,
        batch_rows=batch_rows,
        joined=joined,
        progress=progress,
    )
    nodes = {node.name: node for node in tables.cluster.nodes}
    sizers = [Sizer(paths.nodes, paths.owners, nodes, options.policing(case.settings)) for case in cases]
    # What the last record makes is to last, if only for a moment.
    period = Period.of(following.begin, following.end + 1, len(sizers[0].names))
    counters = [
        Counter(
            len(sizer.names),
            len(paths.owners),
            case.settings,
            period,
            limits=sizer.maxima,
            buckets=sizer.buckets,
            scale=case.scale,
            has_nat=options.preset == "kube-proxy",
            first_pass=options.first_pass,
        )
        for case, sizer in zip(cases, sizers, strict=True)
    ]

    def count(window: Window) -> None:
        entries = [paths.entries(changes) for changes in window.changes]
        for counter, variant in zip(counters, variants, strict=True):
            counter.add(entries[distinct.index(variant)])

    _alongside(following.windows(), count, threads)
    found = [counter.finish() for counter in counters]
    results = [
        _case(case, sizer, each, options.policing(case.settings))
        for case, sizer, each in zip(cases, sizers, found, strict=True)
    ]
    if output:
        write_curves(output, [("baseline", results[0].curves), *(("candidate", case.curves) for case in results[1:])])
    return Sizing(
        flows=sum(split.rows for split in capture.splits),
        begin=following.begin,
        end=following.end,
        baseline=results[0],
        candidate=results[1] if candidate else None,
        changes=tuple(changes),
        outlasting=_outlasting(cases[-1].settings, found[-1]),
        late=following.late_rows,
        untimed=following.untimed_rows,
    )


def _alongside(windows: Iterator[Window], count: Callable[[Window], None], threads: int | None) -> None:
    """Count each window while the next is being followed; with one thread, after it."""
    if threads == 1:
        for window in windows:
            count(window)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="flowverdict") as pool:
        waiting: Future[None] | None = None
        for window in windows:
            if waiting is not None:
                waiting.result()
            waiting = pool.submit(count, window)
        if waiting is not None:
            waiting.result()


def _case(case: Assumptions, sizer: Sizer, found: Occupancy, policing: Policing) -> Case:
    tables, fleet = sizer.sizes(found)
    return Case(policing, case.scale, tables, fleet, sizer.curves(found))


def _outlasting(settings: Conntrack | Cilium, found: Occupancy) -> tuple[Outlasting, ...]:
    """List the timeouts that are longer than the capture and keep entries of its peak; the longest one always."""
    seconds = (found.period.end - found.period.begin) / SECOND
    held: dict[str, Outlasting] = {}
    for each, entries in zip(CLASSES, found.classes[-1].tolist(), strict=True):
        name, lifetime = each.setting(settings), each.lifetime(settings)
        if lifetime > seconds:
            known = held.get(name, Outlasting(name, int(lifetime), 0))
            held[name] = replace(known, entries=known.entries + round(found.scale * entries))
    ordered = sorted(held.values(), key=lambda each: (-each.seconds, each.setting))
    return tuple(each for number, each in enumerate(ordered) if number == 0 or each.entries)
