"""What conntrack does with a packet that is not TCP (C-3, C-4): UDP, UDP-Lite, GRE, ICMP, SCTP and the rest."""

from dataclasses import dataclass, field

from simcore.model.conntrack import CtState

ORIGINAL, REPLY = 0, 1
INVALID = "invalid"
ICMP, UDP, GRE, ICMPV6, SCTP, UDPLITE = 1, 17, 47, 58, 132, 136
SECOND = 1_000_000_000
ICMP_ANSWERS = {8: 0, 13: 14, 15: 16, 17: 18}
ICMPV6_ANSWERS = {128: 129, 139: 140}


def packet(entry, packet, direction, settings, now):
    """Let the entry see a packet; say "invalid", "pass" (no refresh) or ("refresh", seconds)."""
    if packet.protocol == SCTP:
        return sctp(entry, packet, direction, settings)
    if packet.protocol == UDP:
        if entry.memory is None:
            entry.memory = now + 2 * SECOND
        long = entry.replied and now > entry.memory
        return stream(entry, long, settings.nf_conntrack_udp_timeout, settings.nf_conntrack_udp_timeout_stream)
    if packet.protocol == UDPLITE:
        long = entry.replied
        return stream(entry, long, settings.nf_conntrack_udp_timeout, settings.nf_conntrack_udp_timeout_stream)
    if packet.protocol == GRE:
        long = entry.replied
        return stream(entry, long, settings.nf_conntrack_gre_timeout, settings.nf_conntrack_gre_timeout_stream)
    if packet.protocol in (ICMP, ICMPV6):
        requests = ICMP_ANSWERS if packet.protocol == ICMP else ICMPV6_ANSWERS
        if not entry.confirmed and packet.icmp_type not in requests:
            return INVALID
        version = "icmp" if packet.protocol == ICMP else "icmpv6"
        return "refresh", getattr(settings, f"nf_conntrack_{version}_timeout")
    return "refresh", settings.nf_conntrack_generic_timeout


def stream(entry, long, first, lasting):
    if not long:
        return "refresh", first
    entry.assured = True
    return "refresh", lasting


# SCTP. C-4 gives the usual way from INIT to SHUTDOWN COMPLETE; what else may happen, and the rules about tags, are
# those of the sources the page cites. Of a packet only the first chunk is known, and no chunk's flags.

INIT, INIT_ACK, HEARTBEAT, HEARTBEAT_ACK, ABORT = 1, 2, 4, 5, 6
SHUTDOWN, SHUTDOWN_ACK, ERROR, COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE = 7, 8, 9, 10, 11, 14
NONE = CtState.NONE
CLOSED, COOKIE_WAIT, COOKIE_ECHOED = CtState.SCTP_CLOSED, CtState.SCTP_COOKIE_WAIT, CtState.SCTP_COOKIE_ECHOED
ESTABLISHED, HEARTBEAT_SENT = CtState.SCTP_ESTABLISHED, CtState.SCTP_HEARTBEAT_SENT
SENT, RECEIVED, ACK_SENT = CtState.SCTP_SHUTDOWN_SENT, CtState.SCTP_SHUTDOWN_RECD, CtState.SCTP_SHUTDOWN_ACK_SENT
CHUNKS = {INIT, INIT_ACK, HEARTBEAT, HEARTBEAT_ACK, ABORT, SHUTDOWN, SHUTDOWN_ACK, ERROR}
CHUNKS |= {COOKIE_ECHO, COOKIE_ACK, SHUTDOWN_COMPLETE}


@dataclass
class Sctp:
    tags: list = field(default_factory=lambda: [0, 0])  # the tag that packets of each direction must carry
    opened: list = field(default_factory=lambda: [False, False])  # an INIT was seen, no COOKIE ACK since
    doubtful: int | None = None  # direction of the last heartbeat whose tag was wrong


