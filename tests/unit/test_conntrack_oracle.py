"""The oracle of connection tracking says what the semantics page says, where no kernel trace of the corpus shows it."""

from dataclasses import replace

import pytest

from simcore.model.conntrack import BOTHNEW, RULESETS, STATEFUL, SYNONLY, Conntrack
from tests.oracles.conntrack import SECOND, Oracle, Packet

A, B = "10.77.1.10", "10.77.2.10"
CLIENTS = ("10.77.1.0/24", "fd77:1::/64")
LETTERS = dict(zip("FSRPAUEC", (1, 2, 4, 8, 16, 32, 64, 128), strict=True))
OPEN = ("a S 1000", "b SA 5000 1001", "a A 1001 5001")
CLOSED_BY_CLIENT = (*OPEN, "a FA 1001 5001", "b FA 5001 1002", "a A 1002 5002")


def start(ruleset=STATEFUL, **settings):
    settings = {f"nf_conntrack_{name}": value for name, value in settings.items()}
    return Oracle(Conntrack(**settings), ruleset, CLIENTS)


def segment(text, now, window=65535, **more):
    """``a SA 5000 1001 20``: side, flags, sequence, acknowledgement, bytes."""
    side, flags, *numbers = text.split()
    sequence, acknowledgement, length = ([int(number) for number in numbers] + [0, 0])[:3]
    ends = (A, B, side, 40000, 80) if side == "a" else (B, A, side, 80, 40000)
    bits = sum(LETTERS[letter] for letter in flags)
    return Packet(now, ends[0], ends[1], 6, *ends[2:], bits, length, sequence, acknowledgement, window, **more)


def talk(oracle, *texts, now=0.0, **more):
    """Send segments 0.05 s apart; the last answer in words: class, state, seconds left."""
    for text in texts:
        answer = oracle.track(segment(text, round(now * SECOND), **more))
        now += 0.05
    return words(answer)


def words(answer):
    if answer.timeout is None:
        return f"{answer.ct_class.word} -"
    mark = " assured" if answer.assured else ""
    return f"{answer.ct_class.word} {answer.state.word} {answer.timeout / SECOND:.9g}{mark}"


def send(oracle, protocol, side, now, **more):
    ends = (A, B) if side == "a" else (B, A)
    return words(oracle.track(Packet(round(now * SECOND), *ends, protocol, side, **more)))


# C-2: states.


def test_a_refused_connection_leaves_nothing():
    oracle = start()
    assert talk(oracle, "a S 1000", "b RA 0 1001") == "established -"
    assert not oracle.table.allocated


def test_a_client_that_takes_its_syn_back_leaves_nothing():
    oracle = start()
    assert talk(oracle, "a S 1000", "a R 1001") == "new -"
    assert not oracle.table.allocated


def test_both_may_open_at_once():
    oracle = start()
    assert talk(oracle, "a S 1000", "b S 5000") == "established SYN_SENT2 119.95"
    assert talk(oracle, "b SA 5000 1001", now=0.2) == "established SYN_RECV 60"
    assert talk(oracle, "a SA 1000 5001", now=0.3) == "established SYN_RECV 60"
    assert talk(oracle, "b A 5001 1001", now=0.4) == "established ESTABLISHED 432000 assured"


def test_a_fin_sent_twice_by_one_side_looks_like_both_have_closed():
    oracle = start()
    assert talk(oracle, *OPEN, "a FA 1001 5001", "a FA 1001 5001") == "established LAST_ACK 30 assured"
    assert talk(oracle, "b A 5001 1002", now=0.5) == "established TIME_WAIT 120 assured"


def test_a_new_syn_replaces_a_closed_connection():
    oracle = start()
    assert talk(oracle, *CLOSED_BY_CLIENT) == "established TIME_WAIT 120 assured"
    assert talk(oracle, "a S 900000", now=1) == "new SYN_SENT 120"
    assert len(oracle.table.allocated) == 1


