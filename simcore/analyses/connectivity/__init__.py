"""All possible connections: which workloads and outside addresses may reach which, on which ports."""

from .classes import connectivity
from .results import Connectivity, Ports, RangeEnd, WorkloadEnd

__all__ = ["Connectivity", "Ports", "RangeEnd", "WorkloadEnd", "connectivity"]
