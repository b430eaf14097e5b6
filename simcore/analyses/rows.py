"""Rows as verdicts on ports: what the programs and port classes of tables come to, whoever the ends are."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..kernels.extras import KINDS, MISSING, NO_KIND, SCAN, VALUES
from ..kernels.places import FIRST_INGRESS
from ..model.flows import Verdict
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, PortRange
from ..tables.layout import Tables

PORTS = LAST_PORT + 1


def rows_of_programs(tables: Tables) -> tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]]:
    """Return the rows of egress programs by column, and those of ingress programs."""
    arrays = tables.arrays
    parts = np.split(arrays.row_of, [int(arrays.limits[FIRST_INGRESS])])
    egress, ingress = (
        part.reshape(-1, int(columns.max()) + 1) for part, columns in zip(parts, arrays.column_of, strict=True)
    )
    return egress, ingress


def verdicts_of_rows(tables: Tables) -> NDArray[np.uint8]:
    """Return the verdict of every row and port class; of a source port that matters, nothing is known."""
    arrays = tables.arrays
    verdicts = arrays.decision.astype(np.uint8) & np.uint8(3)
    if arrays.scan.size:
        missing = np.arange(KINDS) * VALUES + MISSING
        of_class = np.zeros(arrays.decision.shape[1], np.int64)
        for protocol in np.flatnonzero(arrays.extra_kind < NO_KIND).tolist():
            slot, kind = int(arrays.slot_of[protocol]), int(arrays.extra_kind[protocol])
            of_class[arrays.port_class[slot * PORTS : (slot + 1) * PORTS]] = arrays.extra_class[missing[kind]]
            of_class[arrays.missing_port_class[slot]] = arrays.extra_class[missing[kind]]
        rows, classes = np.nonzero(verdicts == SCAN)
        verdicts[rows, classes] = arrays.scan[arrays.decision[rows, classes] >> 2, of_class[classes]] & 3
    return verdicts


def port_stretches(tables: Tables) -> list[tuple[PortRange, int]]:
    """List the stretches of ports that are of one class, each with its class."""
    found = []
    for slot, protocol in enumerate(PORT_PROTOCOLS):
        classes = tables.arrays.port_class[slot * PORTS : (slot + 1) * PORTS]
        edges = [0, *(np.flatnonzero(np.diff(classes)) + 1).tolist(), PORTS]
        found += [(PortRange(protocol, first, end - 1), int(classes[first])) for first, end in pairwise(edges)]
    return found


def ranges_with(stretches: list[tuple[PortRange, int]], verdicts: bytes, wanted: Verdict) -> tuple[PortRange, ...]:
    """Join the stretches that have a verdict."""
    found: list[PortRange] = []
    for ports, number in stretches:
        if verdicts[number] == wanted:
            if found and found[-1].protocol == ports.protocol and found[-1].last + 1 == ports.first:
                ports = PortRange(ports.protocol, found.pop().first, ports.last)
            found.append(ports)
    return tuple(found)
