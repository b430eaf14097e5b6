"""Ends of flows at their times: who stood at an address then, who had a name, where a node port led."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..kernels.moments import find_node_ports, settle_objects, settle_places, settle_pods
from ..kernels.places import FIRST_COMPOSITE, SAME
from ..tables.layout import Tables
from .ends import EndColumn, PortColumns

_NONE = np.empty(0, np.int32)


def at_times(tables: Tables, end: EndColumn, times: NDArray[np.int64] | None) -> EndColumn:
    """Return one end of flows with their times, and the pods that had the names which records tell; where that matters.

    `times` holds nanoseconds, `simcore.kernels.moments.NO_TIME` where not told; None: of none.
    """
    moments = tables.moments
    if moments is None or times is None or end.times.size:
        return end
    pods = end.pods
    if pods.size:
        pods, course = pods.copy(), moments.pods
        settle_pods(pods, times, len(tables.cluster.pods), course.starts, course.begins, course.values)
    return replace(end, pods=pods, times=times)


def settle_ends(tables: Tables, end: EndColumn, places: NDArray[np.int32]) -> None:
    """Put in place of each address what stood there then; nothing where times are not told, or do not matter."""
    moments = tables.moments
    if moments is not None and end.times.size:
        course = moments.places
        first = int(tables.arrays.limits[FIRST_COMPOSITE])
        settle_places(places, end.times, first, moments.of_composite, course.starts, course.begins, course.values)


def settle_objects_of(tables: Tables, end: EndColumn, places: NDArray[np.int32], objects: NDArray[np.int32]) -> None:
    """Put in place of each object that of the time; `places` are those of all times."""
    moments = tables.moments
    if moments is not None:
        course = moments.objects
        first = int(tables.arrays.limits[FIRST_COMPOSITE])
        settle_objects(
            objects, places, end.times, first, moments.of_composite, course.starts, course.begins, course.values
        )


def node_ports_of(tables: Tables, end: EndColumn, ports: PortColumns, places: NDArray[np.int32]) -> NDArray[np.int32]:
    """Find where node ports lead that flows were sent to, between `places` of both ends; nothing where always there."""
    moments = tables.moments
    if moments is None or not moments.ports.size or not end.times.size:
        return _NONE
    course = moments.port_composites
    found = np.empty(places.shape[1], np.int32)
    count = find_node_ports(
        tables.arrays,
        np.where(places[1] == SAME, places[0], places[1]),
        ports.protocol,
        ports.port,
        ports.port_known,
        end.times,
        moments.ports,
        course.starts,
        course.begins,
        course.values,
        found,
    )
    return found if count else _NONE
