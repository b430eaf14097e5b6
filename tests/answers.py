"""Captures of DNS answers that are not in a file."""

import pyarrow as pa

from simcore.model.flows import Split
from simcore.model.schema import ANSWER, FLOW_SCHEMA, NAMES


class Answers:
    """A capture of DNS answers, each of (name, addresses, time or None, seconds or None), in splits of so many."""

    files = ("answers.parquet",)
    splits = ()

    def __init__(self, rows, split_rows=1000, *, times=True):
        self._rows = rows
        starts = range(0, len(rows), split_rows)
        self.answers = [Split(0, n, start, min(split_rows, len(rows) - start)) for n, start in enumerate(starts)]
        self.columns = frozenset(["record", "dns_query", "dns_addresses", "dns_ttl", *(["time"] if times else [])])

    def read(self, split, columns, batch_rows):
        for first in range(split.first_row, split.first_row + split.rows, batch_rows):
            names, addresses, times, ttls = zip(
                *self._rows[first : min(first + batch_rows, split.first_row + split.rows)], strict=True
            )
            held = {
                "record": pa.array([ANSWER] * len(names)).dictionary_encode(),
                "dns_query": pa.array(names, pa.string()).dictionary_encode().cast(NAMES),
                "dns_addresses": pa.array(addresses, pa.string()).dictionary_encode().cast(NAMES),
                "dns_ttl": pa.array(ttls, pa.int32()),
                "time": pa.array(times, FLOW_SCHEMA.field("time").type),
            }
            yield pa.record_batch({name: held[name] for name in columns})
