"""Kernels that judge flows: places of both ends and a port class in, cells out. No loop over rules anywhere."""

import numpy as np

from .jit import kernel
from .tries import find_v4, find_v6, is_mapped

# Places that are none: ends nobody can look up, and marks on the destination of a pair.
NO_ADDRESS, UNKNOWN_POD, SAME = -1, -2, -3
MIXED_FAMILIES = -4
"""Marks ends of different families: ``MIXED_FAMILIES - place`` of the destination."""

# Positions in Arrays.cells.
CELL_UNKNOWN_PROTOCOL, CELL_NO_ADDRESS, CELL_UNKNOWN_POD, CELL_NO_BACKEND, CELL_MIXED_FAMILIES = 0, 1, 2, 3, 4
CELL_SELF, CELL_HAIRPIN, CELL_OWN_NODE = 5, 6, 7

# Positions in Arrays.limits.
FIRST_NODE, FIRST_COMPOSITE, PODS, NODES, SETTINGS = 0, 1, 2, 3, 4
HAIRPIN_ALLOWED, OWN_NODE_EGRESS_ALLOWED = 1, 2

NO_PORT_SLOT = 3
MISSING_SLOT = 4
KIND_POD = 0
KIND_NODE_V4, KIND_NODE_V6 = 2, 3
FLAG_SERVICE, FLAG_NODE_V4, FLAG_NODE_V6 = 1, 2, 4
EGRESS, INGRESS = 0, 1
ALLOW, DENY, UNKNOWN = 0, 1, 2


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
    for i in range(source.size):
        source_place[i] = find_v4(trie, np.int64(source[i]))
        if source[i] == destination[i]:
            destination_place[i] = SAME
        else:
            destination_place[i] = find_v4(trie, np.int64(destination[i]))


@kernel
def place_ends(trie_v4, trie_v6, high, low, known, pods, pod_places, pod_families, places, families):
    """Find the places of one end of flows, by pod where the record names one, else by address.

    Parameters
    ----------
    trie_v4, trie_v6 : int32[...]
        Tries to look addresses up in.
    high, low : uint64[n]
        Halves of the addresses, IPv4 ones mapped into IPv6.
    known : bool[n]
        Whether there is an address.
    pods : int32[n]
        Position of the named pod; -1 where none is named, -2 where the cluster has none of that name.
    pod_places : int32[pods, 3]
        Place of a pod named along with an IPv4 address, an IPv6 one, none.
    pod_families : uint8[pods, 3]
        Family of its address in each case, 0 where unknown.
    places : int32[n]
        Written.
    families : uint8[n]
        Written: 4, 6, or 0 where unknown.
    """
    for i in range(high.size):
        mapped = is_mapped(high[i], low[i])
        if pods[i] >= 0:
            case = (0 if mapped else 1) if known[i] else 2
            places[i] = pod_places[pods[i], case]
            families[i] = pod_families[pods[i], case]
        elif not known[i]:
            places[i] = UNKNOWN_POD if pods[i] == -2 else NO_ADDRESS
            families[i] = 0
        elif pods[i] == -2:
            places[i] = UNKNOWN_POD
            families[i] = 0
        elif mapped:
            places[i] = find_v4(trie_v4, np.int64(low[i] & np.uint64(0xFFFFFFFF)))
            families[i] = 4
        else:
            places[i] = find_v6(trie_v6, high[i], low[i])
            families[i] = 6


@kernel
def find_object(trie_v4, trie_v6, high, low):
    """Return the object at an address of either family."""
    if is_mapped(high, low):
        return find_v4(trie_v4, np.int64(low & np.uint64(0xFFFFFFFF)))
    return find_v6(trie_v6, high, low)


