"""The tables of the benchmarks, made of results that nobody measured."""

from xml.etree.ElementTree import fromstring

from bench.goals import goals, ratios
from bench.growth import Point, write
from bench.results import Results
from bench.table import readme, text


def entry(name, median, **extra):
    stats = {"median": median, "min": median / 2, "max": median * 2, "rounds": 3}
    return {"name": f"test_{name}", "stats": stats, "extra_info": extra}


REPORT = {
    "benchmarks": [
        entry("judge[zipf-2]", 0.01, flows=4_000_000),
        entry("judge[random-1]", 0.1, flows=4_000_000, policies=1_000),
        entry("judge[random-2]", 0.04, flows=4_000_000),
        entry("access_list[random]", 0.1, flows=4_000_000, lines=10_000, dpdk={"scalar": 2e6, "avx2": 4e6}),
        entry("access_list[matching]", 0.1, flows=4_000_000, lines=10_000, dpdk={"scalar": 8e6}),
        *(
            entry(f"join[{join}-{peer}]", 1.0, flows=4_000_000, to_ours=slower * times)
            for join, times in (("rules", 10.0), ("tables", 1.0), ("random flows", 100.0))
            for peer, slower in (("DuckDB", 3.0), ("Polars in-memory", 5.0), ("Polars streaming", 2.5))
        ),
        entry("build[M]", 4.0, pods=20_000, table_bytes=30_000_000),
        entry("large", 9.0, pods=100_000, peak_bytes=2_000_000_000, steps={"build[XL]": [0.8, 0.9, 4.0]}),
        entry("decode[ipv4-1]", 0.25, flows=10_000_000),
        entry("sweep[ipv4-1]", 0.5, flows=10_000_000, groups=1_234, to_decode=1.4),
        entry("track[1]", 1.0, packets=10_000_000),
        entry("track[2]", 0.25, packets=10_000_000, connections=1_000_000, entry_bytes=64_000_000),
        entry("no_table[1]", 0.1, packets=10_000_000),
        entry("convert", 2.0, events=100_000, json_bytes=160_000_000),
        entry("command", 2.5, flows=10_000_000, peak_bytes=500_000_000),
    ]
}
RESULTS = Results.of(REPORT)
POINTS = [
    Point(axis, *counts, 90e6, 60e6, 1.5, 30_000_000)
    for axis, counts in (
        ("pods", (1_000, 5_000, 1_000, 40)),
        ("pods", (99_992, 5_000, 1_000, 40)),
        ("blocks", (10_002, 1_000, 1_000, 40)),
        ("policies", (10_002, 5_000, 100, 40)),
        ("ports", (10_002, 5_000, 1_000, 100)),
    )
]


def of(rows, what):
    return next(row for row in rows if row[0] == what)


def without(*names):
    kept = [each for each in REPORT["benchmarks"] if not any(name in each["name"] for name in names)]
    return Results.of({"benchmarks": kept})


def test_a_goal_tells_what_was_measured_what_is_wanted_and_which_of_it_is_met():
    found = goals(RESULTS)
    assert of(found, "realistic flows, two threads")[1:] == (
        *("400 Mflows/s", "120 Mflows/s", "300 Mflows/s", "moonshot"),
    )
    assert of(found, "random flows, two threads")[1:] == ("100 Mflows/s", "80 Mflows/s", "150 Mflows/s", "yes")
    assert of(found, "build_tables, M: 20,000 pods and 2,000 policies")[1:] == ("4 s", "3 s", "", "NO")
    assert of(found, "build_tables, XL: peak memory")[1:] == ("2,000 MB", "1,500 MB", "300 MB", "NO")
    assert of(found, "build_tables, XL")[4] == "moonshot"
    assert of(found, "replay, ipv4, one thread: time / bare decoding")[1:] == ("1.4", "1.5", "1.1", "yes")


def test_packets_have_a_goal_and_ratios():
    row = of(goals(RESULTS), "packets of 1 M live connections, two threads")
    assert row[1:] == ("40 Mpackets/s", "30 Mpackets/s", "80 Mpackets/s", "yes")
    assert of(ratios(RESULTS), "packets, one thread / reading and writing the columns only")[1] == "0.10"
    assert of(ratios(RESULTS), "packets: two threads / one")[1] == "4.00"
    assert "10,000,000 packets, 1,000,000 connections, entries of 64 MB" in text(RESULTS)


def test_converting_has_a_goal_in_bytes_and_a_row_in_events():
    assert of(goals(RESULTS), "convert, Hubble's JSON, one core")[1:] == ("80 MB/s", "50 MB/s", "150 MB/s", "yes")
    assert of(goals(RESULTS), "convert, 2 M lines: peak memory")[1] == "not measured"
    row = next(line for line in text(RESULTS).splitlines() if line.startswith("convert  "))
    assert row.endswith("100,000 events")


def test_the_best_of_peers_counts():
    found = goals(RESULTS)
    assert of(found, "random flows, one core: speed / DPDK's, 10,000 rules")[1] == "10 times"
    counted = "and counted, two threads: speed / that of"
    assert of(found, f"a capture judged by the rules {counted} DuckDB")[1] == "30 times"
    assert of(found, f"a capture judged by the rules {counted} Polars")[1] == "25 times"
    assert of(ratios(RESULTS), f"a capture judged by our tables {counted} Polars")[1] == "2.50"
    assert of(ratios(RESULTS), f"random flows judged by the rules {counted} DuckDB")[1] == "300.00"


def test_what_was_not_measured_is_said_to_be_so():
    assert of(goals(RESULTS), "flowverdict --help")[1:] == ("not measured", "0.3 s", "", "")
    assert all(value == "not measured" for _, value in ratios(Results({})))


def test_a_line_says_how_to_get_peers_that_are_missing():
    assert "not installed" not in text(RESULTS)
    assert "DuckDB or Polars is not installed" in text(without("streaming"))
    unasked = [{**each, "extra_info": {**each["extra_info"], "dpdk": {}}} for each in REPORT["benchmarks"]]
    assert "dpdk-test-acl is not installed" in text(Results.of({"benchmarks": unasked}))


def test_the_readme_holds_machine_and_measurements():
    written = readme(RESULTS, POINTS, ["a processor, 2 cores"])
    assert "- a processor, 2 cores\n" in written
    assert "| command | 2.50 s | 1.25 s to 5.00 s | 3 | 4.0 | 10,000,000 flows, peak memory 500 MB |" in written
    assert "| DPDK, random, avx2 |  |  |  | 4.0 | 10,000 rules, one core |" in written


def test_growth_is_a_table_and_drawings(tmp_path):
    line = next(line for line in text(RESULTS, POINTS).splitlines() if line.startswith("CIDR blocks"))
    assert line.split() == ["CIDR", "blocks", "10,002", "1,000", "1,000", "40", "90.0", "60.0", "1.50", "s", "30", "MB"]
    write(POINTS, tmp_path)
    drawn = (tmp_path / "growth.svg").read_text()
    assert fromstring(drawn).tag.endswith("svg")
    assert ">100k<" in drawn
    assert ">realistic flows<" in drawn


def test_a_table_for_the_terminal_is_aligned():
    lines = text(RESULTS).splitlines()
    assert lines[0].index("reach") == lines[1].index("120 Mflows/s")
