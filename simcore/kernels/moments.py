"""Kernels that tell what stands somewhere at the time of a flow."""

import numpy as np

from .jit import kernel
from .places import FIRST_COMPOSITE, FIRST_NODE, MIXED_FAMILIES, SEVERAL

NO_TIME = np.iinfo(np.int64).min


@kernel
def at_time(starts, begins, values, thing, time):
    """Return what holds of a thing at a time: see `simcore.tables.moments.Course`."""
    low, high = starts[thing], starts[thing + 1]
    while high - low > 1:
        middle = (low + high) // 2
        if begins[middle] <= time:
            low = middle
        else:
            high = middle
    return values[low]


@kernel
def settle_places(places, times, first_composite, of_composite, starts, begins, values):
    """Put in place of composites that depend on the time what they are then.

    Parameters
    ----------
    places : int32[n]
        Changed; marks of `MIXED_FAMILIES` stay such.
    times : int64[n]
        NO_TIME where not told: then nothing is changed.
    first_composite : int
    of_composite, starts, begins, values
        Of `simcore.tables.moments.Moments`: which are told of, and their places.
    """
    for i in range(places.size):
        place = np.int64(places[i])
        mixed = SEVERAL < place <= MIXED_FAMILIES
        if mixed:
            place = MIXED_FAMILIES - place
        if place < first_composite or times[i] == NO_TIME:
            continue
        composite = place - first_composite
        if of_composite[composite] >= 0:
            found = at_time(starts, begins, values, of_composite[composite], times[i])
            places[i] = MIXED_FAMILIES - found if mixed and found >= 0 else found


@kernel
def settle_objects(objects, places, times, first_composite, of_composite, starts, begins, values):
    """Put in place of the objects of composites that depend on the time what they are then.

    Parameters
    ----------
    objects : int32[n]
        Changed, where `values` are not below 0.
    places : int32[n]
        Places at any time.
    times, first_composite, of_composite, starts, begins, values
        As for `settle_places`, and `values` objects.
    """
    for i in range(objects.size):
        composite = np.int64(places[i]) - first_composite
        if composite >= 0 and times[i] != NO_TIME and of_composite[composite] >= 0:
            found = at_time(starts, begins, values, of_composite[composite], times[i])
            if found >= 0:
                objects[i] = found


@kernel
def settle_pods(pods, times, count, starts, begins, values):
    """Put in place of names that depend on the time the pods that had them then.

    Parameters
    ----------
    pods : int32[n]
        Changed; see `simcore.tables.moments.Moments.names`. Rows behind those are names of no one pod.
    times : int64[n]
        NO_TIME where not told: then nothing is changed.
    count : int
        How many pods there are.
    starts, begins, values
        Of `simcore.tables.moments.Moments.pods`.
    """
    last = count + 2 * (starts.size - 1)
    for i in range(pods.size):
        if count <= pods[i] < last and times[i] != NO_TIME:
            found = at_time(starts, begins, values, (np.int64(pods[i]) - count) // 2, times[i])
            pods[i] = found if found >= 0 else pods[i] + 1


@kernel
def find_node_ports(t, places, protocol, port, port_known, times, keys, starts, begins, values, out):
    """Find the composites that hold the frontends of node ports which depend on the time.

    Parameters
    ----------
    t : Arrays
    places : int32[n]
        Of destinations.
    protocol, port, port_known
        As for `simcore.kernels.classify.judge`.
    times : int64[n]
        NO_TIME where not told.
    keys, starts, begins, values
        Of `simcore.tables.moments.Moments`: `ports` and `port_composites`.
    out : int32[n]
        Written; -1 where the node ports of all times hold, or the destination is no node.

    Returns
    -------
    int
        How many were found.
    """
    found = 0
    for i in range(places.size):
        out[i] = -1
        place = np.int64(places[i])
        if SEVERAL < place <= MIXED_FAMILIES:
            place = MIXED_FAMILIES - place
        if place < t.limits[FIRST_NODE] or times[i] == NO_TIME or (port_known.size and not port_known[i]):
            continue
        if place >= t.limits[FIRST_COMPOSITE]:
            is_v4 = t.composite_flags[place - t.limits[FIRST_COMPOSITE]] & 2 != 0
        else:
            is_v4 = t.kind[place] == 2
        key = np.int64(0 if is_v4 else 1) << 18 | np.int64(t.slot_of[protocol[i]]) << 16 | np.int64(port[i])
        number = np.searchsorted(keys, key)
        if number < keys.size and keys[number] == key:
            out[i] = at_time(starts, begins, values, number, times[i])
            found += 1
    return found
