"""Kernels that find places: numbers of what stands at the ends of flows."""

import numpy as np

from .jit import kernel
from .tries import exact_slot, find_exact, find_v4, find_v6, is_mapped, is_mapped_packed, swapped

# Places that are none: ends nobody can look up, and marks on the destination of a pair.
NO_ADDRESS, UNKNOWN_POD, SAME, POD_NOT_THERE, NOBODY = -1, -2, -3, -4, -5
MIXED_FAMILIES = -6
"""Marks ends of different families: ``MIXED_FAMILIES - place`` of the destination."""
SEVERAL = -(1 << 30)
"""Marks addresses of several pods at a time: ``SEVERAL - number`` of the outcome that names them."""

TILE = 512

# Positions in Arrays.limits.
FIRST_NODE, FIRST_COMPOSITE, PODS, NODES, SETTINGS, FIRST_INGRESS = 0, 1, 2, 3, 4, 5


@kernel
def place_pairs_v4(trie, source, destination, source_place, destination_place):
    """Find the places of both ends of flows between IPv4 addresses.

    Parameters
    ----------
    trie : int32[...]
        ``Arrays.trie_v4``.
    source, destination : uint32[n]
        Addresses in host byte order.
    source_place, destination_place : int32[n]
        Written; the destination's is SAME where both addresses are one.
    """
    # Written out rather than called: a call counts references of the trie, which made it three times slower. All three
    # levels are looked up, those that are not needed at entry 0, and masks of all ones or none choose: branches on
    # where a walk ends took up to twice as long with addresses in no order.
    byte = np.int64(255)
    for i in range(source.size):
        x, y = np.int64(source[i]), np.int64(destination[i])
        s, d = np.int64(trie[np.uintp(x >> 16)]), np.int64(trie[np.uintp(y >> 16)])
        s_on, d_on = s >> 63, d >> 63
        s_next = np.int64(trie[np.uintp((65280 - 256 * s + (x >> 8 & byte)) & s_on)])
        d_next = np.int64(trie[np.uintp((65280 - 256 * d + (y >> 8 & byte)) & d_on)])
        s, d = s ^ (s ^ s_next) & s_on, d ^ (d ^ d_next) & d_on
        s_on, d_on = s >> 63, d >> 63
        s_next = np.int64(trie[np.uintp((65280 - 256 * s + (x & byte)) & s_on)])
        d_next = np.int64(trie[np.uintp((65280 - 256 * d + (y & byte)) & d_on)])
        source_place[i] = s ^ (s ^ s_next) & s_on
        d = d ^ (d ^ d_next) & d_on
        destination_place[i] = d ^ (d ^ SAME) & -np.int64(x == y)


@kernel
def find_ends_v4(trie, addresses, out):
    """Find what stands at IPv4 addresses.

    Parameters
    ----------
    trie : int32[...]
        ``Arrays.trie_v4`` or ``Arrays.object_trie_v4``.
    addresses : uint32[n]
        In host byte order.
    out : int32[n]
        Written.
    """
    byte = np.int64(255)
    for i in range(addresses.size):
        x = np.int64(addresses[i])
        slot = np.int64(trie[np.uintp(x >> 16)])
        on = slot >> 63
        slot ^= (slot ^ np.int64(trie[np.uintp((65280 - 256 * slot + (x >> 8 & byte)) & on)])) & on
        on = slot >> 63
        out[i] = slot ^ (slot ^ np.int64(trie[np.uintp((65280 - 256 * slot + (x & byte)) & on)])) & on


