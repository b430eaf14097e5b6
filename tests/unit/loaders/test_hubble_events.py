"""What each class of Hubble's events becomes."""

import pytest

from tests.captures import number, wide
from tests.hubble import (
    ACK,
    CLIENT,
    ESTABLISHED,
    FIN,
    NEW,
    REPLY,
    SERVER,
    SYN,
    SYN_ACK,
    WORLD,
    convert,
    converted,
    denied,
    fates,
    flow,
    layer7,
    save,
    sides,
    text,
    trace,
    turned,
    wrapped,
)

NAMED = {
    "name": "stock-in",
    "namespace": "store",
    "kind": "CiliumNetworkPolicy",
    "labels": ["k8s:io.cilium.k8s.policy.name=stock-in"],
    "revision": "9",
}


def udp(told, port=40_000, other=53):
    return told | {"l4": {"UDP": {"source_port": port, "destination_port": other}}}


def test_a_verdict_becomes_a_connection_with_all_that_it_tells(tmp_path):
    told = flow(2.5, direction="INGRESS", ingress_allowed_by=[NAMED])
    (row,), counts = convert(tmp_path, told)
    assert row == {
        "time": 1_791_180_002_500_000_000,
        "end_time": 1_791_180_002_500_000_000,
        "source_address": number("10.4.1.5"),
        "destination_address": number("10.4.2.6"),
        "source_port": 40_000,
        "destination_port": 8080,
        "protocol": 6,
        "tcp_flags": 2,
        "source_pod": "store/till-0",
        "destination_pod": "store/stock-5d-x",
        "node": "two",
        "observed_verdict": "forwarded",
        "ingress_verdict": "forwarded",
        "ingress_policies": "CiliumNetworkPolicy store/stock-in",
        "source_identity": 30_001,
        "destination_identity": 30_002,
        "source_workload": "store/StatefulSet/till",
        "destination_workload": "store/Deployment/stock",
        "source_labels": "k8s:app=till,k8s:io.kubernetes.pod.namespace=store",
        "destination_labels": "k8s:app=stock,k8s:io.kubernetes.pod.namespace=store",
        "record": "connection",
    }
    assert fates(counts) == {"opened": 1}


def test_both_sides_are_one_connection(tmp_path):
    (row,), counts = convert(tmp_path, flow(1), flow(1.001, direction="INGRESS"))
    assert sides(row) == ("forwarded", "forwarded")
    assert fates(counts) == {"opened": 1, "other side": 1}


@pytest.mark.parametrize(
    ("verdict", "word", "overall"),
    [
        ("FORWARDED", "forwarded", "forwarded"),
        ("REDIRECTED", "redirected", "forwarded"),
        ("AUDIT", "audit", "forwarded"),
        ("DROPPED", "dropped", "dropped"),
        (4, "audit", "forwarded"),
        (2, "dropped", "dropped"),
    ],
)
def test_verdicts_by_name_and_by_number(tmp_path, verdict, word, overall):
    (row,), _ = convert(tmp_path, flow(1, verdict=verdict, drop_reason_desc=133 if word == "dropped" else 0))
    assert (row["egress_verdict"], row["observed_verdict"]) == (word, overall)
    assert row.get("egress_reason") == ("POLICY_DENIED" if word == "dropped" else None)


def test_audit_names_the_policies_that_would_deny(tmp_path):
    (row,), _ = convert(tmp_path, flow(1, verdict="AUDIT", egress_denied_by=[NAMED], egress_allowed_by=[]))
    assert row["egress_policies"] == "CiliumNetworkPolicy store/stock-in"


def test_a_denial_its_drop_and_its_retransmissions_are_one_attempt(tmp_path):
    events = [denied(second, kind) for second in (1, 2, 4, 8, 16, 32) for kind in (5, 1)]
    (row,), counts = convert(tmp_path, *events)
    assert (sides(row), row["egress_reason"], row["observed_verdict"]) == (
        ("dropped", None),
        "POLICY_DENIED",
        "dropped",
    )
    assert row["end_time"] - row["time"] == 31_000_000_000
    assert fates(counts) == {"opened": 1, "denied again": 11}


