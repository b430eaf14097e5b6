"""Columns of addresses: numbers, packed bytes or text become uint32, or 16 bytes where a batch holds IPv6."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simcore.model.addresses import Address, Family
from simcore.model.schema import WIDE_ADDRESS

from .dotted import parse_dotted
from .numbers import fit
from .texts import is_text, plain

_INTEGERS = (pa.uint32(), pa.int64(), pa.int32(), pa.uint64())
_GLANCE = 1024
_MAPPED = np.frombuffer(b"\0" * 10 + b"\xff\xff" + b"\0" * 4, np.uint8)


def is_address(kind: pa.DataType) -> bool:
    """Whether a column of this type can hold addresses."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_fixed_size_binary(kind):
        return kind.byte_width in (4, 16)
    return is_text(kind) or kind in _INTEGERS or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of n rows: which are known, the IPv4 ones as numbers, the IPv6 ones as 16 bytes.

    `six` tells the rows that are IPv6; where it is None, there is none. What a row's other field holds means nothing.
    """

    known: npt.NDArray[np.bool_]
    narrow: npt.NDArray[np.uint32]
    six: npt.NDArray[np.bool_] | None = None
    wide: npt.NDArray[np.uint8] | None = None

    def take(self, indices: pa.Array) -> Addresses:
        """Return one address a row, by its position here; no position, no address."""
        valid = _valid(indices)
        rows = indices.fill_null(0).to_numpy(zero_copy_only=False)
        if not self.known.size:
            return Addresses(np.zeros(rows.size, np.bool_), np.zeros(rows.size, np.uint32))
        known = self.known[rows] & valid
        narrow = self.narrow[rows]
        if self.six is None or self.wide is None or not (six := self.six[rows] & valid).any():
            return Addresses(known, narrow)
        return Addresses(known, narrow, six, self.wide[rows])

    def or_else(self, other: Addresses) -> Addresses:
        """Return these addresses, and the other's where one is not known."""
        known = self.known | other.known
        narrow = np.where(self.known, self.narrow, other.narrow)
        if self.six is None and other.six is None:
            return Addresses(known, narrow)
        six_here, wide_here = self._wide()
        six_there, wide_there = other._wide()
        six = np.where(self.known, six_here, six_there)
        return Addresses(known, narrow, six, np.where(self.known[:, None], wide_here, wide_there))

    def _wide(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.uint8]]:
        if self.six is None or self.wide is None:
            return np.zeros(self.known.size, np.bool_), np.zeros((self.known.size, 16), np.uint8)
        return self.six, self.wide

    def to_arrow(self) -> pa.Array:
        """Return a column of FLOW_SCHEMA."""
        count = self.known.size
        validity = None if self.known.all() else pa.array(self.known).buffers()[1]
        if self.six is None or self.wide is None or not self.six.any():
            return pa.Array.from_buffers(pa.uint32(), count, [validity, pa.py_buffer(self.narrow)])
        rows = _mapped(self.narrow)
        rows[self.six] = self.wide[self.six]
        return pa.Array.from_buffers(WIDE_ADDRESS, count, [validity, pa.py_buffer(rows)])


def widen(array: pa.Array) -> pa.Array:
    """Return uint32 addresses as 16 bytes each."""
    rows = _mapped(array.fill_null(0).to_numpy(zero_copy_only=False))
    validity = pa.array(_valid(array)).buffers()[1] if array.null_count else None
    return pa.Array.from_buffers(WIDE_ADDRESS, len(array), [validity, pa.py_buffer(rows)])


class AddressReader:
    """Brings columns to addresses: of several, a row's address is the first one that is known.

    The batches of a row group repeat one dictionary, each a copy of its own, so the last one of each column is kept
    read: comparing 20 thousand texts takes a hundredth of the time of reading them. One reader for one thread.
    """

    def __init__(self) -> None:
        self._last: dict[int, tuple[pa.Array, Addresses]] = {}

    def __call__(self, arrays: Sequence[pa.Array]) -> pa.Array:
        """Bring the columns of one batch to one column of addresses."""
        if len(arrays) == 1 and arrays[0].type in _INTEGERS:
            return fit(arrays[0], pa.uint32())
        if len(arrays) == 1 and arrays[0].type == WIDE_ADDRESS and _holds_more_than_mapped(arrays[0]):
            return arrays[0]
        return reduce(Addresses.or_else, map(self._read, range(len(arrays)), arrays)).to_arrow()

    def _read(self, position: int, array: pa.Array) -> Addresses:
        if not pa.types.is_dictionary(array.type):
            return _read_plain(array)
        last = self._last.get(position)
        if last is None or not last[0].equals(array.dictionary):
            last = array.dictionary, _read_plain(array.dictionary)
            self._last[position] = last
        return last[1].take(array.indices)


