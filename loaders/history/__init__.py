"""Clusters and policies over time."""

from .histories import History, WrittenPart
from .loading import load_history

__all__ = ["History", "WrittenPart", "load_history"]