def test_what_one_side_lets_through_the_other_may_deny(tmp_path):
    events = [flow(1), *(denied(second, kind, "INGRESS") for second in (1.001, 2, 9) for kind in (5, 1))]
    (row,), _ = convert(tmp_path, *events)
    assert (sides(row), row["observed_verdict"]) == (("forwarded", "dropped"), "dropped")


def test_an_attempt_that_succeeds_later_is_another_connection(tmp_path):
    rows, _ = convert(tmp_path, denied(1), denied(1, 1), flow(2))
    assert [sides(row) for row in rows] == [("dropped", None), ("forwarded", None)]


def test_a_connection_that_is_cut_off_is_told_as_such(tmp_path):
    events = [flow(1), trace(1.1, REPLY, SYN_ACK), trace(1.2), denied(20, flags=ACK), denied(20, 1, flags=ACK)]
    rows, _ = convert(tmp_path, events[0], turned(events[1]), *events[2:])
    assert [(row["record"], *sides(row)) for row in rows] == [
        ("connection", "forwarded", None),
        ("mid-stream", "dropped", None),
    ]


def test_the_same_ports_again_are_another_connection(tmp_path):
    again = [flow(100), flow(100.001, direction="INGRESS")]
    rows, _ = convert(tmp_path, flow(1), flow(1.001, direction="INGRESS"), *again)
    assert [sides(row) for row in rows] == [("forwarded", "forwarded")] * 2


def test_later_packets_date_the_end(tmp_path):
    events = [
        flow(1),
        trace(1.01, NEW, SYN, "TO_STACK"),
        turned(trace(1.02, REPLY, SYN_ACK)),
        trace(300, ESTABLISHED, ACK),
        trace(600, ESTABLISHED, FIN),
    ]
    (row,), counts = convert(tmp_path, *events)
    assert row["end_time"] - row["time"] == 599_000_000_000
    assert row["tcp_flags"] == 0x13
    assert fates(counts) == {"opened": 1, "later packets": 3, "replies": 1}


def test_a_connection_whose_opening_is_missing_is_mid_stream(tmp_path):
    (row,), counts = convert(tmp_path, trace(1), turned(trace(1.1, REPLY)), trace(1.2))
    assert (row["record"], sides(row), "observed_verdict" in row) == ("mid-stream", (None, None), False)
    assert fates(counts) == {"mid-stream": 1, "replies": 1, "later packets": 1}


def test_a_reply_alone_shows_the_connection_that_it_answers(tmp_path):
    (row,), _ = convert(tmp_path, turned(trace(1, REPLY)))
    assert (row["source_pod"], row["source_port"], row["record"]) == ("store/till-0", 40_000, "mid-stream")


def test_a_trace_of_a_first_packet_is_a_connection_without_verdict(tmp_path):
    (row,), _ = convert(tmp_path, trace(1, NEW, SYN))
    assert (row["record"], sides(row)) == ("connection", (None, None))


def test_what_is_seen_before_policy_makes_no_row(tmp_path):
    service = {"destination_service": {"name": "stock", "namespace": "store"}}
    events = [
        trace(1, None, SYN, "FROM_ENDPOINT"),
        trace(1, NEW, SYN, "TO_STACK", port=40_001, **service),
        trace(1, ESTABLISHED, ACK, 9, port=40_002),
    ]
    rows, counts = convert(tmp_path, *events)
    assert rows == []
    assert fates(counts) == {"before policy": 3}


def test_the_point_of_a_trace_may_be_told_by_its_sub_type(tmp_path):
    for sub_type, rows in ((5, 0), (3, 1), (0, 1)):
        told = trace(1, NEW, SYN, None) | {"event_type": {"type": 4, "sub_type": sub_type}}
        assert len(convert(tmp_path, told)[0]) == rows


def test_is_reply_that_is_absent_is_unknown(tmp_path):
    unknown = trace(2, None, ACK)
    rows, counts = convert(tmp_path, flow(1), unknown, turned(unknown))
    assert (len(rows), fates(counts)) == (1, {"opened": 1, "later packets": 1, "replies": 1})
    rows, counts = convert(tmp_path, unknown)
    assert (rows, fates(counts)) == ([], {"before policy": 1})


