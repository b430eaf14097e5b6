"""The kernel that judges what the hot one leaves: nodes, Services, shared addresses, missing parts."""

import numpy as np

from .classify import ALLOW, DENY, MISSING_SLOT, NO_PORT_SLOT, UNKNOWN, both
from .extras import SCAN, on_condition, settled
from .jit import kernel
from .places import (
    FIRST_COMPOSITE,
    FIRST_NODE,
    MIXED_FAMILIES,
    NO_ADDRESS,
    NOBODY,
    NODES,
    POD_NOT_THERE,
    PODS,
    SAME,
    SETTINGS,
    SEVERAL,
    UNKNOWN_POD,
)

# Positions in Arrays.cells.
CELL_UNKNOWN_PROTOCOL, CELL_NO_ADDRESS, CELL_UNKNOWN_POD, CELL_NO_BACKEND, CELL_MIXED_FAMILIES = 0, 1, 2, 3, 4
CELL_SELF, CELL_HAIRPIN, CELL_OWN_NODE = 5, 6, 7
CELL_POD_NOT_THERE, CELL_NOBODY, CELL_SEVERAL = 8, 9, 11

HAIRPIN_ALLOWED, OWN_NODE_EGRESS_ALLOWED, OWN_NODE_INGRESS_ALLOWED = 1, 2, 4
KIND_NODE_V4, KIND_NODE_V6 = 2, 3
FLAG_SERVICE, FLAG_NODE_V4, FLAG_NODE_V6 = 1, 2, 4
SCOPE_CLIENT = 1


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
    node_ports,
    extra,
    request,
    vectors,
    egress,
    ingress,
    verdict,
    notes,
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
    destination_named, protocol, port, port_known
        As for `judge`.
    node_ports : int32[n] or int32[0]
        The composite whose frontends are node ports for each flow; -1 where they are those of all times.
    extra : uint16[n] or uint16[0]
        Extra classes; empty where no rule asks for them, nor for requests.
    request, vectors, notes
        As for `simcore.kernels.extras.settle`; notes are added for flows with several pairs of ends.
    egress, ingress, verdict
        As for `judge`; cells that name rows of ``t.scan`` are left where a flow has one pair of ends.
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
    judged_hairpins = program_of.shape[0] > 2 * egress.shape[0]
    scan, divided, conditional = t.scan, t.divided, t.conditional
    ladder_of, ladder_starts, rungs = t.ladder_of, t.ladder_starts, t.rungs
    own_node_egress = t.limits[SETTINGS] & OWN_NODE_EGRESS_ALLOWED != 0
    own_node_ingress = t.limits[SETTINGS] & OWN_NODE_INGRESS_ALLOWED != 0
    nearness = t.nearness
    asks_nearness = nearness.shape[1] > 0
    all_known, none_named = port_known.size == 0, destination_named.size == 0

    for m in range(special.size):
        i = special[m]
        slot = np.int64(t.slot_of[protocol[i]])
        known = all_known or port_known[i]
        s, d = np.int64(source_place[i]), np.int64(destination_place[i])
        asked = request[i] if request.size else np.int32(-1)
        fixed = _problem(s, d, slot)
        if SEVERAL < d <= MIXED_FAMILIES:
            d = MIXED_FAMILIES - d
        elif d == SAME:
            d = s

        source_row, sources, here, there = np.int64(-1), np.int64(1), np.int64(-1), np.int64(-1)
        if s >= first_composite:
            source_row = np.int64(composite_starts[s - first_composite])
            sources = composite_starts[s - first_composite + 1] - source_row
        target_row, targets = np.int64(-1), np.int64(1)
        through_service = False
        dialled = np.int64(-1)
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
                    if node_ports.size and node_ports[i] >= 0:
                        base = np.int64(2 + node_ports[i])
                    frontend = _find_key(frontend_keys, base << 18 | tail)
                    dialled = np.int64(object_node[destination_object[m]])
                    for each in range(
                        composite_starts[max(d - first_composite, 0)],
                        composite_starts[max(d - first_composite + 1, 0)],
                    ):
                        if pods <= ends[each, 1] < last_node:
                            dialled = np.int64(object_node[ends[each, 1]])
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
                verdict[k, i] = cells[fixed] & 3
            continue
        if source_row < 0 and target_row < 0 and source_object[m] != destination_object[m] and d != s:
            near = object_node[source_object[m]] == object_node[destination_object[m]]
            enters = near and own_node_ingress and destination_object[m] < pods and pods <= source_object[m] < last_node
            leaves = near and own_node_egress and source_object[m] < pods and pods <= destination_object[m] < last_node
            to_class = np.int64(port_class[slot << 16 | np.int64(port[i])] if known else t.missing_port_class[slot])
            from_source, from_destination = d, s
            if asks_nearness and (object_node[source_object[m]] < 0 or object_node[destination_object[m]] < 0):
                from_source, from_destination = np.int64(nearness[1, d]), np.int64(nearness[1, s])
            elif asks_nearness and near:
                from_source, from_destination = np.int64(nearness[0, d]), np.int64(nearness[0, s])
            if destination_place[i] > MIXED_FAMILIES:
                for k in range(egress.shape[0]):
                    out_row = row_of[program_of[2 * k, s] + column_of[0, from_source]]
                    back_row = row_of[program_of[2 * k + 1, d] + column_of[1, from_destination]]
                    out_cell, back_cell = np.int64(decision[out_row, to_class]), np.int64(decision[back_row, to_class])
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
            judged, served = False, False
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
                        scope = np.int64(ends[row, 4])
                        if scope != 0:
                            here, there = np.int64(object_node[from_object]), np.int64(object_node[to_object])
                            if scope != SCOPE_CLIENT:
                                here = dialled if from_object >= last_node else np.int64(-1)
                            if here >= 0 and there >= 0 and there != here:
                                continue
                    served = True
                    if from_family != 0 and to_family != 0 and from_family != to_family:
                        continue
                    judged = True
                    same = from_object == to_object and from_object < pods
                    if same and not through_service:
                        out = back = cells[CELL_SELF]
                    elif same and hairpin_allowed and not judged_hairpins:
                        out = back = cells[CELL_HAIRPIN]
                    else:
                        programs = 2 * k
                        if same and hairpin_allowed:
                            programs += 2 * egress.shape[0]
                        if to_port > 0:
                            ports = np.int64(port_class[slot << 16 | to_port])
                        elif known:
                            ports = np.int64(port_class[slot << 16 | np.int64(port[i])])
                        else:
                            ports = np.int64(t.missing_port_class[slot])
                        from_source, from_target = target, source
                        if asks_nearness and (object_node[from_object] < 0 or object_node[to_object] < 0):
                            from_source, from_target = np.int64(nearness[1, target]), np.int64(nearness[1, source])
                        elif asks_nearness and object_node[from_object] == object_node[to_object]:
                            from_source, from_target = np.int64(nearness[0, target]), np.int64(nearness[0, source])
                        out = decision[row_of[program_of[programs, source] + column_of[0, from_source]], ports]
                        back = decision[row_of[program_of[programs + 1, target] + column_of[1, from_target]], ports]
                        if object_node[from_object] == object_node[to_object]:
                            if own_node_ingress and to_object < pods and pods <= from_object < last_node:
                                back = cells[CELL_OWN_NODE]
                            if own_node_egress and from_object < pods and pods <= to_object < last_node:
                                out = cells[CELL_OWN_NODE]
                        if scan.shape[0] > 0 and out & np.uint32(3) == SCAN:
                            out, note = settled(
                                out, scan, divided, ladder_of, ladder_starts, rungs, extra[i], asked, vectors
                            )
                            notes[i] |= note
                        if scan.shape[0] > 0 and back & np.uint32(3) == SCAN:
                            back, note = settled(
                                back, scan, divided, ladder_of, ladder_starts, rungs, extra[i], asked, vectors
                            )
                            notes[i] |= note
                    out_allow, out_deny, out_unknown = _noted(out_allow, out_deny, out_unknown, out)
                    back_allow, back_deny, back_unknown = _noted(back_allow, back_deny, back_unknown, back)
                    together = both(out & np.uint32(3), back & np.uint32(3))
                    allowed |= together == ALLOW
                    denied |= together == DENY
                    unknown |= together == UNKNOWN
            if not judged:
                cell = cells[CELL_MIXED_FAMILIES if served else CELL_NO_BACKEND]
                egress[k, i] = ingress[k, i] = cell
                verdict[k, i] = cell & 3
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
            if scan.shape[0] > 0 and k == egress.shape[0] - 1:
                notes[i] |= on_condition(conditional, egress[k, i], ingress[k, i], verdict[k, i])


@kernel
def _problem(source, destination, slot):
    """Return the cell number of what makes a flow impossible to judge, or -1; in the order in which it is told."""
    if slot == MISSING_SLOT:
        return CELL_UNKNOWN_PROTOCOL
    if source == NO_ADDRESS or destination == NO_ADDRESS:
        return CELL_NO_ADDRESS
    if source == UNKNOWN_POD or destination == UNKNOWN_POD:
        return CELL_UNKNOWN_POD
    if source == POD_NOT_THERE or destination == POD_NOT_THERE:
        return CELL_POD_NOT_THERE
    if source == NOBODY or destination == NOBODY:
        return CELL_NOBODY
    if source <= SEVERAL:
        return CELL_SEVERAL + SEVERAL - source
    if destination <= SEVERAL:
        return CELL_SEVERAL + SEVERAL - destination
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
