import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from loaders.captures import KNOWN, open_capture
from simcore.errors import LoadError, Severity
from simcore.model.schema import FLOW_SCHEMA
from tests.captures import V4, errors, read


def test_paths_that_lead_nowhere(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("hello")
    names = [str(tmp_path / name) for name in ("gone.parquet", "empty", "texts", "*.nothing")]
    assert errors([*names, "-", "ftp://bucket/logs"]) == [
        f"{names[0]}: there is no such file or folder. Check the path",
        f"{names[1]}: this folder holds no capture: it is empty. Name a folder of captures",
        f"{names[2]}: this folder holds no capture among its 1 files. Name a folder of captures",
        f"{names[3]}: no file matches this pattern. Check it, or quote it for the shell",
        "-: a capture cannot come from standard input: Parquet is read from its end. Write it to a file",
        "ftp://bucket/logs: this kind of store is not read. Copy the capture to this machine, or to s3:// or gs://",
    ]
    with pytest.raises(ValueError, match="at least one path"):
        open_capture([])


def test_files_that_are_not_whole_parquet(save, tmp_path):
    save(V4)
    content = (tmp_path / "flows.parquet").read_bytes()
    broken = {
        "a.parquet": (b"", "this file is empty. Was it written to its end?"),
        "b.parquet": (
            b"src,dst\n1,2\n",
            f"this is text, and of no format that is known: {', '.join(KNOWN)}. Say which it is with --capture-format",
        ),
        "c.parquet": (content[:-20], "this Parquet file is cut off: its end is missing. Copy or write it again"),
        "d.parquet": (b"PARE" + content[4:-4] + b"PARE", "this Parquet file is encrypted. Decrypt it first"),
    }
    for name, (data, _) in broken.items():
        (tmp_path / name).write_bytes(data)
    assert errors([str(tmp_path)]) == [f"{tmp_path / name}: {message}" for name, (_, message) in broken.items()]
    (tmp_path / "e.parquet").write_bytes(content[:4] + b"\xff" * (len(content) - 12) + content[-8:])
    (message,) = errors([str(tmp_path / "e.parquet")])
    assert "this Parquet file is damaged: " in message


def test_a_file_that_breaks_after_it_was_opened(save, tmp_path):
    path = save({"src_ip": list(range(1000)), "dst_ip": list(range(1000))}, use_dictionary=False)
    capture = open_capture([path], strict=True)
    with open(path, "r+b") as file:
        file.truncate(500)
    with pytest.raises(LoadError, match=r"flows\.parquet: row group 0 cannot be read: .*It changed since"):
        list(capture.read(capture.splits[0], ["source_address"], 100))


def texts(*values, kind=None):
    """A column of text whose bytes nobody checked."""
    kind = kind or pa.string()
    raw = pa.array(values, pa.large_binary() if pa.types.is_large_string(kind) else pa.binary())
    return pa.Array.from_buffers(kind, len(values), raw.buffers())


@pytest.mark.parametrize("name", ["source_address", "source_pod", "protocol", "destination_port", "bytes", "node"])
@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_text_that_is_not_utf8(save, name, dictionary, kind):
    columns = {end: ["10.0.0.1"] * 5 for end in V4} | {name: texts(*[b"1"] * 4, b"\xff\xfe", kind=kind)}
    path = save(columns, use_dictionary=dictionary, row_group_size=2, store_schema=not dictionary)
    capture = open_capture([path], strict=True)
    with pytest.raises(LoadError) as caught:
        read(capture, [name], batch_rows=1)
    assert str(caught.value) == (
        f"{path}: column {name!r}, row 4 (from 0): this text is not UTF-8. "
        f"Mend the file, or leave the column out with --map {name}="
    )
    if name not in V4:
        assert name not in open_capture([path], {name: ""}).columns


def test_a_joined_text_that_is_not_utf8(save):
    path = save({**V4, "ns": ["a", "b"], "name": texts(b"c", b"\xff")})
    with pytest.raises(LoadError, match=r"column 'ns' and 'name', row 1 \(from 0\): this text is not UTF-8"):
        read(open_capture([path], {"source_pod": "ns+name"}, strict=True), ["source_pod"])


def test_the_name_of_a_column_that_is_not_utf8(save, tmp_path):
    path = save({**V4, "zzzz": [1, 2]}, store_schema=False)
    content = (tmp_path / "flows.parquet").read_bytes()
    (tmp_path / "flows.parquet").write_bytes(content.replace(b"zzzz", b"zz\xffz"))
    assert errors([path]) == [f"{path}: the name of a column is not UTF-8 text. Write the file anew"]


def test_a_path_that_is_not_utf8(save, tmp_path):
    folder = tmp_path / "day=\udcff"
    folder.mkdir()
    save(V4, "flows.parquet")
    (tmp_path / "flows.parquet").rename(folder / "flows.parquet")
    assert errors([str(tmp_path)]) == [f"{folder / 'flows.parquet'}: this path is not UTF-8. Rename it"]


def test_a_file_without_ends(save):
    path = save({"x": [1], "srcip": ["10.0.0.1"]})
    assert errors([path]) == [
        f"{path}: no column tells the destination of a flow, neither its address nor its pod; the columns are "
        "x, srcip. Name one with --map destination_address=COLUMN or --map destination_pod=COLUMN"
    ]


def test_a_column_of_the_wrong_type(save):
    path = save({**V4, "destination_port": [[80], [443]], "source_pod": [1, 2]})
    assert errors([path]) == [
        f"{path}: column 'destination_port' has type list<element: int64>, and destination_port is read from integers, "
        "floats or text (a number). Name another column with --map destination_port=COLUMN, "
        "or leave it out with --map destination_port=",
        f"{path}: column 'source_pod' has type int64, and source_pod is read from text. "
        "Name another column with --map source_pod=COLUMN, or leave it out with --map source_pod=",
    ]
    assert "source_pod" not in open_capture([path], {"source_pod": "", "destination_port": ""}).columns


def test_a_time_in_numbers_without_unit(save):
    path = save({**V4, "ts": [1.5, 2.5]})
    assert errors([path]) == [
        f"{path}: column 'ts' has type double, and its unit is not known. Say it with --map time=ts:UNIT, "
        "UNIT being one of s, ms, us, ns, or leave it out with --map time="
    ]


def test_two_columns_that_may_be_meant(save):
    path = save({"src_ip": ["10.0.0.1"], "srcaddr": ["10.0.0.1"], "dst_ip": ["10.0.0.2"]})
    assert errors([path]) == [
        f"{path}: several columns may be source_address: srcaddr, src_ip. Choose one with --map source_address=srcaddr"
    ]
    assert read(open_capture([path], {"source_address": "srcaddr"}), ["source_address"])


def test_two_columns_of_one_name(tmp_path):
    path = str(tmp_path / "a.parquet")
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["src_ip", "src_ip"]), path)
    assert errors([path]) == [f"{path}: two columns have the name 'src_ip'. Rename one of them"]


