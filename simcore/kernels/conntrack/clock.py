"""How many entries are live: a heap of the times at which they may expire, looked at as time goes on."""

import numpy as np

from ..jit import kernel
from .buckets import HEAP_ITEMS, LIVE


@kernel
def watch(table, entry):
    """Note an entry's expiry. One that was put off needs no note: the clock finds out when it looks."""
    expiry = table.entries[entry].expiry
    due = table.due[entry]
    if due < 0:
        table.numbers[LIVE] += 1
    elif due <= expiry:
        return
    table.due[entry] = expiry
    push(table, expiry, table.generation[entry] << 32 | entry)


@kernel
def count_live(table, now):
    """Return how many entries are not yet expired."""
    while table.numbers[HEAP_ITEMS] > 0 and table.heap_time[0] <= now:
        item = table.heap_entry[0]
        time = table.heap_time[0]
        pop(table)
        entry, generation = item & 0xFFFFFFFF, item >> 32
        if generation != table.generation[entry] & 0x7FFFFFFF or table.due[entry] != time:
            continue
        expiry = table.entries[entry].expiry
        if expiry > now:
            table.due[entry] = expiry
            push(table, expiry, item)
        else:
            table.due[entry] = -1
            table.numbers[LIVE] -= 1
    return table.numbers[LIVE]


@kernel
def push(table, time, item):
    """Put an item into the heap; there must be room."""
    place = table.numbers[HEAP_ITEMS]
    table.numbers[HEAP_ITEMS] += 1
    while place > 0:
        parent = (place - 1) >> 1
        if table.heap_time[parent] <= time:
            break
        table.heap_time[place] = table.heap_time[parent]
        table.heap_entry[place] = table.heap_entry[parent]
        place = parent
    table.heap_time[place] = time
    table.heap_entry[place] = item


@kernel
def pop(table):
    """Take the earliest item out of the heap."""
    size = table.numbers[HEAP_ITEMS] - 1
    table.numbers[HEAP_ITEMS] = size
    time, item = table.heap_time[size], table.heap_entry[size]
    place = np.int64(0)
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and table.heap_time[child + 1] < table.heap_time[child]:
            child += 1
        if table.heap_time[child] >= time:
            break
        table.heap_time[place] = table.heap_time[child]
        table.heap_entry[place] = table.heap_entry[child]
        place = child
    table.heap_time[place] = time
    table.heap_entry[place] = item
