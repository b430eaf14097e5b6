"""Diagnosis: why two ends of a cluster do not talk, step by step, the usual causes first."""

from .context import Asked, Context, Inquiry
from .diagnose import diagnose
from .steps import Cause, Command, Conclusion, Diagnosis, Finding, Side, Status, Step

__all__ = [
    "Asked",
    "Cause",
    "Command",
    "Conclusion",
    "Context",
    "Diagnosis",
    "Finding",
    "Inquiry",
    "Side",
    "Status",
    "Step",
    "diagnose",
]