def test_the_old_server_may_not_open_but_its_syn_deletes_the_old_entry():
    oracle = start()
    talk(oracle, *CLOSED_BY_CLIENT)
    assert talk(oracle, "b S 900000", now=1) == "new -"
    assert not oracle.table.allocated
    both = start(BOTHNEW)
    talk(both, *CLOSED_BY_CLIENT)
    assert talk(both, "b S 900000", now=1) == "new SYN_SENT 120"


def test_a_syn_after_the_servers_reset_is_let_through_unbelieved():
    """Not on the page: whoever sent the reset may reopen; another's SYN waits for its SYN/ACK."""
    oracle = start()
    assert talk(oracle, *OPEN, "b R 5001") == "established CLOSE 10 assured"
    assert talk(oracle, "a S 900000", now=1) == "established CLOSE 9.15 assured"
    assert talk(oracle, "b SA 700000 900001", now=1.1) == "established SYN_RECV 60 assured"


def test_a_reset_after_a_challenge_closes_a_connection_that_one_end_forgot():
    oracle = start()
    assert talk(oracle, *OPEN, "a S 900000") == "established ESTABLISHED 431999.95 assured"
    assert talk(oracle, "b A 5001 1001", "a R 1001", now=1) == "established CLOSE 10 assured"
    assert talk(oracle, "a S 900000", now=2) == "new SYN_SENT 120"


def test_a_later_syn_moves_the_window_an_older_one_does_not():
    assert talk(start(), "a S 1000", "a S 900000", "b SA 5000 900001") == "established SYN_RECV 60"
    assert talk(start(), "a S 900000", "a S 1000", "b SA 5000 1001") == "established SYN_SENT 119.9"


# C-2.1, C-2.2: timeouts.


def test_a_peer_without_window_shortens_the_timeout():
    oracle = start()
    talk(oracle, *OPEN)
    assert talk(oracle, "b A 5001 1001", now=1, window=0) == "established ESTABLISHED 300 assured"


def test_few_retransmissions_are_enough_for_the_setting():
    oracle = start(tcp_timeout_max_retrans=20, tcp_max_retrans=2)
    data = "a PA 1001 5001 100"
    assert talk(oracle, *OPEN, data, data) == "established ESTABLISHED 300 assured"
    assert talk(oracle, data, now=1) == "established ESTABLISHED 20 assured"


# C-2.3, C-2.4: resets and the window.


def test_resets_by_their_number():
    data = (*OPEN, "b PA 5001 1001 200", "a A 1001 5201")
    known = {
        "b R 5201": "established CLOSE 10 assured",
        "b R 5301": "established ESTABLISHED 10 assured",
        "b R 5010": "invalid ESTABLISHED 431999.95 assured",
        "b R 905000": "invalid ESTABLISHED 431999.95 assured",
    }
    for reset, expected in known.items():
        assert talk(start(), *data, reset) == expected
    assert talk(start(tcp_be_liberal=True), *data, "b R 905000") == "established ESTABLISHED 10 assured"
    assert talk(start(tcp_be_liberal=True), *data, "b R 5010") == known["b R 5010"]
    assert talk(start(tcp_ignore_invalid_rst=True), *data, "b R 5010") == known["b R 5301"]


def test_a_reset_right_behind_data_is_part_of_it():
    assert talk(start(), *OPEN, "b PA 5001 1001 200", "b R 5201") == "established CLOSE 10 assured"


def test_resets_are_not_measured_where_the_numbers_are_out_of_date():
    """Not on the page: a closing connection, and one on which a SYN was let through just before."""
    assert talk(start(), *OPEN, "a FA 1001 5001", "b R 9") == "established CLOSE 10 assured"
    assert talk(start(), *OPEN, "b R 5000") == "invalid ESTABLISHED 431999.95 assured"
    assert talk(start(), *OPEN, "a S 900000", "b R 5000") == "established CLOSE 10 assured"


