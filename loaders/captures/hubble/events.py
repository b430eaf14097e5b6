"""Lines of a Hubble export to events."""

from __future__ import annotations

import msgspec

from simcore.model.ports import ICMP, ICMPV6, SCTP, TCP, UDP

from . import counts as fates
from . import enums
from .counts import EventCounts
from .ends import EndBook, PolicyBook
from .event import ABSENT, ACK, EGRESS, INGRESS, SYN, Event, Key, Kind
from .messages import Flow, Ip, Layer4, Line, read_aggregate, read_flags, read_flow, read_line
from .requests import NO_DETAILS, read_details
from .values import Values

_REQUEST_OF = {ICMP: {0: 8, 14: 13, 16: 15, 18: 17}, ICMPV6: {129: 128, 140: 139}}
_VRRP, _IGMP = 112, 2
_ALLOWING = {"FORWARDED": "forwarded", "REDIRECTED": "redirected", "AUDIT": "audit"}


class UnreadableError(Exception):
    """A line is none of Hubble's, or a field of it makes no sense."""


class EventReader:
    """Reads lines; what is no event is counted.

    Parameters
    ----------
    counts : EventCounts
        Takes up what is no event.
    """

    def __init__(self, counts: EventCounts) -> None:
        self.book = EndBook()
        self.values = Values()
        self._counts = counts
        self._policies = PolicyBook()
        self._flags: dict[bytes, int] = {}
        self._nodes: dict[str, tuple[str, str]] = {}
        self._is_bare = False

    def read(self, data: bytes) -> Event | None:
        """Read a line; None where it is no event of a connection, and was counted.

        Raises
        ------
        UnreadableError
            See there.
        """
        try:
            if self._is_bare:
                flow = read_flow(data)
                if flow.ip is not None:
                    return self._event(flow, "", "")
            line = read_line(data)
            if line.flow is not None:
                self._is_bare = False
                return self._event(line.flow, line.node_name, line.time)
            return self._other(line, data)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise UnreadableError(str(error) or type(error).__name__) from None

    def _other(self, line: Line, data: bytes) -> Event | None:
        """Count a line that has no flow in it, unless it is one."""
        if line.lost_events is not None:
            self._counts.lost += max(int(line.lost_events.num_events_lost), 0)
            return self._counted(fates.LOST)
        if bytes(line.node_status):
            return self._counted(fates.NODES)
        if bytes(line.agent_event) or bytes(line.debug_event):
            return self._counted(fates.AGENT)
        flow = read_flow(data)
        if flow.verdict is None or (flow.ip is None and flow.l4 is None and flow.event_type is None):
            raise ValueError("this is JSON, and no event of Hubble's")
        self._is_bare = True
        return self._event(flow, "", "")

    def _counted(self, fate: str) -> Event | None:
        """Count a line that is no event of a connection."""
        self._counts.fates[fate] += 1
        return None

    def _event(self, flow: Flow, node_name: str, time: str) -> Event | None:
        kind = flow.event_type.type if flow.event_type is not None else _guess_type(flow)
        if kind == enums.TRACE_SOCK:
            return self._counted(fates.SOCKETS)
        if kind not in _READERS:
            return self._counted(fates.NO_VERDICT)
        if flow.ip is None or not flow.ip.source or not flow.ip.destination:
            return self._counted(fates.NO_ADDRESSES)
        if aggregate := bytes(flow.aggregate):
            self._count_aggregate(aggregate)
        cluster, node = self._node(flow.node_name or node_name)
        key, answers = self._key(flow.ip, flow.l4)
        event = Event(
            Kind.TRACE,
            self.values.time(flow.time or time),
            key,
            flow.is_reply,
            EGRESS,
            None,
            None,
            None,
            self._flags_of(flow.l4),
            False,
            False,
            self.book.number(cluster, bytes(flow.source)),
            self.book.number(cluster, bytes(flow.destination)),
            node,
            NO_DETAILS,
            flow.uuid,
        )
        event.side = self._side(flow, event)
        if answers:
            event.is_reply = True
        if not _READERS[kind](self, flow, event):
            return self._counted(fates.RELATED if kind == enums.TRACE else fates.NO_VERDICT)
        if event.is_reply:
            source, destination, protocol, port, other_port = key
            event.key = (destination, source, protocol, other_port, port)
            event.source, event.destination = event.destination, event.source
        return event

    def _count_aggregate(self, text: bytes) -> None:
        if text != b"null":
            told = read_aggregate(text)
            self._counts.aggregated += (
                told.ingress_flow_count + told.egress_flow_count + told.unknown_direction_flow_count
            )

    def _node(self, name: str) -> tuple[str, str]:
        """Return a node's cluster, if it is told, and its name."""
        found = self._nodes.get(name)
        if found is None:
            cluster, _, node = name.rpartition("/")
            found = self._nodes[name] = (cluster, node)
        return found

    def _key(self, ip: Ip, l4: Layer4 | None) -> tuple[Key, bool]:
        """Return the five-tuple of a packet, and whether it is an ICMP answer."""
        source, destination = self.values.address(ip.source), self.values.address(ip.destination)
        if l4 is None:
            return (source, destination, ABSENT, ABSENT, ABSENT), False
        if l4.tcp is not None:
            return (source, destination, TCP, l4.tcp.source_port, l4.tcp.destination_port), False
        if l4.udp is not None:
            return (source, destination, UDP, l4.udp.source_port, l4.udp.destination_port), False
        if l4.sctp is not None:
            return (source, destination, SCTP, l4.sctp.source_port, l4.sctp.destination_port), False
        for protocol, header in ((ICMP, l4.icmp_v4), (ICMPV6, l4.icmp_v6)):
            if header is not None:
                asked = _REQUEST_OF[protocol].get(header.type, header.type)
                word = asked << 8 | header.code
                return (source, destination, protocol, word, word), asked != header.type
        protocol = _VRRP if bytes(l4.vrrp) else _IGMP if bytes(l4.igmp) else ABSENT
        return (source, destination, protocol, ABSENT, ABSENT), False

    def _flags_of(self, l4: Layer4 | None) -> int:
        text = b"" if l4 is None or l4.tcp is None else bytes(l4.tcp.flags)
        bits = self._flags.get(text)
        if bits is None:
            told = msgspec.structs.astuple(read_flags(text)) if text and text != b"null" else ()
            bits = sum(1 << bit for bit, is_set in enumerate(told) if is_set)
            if len(self._flags) < 1 << 16:
                self._flags[text] = bits
        return bits

    def _side(self, flow: Flow, event: Event) -> int:
        """Tell whose policy an event speaks of; where it does not say, the end that runs on the node."""
        direction = enums.name_of(flow.traffic_direction, enums.DIRECTIONS)
        if direction in ("EGRESS", "INGRESS"):
            return EGRESS if direction == "EGRESS" else INGRESS
        ends = self.book.ends
        is_entering = ends[event.destination].is_local and not ends[event.source].is_local
        return INGRESS if is_entering else EGRESS

    def _verdict(self, flow: Flow, event: Event) -> bool:
        name = enums.name_of(flow.verdict, enums.VERDICTS)
        event.verdict = _ALLOWING.get(name)
        reason = _drop_reason(flow)
        if event.verdict is None:
            if name not in ("DROPPED", "ERROR"):
                return False
            is_policy = name == "DROPPED" and (not reason or reason in enums.POLICY_DENIALS)
            event.verdict, event.reason = "dropped" if is_policy else "error", reason or None
        event.kind = Kind.VERDICT
        allowed = event.verdict in ("forwarded", "redirected")
        if event.side == EGRESS:
            text = flow.egress_allowed_by if allowed else flow.egress_denied_by
        else:
            text = flow.ingress_allowed_by if allowed else flow.ingress_denied_by
        event.policies = self._policies.names(bytes(text))
        event.opens = event.flags & (SYN | ACK) == SYN or not event.flags
        if event.is_reply and event.verdict not in ("dropped", "error"):
            event.kind, event.opens, event.is_behind = Kind.TRACE, False, True
        return True

    def _drop(self, flow: Flow, event: Event) -> bool:
        reason = _drop_reason(flow) or enums.DROP_REASONS[0]
        event.kind = Kind.DROP
        event.verdict = "dropped" if reason in enums.POLICY_DENIALS else "error"
        event.reason = reason
        event.opens = event.flags & (SYN | ACK) == SYN or not event.flags
        return True

    def _trace(self, flow: Flow, event: Event) -> bool:
        reason = enums.name_of(flow.trace_reason, enums.TRACE_REASONS)
        if reason == "RELATED":
            return False
        lone = event.flags & (SYN | ACK)
        event.opens = (reason in ("NEW", "REOPENED") and lone != ACK) or lone == SYN
        if event.is_reply is None:
            if reason == "REPLY" or lone == SYN | ACK:
                event.is_reply = True
            elif reason in ("NEW", "REOPENED", "ESTABLISHED") or lone == SYN:
                event.is_reply = False
        point = flow.trace_observation_point
        if point is None and flow.event_type is not None:
            point = flow.event_type.sub_type or 101
        event.is_behind = enums.name_of(point, enums.POINTS) in _BEHIND and not bytes(flow.destination_service)
        return True

    def _layer7(self, flow: Flow, event: Event) -> bool:
        if flow.l7 is None:
            return False
        kind = enums.name_of(flow.l7.type, enums.LAYER7_TYPES)
        if kind not in ("REQUEST", "RESPONSE", "SAMPLE"):
            return False
        event.is_reply = kind == "RESPONSE"
        event.details = read_details(flow.l7)
        if kind == "RESPONSE":
            event.kind = Kind.ANSWER if event.details.dns_addresses else Kind.RESPONSE
            return True
        event.kind = Kind.REQUEST
        name = enums.name_of(flow.verdict, enums.VERDICTS)
        event.verdict = _ALLOWING.get(name) or {"DROPPED": "dropped", "ERROR": "error"}.get(name)
        return True


