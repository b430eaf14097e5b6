import gzip
import io
import json
import sys
from types import SimpleNamespace

import pytest

from loaders import reader, yaml_source
from loaders.json_source import walk
from loaders.reader import Skipped, read_documents
from loaders.scalars import resolve
from simcore.errors import Severity

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {0}}}\n"


def read(*paths):
    problems, skipped = [], Skipped()
    documents = list(read_documents(map(str, paths), problems, skipped))
    errors = [str(p) for p in problems if p.severity is Severity.ERROR]
    warnings = [str(p) for p in problems if p.severity is Severity.WARNING]
    return SimpleNamespace(documents=documents, errors=errors, warnings=warnings, skipped=skipped.documents)


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def data_of(tmp_path, text):
    found = read(write(tmp_path / "a.yaml", f"apiVersion: v1\nkind: X\n{text}"))
    assert found.errors == []
    return {key: value for key, value in found.documents[0].value.items() if key not in ("apiVersion", "kind")}


@pytest.mark.parametrize(
    ("text", "value"),
    [  # what kubectl 1.32 makes of each, seen with `kubectl label --local -o json`
        ("y", True),
        ("On", True),
        ("no", False),
        ("N", False),
        ("010", 8),
        ("0o10", 8),
        ("-010", -8),
        ("08", 8),
        ("1_000", 1000),
        ("0b11", 3),
        ("0x1F", 31),
        ("0X1f", 31),
        ("1e3", 1000),
        ("1e+3", 1000),
        ("1.", 1),
        (".5", 0.5),
        ("+12", 12),
        ("~", None),
        ("", None),
        ("12:30:00", "12:30:00"),
        ("2026-01-01", "2026-01-01"),
        ("yEs", "yEs"),
        ("=", "="),
        ("1.2.3", "1.2.3"),
        ("-", "-"),
        ("0x", "0x"),
        ("99999999999999999999", 99999999999999999999),
    ],
)
def test_plain_scalars_mean_what_they_mean_to_kubectl(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


@pytest.mark.parametrize("text", [b'{\n"kind": "\xff"}', b'{"apiVersion": "v1",\n"kind": "X", "a": "\xc3"}'])
def test_json_that_is_not_utf8_is_an_error_with_its_line(tmp_path, text):
    path = write(tmp_path / "a.json", text)
    assert read(path).errors == [f"{path}:2: this is not UTF-8 text. Save it as UTF-8"]


def test_quoted_and_tagged_scalars_stay_text(tmp_path):
    text = "a: '010'\nb: \"no\"\nc: !!str 12\nd: !custom 12\ne: |\n  yes\n"
    assert data_of(tmp_path, text) == {"a": "010", "b": "no", "c": "12", "d": "12", "e": "yes\n"}


def test_keys_become_text_as_in_json(tmp_path):
    assert data_of(tmp_path, "data:\n  on: 1\n  12: 2\n  010: 3\n") == {"data": {"true": 1, "12": 2, "8": 3}}


def test_merge_keys_fill_in_what_is_not_there(tmp_path):
    text = "a: &a {p: 1, q: 2}\nb: &b {q: 3, r: 4}\nc: {<<: [*a, *b], p: 9}\nd:\n  <<: *b\n"
    found = data_of(tmp_path, text)
    assert found["c"] == {"p": 9, "q": 2, "r": 4}
    assert found["d"] == {"q": 3, "r": 4}


def test_a_repeated_key_is_an_error_with_both_lines(tmp_path):
    path = write(tmp_path / "a.yaml", "apiVersion: v1\nkind: X\ndata:\n  a: 1\n  b: 2\n  a: 3\n")
    assert read(path).errors == [f"{path}:6: the key 'a' stands here again, first on line 4. Keep one"]


def test_aliases_may_not_explode(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    found = read(write(tmp_path / "a.yaml", "apiVersion: v1\nkind: X\n" + "\n".join(lines)))
    assert "its aliases (*) repeat over 100000 values" in found.errors[0]


def test_an_alias_of_itself_is_an_error(tmp_path):
    found = read(write(tmp_path / "a.yaml", "apiVersion: v1\nkind: X\na: &a [1, *a]\n"))
    assert "may not stand inside the value that it repeats" in found.errors[0]


TOO_DEEP = "lists and mappings lie more than 200 levels deep in one another"
NESTED = {
    "flow-list": lambda levels: "[" * levels + "]" * levels,
    "flow-mapping": lambda levels: "{a: " * levels + "1" + "}" * levels,
    "block-list": lambda levels: "- " * levels + "1",
    "merge": lambda levels: "{<<: " * (levels - 1) + "{}" + "}" * (levels - 1),
}


@pytest.mark.parametrize("has_c_parser", [True, False])
@pytest.mark.parametrize("shape", NESTED)
@pytest.mark.parametrize(("levels", "errors"), [(200, 0), (201, 1), (30_000, 1)])
def test_yaml_nested_too_deeply_is_an_error_and_the_rest_is_read(
    tmp_path, monkeypatch, has_c_parser, shape, levels, errors
):
    monkeypatch.setattr(yaml_source, "HAS_C_PARSER", has_c_parser and yaml_source.HAS_C_PARSER)
    yaml_source._loader_class.cache_clear()
    text = f"apiVersion: v1\nkind: X\nspec:\n {NESTED[shape](levels - 1)}\n---\n" + CONFIG.format("b")
    found = read(write(tmp_path / "a.yaml", text))
    yaml_source._loader_class.cache_clear()
    assert [each.partition(". ")[0] for each in found.errors] == [f"{tmp_path / 'a.yaml'}:4: {TOO_DEEP}"] * errors
    assert [document.kind for document in found.documents] == ["X", "ConfigMap"][errors:]


def test_aliases_may_not_pile_up_too_deeply(tmp_path):
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} {'[' * 90}*a{n - 1}{']' * 90}" for n in range(1, 4))]
    found = read(write(tmp_path / "a.yaml", "apiVersion: v1\nkind: X\n" + "\n".join(lines)))
    assert [each.partition(". ")[0] for each in found.errors] == [
        f"{tmp_path / 'a.yaml'}:5: with its aliases (*) written out, {TOO_DEEP}"
    ]


@pytest.mark.parametrize(("before", "after"), [('{"a": ', "}"), ("[", "]"), ('{"\\\\\\"]": ', "}")])
@pytest.mark.parametrize(("levels", "errors"), [(200, 0), (201, 1), (30_000, 1)])
def test_json_nested_too_deeply_is_an_error(tmp_path, before, after, levels, errors):
    text = f'{{"apiVersion": "v1", "kind": "X",\n "spec": {before * (levels - 1)}"]]"{after * (levels - 1)}}}'
    found = read(write(tmp_path / "a.json", text))
    assert [each.partition(". ")[0] for each in found.errors] == [f"{tmp_path / 'a.json'}:2: {TOO_DEEP}"] * errors
    assert len(found.documents) == 1 - errors


@pytest.mark.parametrize(("levels", "kinds"), [(200, "XY"), (201, "Y"), (30_000, "")])
def test_an_item_of_a_json_list_nested_too_deeply_is_an_error(tmp_path, levels, kinds):
    first = f'{{"apiVersion": "v1", "kind": "X", "a": {"[" * (levels - 3)}{"]" * (levels - 3)}}}'
    second = '{"apiVersion": "v1", "kind": "Y"}'
    text = f'{{"apiVersion": "v1", "kind": "List", "items": [\n{first},\n{second}]}}'
    found = read(write(tmp_path / "a.json", text))
    assert "".join(document.kind for document in found.documents) == kinds
    errors = [] if kinds == "XY" else [f"{tmp_path / 'a.json'}:2: {TOO_DEEP}"]
    assert [each.partition(". ")[0] for each in found.errors] == errors


def test_reading_goes_on_after_a_syntax_error(tmp_path):
    text = CONFIG.format("a") + "---\nkind: [\n---\n# comment\n" + CONFIG.format("c") + "---\n\tx: 1\n---\n"
    path = write(tmp_path / "a.yaml", text + CONFIG.format("e"))
    found = read(path)
    assert [(d.number, d.value["metadata"]["name"], d.place().line) for d in found.documents] == [
        (1, "a", 1),
        (3, "c", 8),
        (5, "e", 14),
    ]
    assert found.errors[0].startswith(f"{path}:6, document 2: not valid YAML")
    assert found.errors[1].startswith(f"{path}:12, document 4: not valid YAML")
    assert "YAML takes no tabs" in found.errors[1]


def test_a_template_is_recognised(tmp_path):
    found = read(write(tmp_path / "a.yaml", "kind: {{ .Values.kind }}\n  x: {{ y }}\n"))
    assert "render it first, for instance with `helm template`" in found.errors[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is nothing in this file"),
        (b"---\n# only a comment\n---\n", "there is nothing in this file"),
        (b"a: \xff\xfe", "this is not UTF-8 text"),
        (b"\x7fELF\0\0", "this is a binary file"),
        (b"\x1f\x8bgarbage", "cannot be read"),
        (b"a: \x07", "control character"),
        (b"kind: X\n", "it has no apiVersion (such as networking.k8s.io/v1)"),
        (b"a: 1\n", "it has no apiVersion (such as networking.k8s.io/v1) and kind (such as NetworkPolicy)"),
        (b"apiVersion: 1\nkind: X\n", "apiVersion must be text"),
        (b"just text\n", "a mapping with apiVersion and kind is expected"),
        (b"- 1\n", "a mapping with apiVersion and kind is expected"),
    ],
)
def test_a_file_that_holds_no_object_is_an_error(tmp_path, content, message):
    path = write(tmp_path / "a.yaml", content)
    found = read(path)
    assert len(found.errors) == 1
    assert message in found.errors[0]
    assert str(path) in found.errors[0]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('{"a": 1,\n "b": }', 2, "not valid JSON"),
        ('{"a": 1,\n "b": 2', 2, "not valid JSON"),
        ('{"apiVersion": "v1", "kind": "X"}\n{"apiVersion": }', 2, "not valid JSON"),
        ('{"a":' * 5000, 1, "lists and mappings lie more than 200 levels deep"),
    ],
)
def test_broken_json_is_an_error_with_its_line(tmp_path, content, line, message):
    path = write(tmp_path / "a.json", content)
    error = read(path).errors[0]
    assert message in error
    assert error.startswith(f"{path}:{line}" if line else str(path))