def test_packets_above_the_window_are_invalid_below_it_they_pass():
    """The page's four bounds do not say it: only the upper ones make a packet INVALID."""
    small = {"window": 1000}
    for text, expected in {
        "a PA 51001 5001 100": "invalid",
        "b A 5001 60000": "invalid",
        "a A 4294900000 5001": "established",
        "b A 5001 4294900000": "established",
        "a PA 2001 5001 500": "established",  # begins inside, ends outside
        "a PA 2002 5001 500": "established",  # up to one window more is let through
        "a PA 2600 5001 500": "invalid",
    }.items():
        oracle = start()
        talk(oracle, *OPEN, **small)
        assert talk(oracle, text, now=1, **small).split()[0] == expected, text


def test_unbelievable_ends_from_both_sides_shorten_an_assured_entry():
    oracle = start()
    talk(oracle, *OPEN)
    assert talk(oracle, "a FA 901001 5001", now=1) == "invalid ESTABLISHED 431999.1 assured"
    assert talk(oracle, "b FA 905001 1001", now=2) == "invalid ESTABLISHED 300 assured"
    near = start(tcp_timeout_established=119, tcp_timeout_unacknowledged=40)  # less than 120 s are left alone
    talk(near, *OPEN, "a FA 901001 5001")
    assert talk(near, "b FA 905001 1001", now=2) == "invalid ESTABLISHED 117.1 assured"


# C-2.5: pick-up.


def test_pick_up_may_be_switched_off():
    assert talk(start(tcp_loose=False), "a PA 1001 5001 10") == "invalid -"
    assert talk(start(SYNONLY), "a PA 1001 5001 10") == "new -"


def test_whoever_speaks_first_is_the_original_direction():
    oracle = start(BOTHNEW)
    assert talk(oracle, "b PA 5001 1001 10") == "new ESTABLISHED 300"
    assert talk(oracle, "a A 1001 5011", now=1) == "established ESTABLISHED 300"
    assert talk(oracle, "b A 5011 1001", now=2) == "established ESTABLISHED 432000 assured"


# C-3, C-4: other protocols.


def test_stream_may_be_shorter_than_the_first_timeout():
    oracle = start(udp_timeout_stream=3)
    send(oracle, 17, "a", 0)
    assert send(oracle, 17, "b", 1) == "established REPLIED 30"
    assert send(oracle, 17, "a", 2) == "established REPLIED 30"
    assert send(oracle, 17, "a", 2.004) == "established ASSURED 3 assured"


@pytest.mark.parametrize(("protocol", "lasting"), [(136, 120), (47, 180)])
def test_udplite_and_gre_last_from_the_packet_after_a_reply(protocol, lasting):
    oracle = start()
    assert send(oracle, protocol, "a", 0) == "new UNREPLIED 30"
    assert send(oracle, protocol, "b", 0.1) == "established REPLIED 30"
    assert send(oracle, protocol, "a", 0.2) == f"established ASSURED {lasting} assured"


def test_icmpv6_echo():
    oracle, ends = start(), ("fd77:1::10", "fd77:2::10")
    echo = Packet(0, *ends, 58, "a", icmp_type=128, icmp_id=3)
    assert words(oracle.track(echo)) == "new UNREPLIED 30"
    assert words(oracle.track(replace(echo, icmp_id=4, icmp_type=139))) == "new UNREPLIED 30"
    answer = Packet(0, *ends[::-1], 58, "b", icmp_type=129, icmp_id=3)
    assert words(oracle.track(answer)) == "established REPLIED 30"
    assert words(oracle.track(replace(answer, icmp_type=3))) == "invalid -"


def test_an_association_of_sctp():
    oracle = start()
    steps = [
        ("a", 1, 0, 7, "new CLOSED 10"),
        ("a", 1, 0, 7, "new CLOSED 9.5"),
        ("b", 2, 7, 9, "established COOKIE_WAIT 3"),
        ("a", 10, 9, None, "established COOKIE_ECHOED 3"),
        ("b", 11, 7, None, "established ESTABLISHED 210 assured"),
        ("a", 0, 9, None, "established ESTABLISHED 210 assured"),
        ("a", 0, 8, None, "invalid ESTABLISHED 209.5 assured"),
        ("a", 7, 9, None, "established SHUTDOWN_SENT 3 assured"),
        ("b", 8, 7, None, "established SHUTDOWN_ACK_SENT 3 assured"),
        ("a", 14, 9, None, "established CLOSED 10 assured"),
    ]
    for number, (side, chunk, tag, initiate, expected) in enumerate(steps):
        more = {"sctp_chunk": chunk, "sctp_tag": tag, "sctp_initiate_tag": initiate}
        assert send(oracle, 132, side, number / 2, **more) == expected


