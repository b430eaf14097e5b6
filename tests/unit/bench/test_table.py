"""The tables of the benchmarks, made of results that nobody measured."""

from bench.table import Peer, Results, goals, ratios, readme, text


def entry(name, median, **extra):
    stats = {"median": median, "min": median / 2, "max": median * 2, "rounds": 3}
    return {"name": f"test_{name}", "stats": stats, "extra_info": extra}


REPORT = {
    "benchmarks": [
        entry("judge[random-1]", 0.1, flows=4_000_000, policies=1_000),
        entry("judge[random-2]", 0.08, flows=4_000_000),
        entry("build[M]", 4.0, pods=20_000, table_bytes=30_000_000),
        entry("decode[ipv4-1]", 0.25, flows=10_000_000),
        entry("sweep[ipv4-1]", 0.5, flows=10_000_000, groups=1_234, to_decode=2.0),
        entry("track[1]", 1.0, packets=10_000_000),
        entry("track[2]", 0.5, packets=10_000_000, connections=1_000_000, entry_bytes=64_000_000),
        entry("no_table[1]", 0.1, packets=10_000_000),
        entry("command", 2.5, flows=10_000_000, peak_bytes=500_000_000),
    ]
}
DPDK = [Peer("random", "scalar", 10e6, 10_000), Peer("random", "avx2", 20e6, 10_000)]


def of(rows, what):
    return next(row for row in rows if row[0] == what)


def test_a_goal_tells_what_is_wanted_what_was_measured_and_whether_they_agree():
    found = goals(Results.of(REPORT, DPDK))
    assert of(found, "random flows, two threads")[1:] == ("at least 20 Mflows/s", "50 Mflows/s", "yes")
    assert of(found, "build_tables, M: 20,000 pods and 2,000 policies")[1:] == ("at most 3 s", "4 s", "NO")
    assert of(found, "replay / bare decode, ipv4, one thread")[1:] == ("at most 3", "2", "yes")


def test_packets_have_a_goal_and_ratios():
    results = Results.of(REPORT, DPDK)
    row = of(goals(results), "packets of 1 M live connections, two threads")
    assert row[1:] == ("at least 15 Mpackets/s", "20 Mpackets/s", "yes")
    assert of(ratios(results), "packets, one thread / reading and writing the columns only")[1] == "0.10"
    assert of(ratios(results), "packets: two threads / one")[1] == "2.00"
    assert "10,000,000 packets, 1,000,000 connections, entries of 64 MB" in text(results)


def test_the_best_algorithm_of_dpdk_counts():
    found = goals(Results.of(REPORT, DPDK))
    assert of(found, "random flows, one core / DPDK with 10,000 rules")[2:] == ("2", "yes")


def test_what_was_not_measured_is_said_to_be_so():
    assert of(goals(Results.of(REPORT, DPDK)), "flowverdict --help")[2:] == ("not measured", "")
    assert all(value == "not measured" for _, value in ratios(Results({}, [])))


def test_without_dpdk_a_line_says_how_to_get_it():
    note = "dpdk-test-acl is not installed"
    assert note in text(Results.of(REPORT, []))
    assert note not in text(Results.of(REPORT, DPDK))


def test_the_readme_holds_machine_and_measurements():
    written = readme(Results.of(REPORT, DPDK), ["a processor, 2 cores"])
    assert "- a processor, 2 cores\n" in written
    assert "| command | 2.50 s | 1.25 s to 5.00 s | 3 | 4.0 | 10,000,000 flows, peak memory 500 MB |" in written
    assert "| DPDK, random, avx2 |  |  |  | 20.0 | 10,000 rules, one core |" in written


def test_a_table_for_the_terminal_is_aligned():
    lines = text(Results.of(REPORT, DPDK)).splitlines()
    assert lines[0].index("goal") == lines[1].index("at least")
