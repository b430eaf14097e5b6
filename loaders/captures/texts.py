"""Columns of text: what is said once in a dictionary is read once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from simcore.model.schema import NAMES

ABSENT = ("", "-")
"""Texts that stand for nothing."""


def is_text(kind: pa.DataType) -> bool:
    """Whether `kind` holds text, in whichever of Arrow's layouts."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def map_distinct(array: pa.Array, read: Callable[[str], object], target: pa.DataType) -> pa.Array:
    """Apply `read` to each distinct text of a column."""
    encoded = array if pa.types.is_dictionary(array.type) else plain(array).dictionary_encode()
    values = [None if text is None else read(text) for text in encoded.dictionary.to_pylist()]
    return pa.array(values, target).take(encoded.indices)


def plain(array: pa.Array) -> pa.Array:
    """Return text as string or large_string, which are laid out alike: offsets and bytes."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    return array.cast(kind if pa.types.is_string(kind) else pa.large_string())


def first_undecodable(arrays: Sequence[pa.Array]) -> int | None:
    """Return the first row in which the text of any of these columns is not UTF-8, which Parquet does not check."""
    rows = [row for array in arrays if is_text(array.type) for row in _undecodable(array)]
    return min(rows, default=None)


def _undecodable(array: pa.Array) -> Iterator[int]:
    for row, data in enumerate(plain(array).cast(pa.large_binary()).to_pylist()):
        try:
            (data or b"").decode()
        except UnicodeDecodeError:
            yield row


def decodable(array: pa.Array) -> pa.Array:
    """Return a column of text with nulls in place of what is not UTF-8; any other column as it is."""
    if not is_text(array.type):
        return array
    found: list[str | None] = []
    for data in plain(array).cast(pa.large_binary()).to_pylist():
        try:
            found.append(None if data is None else data.decode())
        except UnicodeDecodeError:
            found.append(None)
    return pa.array(found, pa.string())


def to_texts(array: pa.Array) -> pa.Array:
    """Bring text of any layout to plain strings; an empty text is null.

    Raises
    ------
    pyarrow.ArrowInvalid
        A text is not UTF-8.
    """
    texts = plain(array).cast(pa.string())
    texts.validate(full=True)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, pa.string()), texts)


def to_names(arrays: Sequence[pa.Array]) -> pa.Array:
    """Bring text to FLOW_SCHEMA's dictionary type; several columns are joined as ``namespace/name``.

    An empty text or a dash is null, and a joined name that lacks a part is null as a whole.

    Raises
    ------
    pyarrow.ArrowInvalid
        A text is not UTF-8.
    """
    parts = [_encoded(array) for array in arrays]
    if len(parts) == 1:
        return parts[0]
    texts = [part.cast(pa.large_string()) for part in parts]
    return _encoded(pc.binary_join_element_wise(*texts, pa.scalar("/", pa.large_string())))


def _encoded(array: pa.Array) -> pa.Array:
    if not pa.types.is_dictionary(array.type):
        array = plain(array).dictionary_encode()
    dictionary = array.dictionary.cast(NAMES.value_type)
    dictionary.validate(full=True)
    indices = array.indices.cast(NAMES.index_type)
    absent = pc.is_in(dictionary, pa.array([*ABSENT, None], NAMES.value_type))
    if absent.true_count:
        indices = pc.if_else(absent.take(indices), pa.scalar(None, NAMES.index_type), indices)
    return pa.DictionaryArray.from_arrays(indices, dictionary)
