"""Events of Inspektor Gadget's gadgets about the network: JSON lines, or objects over several lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from simcore.model.schema import ANSWER

from ..records.format import Format
from ..records.objects import read_objects
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tabling import moment_of, name_of, part, pod_of, text_of, to_batches
from ..streams import Source

_TOLD = ("dns_query", "dns_addresses", "tls_sni", "record")
_COLUMNS = (
    *("time", "source_address", "destination_address", "source_port", "destination_port", "protocol"),
    *("source_pod", "destination_pod", "node", *_TOLD),
)
_CLOSED = "closed sockets: connections are told where they open"
_OTHER = "events that open no connection"
_NANOSECONDS = 1_000_000_000


def _recognise(sample: Sample) -> bool:
    return any(_is_event(value) for value in sample.objects)


def _is_event(value: object) -> bool:
    """Whether it is an event of any gadget that tells of two ends, or of a peer."""
    if not isinstance(value, dict) or not ({"k8s", "runtime", "proc", "netns_id", "mntns_id", "pod"} & value.keys()):
        return False
    return _is_end(value.get("dst")) and (_is_end(value.get("src")) or "pktType" in value)


def _is_end(value: object) -> bool:
    return isinstance(value, dict) and bool({"addr", "kind"} & value.keys())


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    return to_batches(_rows(source, reading), _COLUMNS)


def _rows(source: Source, reading: Reading) -> Iterator[tuple[object, ...]]:
    for place, event in read_objects(source, reading):
        if not _is_event(event):
            reading.complain(source, place, "this is no event of the network: it has no src and dst with addresses")
            continue
        word = text_of(event.get("type") or event.get("operation")) or ""
        if "pktType" in event and "port" in event:
            yield _row(event, *_peers(event))
        elif word in ("connect", "accept"):
            yield _row(event, *_oriented(event, near="src", answers=word == "accept"), protocol="tcp")
        elif word == "close":
            reading.leave_out(_CLOSED)
        elif event.get("qr") in ("Q", "R"):
            yield _dns_row(event, is_answer=event["qr"] == "R")
        elif isinstance(event.get("name"), str):
            yield _row(event, *_oriented(event), protocol="tcp", tls_sni=_name(event))
        else:
            reading.leave_out(_OTHER)


class _End(NamedTuple):
    """An end of a connection, as an event tells it."""

    address: object
    port: object
    pod: str | None


def _oriented(event: Mapping[str, Any], *, near: str = "", answers: bool = False) -> tuple[_End, _End]:
    """Return the end that opened the connection, then the other.

    Parameters
    ----------
    event : mapping
    near : str
        Which of them is the pod where it was seen, ``src`` or ``dst``, where that is known.
    answers : bool
        Whether `src` is the one that answers: it accepted a connection, or sent the answer.
    """
    source, destination = (_end(event, name, is_near=name == near) for name in ("src", "dst"))
    return (destination, source) if answers else (source, destination)


def _end(event: Mapping[str, Any], name: str, *, is_near: bool) -> _End:
    told = part(event, name)
    pod = _pod_at(told)
    if pod is None and is_near and part(event, "k8s").get("hostnetwork") is not True:
        pod = _own_pod(event)
    return _End(told.get("addr"), told.get("port"), pod)


def _pod_at(end: Mapping[str, Any]) -> str | None:
    """Name the pod that an end was found to be."""
    known = part(end, "k8s") or end
    return pod_of(known.get("namespace"), known.get("name")) if known.get("kind") == "pod" else None


def _own_pod(event: Mapping[str, Any]) -> str | None:
    """Name the pod where an event was seen."""
    known = part(event, "k8s")
    return pod_of(known.get("namespace"), known.get("podName")) or pod_of(event.get("namespace"), event.get("pod"))


def _peers(event: Mapping[str, Any]) -> tuple[_End, _End]:
    """Return the ends of an event that tells a pod's new peer; whose port was opened is told by the direction."""
    far, port = part(event, "dst"), event["port"]
    own = _End(event.get("podIP"), None, _own_pod(event))
    peer = _End(far.get("addr"), None, _pod_at(far))
    source, destination = (own, peer) if event["pktType"] == "OUTGOING" else (peer, own)
    return source, destination._replace(port=port)


def _dns_row(event: Mapping[str, Any], *, is_answer: bool) -> tuple[object, ...]:
    near = {"OUTGOING": "src", "HOST": "dst"}.get(text_of(event.get("pkt_type")) or "", "")
    ends = _oriented(event, near=near, answers=is_answer)
    if not is_answer:
        return _row(event, *ends, dns_query=_name(event))
    addresses = (text_of(event.get("addresses")) or "").replace(" ", "") or None
    return _row(event, *ends, dns_query=_name(event), dns_addresses=addresses, record=ANSWER)


def _name(event: Mapping[str, Any]) -> str | None:
    return name_of(event.get("name")).lower().removesuffix(".") or None


def _row(
    event: Mapping[str, Any], source: _End, destination: _End, protocol: str | None = None, **told: str | None
) -> tuple[object, ...]:
    return (
        moment_of(event.get("timestamp"), per_second=_NANOSECONDS),
        source.address,
        destination.address,
        source.port,
        destination.port,
        part(event, "src").get("proto") or event.get("proto") or protocol,
        source.pod,
        destination.pod,
        name_of(part(event, "k8s").get("node") or event.get("node")) or None,
        *(told.get(name) for name in _TOLD),
    )


FORMAT = Format(
    name="gadget",
    title="Inspektor Gadget's trace_tcp, trace_dns, trace_sni and trace_network: JSON",
    row="an event of a socket, a DNS message or a pod's new peer",
    recognise=_recognise,
    fields=lambda _: _COLUMNS,
    read=_read,
    lacks=(
        "no counters and no ends of connections",
        "clients see the addresses of Services: pods behind them are told by the cluster",
        "events of new peers come once for each peer and have no source port",
    ),
)
