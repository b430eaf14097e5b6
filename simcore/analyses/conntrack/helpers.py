"""Lines of FTP that name a connection to come (semantics C-10)."""

from __future__ import annotations

import re

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from simcore.kernels.conntrack.protocols import BY_TCP
from simcore.model.addresses import Address, Family
from simcore.model.ports import TCP
from simcore.model.rulesets import Ruleset

_SIX = re.compile(r"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})")
_PORT = re.compile(rf"PORT +{_SIX.pattern}[\r\n]", re.IGNORECASE)
_PASSIVE = re.compile(rf"227 [^0-9\r\n]*{_SIX.pattern}")
_EXTENDED_PORT = re.compile(r"EPRT +(\S)([12])\1([0-9a-fA-F.:]+)\1(\d{1,5})\1", re.IGNORECASE)
_EXTENDED_PASSIVE = re.compile(r"229 [^(\r\n]*\((\S)\1\1(\d{1,5})\1\)")


def fill_helper(rows: NDArray[np.void], batch: pa.RecordBatch, ruleset: Ruleset) -> None:
    """Fill what the FTP helper sees: which connections it watches, which lines end, and what they announce."""
    if not ruleset.ftp_ports:
        return
    destination_port = rows["tuple"][:, 4] >> np.uint64(16) & np.uint64(0xFFFF)
    rows["helper"] = (rows["handler"] == BY_TCP) & np.isin(destination_port, ruleset.ftp_ports)
    if "payload" not in batch.schema.names:
        return
    for i, text in enumerate(batch.column("payload").to_pylist()):
        if text is None:
            continue
        rows["line"][i] = text.endswith("\n")
        named = announced(text)
        if named is None:
            continue
        address, port = named
        own = rows["tuple"][i, 0:2]
        halves = _halves(address) if address is not None else (int(own[0]), int(own[1]))
        if halves != (int(own[0]), int(own[1])):
            continue  # the helper does not expect connections to third parties
        rows["expects"][i] = 1
        rows["expected"][i, 0:2] = rows["tuple"][i, 2:4]
        rows["expected"][i, 2:4] = halves
        rows["expected"][i, 4] = port << 16 | TCP


def announced(text: str) -> tuple[Address | None, int] | None:
    """Read a line that names where a connection will come to: its address, None for the sender's own, and port."""
    for pattern in (_PORT, _PASSIVE):
        match = pattern.match(text)
        if match:
            numbers = [int(word) for word in match.groups()]
            if max(numbers) > 255:
                return None
            return Address(Family.V4, int.from_bytes(bytes(numbers[:4]), "big")), numbers[4] << 8 | numbers[5]
    match = _EXTENDED_PASSIVE.match(text)
    if match:
        return _with_port(None, int(match[2]))
    match = _EXTENDED_PORT.match(text)
    if match:
        try:
            return _with_port(Address.parse(match[3]), int(match[4]))
        except ValueError:
            return None
    return None


def _with_port(address: Address | None, port: int) -> tuple[Address | None, int] | None:
    return (address, port) if 0 < port <= 65535 else None


def _halves(address: Address) -> tuple[int, int]:
    if address.family is Family.V4:
        return 0, 0xFFFF << 32 | address.value
    return address.value >> 64, address.value & 0xFFFF_FFFF_FFFF_FFFF
