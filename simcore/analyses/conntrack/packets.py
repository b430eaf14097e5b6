"""Packets of a capture as the tracker takes them: tuples, reply tuples, and what a ruleset says of each."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simcore.analyses.conntrack.helpers import fill_helper
from simcore.kernels.conntrack.entries import ACK, FIN, RST, SYN
from simcore.kernels.conntrack.protocols import (
    BY_GENERIC,
    BY_GRE,
    BY_ICMP,
    BY_ICMPV6,
    BY_SCTP,
    BY_TCP,
    BY_UDP,
    BY_UDPLITE,
    ERROR_ABOUT,
    OPENS,
    PACKET,
    REFUSED_ALWAYS,
    REFUSED_EARLY,
    REFUSED_LATE,
    UNTRACKED,
)
from simcore.kernels.conntrack.tcp import KINDS
from simcore.kernels.conntrack.window import NO_OPTIONS
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.conntrack import UDPLITE
from simcore.model.ports import GRE, ICMP, ICMPV6, SCTP, TCP, UDP
from simcore.model.rulesets import Ruleset

Words = NDArray[np.uint64]
Mask = NDArray[np.bool_]

_HANDLERS = {
    TCP: BY_TCP,
    UDP: BY_UDP,
    UDPLITE: BY_UDPLITE,
    GRE: BY_GRE,
    ICMP: BY_ICMP,
    ICMPV6: BY_ICMPV6,
    SCTP: BY_SCTP,
}
_WITH_PORTS = (TCP, UDP, UDPLITE, SCTP)
_ICMP_ANSWERS = {8: 0, 13: 14, 15: 16, 17: 18}
_ICMPV6_ANSWERS = {128: 129, 139: 140}
_ICMP_ERRORS = (3, 4, 5, 11, 12)
_LAST_ICMP_TYPE = 18
_LAST_ICMPV6_ERROR = 127
_ICMPV6_UNTRACKED = (*range(130, 138), 143)
_MAPPED = 0xFFFF << 32
_NOT_TOLD = -1


def packet_rows(
    batch: pa.RecordBatch, ruleset: Ruleset, clients: Iterable[Cidr] = (), *, sums: bool = True
) -> NDArray[np.void]:
    """Turn a batch of PACKET_SCHEMA into PACKET rows.

    Parameters
    ----------
    batch : RecordBatch
        Rows of PACKET_SCHEMA; columns that may be null may be missing.
    ruleset : Ruleset
        What is let through as NEW, and which addresses are rewritten.
    clients : iterable of Cidr
        Networks on side a, for packets whose side is null. Without any, such packets come from side a.
    sums : bool
        Whether checksums are looked at (``nf_conntrack_checksum``).
    """
    rows = np.zeros(batch.num_rows, PACKET)
    rows["time"] = batch.column("time").cast(pa.int64()).to_numpy(zero_copy_only=False)
    source, destination = _addresses(batch, "source_address"), _addresses(batch, "destination_address")
    protocol = _numbers(batch, "protocol", 0)
    rows["handler"] = _look_up(protocol, _HANDLERS, BY_GENERIC)
    _fill_tcp(rows, batch)
    rows["chunk"], rows["tag"], rows["initiate_tag"] = (
        _numbers(batch, name, _NOT_TOLD) for name in ("sctp_chunk", "sctp_tag", "sctp_initiate_tag")
    )
    rows["bad"] = ~_booleans(batch, "checksum_ok", True) & sums & ~np.isin(rows["handler"], (BY_GRE, BY_GENERIC))
    networks = tuple(clients)
    entered_a = entered_a_of(batch, networks)
    rows["allowed"] = allowed_of(rows["flags"], rows["handler"] == BY_TCP, entered_a, ruleset)
    ports, answers = _ports(batch, protocol, "")
    for rule in ruleset.masquerade:
        rows["local"] |= _equals(destination, rule.to)
    target, client = _rewritten(source, destination, protocol, entered_a, rows["local"] != 0, networks, ruleset)
    _set_tuple(rows["tuple"], source, destination, ports)
    _set_tuple(rows["reply"], target, client, answers)
    rows["nat"] = bool(ruleset.dnat or ruleset.masquerade)
    _judge_icmp(rows, batch, protocol, destination)
    for number, port in ruleset.notrack:
        rows["action"][(protocol == number) & (_numbers(batch, "destination_port", 0) == port)] = UNTRACKED
    fill_helper(rows, batch, ruleset)
    return rows


def _fill_tcp(rows: NDArray[np.void], batch: pa.RecordBatch) -> None:
    rows["flags"] = _numbers(batch, "flags", 0)
    rows["kind"] = KINDS[rows["flags"]]
    rows["sequence"] = _numbers(batch, "sequence", _NOT_TOLD)
    rows["acknowledgement"] = _numbers(batch, "acknowledgement", 0)
    rows["length"] = _lengths(batch)
    rows["window"] = _numbers(batch, "window", 65535)
    rows["scale"] = scales_of(batch)


def _numbers(batch: pa.RecordBatch, name: str, missing: int) -> NDArray[np.int64]:
    """Return a column of numbers, `missing` where it is null or absent."""
    if name not in batch.schema.names:
        return np.full(batch.num_rows, missing, np.int64)
    result: NDArray[np.int64] = (
        batch.column(name).cast(pa.int64()).fill_null(missing).to_numpy(zero_copy_only=False).astype(np.int64)
    )
    return result


def _booleans(batch: pa.RecordBatch, name: str, missing: bool) -> Mask:
    if name not in batch.schema.names:
        return np.full(batch.num_rows, missing)
    result: Mask = batch.column(name).fill_null(missing).to_numpy(zero_copy_only=False).astype(bool)
    return result


def _addresses(batch: pa.RecordBatch, name: str) -> Words:
    """Return addresses as two halves each, uint64[n, 2]; IPv4 is mapped."""
    halves = np.zeros((batch.num_rows, 2), np.uint64)
    if name not in batch.schema.names:
        return halves
    column = batch.column(name)
    if pa.types.is_fixed_size_binary(column.type):
        filled = column.fill_null(bytes(16))
        raw = np.frombuffer(b"".join(filled.to_pylist()), ">u8").reshape(-1, 2)
        halves[:] = raw
    else:
        halves[:, 1] = np.uint64(_MAPPED) | column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
    return halves


def _halves(address: Address) -> tuple[int, int]:
    if address.family is Family.V4:
        return 0, _MAPPED | address.value
    return address.value >> 64, address.value & 0xFFFF_FFFF_FFFF_FFFF


def _equals(addresses: Words, address: Address) -> Mask:
    high, low = _halves(address)
    result: Mask = (addresses[:, 0] == np.uint64(high)) & (addresses[:, 1] == np.uint64(low))
    return result


def _within(addresses: Words, block: Cidr) -> Mask:
    bits = block.length + (96 if block.family is Family.V4 else 0)
    mask = ((1 << 128) - 1) ^ ((1 << (128 - bits)) - 1)
    high, low = _halves(Address(block.family, block.network))
    result: Mask = ((addresses[:, 0] & np.uint64(mask >> 64)) == np.uint64(high)) & (
        (addresses[:, 1] & np.uint64(mask & 0xFFFF_FFFF_FFFF_FFFF)) == np.uint64(low)
    )
    return result


def _within_any(addresses: Words, blocks: tuple[Cidr, ...]) -> Mask:
    result = np.zeros(len(addresses), bool)
    for block in blocks:
        result |= _within(addresses, block)
    return result


def entered_a_of(batch: pa.RecordBatch, clients: tuple[Cidr, ...]) -> Mask:
    """Say which packets of a batch entered from side a; see `packet_rows`."""
    told = np.zeros(batch.num_rows, bool)
    if "side" in batch.schema.names:
        column = batch.column("side")
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        numbers = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        is_a = np.zeros(batch.num_rows, bool)
        for number, word in enumerate(column.dictionary.to_pylist()):
            if word == "a":
                is_a |= numbers == number
        if not column.null_count:
            return is_a
        told = column.is_valid().to_numpy(zero_copy_only=False)
    derived = _from_any(batch, clients) if clients else np.ones(batch.num_rows, bool)
    return np.where(told, is_a, derived) if told.any() else derived


def _from_any(batch: pa.RecordBatch, clients: tuple[Cidr, ...]) -> Mask:
    """Say which packets of a batch come from these networks."""
    column = batch.column("source_address")
    if not pa.types.is_uint32(column.type) or any(block.family is not Family.V4 for block in clients):
        return _within_any(_addresses(batch, "source_address"), clients)
    addresses = column.fill_null(0).to_numpy(zero_copy_only=False)
    result = np.zeros(batch.num_rows, bool)
    for block in clients:
        mask = np.uint32((1 << 32) - (1 << (32 - block.length)))
        result |= addresses & mask == np.uint32(block.network)
    return result


def allowed_of(flags: NDArray[np.uint8], is_tcp: Mask, entered_a: Mask, ruleset: Ruleset) -> Mask:
    """Say which packets would pass as the first of their connection."""
    allowed: Mask = (entered_a & ("a" in ruleset.new_from)) | (~entered_a & ("b" in ruleset.new_from))
    if ruleset.syn_only:
        allowed &= (flags & (FIN | SYN | RST | ACK) == SYN) | ~is_tcp
    return allowed


def _lengths(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return the bytes of each payload; where only its text is there, those of the text."""
    lengths = _numbers(batch, "length", 0)
    if "payload" in batch.schema.names and batch.column("payload").null_count < batch.num_rows:
        texts = pc.binary_length(batch.column("payload")).fill_null(0).to_numpy(zero_copy_only=False)
        lengths = np.where(lengths == 0, texts, lengths)
    return lengths


