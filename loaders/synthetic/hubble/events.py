"""The events that Cilium's nodes write down of one connection, field by field as Hubble names them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simcore.model.flows import Outcome, Verdict
from simcore.model.peers import ANYTHING
from simcore.model.policy import Direction, PolicyRef, Role, Rule
from simcore.model.ports import EVERY_PORT, ICMP, ICMPV6, SCTP, TCP, UDP

from .lines import PORT, TIME, UUID, Line
from .parties import Party, Record

_DROP, _TRACE, _VERDICT, _ACCESS_LOG = 1, 4, 5, 129
_DENIED, _DENY = 133, 181
_POINTS = {"TO_ENDPOINT": 0, "TO_PROXY": 1, "TO_STACK": 3, "TO_OVERLAY": 4}
SYN, SYN_ACK, ACK_FIN = ("SYN",), ("SYN", "ACK"), ("ACK", "FIN")
DERIVED = "k8s:io.cilium.k8s.policy"


@dataclass(frozen=True, slots=True)
class Connection:
    """Who connects to whom, and on which port."""

    source: Party
    destination: Party
    protocol: int
    port: int | None
    icmp_type: int | None = None

    @property
    def answer(self) -> Connection:
        """The same, seen from the other end; `events` know which end the client's port belongs to."""
        return replace(self, source=self.destination, destination=self.source)


def verdict_event(connection: Connection, direction: Direction, outcome: Outcome, *, audit: bool) -> Line:
    """Tell what the policies made of the opening packet at one end."""
    denied = outcome.verdict is Verdict.DENY
    rule = outcome.rule
    word = "FORWARDED"
    if denied:
        word = "AUDIT" if audit else "DROPPED"
    elif rule is not None and rule.proxy:
        word = "REDIRECTED"
    record = _head(connection, direction, word, _VERDICT, SYN)
    if denied and not audit:
        record |= _drop_reason(rule)
    else:
        record["is_reply"] = False
    record["policy_match_type"] = _match_type(rule)
    if rule is not None and rule.role is Role.WRITTEN:
        record[f"{direction.word}_{'denied' if denied else 'allowed'}_by"] = [_policy(rule.policy)]
    return _line(record, connection, direction)


def drop_event(connection: Connection, direction: Direction, reason: int, name: str) -> Line:
    """Tell that a packet was dropped, for whatever reason."""
    record = _head(connection, direction, "DROPPED", _DROP, SYN)
    record |= {"drop_reason": reason, "drop_reason_desc": name, "file": {"name": "bpf_lxc.c", "line": 1391}}
    record["event_type"] = {"type": _DROP, "sub_type": reason}
    return _line(record, connection, direction)


def denial_twin(connection: Connection, direction: Direction, outcome: Outcome) -> Line:
    """Tell the same of a denied packet as `verdict_event`, a second time, as every drop is told."""
    told = _drop_reason(outcome.rule)
    return drop_event(connection, direction, told["drop_reason"], told["drop_reason_desc"])


def trace_event(
    connection: Connection, direction: Direction, point: str, state: str, flags: tuple[str, ...], *, reply: bool
) -> Line:
    """Tell that a packet passed a point; of an answer, `connection` is still the one that it answers."""
    packet = connection.answer if reply else connection
    record = _head(packet, direction, "FORWARDED", _TRACE, flags, reply=reply, node=_node(connection, direction))
    number = _POINTS[point]
    record["event_type"] = {"type": _TRACE, "sub_type": number} if number else {"type": _TRACE}
    record |= {"is_reply": reply, "trace_observation_point": point, "trace_reason": state}
    return _line(record, connection, direction)


def access_event(
    connection: Connection, direction: Direction, layer7: Record, *, denied: bool = False, reply: bool = False
) -> Line:
    """Tell of a request that the proxy at one end saw, or of its response."""
    packet = connection.answer if reply else connection
    word = "DROPPED" if denied else "FORWARDED"
    record = _head(packet, direction, word, _ACCESS_LOG, (), reply=reply, node=_node(connection, direction))
    record |= {"Type": "L7", "l7": layer7, "is_reply": reply}
    return _line(record, connection, direction)


