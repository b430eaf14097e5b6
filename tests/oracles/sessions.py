"""Connections of flow records in plain words: one connection after the other, one record after the other.

The rules are those of docs/stateful.md. Nothing of the engine is used; a record is a `Record`, an answer a `Said`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SECOND = 1_000_000_000
NEVER = float("inf")


@dataclass(frozen=True)
class Record:
    """What one row tells; `low` names the end it comes from, `way` is forward, reverse or empty."""

    connection: int
    time: int
    end: int
    low: bool
    protocol: int
    way: str = ""
    evidence: str = "first-seen"
    opens: bool = False
    answered: bool = False
    fin: bool = False
    rst: bool = False
    midstream: bool = False
    many: bool = False
    refused: bool = False
    spacing: int = 0  # ms
    verdict: str = "passes"  # of the connection from its client; or ingress, egress, doubtful
    turned: str = "passes"  # the same, the other end taken for the client


@dataclass(frozen=True)
class Said:
    """What becomes of a record."""

    kind: str
    way: str
    evidence: str
    verdict: str


@dataclass
class Entry:
    opener_low: bool
    evidence: str
    verdict: str
    made: int
    last: int
    state: str
    opened: bool
    answered: bool
    # What a record told of a later time: (when, what); what is a state, "gone", or "packet".
    later: tuple[int, str] | None = None
    alive: bool = True

    @property
    def denied(self) -> bool:
        return self.verdict == "ingress"


@dataclass
class Settings:
    """Timeouts in ns by state; which protocols turn into streams, and after which time."""

    timeouts: dict[tuple[str, str], int]
    begin: int = 0
    longest: dict[str, int] = field(default_factory=dict)
    loose: bool = True
    later_syns_count: bool = False


FAMILIES = {6: "tcp", 17: "udp", 136: "udplite", 1: "icmp", 58: "icmpv6", 47: "gre", 132: "sctp"}
GRACE = {"udp": 2 * SECOND, "udplite": 0, "gre": 0}
RANK = {"forward": 0, "": 1, "reverse": 2}


class Connection:
    """One five-tuple."""

    def __init__(self, settings: Settings, protocol: int) -> None:
        self.settings = settings
        self.family = FAMILIES.get(protocol, "generic")
        self.entry: Entry | None = None
        self.changes: list[tuple[int, str, str, bool, bool]] = []

    def note(self, time: int, before: str, after: str, opener_low: bool, denied: bool) -> None:
        self.changes.append((time, before, after, opener_low, denied))

    def timeout(self, entry: Entry) -> int:
        state = entry.state
        if state == "ESTABLISHED" and not (entry.opened and entry.answered):
            state = "PICKED_UP"
        return self.settings.timeouts[self.family, state]

    def expiry(self, entry: Entry) -> float:
        if not entry.alive:
            return NEVER
        from_made = entry.state == "SYN_SENT" and not self.settings.later_syns_count
        return (entry.made if from_made else entry.last) + self.timeout(entry)

    def settle(self, now: float) -> None:
        """Let everything happen that happens before now."""
        while self.entry is not None:
            entry = self.entry
            expiry = self.expiry(entry)
            at = min(expiry, entry.later[0] if entry.later else NEVER)
            if at == NEVER:
                self.entry = None
            if at >= now:
                return
            assert isinstance(at, int)
            if not (entry.later and entry.later[0] <= expiry):
                self.note(at, entry.state, "NONE", entry.opener_low, entry.denied)
                entry.alive = False
                continue
            what = entry.later[1]
            entry.later = None
            if what == "packet":
                entry.last = max(entry.last, at)
                if not entry.alive:
                    entry.alive, entry.made = True, at
                    entry.opened, entry.answered = True, False
                    entry.state = {"tcp": "SYN_SENT", "sctp": "CLOSED"}.get(self.family, "UNREPLIED")
                    self.note(at, "NONE", entry.state, entry.opener_low, entry.denied)
            elif entry.alive:
                self.note(at, entry.state, "NONE" if what == "gone" else what, entry.opener_low, entry.denied)
                if what == "gone":
                    entry.alive = False
                else:
                    entry.state = what

    def take(self, record: Record) -> Said:
        now = record.time
        self.settle(now)
        entry = self.entry if self.entry is not None and self.entry.alive else None
        if entry is None:
            return self.create(record, None)
        from_opener = record.low == entry.opener_low
        closed = entry.state in ("TIME_WAIT", "CLOSE")
        opens = self.family == "tcp" and record.opens
        if opens and closed and (from_opener or entry.state == "TIME_WAIT"):
            return self.create(record, entry)
        way = "forward" if from_opener else "reverse"
        own = record.evidence if record.way == way else "first-seen"
        evidence = max(own, entry.evidence, key=("first-seen", "ports", "flags").index)
        if from_opener:
            kind = "new" if not entry.answered or (opens and not entry.opened) else "established"
        else:
            kind = "invalid" if entry.denied or (opens and closed) else "established"
        said = Said(kind, way, evidence, entry.verdict)
        if entry.denied or kind == "invalid":
            if from_opener and self.family != "tcp":
                entry.last = max(entry.last, record.end)
            return said
        self.merge(entry, record, from_opener)
        return said

    def merge(self, entry: Entry, record: Record, from_opener: bool) -> None:
        now, end = record.time, max(record.end, record.time)
        entry.opened |= from_opener or record.answered
        entry.answered |= not from_opener or record.answered
        before, last = entry.state, entry.last
        if self.family == "tcp" and before == "SYN_SENT":
            if not from_opener and record.rst and record.evidence != "flags":
                self.note(now, before, "NONE", entry.opener_low, False)
                self.entry = None
                return
            if entry.answered or record.midstream:
                entry.state = "ESTABLISHED"
        elif entry.answered and before == "UNREPLIED":
            entry.state = "REPLIED"
        elif entry.answered and before == "CLOSED":
            entry.state = "SCTP_ESTABLISHED"
        if entry.state != before:
            self.note(now, before, entry.state, entry.opener_low, False)
        after_reply = max(end, last)
        if before == "UNREPLIED" and not from_opener and not record.many:
            after_reply = last if last > now else entry.made
        self.prolong(entry, record, now, end, after_reply)

    def create(self, record: Record, old: Entry | None) -> Said:
        now, end = record.time, max(record.end, record.time)
        reverse, evidence, verdict = record.way == "reverse", record.evidence, record.verdict
        certain = now > self.settings.begin + self.settings.longest[self.family]
        if reverse and evidence != "flags" and certain:
            reverse, evidence, verdict = False, "first-seen", record.turned
        kind = "established" if reverse else "new"
        if reverse and verdict in ("ingress", "egress"):
            kind = "invalid"
        if self.family == "tcp" and record.midstream:
            if (record.fin or record.rst) and not record.many:
                kind = "invalid"
            if certain and not self.settings.loose:
                kind = "invalid"
        said = Said(kind, "reverse" if reverse else "forward", evidence, verdict)
        if kind == "invalid" or verdict == "egress":
            if old is not None:
                self.note(now, old.state, "NONE", old.opener_low, old.denied)
                self.entry = None
            return said
        denied = verdict == "ingress"
        answered = record.answered and not denied
        opened_, answers = not reverse or answered, reverse or answered
        if self.family == "tcp":
            state = "SYN_SENT" if denied or (record.opens and not answered and not reverse) else "ESTABLISHED"
        elif self.family == "sctp":
            state = "SCTP_ESTABLISHED" if answers else "CLOSED"
        else:
            state = "REPLIED" if answers else "UNREPLIED"
        opener_low = record.low != reverse
        if old is not None and old.opener_low == opener_low:
            self.note(now, old.state, state, opener_low, denied)
        else:
            if old is not None:
                self.note(now, old.state, "NONE", old.opener_low, old.denied)
            self.note(now, "NONE", state, opener_low, denied)
        self.entry = entry = Entry(opener_low, evidence, verdict, now, now, state, opened_, answers)
        if denied:
            entry.last = now if self.family == "tcp" else end
        else:
            self.prolong(entry, record, now, end, end if answered or record.many else now)
        return said

    def prolong(self, entry: Entry, record: Record, now: int, end: int, after_reply: int) -> None:
        """Note what a record tells of the time up to its end."""
        if self.family == "tcp":
            self.prolong_tcp(entry, record, end)
            return
        touch = entry.later is not None and entry.later[1] == "packet"
        grace = GRACE.get(self.family)
        if entry.state == "REPLIED" and grace is not None and after_reply > entry.made + grace:
            if touch:
                assert entry.later is not None
                entry.last = max(entry.last, entry.later[0])
            if touch or entry.later is None:
                entry.later = max(now, entry.made + grace), "ASSURED"
                touch = False
        turns = entry.later is not None and not touch
        limit = self.settings.timeouts[self.family, "ASSURED" if turns else entry.state]
        if record.many and record.spacing * 1_000_000 > limit and not turns:
            entry.last = max(entry.last, now)
            if touch:
                assert entry.later is not None
                entry.last = max(entry.last, min(entry.later[0], end))
                end = max(entry.later[0], end)
            entry.later = end, "packet"
        else:
            entry.last = max(entry.last, end)

    def prolong_tcp(self, entry: Entry, record: Record, end: int) -> None:
        entry.last = max(entry.last, end)
        if entry.state == "SYN_SENT":
            if record.rst:
                entry.later = end, "CLOSE"
            elif record.many and end > entry.made + self.settings.timeouts["tcp", "SYN_SENT"]:
                entry.later = end, "packet"
            return
        target = "CLOSE" if record.rst else "TIME_WAIT" if record.fin else ""
        if record.refused:
            entry.later = end, "gone"
        elif target and entry.state not in (target, "CLOSE"):
            waiting = entry.later is not None and entry.later[1] != "packet"
            if waiting:
                assert entry.later is not None
                when, what = entry.later
                entry.later = max(when, end), "CLOSE" if what == "CLOSE" else target
            else:
                entry.later = end, target


def follow(records: list[Record], settings: Settings) -> tuple[list[Said], list[tuple[int, int, str, str, bool, bool]]]:
    """Follow records, given in the order of the capture.

    Returns what is said of each, and what happens to entries: time, connection, before, after, whether the lower end
    opened it, whether ingress policy denies it; sorted.
    """
    connections: dict[int, Connection] = {}
    said: list[Said | None] = [None] * len(records)
    order = sorted(range(len(records)), key=lambda number: (records[number].time, RANK[records[number].way], number))
    for number in order:
        record = records[number]
        connection = connections.setdefault(record.connection, Connection(settings, record.protocol))
        said[number] = connection.take(record)
    changes = []
    for name, connection in connections.items():
        connection.settle(NEVER)
        changes += [(time, name, *rest) for time, *rest in connection.changes]
    return [each for each in said if each is not None], changes
