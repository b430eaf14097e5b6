"""Which columns of a file make up each column of a row, and the names that say so by themselves."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from simcore.model.schema import FLOW_SCHEMA


@dataclass(frozen=True, slots=True)
class Origin:
    """The columns of a file that make up one column of a row, and the unit of their numbers where they are times.

    Of several address columns, the first known address of a row counts; several text columns are joined by a slash.
    """

    columns: tuple[str, ...]
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a format makes of a file's columns; `ambiguous` holds the candidates where it cannot decide."""

    origins: Mapping[str, Origin]
    ambiguous: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_ALIASES = dict.fromkeys(FLOW_SCHEMA.names, "") | {
    "time": "time timestamp ts start starttime flowstart firstseen",
    "end_time": "end endtime flowend lastseen",
    "source_address": "sourceaddress sourceaddr sourceip srcaddress srcaddr srcip ipsrc saddr sip idorigh ipv4srcaddr",
    "destination_address": "destinationaddress destinationaddr destinationip destaddress destaddr destip "
    "dstaddress dstaddr dstip ipdst daddr dip idresph ipv4dstaddr",
    "source_port": "sourceport srcport portsrc sport idorigp l4srcport",
    "destination_port": "destinationport destport dstport portdst dport idrespp l4dstport",
    "protocol": "protocol proto ipproto ipprotocol protocolidentifier",
    "tcp_flags": "tcpflags tcpcontrolbits",
    "packets": "packets pkts packetcount packetdeltacount",
    "bytes": "bytes octets bytecount octetdeltacount",
    "source_pod": "sourcepod srcpod sourcepodnamespace+sourcepodname srcpodnamespace+srcpodname "
    "srcnamespace+srcpodname sourcenamespace+sourcepodname",
    "destination_pod": "destinationpod destpod dstpod destinationpodnamespace+destinationpodname "
    "dstpodnamespace+dstpodname dstnamespace+dstpodname destinationnamespace+destinationpodname",
    "node": "node nodename",
    "observed_verdict": "observedverdict verdict action",
    "icmp_type": "icmptype icmptypeipv4",
    "icmp_code": "icmpcode icmpcodeipv4",
    "http_method": "httpmethod",
    "http_path": "httppath",
    "http_host": "httphost",
    "dns_query": "dnsquery",
    "tls_sni": "tlssni",
}
"""Names that say what they hold, in small letters and without signs: ``src_ip`` and ``srcIp`` are ``srcip``.

A plus joins two columns. No name here tells the unit of a time: see `_UNITS`. A column without any is known by its own
name only.
"""

_UNITS = {
    "time": {
        "timeflowstartns": "ns",
        "flowstartseconds": "s",
        "flowstartmilliseconds": "ms",
        "flowstartmicroseconds": "us",
        "flowstartnanoseconds": "ns",
    },
    "end_time": {
        "timeflowendns": "ns",
        "flowendseconds": "s",
        "flowendmilliseconds": "ms",
        "flowendmicroseconds": "us",
        "flowendnanoseconds": "ns",
    },
}
"""Names of times that tell their unit."""


Names = Mapping[str, str]
"""Names that say what they hold, by the column that they stand for; parted by blanks."""


def recognise_names(stored: Collection[str], partitions: Collection[str]) -> Recognised:
    """Find the columns of a flow by their own names, which come first, and by common other names."""
    return recognise_by(_ALIASES, _UNITS, stored, partitions)


def recognise_by(
    aliases: Names, units: Mapping[str, Names], stored: Collection[str], partitions: Collection[str]
) -> Recognised:
    """Find the columns that `aliases` lists by their own names, which come first, and by those other names.

    `units` holds, for columns of times, other names that tell their unit.
    """
    columns = dict.fromkeys([*stored, *partitions])
    spelled: dict[str, list[str]] = defaultdict(list)
    for column in columns:
        spelled[re.sub(r"[^a-z0-9]", "", column.lower())].append(column)
    origins: dict[str, Origin] = {}
    ambiguous: dict[str, tuple[str, ...]] = {}
    for name in aliases:
        candidates = _candidates(aliases[name], units.get(name, {}), spelled)
        found = [Origin((name,))] if name in columns else list(candidates)
        if len(found) == 1:
            origins[name] = found[0]
        elif found:
            ambiguous[name] = tuple("+".join(origin.columns) for origin in found)
    return Recognised(origins, ambiguous)


def _candidates(aliases: str, units: Names, spelled: Mapping[str, list[str]]) -> Iterator[Origin]:
    for alias in aliases.split():
        parts = alias.split("+")
        if len(parts) == 1:
            yield from (Origin((column,)) for column in spelled.get(alias, ()))
        elif all(len(spelled.get(part, ())) == 1 for part in parts):
            yield Origin(tuple(spelled[part][0] for part in parts))
    for alias, unit in units.items():
        yield from (Origin((column,), unit) for column in spelled.get(alias, ()))
