import pytest

from simcore.cli.testfile import read_checks
from simcore.model.flows import Verdict
from simcore.model.ports import ICMP, TCP, UDP
from simcore.model.requests import Request


@pytest.fixture
def read(tmp_path):
    def _read(text):
        path = tmp_path / "tests.yaml"
        path.write_text(text, "utf-8")
        return read_checks(str(path))

    return _read


@pytest.fixture
def complaints(read):
    def _complaints(text):
        return [(d.place.line, d.place.field, d.message) for d in read(text).problems]

    return _complaints


def test_a_test_with_everything(read):
    file = read("tests:\n- {from: a/b, to: c/d, port: 53, protocol: udp, expect: Deny}\n")
    (check,) = file.checks
    assert file.problems == ()
    assert (check.source, check.destination, check.port, check.protocol) == ("a/b", "c/d", 53, UDP)
    assert check.expect is Verdict.DENY
    assert check.place.line == 2


def test_what_may_be_left_out(read):
    text = "tests: [{from: a/b, to: 10.0.0.1, port: '80'}, {from: a/b, to: c/d, protocol: ICMP}]"
    first, second = read(text).checks
    assert (first.port, first.protocol, first.expect) == (80, TCP, None)
    assert (second.port, second.protocol) == (None, ICMP)


def test_parts_of_a_request(read):
    text = "tests:\n- {from: a/b, to: c/d, port: 1, http_method: GET, http_headers: ['A: b', 'C:d']}\n"
    text += "- {from: a/b, to: c/d, port: 53, protocol: UDP, dns_query: Shop.Example.}\n"
    first, second = (check.request for check in read(text).checks)
    assert first == Request(http_method="GET", http_headers=(("A", "b"), ("C", "d")))
    assert second == Request(dns_query="shop.example")


def test_json_is_read_too(read):
    assert len(read('{"tests": [{"from": "a/b", "to": "c/d", "port": 1}]}').checks) == 1


def test_names_are_told_with_their_places_whatever_else_is_wrong(read):
    file = read("tests:\n- from: a/b\n  to: c/d\n  port: 0\n- {to: e/f, port: 1}\n")
    assert file.checks == ()
    assert [(name, place.line, place.field) for name, place in file.names] == [
        ("a/b", 2, "tests[0].from"),
        ("c/d", 3, "tests[0].to"),
        ("e/f", 5, "tests[1].to"),
    ]


@pytest.mark.parametrize(
    ("test", "field", "message"),
    [
        ("{to: c/d, port: 1}", "from", "from must name a pod, a workload or an address"),
        ("{from: a/b, to: c/d, port: 1, http_path: 7}", "http_path", "7 is not a text. Put it in quotes"),
        (
            "{from: a/b, to: c/d, port: 1, http_headers: 'A: b'}",
            "http_headers",
            "a list of headers is expected: ['Name: value']",
        ),
        (
            "{from: a/b, to: c/d, port: 1, http_headers: ['A: b', c]}",
            "http_headers[1]",
            "'c' is not a header. Write 'Name: value'",
        ),
        ("{from: 7, to: c/d, port: 1}", "from", "from must name a pod, a workload or an address"),
        ("{from: a/b, to: c/d}", "port", "TCP needs a port number"),
        ("{from: a/b, to: c/d, port: http}", "port", "'http' is not a port number from 1 to 65535"),
        ("{from: a/b, to: c/d, port: 0}", "port", "0 is not a port number from 1 to 65535"),
        ("{from: a/b, to: c/d, port: '0'}", "port", "0 is not a port number from 1 to 65535"),
        ("{from: a/b, to: c/d, port: 65536}", "port", "65536 is not a port number from 1 to 65535"),
        ("{from: a/b, to: c/d, port: true}", "port", "True is not a port number from 1 to 65535"),
        ("{from: a/b, to: c/d, port: 1, protocol: ICMP}", "port", "ICMP has no ports. Leave the port out"),
        ("{from: a/b, to: c/d, port: 1, expect: drop}", "expect", "'drop' is not allow or deny"),
        ("{from: a/b, to: c/d, port: 1, ports: 2}", "ports", "there is no such field; known are from, to, port"),
        ("{from: a/b, to: c/d, port: 1, protocol: 300}", "protocol", "300 is no protocol"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(test, field, message, complaints):
    ((line, path, said),) = complaints(f"# a comment\ntests:\n- {test}\n")
    assert (line, path) == (3, f"tests[0].{field}")
    assert said.startswith(message)


def test_every_problem_is_told(complaints):
    found = complaints("tests:\n- {from: a/b}\n- nonsense\n- {from: a/b, to: c/d, port: 1, expect: maybe}\n")
    assert [line for line, _, _ in found] == [2, 2, 3, 4]


@pytest.mark.parametrize("text", ["", "[]", "tests: 7", "test: []", "a: ["])
def test_a_file_that_holds_no_tests(text, complaints):
    assert complaints(text)