def test_json_objects_may_follow_one_another(tmp_path):
    text = '{"apiVersion": "v1", "kind": "A"}\n\n{"apiVersion": "v1",\n "kind": "B"}\n'
    found = read(write(tmp_path / "a.json", text))
    assert [(d.kind, d.number, d.place().line, d.place(("kind",)).line) for d in found.documents] == [
        ("A", 1, 1, 1),
        ("B", 2, 3, 4),
    ]


def test_flow_style_yaml_is_not_taken_for_json(tmp_path):
    found = read(write(tmp_path / "a.yaml", "{apiVersion: v1, kind: X}\n"))
    assert [d.kind for d in found.documents] == ["X"]


ITEMS = [{"metadata": {"name": "a"}}, {"metadata": {"name": "b\n"}, "spec": {"x": [[], {"y": {}, "z": 1}]}}]


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("head_first", [True, False])
def test_items_of_lists_know_their_kind_and_line(tmp_path, indent, head_first):
    whole = {"metadata": {"items": [ITEMS[0]]}, "kind": "PodList", "apiVersion": "v1", "items": ITEMS}
    if not head_first:
        whole = dict(reversed(whole.items()))
    text = json.dumps(whole, indent=indent)
    found = read(write(tmp_path / "a.json", text))
    assert [(d.api_version, d.kind, d.number) for d in found.documents] == [
        ("v1", "Pod", 1),
        ("v1", "Pod", 2),
    ]
    assert [d.value for d in found.documents] == ITEMS
    line = found.documents[1].place(("spec", "x", 1, "z")).line
    assert '"z": 1' in text.splitlines()[line - 1]


