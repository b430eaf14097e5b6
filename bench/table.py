"""The results of the benchmarks as tables: goals with what they compare, then every measurement."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import growth
from .goals import Rows, goals, ratios
from .growth import Point
from .results import JOINS, LISTS, SQL_PEERS, Results


def measurements(results: Results) -> Rows:
    """List what was measured, in the order in which it ran, then DPDK's algorithms."""
    rows = [
        (
            m.name,
            _seconds(m.median),
            f"{_seconds(m.low)} to {_seconds(m.high)}",
            str(m.rounds),
            _rate(m.rate) if m.rate else "",
            _sizes(m.extra),
        )
        for m in results.measured.values()
    ]
    rows += [
        (
            f"DPDK, {peer.kind}, {peer.algorithm}",
            "",
            "",
            "",
            f"{peer.speed / 1e6:.1f}",
            f"{peer.rules:,} rules, one core",
        )
        for peer in results.dpdk()
    ]
    return rows


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def _rate(rate: float) -> str:
    return f"{rate / 1e6:.1f}" if rate >= 1e6 else f"{rate / 1e6:.2g}"


def _sizes(extra: Mapping[str, Any]) -> str:
    counts = [
        f"{extra[name]:,} {name}"
        for name in ("pods", "policies", "flows", "packets", "events", "connections", "groups", "tests")
        if name in extra
    ]
    memory = [
        f"{what} {extra[name] / 1e6:,.0f} MB"
        for name, what in (
            ("table_bytes", "tables of"),
            ("file_bytes", "file of"),
            ("entry_bytes", "entries of"),
            ("peak_bytes", "peak memory"),
        )
        if name in extra
    ]
    return ", ".join(counts + memory)


GOAL_HEAD = ("what", "measured", "reach", "moonshot", "met")
RATIO_HEAD = ("what", "ratio")
MEASURED_HEAD = ("what", "median", "least to most", "rounds", "M/s", "on")


