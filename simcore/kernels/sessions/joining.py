"""Kernels that find records of one connection made before and after its addresses were translated."""

import numpy as np

from ..jit import kernel
from .records import mixed

MOST_RECORDS = 256
"""A record that so many others may be of one connection with is left alone."""
_MAPPED = np.uint64(0xFFFF) << np.uint64(32)


@kernel
def print_of(high, low):
    """Return the fingerprint of an address, given as halves, IPv4 mapped into IPv6."""
    return mixed(mixed(np.uint64(0x9E3779B9), high), low)


@kernel
def print_addresses(high, low, prints):
    """Write the fingerprints of addresses, uint64[n] each."""
    for i in range(high.size):
        prints[i] = print_of(high[i], low[i])


@kernel
def print_ends(high, low, port, protocol, prints):
    """Write the fingerprints of ends of connections: address, port and protocol (0 for any)."""
    for i in range(high.size):
        prints[i] = mixed(print_of(high[i], low[i]), np.uint64(port[i]) | np.uint64(protocol[i]) << np.uint64(16))


@kernel
def near_v4(addresses, near, rows):
    """List the rows whose IPv4 address may be one of some.

    Parameters
    ----------
    addresses : uint32[n]
    near : uint8[power of two]
        1 where the lower bits of the fingerprint of one of them lead.
    rows : int64[n]
        Written up to the returned number.
    """
    found = 0
    mask = np.uint64(near.size - 1)
    for i in range(addresses.size):
        rows[found] = i
        found += near[np.uintp(print_of(np.uint64(0), np.uint64(addresses[i]) | _MAPPED) & mask)]
    return found


@kernel
def near_wide(high, low, near, rows):
    """List the rows whose address, given as halves, may be one of some; see `near_v4`."""
    found = 0
    mask = np.uint64(near.size - 1)
    for i in range(high.size):
        rows[found] = i
        found += near[np.uintp(print_of(high[i], low[i]) & mask)]
    return found


@kernel
def find_dialled(doors, high, low, known, pods, port, protocol, rows, frontends, nodes):
    """Find the records of which one end is what a Service answers to.

    Parameters
    ----------
    doors : DoorArrays
        See `simcore.analyses.sessions.doors`.
    high, low, known, pods
        That end: halves of the address, whether it is known, and the pod that the record names.
    port : uint16[n]
        0 where missing.
    protocol : uint8[n]
    rows : int64[n]
        Written up to the returned number: which records.
    frontends, nodes : int32[n]
        Written likewise: the frontend, and the node of a node port, or -1.
    """
    found = 0
    for i in range(high.size):
        number = np.int64(protocol[i])
        slot = np.int64(0 if number == 6 else 1 if number == 17 else 2 if number == 132 else 3)
        if slot == 3 or not known[i] or pods[i] >= 0 or port[i] == 0:
            continue
        place = _find(doors.addresses, print_of(high[i], low[i]))
        if place < 0:
            continue
        tail = slot << 16 | np.int64(port[i])
        frontend, node = np.int64(-1), np.int64(-1)
        if doors.services[place] >= 0:
            frontend = _find(doors.keys, np.int64(doors.services[place]) << 18 | tail)
        if frontend < 0 and doors.nodes[place] >= 0:
            frontend = _find(doors.keys, np.int64(doors.families[place]) << 18 | tail)
            node = np.int64(doors.nodes[place])
        if frontend >= 0:
            rows[found] = i
            frontends[found] = frontend
            nodes[found] = node
            found += 1
    return found


@kernel
def find_reached(
    doors,
    clients,
    near_clients,
    ports,
    client_high,
    client_low,
    client_port,
    server_high,
    server_low,
    server_port,
    protocol,
    usable,
    rows,
    targets,
    keys,
    nodes,
):
    """Find the records of what stands behind Services, of clients that dialled one or that a node stands for.

    Parameters
    ----------
    doors : DoorArrays
    clients : uint64[c]
        Fingerprints of the ends that dialled, ascending.
    near_clients : uint8[power of two]
        As in `near_v4`.
    ports : uint8[3, 65536]
        1 for ports of clients outside of the cluster, of TCP, UDP and SCTP.
    client_high, client_low, server_high, server_low : uint64[n]
    client_port, server_port : uint16[n]
    protocol : uint8[n]
    usable : bool[n]
        Whether both addresses are known, and the record is not itself one of what was dialled.
    rows : int64[n]
        Written up to the returned number: which records.
    targets : int32[n]
        Written likewise: what is reached.
    keys : uint64[n]
        The fingerprint of the client; of a node that may stand for one, ``protocol << 16 | port``.
    nodes : int32[n]
        The place of the address of that node among `doors`, or -1.
    """
    found = 0
    near_doors, reachable = doors.near, doors.targets
    doors_mask, clients_mask = np.uint64(near_doors.size - 1), np.uint64(near_clients.size - 1)
    for i in range(client_high.size):
        number = np.int64(protocol[i])
        slot = np.int64(0 if number == 6 else 1 if number == 17 else 2 if number == 132 else 3)
        if slot == 3 or not usable[i] or client_port[i] == 0:
            continue
        address = print_of(client_high[i], client_low[i])
        client = mixed(address, np.uint64(client_port[i]) | np.uint64(protocol[i]) << np.uint64(16))
        dialled = near_clients[np.uintp(client & clients_mask)] != 0
        replaced = ports[slot, client_port[i]] and near_doors[np.uintp(address & doors_mask)]
        if not dialled and not replaced:
            continue
        server = mixed(print_of(server_high[i], server_low[i]), np.uint64(server_port[i]))
        target = _find(reachable, server)
        if target < 0:
            continue
        rows[found], targets[found], keys[found], nodes[found] = i, target, client, -1
        if dialled and _find(clients, client) >= 0:
            found += 1
        elif replaced:
            place = _find(doors.addresses, address)
            if place >= 0 and doors.nodes[place] >= 0:
                keys[found] = np.uint64(number << 16 | np.int64(client_port[i]))
                nodes[found] = place
                found += 1
    return found


