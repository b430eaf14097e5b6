"""flowverdict's library: judge captured flows under Kubernetes network policies.

>>> import simcore
>>> result = simcore.whatif(capture, cluster, baseline, candidate)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analyses.judging import judge_flows as judge_flows
    from .analyses.replay import ReplayResult as ReplayResult
    from .analyses.replay import replay as replay
    from .analyses.whatif import WhatIfResult as WhatIfResult
    from .analyses.whatif import whatif as whatif
    from .model.cluster import Cluster as Cluster
    from .model.profile import UPSTREAM as UPSTREAM
    from .model.profile import Profile as Profile
    from .reference import Reference as Reference
    from .tables.build import build_tables as build_tables

_HOMES = {
    "Cluster": ".model.cluster",
    "Profile": ".model.profile",
    "Reference": ".reference",
    "ReplayResult": ".analyses.replay",
    "UPSTREAM": ".model.profile",
    "WhatIfResult": ".analyses.whatif",
    "build_tables": ".tables.build",
    "judge_flows": ".analyses.judging",
    "replay": ".analyses.replay",
    "whatif": ".analyses.whatif",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
