"""TCP as conntrack follows it: states, the window check, resets and timeouts (C-2); one packet at a time.

Sequence numbers are whole numbers modulo 2**32. A packet has the columns of PACKET_SCHEMA as attributes.
"""

from dataclasses import dataclass, field

from simcore.model.conntrack import CtState

FIN, SYN, RST, ACK, URG = 1, 2, 4, 16, 32
ORIGINAL, REPLY = 0, 1
IGNORE, INVALID = "ignore", "invalid"

STATES = "NONE SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT CLOSE_WAIT LAST_ACK TIME_WAIT CLOSE SYN_SENT2"
# The two tables of C-2: a column a state, in the order above; "-" is ignored, "!" is INVALID.
TABLES = (
    """
    SYN     SS SS -  -  -  -  -  SS SS S2
    SYN/ACK !  !  SR !  !  !  !  !  !  SR
    FIN     !  !  FW FW LA LA LA TW CL !
    ACK     ES !  ES ES CW CW TW TW CL !
    RST     !  CL CL CL CL CL CL CL CL CL
    none    !  !  !  !  !  !  !  !  !  !
    """,
    """
    SYN     !  S2 !  !  !  !  !  SS !  S2
    SYN/ACK !  SR -  -  -  -  -  -  -  SR
    FIN     !  !  FW FW LA LA LA TW CL !
    ACK     !  -  SR ES CW CW TW TW CL -
    RST     !  CL CL CL CL CL CL CL CL CL
    none    !  !  !  !  !  !  !  !  !  !
    """,
)
LETTERS = dict(zip(["NO", "SS", "SR", "ES", "FW", "CW", "LA", "TW", "CL", "S2"], STATES.split(), strict=True))
CLOSING = {CtState.FIN_WAIT, CtState.CLOSE_WAIT, CtState.LAST_ACK, CtState.TIME_WAIT, CtState.CLOSE}
LEGAL = {SYN, SYN | URG, SYN | ACK, RST, RST | ACK, FIN | ACK, FIN | ACK | URG, ACK, ACK | URG}


def read_table(text):
    rows = [line.split() for line in text.split("\n") if line.strip()]
    return {
        (kind, CtState[state]): {"-": IGNORE, "!": INVALID}.get(cell) or CtState[LETTERS[cell]]
        for kind, *cells in rows
        for state, cell in zip(STATES.split(), cells, strict=True)
    }


TRANSITION = [read_table(text) for text in TABLES]


@dataclass
class End:
    """What is known of one end as a sender."""

    end: int = 0  # one past the highest byte sent
    limit: int = 0  # one past the highest byte it may send
    window: int = 0  # the widest window it has advertised; 0: it was not heard yet
    scale: int = 0
    scales: bool = False
    liberal: bool = False
    outstanding: bool = False  # data was sent that is not acknowledged
    acked: int | None = None  # the highest acknowledgement it has sent
    closed_first: bool = False


@dataclass
class Last:
    """The last packet that was looked at."""

    kind: str = "none"
    direction: int = ORIGINAL
    sequence: int = 0
    acknowledgement: int = 0
    end: int = 0
    window: int = 0
    repeats: int = 0
    # of a SYN that was let through without being believed
    scales: bool = False
    scale: int = 0
    challenge: bool = False
    simultaneous: bool = False


@dataclass
class Tcp:
    state: CtState = CtState.NONE
    ends: tuple[End, End] = field(default_factory=lambda: (End(), End()))
    last: Last = field(default_factory=Last)


def wrap(number):
    return number & 0xFFFF_FFFF


def before(a, b):
    return wrap(a - b) >= 1 << 31


def after(a, b):
    return before(b, a)


def kind_of(packet):
    if packet.flags & RST:
        return "RST"
    if packet.flags & SYN:
        return "SYN/ACK" if packet.flags & ACK else "SYN"
    if packet.flags & FIN:
        return "FIN"
    return "ACK" if packet.flags & ACK else "none"


def is_numbered(packet):
    """Whether the capture has sequence numbers; without them everything is within its window, and windows are open."""
    return packet.sequence is not None


