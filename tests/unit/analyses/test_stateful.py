"""Connections of small captures made by hand: what each row is, what lets it pass, what is counted."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from simcore.analyses.sessions.orientation import Orientation, habits_of
from simcore.analyses.sessions.stateful import Following, StatefulOptions, Variant
from simcore.errors import LoadError
from simcore.model.conntrack import LINUX, SECOND, CtState
from simcore.tables.build import build_tables
from tests.connections import ALL, BEGIN, CLUSTER, DB, FA, OUT, SA, SCHEMA, VPC, WEB, A, R, S, row


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory):
    path = tmp_path_factory.mktemp("cluster") / "cluster.yaml"
    path.write_text(CLUSTER)
    return loaders.load_manifests([str(path)])


@pytest.fixture
def written(tmp_path):
    def _written(*rows, name="capture", group=None):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), path, row_group_size=group or max(len(rows), 1))
        return loaders.open_capture([str(path)])

    return _written


@pytest.fixture
def judged(snapshot, tmp_path):
    def _judged(capture, **settings):
        output = tmp_path / "out.parquet"
        options = StatefulOptions(**settings)
        result = simcore.replay(capture, snapshot.cluster, snapshot.policies, output=output, stateful=options)
        words = [
            (row["verdict"], row["ct_class"], row["passed_by"], row["orientation"], row["oriented_by"])
            for row in pq.read_table(output).to_pylist()
        ]
        return result, words

    return _judged


CLIENT, SERVER = (WEB, 40_000), (DB, 5432)
DNS = (DB, 53)


def test_an_answer_has_the_verdict_of_what_it_answers(written, judged):
    capture = written(row(0, CLIENT, SERVER, S), row(0.001, SERVER, CLIENT, SA), row(1, CLIENT, SERVER, A))
    result, words = judged(capture)
    assert words == [
        ("ALLOW", "new", "rule", "forward", "flags"),
        ("ALLOW", "established", "reply", "reverse", "flags"),
        ("ALLOW", "established", "established", "forward", "flags"),
    ]
    assert (result.allowed, result.state.connections) == (3, 1)
    assert result.state.passed_by == {"rule": 1, "established": 1, "reply": 1}


def test_syns_without_answer_are_new_again_and_again(written, judged):
    other = (DB, 5433)
    _, words = judged(written(*(row(time, CLIENT, other, S) for time in (0, 1, 3)), row(4, SERVER, CLIENT, SA)))
    assert words[:3] == [("DENY", "new", None, "forward", "flags")] * 3


def test_an_answer_to_what_is_denied_is_invalid(written, judged):
    denied = (WEB, 40_001), (DB, 5433)
    _, words = judged(written(row(0, *denied, S), row(0.1, *denied[::-1], SA)))
    assert words == [("DENY", "new", None, "forward", "flags"), ("DENY", "invalid", None, "reverse", "flags")]


def test_a_server_that_speaks_after_the_entry_is_gone_opens_anew(written, judged):
    """C-2.5: what is picked up in mid-stream is NEW from whoever speaks first. Egress of db is denied."""
    udp = {"protocol": 17}
    capture = written(
        row(0, CLIENT, DNS, **udp),
        row(0.1, DNS, CLIENT, **udp),
        row(20, DNS, CLIENT, **udp),
        row(141, DNS, CLIENT, **udp),
    )
    _, words = judged(capture)
    assert words[1:3] == [("ALLOW", "established", "reply", "reverse", "ports")] * 2
    assert words[3] == ("DENY", "new", None, "forward", "first-seen")


def test_what_runs_when_the_capture_begins_is_taken_to_be_open(written, judged):
    capture = written(row(0, SERVER, CLIENT, A), row(1, CLIENT, SERVER, A))
    _, words = judged(capture)
    assert words == [
        ("ALLOW", "established", "reply", "reverse", "ports"),
        ("ALLOW", "established", "established", "forward", "ports"),
    ]


def test_a_port_that_a_container_declares_is_a_servers(written, judged):
    high = (DB, 35_432)
    _, words = judged(written(row(0, high, (WEB, 33_000), A), row(1, (WEB, 33_000), high, A)))
    assert [word[3:] for word in words] == [("reverse", "ports"), ("forward", "ports")]


@pytest.mark.parametrize(
    ("orientation", "told"),
    [("auto", "flags"), ("flags", "flags"), ("ports", "ports"), ("first-seen", "first-seen")],
)
def test_the_user_says_what_tells(orientation, told, written, judged):
    capture = written(row(0, SERVER, CLIENT, SA), row(1, CLIENT, SERVER, A))
    _, words = judged(capture, orientation=Orientation(orientation))
    assert words[0][4] == told
    assert words[0][3] == ("forward" if told == "first-seen" else "reverse")


def test_a_stray_reset_opens_nothing(written, judged):
    _, words = judged(written(row(0, CLIENT, SERVER, R), row(1, SERVER, CLIENT, FA)))
    assert [word[1] for word in words] == ["invalid", "invalid"]


def test_what_has_no_protocol_belongs_to_no_connection(written, judged):
    result, words = judged(written(row(0, CLIENT, SERVER, S, protocol=None)))
    assert words == [("UNKNOWN", None, None, "forward", "first-seen")]
    assert result.state.classes["none"] == 1


def changes_of(snapshot, capture, settings=LINUX, **options):
    tables = build_tables(snapshot.cluster, snapshot.policies)
    following = Following(capture, tables, [Variant(settings)], StatefulOptions(**options))
    parts = [window.changes[0] for window in following.windows()] + [following.sessions[0].finish()]
    return [
        (round((time - BEGIN * SECOND) / SECOND, 6), CtState(before).name, CtState(after).name)
        for part in parts
        for time, before, after in zip(part.time.tolist(), part.before.tolist(), part.after.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [row(0, CLIENT, SERVER, S), row(0.5, SERVER, CLIENT, SA), row(2, CLIENT, SERVER, FA, lasts=3, packets=9)],
            [
                (0, "NONE", "SYN_SENT"),
                (0.5, "SYN_SENT", "ESTABLISHED"),
                (5, "ESTABLISHED", "TIME_WAIT"),
                (125, "TIME_WAIT", "NONE"),
            ],
        ),
        ([row(0, CLIENT, SERVER, S, lasts=7, packets=4)], [(0, "NONE", "SYN_SENT"), (120, "SYN_SENT", "NONE")]),
        (
            [row(0, CLIENT, SERVER, S), row(0.5, SERVER, CLIENT, R)],
            [(0, "NONE", "SYN_SENT"), (0.5, "SYN_SENT", "NONE")],
        ),
        (
            [row(0, CLIENT, SERVER, S), row(0.5, SERVER, CLIENT, SA), row(4, SERVER, CLIENT, R)],
            [
                (0, "NONE", "SYN_SENT"),
                (0.5, "SYN_SENT", "ESTABLISHED"),
                (4, "ESTABLISHED", "CLOSE"),
                (14, "CLOSE", "NONE"),
            ],
        ),
        (
            [
                row(0, CLIENT, SERVER, S),
                row(1, SERVER, CLIENT, SA),
                row(2, CLIENT, SERVER, FA),
                row(9, CLIENT, SERVER, S),
            ],
            [
                (0, "NONE", "SYN_SENT"),
                (1, "SYN_SENT", "ESTABLISHED"),
                (2, "ESTABLISHED", "TIME_WAIT"),
                (9, "TIME_WAIT", "SYN_SENT"),
                (129, "SYN_SENT", "NONE"),
            ],
        ),
        (
            [row(0, CLIENT, DNS, protocol=17), row(0.1, DNS, CLIENT, protocol=17)],
            [(0, "NONE", "UNREPLIED"), (0.1, "UNREPLIED", "REPLIED"), (30.1, "REPLIED", "NONE")],
        ),
        (
            [
                row(0, CLIENT, DNS, protocol=17, lasts=9, packets=9),
                row(0.1, DNS, CLIENT, protocol=17, lasts=9, packets=9),
            ],
            [
                (0, "NONE", "UNREPLIED"),
                (0.1, "UNREPLIED", "REPLIED"),
                (2, "REPLIED", "ASSURED"),
                (129.1, "ASSURED", "NONE"),
            ],
        ),
        (
            [row(0, CLIENT, DNS, protocol=17, lasts=100, packets=3), row(0, DNS, (WEB, 41_000), protocol=17)],
            [
                (0, "NONE", "UNREPLIED"),
                (0, "NONE", "REPLIED"),
                (30, "UNREPLIED", "NONE"),
                (30, "REPLIED", "NONE"),
                (100, "NONE", "UNREPLIED"),
                (130, "UNREPLIED", "NONE"),
            ],
        ),
        ([row(0, SERVER, (OUT, 9), S)], []),
        ([row(0, (OUT, 9), SERVER, S, lasts=3, packets=3)], [(0, "NONE", "SYN_SENT"), (120, "SYN_SENT", "NONE")]),
    ],
    ids=[
        "closed",
        "unanswered",
        "refused",
        "reset",
        "reopened",
        "dns",
        "stream",
        "gap",
        "egress denied",
        "ingress denied",
    ],
)
def test_what_becomes_of_entries(rows, expected, snapshot, written, monkeypatch):
    monkeypatch.setattr("simcore.analyses.sessions.orientation._pairs_up", lambda capture: True)
    found = changes_of(snapshot, written(*rows))
    assert sorted(found) == sorted(expected)


def test_a_record_of_both_directions_tells_all_at_once(snapshot, written):
    capture = written(
        row(0, CLIENT, SERVER, ALL, lasts=2, packets=10), row(0, (WEB, 1_111), SERVER, S | R, lasts=0.5, packets=2)
    )
    assert not habits_of(capture).one_way
    assert sorted(changes_of(snapshot, capture)) == [
        (0, "NONE", "ESTABLISHED"),
        (0, "NONE", "ESTABLISHED"),
        (0.5, "ESTABLISHED", "NONE"),
        (2, "ESTABLISHED", "TIME_WAIT"),
        (122, "TIME_WAIT", "NONE"),
    ]


def test_a_packet_by_itself_is_of_one_end(snapshot, written):
    capture = written(row(0, CLIENT, SERVER, A), row(0, (WEB, 1_111), SERVER, A, packets=2))
    assert not habits_of(capture).one_way
    ends = [time for time, _, after in changes_of(snapshot, capture) if after == "NONE"]
    assert ends == [LINUX.nf_conntrack_tcp_timeout_unacknowledged, LINUX.nf_conntrack_tcp_timeout_established]


def test_without_flags_connections_are_taken_to_be_closed_at_their_end(snapshot, written):
    capture = written(row(0, CLIENT, SERVER, lasts=5, packets=8))
    assert changes_of(snapshot, capture)[-2:] == [(5, "ESTABLISHED", "TIME_WAIT"), (125, "TIME_WAIT", "NONE")]


def test_rows_out_of_order_count_at_their_time_within_the_window(written, judged):
    rows = [
        row(0, CLIENT, SERVER, S),
        row(50, (WEB, 2), SERVER, S),
        row(0.5, SERVER, CLIENT, SA),
        row(1, CLIENT, SERVER, A),
    ]
    result, words = judged(written(*rows))
    assert [word[1] for word in words] == ["new", "new", "established", "established"]
    assert (result.state.late, result.state.untimed) == (0, 0)
    result, words = judged(written(*rows), reorder=10 * SECOND)
    assert result.state.late == 2


def test_rows_without_time_count_where_they_stand(written, judged):
    result, words = judged(written(row(0, CLIENT, SERVER, S), row(None, SERVER, CLIENT, SA)))
    assert [word[1] for word in words] == ["new", "established"]
    assert result.state.untimed == 1


def test_times_out_of_the_ordinary_are_borne(written, judged):
    ages = [
        row(year * 31_556_952, (WEB, 1_024 + number), SERVER, S) for number, year in enumerate((-90, 200, 0, -300, 9))
    ]
    settings = LINUX.with_setting("tcp_timeout_established", str(2**31 - 1))
    result, words = judged(written(*ages), settings=settings)
    assert [word[1] for word in words] == ["new"] * 5
    assert result.state.connections == 5


def test_no_rows_no_connections(written, judged):
    result, words = judged(written())
    assert (words, result.state.connections) == ([], 0)


@pytest.mark.parametrize("ends", ["pods", "addresses of 16 bytes", "a pod and an address"])
def test_ends_are_known_by_name_or_by_address(ends, tmp_path, judged):
    wide = [bytes.fromhex("fd77" + "0" * 27 + digit) for digit in "12"]
    names = ["shop/web", "shop/db"]
    table = pa.Table.from_pylist([row(0, CLIENT, SERVER, S), row(0.1, SERVER, CLIENT, SA)], SCHEMA)
    table = table.drop_columns(["source_address", "destination_address"])
    if ends == "addresses of 16 bytes":
        table = table.append_column("source_address", pa.array(wide, pa.binary(16)))
        table = table.append_column("destination_address", pa.array(wide[::-1], pa.binary(16)))
    elif ends == "pods":
        table = table.append_column("source_pod", pa.array(names))
        table = table.append_column("destination_pod", pa.array(names[::-1]))
    else:
        table = table.append_column("source_pod", pa.array([names[0], None]))
        table = table.append_column("source_address", pa.array([None, DB]))
        table = table.append_column("destination_pod", pa.array([None, names[0]]))
        table = table.append_column("destination_address", pa.array([DB, None]))
    path = tmp_path / "ends.parquet"
    pq.write_table(table, path)
    result, words = judged(loaders.open_capture([str(path)]))
    assert [word[:4] for word in words] == [
        ("ALLOW", "new", "rule", "forward"),
        ("ALLOW", "established", "reply", "reverse"),
    ]
    assert result.state.connections == 1


def test_a_capture_without_times_is_refused(written, judged):
    with pytest.raises(LoadError, match="no record has a time"):
        judged(written(row(None, CLIENT, SERVER, S)))


def test_files_are_read_side_by_side(snapshot, tmp_path, written):
    """A file a node, both of the same hour: answers stand in the other file."""
    there = [row(time, (WEB, 1_024 + time), SERVER, S) for time in range(0, 3_600, 10)]
    back = [row(time + 0.01, SERVER, (WEB, 1_024 + time), SA) for time in range(0, 3_600, 10)]
    written(*there, name="a", group=50)
    written(*back, name="b", group=70)
    capture = loaders.open_capture([str(tmp_path / "a.parquet"), str(tmp_path / "b.parquet")])
    outputs = set()
    for threads, batch_rows in ((1, 1_000), (2, 7), (3, 100)):
        output = tmp_path / f"{threads}.parquet"
        result = simcore.replay(
            capture,
            snapshot.cluster,
            snapshot.policies,
            threads=threads,
            batch_rows=batch_rows,
            output=output,
            stateful=StatefulOptions(),
        )
        assert (result.state.connections, result.state.late, result.denied) == (360, 0, 0)
        assert result.state.classes == {"new": 360, "established": 360, "invalid": 0, "none": 0}
        outputs.add(output.read_bytes())
    assert len(outputs) == 1


def test_whatif_tells_what_breaks_now_and_what_at_the_next_reconnect(snapshot, written, tmp_path):
    path = tmp_path / "change.yaml"
    path.write_text(CLUSTER[CLUSTER.rindex("---") : CLUSTER.index("  ingress:")])
    candidate = loaders.load_policies([str(path)])
    rows = []
    for port, closed in ((1, True), (2, True), (3, False)):
        rows += [row(port, (WEB, port), SERVER, S), row(port + 0.1, SERVER, (WEB, port), SA)]
        rows += [row(port + 1, (WEB, port), SERVER, FA if closed else A)]
    rows += [row(9, (WEB, 9), SERVER, S)]
    result = simcore.whatif(
        written(*rows),
        snapshot.cluster,
        snapshot.policies,
        candidate,
        stateful=StatefulOptions(),
        output=tmp_path / "o",
    )
    assert (result.lost, result.cut.connections, result.cut.open_at_end) == (10, 4, 1)
    # Changed rows are written from client to server, answers too.
    assert set(pq.read_table(tmp_path / "o")["destination_port"].to_pylist()) == {5432}


def test_vpc_flow_logs_are_paired(tmp_path, snapshot, judged):
    """The answer is stamped a second before what it answers: seconds are not finer than that."""
    path = tmp_path / "vpc.parquet"
    pq.write_table(pa.table(VPC), path)
    capture = loaders.open_capture([str(path)])
    assert habits_of(capture).one_way
    result, words = judged(capture)
    assert words == [
        ("ALLOW", "new", "rule", "forward", "flags"),
        ("ALLOW", "established", "reply", "reverse", "flags"),
        ("ALLOW", "established", "established", "forward", "flags"),
        ("ALLOW", "established", "reply", "reverse", "flags"),
        ("DENY", "new", None, "forward", "flags"),
    ]
    assert result.state.connections == 2