@kernel
def find_objects(trie_v4, trie_v6, high, low, known, pods, pod_objects, no_address, unknown_pod, out):
    """Find the objects of one end of flows.

    Parameters
    ----------
    trie_v4, trie_v6 : int32[...]
        Object tries.
    high, low, known, pods
        As for `place_ends`.
    pod_objects : int32[pods]
        Object of a pod that a record names.
    no_address, unknown_pod : int
        Objects of missing ends.
    out : int32[n]
        Written.
    """
    for i in range(high.size):
        if pods[i] >= 0:
            out[i] = pod_objects[pods[i]]
        elif pods[i] == -2:
            out[i] = unknown_pod
        elif known[i]:
            out[i] = find_object(trie_v4, trie_v6, high[i], low[i])
        else:
            out[i] = no_address


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
        Named pods, as in `place_ends`.
    source_family, destination_family : uint8[n]
        As `place_ends` wrote them.
    source_place, destination_place : int32[n]
        As `place_ends` wrote them; the destination's is changed to SAME, or to a mark of MIXED_FAMILIES.
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
            there = find_object(t.object_trie_v4, t.object_trie_v6, destination_high[i], destination_low[i])
            same = there == pod_objects[source_pod[i]] and there < t.limits[PODS]
        elif destination_pod[i] >= 0:
            there = find_object(t.object_trie_v4, t.object_trie_v6, source_high[i], source_low[i])
            same = there == pod_objects[destination_pod[i]] and there < t.limits[PODS]
        else:
            same = source_high[i] == destination_high[i] and source_low[i] == destination_low[i]
        if same:
            destination_place[i] = SAME


@kernel
def judge(t, source_place, destination_place, protocol, port, port_known, egress, ingress, verdict, special):
    """Judge flows whose ends are single identities; list the others.

    Parameters
    ----------
    t : Arrays
    source_place, destination_place : int32[n]
        Places of the ends.
    protocol : uint8[n]
        IANA numbers; 255 where missing.
    port : uint16[n]
        Destination ports.
    port_known : bool[n] or bool[0]
        Whether there is a port; empty where every flow has one.
    egress, ingress : uint32[sets, n]
        Written: the cells of both directions.
    verdict : uint8[sets, n]
        Written.
    special : int32[n]
        Written up to the returned number: flows left to `judge_special`.

    Returns
    -------
    int
        How many flows are left.
    """
    left = 0
    first_node = np.int32(t.limits[FIRST_NODE])
    all_known = port_known.size == 0
    sets = egress.shape[0]
    for i in range(source_place.size):
        s = source_place[i]
        d = destination_place[i]
        slot = np.int64(t.slot_of[protocol[i]])
        if s < 0 or d < 0 or s >= first_node or d >= first_node or slot == MISSING_SLOT:
            special[left] = i
            left += 1
            continue
        if all_known or port_known[i]:
            port_class = np.int64(t.port_class[slot << 16 | np.int64(port[i])])
        else:
            port_class = np.int64(t.missing_port_class[slot])
        for k in range(sets):
            out = t.decision[t.row_of[t.program_of[2 * k, s], d], port_class]
            back = t.decision[t.row_of[t.program_of[2 * k + 1, d], s], port_class]
            egress[k, i] = out
            ingress[k, i] = back
            verdict[k, i] = both(out & np.uint32(3), back & np.uint32(3))
    return left


@kernel
def both(egress, ingress):
    """Combine the verdicts of the two directions: a denial decides, then a doubt."""
    if egress == DENY or ingress == DENY:
        return np.uint8(DENY)
    return np.uint8(max(egress, ingress))


