import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.captures import FlowWriter, open_capture, write_flows
from loaders.captures.addresses import AddressReader
from simcore.model.schema import FLOW_SCHEMA
from tests.captures import errors, read, wide


def batch_of(words, pods):
    array = AddressReader()([pa.array(words)])
    return pa.record_batch({"source_address": array, "source_pod": pa.array(pods).dictionary_encode()})


def test_the_same_flows_give_the_same_bytes_however_they_are_cut(tmp_path):
    drawn = random.Random(2)
    words = [f"10.0.{drawn.randrange(9)}.1" for _ in range(100)]
    pods = [drawn.choice(["a/b", "a/c", "b/d"]) for _ in range(100)]
    for name, step in (("one", 100), ("many", 7)):
        with FlowWriter(str(tmp_path / name), group_rows=30) as writer:
            for first in range(0, 100, step):
                writer.write(batch_of(words[first : first + step], pods[first : first + step]))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "many").read_bytes()
    metadata = pq.read_metadata(tmp_path / "one")
    assert [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)] == [30, 30, 30, 10]


def test_times_are_delta_encoded_and_addresses_a_dictionary(tmp_path):
    columns = {
        "time": pa.array([1, 2], pa.timestamp("ns")),
        "source_address": pa.array([1, 1], pa.uint32()),
        "bytes": pa.array([1, 2], pa.int64()),
    }
    write_flows(str(tmp_path / "a"), [pa.record_batch(columns)])
    group = pq.read_metadata(tmp_path / "a").row_group(0)
    assert ["DELTA_BINARY_PACKED" in group.column(leaf).encodings for leaf in range(3)] == [True, False, True]
    assert [group.column(leaf).has_dictionary_page for leaf in range(3)] == [False, True, False]
    assert group.column(0).compression == "LZ4"


def records(words, pods):
    batch = batch_of(["10.0.0.1"] * len(words), pods)
    batch = batch.append_column("destination_pod", batch["source_pod"])
    return batch.append_column("record", pa.array(words).dictionary_encode())


def test_dns_answers_have_row_groups_of_their_own(tmp_path):
    path = str(tmp_path / "a.parquet")
    words = ["answer", "connection", None, "answer", "request", "answer"]
    with FlowWriter(path, group_rows=2) as writer:
        writer.write(records(words, ["a/0", "a/1", "a/2", "a/3", "a/4", "a/5"]))
    capture = open_capture([path])
    assert read(capture)["source_pod"] == ["a/1", "a/2", "a/4"]
    pods = [
        pod
        for split in capture.answers
        for batch in capture.read(split, ["source_pod"], 10)
        for pod in batch["source_pod"].to_pylist()
    ]
    assert pods == ["a/0", "a/3", "a/5"]
    assert sorted(split.first_row for split in (*capture.splits, *capture.answers)) == [0, 2, 4, 5]


def test_answers_are_found_where_the_footer_tells_nothing(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table(records(["answer", "answer"], ["a/0", "a/1"])), path, write_statistics=False)
    capture = open_capture([path])
    assert (len(capture.splits), len(capture.answers)) == (0, 1)


def test_answers_among_other_rows_are_refused(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table(records(["answer", "request"], ["a/0", "a/1"])), path)
    text = "row group 0 mixes 1 DNS answers with other rows. Write it with write_flows"
    assert errors([path]) == [f"{path}: {text}"]


def test_a_wide_file_takes_both_families(tmp_path):
    path = str(tmp_path / "a.parquet")
    batches = [batch_of(["10.0.0.1", "-"], ["a/b", "a/b"]), batch_of(["fd00::1"], ["a/b"])]
    write_flows(path, batches, wide=True)
    assert pq.read_table(path)["source_address"].to_pylist() == [wide("10.0.0.1"), None, wide("fd00::1")]
    with pytest.raises(ValueError, match="use wide=True for IPv6"):
        write_flows(path, batches)


def test_a_capture_without_flows_can_be_written(tmp_path):
    path = str(tmp_path / "a.parquet")
    write_flows(path, [])
    assert open_capture([path]).columns == set(FLOW_SCHEMA.names)


def test_nothing_half_written_is_left_behind(tmp_path):
    def batches():
        yield batch_of(["10.0.0.1"], ["a/b"])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_flows(str(tmp_path / "a.parquet"), batches())
    assert list(tmp_path.iterdir()) == []


def test_a_writer_refuses_what_is_not_a_flow(tmp_path):
    path = str(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="no such column of a flow: x"):
        write_flows(path, [pa.record_batch({"x": [1]})])
    with pytest.raises(ValueError, match="protocol has type int64; expected uint8"):
        write_flows(path, [pa.record_batch({"protocol": [1]})])
    some = pa.record_batch({"protocol": pa.array([1], pa.uint8())})
    with pytest.raises(ValueError, match="the file's columns are"):
        write_flows(path, [some, batch_of(["10.0.0.1"], ["a/b"])])
