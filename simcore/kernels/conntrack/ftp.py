"""Connections that a helper expects: lines of FTP that name one, and the packets that open it (semantics C-10)."""

import numpy as np

from ..jit import kernel
from .buckets import EXPECTED_COUNT
from .entries import FIN, SYN
from .window import end_of, is_before

LIFE = 300_000_000_000  # ns
REMEMBERED = 2
ANY_SOURCE_PORT = np.uint64(0xFFFFFFFF)


@kernel
def is_expected(table, tuples, now):
    """Whether a packet opens an expected connection, which is then expected no longer."""
    for i in range(table.numbers[EXPECTED_COUNT]):
        expected = table.expected[i]
        if expected.expiry > now and matches(expected.tuple, tuples):
            drop(table, i)
            return True
    return False


@kernel
def matches(expected, tuples):
    """Whether a tuple is an expected one; its source port does not matter."""
    for i in range(4):
        if expected[i] != tuples[i]:
            return False
    return expected[4] & ANY_SOURCE_PORT == tuples[4] & ANY_SOURCE_PORT


@kernel
def drop(table, place):
    """Take one expectation out of the list, the order being kept."""
    count = table.numbers[EXPECTED_COUNT] - 1
    for i in range(place, count):
        table.expected[i] = table.expected[i + 1]
    table.numbers[EXPECTED_COUNT] = count


@kernel
def read_line(table, entry, direction, packet, replied, most):
    """Read the payload of a control connection.

    A line counts only right after the end of another one of the same direction; that is why the first of a session is
    not read.
    """
    if not replied or packet.length <= 0:
        return
    helper = table.helpers[entry]
    known = np.int64(helper.known[direction])
    follows = packet.sequence < 0 and known > 0
    for i in range(known):
        follows = follows or np.int64(helper.after_line[direction, i]) == packet.sequence
    if follows and packet.expects:
        expect(table, entry, packet, most)
    if packet.line:
        after = max(end_of(np.int64(packet.flags) & ~(SYN | FIN), packet.sequence, packet.length), np.int64(0))
        remember(helper, direction, after)


@kernel
def remember(helper, direction, after):
    """Keep the sequence number that follows a line, the two highest of each direction."""
    known = np.int64(helper.known[direction])
    for i in range(known):
        if np.int64(helper.after_line[direction, i]) == after:
            return
    if known < REMEMBERED:
        helper.after_line[direction, known] = np.uint32(after)
        helper.known[direction] = np.uint8(known + 1)
        return
    oldest = 0 if is_before(helper.after_line[direction, 0], helper.after_line[direction, 1]) else 1
    if is_before(helper.after_line[direction, oldest], after):
        helper.after_line[direction, oldest] = np.uint32(after)


@kernel
def expect(table, entry, packet, most):
    """Expect a connection; each control connection expects one at a time."""
    count = table.numbers[EXPECTED_COUNT]
    for i in range(count):
        if table.expected[i].master == entry:
            drop(table, i)
            count -= 1
            break
    if count < min(most, table.expected.size):
        table.expected[count].tuple[:] = packet.expected
        table.expected[count].expiry = packet.time + LIFE
        table.expected[count].master = entry
        table.numbers[EXPECTED_COUNT] = count + 1
