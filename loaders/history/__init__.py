"""Clusters and policies over time."""

from .loading import History, WrittenPart, load_history

__all__ = ["History", "WrittenPart", "load_history"]