@kernel
def choose_records(
    key,
    begin,
    end,
    opens,
    way,
    frontend,
    target,
    node,
    of_key,
    of_begin,
    of_end,
    of_opens,
    of_top,
    of_way,
    of_target,
    of_node,
    pairs,
    place_of_node,
    slack,
    chosen,
    twin,
):
    """Choose for records before translation the one connection behind the Service that they may belong to.

    Parameters
    ----------
    key : uint64[n]
        What both records tell of the client.
    begin, end : int64[n]
        First and last packet, ns.
    opens : bool[n]
        Whether it has the first packet of a connection: it belongs to none that begins before it.
    way : uint8[n]
        1 where the record runs from server to client.
    frontend, target, node : int32[n]
        What was dialled; what is reached, if that is known, else -1; the node whose port was dialled, or -1.
    of_key, of_begin, of_end, of_opens, of_way, of_target, of_node
        The same of records after translation, ordered by key and begin; the node is the place of its address.
    of_top : int64[m]
        The latest end of the records of the key up to this one.
    pairs : int64[p]
        ``frontend << 32 | target``, ascending.
    place_of_node : int32[a]
        The node at each place.
    slack : int
        How far apart in time records of one connection may be, ns.
    chosen : int64[n]
        Written: the place of a record of that connection; -1 where there is none, or no single one.
    twin : int64[n]
        Written: of the records of that connection that run the same way, the one that begins nearest; else -1.
    """  # fmt: skip
    for i in range(key.size):
        chosen[i] = twin[i] = -1
        low = np.searchsorted(of_key, key[i])
        high = np.searchsorted(of_key, key[i], side="right")
        high = low + np.searchsorted(of_begin[low:high], end[i] + slack, side="right")
        steps, nearest, is_one = 0, np.int64(0), True
        j = high - 1
        while j >= low and of_top[j] >= begin[i] - slack and is_one:
            steps += 1
            is_one = steps <= MOST_RECORDS
            fits = of_end[j] >= begin[i] - slack
            fits = fits and not (opens[i] and of_begin[j] < begin[i] - slack)
            fits = fits and not (of_opens[j] and begin[i] < of_begin[j] - slack)
            if fits and node[i] >= 0:
                fits = of_node[j] < 0 or place_of_node[of_node[j]] == node[i]
            if fits and target[i] >= 0:
                fits = target[i] == of_target[j]
            elif fits:
                fits = _find(pairs, np.int64(frontend[i]) << 32 | np.int64(of_target[j])) >= 0
            if fits:
                if chosen[i] >= 0:
                    same = of_target[chosen[i]] == of_target[j] and of_node[chosen[i]] == of_node[j]
                    is_one = is_one and same
                chosen[i] = j
                distance = abs(of_begin[j] - begin[i])
                if of_way[j] == way[i] and (twin[i] < 0 or distance <= nearest):
                    twin[i] = j
                    nearest = distance
            j -= 1
        if not is_one:
            chosen[i] = twin[i] = -1


@kernel
def is_contested(key, client, begin, end, top, frontend, target, node, reached, reached_node, pairs, slack, contested):
    """Tell which records have a rival: another client whose connection the same record of a node may stand for.

    Parameters
    ----------
    key : uint64[n]
        Protocol and port of the client; the records are ordered by it and by `begin`.
    client : uint64[n]
        Fingerprint of the client.
    begin, end, frontend, target, node
        As for `choose_records`.
    top : int64[n]
        The latest end of the records of the key up to this one.
    reached, reached_node : int32[n]
        What a node was found to reach for this record, and that node; -1 where none.
    pairs, slack
        As for `choose_records`.
    contested : bool[n]
        Written.
    """
    for i in range(key.size):
        contested[i] = False
        if reached[i] < 0:
            continue
        low = np.searchsorted(key, key[i])
        high = np.searchsorted(key, key[i], side="right")
        j = low + np.searchsorted(begin[low:high], end[i] + slack, side="right") - 1
        steps = 0
        while j >= low and top[j] >= begin[i] - slack and not contested[i]:
            steps += 1
            rival = client[j] != client[i] and end[j] >= begin[i] - slack
            rival = rival and (node[j] < 0 or node[j] == reached_node[i])
            if rival and target[j] >= 0:
                rival = target[j] == reached[i]
            elif rival:
                rival = _find(pairs, np.int64(frontend[j]) << 32 | np.int64(reached[i])) >= 0
            contested[i] = rival or steps > MOST_RECORDS
            j -= 1


@kernel
def running_tops(key, end, top):
    """Write the latest end of the records of each key so far; records are ordered by key."""
    for i in range(key.size):
        top[i] = end[i]
        if i > 0 and key[i] == key[i - 1]:
            top[i] = max(top[i], top[i - 1])


@kernel
def _find(values, wanted):
    """Return the place of a value among ascending ones, or -1."""
    low, high = np.int64(0), np.int64(values.size)
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    if low < values.size and values[low] == wanted:
        return low
    return np.int64(-1)
