"""Kernels that judge flows: places of both ends and a port class in, cells out. No loop over rules anywhere."""

import numpy as np

from .jit import kernel
from .tries import exact_slot, find_exact, find_v4, find_v6, is_mapped

# Places that are none: ends nobody can look up, and marks on the destination of a pair.
NO_ADDRESS, UNKNOWN_POD, SAME = -1, -2, -3
MIXED_FAMILIES = -4
"""Marks ends of different families: ``MIXED_FAMILIES - place`` of the destination."""

# Positions in Arrays.cells.
CELL_UNKNOWN_PROTOCOL, CELL_NO_ADDRESS, CELL_UNKNOWN_POD, CELL_NO_BACKEND, CELL_MIXED_FAMILIES = 0, 1, 2, 3, 4
CELL_SELF, CELL_HAIRPIN, CELL_OWN_NODE = 5, 6, 7

# Positions in Arrays.limits.
FIRST_NODE, FIRST_COMPOSITE, PODS, NODES, SETTINGS, FIRST_INGRESS = 0, 1, 2, 3, 4, 5
HAIRPIN_ALLOWED, OWN_NODE_EGRESS_ALLOWED = 1, 2

TILE = 512
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
    # Written out rather than called: a call counts references of the trie, which made it three times slower.
    byte = np.uint32(255)
    for i in range(source.size):
        x, y = source[i], destination[i]
        s = trie[np.uintp(x >> np.uint32(16))]
        d = trie[np.uintp(y >> np.uint32(16))]
        if s < 0:
            s = trie[np.uintp(65280 - 256 * np.int64(s) + ((x >> np.uint32(8)) & byte))]
        if d < 0:
            d = trie[np.uintp(65280 - 256 * np.int64(d) + ((y >> np.uint32(8)) & byte))]
        if s < 0:
            s = trie[np.uintp(65280 - 256 * np.int64(s) + (x & byte))]
        if d < 0:
            d = trie[np.uintp(65280 - 256 * np.int64(d) + (y & byte))]
        source_place[i] = s
        destination_place[i] = SAME if x == y else d


