"""All possible connections: which workloads and outside addresses may reach which, on which ports."""

from .classes import connectivity
from .exposure import Exposed, Exposure, exposure
from .openings import Openness
from .results import Connectivity, NodeEnd, Ports, RangeEnd, WorkloadEnd
from .strangers import Stranger

__all__ = [
    "Connectivity",
    "Exposed",
    "Exposure",
    "NodeEnd",
    "Openness",
    "Ports",
    "RangeEnd",
    "Stranger",
    "WorkloadEnd",
    "connectivity",
    "exposure",
]