def plain(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table for a terminal."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in padded) + "\n"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table for the README."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def text(results: Results, points: Sequence[Point] | None = None) -> str:
    """Write everything for a terminal."""
    parts = [plain(GOAL_HEAD, goals(results)), plain(RATIO_HEAD, ratios(results))]
    parts += [plain(growth.HEAD, growth.rows(points))] if points else []
    return "\n".join([*parts, plain(MEASURED_HEAD, measurements(results)), _notes(results)])


def _notes(results: Results) -> str:
    """Tell which peers are missing, and how to get them."""
    notes = []
    lists = [name for kind in LISTS if (name := f"access_list[{kind}]") in results.measured]
    if lists and not any(results.dpdk()):
        notes.append("dpdk-test-acl is not installed (Debian and Ubuntu: apt-get install dpdk-dev); it is left out.")
    joins = [f"join[{join}-{peer}]" in results.measured for join in JOINS for peer in SQL_PEERS]
    if lists and not all(joins):
        notes.append("DuckDB or Polars is not installed (make bench-peers); it is left out.")
    return "".join(f"{note}\n" for note in notes)


def _count(results: Results, name: str) -> str:
    flows = results.extra(name, "flows")
    return "100,000,000" if flows is None else f"{flows:,}"


def readme(results: Results, points: Sequence[Point], machine: Sequence[str]) -> str:
    """Write ``bench/README.md``."""
    return f"""# Benchmarks

Written by `make bench`; not to be edited by hand.
`.venv/bin/python bench/run.py --quick` runs everything on small data, to see that it works.
How it is measured, and where the time goes, is in [docs/performance.md](../docs/performance.md).

{"".join(f"- {line}" + chr(10) for line in machine)}
## Goals

{markdown(GOAL_HEAD, goals(results))}
{_notes(results)}
Random flows are five-tuples between 10,000 pods and 5,000 CIDR blocks, under about 1,000 policies: 45 % between pods,
45 % into a block, 10 % from a block. Out come the verdict and, for both directions, the deciding rule.
Realistic flows are 20 % name resolution, 50 % between pods, 20 % from pods into the blocks, 8 % from there to
an ingress controller, and 2 % a scan of all pods and ports. But for the scan they are mostly such that policies allow
them, and few pairs have most of them: by Zipf's law, of 20,000 pairs of each kind. Columns are in memory, and flows are
judged in batches as a replay does.

Peers answer the same questions of the same flows, and every answer is compared with ours, flow by flow: a
difference fails the benchmark.

- `dpdk-test-acl` gets as many of the policies as fit into 10,000 five-tuple rules, written out in full: a rule for each
  pod, prefix (blocks less their exceptions) and port range, then isolation, a rule a pod. The first that matches
  decides, as here, and is the one that is compared. Both classify the same 200,000 flows, 50 times, and have built
  before: random flows, most of which are of pods that the list says nothing of, and flows that the rules are about.
  The best of its algorithms counts.
- DuckDB and Polars get the rules as relations: which pods each binds and which it names, label selectors evaluated
  before; ranges of addresses and ports. They count equal flows of a Parquet file, join what is distinct with the rules
  of both ends, and sum up flows, packets, bytes, first and last seen by verdict and, where it is not allowed, by both
  ends' workloads, protocol, port and both deciding rules; a replay tells the reasons and an example too. Where flows
  repeat, counting equal ones is most of what they do, and so they are asked about random flows too, hardly any two of
  which are alike and most of which are denied. "Our tables" are these as relations: ranges of addresses, ports, rows
  and cells. Rounds of theirs and ours take turns; the better of Polars' engines counts.

Replay is measured with its tables built; `replay[2]` below builds them too. Bare decode reads the same columns in the
same batches with as many threads, and drops them; the two take turns, and the median of their ratios counts. "ipv4"
holds addresses of 4 bytes, "both families" of 16, in files that `flowverdict generate flows` lays out to be read fast;
"pyarrow's defaults" is the first of them as `pyarrow.parquet` writes it without being told. A long capture is one of
{_count(results, "long")} rows. What-if and replay take turns too, on the first of these captures, with one policy in
a hundred taken away; a replay has every denied flow to group, a what-if those that change. So do captures of the same
traffic with other addresses: IPv6 throughout, in 16 bytes, and IPv4 in words. The cluster is M, every pod of which has
an IPv6 address as well.

An L7-heavy replay is one of flows half of which carry a request, of 200 paths, under 50 policies each of which lets in
its own part of them; every other request is denied, and so is grouped. It takes turns with a replay of the same flows
without their requests, all of which are let through on condition.

XL is built in a process of its own; its peak holds the cluster and its policies too. A fresh process's first verdict is
`flowverdict replay` on 1,000 flows and size S, with the kernels compiled before.

## Ratios

{markdown(RATIO_HEAD, ratios(results))}
## Growth

One of pods, CIDR blocks, policies and ports grows, and the other three keep to their place: 10,000 pods, 5,000 blocks,
1,000 policies, 40 ports that rules name. One thread judges.

![Flows a second](growth.svg)
![Seconds to build](growth-build.svg)
![Megabytes of tables](growth-size.svg)

{markdown(growth.HEAD, growth.rows(points))}
## Measurements

S, M and XL are the sizes of `flowverdict generate cluster`. A number in brackets is that of threads. `command` is
`flowverdict replay -o` as a command, from its start to the last verdict written; `help` and `check` are commands too.
Before judging is timed, a sample of its answers is compared with the reference. `M/s` are millions of flows,
or packets, a second.

`size` sizes the conntrack tables of 100 nodes for an hour of flows, from building the policies' tables on;
`size_before_and_after` does so under two policy sets and with other timeouts, in one reading. The goal is a fifth of 50
million flow records in 60 s.

`format` turns a capture of a format into Parquet, on one core; its rows are records, of which some become one row.

`track` follows packets on one million connections that are all open, seven of eight TCP, each packet on any of them at
random; opening them is not timed. `no_table` reads the same columns and writes as many, and looks nothing up. `tracker`
is the exact model behind `flowverdict conntrack`, buckets and expired entries included, on a load of short exchanges.

{markdown(MEASURED_HEAD, measurements(results))}"""