def window_of(packet):
    return packet.window if is_numbered(packet) else 1


def end_of(packet):
    return wrap((packet.sequence or 0) + packet.length + bool(packet.flags & SYN) + bool(packet.flags & FIN))


def has_options(packet):
    return packet.window_scale is not None or bool(packet.sack_permitted) or packet.mss is not None


def learn_options(end, packet):
    if has_options(packet):
        end.scales, end.scale = packet.window_scale is not None, min(packet.window_scale or 0, 14)
        end.outstanding, end.acked, end.closed_first = False, None, False


def packet(entry, packet, direction, settings, now):
    """Let the entry see a packet; say "invalid", "pass" (no refresh), ("refresh", seconds), "kill" or "again"."""
    if packet.flags & (FIN | SYN | RST | ACK | URG) not in LEGAL:
        return INVALID
    if entry.memory is None:
        entry.memory = open_connection(packet, settings)
        if entry.memory is None:
            return INVALID
    return Step(entry, packet, direction, settings, now).answer()


def open_connection(packet, settings):
    kind = kind_of(packet)
    tcp = Tcp()
    first = tcp.ends[ORIGINAL]
    if kind == "SYN":
        first.end = first.limit = end_of(packet)
        first.window = max(window_of(packet), 1)
        learn_options(first, packet)
        return tcp
    if kind != "ACK" or not settings.nf_conntrack_tcp_loose:
        return None
    first.end = end_of(packet)
    first.window = max(window_of(packet), 1)
    first.limit = wrap(first.end + first.window)
    for end in tcp.ends:
        end.liberal = True
    return tcp


