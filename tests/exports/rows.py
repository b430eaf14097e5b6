"""Rows of flows as writers of other formats want them."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from simcore.model.addresses import Address

SECOND = 1_000_000_000


def rows_of(batches):
    """Rows of batches in FLOW_SCHEMA: times in nanoseconds, addresses as text, what is not there None."""
    for batch in batches:
        columns = {}
        for name in batch.schema.names:
            column = batch.column(name)
            if pa.types.is_timestamp(column.type):
                columns[name] = column.view(pa.int64()).to_pylist()
            elif name.endswith("_address"):
                columns[name] = [address_text(value) for value in column.to_pylist()]
            else:
                columns[name] = column.to_pylist()
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))


def address_text(value):
    if value is None:
        return None
    return str(Address.from_bytes(value if isinstance(value, bytes) else value.to_bytes(4, "big")))


def rfc3339(nanoseconds):
    """A time as text, to the nanosecond."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09}Z"


def parts_of(pod):
    """Namespace and name of a pod; of none, two empty texts."""
    namespace, _, name = (pod or "").partition("/")
    return namespace, name