def test_items_are_not_looked_for_in_the_metadata(tmp_path):
    text = '{"metadata": {"items": [{}]},\n"apiVersion": "v1", "kind": "PodList",\n"items": [\n{}]}'
    (document,) = read(write(tmp_path / "a.json", text)).documents
    assert document.place().line == 4


def test_items_of_yaml_lists_know_their_kind_and_line(tmp_path):
    text = (
        "apiVersion: v1\nkind: List\nitems:\n"
        "- apiVersion: v1\n  kind: A\n"
        "- apiVersion: v1\n  kind: B\n  spec:\n    x: 1\n---\napiVersion: v1\nkind: C\n"
    )
    found = read(write(tmp_path / "a.yaml", text))
    assert [(d.kind, d.number, d.place().line) for d in found.documents] == [
        ("A", 1, 4),
        ("B", 2, 6),
        ("C", 3, 11),
    ]
    assert str(found.documents[1].place(("spec", "x"))) == f"{tmp_path}/a.yaml:9, document 2, spec.x"


def test_an_empty_list_is_fine(tmp_path):
    for name, text in (
        ("a.json", '{"apiVersion": "v1", "kind": "List", "items": []}'),
        ("a.yaml", "apiVersion: v1\nkind: List\nitems: []\n"),
    ):
        found = read(write(tmp_path / name, text))
        assert (found.documents, found.errors, found.warnings) == ([], [], [])


