"""AWS VPC Flow Logs as text: the default format, or any other with its header line. See `..vpc` for Parquet."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ..records.fields import read_records
from ..records.format import Format
from ..records.reading import Reading
from ..records.samples import Sample
from ..records.tables import Layout, Table, read_table
from ..streams import Source, is_parquet
from ..vpc import COLUMNS, recognise_vpc

_DEFAULT = (
    *("version", "account_id", "interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol"),
    *("packets", "bytes", "start", "end", "action", "log_status"),
)
"""The fields of version 2, in their order."""
_STATUS = "log_status"
_NO_TRAFFIC = {
    "NODATA": "NODATA records: there was no traffic in the interval",
    "SKIPDATA": "SKIPDATA records: AWS left flows of the interval out",
}
_ROW = re.compile(
    r"(?P<stamp>\d{4}-\d\d-\d\dT[\d:.]+Z )?2 (\d{12}|unknown|-) (eni-[0-9a-f]+|-) ([0-9a-f.:]+ [0-9a-f.:]+|- -) "
    r"(\d+|-) (\d+|-) (\d+|-) (\d+|-) (\d+|-) \d+ \d+ (ACCEPT|REJECT|-) (OK|NODATA|SKIPDATA)"
)
"""A row of version 2; exports of CloudWatch put a time before it."""
_WORD = re.compile(r"[a-z][a-z0-9_-]*")


class _Log(Table):
    """The lines of a log, with header lines anywhere, as files are put together."""

    marks = re.compile(rb"(?m)^(?=[a-z_-]+(?: |\r?$))[^\n]*srcaddr")
    hints = (b"srcaddr",)

    def turn(self, line: str) -> str | None:
        """Read a header line."""
        if not (names := _header(line)):
            return "this looks like a header line, and not all of its words are names of fields"
        self.layout = _layout(names)
        return None

    def guess(self, line: str) -> Layout | None:
        """Tell the default format by a row of it."""
        found = _ROW.fullmatch(line)
        return found and _layout(("", *_DEFAULT) if found["stamp"] else _DEFAULT)


def _header(line: str) -> tuple[str, ...]:
    """Return the names that a header line holds; nothing where it is none."""
    words = line.split()
    return tuple(word.replace("-", "_") for word in words) if all(map(_WORD.fullmatch, words)) else ()


def _layout(names: tuple[str, ...]) -> Layout:
    return Layout(names, " ")


def _recognise(sample: Sample) -> bool:
    for line in sample.lines[:20]:
        text = line.decode("utf-8", "replace").rstrip("\r")
        if _ROW.fullmatch(text) or recognise_vpc(_header(text), ()):
            return True
    return False


def _read(source: Source, reading: Reading) -> Iterator[pa.RecordBatch]:
    wanted = (*COLUMNS, _STATUS)
    is_stored = is_parquet(source.path)
    for batch in read_records(source, reading, wanted) if is_stored else read_table(source, reading, _Log(wanted)):
        status = batch.column(_STATUS)
        for word, why in _NO_TRAFFIC.items():
            if count := pc.equal(status, word).true_count:
                reading.leave_out(why, count)
        flows = batch.filter(pc.invert(pc.is_in(status, pa.array(list(_NO_TRAFFIC)))))
        if flows.num_rows:
            yield flows.select(list(COLUMNS))


FORMAT = Format(
    "aws-vpc",
    "AWS VPC Flow Logs: text, Parquet",
    "one direction, within an interval, at one network interface",
    _recognise,
    lambda _sample: COLUMNS,
    _read,
    recognise_vpc,
    (
        "no pods: ends are told by their addresses",
        "ACCEPT and REJECT are of security groups and network ACLs, not of a policy",
        "no traffic between pods of one node",
        "TCP flags without ACK alone, times in whole seconds",
    ),
)