_BEHIND = frozenset(enums.TO_POINTS.values())
_READERS = {
    enums.POLICY_VERDICT: EventReader._verdict,
    enums.DROP: EventReader._drop,
    enums.TRACE: EventReader._trace,
    enums.ACCESS_LOG: EventReader._layer7,
}


def _guess_type(flow: Flow) -> int:
    """Tell what made an event whose type was masked."""
    kind = enums.name_of(flow.type, enums.TYPES)
    verdict = enums.name_of(flow.verdict, enums.VERDICTS)
    if kind == "L7" or flow.l7 is not None:
        return enums.ACCESS_LOG
    if kind == "SOCK" or verdict in ("TRACED", "TRANSLATED"):
        return enums.TRACE_SOCK
    if flow.policy_match_type or verdict in ("AUDIT", "REDIRECTED"):
        return enums.POLICY_VERDICT
    return enums.DROP if verdict == "DROPPED" else enums.TRACE


def _drop_reason(flow: Flow) -> str:
    """Name why a packet was dropped; empty where it is not told."""
    name = enums.name_of(flow.drop_reason_desc, enums.DROP_REASONS)
    if name and name != enums.DROP_REASONS[0]:
        return name
    number = flow.drop_reason
    if not number and flow.event_type is not None and flow.event_type.type == enums.DROP:
        number = flow.event_type.sub_type
    return enums.name_of(number, enums.DROP_REASONS) if number else ""