# C-1, C-5: the table.


def test_without_room_even_what_would_be_invalid_is_lost_before():
    oracle = start(max=1)
    assert talk(oracle, "a S 1000") == "new SYN_SENT 120"
    assert send(oracle, 17, "a", 1, source_port=5, destination_port=53) == "none -"
    assert send(oracle, 6, "a", 1, source_port=5, destination_port=53, flags=4) == "none -"
    assert talk(oracle, "b SA 5000 1001", now=2) == "established SYN_RECV 60"


def test_a_wrong_checksum_counts_only_where_it_is_looked_at():
    assert talk(start(), "a S 1000", checksum_ok=False) == "invalid -"
    assert talk(start(checksum=False), "a S 1000", checksum_ok=False) == "new SYN_SENT 120"
    assert send(start(), 47, "a", 0, checksum_ok=False) == "new UNREPLIED 30"


# C-9, C-10: translation and helpers.


def udp(source, destination, side, ports, now=0):
    return Packet(now, source, destination, 17, side, *ports)


def test_masqueraded_flows_share_the_routers_address():
    oracle = start(RULESETS["snat"])
    for client in (A, "10.77.1.11"):
        assert oracle.track(udp(client, B, "a", (5000, 53))).verdict == "accept"
    assert words(oracle.track(udp(B, "10.77.2.1", "b", (53, 5000)))) == "established REPLIED 30"
    taken = {entry.tuples[1].destination_part for entry in oracle.table.allocated}
    assert len(taken) == 2


def test_an_error_about_a_translated_flow_is_related():
    oracle = start(RULESETS["dnat"])
    oracle.track(udp(A, "10.96.0.10", "a", (5000, 53)))
    error = Packet(0, B, A, 1, "b", icmp_type=3, icmp_code=3, inner=udp(A, B, "a", (5000, 53)))
    assert words(oracle.track(error)) == "related UNREPLIED 30"
    assert words(oracle.track(replace(error, inner=udp(A, B, "a", (5001, 53))))) == "invalid -"


def ftp_line(oracle, side, sequence, acknowledgement, text, now):
    packet = segment(f"{side} PA {sequence} {acknowledgement} {len(text)}", round(now * SECOND), payload=text)
    return words(oracle.track(at_port_21(packet)))


def at_port_21(packet):
    return replace(packet, destination_port=21) if packet.side == "a" else replace(packet, source_port=21)


@pytest.mark.parametrize("greeted", [True, False])
def test_ftp_announces_a_data_connection(greeted):
    oracle = start(RULESETS["ftp"])
    for number, text in enumerate(OPEN):
        oracle.track(at_port_21(segment(text, number)))
    if greeted:
        ftp_line(oracle, "a", 1001, 5001, "USER me\r\n", 1)
    sequence = 1010 if greeted else 1001
    ftp_line(oracle, "a", sequence, 5001, "PORT 10,77,1,10,19,137\r\n", 2)
    data = segment("b S 7000", 3 * SECOND)
    data = replace(data, source_port=20, destination_port=5001)
    assert words(oracle.track(data)) == ("related SYN_SENT 120" if greeted else "new -")
    if greeted:
        assert words(oracle.track(data)) == "related SYN_SENT 120"
        back = replace(segment("a SA 9000 7001", 3 * SECOND), source_port=5001, destination_port=20)
        assert words(oracle.track(back)) == "established SYN_RECV 60"
        assert words(oracle.track(replace(data, source_port=21))) == "new -"  # one call, one expectation
