"""The oracle of connection tracking against what a real kernel answered, packet by packet."""

import json
import math
from functools import cache
from ipaddress import ip_address

from simcore.model.conntrack import RULESETS, Conntrack
from tests.conftest import CORPUS
from tests.oracles.conntrack import SECOND, Oracle, Packet, state_of

PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "icmpv6": 58, "sctp": 132}
FLAGS = dict(zip("FSRPAUEC", (1, 2, 4, 8, 16, 32, 64, 128), strict=True))
CLIENTS = ("10.77.1.0/24", "fd77:1::/64")


@cache
def traces():
    path = CORPUS / "kernel-conntrack" / "traces.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else []


def pytest_generate_tests(metafunc):
    if "trace" in metafunc.fixturenames:
        metafunc.parametrize("trace", traces(), ids=[f"{trace['id']}-{trace['name']}" for trace in traces()])


def packet_of(row, seconds):
    options = row.get("opts") or {}
    protocol = PROTOCOLS.get(row.get("proto", "")) or int(row["proto"])
    chunk, tag = first_chunk(row.get("chunks") or [])
    return Packet(
        time=round(seconds * SECOND),
        source_address=row["src"],
        destination_address=row["dst"],
        protocol=protocol,
        side=row.get("side") or ("a" if row["src"].startswith(("10.77.1.", "fd77:1:")) else "b"),
        source_port=row.get("sport") or 0,
        destination_port=row.get("dport") or 0,
        flags=sum(FLAGS[letter] for letter in row.get("flags") or ""),
        length=row.get("len") or 0,
        sequence=row.get("seq") or 0,
        acknowledgement=row.get("ack") or 0,
        window=row.get("win") or 0,
        window_scale=options.get("ws"),
        sack_permitted=bool(options.get("sackok")),
        mss=options.get("mss"),
        icmp_type=row.get("type"),
        icmp_code=row.get("code") or 0,
        icmp_id=row.get("id") or 0,
        sctp_tag=row.get("vtag"),
        sctp_chunk=chunk,
        sctp_initiate_tag=tag,
        checksum_ok=not row.get("badsum"),
        payload=row.get("payload"),
        inner=packet_of(row["inner"], seconds) if row.get("inner") else None,
    )


def first_chunk(chunks):
    if not chunks:
        return None, None
    number, _, body = chunks[0]
    return number, int(body[:8], 16) if number in (1, 2) and body else None


def settings_of(trace):
    settings = Conntrack()
    for name, value in trace["sysctls"].items():
        settings = settings.with_setting(name, str(value))
    if trace.get("global_max") is not None:
        settings = settings.with_setting("nf_conntrack_max", str(trace["global_max"]))
    return settings


def test_the_oracle_answers_as_the_kernel_did(trace):
    oracle = Oracle(settings_of(trace), RULESETS[trace["ruleset"]], CLIENTS)
    exact = not trace.get("gc_phase_dependent")
    for seen in trace["observed"]:
        if seen.get("probe"):
            oracle.table.pass_time(round(seen["t_obs"] * SECOND))
            count = len(oracle.table.allocated)
        else:
            answer = oracle.track(packet_of(trace["packets"][seen["after_packet"]], seen["t_sent"]))
            count = answer.count
            compare(answer, seen)
        if exact:
            assert count == seen["count"]
        entries = oracle.dump(round(seen["t_obs"] * SECOND))
        if exact:
            assert len(entries) == seen["count_after_dump"]
        compare_listing(entries, seen["entries"])


def compare(answer, seen):
    assert answer.verdict == seen["verdict"]
    assert answer.ct_class.word == seen["ct_class"]
    assert (answer.state.word if answer.timeout is not None else None) == seen["ct_state"]
    if seen["timeout"] is not None:
        assert answer.assured == seen["assured"]
        assert abs(math.floor(answer.timeout / SECOND) - seen["timeout"]) <= 1


def compare_listing(entries, seen):
    """Every entry: both tuples but for the port that a kernel picks at random, state and assured."""
    assert sorted(map(listed, entries)) == sorted(map(listed_by_kernel, seen))


def listed(entry):
    (source, destination, protocol, *_), reply = entry.tuples
    return source, destination, reply.source, reply.destination, protocol, state_of(entry).word, entry.assured


def listed_by_kernel(row):
    ends = (row["orig"]["src"], row["orig"]["dst"], row["reply"]["src"], row["reply"]["dst"])
    nameless = "ASSURED" if row["assured"] else "UNREPLIED" if row["unreplied"] else "REPLIED"
    return *(str(ip_address(end)) for end in ends), row["protonum"], row["state"] or nameless, row["assured"]


def test_there_are_traces(corpus):
    assert len(traces()) >= 59
