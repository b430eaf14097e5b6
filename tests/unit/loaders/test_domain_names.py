import json

import pytest

from loaders import load_names
from simcore.errors import LoadError
from simcore.model.addresses import Address
from simcore.model.names import ALWAYS

SECOND = 1_000_000_000
FORENOON = 1_793_611_800 * SECOND
"""2026-11-02T09:30:00Z."""


@pytest.fixture
def load(tmp_path):
    def loads(text):
        path = tmp_path / "names"
        path.write_text(text if isinstance(text, str) else json.dumps(text, indent=1))
        return {(name, str(address)): found for (name, address), found in load_names([str(path)]).stretches.items()}

    return loads


def errors_of(load, text):
    with pytest.raises(LoadError) as caught:
        load(text)
    return [str(diagnostic).split("names:")[-1] for diagnostic in caught.value.diagnostics]


def test_names_in_the_form_of_a_hosts_file(load):
    text = "# names\n192.0.2.1  API.example.com. www.example.com # two\n\n2001:db8::1 api.example.com\n"
    assert load(text) == {
        ("api.example.com", "192.0.2.1"): (ALWAYS,),
        ("www.example.com", "192.0.2.1"): (ALWAYS,),
        ("api.example.com", "2001:db8::1"): (ALWAYS,),
    }


def test_files_of_windows(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(b"\xef\xbb\xbf192.0.2.1 a.example.com\r\n\r\n192.0.2.2 b.example.com\r\n")
    first, second = (("a.example.com", "192.0.2.1"), ("b.example.com", "192.0.2.2"))
    assert list(load_names([str(path)]).stretches) == [(name, Address.parse(text)) for name, text in (first, second)]


def test_every_error_is_told_with_its_line(load):
    told = errors_of(load, "api.example.com 192.0.2.1\n192.0.2.1\n192.0.2.2 *.example.com ok.example.com\n")
    assert [text[:2] for text in told] == ["1:", "2:", "3:"]
    assert "'*.example.com' is not a domain name" in told[2]


@pytest.mark.parametrize("content", [None, b"\xff\xfe1"])
def test_a_file_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "hosts"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LoadError, match=r"no such file|not UTF-8"):
        load_names([str(path)])


def test_names_with_times(load):
    items = [
        {"address": "192.0.2.1", "from": "2026-11-02T09:30:00Z", "until": "2026-11-02T10:30:01+01:00"},
        {"address": "192.0.2.1", "from": "2026-11-02T09:30:01", "until": "2026-11-02T09:30:02.5Z"},
        {"address": "192.0.2.2", "from": "2026-11-02T09:30:00Z"},
        {"address": "192.0.2.3", "until": "2026-11-02T09:30:00Z"},
        "192.0.2.4",
    ]
    assert load({"API.example.com.": items}) == {
        ("api.example.com", "192.0.2.1"): ((FORENOON, FORENOON + 5 * SECOND // 2),),
        ("api.example.com", "192.0.2.2"): ((FORENOON, ALWAYS[1]),),
        ("api.example.com", "192.0.2.3"): ((ALWAYS[0], FORENOON),),
        ("api.example.com", "192.0.2.4"): (ALWAYS,),
    }


def test_an_address_that_always_holds_needs_no_times(load):
    timed = {"address": "192.0.2.1", "from": "2026-11-02T09:30:00Z"}
    assert load({"a.example.com": [timed, "192.0.2.1"]}) == {("a.example.com", "192.0.2.1"): (ALWAYS,)}


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ({"*.example.com": []}, "[*.example.com]", "is not a domain name"),
        ({"a.example": "192.0.2.1"}, "[a.example]", "a list of addresses is expected"),
        ({"a.example": [7]}, "[a.example][0]", "an address is expected"),
        ({"a.example": [{"from": "2026-11-02"}]}, "[a.example][0]", "an address is expected"),
        ({"a.example": ["192.0.2.1", "192.0.2.256"]}, "[a.example][1]", "192.0.2.256"),
        ({"a.example": [{"address": "192.0.2.1", "ttl": 3}]}, "[a.example][0].ttl", "'ttl' is no field here"),
        ({"a.example": [{"address": "192.0.2.1", "from": "soon"}]}, "[a.example][0].from", "'soon' is no time"),
        (
            {"a.example": [{"address": "192.0.2.1", "from": "2026-11-02", "until": "2026-11-02"}]},
            "[a.example][0]",
            "it ends before it begins",
        ),
    ],
)
def test_what_is_wrong_with_names_in_json(load, value, field, message):
    (told,) = errors_of(load, value)
    assert field in told
    assert message in told
    assert int(told.partition(",")[0]) > 1


@pytest.mark.parametrize("text", ['{"a.example": [', "{" + '"a":{' * 300 + "}" * 301])
def test_a_file_that_is_no_json(load, text):
    assert len(errors_of(load, text)) == 1


def test_a_name_twice_in_one_object(load):
    (told,) = errors_of(load, '{"a.example": ["192.0.2.1"],\n "a.example": []}')
    assert "twice" in told
