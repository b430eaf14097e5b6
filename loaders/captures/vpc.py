"""AWS VPC Flow Logs as delivered in Parquet: known by their columns, of which a format may choose any."""

from __future__ import annotations

import re
from collections.abc import Collection

from .origins import Origin, Recognised

# The addresses of the packet itself are the pods'; the others are those of the network interface.
_ORIGINS = {
    "time": Origin(("start",), "s"),
    "end_time": Origin(("end",), "s"),
    "source_address": Origin(("pkt_srcaddr", "srcaddr")),
    "destination_address": Origin(("pkt_dstaddr", "dstaddr")),
    "source_port": Origin(("srcport",)),
    "destination_port": Origin(("dstport",)),
    "protocol": Origin(("protocol",)),
    "tcp_flags": Origin(("tcp_flags",)),
    "packets": Origin(("packets",)),
    "bytes": Origin(("bytes",)),
    "observed_verdict": Origin(("action",)),
}
_TELLING = {
    "flow_direction",
    "interface_id",
    "log_status",
    "pkt_dst_aws_service",
    "pkt_dstaddr",
    "pkt_src_aws_service",
    "pkt_srcaddr",
}
"""Names that no other source is likely to use."""

COLUMNS = tuple(column for origin in _ORIGINS.values() for column in origin.columns)
"""Names of fields that columns of a flow are made of."""

_NAMES = {*COLUMNS, *_TELLING}
_OTHERS = re.compile(
    "version|account_id|(vpc|subnet|instance|az|resource|sublocation)_id|type|region|sublocation_type|traffic_path"
    "|reject_reason|encryption_status|ecs_[a-z_]+"
)


def recognise_vpc(stored: Collection[str], partitions: Collection[str]) -> Recognised | None:
    """Find the columns of a flow in those of a VPC flow log; nothing where it is none.

    It is one where both ends have an address under AWS' names, and either a name is AWS' alone or all names are AWS'.
    """
    held = set(stored)
    if not (held & {"pkt_srcaddr", "srcaddr"} and held & {"pkt_dstaddr", "dstaddr"}):
        return None
    if not (held & _TELLING or all(_OTHERS.fullmatch(column) for column in held - _NAMES)):
        return None
    held_of = {name: [column for column in origin.columns if column in held] for name, origin in _ORIGINS.items()}
    return Recognised({name: Origin(tuple(found), _ORIGINS[name].unit) for name, found in held_of.items() if found})