def test_a_reply_that_is_denied_is_no_verdict(tmp_path):
    lost = turned(denied(50, flags=ACK, direction="INGRESS"))
    (row,), counts = convert(tmp_path, flow(1), turned(trace(1.1, REPLY, SYN_ACK)), lost)
    assert (row["observed_verdict"], counts.fates["dropped replies"]) == ("forwarded", 1)
    (row,), counts = convert(tmp_path, lost, lost | {"event_type": {"type": 1}})
    assert (row["record"], sides(row), row["source_port"]) == ("mid-stream", (None, None), 40_000)
    assert fates(counts) == {"dropped replies": 2}


def test_a_denied_udp_answer_is_taken_for_one(tmp_path):
    (row,), _ = convert(tmp_path, turned(udp(denied(1))))
    assert (row["source_port"], row["destination_port"], sides(row)) == (40_000, 53, (None, None))


def test_drops_that_are_no_policys_are_counted_by_reason(tmp_path):
    events = [
        flow(1),
        denied(1.01, 1, reason="FIB_LOOKUP_FAILED"),
        denied(2, 1, reason="STALE_OR_UNROUTABLE_IP", port=40_001),
        denied(3, 1, reason="CT_MISSING_TCP_ACK_FLAG", port=40_002, flags=ACK),
        denied(4, 1, reason="DROP_REASON_UNKNOWN", port=40_003) | {"event_type": {"type": 1, "sub_type": 155}},
        denied(5, reason="AUTH_REQUIRED", port=40_004),
    ]
    rows, counts = convert(tmp_path, *events)
    assert [(row["egress_verdict"], row.get("egress_reason"), row.get("observed_verdict")) for row in rows] == [
        ("forwarded", "FIB_LOOKUP_FAILED", "forwarded"),
        ("error", "STALE_OR_UNROUTABLE_IP", None),
        ("error", "CT_MAP_INSERTION_FAILED", None),
        ("error", "AUTH_REQUIRED", None),
    ]
    assert dict(counts.drops) == {
        "CT_MAP_INSERTION_FAILED": 1,
        "CT_MISSING_TCP_ACK_FLAG": 1,
        "FIB_LOOKUP_FAILED": 1,
        "STALE_OR_UNROUTABLE_IP": 1,
    }
    assert fates(counts) == {"opened": 2, "other drops": 4}


def test_an_http_request_is_a_row_beside_its_connection(tmp_path):
    headers = [
        {"key": ":scheme", "value": "http"},
        {"key": "Accept", "value": "a\nb"},
        {"key": "X-One", "value": "1"},
    ]
    seen = {"method": "PUT", "url": "http://stock:8080/v1/a?x=1&y=<2>", "headers": headers, "protocol": "HTTP/1.1"}
    events = [
        flow(1, direction="INGRESS", verdict="REDIRECTED"),
        layer7(1.1, verdict="DROPPED", http=seen),
        layer7(1.2, "RESPONSE", http=seen | {"code": 403}),
    ]
    (connection, request), counts = convert(tmp_path, *events)
    assert (connection["record"], sides(connection)) == ("connection", (None, "redirected"))
    found = {name: value for name, value in request.items() if name.startswith("http") or name.endswith("verdict")}
    assert found == {
        "observed_verdict": "dropped",
        "ingress_verdict": "dropped",
        "http_method": "PUT",
        "http_path": "/v1/a?x=1&y=<2>",
        "http_host": "stock:8080",
        "http_headers": "Accept: a b\nX-One: 1",
    }
    assert (request["record"], request["source_port"], request["destination_port"]) == ("request", 40_000, 8080)
    assert fates(counts) == {"opened": 1, "requests": 1, "responses": 1}


def test_a_request_has_the_policies_that_sent_its_connection_to_the_proxy(tmp_path):
    events = [
        flow(1, egress_allowed_by=[NAMED | {"name": "out"}]),
        flow(1.001, direction="INGRESS", verdict="REDIRECTED", ingress_allowed_by=[NAMED]),
        layer7(1.1, verdict="DROPPED", http={"method": "GET", "url": "http://stock:8080/"}),
    ]
    (_, request), _ = convert(tmp_path, *events)
    assert (request["record"], request["ingress_policies"]) == ("request", "CiliumNetworkPolicy store/stock-in")
    assert request.get("egress_policies") is None


