import pytest

from loaders import load_hosts
from simcore.errors import LoadError
from simcore.model.addresses import Address


def test_names_in_the_form_of_a_hosts_file(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("# names\n192.0.2.1  API.example.com. www.example.com # two\n\n2001:db8::1 api.example.com\n")
    addresses = {name: [str(a) for a in found] for name, found in load_hosts([str(path)]).items()}
    assert addresses == {"api.example.com": ["192.0.2.1", "2001:db8::1"], "www.example.com": ["192.0.2.1"]}
    assert load_hosts([str(path)])["www.example.com"] == (Address.parse("192.0.2.1"),)


def test_files_of_windows(tmp_path):
    path = tmp_path / "hosts"
    path.write_bytes(b"\xef\xbb\xbf192.0.2.1 a.example.com\r\n\r\n192.0.2.2 b.example.com\r\n")
    assert list(load_hosts([str(path)])) == ["a.example.com", "b.example.com"]


def test_every_error_is_told_with_its_line(tmp_path):
    path = tmp_path / "hosts"
    path.write_text("api.example.com 192.0.2.1\n192.0.2.1\n192.0.2.2 *.example.com ok.example.com\n")
    with pytest.raises(LoadError) as caught:
        load_hosts([str(path)])
    told = [str(diagnostic) for diagnostic in caught.value.diagnostics]
    assert [text.removeprefix(f"{path}:")[:2] for text in told] == ["1:", "2:", "3:"]
    assert "'*.example.com' is not a domain name" in told[2]


@pytest.mark.parametrize("content", [None, b"\xff\xfe1"])
def test_a_file_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "hosts"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LoadError, match=r"no such file|not UTF-8"):
        load_hosts([str(path)])