@kernel
def judge_special(
    t,
    special,
    source_place,
    destination_place,
    source_object,
    destination_object,
    destination_named,
    protocol,
    port,
    port_known,
    egress,
    ingress,
    verdict,
):
    """Judge the flows that `judge` left: nodes, Services, shared addresses, a pod and itself, missing parts.

    Parameters
    ----------
    t : Arrays
    special : int32[m]
        Which flows.
    source_place, destination_place : int32[n]
        Places of the ends.
    source_object, destination_object : int32[m]
        Objects of the ends of the special flows, in their order.
    destination_named : bool[m]
        Whether the record names the destination's pod, so that no Service stands before it.
    protocol, port, port_known, egress, ingress, verdict
        As for `judge`.
    """  # fmt: skip
    single = np.zeros((1, 4), np.int32)
    lone = np.ones((1, 4), np.int32)
    lone[0, 2] = 0
    for k in range(egress.shape[0]):
        for m in range(special.size):
            i = special[m]
            slot = np.int64(t.slot_of[protocol[i]])
            known = port_known.size == 0 or port_known[i]
            problem = _problem(source_place[i], destination_place[i], slot)
            if problem >= 0:
                _write(t.cells[problem], t.cells[problem], k, i, egress, ingress, verdict)
                continue
            single[0, 0], single[0, 1] = source_place[i], source_object[m]
            sources = single
            if source_place[i] >= t.limits[FIRST_COMPOSITE]:
                composite = source_place[i] - t.limits[FIRST_COMPOSITE]
                sources = t.ends[t.composite_starts[composite] : t.composite_starts[composite + 1]]
            place = destination_place[i]
            mixed = place <= MIXED_FAMILIES
            if mixed:
                place = MIXED_FAMILIES - place
            elif place == SAME:
                place = source_place[i]
            lone[0, 0], lone[0, 1] = place, destination_object[m]
            destinations = lone
            through_service = False
            if not destination_named[m]:
                frontend, answers = _frontend(t, place, slot, port[i], known)
                if frontend >= 0:
                    destinations = t.ends[t.frontend_starts[frontend] : t.frontend_starts[frontend + 1]]
                    through_service = True
                elif answers:
                    destinations = t.ends[:0]
                elif place >= t.limits[FIRST_COMPOSITE]:
                    composite = place - t.limits[FIRST_COMPOSITE]
                    destinations = t.ends[t.composite_starts[composite] : t.composite_starts[composite + 1]]
            if destinations.shape[0] == 0:
                _write(t.cells[CELL_NO_BACKEND], t.cells[CELL_NO_BACKEND], k, i, egress, ingress, verdict)
                continue
            _judge_pairs(
                t,
                sources,
                destinations,
                through_service,
                mixed,
                slot,
                port[i],
                known,
                k,
                i,
                egress,
                ingress,
                verdict,
            )


@kernel
def _problem(source_place, destination_place, slot):
    """Return the cell number of what makes a flow impossible to judge, or -1; in the order in which it is told."""
    if slot == MISSING_SLOT:
        return CELL_UNKNOWN_PROTOCOL
    if source_place == NO_ADDRESS or destination_place == NO_ADDRESS:
        return CELL_NO_ADDRESS
    if source_place == UNKNOWN_POD or destination_place == UNKNOWN_POD:
        return CELL_UNKNOWN_POD
    return -1


@kernel
def _write(out, back, k, i, egress, ingress, verdict):
    egress[k, i] = out
    ingress[k, i] = back
    verdict[k, i] = both(out & np.uint32(3), back & np.uint32(3))


@kernel
def _frontend(t, place, slot, port, known):
    """Find the frontend that a place is, for a slot and port; and whether a Service's address answers at all."""
    is_service = False
    base = np.int64(-1)
    if place >= t.limits[FIRST_COMPOSITE]:
        composite = place - t.limits[FIRST_COMPOSITE]
        flags = t.composite_flags[composite]
        is_service = flags & FLAG_SERVICE != 0
        found = -1
        if known and slot < NO_PORT_SLOT and is_service:
            found = _find_key(t.frontend_keys, ((composite + 2) << 2 | slot) << 16 | np.int64(port))
        if found >= 0:
            return found, is_service
        if flags & FLAG_NODE_V4:
            base = np.int64(0)
        elif flags & FLAG_NODE_V6:
            base = np.int64(1)
    elif t.kind[place] == KIND_NODE_V4:
        base = np.int64(0)
    elif t.kind[place] == KIND_NODE_V6:
        base = np.int64(1)
    if base < 0 or not known or slot >= NO_PORT_SLOT:
        return -1, is_service
    found = _find_key(t.frontend_keys, (base << 2 | slot) << 16 | np.int64(port))
    return found, is_service or found >= 0


