"""Connection tracking, packet by packet, in plain words: what the page on conntrack says, and the rulesets around it.

Slow and obvious: an entry is an object, the table a list of places, a packet has PACKET_SCHEMA's columns as
attributes. Times are whole nanoseconds. Section numbers (C-2) are those of the semantics page.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from simcore.model.conntrack import STATEFUL, CtClass, CtState

from . import conntrack_protocols as protocols
from . import conntrack_tcp as tcp
from .conntrack_ftp import LIFE, Conversation

ORIGINAL, REPLY = 0, 1
ICMP, TCP, UDP, ICMPV6, SCTP, UDPLITE = 1, 6, 17, 58, 132, 136
SECOND = 1_000_000_000
CHECKED = {ICMP, TCP, UDP, ICMPV6, SCTP, UDPLITE}  # protocols whose checksum is looked at
ICMP_ERRORS = {3, 4, 5, 11, 12}
ICMP_LAST = 18  # higher types are refused
UNTRACKED_TYPES = {130, 131, 132, 133, 134, 135, 136, 137, 143}


@dataclass(frozen=True)
class Packet:
    time: int
    source_address: str
    destination_address: str
    protocol: int
    side: str
    source_port: int = 0
    destination_port: int = 0
    flags: int = 0
    length: int = 0
    sequence: int | None = 0  # None: the capture has no sequence numbers
    acknowledgement: int = 0
    window: int = 0
    window_scale: int | None = None
    sack_permitted: bool | None = None
    mss: int | None = None
    icmp_type: int | None = None
    icmp_code: int = 0
    icmp_id: int = 0
    sctp_tag: int | None = None
    sctp_chunk: int | None = None
    sctp_initiate_tag: int | None = None
    checksum_ok: bool = True
    payload: str | None = None
    inner: "Packet | None" = None


class Tuple(NamedTuple):
    """One direction of a connection; the parts are ports, or ICMP's identifier and (type, code)."""

    source: str
    destination: str
    protocol: int
    source_part: object
    destination_part: object


class Answer(NamedTuple):
    verdict: str
    ct_class: CtClass
    state: CtState
    timeout: int | None  # nanoseconds left
    assured: bool
    count: int
    live: int


class Entry:
    def __init__(self, original):
        self.tuples = [original, invert(original)]
        self.state = CtState.NONE
        self.memory = None  # what the protocol remembers
        self.expires = 0
        self.confirmed = self.replied = self.assured = self.expected = False
        self.conversation = None  # of an FTP control connection

    def refresh(self, now, seconds):
        self.expires = now + seconds * SECOND

    def remaining(self, now):
        """Seconds left."""
        return (self.expires - now) / SECOND

    def is_expired(self, now):
        return self.expires <= now

    def may_be_dropped_early(self):
        """Whether the collector may kill it after a table was full (C-5)."""
        shutting = {CtState.SCTP_SHUTDOWN_SENT, CtState.SCTP_SHUTDOWN_RECD, CtState.SCTP_SHUTDOWN_ACK_SENT}
        return not self.assured or self.state in tcp.CLOSING | shutting


class RoomyTable:
    """Places for entries, each tuple in a bucket of its own: only its own packets, and dumps, reap an entry (C-6)."""

    def __init__(self, settings):
        self.limit = settings.nf_conntrack_max
        self.allocated = set()
        self.places = {}

    def find(self, tuple_, now):
        """Look a tuple up; whatever expired entry is passed on the way goes."""
        entry = self.places.get(tuple_)
        if entry is not None and entry.is_expired(now):
            self.remove(entry)
            return None
        return entry

    def has_room(self, tuple_, now):
        """Whether a new entry for this packet gets a place."""
        return not self.limit or len(self.allocated) < self.limit or self.drop_early(tuple_, now)

    def drop_early(self, tuple_, now):
        return False

    def insert(self, entry, now):
        self.allocated.add(entry)
        for tuple_ in entry.tuples:
            self.places[tuple_] = entry

    def remove(self, entry):
        self.allocated.discard(entry)
        for tuple_ in entry.tuples:
            if self.places.get(tuple_) is entry:
                del self.places[tuple_]

    def pass_time(self, now):
        """Do what happens by itself until now."""

    def reap(self, now):
        for entry in [entry for entry in self.allocated if entry.is_expired(now)]:
            self.remove(entry)


