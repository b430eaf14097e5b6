"""One flow at a time, walking the ordered rules in plain Python: the oracle for tables and kernels."""

from .judge import Reference

__all__ = ["Reference"]