def lost_events(node: str, number: int) -> Line:
    """Tell that events were lost."""
    lost = {"source": "HUBBLE_RING_BUFFER", "num_events_lost": str(number), "cpu": 0}
    return Line.of({"lost_events": lost, "node_name": node, "time": TIME}, node)


def _head(
    packet: Connection,
    direction: Direction,
    verdict: str,
    kind: int,
    flags: tuple[str, ...],
    *,
    reply: bool = False,
    node: str = "",
) -> Record:
    node = node or _node(packet, direction)
    source, destination = packet.source, packet.destination
    family = source.address.family.value
    return {
        "time": TIME,
        "uuid": UUID,
        "emitter": {"name": "Hubble", "version": "1.20.0"},
        "verdict": verdict,
        "ethernet": {"source": _mac(source), "destination": _mac(destination)},
        "IP": {
            "source": str(source.address),
            "destination": str(destination.address),
            "ipVersion": f"IPv{family}",
        },
        "l4": _layer4(packet, flags, reply=reply),
        "source": source.seen_from(node),
        "destination": destination.seen_from(node),
        "Type": "L3_L4",
        "node_name": node,
        "node_labels": [f"kubernetes.io/hostname={node}"],
        "event_type": {"type": kind},
        "traffic_direction": direction.name,
    }


def _line(record: Record, connection: Connection, direction: Direction) -> Line:
    node = _node(connection, direction)
    record["Summary"] = _summary(record["l4"])
    return Line.of({"flow": record, "node_name": node, "time": TIME}, node)


def _node(connection: Connection, direction: Direction) -> str:
    return (connection.source if direction is Direction.EGRESS else connection.destination).node


def _layer4(packet: Connection, flags: tuple[str, ...], *, reply: bool) -> Record:
    if packet.protocol in (ICMP, ICMPV6):
        name = "ICMPv4" if packet.protocol == ICMP else "ICMPv6"
        kind = _echo_reply(packet.protocol) if reply else packet.icmp_type
        return {name: {"type": kind} if kind else {}}
    near, far = (packet.port, PORT) if reply else (PORT, packet.port)
    held: Record = {"source_port": near, "destination_port": far}
    if packet.protocol == TCP and flags:
        held["flags"] = dict.fromkeys(flags, True)
    return {{TCP: "TCP", UDP: "UDP", SCTP: "SCTP"}[packet.protocol]: held}


def _echo_reply(protocol: int) -> int:
    return 0 if protocol == ICMP else 129


def _summary(layer4: Record) -> str:
    (name, held), *_ = layer4.items()
    return f"TCP Flags: {', '.join(held['flags'])}" if "flags" in held else name


def _drop_reason(rule: Rule | None) -> Record:
    is_written = rule is not None and rule.role is Role.WRITTEN
    number, name = (_DENY, "POLICY_DENY") if is_written else (_DENIED, "POLICY_DENIED")
    return {"drop_reason": number, "drop_reason_desc": name}


def _match_type(rule: Rule | None) -> int:
    """Tell how much the deciding entry asks for: 0 nothing decided, 1 peer, 2 peer and port, 3 port, 4 anything."""
    if rule is None or rule.role is not Role.WRITTEN:
        return 4 if rule is None else 0
    if rule.peer == ANYTHING:
        return 4 if rule.ports == EVERY_PORT else 3
    return 1 if rule.ports == EVERY_PORT else 2


def _policy(ref: PolicyRef) -> Record:
    namespace = {"namespace": ref.namespace} if ref.namespace else {}
    labels = [f"{DERIVED}.derived-from={ref.kind}", f"{DERIVED}.name={ref.name}"]
    labels += [f"{DERIVED}.namespace={ref.namespace}"] if ref.namespace else []
    return {"name": ref.name, **namespace, "labels": labels, "revision": "2", "kind": ref.kind}


def _mac(party: Party) -> str:
    digits = f"{party.address.value & 0xFFFFFFFF:08x}"
    return ":".join(["0a", "58", *(digits[at : at + 2] for at in range(0, 8, 2))])
