"""Kernels that tell which nodes hold an entry of a connection (C-9)."""

import numpy as np

from ..jit import kernel
from ..sessions.records import UNTRACKED
from ..sessions.sessions import ANSWERED, EGRESS_DENIED, EVIDENCE, FLAGS, FORWARD, HINT, LOW, MANY, PASSES, REVERSE
from .occupancy import NODE_BITS, OWNER_SHIFT

DIRECT, THROUGH, TUNNEL, ENTERS = 0, 1, 2, 3
"""How a connection gets to an end: by itself, through a Service, as a tunnel; from ENTERS on by way of a node."""


@kernel
def mix(word):
    """Stir the bits of a word."""
    word = (word ^ (word >> np.uint64(31))) * np.uint64(0x9E3779B97F4A7C15)
    word = (word ^ (word >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return word ^ (word >> np.uint64(32))


@kernel
def resolve_ends(end, other, port, protocol, key, objects, pods, object_node, entrances, starts, backends, ports):
    """Turn Services and node ports into the backend that a connection is taken to reach, and the node it enters by.

    Parameters
    ----------
    end : int32[n]
        Objects of one end; written: ``way * objects + object``, the way being DIRECT, THROUGH, or ENTERS + node.
    other : int32[n]
        Objects of the other ends.
    port : uint16[n]
        Port of the end; 0 where it has none.
    protocol : uint8[n]
        IANA number.
    key : uint64[n]
        Tells connections apart; it picks the backend, and the node by which somebody from outside enters.
    objects, pods : int
        How many objects there are, and how many of them are pods.
    object_node : int32[objects]
        Node of each pod and node; below 0: none.
    entrances : int32[e]
        Nodes by which somebody from outside may enter.
    starts : int32[objects + node ports + 1]
        Where the backends of each object that is a Service, then of each node port, start.
    backends : int32[...]
        Objects.
    ports : int64[node ports]
        ``protocol << 16 | port`` of each, ascending.
    """
    last_port = ports.size
    for i in range(end.size):
        found = np.int64(end[i])
        chosen = mix(key[i])
        list_of = found
        way = np.int64(DIRECT)
        if pods <= found and object_node[found] >= 0 and last_port > 0 and port[i] > 0:
            wanted = np.int64(protocol[i]) << 16 | np.int64(port[i])
            place = np.searchsorted(ports, wanted)
            if place < last_port and ports[place] == wanted:
                list_of = objects + place
                way = np.int64(ENTERS + object_node[found])
        count = np.int64(starts[list_of + 1] - starts[list_of])
        if count > 0:
            found = np.int64(backends[starts[list_of] + np.int64(chosen % np.uint64(count))])
            if list_of < objects:
                way = np.int64(THROUGH)
                if entrances.size > 0 and object_node[other[i]] < 0 and other[i] >= pods:
                    way = np.int64(ENTERS + entrances[np.int64((chosen >> np.uint64(32)) % np.uint64(entrances.size))])
        else:
            way = np.int64(DIRECT)
        end[i] = way * objects + found


@kernel
def find_paths(
    source, destination, protocol, denied, is_doubled, unknown, objects, pods, object_node, label_of, tunnel, path
):
    """Tell whose entries these are, and which nodes hold one.

    Parameters
    ----------
    source, destination : int32[n]
        Ends of connections, the opener first, as `resolve_ends` writes them.
    protocol : uint8[n]
        IANA number.
    denied : uint8[n]
        Whether policy drops it at its destination, so that the last node has no entry (C-9).
    is_doubled : bool
        Cilium's own tables: each end of a connection has an entry of its own, pods only have ends, and every node
        has two tables, ``2 * node`` for TCP and ``2 * node + 1`` for the rest.
    unknown : int
        Node of pods of which none is known.
    objects, pods : int
        How many objects there are, and how many of them are pods.
    object_node : int32[objects]
        Node of each pod and node; below 0: none.
    label_of : int32[objects]
        Label of each object.
    tunnel : bool[n]
        Written: whether these are entries of a tunnel between nodes.
    path : int64[n]
        Written; see `simcore.kernels.sizing.occupancy.find_peaks`.
    """
    for i in range(source.size):
        opener, server = np.int64(source[i]), np.int64(destination[i])
        way = max(opener // objects, server // objects)
        opener, server = opener % objects, server % objects
        here, there = np.int64(object_node[opener]), np.int64(object_node[server])
        here = np.int64(unknown) if opener < pods and here < 0 else here
        there = np.int64(unknown) if server < pods and there < 0 else there
        enters = way - ENTERS if way >= ENTERS else np.int64(-1)
        owner = opener if here >= 0 else server
        tunnel[i] = way == TUNNEL
        none = np.int64(-1)
        if opener == server and opener < pods and way == DIRECT:
            here, there = none, none
        if is_doubled:
            here = here if opener < pods else none
            there = there if server < pods else none
            enters = none if here >= 0 else enters
            if denied[i]:
                here, there, enters = none, none, none
            table = np.int64(protocol[i] != 6)
            here = 2 * here + table if here >= 0 else none
            there = 2 * there + table if there >= 0 else none
            enters = 2 * enters + table if enters >= 0 else none
        elif denied[i]:
            here = none if here == there else here
            enters = none if enters == there else enters
            there = none
        nodes = np.int64(0)
        shift = np.int64(0)
        if here >= 0:
            nodes |= (here + 1) << shift
            shift += np.int64(NODE_BITS)
        if enters >= 0 and enters != here:
            for _ in range(2 if is_doubled else 1):
                nodes |= (enters + 1) << shift
                shift += np.int64(NODE_BITS)
        if there >= 0 and (is_doubled or (there != here and there != enters)):
            nodes |= (there + 1) << shift
        path[i] = np.int64(label_of[owner]) << np.int64(OWNER_SHIFT) | nodes


@kernel
def tunnel_rows(rows, objects, pods, object_node, way, out):
    """Write records of the outer packets of a tunnel for records between pods of two nodes.

    Parameters
    ----------
    rows : ROW[n]
        With ends as `resolve_ends` writes them.
    objects, pods : int
        How many objects there are, and how many of them are pods.
    object_node : int32[objects]
        Node of each pod and node; below 0: none.
    way : int
        What marks an end of a tunnel.
    out : ROW[2 * n]
        Written up to the returned number.
    """
    written = 0
    for i in range(rows.size):
        row = rows[i]
        client, server = np.int64(row["source"]) % objects, np.int64(row["destination"]) % objects
        if row["protocol"] == UNTRACKED:
            continue
        here, there = np.int64(object_node[client]), np.int64(object_node[server])
        if client >= pods or server >= pods or here < 0 or there < 0 or here == there:
            continue
        code = np.int64(row["codes"]) & 0x33
        what = np.int64(row["what"])
        turned = what >> HINT & 3 == REVERSE
        for side in range(2):
            # Outer packets run with the record's own; the other way only where it tells of an answer.
            backward = (side == 1) != turned
            if side == 1 and what & ANSWERED == 0:
                continue
            source, destination = (server, client) if backward else (client, server)
            outer = out[written]
            # Outer ports are few: connections that share one share an entry.
            port = mix(np.uint64(row["key"])) % np.uint64(28_232)
            pair = np.uint64(object_node[source]) << np.uint64(32) | np.uint64(object_node[destination])
            outer["key"] = mix(mix(pair) ^ port)
            outer["time"] = row["time"]
            outer["end"] = row["end"]
            outer["row"] = row["row"]
            outer["source"] = source
            outer["destination"] = way * objects + destination
            outer["spacing"] = row["spacing"]
            outer["what"] = (what & MANY) | LOW | FORWARD << HINT | FLAGS << EVIDENCE
            outer["protocol"] = 17
            # What policy stops never leaves the node; what it stops at the other end has come that far.
            outer["codes"] = outer_code(code & 3) | outer_code(code >> 4 & 3) << 4
            written += 1
    return written


@kernel
def outer_code(code):
    """Return the verdict on outer packets: they are there unless the inner ones are stopped where they start."""
    return code if code == EGRESS_DENIED else PASSES