def sctp(entry, packet, direction, settings):
    chunk, tag = packet.sctp_chunk, packet.sctp_tag or 0
    if chunk is None:
        return INVALID
    if entry.memory is None:
        entry.memory = open_association(chunk, packet)
        if entry.memory is None:
            return INVALID
    memory, old = entry.memory, entry.state
    # Which of the two tags ABORT and SHUTDOWN COMPLETE carry is told by a flag that no capture has.
    known = tag in (memory.tags if chunk in (ABORT, SHUTDOWN_COMPLETE) else memory.tags[direction : direction + 1])
    if chunk in (HEARTBEAT, HEARTBEAT_ACK):
        trust = heartbeat(memory, chunk, tag, direction)
        if trust != "known":
            return trust
    elif tag != 0 if chunk == INIT else chunk != SHUTDOWN_ACK and not known:
        return INVALID
    if chunk == COOKIE_ACK:
        memory.opened = [False, False]
    new = next_state(chunk, old, direction)
    if new is INVALID:
        return INVALID
    if chunk == INIT:
        if all(memory.opened):
            memory.opened[1 - direction] = False
        memory.opened[direction] = True
        memory.tags[1 - direction] = packet.sctp_initiate_tag or 0
    if chunk == INIT_ACK:
        expected, given = memory.tags[1 - direction], packet.sctp_initiate_tag or 0
        if expected != given and (all(memory.opened) or (not memory.opened[1 - direction] and expected)):
            return INVALID
        memory.tags[1 - direction] = given
    entry.state = new
    if new is ESTABLISHED and old is not ESTABLISHED:
        entry.assured = True
    if chunk == INIT and old is new is CLOSED and entry.confirmed:
        return "pass"
    return "refresh", getattr(settings, f"nf_conntrack_sctp_timeout_{new.word.lower()}")


def open_association(chunk, packet):
    """What the first packet leaves behind; None where an association cannot begin so."""
    memory = Sctp()
    if chunk not in CHUNKS - {ABORT, SHUTDOWN_COMPLETE, COOKIE_ACK}:
        return None
    if chunk == INIT:
        memory.tags[REPLY] = packet.sctp_initiate_tag or 0
        return None if packet.sctp_tag else memory
    memory.tags[ORIGINAL if chunk == HEARTBEAT else REPLY] = packet.sctp_tag or 0
    return memory


def heartbeat(memory, chunk, tag, direction):
    """Whether to believe a heartbeat: a path's first one teaches its tag, a wrong one is let through, unbelieved."""
    if memory.tags[direction] == 0:
        memory.tags[direction] = tag
    elif tag == memory.tags[direction]:
        memory.doubtful = None
    elif chunk == HEARTBEAT:
        memory.doubtful = direction
        return "pass"
    elif memory.doubtful == 1 - direction:  # both ends agree on new tags
        memory.doubtful = None
        memory.tags[direction], memory.tags[1 - direction] = tag, 0
    else:
        return INVALID
    return "known"


def next_state(chunk, old, direction):
    if direction == REPLY and old is HEARTBEAT_SENT and chunk in CHUNKS:
        return {HEARTBEAT: HEARTBEAT_SENT, HEARTBEAT_ACK: ESTABLISHED}.get(chunk, INVALID)
    if chunk not in CHUNKS:
        return old
    if chunk == ABORT:
        return CLOSED
    if old in (NONE, HEARTBEAT_SENT):
        return first_state(chunk, old)
    if chunk == INIT and direction == ORIGINAL and old in (SENT, RECEIVED):
        return CLOSED
    moves = {
        INIT_ACK: {CLOSED: COOKIE_WAIT} if direction == REPLY else {},
        ERROR: {COOKIE_ECHOED: CLOSED} if direction == REPLY else {},
        COOKIE_ECHO: {COOKIE_WAIT: COOKIE_ECHOED},
        COOKIE_ACK: {COOKIE_ECHOED: ESTABLISHED},
        SHUTDOWN: {ESTABLISHED: SENT if direction == ORIGINAL else RECEIVED},
        SHUTDOWN_ACK: {SENT: ACK_SENT, RECEIVED: ACK_SENT},
        SHUTDOWN_COMPLETE: {ACK_SENT: CLOSED},
    }
    return moves.get(chunk, {}).get(old, old)


def first_state(chunk, old):
    if chunk in (HEARTBEAT, HEARTBEAT_ACK):
        return HEARTBEAT_SENT if chunk == HEARTBEAT or old is HEARTBEAT_SENT else CLOSED
    if chunk == SHUTDOWN_ACK:
        return ACK_SENT
    return COOKIE_WAIT if chunk == INIT and old is HEARTBEAT_SENT else CLOSED