class Oracle:
    """Tracks packets in the order of time.

    `clients` are the networks on side a. A `table` holds the entries; `RoomyTable` unless told.
    """

    def __init__(self, settings, ruleset=STATEFUL, clients=(), table=None):
        self.settings, self.ruleset = settings, ruleset
        self.clients = [ip_network(network) for network in clients]
        self.own = {plain(rule.to) for rule in ruleset.masquerade}  # addresses of the router itself
        self.table = RoomyTable(settings) if table is None else table
        self.expectations = {}  # control connection -> (Tuple without source part, when it lapses)

    def track(self, packet):
        self.table.pass_time(packet.time)
        ct_class, verdict, entry = self.judge(packet)
        return self.answer(packet, ct_class, verdict, entry)

    def dump(self, now):
        """List the entries as ``conntrack -L`` does, which reaps the expired ones."""
        self.table.pass_time(now)
        self.table.reap(now)
        return sorted(self.table.allocated, key=lambda entry: repr(entry.tuples))

    def answer(self, packet, ct_class, verdict, entry):
        now, allocated = packet.time, self.table.allocated
        live = sum(not one.is_expired(now) for one in allocated)
        if entry is None or entry not in allocated:
            return Answer(verdict, ct_class, CtState.NONE, None, False, len(allocated), live)
        left = entry.expires - now
        return Answer(verdict, ct_class, state_of(entry), left, entry.assured, len(allocated), live)

    # One packet (C-1).

    def judge(self, packet):
        """Say class, verdict, and the entry the packet belongs to."""
        if (packet.protocol, packet.destination_port) in self.ruleset.notrack:
            return CtClass.UNTRACKED, "drop", None
        if packet.protocol in (ICMP, ICMPV6):
            special = self.icmp(packet)
            if special is not None:
                return special
        own = tuple_of(packet)
        entry = self.table.find(own, packet.time)
        if entry is None:
            return self.begin(own, packet)
        direction = entry.tuples.index(own)
        answer = self.show(entry, packet, direction)
        if answer == "again":  # and look it up again
            self.table.remove(entry)
            self.table.find(own, packet.time)
            return self.begin(own, packet)
        if answer == "invalid":
            return CtClass.INVALID, "drop", entry
        ct_class = class_of(entry, direction)
        if answer == "kill":
            self.table.remove(entry)
        if direction == REPLY:
            entry.replied = True
        verdict = "drop" if self.is_for_router(entry, direction) else self.verdict(packet, ct_class)
        if verdict == "accept" and entry.conversation is not None and ct_class is CtClass.ESTABLISHED:
            self.listen(entry, packet, direction)
        return ct_class, verdict, entry

    def show(self, entry, packet, direction):
        """Let the protocol see the packet, and move the entry's end."""
        if self.has_bad_checksum(packet):
            return "invalid"
        module = tcp if packet.protocol == TCP else protocols
        answer = module.packet(entry, packet, direction, self.settings, packet.time)
        if isinstance(answer, tuple):
            entry.refresh(packet.time, answer[1])
        return answer

    def begin(self, own, packet):
        """A packet without an entry: it needs a place before anything is known of it (C-5, C-13)."""
        if packet.protocol in (ICMP, ICMPV6) and invert(own) is None:
            return CtClass.INVALID, "drop", None
        if not self.table.has_room(own, packet.time):
            return CtClass.NONE, "drop", None
        entry = Entry(own)
        if self.show(entry, packet, ORIGINAL) == "invalid":
            return CtClass.INVALID, "drop", None
        entry.expected = self.is_expected(own, packet.time)
        ct_class = class_of(entry, ORIGINAL)
        self.rewrite_destination(entry, packet)
        verdict = self.verdict(packet, ct_class)
        for_router = self.is_for_router(entry, ORIGINAL)
        if (verdict == "drop" and not for_router) or not self.rewrite_source(entry, packet):
            return ct_class, "drop", None
        if for_router:
            verdict = "drop"
            if packet.protocol == TCP:  # nothing listens: the router's own RST, the first reply, deletes the entry
                return ct_class, verdict, None
        entry.confirmed = True
        if packet.protocol == TCP and packet.destination_port in self.ruleset.ftp_ports:
            entry.conversation = Conversation()
        self.table.insert(entry, packet.time)
        return ct_class, verdict, entry

    def is_for_router(self, entry, direction):
        """Whether the packet ends at the router: tracked there, no rule of forwarding asked, nothing comes out."""
        return entry.tuples[1 - direction].source in self.own

    def verdict(self, packet, ct_class):
        if ct_class in (CtClass.ESTABLISHED, CtClass.RELATED):
            return "accept"
        if ct_class is not CtClass.NEW or packet.side not in self.ruleset.new_from:
            return "drop"
        opens = packet.flags & (tcp.FIN | tcp.SYN | tcp.RST | tcp.ACK) == tcp.SYN
        return "drop" if self.ruleset.syn_only and packet.protocol == TCP and not opens else "accept"

    def has_bad_checksum(self, packet):
        return self.settings.nf_conntrack_checksum and not packet.checksum_ok and packet.protocol in CHECKED

    # ICMP that is no connection of its own (C-1, C-4, C-10).

    def icmp(self, packet):
        if self.has_bad_checksum(packet):
            return CtClass.INVALID, "drop", None
        if packet.protocol == ICMPV6:
            if packet.icmp_type in UNTRACKED_TYPES:
                return CtClass.UNTRACKED, "drop", None
            is_error = packet.icmp_type < 128
        else:
            if packet.icmp_type > ICMP_LAST:
                return CtClass.INVALID, "drop", None
            is_error = packet.icmp_type in ICMP_ERRORS
        if not is_error:
            return None
        return self.related(packet)

    def related(self, packet):
        answered = invert(tuple_of(packet.inner)) if packet.inner is not None else None
        entry = self.table.find(answered, packet.time) if answered is not None else None
        if entry is None:
            return CtClass.INVALID, "drop", None
        if answered.destination != plain(packet.destination_address):
            return CtClass.INVALID, "drop", entry
        return CtClass.RELATED, "accept", entry

    # Address translation (C-9, rulesets of the traces).

    def rewrite_destination(self, entry, packet):
        for rule in self.ruleset.dnat:
            if packet.protocol in rule.protocols and same(packet.destination_address, rule.address):
                entry.tuples[REPLY] = entry.tuples[REPLY]._replace(source=plain(rule.to))
                return

    def rewrite_source(self, entry, packet):
        """Choose the address and port under which the packet leaves; False where none is free."""
        reply = entry.tuples[REPLY]
        leaves = None if reply.source in self.own else self.side_of(reply.source)
        for rule in self.ruleset.masquerade:
            if (packet.side, leaves) == (rule.enters, rule.leaves) and contains(rule.source, packet.source_address):
                reply = reply._replace(destination=plain(rule.to))
                break
        if self.ruleset.dnat or self.ruleset.masquerade:
            reply = self.free_reply(reply, packet.time)
        if reply is None:
            return False
        entry.tuples[REPLY] = reply
        return True

    def free_reply(self, reply, now):
        """The reply tuple, at another port where somebody has it already."""
        if self.table.find(reply, now) is None:
            return reply
        place = "source_part" if reply.protocol in (ICMP, ICMPV6) else "destination_part"
        if not getattr(reply, place):
            return None
        others = (reply._replace(**{place: port}) for port in range(1024, 65536))
        return next((other for other in others if self.table.find(other, now) is None), None)

    def side_of(self, address):
        return "a" if any(ip_address(address) in network for network in self.clients) else "b"

    # FTP (C-10).

    def listen(self, entry, packet, direction):
        sender = entry.tuples[direction].source
        announced = entry.conversation.hear(packet, direction, sender)
        if announced is not None:
            # The other end will call: its address as this side sees it, any port.
            caller = entry.tuples[1 - direction].source
            address = entry.tuples[1 - direction].destination
            self.expectations[entry] = (caller, address, announced[1]), packet.time + LIFE * SECOND

    def is_expected(self, own, now):
        if own.protocol != TCP:
            return False
        for control, (wanted, lapses) in list(self.expectations.items()):
            if lapses <= now or control not in self.table.allocated:
                del self.expectations[control]
            elif wanted == (own.source, own.destination, own.destination_part):
                del self.expectations[control]
                return True
        return False