@kernel
def place_ends(
    trie_v4, trie_v6, exact, exact_places, high, low, known, pods, pod_places, pod_families, places, families
):
    """Find the places of one end of flows, by pod where the record names one, else by address.

    Parameters
    ----------
    trie_v4, trie_v6, exact, exact_places
        Of Arrays.
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
    byte = np.uint64(255)
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
            address = low[i] & np.uint64(0xFFFFFFFF)
            slot = trie_v4[np.uintp(address >> np.uint64(16))]
            if slot < 0:
                slot = trie_v4[np.uintp(65280 - 256 * np.int64(slot) + np.int64((address >> np.uint64(8)) & byte))]
            if slot < 0:
                slot = trie_v4[np.uintp(65280 - 256 * np.int64(slot) + np.int64(address & byte))]
            places[i] = slot
            families[i] = 4
        else:
            place = exact_slot(high[i], low[i], exact.shape[0])
            while exact_places[place] >= 0 and (exact[place, 0] != high[i] or exact[place, 1] != low[i]):
                place = (place + np.uintp(1)) & np.uintp(exact.shape[0] - 1)
            slot = exact_places[place]
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
            places[i] = slot
            families[i] = 6


@kernel
def find_object(trie_v4, trie_v6, exact, exact_objects, high, low):
    """Return the object at an address of either family."""
    if is_mapped(high, low):
        return find_v4(trie_v4, np.int64(low & np.uint64(0xFFFFFFFF)))
    found = find_exact(exact, exact_objects, high, low)
    return found if found >= 0 else find_v6(trie_v6, high, low)


@kernel
def find_objects_v4(trie, addresses, out):
    """Find the objects at IPv4 addresses.

    Parameters
    ----------
    trie : int32[...]
        ``Arrays.object_trie_v4``.
    addresses : uint32[n]
        In host byte order.
    out : int32[n]
        Written.
    """
    byte = np.uint32(255)
    for i in range(addresses.size):
        x = addresses[i]
        slot = trie[np.uintp(x >> np.uint32(16))]
        if slot < 0:
            slot = trie[np.uintp(65280 - 256 * np.int64(slot) + ((x >> np.uint32(8)) & byte))]
        if slot < 0:
            slot = trie[np.uintp(65280 - 256 * np.int64(slot) + (x & byte))]
        out[i] = slot


@kernel
def find_objects(
    trie_v4, trie_v6, exact, exact_objects, high, low, known, pods, pod_objects, no_address, unknown_pod, out
):
    """Find the objects of one end of flows.

    Parameters
    ----------
    trie_v4, trie_v6, exact, exact_objects
        Of Arrays; the tries are those of objects.
    high, low, known, pods
        As for `place_ends`.
    pod_objects : int32[pods]
        Object of a pod that a record names.
    no_address, unknown_pod : int
        Objects of missing ends.
    out : int32[n]
        Written.
    """
    byte = np.uint64(255)
    for i in range(high.size):
        if pods[i] >= 0:
            out[i] = pod_objects[pods[i]]
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
            while exact_objects[place] >= 0 and (exact[place, 0] != high[i] or exact[place, 1] != low[i]):
                place = (place + np.uintp(1)) & np.uintp(exact.shape[0] - 1)
            slot = exact_objects[place]
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
            high, low = destination_high[i], destination_low[i]
            there = find_object(t.object_trie_v4, t.object_trie_v6, t.exact, t.exact_objects, high, low)
            same = there == pod_objects[source_pod[i]] and there < t.limits[PODS]
        elif destination_pod[i] >= 0:
            high, low = source_high[i], source_low[i]
            there = find_object(t.object_trie_v4, t.object_trie_v6, t.exact, t.exact_objects, high, low)
            same = there == pod_objects[destination_pod[i]] and there < t.limits[PODS]
        else:
            same = source_high[i] == destination_high[i] and source_low[i] == destination_low[i]
        if same:
            destination_place[i] = SAME


@kernel
def judge(
    t,
    source_place,
    destination_place,
    destination_named,
    protocol,
    port,
    port_known,
    egress,
    ingress,
    verdict,
    special,
):
    """Judge flows whose ends are single identities, or Services before one; list the others.

    Parameters
    ----------
    t : Arrays
    source_place, destination_place : int32[n]
        Places of the ends.
    destination_named : bool[n] or bool[0]
        Whether the record names the destination's pod, so that no Service stands before it; empty where none does.
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
        Written up to the returned number: flows left to `judge_special`, whose cells and verdicts mean nothing yet.

    Returns
    -------
    int
        How many flows are left.
    """  # fmt: skip
    # In tiles that stay in the first cache, one kind of look-up at a time: the processor then has many of them under
    # way, where a loop over whole flows waited for each (37 to 104 Mflows/s on random flows). Indices are unsigned:
    # numba tests a signed one for being negative, and marks (below 0) become huge.
    left = 0
    slot_of, port_class, missing, program_of = t.slot_of, t.port_class, t.missing_port_class, t.program_of
    column_of, row_of, decision = t.column_of, t.row_of, t.decision.ravel()
    classes = np.uintp(t.decision.shape[1])
    first_keys, short_ways = t.first_keys, t.short_ways
    first_node, first_composite = np.uintp(t.limits[FIRST_NODE]), t.limits[FIRST_COMPOSITE]
    all_known, none_named = port_known.size == 0, destination_named.size == 0
    here = np.empty(TILE, np.uint32)
    there = np.empty(TILE, np.uint32)
    ports = np.empty(TILE, np.uint32)
    egress_row = np.empty(TILE, np.uint32)
    ingress_row = np.empty(TILE, np.uint32)
    for start in range(0, source_place.size, TILE):
        size = min(TILE, source_place.size - start)
        first_left = left
        for j in range(size):
            i = start + j
            slot = np.uintp(slot_of[protocol[i]])
            s = np.uintp(source_place[i])
            d = np.uintp(destination_place[i])
            plain = s < first_node and d < first_node and slot != MISSING_SLOT
            special[left] = i
            left += not plain
            s, d, slot = s * plain, d * plain, slot * plain
            if all_known or port_known[i]:
                ports[j] = port_class[slot << np.uintp(16) | np.uintp(port[i])]
            else:
                ports[j] = missing[slot]
            here[j] = s
            there[j] = d
        found, left = left, first_left
        for m in range(first_left, found):
            i = special[m]
            composite = np.int64(destination_place[i]) - first_composite
            key = np.int64(slot_of[protocol[i]]) << 16 | np.int64(port[i])
            place = np.uintp(first_keys[np.uintp(max(composite, 0))])
            end = np.uintp(first_keys[np.uintp(max(composite, 0) + (composite >= 0))])
            while place < end and short_ways[place, 0] != key:
                place += np.uintp(1)
            target = short_ways[place, 1]
            peer = np.uintp(source_place[i])
            short = (place < end) & (target >= 0) & (target != source_place[i]) & (peer < first_node)
            short = short & (all_known or port_known[i]) & (none_named or not destination_named[i])
            here[i - start] = peer * short
            there[i - start] = target * short
            ports[i - start] = short_ways[place, 2] * short
            special[left] = i
            left += not short
        for k in range(egress.shape[0]):
            for j in range(size):
                s, d = np.uintp(here[j]), np.uintp(there[j])
                egress_row[j] = program_of[np.uintp(2 * k), s] + np.uint32(column_of[np.uintp(0), d])
                ingress_row[j] = program_of[np.uintp(2 * k + 1), d] + np.uint32(column_of[np.uintp(1), s])
            for j in range(size):
                egress_row[j] = row_of[np.uintp(egress_row[j])]
                ingress_row[j] = row_of[np.uintp(ingress_row[j])]
            for j in range(size):
                out = decision[np.uintp(egress_row[j]) * classes + np.uintp(ports[j])]
                back = decision[np.uintp(ingress_row[j]) * classes + np.uintp(ports[j])]
                egress[k, start + j] = out
                ingress[k, start + j] = back
                verdict[k, start + j] = both(out & np.uint32(3), back & np.uint32(3))
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
    source_family,
    destination_family,
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
    source_family, destination_family : uint8[m]
        Families of their addresses: 4 or 6, or 0 where unknown.
    destination_named, protocol, port, port_known, egress, ingress, verdict
        As for `judge`.
    """  # fmt: skip
    # Arrays are taken out of the tuple once, and ends are ranges of rows, not slices: each of the two would count
    # references in the loop, which made it ten times slower, and slower still on two threads.
    cells, ends, decision = t.cells, t.ends, t.decision
    program_of, column_of, row_of = t.program_of, t.column_of, t.row_of
    port_class, object_node, kind = t.port_class, t.object_node, t.kind
    composite_starts, composite_flags = t.composite_starts, t.composite_flags
    first_keys, frontend_keys, every_starts, distinct_starts = (
        t.first_keys,
        t.frontend_keys,
        t.frontend_starts,
        t.distinct_starts,
    )
    plain, mixed_cells, reason_of = t.frontend_plain, t.mixed, t.reason_of
    first_node, first_composite = t.limits[FIRST_NODE], t.limits[FIRST_COMPOSITE]
    pods = t.limits[PODS]
    last_node = pods + t.limits[NODES]
    hairpin_allowed = t.limits[SETTINGS] & HAIRPIN_ALLOWED != 0
    own_node_egress = t.limits[SETTINGS] & OWN_NODE_EGRESS_ALLOWED != 0
    all_known, none_named = port_known.size == 0, destination_named.size == 0

    for m in range(special.size):
        i = special[m]
        slot = np.int64(t.slot_of[protocol[i]])
        known = all_known or port_known[i]
        s, d = np.int64(source_place[i]), np.int64(destination_place[i])
        fixed = _problem(s, d, slot)
        if d <= MIXED_FAMILIES:
            d = MIXED_FAMILIES - d
        elif d == SAME:
            d = s

        source_row, sources = np.int64(-1), np.int64(1)
        if s >= first_composite:
            source_row = np.int64(composite_starts[s - first_composite])
            sources = composite_starts[s - first_composite + 1] - source_row
        target_row, targets = np.int64(-1), np.int64(1)
        through_service = False
        if fixed < 0 and d >= first_node:
            if d >= first_composite:
                flags = np.int64(composite_flags[d - first_composite])
            elif kind[d] == KIND_NODE_V4:
                flags = np.int64(FLAG_NODE_V4)
            else:
                flags = np.int64(FLAG_NODE_V6 if kind[d] == KIND_NODE_V6 else 0)
            frontend = np.int64(-1)
            if none_named or not destination_named[i]:
                tail = slot << 16 | np.int64(port[i])
                if flags & FLAG_SERVICE and known and slot < NO_PORT_SLOT:
                    composite = d - first_composite
                    for place in range(first_keys[composite], first_keys[composite + 1]):
                        if frontend_keys[place] == (composite + 2) << 18 | tail:
                            frontend = np.int64(place)
                if frontend < 0 and flags > FLAG_SERVICE and known and slot < NO_PORT_SLOT:
                    base = np.int64(0 if flags & FLAG_NODE_V4 else 1)
                    frontend = _find_key(frontend_keys, base << 18 | tail)
            if frontend >= 0:
                through_service = True
                target_row = np.int64(distinct_starts[frontend])
                targets = distinct_starts[frontend + 1] - target_row
                enough = plain[frontend] and s < first_node
                for b in range(targets):
                    enough = enough and ends[target_row + b, 0] != s
                if not enough:
                    target_row = np.int64(every_starts[frontend])
                    targets = every_starts[frontend + 1] - target_row
            elif flags == FLAG_SERVICE:
                targets = np.int64(0)
            elif d >= first_composite:
                target_row = np.int64(composite_starts[d - first_composite])
                targets = composite_starts[d - first_composite + 1] - target_row
            if targets == 0:
                fixed = CELL_NO_BACKEND
        if fixed >= 0:
            for k in range(egress.shape[0]):
                egress[k, i] = ingress[k, i] = cells[fixed]
                verdict[k, i] = UNKNOWN
            continue
        if source_row < 0 and target_row < 0 and source_object[m] != destination_object[m] and d != s:
            near = object_node[source_object[m]] == object_node[destination_object[m]]
            enters = near and destination_object[m] < pods and pods <= source_object[m] < last_node
            leaves = near and own_node_egress and source_object[m] < pods and pods <= destination_object[m] < last_node
            to_class = np.int64(port_class[slot << 16 | np.int64(port[i])] if known else t.missing_port_class[slot])
            if destination_place[i] > MIXED_FAMILIES:
                for k in range(egress.shape[0]):
                    out_cell = np.int64(decision[row_of[program_of[2 * k, s] + column_of[0, d]], to_class])
                    back_cell = np.int64(decision[row_of[program_of[2 * k + 1, d] + column_of[1, s]], to_class])
                    if leaves:
                        out_cell = np.int64(cells[CELL_OWN_NODE])
                    if enters:
                        back_cell = np.int64(cells[CELL_OWN_NODE])
                    egress[k, i], ingress[k, i] = out_cell, back_cell
                    verdict[k, i] = both(out_cell & 3, back_cell & 3)
                continue

        for k in range(egress.shape[0]):
            none = np.int64(-1)
            out_allow, out_deny, out_unknown = none, none, none
            back_allow, back_deny, back_unknown = none, none, none
            allowed, denied, unknown = False, False, False
            judged = False
            for a in range(sources):
                source, from_object, from_family = s, np.int64(source_object[m]), np.int64(source_family[m])
                if source_row >= 0:
                    row = source_row + a
                    source, from_object = np.int64(ends[row, 0]), np.int64(ends[row, 1])
                    from_family = np.int64(ends[row, 3])
                for b in range(targets):
                    target, to_object, to_family = d, np.int64(destination_object[m]), np.int64(destination_family[m])
                    to_port = np.int64(0)
                    if target_row >= 0:
                        row = target_row + b
                        target, to_object = np.int64(ends[row, 0]), np.int64(ends[row, 1])
                        to_port, to_family = np.int64(ends[row, 2]), np.int64(ends[row, 3])
                    if from_family != 0 and to_family != 0 and from_family != to_family:
                        continue
                    judged = True
                    same = from_object == to_object and from_object < pods
                    if same and not through_service:
                        out = back = cells[CELL_SELF]
                    elif same and hairpin_allowed:
                        out = back = cells[CELL_HAIRPIN]
                    else:
                        if to_port > 0:
                            ports = np.int64(port_class[slot << 16 | to_port])
                        elif known:
                            ports = np.int64(port_class[slot << 16 | np.int64(port[i])])
                        else:
                            ports = np.int64(t.missing_port_class[slot])
                        out = decision[row_of[program_of[2 * k, source] + column_of[0, target]], ports]
                        back = decision[row_of[program_of[2 * k + 1, target] + column_of[1, source]], ports]
                        if object_node[from_object] == object_node[to_object]:
                            if to_object < pods and pods <= from_object < last_node:
                                back = cells[CELL_OWN_NODE]
                            if own_node_egress and from_object < pods and pods <= to_object < last_node:
                                out = cells[CELL_OWN_NODE]
                    out_allow, out_deny, out_unknown = _noted(out_allow, out_deny, out_unknown, out)
                    back_allow, back_deny, back_unknown = _noted(back_allow, back_deny, back_unknown, back)
                    together = both(out & np.uint32(3), back & np.uint32(3))
                    allowed |= together == ALLOW
                    denied |= together == DENY
                    unknown |= together == UNKNOWN
            if not judged:
                egress[k, i] = ingress[k, i] = cells[CELL_MIXED_FAMILIES]
                verdict[k, i] = UNKNOWN
                continue
            out_cell = _only(out_allow, out_deny, out_unknown)
            back_cell = _only(back_allow, back_deny, back_unknown)
            if out_cell < 0:
                out_cell = _mixed(mixed_cells, reason_of, out_allow, out_deny, out_unknown)
            if back_cell < 0:
                back_cell = _mixed(mixed_cells, reason_of, back_allow, back_deny, back_unknown)
            egress[k, i], ingress[k, i] = out_cell, back_cell
            if unknown or (allowed and denied):
                verdict[k, i] = UNKNOWN
            else:
                verdict[k, i] = DENY if denied else ALLOW