class Step:
    """One packet meets one entry."""

    def __init__(self, entry, packet, direction, settings, now):
        self.entry, self.packet, self.direction, self.settings, self.now = entry, packet, direction, settings, now
        self.tcp = entry.memory
        self.last = self.tcp.last
        self.sender, self.receiver = self.tcp.ends[direction], self.tcp.ends[1 - direction]
        self.kind = kind_of(packet)
        self.old = self.tcp.state

    def answer(self):
        new = TRANSITION[self.direction][self.kind, self.old]
        if new is INVALID:
            return INVALID
        if new is CtState.SYN_SENT and self.old in (CtState.TIME_WAIT, CtState.CLOSE):
            if self.may_reopen():
                return "again"
            new = IGNORE
        if new is IGNORE:
            if not self.answers_ignored_syn():
                self.remember_ignored()
                return "pass"
            self.believe_ignored_syn()
            self.old, new = CtState.SYN_SENT, CtState.SYN_RECV
            return self.check_window(new)
        if self.is_challenge_ack(new):
            self.last.challenge = False
            return "pass"
        if new is CtState.SYN_SENT2:
            self.last.simultaneous = True
        if new is CtState.SYN_RECV and self.direction == REPLY and self.kind == "ACK" and self.last.simultaneous:
            new = CtState.ESTABLISHED
        if self.kind == "RST":
            return self.reset()
        return self.check_window(new)

    # A SYN on a closed connection, and packets that are let through without being believed.

    def may_reopen(self):
        reset_by_same = self.last.kind == "RST" and self.last.direction == self.direction
        return reset_by_same or any(end.closed_first for end in self.tcp.ends)

    def answers_ignored_syn(self):
        last = self.last
        return (
            self.kind == "SYN/ACK"
            and last.kind == "SYN"
            and last.direction != self.direction
            and (not is_numbered(self.packet) or self.packet.acknowledgement == last.end)
        )

    def believe_ignored_syn(self):
        last = self.last
        last.challenge = False
        other = End(last.end, last.end, max(last.window, 1), last.scale, last.scales)
        self.sender, self.receiver = End(), other
        self.tcp.ends = (other, self.sender) if self.direction == REPLY else (self.sender, other)

    def remember_ignored(self):
        last, packet = self.last, self.packet
        last.kind, last.direction = self.kind, self.direction
        last.sequence, last.end, last.window = packet.sequence, end_of(packet), window_of(packet)
        if self.kind == "SYN" and self.direction == ORIGINAL:
            last.scales, last.scale = packet.window_scale is not None, min(packet.window_scale or 0, 14)
            last.challenge, last.simultaneous = self.old is CtState.LAST_ACK, False
        if self.kind == "ACK" and self.old is CtState.SYN_SENT:
            last.acknowledgement = packet.acknowledgement

    def is_challenge_ack(self, new):
        return (
            new is CtState.TIME_WAIT
            and self.old is CtState.LAST_ACK
            and self.kind == "ACK"
            and self.last.kind == "SYN"
            and self.last.direction != self.direction
            and self.last.challenge
        )

    # Resets (C-2.3).

    def reset(self):
        if self.old in CLOSING or not is_numbered(self.packet):
            return self.accept(CtState.CLOSE)
        new, last, sequence = CtState.CLOSE, self.last, self.packet.sequence
        acked = self.receiver.acked
        if acked is not None and last.kind != "SYN":
            established = self.old is CtState.ESTABLISHED and self.entry.assured
            if sequence == 0 and not established:
                return self.check_window(CtState.CLOSE)
            if before(sequence, acked) and not self.settings.nf_conntrack_tcp_ignore_invalid_rst:
                return INVALID
            follows = last.kind == "ACK" and last.direction == self.direction and sequence == last.end
            if not established or sequence == acked or follows:
                return self.check_window(CtState.CLOSE)
            new = self.old
        if self.answers_what_was_ignored():
            return self.accept(new)
        return self.check_window(new)

    def answers_what_was_ignored(self):
        last = self.last
        of_syn = self.entry.replied and last.kind == "SYN"
        of_ack = not self.entry.assured and last.kind == "ACK"
        if (of_syn or of_ack) and self.packet.acknowledgement == last.end:
            return True
        half_open = self.old is CtState.SYN_SENT and last.kind == "ACK" and last.direction == REPLY
        return half_open and self.packet.sequence == last.acknowledgement

    # The window (C-2.4).

    def check_window(self, new):
        if not is_numbered(self.packet):
            if self.kind == "ACK":
                self.last.window = window_of(self.packet)
            return self.accept(new)
        verdict = self.window()
        if verdict is INVALID:
            self.unbelievable_end()
            return INVALID
        return "pass" if verdict is IGNORE else self.accept(new)

    def window(self):
        packet, sender, receiver = self.packet, self.sender, self.receiver
        sequence, end, ack = packet.sequence, end_of(packet), packet.acknowledgement
        has_ack, syn = bool(packet.flags & ACK), bool(packet.flags & SYN)
        opening = self.tcp.state in (CtState.SYN_SENT, CtState.SYN_RECV)
        if syn and (sender.window == 0 or (opening and after(end, sender.end))):
            self.start_sender(end)
            if self.direction == REPLY and not has_ack:
                return "accept"
        elif sender.window == 0:
            self.pick_up_sender(end, ack)
        if not has_ack or (packet.flags & RST and ack == 0):
            ack = receiver.end
        if packet.flags & RST and sequence == 0 and self.tcp.state is CtState.SYN_SENT:
            sequence = end = sender.end
        above = not before(sequence, sender.limit + 1)
        ack_above = not before(ack, receiver.end + 1)
        below = receiver.window != 0 and not after(end, sender.end - receiver.window - 1)
        ack_below = not after(ack, receiver.end - max(sender.window, 66000) - 1)
        liberal = "accept" if sender.liberal or self.settings.nf_conntrack_tcp_be_liberal else None
        if above:
            overshot = wrap(end - sender.limit + 1)
            if receiver.window and not (below or ack_below or ack_above) and overshot <= receiver.window:
                sender.end, sender.outstanding = end, True
                return liberal or IGNORE
            return liberal or INVALID
        if ack_above:
            return liberal or INVALID
        if below or ack_below:
            return liberal or IGNORE
        self.believe(sequence, end, ack)
        return "accept"

    def start_sender(self, end):
        sender, receiver = self.sender, self.receiver
        sender.end = sender.limit = end
        sender.window = max(self.packet.window, 1)
        learn_options(sender, self.packet)
        if self.direction == REPLY and not (sender.scales and receiver.scales):
            sender.scale = receiver.scale = 0

    def pick_up_sender(self, end, ack):
        sender, receiver = self.sender, self.receiver
        sender.end = end
        sender.window = max(self.packet.window << sender.scale, 1)
        sender.limit = wrap(end + sender.window)
        if receiver.window == 0:
            receiver.end = receiver.limit = ack
        elif ack == wrap(receiver.end + 1):
            receiver.end = ack

    def believe(self, sequence, end, ack):
        packet, sender, receiver, last = self.packet, self.sender, self.receiver, self.last
        window = packet.window if packet.flags & SYN else packet.window << sender.scale
        sender.window = max(sender.window, window)
        if after(end, sender.end):
            sender.end, sender.outstanding = end, True
        if packet.flags & ACK and (sender.acked is None or after(ack, sender.acked)):
            sender.acked = ack
        if receiver.window != 0 and after(end, sender.limit):
            receiver.window = wrap(receiver.window + end - sender.limit)
        if after(ack + window, receiver.limit - 1):
            receiver.limit = wrap(ack + max(window, 1))
        if ack == receiver.end:
            receiver.outstanding = False
        if self.kind == "ACK":
            seen = (self.direction, sequence, ack, end, packet.window)
            if seen == (last.direction, last.sequence, last.acknowledgement, last.end, last.window):
                last.repeats += 1
            else:
                last.direction, last.sequence, last.acknowledgement, last.end, last.window = seen
                last.repeats = 0

    def unbelievable_end(self):
        """FIN or RST outside the window from both sides: an ASSURED entry gets 300 s at most (C-2.4)."""
        if not self.entry.assured or self.kind not in ("RST", "FIN"):
            return
        if self.last.direction != self.direction and self.last.kind in ("RST", "FIN"):
            shorter = self.settings.nf_conntrack_tcp_timeout_unacknowledged
            if self.entry.remaining(self.now) >= 120 and self.entry.remaining(self.now) > shorter:
                self.entry.refresh(self.now, shorter)
        else:
            self.last.kind, self.last.direction = self.kind, self.direction

    # What becomes of the entry (C-2.1, C-2.2).

    def accept(self, new):
        entry, settings = self.entry, self.settings
        self.last.kind, self.last.direction = self.kind, self.direction
        self.tcp.state = entry.state = new
        if new is CtState.FIN_WAIT and self.old is not CtState.FIN_WAIT:
            self.sender.closed_first = True
        seconds = self.timeout(new)
        if not entry.replied:
            if self.kind == "RST":
                return "kill"
            if self.kind == "SYN" and self.old is CtState.SYN_SENT:
                return "pass"
            if new is CtState.ESTABLISHED:
                seconds = min(seconds, settings.nf_conntrack_tcp_timeout_unacknowledged)
        elif self.old in (CtState.SYN_RECV, CtState.ESTABLISHED) and new is CtState.ESTABLISHED:
            entry.assured = True
        return "refresh", seconds

    def timeout(self, new):
        settings = self.settings
        own = timeout_of(new, settings)
        retrans = settings.nf_conntrack_tcp_timeout_max_retrans
        unacknowledged = settings.nf_conntrack_tcp_timeout_unacknowledged
        if self.last.repeats >= settings.nf_conntrack_tcp_max_retrans and own > retrans:
            return retrans
        if self.kind == "RST":
            return settings.nf_conntrack_tcp_timeout_close
        if any(end.outstanding for end in self.tcp.ends) and own > unacknowledged:
            return unacknowledged
        return min(own, retrans) if self.last.window == 0 else own


def timeout_of(state, settings):
    name = "SYN_SENT" if state is CtState.SYN_SENT2 else state.name
    return getattr(settings, f"nf_conntrack_tcp_timeout_{name.lower()}")