@kernel
def _find_key(keys, key):
    """Return the position of a key among ascending ones, or -1."""
    low, high = 0, keys.size
    while low < high:
        middle = (low + high) // 2
        if keys[middle] < key:
            low = middle + 1
        else:
            high = middle
    if low < keys.size and keys[low] == key:
        return low
    return -1


@kernel
def _judge_pairs(
    t, sources, destinations, through_service, mixed, slot, port, known, k, i, egress, ingress, verdict
):
    """Judge every source with every destination, and write what they agree on."""
    first_out = np.full(3, -1, np.int64)
    first_back = np.full(3, -1, np.int64)
    seen = np.zeros(3, np.bool_)
    for a in range(sources.shape[0]):
        for b in range(destinations.shape[0]):
            if destinations[b, 2] > 0:
                port_class = np.int64(t.port_class[slot << 16 | np.int64(destinations[b, 2])])
            elif known:
                port_class = np.int64(t.port_class[slot << 16 | np.int64(port)])
            else:
                port_class = np.int64(t.missing_port_class[slot])
            if mixed and destinations[b, 3] != 0:
                out = back = t.cells[CELL_MIXED_FAMILIES]
            else:
                out, back = _judge_pair(t, sources[a], destinations[b], through_service, port_class, k)
            if first_out[out & np.uint32(3)] < 0:
                first_out[out & np.uint32(3)] = out
            if first_back[back & np.uint32(3)] < 0:
                first_back[back & np.uint32(3)] = back
            seen[both(out & np.uint32(3), back & np.uint32(3))] = True
    egress[k, i] = _agreed(t, first_out)
    ingress[k, i] = _agreed(t, first_back)
    if np.int64(seen[0]) + np.int64(seen[1]) + np.int64(seen[2]) > 1 or seen[UNKNOWN]:
        verdict[k, i] = UNKNOWN
    else:
        verdict[k, i] = DENY if seen[DENY] else ALLOW


@kernel
def _agreed(t, first):
    """Return the one cell of a direction, or the mixed one."""
    count = 0
    only = np.int64(0)
    reasons = np.zeros(3, np.int64)
    for verdict in range(3):
        if first[verdict] >= 0:
            count += 1
            only = first[verdict]
            reasons[verdict] = np.int64(t.reason_of[only >> 2]) + 1
    if count == 1:
        return np.uint32(only)
    return t.mixed[reasons[0], reasons[1], reasons[2]]


@kernel
def _judge_pair(t, source, destination, through_service, port_class, k):
    """Judge one source with one destination: the cells of both directions."""
    pods = t.limits[PODS]
    last_node = pods + t.limits[NODES]
    if source[1] == destination[1] and source[1] < pods:
        if not through_service:
            return t.cells[CELL_SELF], t.cells[CELL_SELF]
        if t.limits[SETTINGS] & HAIRPIN_ALLOWED:
            return t.cells[CELL_HAIRPIN], t.cells[CELL_HAIRPIN]
    out = t.decision[t.row_of[t.program_of[2 * k, source[0]], destination[0]], port_class]
    back = t.decision[t.row_of[t.program_of[2 * k + 1, destination[0]], source[0]], port_class]
    from_node = pods <= source[1] < last_node
    to_node = pods <= destination[1] < last_node
    if from_node and destination[1] < pods and t.object_node[source[1]] == t.object_node[destination[1]]:
        back = t.cells[CELL_OWN_NODE]
    if (
        to_node
        and source[1] < pods
        and t.limits[SETTINGS] & OWN_NODE_EGRESS_ALLOWED
        and t.object_node[source[1]] == t.object_node[destination[1]]
    ):
        out = t.cells[CELL_OWN_NODE]
    return out, back