@pytest.mark.parametrize(
    ("method", "url", "headers", "host", "path"),
    [
        ("GET", "/a/b?c=d#e", {":authority": "web:80"}, "web:80", "/a/b?c=d"),
        ("GET", "/a", {"Host": "web"}, "web", "/a"),
        ("GET", "http://web", {}, "web", "/"),
        ("GET", "https://me:secret@web:8443/?a", {}, "web:8443", "/?a"),
        ("GET", "//web/a", {}, "web", "/a"),
        ("OPTIONS", "*", {}, None, "*"),
        ("CONNECT", "web:443", {}, "web:443", None),
        ("GET", "http://[::1/", {}, None, None),
        ("GET", "", {}, None, None),
    ],
)
def test_urls_may_be_absolute_or_relative(tmp_path, method, url, headers, host, path):
    told = [{"key": key, "value": value} for key, value in headers.items()]
    (row,), _ = convert(tmp_path, layer7(1, http={"method": method, "url": url, "headers": told}))
    assert (row.get("http_host"), row.get("http_path")) == (host, path)


def test_headers_that_hubble_hides_are_not_recorded(tmp_path):
    headers = [{"key": "Authorization", "value": "HUBBLE_REDACTED"}, {"key": "Accept", "value": "*/*"}]
    (row,), _ = convert(tmp_path, layer7(1, http={"method": "GET", "url": "/", "headers": headers}))
    assert "http_headers" not in row


def test_dns_questions_and_answers(tmp_path):
    asked = udp(layer7(1, direction="EGRESS", dns={"query": "Api.Example.NET.", "qtypes": ["A"]}))
    answer = layer7(
        1.1, "RESPONSE", direction="EGRESS", dns={"query": "Api.Example.NET.", "ips": ["1.2.3.4", "fd00::1"]}
    )
    answer["l7"]["dns"]["ttl"] = 30
    answer["l4"] = {"UDP": {"source_port": 53, "destination_port": 40_000}}
    nothing = answer | {"l7": {"type": "RESPONSE", "dns": {"query": "gone.", "rcode": 3}}}
    (request, reply), counts = convert(tmp_path, asked, answer, nothing)
    assert (request["record"], request["dns_query"], request["egress_verdict"]) == (
        "request",
        "api.example.net",
        "forwarded",
    )
    assert (reply["record"], reply["dns_query"], reply["dns_addresses"], reply["dns_ttl"]) == (
        "answer",
        "api.example.net",
        "1.2.3.4,fd00::1",
        30,
    )
    assert (reply["source_pod"], reply["source_port"], reply["destination_port"]) == ("store/till-0", 40_000, 53)
    assert fates(counts) == {"requests": 1, "answers": 1, "responses": 1}


def test_what_is_no_event_of_a_connection_is_counted(tmp_path):
    notes = [
        {"lost_events": {"source": "PERF_EVENT_RING_BUFFER", "num_events_lost": "17"}},
        {"lost_events": {"num_events_lost": 3}},
        {"node_status": {"state_change": "NODE_CONNECTED"}, "node_name": "east/one"},
        {"agent_event": {"type": "POLICY_UPDATED"}},
        {"debug_event": {"type": "DBG_CT_LOOKUP4_1"}},
        wrapped(flow(1, 7, "TRANSLATED", Type="SOCK")),
        wrapped(flow(1, 2)),
        wrapped(flow(1) | {"IP": None}),
        wrapped(trace(1, "RELATED")),
    ]
    path = tmp_path / "a"
    path.write_text(text(*notes))
    rows, counts = converted(tmp_path, str(path))
    assert (rows, counts.lost, counts.lines) == ([], 20, len(notes))
    assert fates(counts) == {
        "lost events": 2,
        "node status": 1,
        "agent events": 2,
        "sockets": 1,
        "no verdict": 1,
        "no addresses": 1,
        "related": 1,
    }


def test_bare_flows_are_read_like_wrapped_ones(tmp_path):
    events = [flow(1), flow(1.001, direction="INGRESS"), denied(2, port=40_001)]
    path = tmp_path / "bare"
    path.write_text(text(*events[:2], wrapped(events[2])))
    assert converted(tmp_path, str(path))[0] == convert(tmp_path, *events)[0]


