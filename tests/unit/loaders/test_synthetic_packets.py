from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from loaders import open_packets
from loaders.synthetic.exchanges import KINDS, MOST_ROUNDS, scripts
from loaders.synthetic.live import draw_live, opening_packets
from loaders.synthetic.packets import draw_load, generate_packets, packet_batch

FIN, SYN, RST, ACK = 1, 2, 4, 16
WORD = 2**32


def rows_of(*parts):
    table = pa.Table.from_batches([packet_batch(part) for part in parts])
    return table.set_column(0, "time", table["time"].cast(pa.int64())).to_pylist()


def connections(rows):
    """The packets of each connection, each with whether the server sent it."""
    found = defaultdict(list)
    for row in rows:
        reply = row["source_address"] >> 8 == 0x0A4D02
        ends = [(row[f"{end}_address"], row[f"{end}_port"]) for end in ("source", "destination")]
        found[row["protocol"], *(ends[::-1] if reply else ends), row["icmp_id"]].append((reply, row))
    return found


def assert_numbers_fit(packets):
    """Every packet goes on where its end stopped, and acknowledges all that the other end has sent."""
    upcoming = {}
    for reply, row in packets:
        sent = row["length"] + bool(row["flags"] & (SYN | FIN))
        repeated = row["flags"] == SYN and reply in upcoming
        if not repeated:
            assert row["sequence"] == upcoming.get(reply, row["sequence"])
            upcoming[reply] = (row["sequence"] + sent) % WORD
        assert row["acknowledgement"] == (upcoming[not reply] if row["flags"] & ACK else 0)


@pytest.fixture(scope="module")
def load():
    return rows_of(draw_load(3_000, 1, 30.0))


def test_a_load_is_in_order_and_has_every_kind(load):
    times = [row["time"] for row in load]
    assert times == sorted(times)
    assert 6 < len(load) / 3_000 < 11
    found = connections(load)
    assert len(found) == 3_000
    starts = [packets[0][1]["time"] for packets in found.values()]
    assert max(starts) - min(starts) == pytest.approx(30e9, abs=5e8)
    protocols = Counter(key[0] for key in found)
    shares = Counter()
    for kind in KINDS:
        shares[kind.protocol] += kind.share
    assert sum(shares.values()) == 100
    assert {protocol: pytest.approx(30 * share, rel=0.1) for protocol, share in shares.items()} == protocols


def test_sequence_numbers_of_a_load_fit(load):
    tcp = [packets for key, packets in connections(load).items() if key[0] == 6]
    for packets in tcp:
        assert_numbers_fit(packets)
        assert packets[0][1]["flags"] == SYN
    ends = Counter(packets[-1][1]["flags"] for packets in tcp)
    assert {SYN, RST, RST | ACK, ACK} <= ends.keys()


def test_options_are_on_syn_only(load):
    for row in load:
        is_tcp, has_syn = row["protocol"] == 6, bool((row["flags"] or 0) & SYN)
        assert (row["mss"], row["window_scale"], row["sack_permitted"]) == (
            (1460, 7, True) if has_syn else (None, None, False)
        )
        assert (row["sequence"] is not None) is is_tcp
        assert (row["source_port"] is None) is (row["icmp_type"] is not None) is (row["protocol"] == 1)


def test_every_script_begins_with_the_client():
    for kind in KINDS:
        found = list(scripts(kind))
        assert len(found) == MOST_ROUNDS
        assert not any(script[0].reply for script in found)


def test_live_connections_open_and_stay_open():
    rows = rows_of(*draw_live(500, 4_000, 3, 20.0))
    assert len(rows) == opening_packets(500) + 4_000
    times = [row["time"] for row in rows]
    assert times == sorted(times)
    found = connections(rows)
    assert len(found) == 500
    assert Counter(key[0] for key in found) == {6: 437, 17: 63}
    for key, packets in found.items():
        assert [reply for reply, _ in packets[:3]] == [False, True, False]
        assert all(reply is (n % 2 == 1) for n, (reply, _) in enumerate(packets[3:]))
        if key[0] == 6:
            assert_numbers_fit(packets)
            assert [row["flags"] for _, row in packets[:3]] == [SYN, SYN | ACK, ACK]
            assert not any(row["flags"] & (FIN | RST) for _, row in packets)


def test_packets_on_live_connections_come_in_random_order():
    parts = list(draw_live(1_000, 20_000, 3, 20.0))
    numbers = np.concatenate([part.connection for part in parts])[opening_packets(1_000) :]
    assert np.bincount(numbers, minlength=1_000).min() > 3
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.05


@pytest.mark.parametrize("live", [None, 500])
def test_a_seed_makes_the_same_bytes(tmp_path, live):
    paths = [
        generate_packets(200, seed, tmp_path / f"{name}.parquet", live=live)
        for name, seed in [("a", 1), ("b", 1), ("c", 2)]
    ]
    contents = [path.read_bytes() for path in paths]
    assert contents[0] == contents[1] != contents[2]
    capture = open_packets([str(paths[0])])
    assert capture.rows == sum(batch.num_rows for batch in capture.read(100))


def test_a_capture_has_little_in_one_time(tmp_path):
    path = generate_packets(100, 1, tmp_path / "a.parquet", seconds=1.0)
    (batch,) = open_packets([str(path)]).read()
    assert pc.count_distinct(batch["time"]).as_py() > 0.8 * batch.num_rows


@pytest.mark.parametrize(("count", "seconds", "live"), [(0, 1.0, None), (1, 0.0, None), (1, 1.0, -1)])
def test_nothing_cannot_be_made(tmp_path, count, seconds, live):
    with pytest.raises(ValueError, match="cannot be made"):
        generate_packets(count, 1, tmp_path / "a.parquet", seconds=seconds, live=live)
