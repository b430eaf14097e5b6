"""The parts of Hubble's messages that are read; whatever else a line holds is skipped.

Names are the protocol's. An enumeration is a name, or a number where the writer did not know the name. What a message
leaves out has the protocol's default, but for `is_reply`, which is then unknown.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, field

Port = Annotated[int, Meta(ge=0, le=65_535)]
Octet = Annotated[int, Meta(ge=0, le=255)]
Word = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Long = int | str
"""64 bits, which JSON of the protocol writes as text."""
Enum = str | int | None
NOTHING = Raw(b"")


class Ip(Struct, gc=False):
    """Addresses of the packet; `source` is the one before masquerading."""

    source: str = ""
    destination: str = ""


class Ports(Struct, gc=False):
    """The header of UDP or SCTP."""

    source_port: Port = 0
    destination_port: Port = 0


class Tcp(Struct, gc=False):
    """The header of TCP."""

    source_port: Port = 0
    destination_port: Port = 0
    flags: Raw = NOTHING


class Icmp(Struct, gc=False):
    """The header of ICMP or ICMPv6."""

    type: Octet = 0
    code: Octet = 0


class Layer4(Struct, gc=False):
    """The one header that a packet has."""

    tcp: Tcp | None = field(name="TCP", default=None)
    udp: Ports | None = field(name="UDP", default=None)
    sctp: Ports | None = field(name="SCTP", default=None)
    icmp_v4: Icmp | None = field(name="ICMPv4", default=None)
    icmp_v6: Icmp | None = field(name="ICMPv6", default=None)
    vrrp: Raw = field(name="VRRP", default=NOTHING)
    igmp: Raw = field(name="IGMP", default=NOTHING)


class EventType(Struct, gc=False):
    """What produced an event; `sub_type` is a drop's reason, or a trace's observation point."""

    type: int = 0
    sub_type: int = 0


class Header(Struct, gc=False):
    """A header of an HTTP request."""

    key: str = ""
    value: str = ""


class Http(Struct, gc=False):
    """An HTTP request or response."""

    method: str = ""
    url: str = ""
    headers: list[Header] = []


class Dns(Struct, gc=False):
    """A DNS question or answer."""

    query: str = ""
    ips: list[str] = []
    ttl: Word = 0


class Layer7(Struct, gc=False):
    """What a proxy saw."""

    type: Enum = None
    http: Http | None = None
    dns: Dns | None = None


class Flow(Struct, gc=False):
    """An event of the datapath or of a proxy."""

    time: str = ""
    uuid: str = ""
    verdict: Enum = None
    drop_reason: Word = 0
    drop_reason_desc: Enum = None
    ip: Ip | None = field(name="IP", default=None)
    l4: Layer4 | None = None
    source: Raw = NOTHING
    destination: Raw = NOTHING
    type: Enum = field(name="Type", default=None)
    node_name: str = ""
    l7: Layer7 | None = None
    is_reply: bool | None = None
    event_type: EventType | None = None
    destination_service: Raw = NOTHING
    traffic_direction: Enum = None
    policy_match_type: int = 0
    trace_observation_point: Enum = None
    trace_reason: Enum = None
    egress_allowed_by: Raw = NOTHING
    ingress_allowed_by: Raw = NOTHING
    egress_denied_by: Raw = NOTHING
    ingress_denied_by: Raw = NOTHING
    aggregate: Raw = NOTHING


class LostEvents(Struct, gc=False):
    """Events that were lost on their way to Hubble."""

    num_events_lost: Long = 0


class Line(Struct, gc=False):
    """What a line holds where the flow is wrapped."""

    flow: Flow | None = None
    node_name: str = ""
    time: str = ""
    lost_events: LostEvents | None = None
    node_status: Raw = NOTHING
    agent_event: Raw = NOTHING
    debug_event: Raw = NOTHING


class Workload(Struct, gc=False):
    """What owns a pod."""

    name: str = ""
    kind: str = ""


class Endpoint(Struct, gc=False):
    """One end of a flow; `id` is that of a local endpoint."""

    id: Word = field(name="ID", default=0)
    identity: Word = 0
    cluster_name: str = ""
    namespace: str = ""
    labels: list[str] = []
    pod_name: str = ""
    workloads: list[Workload] = []


class Policy(Struct, gc=False):
    """A policy that decided."""

    name: str = ""
    namespace: str = ""
    labels: list[str] = []
    kind: str = ""


class Aggregate(Struct, gc=False):
    """How many flows a record of the exporter's aggregation stands for."""

    ingress_flow_count: Word = 0
    egress_flow_count: Word = 0
    unknown_direction_flow_count: Word = 0


class Flags(Struct, gc=False):
    """TCP flags of one packet, by rising bits."""

    FIN: bool = False
    SYN: bool = False
    RST: bool = False
    PSH: bool = False
    ACK: bool = False
    URG: bool = False
    ECE: bool = False
    CWR: bool = False


LATER: dict[str, type[Struct]] = {
    "source": Endpoint,
    "destination": Endpoint,
    "flags": Flags,
    "aggregate": Aggregate,
}
"""Messages that are read apart from the one that holds them, once for each distinct text."""


class Outline(Struct, gc=False):
    """What tells a line of Hubble's from other JSON."""

    flow: Raw = NOTHING
    node_status: Raw = NOTHING
    lost_events: Raw = NOTHING
    agent_event: Raw = NOTHING
    debug_event: Raw = NOTHING
    verdict: Raw = NOTHING
    ip: Raw = field(name="IP", default=NOTHING)
    l4: Raw = NOTHING
    event_type: Raw = NOTHING

    @property
    def is_hubble(self) -> bool:
        """Whether it is a message of Hubble's, or a flow without any around it."""
        wrapped = (self.flow, self.node_status, self.lost_events, self.agent_event, self.debug_event)
        bare = (self.ip, self.l4, self.event_type)
        return any(map(len, map(bytes, wrapped))) or bool(bytes(self.verdict) and any(map(len, map(bytes, bare))))


read_outline = msgspec.json.Decoder(Outline).decode
read_line = msgspec.json.Decoder(Line).decode
read_flow = msgspec.json.Decoder(Flow).decode
read_endpoint = msgspec.json.Decoder(Endpoint).decode
read_policies = msgspec.json.Decoder(list[Policy]).decode
read_aggregate = msgspec.json.Decoder(Aggregate).decode
read_flags = msgspec.json.Decoder(Flags).decode
