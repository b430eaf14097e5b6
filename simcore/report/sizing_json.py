"""The JSON of `size`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .words import iso_time

if TYPE_CHECKING:
    from ..analyses.sizing.cases import Case, Sizing
    from ..analyses.sizing.sizes import TableSize

Json = dict[str, object]


def sizing_json(result: Sizing) -> Json:
    """Make the JSON of `size --format json`: the case to be sized for, then the baseline if that is another."""
    case = result.final
    return {
        "nodes": [_table(table) for table in case.tables],
        "fleet": _table(case.fleet),
        "scale": case.scale,
        "baseline": _case(result.baseline) if result.candidate else None,
        "changes": list(result.changes),
        "preset": case.policing.preset,
        "headroom": case.policing.headroom,
        "percent": case.policing.percent,
        "flows": result.flows,
        "begin": iso_time(result.begin if result.flows else None),
        "end": iso_time(result.end if result.flows else None),
        "late": result.late,
        "untimed": result.untimed,
        "outlasting": [
            {"setting": each.setting, "seconds": each.seconds, "entries": each.entries} for each in result.outlasting
        ],
    }


def _case(case: Case) -> Json:
    return {
        "nodes": [_table(table) for table in case.tables],
        "fleet": _table(case.fleet),
        "scale": case.scale,
    }


def _table(table: TableSize) -> Json:
    return {
        "node": table.node,
        "table": table.table or None,
        "peak_live": table.peak_live,
        "peak_allocated": table.peak_allocated,
        "allocated_bound": table.allocated_bound,
        "peak_time": iso_time(table.peak_time if table.peak_live else None),
        "peak_allocated_time": iso_time(table.peak_allocated_time if table.peak_allocated else None),
        "bound_time": iso_time(table.bound_time if table.allocated_bound else None),
        "percentile": table.percentile,
        "mean": round(table.mean, 3),
        "recommended_max": table.advised.entries,
        "recommended_buckets": table.advised.buckets,
        "memory_bytes": table.advised.memory,
        "current_max": table.current.entries,
        "current_buckets": table.current.buckets,
        "current_memory_bytes": table.current.memory,
        "margin": None if table.margin is None else round(table.margin, 6),
        "drops_at_current_max": table.turned_away,
        "evicted_at_current_max": table.evicted,
        "first_drop_time": iso_time(table.first_full),
        "drops_by_owner": _counts(table.lost),
        "kube_proxy_max": table.kube_proxy.entries if table.kube_proxy else None,
        "kube_proxy_buckets": table.kube_proxy.buckets if table.kube_proxy else None,
        "cpus": table.cpus or None,
        "node_memory_bytes": table.memory or None,
        "owners": _counts(table.owners),
        "entries": [
            {"protocol": found.protocol, "state": found.state.word, "denied": found.is_denied, "entries": number}
            for found, number in table.classes
        ],
    }


def _counts(parts: tuple[tuple[str, int], ...]) -> list[Json]:
    return [{"owner": owner, "entries": number} for owner, number in parts]