@kernel
def place_pairs_packed(
    trie_v4,
    trie_v6,
    exact,
    exact_values,
    source,
    destination,
    source_known,
    destination_known,
    source_place,
    destination_place,
):
    """Find the places of both ends of flows between addresses of 16 bytes.

    Parameters
    ----------
    trie_v4, trie_v6, exact, exact_values
        Of Arrays: those of places.
    source, destination : uint64[n, 2]
        Addresses in network byte order, IPv4 ones mapped into IPv6.
    source_known, destination_known : bool[n] or bool[0]
        Whether there is an address; empty where none is missing.
    source_place, destination_place : int32[n]
        Written; the destination's is SAME where both addresses are one, a mark of MIXED_FAMILIES where families differ.
    """  # fmt: skip
    for start in range(0, source.shape[0], TILE):
        end = min(start + TILE, source.shape[0])
        here, there = source[start:end], destination[start:end]
        places, others = source_place[start:end], destination_place[start:end]
        find_packed(trie_v4, trie_v6, exact, exact_values, here, source_known[start:end], NO_ADDRESS, places)
        find_packed(trie_v4, trie_v6, exact, exact_values, there, destination_known[start:end], NO_ADDRESS, others)
        for j in range(end - start):
            s, d = places[j], others[j]
            mixed = is_mapped_packed(here[j, 0], here[j, 1]) != is_mapped_packed(there[j, 0], there[j, 1])
            same = here[j, 0] == there[j, 0] and here[j, 1] == there[j, 1]
            marked = MIXED_FAMILIES - d if mixed else (SAME if same else d)
            others[j] = d if s < 0 or d < 0 else marked


@kernel
def find_packed(trie_v4, trie_v6, exact, exact_values, addresses, known, no_address, out):
    """Find what stands at addresses of 16 bytes.

    Parameters
    ----------
    trie_v4, trie_v6, exact, exact_values
        Of Arrays: those of places, or those of objects.
    addresses : uint64[n, 2]
        In network byte order, IPv4 ones mapped into IPv6.
    known : bool[n] or bool[0]
        Whether there is an address; empty where none is missing.
    no_address : int
        What a missing one is.
    out : int32[n]
        Written.
    """
    byte = np.uint64(255)
    mask = np.uintp(exact.shape[0] - 1)
    all_known = known.size == 0
    for i in range(addresses.shape[0]):
        high, low = swapped(addresses[i, 0]), swapped(addresses[i, 1])
        if not all_known and not known[i]:
            out[i] = no_address
            continue
        if is_mapped(high, low):
            address = low & np.uint64(0xFFFFFFFF)
            value = trie_v4[np.uintp(address >> np.uint64(16))]
            if value < 0:
                value = trie_v4[np.uintp(65280 - 256 * np.int64(value) + np.int64((address >> np.uint64(8)) & byte))]
            if value < 0:
                value = trie_v4[np.uintp(65280 - 256 * np.int64(value) + np.int64(address & byte))]
            out[i] = value
            continue
        slot = exact_slot(high, low, exact.shape[0])
        while exact_values[slot] >= 0 and (exact[slot, 0] != high or exact[slot, 1] != low):
            slot = (slot + np.uintp(1)) & mask
        value = exact_values[slot]
        if value < 0:
            value = trie_v6[np.uintp(high >> np.uint64(48))]
        half, shift = high, np.uint64(40)
        for level in range(14):
            if value >= 0:
                break
            if level == 6:
                half, shift = low, np.uint64(56)
            value = trie_v6[np.uintp(65280 - 256 * np.int64(value) + np.int64((half >> shift) & byte))]
            shift -= np.uint64(8)
        out[i] = value


@kernel
def find_ends(trie_v4, trie_v6, exact, exact_values, high, low, known, pods, of_pods, no_address, unknown_pod, out):
    """Find what stands at one end of flows: by pod where the record names one, else by address.

    Parameters
    ----------
    trie_v4, trie_v6, exact, exact_values
        Of Arrays: those of places, or those of objects.
    high, low : uint64[n]
        Halves of the addresses, IPv4 ones mapped into IPv6.
    known : bool[n]
        Whether there is an address.
    pods : int32[n]
        Position of the named pod; -1 where none is named, -2 where the cluster has none of that name.
    of_pods : int32[pods, 3 or 1]
        What a pod is that is named along with an IPv4 address, an IPv6 one, none; or whatever it is named with.
    no_address, unknown_pod : int
        What missing ends are.
    out : int32[n]
        Written.
    """
    byte = np.uint64(255)
    last_case = of_pods.shape[1] - 1
    for i in range(high.size):
        if pods[i] >= 0:
            case = (0 if is_mapped(high[i], low[i]) else 1) if known[i] else 2
            out[i] = of_pods[pods[i], min(case, last_case)]
        elif pods[i] == -2:
            out[i] = unknown_pod
        elif not known[i]:
            out[i] = no_address
        elif is_mapped(high[i], low[i]):
            address = low[i] & np.uint64(0xFFFFFFFF)
            slot = trie_v4[np.uintp(address >> np.uint64(16))]
            if slot < 0:
                slot = trie_v4[np.uintp(65280 - 256 * np.int64(slot) + np.int64((address >> np.uint64(8)) & byte))]
            if slot < 0:
                slot = trie_v4[np.uintp(65280 - 256 * np.int64(slot) + np.int64(address & byte))]
            out[i] = slot
        else:
            place = exact_slot(high[i], low[i], exact.shape[0])
            while exact_values[place] >= 0 and (exact[place, 0] != high[i] or exact[place, 1] != low[i]):
                place = (place + np.uintp(1)) & np.uintp(exact.shape[0] - 1)
            slot = exact_values[place]
            if slot < 0:
                slot = trie_v6[np.uintp(high[i] >> np.uint64(48))]
            half, shift = high[i], np.uint64(40)
            for level in range(14):
                if slot >= 0:
                    break
                if level == 6:
                    half, shift = low[i], np.uint64(56)
                slot = trie_v6[np.uintp(65280 - 256 * np.int64(slot) + np.int64((half >> shift) & byte))]
                shift -= np.uint64(8)
            out[i] = slot