def _read_plain(array: pa.Array) -> Addresses:
    if is_text(array.type):
        return _from_texts(plain(array))
    if array.type in _INTEGERS:
        numbers = fit(array, pa.uint32())
        return Addresses(_valid(numbers), numbers.fill_null(0).to_numpy(zero_copy_only=False))
    return _from_bytes(array)


def _from_texts(array: pa.Array) -> Addresses:
    """IPv4 is read in bulk; what is left is read once for each distinct text: IPv6, a dash, nonsense."""
    narrow, known = parse_dotted(array)
    valid = _valid(array)
    known &= valid
    left = np.flatnonzero(valid & ~known)
    if not left.size:
        return Addresses(known, narrow)
    encoded = array.take(pa.array(left)).dictionary_encode()
    others = _from_words(encoded.dictionary.to_pylist()).take(encoded.indices)
    known[left] = others.known
    narrow[left] = others.narrow
    if others.six is None:
        return Addresses(known, narrow)
    six = np.zeros(known.size, np.bool_)
    wide = np.zeros((known.size, 16), np.uint8)
    six[left], wide[left] = others._wide()
    return Addresses(known, narrow, six, wide)


def _from_words(words: Sequence[str]) -> Addresses:
    known = np.zeros(len(words), np.bool_)
    rows = np.zeros((len(words), 16), np.uint8)
    rows[:] = _MAPPED
    for row, word in enumerate(words):
        try:
            address = Address.parse(word)
        except ValueError:
            continue
        known[row] = True
        size = 4 if address.family is Family.V4 else 16
        rows[row, 16 - size :] = np.frombuffer(address.value.to_bytes(size, "big"), np.uint8)
    return _from_sixteen(rows, known)


def _from_bytes(array: pa.Array) -> Addresses:
    known = _valid(array)
    if pa.types.is_fixed_size_binary(array.type):
        rows = _matrix(array)
        return _from_four(rows, known) if array.type.byte_width == 4 else _from_sixteen(rows, known)
    return _from_varied(array.cast(pa.large_binary()), known)


def _from_varied(array: pa.Array, known: npt.NDArray[np.bool_]) -> Addresses:
    """Bytes of varied length: 4 are IPv4, 16 are either, all others are no address."""
    lengths = pc.binary_length(array).fill_null(0).to_numpy()
    rows = np.zeros((len(array), 16), np.uint8)
    rows[:] = _MAPPED
    for width in (4, 16):
        chosen = pa.array(lengths == width)
        packed = array.filter(chosen).cast(pa.binary(width))
        rows[lengths == width, 16 - width :] = _matrix(packed)
    return _from_sixteen(rows, known & ((lengths == 4) | (lengths == 16)))


def _matrix(array: pa.Array) -> npt.NDArray[np.uint8]:
    width = array.type.byte_width
    buffer = array.buffers()[1]
    data = np.frombuffer(buffer, np.uint8) if buffer else np.empty(0, np.uint8)
    return data[array.offset * width :][: len(array) * width].reshape(-1, width)


def _holds_more_than_mapped(array: pa.Array) -> bool:
    """Whether an address of 16 bytes begins with anything but zeros, so that the column can stay as it is."""
    halves = np.ascontiguousarray(_matrix(array)).view(np.uint64).reshape(-1, 2)
    return bool(halves[:_GLANCE, 0].any() or halves[:, 0].any())


def _from_four(rows: npt.NDArray[np.uint8], known: npt.NDArray[np.bool_]) -> Addresses:
    return Addresses(known, np.ascontiguousarray(rows).view(">u4").ravel().astype(np.uint32))


def _from_sixteen(rows: npt.NDArray[np.uint8], known: npt.NDArray[np.bool_]) -> Addresses:
    halves = np.ascontiguousarray(rows).view(">u8").reshape(-1, 2)
    low = halves[:, 1].astype(np.uint64)
    mapped = (halves[:, 0] == 0) & (low >> np.uint64(32) == 0xFFFF)
    six = known & ~mapped
    if not six.any():
        return Addresses(known, low.astype(np.uint32))
    return Addresses(known, low.astype(np.uint32), six, rows)


def _mapped(numbers: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint8]:
    rows = np.empty((numbers.size, 16), np.uint8)
    rows[:] = _MAPPED
    rows[:, 12:] = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
    return rows


def _valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    if not array.null_count:
        return np.ones(len(array), np.bool_)
    valid: npt.NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return valid