@kernel
def _problem(source, destination, slot):
    """Return the cell number of what makes a flow impossible to judge, or -1; in the order in which it is told."""
    if slot == MISSING_SLOT:
        return CELL_UNKNOWN_PROTOCOL
    if source == NO_ADDRESS or destination == NO_ADDRESS:
        return CELL_NO_ADDRESS
    if source == UNKNOWN_POD or destination == UNKNOWN_POD:
        return CELL_UNKNOWN_POD
    return -1


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
        return np.int64(low)
    return np.int64(-1)


@kernel
def _noted(allow, deny, unknown, cell):
    """Note the first cell of each verdict; -1 stands for none yet."""
    kind = cell & np.uint32(3)
    if kind == ALLOW and allow < 0:
        return np.int64(cell), deny, unknown
    if kind == DENY and deny < 0:
        return allow, np.int64(cell), unknown
    if kind == UNKNOWN and unknown < 0:
        return allow, deny, np.int64(cell)
    return allow, deny, unknown


@kernel
def _only(allow, deny, unknown):
    """Return the one cell of a direction, or -1 where there are several."""
    if (allow >= 0) + (deny >= 0) + (unknown >= 0) > 1:
        return np.int64(-1)
    return max(allow, deny, unknown)


@kernel
def _mixed(mixed_cells, reason_of, allow, deny, unknown):
    """Return the cell of a direction whose ends disagree."""
    return np.int64(mixed_cells[_reason(reason_of, allow), _reason(reason_of, deny), _reason(reason_of, unknown)])


@kernel
def _reason(reason_of, cell):
    """Return the place of a cell's reason in the table of mixed cells; 0 for no cell."""
    return np.int64(0) if cell < 0 else np.int64(reason_of[cell >> 2]) + 1
