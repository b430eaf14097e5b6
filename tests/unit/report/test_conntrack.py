"""The report of `conntrack`, from packets and answers made by hand."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from simcore.analyses.conntrack.tracked import Tracked
from simcore.analyses.conntrack.tracking import TRACK_SCHEMA
from simcore.model.conntrack import LINUX
from simcore.model.schema import PACKET_SCHEMA, WIDE_ADDRESS
from simcore.report.conntrack import conntrack, conntrack_json
from simcore.report.layout import Layout
from simcore.report.render import PIPE, plain_text
from tests import golden
from tests.captures import number, wide

CLIENTS = "10.77.1.0/24"
A, B, C = "10.77.1.10", "10.77.2.10", "10.77.2.250"
V6 = ("fd77:1::10", "fd77:2::10")
DOCUMENT = Path(__file__).resolve().parents[3] / "docs/conntrack.md"

# time in ms, source, destination, source port, destination port, protocol, flags, length, ICMP type and code;
# then verdict, class, state, timeout, assured, count, live.
LINES = [
    (0, A, B, 40000, 80, 6, 2, 0, None, None, "accept", "new", "SYN_SENT", 120.0, False, 1, 1),
    (2, B, A, 80, 40000, 6, 18, 0, None, None, "accept", "established", "SYN_RECV", 60.0, False, 1, 1),
    (4, A, B, 40000, 80, 6, 16, 0, None, None, "accept", "established", "ESTABLISHED", 432000.0, True, 1, 1),
    (10, A, B, 40000, 80, 6, 0, 1200, None, None, "drop", "invalid", "ESTABLISHED", 431999.994, True, 1, 1),
    (1200, A, C, 5000, 53, 17, None, 40, None, None, "accept", "new", "UNREPLIED", 30.0, False, 2, 2),
    (1250, C, A, None, None, 1, None, 0, 3, 3, "accept", "related", "UNREPLIED", 29.95, False, 2, 2),
    (2000, A, B, None, None, 1, None, 56, 8, None, "accept", "new", "UNREPLIED", 30.0, False, 3, 3),
    (2001, B, A, None, None, 1, None, 56, 0, None, "accept", "established", "REPLIED", 30.0, False, 3, 3),
    (2500, B, A, 9, 9999, 17, None, 7, None, None, "drop", "untracked", None, None, None, 3, 2),
    (62500, B, A, 443, 5001, 6, 2, 0, None, None, "drop", "none", None, None, None, 3, 1),
]
ENDS = ["source_address", "destination_address"]
PACKETS = ["time", *ENDS, "source_port", "destination_port", "protocol", "flags", "length", "icmp_type", "icmp_code"]


def batches(lines, six=False):
    columns = list(zip(*lines, strict=True)) or [()] * 17
    kinds = {name: PACKET_SCHEMA.field(name).type for name in PACKETS}
    packets = {name: pa.array(values, kinds[name]) for name, values in zip(PACKETS[3:], columns[3:10], strict=True)}
    packets["time"] = pa.array([ms * 10**6 for ms in columns[0]], pa.timestamp("ns"))
    for name, values in zip(ENDS, columns[1:3], strict=True):
        read, kind = (wide, WIDE_ADDRESS) if six else (number, pa.uint32())
        packets[name] = pa.array([read(text) for text in values], kind)
    packets["side"] = pa.array(["a" if text.startswith(("10.77.1.", "fd77:1:")) else "b" for text in columns[1]])
    answers = [
        pa.array(values, field.type if not pa.types.is_dictionary(field.type) else pa.string()).cast(field.type)
        for values, field in zip(columns[10:], TRACK_SCHEMA, strict=True)
    ]
    return pa.RecordBatch.from_pydict(packets), pa.RecordBatch.from_arrays(answers, schema=TRACK_SCHEMA)


def tracked(lines=LINES, limit=100, six=False):
    found = Tracked(limit)
    for first in range(0, len(lines), 3):
        found.add(*batches(lines[first : first + 3], six))
    return found


def text(found, width=None, settings=LINUX, ruleset="stateful"):
    layout = PIPE if width is None else Layout(prose=min(width, 120), table=width)
    return plain_text(conntrack(found, settings, ruleset, CLIENTS), layout)


@pytest.mark.parametrize("width", [100, 160])
def test_golden(width, update_golden):
    golden.compare(f"conntrack-{width}.txt", text(tracked(), width), update_golden)


def test_golden_json(update_golden):
    written = "".join(conntrack_json(*batches(LINES[first : first + 4])) for first in range(0, len(LINES), 4))
    golden.compare("conntrack.jsonl", written, update_golden)


def test_every_key_and_column_is_documented():
    keys = list(json.loads(conntrack_json(*batches(LINES[:1]))))
    document = DOCUMENT.read_text("utf-8")
    assert [name for name in (*keys, *TRACK_SCHEMA.names, *PACKET_SCHEMA.names) if f"`{name}`" not in document] == []


@pytest.mark.parametrize("width", [100, 120, 160])
def test_no_line_is_too_long(width):
    written = text(tracked(), width)
    assert max(map(len, written.splitlines())) <= width
    assert "packets   " not in written  # no table is stacked


def test_six_takes_brackets_and_fits_where_connections_are_apart():
    lines = [(ms, *V6, 40000, 80, 6, *rest) for ms, _, _, _, _, _, *rest in LINES[:1]]
    written = text(tracked(lines, six=True), 100)
    assert "[fd77:1::10]:40000 -> [fd77:2::10]:80" in written
    assert max(map(len, written.splitlines())) <= 100


def test_the_limit_cuts_across_batches():
    found = tracked(limit=4)
    assert [packets.num_rows for packets, _ in found.shown] == [3, 1]
    assert "Packets, the first 4 of 10 (--limit)" in text(found)
    assert "Packets" not in text(tracked(limit=0)).replace("packets", "")


def test_counts_and_peaks():
    found = tracked()
    assert (found.packets, found.accepted, found.from_clients) == (10, 7, 5)
    assert (found.allocated.entries, found.allocated.time) == (3, 2000 * 10**6)
    assert (found.live.entries, found.last_allocated, found.last_live) == (3, 3, 1)
    assert sum(found.classes.values()) == 10


def test_nothing_at_all():
    assert text(tracked([])) == "0 packets tracked with ruleset stateful\n"


def test_all_would_pass():
    assert "All would pass. 1970-01-01 00:00:00 UTC." in text(tracked(LINES[:3]))


def test_nobody_on_the_clients_side_is_warned_of():
    assert "WARNING" not in text(tracked(LINES[:2])).replace("\n", " ")
    assert f"No packet enters at side a, the clients' side ({CLIENTS})" in text(tracked(LINES[1:2]))
    assert "WARNING" not in text(tracked(LINES[1:2]), ruleset="bothnew")


def test_no_limit_of_entries():
    assert "no limit" in text(tracked(), settings=LINUX.with_setting("max", "0"))


def test_missing_sequence_numbers_are_told_once():
    assert text(tracked()).count("CT-2.50") == 1