@kernel
def find_families(high, low, known, pods, pod_families, out):
    """Find the families of the addresses of one end of flows.

    Parameters
    ----------
    high, low, known, pods
        As for `find_ends`.
    pod_families : uint8[pods, 3]
        Family of a pod's address in each case of `find_ends`, 0 where unknown.
    out : uint8[n]
        Written: 4, 6, or 0 where unknown.
    """
    for i in range(high.size):
        mapped = is_mapped(high[i], low[i])
        if pods[i] >= 0:
            out[i] = pod_families[pods[i], (0 if mapped else 1) if known[i] else 2]
        elif known[i] and pods[i] == -1:
            out[i] = 4 if mapped else 6
        else:
            out[i] = 0


@kernel
def find_object(trie_v4, trie_v6, exact, exact_objects, high, low):
    """Return the object at an address of either family."""
    if is_mapped(high, low):
        return find_v4(trie_v4, np.int64(low & np.uint64(0xFFFFFFFF)))
    found = find_exact(exact, exact_objects, high, low)
    return found if found >= 0 else find_v6(trie_v6, high, low)


@kernel
def pair_ends(
    t,
    pod_objects,
    source_high,
    source_low,
    source_pod,
    source_family,
    source_place,
    destination_high,
    destination_low,
    destination_pod,
    destination_family,
    destination_place,
):
    """Mark the flows whose ends are one, or of different families, in the places of their destinations.

    Parameters
    ----------
    t : Arrays
    pod_objects : int32[pods]
        Object of a pod that a record names.
    source_high, source_low, destination_high, destination_low : uint64[n]
        Halves of the addresses.
    source_pod, destination_pod : int32[n]
        Named pods, as in `find_ends`.
    source_family, destination_family : uint8[n]
        As `find_families` wrote them.
    source_place, destination_place : int32[n]
        As `find_ends` wrote them; the destination's is changed to SAME, or to a mark of MIXED_FAMILIES. Nodes and
        composites need no mark: `judge` leaves them anyway, and the address at which a record names one matters.
    """  # fmt: skip
    for i in range(source_place.size):
        if source_place[i] < 0 or destination_place[i] < 0:
            continue
        if source_family[i] != 0 and destination_family[i] != 0 and source_family[i] != destination_family[i]:
            destination_place[i] = MIXED_FAMILIES - destination_place[i]
            continue
        if source_pod[i] >= 0 and destination_pod[i] >= 0:
            same = source_pod[i] == destination_pod[i]
        elif source_pod[i] >= 0:
            high, low = destination_high[i], destination_low[i]
            there = find_object(t.object_trie_v4, t.object_trie_v6, t.exact, t.exact_objects, high, low)
            same = there == pod_objects[source_pod[i]] and there < t.limits[PODS]
        elif destination_pod[i] >= 0:
            high, low = source_high[i], source_low[i]
            there = find_object(t.object_trie_v4, t.object_trie_v6, t.exact, t.exact_objects, high, low)
            same = there == pod_objects[destination_pod[i]] and there < t.limits[PODS]
        else:
            same = source_high[i] == destination_high[i] and source_low[i] == destination_low[i]
        if same and destination_place[i] < t.limits[FIRST_NODE]:
            destination_place[i] = SAME
