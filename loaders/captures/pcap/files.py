"""Files of frames, pcap and pcapng: see draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..records.reading import Reading
from ..streams import Source, read_blocks
from .frames import NO_TIME, Bytes, Frames, Gathering

_MICROSECONDS, _NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
_SECTION = 0x0A0D0D0A
_BYTE_ORDER = 0x1A2B3C4D
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6
_RESOLUTION, _OFFSET = 9, 14
_MOST_CAPTURED = 1 << 18
"""Bytes of a frame that tools capture at most."""
_MOST_BLOCK = 1 << 24
_LAST = 2**63 - 1
_GIGA = 1_000_000_000

MAGICS = {
    struct.pack(order + "I", magic): (order, factor)
    for order in "<>"
    for magic, factor in ((_MICROSECONDS, 1_000), (_NANOSECONDS, 1))
}
"""What a pcap file begins with: its byte order, and the nanoseconds of a tick."""
PCAPNG = struct.pack("<I", _SECTION)
HEAD = 24
"""Bytes that tell such a file."""


def is_frames(data: bytes) -> bool:
    """Whether a file that begins so is pcap or pcapng."""
    if data[:4] in MAGICS:
        order, _factor = MAGICS[data[:4]]
        return len(data) >= HEAD and struct.unpack_from(order + "HH", data, 4) == (2, 4)
    return data[:4] == PCAPNG and _order(data[8:12]) is not None


def read_frames(source: Source, reading: Reading) -> Iterator[Frames]:
    """Read a file's frames, in their order.

    A frame whose own record is damaged is told and left out. What comes behind a length that cannot be right is lost;
    that, and a file that is cut off, is told once, with the byte.
    """
    data = Bytes(read_blocks(source))
    magic = data.take(4)
    reader: _Pcap | _Pcapng
    if magic in MAGICS:
        reader = _Pcap(source, reading, data, magic)
    elif magic == PCAPNG:
        reader = _Pcapng(source, reading, data)
    else:
        reading.complain(source, "byte 0", "it begins neither as pcap nor as pcapng does")
        return
    gathering = reader.gathering
    for _ in reader.steps():
        if gathering.is_full:
            yield gathering.take()
    if gathering.data:
        yield gathering.take()
    if data.error:
        reading.complain(source, "", data.error.diagnostics[0].message)


@dataclass(slots=True)
class _File:
    source: Source
    reading: Reading
    data: Bytes
    gathering: Gathering = field(default_factory=Gathering, init=False)
    number: int = field(default=0, init=False)

    def _complain(self, offset: int, message: str) -> None:
        if self.data.error is None:
            self.reading.complain(self.source, f"byte {offset:,}", message)

    def _is_whole(self, piece: bytes, size: int, offset: int) -> bool:
        """Whether as much was there as was asked for; tells where not."""
        if len(piece) == size:
            return True
        self._complain(offset, f"the file is cut off: {size:,} bytes are expected here, and {len(piece):,} are there")
        return False


@dataclass(slots=True)
class _Pcap(_File):
    magic: bytes

    def steps(self) -> Iterator[None]:
        """Read frame by frame."""
        order, factor = MAGICS[self.magic]
        if not self._is_whole(head := self.data.take(20), 20, 4):
            return
        link = struct.unpack(order + "HHiIII", head)[5] & 0xFFFF
        record, take, add = struct.Struct(order + "IIII"), self.data.take, self.gathering.add
        while head := take(16):
            offset = self.data.offset - len(head)
            if not self._is_whole(head, 16, offset):
                return
            self.number += 1
            seconds, fraction, captured, length = record.unpack(head)
            if captured > _MOST_CAPTURED:
                self._complain(offset, f"packet {self.number:,} states {captured:,} bytes: what follows cannot be read")
                return
            frame = take(captured)
            if len(frame) < captured:
                self._is_whole(frame, captured, offset + 16)
                return
            add(frame, max(length, captured), seconds * _GIGA + fraction * factor, link, 0, self.number)
            yield


@dataclass(frozen=True, slots=True)
class _Interface:
    """What an interface description says; `ticks` are those of a second."""

    number: int
    link: int = -1
    captured: int = 0
    ticks: int = 1_000_000
    offset: int = 0

    def nanoseconds(self, time: int) -> int:
        return time * _GIGA // self.ticks + self.offset * _GIGA


@dataclass(slots=True)
class _Pcapng(_File):
    order: str = field(default="<", init=False)
    interfaces: list[_Interface] = field(default_factory=list, init=False)
    described: int = field(default=0, init=False)

    def steps(self) -> Iterator[None]:
        """Read block by block."""
        head = PCAPNG + self.data.take(4)
        while True:
            offset = self.data.offset - len(head)
            if not self._is_whole(head, 8, offset):
                return
            body = self._body(head, offset)
            if body is None:
                return
            self._take_in(struct.unpack_from(self.order + "I", head)[0], body, offset)
            yield
            head = self.data.take(8)
            if not head:
                return

    def _body(self, head: bytes, offset: int) -> bytes | None:
        """Read what a block holds, and the length behind it; None where the file cannot be read any further."""
        start = b""
        if head[:4] == PCAPNG:
            if not self._is_whole(start := self.data.take(4), 4, self.data.offset - len(start)):
                return None
            order = _order(start)
            if order is None:
                self._complain(offset, "this section has no byte order: what follows cannot be read")
                return None
            self.order, self.interfaces = order, []
        (size,) = struct.unpack_from(self.order + "I", head, 4)
        if not 12 + len(start) <= size <= _MOST_BLOCK or size % 4:
            self._complain(offset, f"this block states {size:,} bytes: what follows cannot be read")
            return None
        wanted = size - 8 - len(start)
        rest = self.data.take(wanted)
        if not self._is_whole(rest, wanted, offset + 8 + len(start)):
            return None
        if rest[-4:] != head[4:]:
            self._complain(offset, "this block tells two lengths: the first is believed")
        return start + rest[:-4]

    def _take_in(self, kind: int, body: bytes, offset: int) -> None:
        if kind == _INTERFACE:
            self.interfaces.append(self._interface(body, offset))
        elif kind in (_PACKET, _OLD_PACKET, _SIMPLE_PACKET):
            self.number += 1
            try:
                self._add(kind, body)
            except (ValueError, struct.error) as error:
                told = "its block is too short" if isinstance(error, struct.error) else str(error)
                self._complain(offset, f"packet {self.number:,}: {told}")

    def _add(self, kind: int, body: bytes) -> None:
        if kind == _SIMPLE_PACKET:
            (length,) = struct.unpack_from(self.order + "I", body)
            number, high, low, at = 0, 0, 0, 4
            captured = min(length, len(body) - at, self._seen_by(0).captured or length)
        else:
            form = "IIIII" if kind == _PACKET else "HHIIII"
            number, *_, high, low, captured, length = struct.unpack_from(self.order + form, body)
            at = 20
        interface = self._seen_by(number)
        if captured > len(body) - at:
            raise ValueError(f"it states {captured:,} bytes, and its block holds {len(body) - at:,}")
        time = NO_TIME if kind == _SIMPLE_PACKET else interface.nanoseconds(high << 32 | low)
        if not -_LAST <= time <= _LAST and time != NO_TIME:
            raise ValueError("its time is after the year 2262")
        frame = body[at : at + captured]
        self.gathering.add(frame, max(length, captured), time, interface.link, interface.number, self.number)

    def _seen_by(self, number: int) -> _Interface:
        if number >= len(self.interfaces):
            raise ValueError(f"no block describes its interface, number {number:,}")
        return self.interfaces[number]

    def _interface(self, body: bytes, offset: int) -> _Interface:
        self.described += 1
        if len(body) < 8:
            self._complain(offset, "this description of an interface is cut off")
            return _Interface(self.described)
        link, _reserved, captured = struct.unpack_from(self.order + "HHI", body)
        options = dict(_options(self.order, body[8:]))
        power = options.get(_RESOLUTION, b"\x06")[:1]
        ticks = 1_000_000 if not power else 2 ** (power[0] & 0x7F) if power[0] & 0x80 else 10 ** power[0]
        shift = options.get(_OFFSET, b"")
        seconds = struct.unpack(self.order + "q", shift)[0] if len(shift) == 8 else 0
        return _Interface(self.described, link, captured, ticks, seconds)


def _options(order: str, data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(data):
        code, size = struct.unpack_from(order + "HH", data, at)
        if not code:
            return
        yield code, data[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4


def _order(data: bytes) -> str | None:
    for order in "<>":
        if data == struct.pack(order + "I", _BYTE_ORDER):
            return order
    return None
