"""Formats of captures, one a file: how each is told from the others, and how its records become rows of flows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ..records.format import Format
from . import antrea, aws, azure, calico, conntrack, gadget, gcp, goflow2, goldmane, nfdump, pcap, zeek

_ALL: tuple[Format, ...] = (
    antrea.FORMAT,
    aws.FORMAT,
    azure.FORMAT,
    calico.FORMAT,
    conntrack.FORMAT,
    gadget.FORMAT,
    gcp.FORMAT,
    goflow2.FORMAT,
    goldmane.FORMAT,
    nfdump.FORMAT,
    pcap.FORMAT,
    zeek.FORMAT,
)
FORMATS: Mapping[str, Format] = MappingProxyType({each.name: each for each in _ALL})
"""The formats that are converted row by row, by name. The first that recognises a file is the one it is read as."""