def test_positions_of_a_json_text():
    text = b'{"a": [1, {"b": "x,]}\\""}, []], "c": {}, "d": {"e": [[], 2]}}'
    found = dict(walk(text))
    assert text[found["a", 1, "b"] :].startswith(b'"b"')
    assert text[found["d", "e", 1] :].startswith(b"2")
    assert set(found) == {
        (), ("a",), ("a", 0), ("a", 1), ("a", 1, "b"), ("a", 2), ("c",),
        ("d",), ("d", "e"), ("d", "e", 0), ("d", "e", 1),
    }  # fmt: skip


def test_a_folder_is_searched_through_in_order(tmp_path):
    write(tmp_path / "f/z.yaml", CONFIG.format("z"))
    write(tmp_path / "f/a/b.yml", CONFIG.format("b"))
    write(
        tmp_path / "f/a/c.json.gz",
        gzip.compress(b'{"apiVersion": "v1", "kind": "X", "metadata": {"name": "c"}}'),
    )
    write(tmp_path / "f/a/readme.txt", "nothing")
    write(tmp_path / "f/.git/x.yaml", "a: [")
    found = read(tmp_path / "f")
    assert [d.value["metadata"]["name"] for d in found.documents] == ["b", "c", "z"]
    assert found.errors == found.warnings == []


def test_other_files_of_a_folder_are_left_out_with_a_warning(tmp_path):
    write(tmp_path / "values.yaml", "replicas: 2\n---\nmore: 1\n")
    write(tmp_path / "tsconfig.json", '{"a": 1}')
    write(tmp_path / "list.json", "[1, 2]")
    write(tmp_path / "empty.yaml", "")
    write(tmp_path / "ok.yaml", CONFIG.format("a"))
    found = read(tmp_path)
    assert len(found.documents) == 1
    assert found.errors == []
    assert found.skipped == 4
    assert [w.partition(":")[0].rpartition("/")[2] for w in found.warnings] == [
        "empty.yaml", "list.json", "tsconfig.json", "values.yaml",
    ]  # fmt: skip


def test_half_an_object_is_an_error_in_a_folder_too(tmp_path):
    write(tmp_path / "a.yaml", "kind: NetworkPolicy\nmetadata: {}\n")
    assert "it has no apiVersion" in read(tmp_path).errors[0]


def test_what_cannot_be_found_is_reported_and_the_rest_is_read(tmp_path):
    write(tmp_path / "empty/readme.txt", "x")
    found = read(tmp_path / "absent.yaml", tmp_path / "empty", write(tmp_path / "a.yaml", CONFIG.format("a")))
    assert len(found.documents) == 1
    assert "there is no such file or folder" in found.errors[0]
    assert "this folder holds no manifest" in found.errors[1]


def test_an_unreadable_file_is_reported(tmp_path, monkeypatch):
    def refuse(source):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reader, "read_bytes", refuse)
    assert "this cannot be read: Permission denied" in read(write(tmp_path / "a.yaml", "x")).errors[0]


def test_a_path_that_is_not_utf8_is_reported(tmp_path):
    path = write(tmp_path / "a\udcff.yaml", CONFIG.format("a"))
    assert read(path).errors == [f"{path}: this path is not UTF-8. Rename it"]


def test_a_file_given_twice_is_read_once(tmp_path):
    path = write(tmp_path / "a.yaml", CONFIG.format("a"))
    assert len(read(path, tmp_path, path).documents) == 1


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(CONFIG.format("a").encode())))
    found = read("-")
    assert str(found.documents[0].place(("kind",))) == "<stdin>:2, kind"


def test_a_byte_order_mark_is_no_matter(tmp_path):
    text = CONFIG.format("a")
    for encoding in ("utf-8-sig", "utf-16"):
        assert len(read(write(tmp_path / f"{encoding}.yaml", text.encode(encoding))).documents) == 1


def test_without_the_c_extension_the_result_is_the_same_and_a_warning_tells(tmp_path, monkeypatch):
    text = CONFIG.format("a") + "x: [010, no, 'no', &a {b: 1}, *a]\n---\na: [\n---\n" + CONFIG.format("b")
    path = write(tmp_path / "a.yaml", text)
    fast = read(path)
    monkeypatch.setattr(yaml_source, "HAS_C_PARSER", False)
    monkeypatch.setattr(reader, "HAS_C_PARSER", False)
    yaml_source._loader_class.cache_clear()
    slow = read(path)
    yaml_source._loader_class.cache_clear()
    assert [d.value for d in slow.documents] == [d.value for d in fast.documents]
    assert [d.place() for d in slow.documents] == [d.place() for d in fast.documents]
    assert len(slow.errors) == len(fast.errors) == 1
    assert "C extension" in slow.warnings[0]