def class_of(entry, direction):
    if direction == REPLY or entry.replied:
        return CtClass.ESTABLISHED
    return CtClass.RELATED if entry.expected else CtClass.NEW


def state_of(entry):
    if entry.state is not CtState.NONE:
        return entry.state
    return CtState.ASSURED if entry.assured else CtState.REPLIED if entry.replied else CtState.UNREPLIED


def tuple_of(packet):
    ends = str(ip_address(packet.source_address)), str(ip_address(packet.destination_address))
    if packet.protocol in (ICMP, ICMPV6):
        return Tuple(*ends, packet.protocol, packet.icmp_id, (packet.icmp_type, packet.icmp_code))
    if packet.protocol in (TCP, UDP, SCTP, UDPLITE):
        return Tuple(*ends, packet.protocol, packet.source_port, packet.destination_port)
    return Tuple(*ends, packet.protocol, 0, 0)


def invert(own):
    """The tuple of the other direction; None where an ICMP type has no other."""
    if own.protocol not in (ICMP, ICMPV6):
        return Tuple(own.destination, own.source, own.protocol, own.destination_part, own.source_part)
    answers = protocols.ICMP_ANSWERS if own.protocol == ICMP else protocols.ICMPV6_ANSWERS
    kind, code = own.destination_part
    other = {**answers, **{answer: request for request, answer in answers.items()}}.get(kind)
    return None if other is None else Tuple(own.destination, own.source, own.protocol, own.source_part, (other, code))


def plain(address):
    return str(ip_address(str(address)))


def same(address, other):
    return plain(address) == plain(other)


def contains(network, address):
    block, one = ip_network(str(network)), ip_address(address)
    return block.version == one.version and one in block