def test_an_event_that_was_exported_twice_counts_once(tmp_path):
    events = [flow(1, uuid="a-1"), flow(1, uuid="a-2", port=40_001), layer7(1.1, http={"url": "/"}) | {"uuid": "a-3"}]
    paths = [save(tmp_path, *events, name="one"), save(tmp_path, *events, name="two")]
    rows, counts = converted(tmp_path, *paths)
    assert (len(rows), counts.fates["duplicates"], counts.lines) == (3, 3, 6)


def test_ends_outside_and_of_other_clusters(tmp_path):
    outside = flow(1) | {"destination": WORLD}
    elsewhere = flow(2, port=40_001) | {"destination": SERVER | {"cluster_name": "west"}}
    first, second = convert(tmp_path, outside, elsewhere)[0]
    assert ("destination_pod" in first, first["destination_identity"]) == (False, 2)
    assert ("destination_pod" in second, second["destination_identity"]) == (False, 30_002)


def test_ipv6_makes_the_file_wide(tmp_path):
    told = flow(1) | {"IP": {"source": "fd00:1::5", "destination": "fd00:2::6", "ipVersion": "IPv6"}}
    rows, _ = convert(tmp_path, told, flow(2))
    assert [row["source_address"] for row in rows] == [wide("fd00:1::5"), wide("10.4.1.5")]


def test_protocols_without_ports(tmp_path):
    headers = [{"ICMPv4": {"type": 8}}, {"ICMPv6": {"type": 128}}, {"SCTP": {"destination_port": 9}}, {"VRRP": {}}]
    events = [flow(second) | {"l4": header} for second, header in enumerate(headers)]
    rows, _ = convert(tmp_path, *events, flow(9) | {"l4": None})
    assert [(row.get("protocol"), row.get("icmp_type"), row.get("destination_port")) for row in rows] == [
        (1, 8, None),
        (58, 128, None),
        (132, None, 9),
        (112, None, None),
        (None, None, None),
    ]


def test_an_echo_and_its_reply_are_one(tmp_path):
    asked, reply = flow(1) | {"l4": {"ICMPv4": {"type": 8}}}, turned(trace(1.1, REPLY, {}))
    (row,), counts = convert(tmp_path, asked, reply | {"l4": {"ICMPv4": {}}})
    assert (row["icmp_type"], counts.fates["replies"]) == (8, 1)


def test_policies_are_named_by_their_labels_where_nothing_else_names_them(tmp_path):
    prefix = "k8s:io.cilium.k8s.policy."
    old = {"labels": [prefix + "derived-from=NetworkPolicy", prefix + "name=old", prefix + "namespace=store"]}
    wide_one = {"name": "all", "kind": "CiliumClusterwideNetworkPolicy"}
    (row,), _ = convert(tmp_path, flow(1, egress_allowed_by=[old, wide_one, old]))
    assert row["egress_policies"] == "CiliumClusterwideNetworkPolicy all, NetworkPolicy store/old"


def test_the_side_is_told_by_the_local_end_where_nothing_else_tells_it(tmp_path):
    leaving = denied(1, direction="TRAFFIC_DIRECTION_UNKNOWN")
    entering = denied(2, direction=None, port=40_001) | {
        "source": {**CLIENT, "ID": 0},
        "destination": SERVER | {"ID": 4},
    }
    assert [sides(row) for row in convert(tmp_path, leaving, entering)[0]] == [("dropped", None), (None, "dropped")]


def test_aggregated_records_say_how_many_flows_they_stand_for(tmp_path):
    _, counts = convert(tmp_path, flow(1, aggregate={"egress_flow_count": 12, "ingress_flow_count": 1}))
    assert counts.aggregated == 13


def test_events_without_type_are_told_apart_by_what_they_have(tmp_path):
    bare = [flow(1, verdict="AUDIT"), denied(2, port=1), trace(3, NEW, SYN, port=2), layer7(4, http={"url": "/"})]
    for told in bare:
        del told["event_type"]
    rows, counts = convert(tmp_path, *bare)
    assert fates(counts) == {"opened": 3, "requests": 1}
    assert [sides(row) for row in rows[:3]] == [("audit", None), ("dropped", None), (None, None)]
