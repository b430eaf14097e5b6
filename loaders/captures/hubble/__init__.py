"""Hubble's exports: events of Cilium's datapath and proxies, turned into connections, requests and DNS answers."""

from .converting import convert_hubble
from .counts import FATES, EventCounts

__all__ = ["FATES", "EventCounts", "convert_hubble"]