def test_mappings_that_make_no_sense(save):
    path = save({**V4, "ts": [1, 2], "src_ns": ["a", "a"]})
    mapping = {
        "tiem": "ts",
        "time": "ts:min",
        "end_time": "tss:s",
        "source_pod": "src_ns+src_nam",
        "source_address": "x",
    }
    held = "destination_address, source_address, src_ns, ts"
    assert errors([path], mapping) == [
        "--map tiem=ts: a flow has no column 'tiem' (did you mean 'time'?). A flow has the columns "
        + ", ".join(FLOW_SCHEMA.names),
        "--map time=ts:min: 'min' is no unit of time. Write one of s, ms, us, ns after the colon",
        f"--map end_time=tss:s: the capture has no column 'tss' (did you mean 'ts'?). It has {held}",
        f"--map source_pod=src_ns+src_nam: the capture has no column 'src_nam' (did you mean 'src_ns'?). It has {held}",
        f"--map source_address=x: the capture has no column 'x'. It has {held}",
    ]


def test_every_problem_is_told_at_once(save, tmp_path):
    save({"x": [1]}, "a.parquet")
    (tmp_path / "b.parquet").write_text("no")
    assert len(errors([str(tmp_path), str(tmp_path / "gone")], {"tiem": "x"})) == 5


def test_a_row_group_that_cannot_be_read_has_rows_of_which_nothing_is_known(save, tmp_path):
    path = save({"src_ip": list(range(1, 31)), "dst_ip": list(range(1, 31))}, row_group_size=10, use_dictionary=False)
    column = pq.read_metadata(path).row_group(1).column(0)
    with open(path, "r+b") as file:
        file.seek(column.data_page_offset)
        file.write(b"\xff" * 16)
    capture = open_capture([path])
    found = read(capture)
    assert found["source_address"] == [*range(1, 11), *[None] * 10, *range(21, 31)]
    (told,) = capture.damage.values()
    assert str(told).startswith(f"{path}: row group 1 cannot be read: ")
    assert str(told).endswith("10 rows are read as missing, and unknown")
    with pytest.raises(LoadError, match="row group 1 cannot be read"):
        read(open_capture([path], strict=True))


def test_text_that_is_not_utf8_is_missing_unless_strict(save):
    path = save({**V4, "source_pod": texts(b"shop/web", b"\xff")}, use_dictionary=False)
    capture = open_capture([path])
    assert read(capture)["source_pod"] == ["shop/web", None]
    (told,) = capture.damage.values()
    assert "row 1 (from 0): this text is not UTF-8" in str(told)
    assert str(told).endswith("It is read as missing")


def test_a_damaged_file_is_left_out_unless_strict(save, tmp_path):
    whole = save(V4)
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "flows.parquet").read_bytes()[:-20])
    capture = open_capture([str(tmp_path)])
    assert capture.files == [whole]
    (told,) = capture.diagnostics
    assert (told.severity, told.place.file) == (Severity.WARNING, str(tmp_path / "cut.parquet"))
    assert "its end is missing" in told.message
    with pytest.raises(LoadError, match="its end is missing"):
        open_capture([str(tmp_path)], strict=True)
    with pytest.raises(LoadError, match="its end is missing"):
        open_capture([str(tmp_path / "cut.parquet")])
