"""flowverdict's library: judge captured flows under Kubernetes network policies.

>>> import simcore
>>> result = simcore.whatif(capture, cluster, baseline, candidate)  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .analyses.connectivity import Connectivity as Connectivity
    from .analyses.connectivity import connectivity as connectivity
    from .analyses.judging import judge_batch as judge_batch
    from .analyses.judging import judge_flows as judge_flows
    from .analyses.learning import learn_addresses as learn_addresses
    from .analyses.reachability import Reachability as Reachability
    from .analyses.reachability import ReachClass as ReachClass
    from .analyses.reachability import reachability as reachability
    from .analyses.replay import RESULT_SCHEMA as RESULT_SCHEMA
    from .analyses.replay import ReplayResult as ReplayResult
    from .analyses.replay import replay as replay
    from .analyses.sessions.orientation import Orientation as Orientation
    from .analyses.sessions.stateful import StatefulOptions as StatefulOptions
    from .analyses.sizing.curves import CURVE_SCHEMA as CURVE_SCHEMA
    from .analyses.sizing.sizing import Assumptions as Assumptions
    from .analyses.sizing.sizing import SizingOptions as SizingOptions
    from .analyses.sizing.sizing import size as size
    from .analyses.verify import VerifyResult as VerifyResult
    from .analyses.verify import verify as verify
    from .analyses.whatif import CHANGE_SCHEMA as CHANGE_SCHEMA
    from .analyses.whatif import WhatIfResult as WhatIfResult
    from .analyses.whatif import whatif as whatif
    from .errors import SimulatorError as SimulatorError
    from .model.addresses import Address as Address
    from .model.cluster import Cluster as Cluster
    from .model.flows import End as End
    from .model.flows import Flow as Flow
    from .model.flows import Reason as Reason
    from .model.flows import Verdict as Verdict
    from .model.policy import Policy as Policy
    from .model.profile import UPSTREAM as UPSTREAM
    from .model.profile import Profile as Profile
    from .model.schema import FLOW_SCHEMA as FLOW_SCHEMA
    from .reference import Reference as Reference
    from .tables.build import build_tables as build_tables

_HOMES = {
    "Address": ".model.addresses",
    "Assumptions": ".analyses.sizing.sizing",
    "CHANGE_SCHEMA": ".analyses.whatif",
    "CURVE_SCHEMA": ".analyses.sizing.curves",
    "Cluster": ".model.cluster",
    "Connectivity": ".analyses.connectivity",
    "End": ".model.flows",
    "FLOW_SCHEMA": ".model.schema",
    "Flow": ".model.flows",
    "Orientation": ".analyses.sessions.orientation",
    "Policy": ".model.policy",
    "Profile": ".model.profile",
    "RESULT_SCHEMA": ".analyses.replay",
    "ReachClass": ".analyses.reachability",
    "Reachability": ".analyses.reachability",
    "Reason": ".model.flows",
    "Reference": ".reference",
    "ReplayResult": ".analyses.replay",
    "SimulatorError": ".errors",
    "SizingOptions": ".analyses.sizing.sizing",
    "StatefulOptions": ".analyses.sessions.stateful",
    "UPSTREAM": ".model.profile",
    "Verdict": ".model.flows",
    "VerifyResult": ".analyses.verify",
    "WhatIfResult": ".analyses.whatif",
    "build_tables": ".tables.build",
    "connectivity": ".analyses.connectivity",
    "judge_batch": ".analyses.judging",
    "judge_flows": ".analyses.judging",
    "learn_addresses": ".analyses.learning",
    "reachability": ".analyses.reachability",
    "replay": ".analyses.replay",
    "size": ".analyses.sizing.sizing",
    "verify": ".analyses.verify",
    "whatif": ".analyses.whatif",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)
