import pytest

from simcore.report.packets import FLAGS, ends_of, kind_of, protocol_of

EMPTY = dict.fromkeys(("flags", "icmp_type", "icmp_code", "sctp_chunk", "source_port", "destination_port"))


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        ({"protocol": 6, "flags": 2}, "S"),
        ({"protocol": 6, "flags": 17}, "FA"),
        ({"protocol": 6, "flags": 255}, "SFRPAUEC"),
        ({"protocol": 6}, "no flags"),
        ({"protocol": 17}, ""),
        ({"protocol": 1, "icmp_type": 8, "icmp_code": 0}, "echo"),
        ({"protocol": 1, "icmp_type": 3, "icmp_code": 4}, "unreachable/4"),
        ({"protocol": 1, "icmp_type": 42}, "type 42"),
        ({"protocol": 58, "icmp_type": 129}, "echo reply"),
        ({"protocol": 132, "sctp_chunk": 1}, "INIT"),
        ({"protocol": 132, "sctp_chunk": 99}, "chunk 99"),
    ],
)
def test_what_a_packet_is(packet, words):
    assert kind_of(EMPTY | packet) == words


def test_there_are_letters_for_all_flags():
    assert len(set(FLAGS)) == 256


@pytest.mark.parametrize(("number", "name"), [(6, "TCP"), (58, "ICMPv6"), (253, "253")])
def test_protocols(number, name):
    assert protocol_of({"protocol": number}) == name


def test_ends():
    row = {"source": "10.0.0.1", "source_port": 1, "destination": "fd00::1", "destination_port": None}
    assert ends_of(row) == "10.0.0.1:1 -> fd00::1"
    assert ends_of(row | {"destination_port": 2}) == "10.0.0.1:1 -> [fd00::1]:2"