def scales_of(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return each packet's window scale, -1 without that option, NO_OPTIONS without any."""
    others = _booleans(batch, "sack_permitted", False) | (_numbers(batch, "mss", _NOT_TOLD) != _NOT_TOLD)
    scale = _numbers(batch, "window_scale", NO_OPTIONS)
    return np.where(others & (scale == NO_OPTIONS), _NOT_TOLD, scale)


def requests_first(tuples: Words) -> Words:
    """Return tuples in which answers of ICMP are the exact reverse of their requests."""
    turned = tuples.copy()
    ports = tuples[:, 4].astype(np.int64)
    protocol, kind, code, identifier = ports & 0xFF, ports >> 24 & 0xFF, ports >> 16 & 0xFF, ports >> 32
    for number, answers in ((ICMP, _ICMP_ANSWERS), (ICMPV6, _ICMPV6_ANSWERS)):
        for request, answer in answers.items():
            rows = (protocol == number) & (kind == answer)
            words = (request << 8 | code[rows]) << 32 | identifier[rows] << 16 | number
            turned[rows, 4] = words.astype(np.uint64)
    return turned


def _look_up(values: NDArray[np.int64], table: dict[int, int], missing: int) -> NDArray[np.int64]:
    result = np.full(len(values), missing, np.int64)
    for value, number in table.items():
        result[values == value] = number
    return result


def _ports(batch: pa.RecordBatch, protocol: NDArray[np.int64], prefix: str) -> tuple[Words, Words]:
    """Return the last word of each tuple, and that of its answer."""
    source, destination = (_numbers(batch, f"{prefix}{end}_port", 0) for end in ("source", "destination"))
    has_ports = np.isin(protocol, _WITH_PORTS)
    source, destination = np.where(has_ports, source, 0), np.where(has_ports, destination, 0)
    answer_source, answer_destination = destination, source
    kind = _numbers(batch, f"{prefix}icmp_type", _NOT_TOLD)
    code, identifier = _numbers(batch, f"{prefix}icmp_code", 0), _numbers(batch, f"{prefix}icmp_id", 0)
    for number, answers in ((ICMP, _ICMP_ANSWERS), (ICMPV6, _ICMPV6_ANSWERS)):
        inverse = answers | {answer: request for request, answer in answers.items()}
        told = (protocol == number) & (kind != _NOT_TOLD)
        source, answer_source = (np.where(told, identifier, column) for column in (source, answer_source))
        destination = np.where(told, kind << 8 | code, destination)
        answer_destination = np.where(told, _look_up(kind, inverse, 0) << 8 | code, answer_destination)
    return (
        (source << 32 | destination << 16 | protocol).astype(np.uint64),
        (answer_source << 32 | answer_destination << 16 | protocol).astype(np.uint64),
    )


def _rewritten(
    source: Words,
    destination: Words,
    protocol: NDArray[np.int64],
    entered_a: Mask,
    local: Mask,
    clients: tuple[Cidr, ...],
    ruleset: Ruleset,
) -> tuple[Words, Words]:
    """Return both ends of each packet as an opener once it is sent on: destination, then source."""
    target, client = destination.copy(), source.copy()
    done = np.zeros(len(source), bool)
    for dnat in ruleset.dnat:
        fits = _equals(destination, dnat.address) & np.isin(protocol, dnat.protocols) & ~done
        target[fits] = _halves(dnat.to)
        done |= fits
    done[:] = False
    for rule in ruleset.masquerade:
        # Where nobody names the clients' networks, the rule's own network lies on the side it names.
        homes = clients or (rule.source,)
        home_a = bool(clients) or rule.enters == "a"
        leaves_a = _within_any(target, homes) == home_a
        fits = _within(source, rule.source) & (entered_a == (rule.enters == "a")) & (leaves_a == (rule.leaves == "a"))
        client[fits & ~done & ~local] = _halves(rule.to)
        done |= fits
    return target, client


def _set_tuple(tuples: Words, source: Words, destination: Words, ports: Words) -> None:
    tuples[:, 0:2], tuples[:, 2:4], tuples[:, 4] = source, destination, ports


def _judge_icmp(rows: NDArray[np.void], batch: pa.RecordBatch, protocol: NDArray[np.int64], destination: Words) -> None:
    """Say which ICMP messages open connections, speak of others, or are not tracked (C-1, C-4, C-10)."""
    kind = _numbers(batch, "icmp_type", _NOT_TOLD)
    four, six = (protocol == ICMP) & (kind != _NOT_TOLD), (protocol == ICMPV6) & (kind != _NOT_TOLD)
    if not (four | six).any():
        return
    for told, answers in ((four, _ICMP_ANSWERS), (six, _ICMPV6_ANSWERS)):
        rows["opening"][told] = REFUSED_EARLY
        rows["opening"][told & np.isin(kind, list(answers))] = OPENS
        rows["opening"][told & np.isin(kind, list(answers.values()))] = REFUSED_LATE
    errors = four & np.isin(kind, _ICMP_ERRORS) | six & (kind <= _LAST_ICMPV6_ERROR)
    inner = _numbers(batch, "inner_protocol", _NOT_TOLD)
    rows["action"][six & np.isin(kind, _ICMPV6_UNTRACKED)] = UNTRACKED
    rows["action"][errors] = ERROR_ABOUT
    if errors.any():
        _, answers_to = _ports(batch, inner, "inner_")
        sender, receiver = (_addresses(batch, f"inner_{end}_address") for end in ("source", "destination"))
        quoted = np.zeros((batch.num_rows, 5), np.uint64)
        _set_tuple(quoted, receiver, sender, answers_to)
        rows["tuple"][errors] = quoted[errors]
        rows["reply"][errors, 0:2] = destination[errors]
    inner_kind = _numbers(batch, "inner_icmp_type", _NOT_TOLD)
    aimless = (inner == ICMP) & ~np.isin(inner_kind, [*_ICMP_ANSWERS, *_ICMP_ANSWERS.values()])
    aimless |= (inner == ICMPV6) & ~np.isin(inner_kind, [*_ICMPV6_ANSWERS, *_ICMPV6_ANSWERS.values()])
    aimless |= inner == _NOT_TOLD
    refused = four & (kind > _LAST_ICMP_TYPE) | errors & aimless | (four | six) & (rows["bad"] != 0)
    rows["action"][refused] = REFUSED_ALWAYS
