"""What was measured as tables: goals with what they compare, then every measurement."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

Rows = list[tuple[str, ...]]
MISSING = "not measured"
CAPTURES = ("ipv4", "both families", "ipv4, pyarrow's defaults")


@dataclass(frozen=True)
class Measurement:
    """Seconds that a thing took, over some rounds, and what it worked on."""

    name: str
    median: float
    low: float
    high: float
    rounds: int
    extra: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float | None:
        """Flows or packets a second, where it worked on such."""
        worked_on = self.extra.get("flows", self.extra.get("packets"))
        return None if worked_on is None else worked_on / self.median


@dataclass(frozen=True)
class Peer:
    """Packets a second that DPDK classifies on one core: of which flows, by which algorithm, among how many rules."""

    kind: str
    algorithm: str
    speed: float
    rules: int


@dataclass(frozen=True)
class Results:
    """All that one run measured; of DPDK nothing where it is not installed, `None` where nobody asked."""

    measured: Mapping[str, Measurement]
    dpdk: Sequence[Peer] | None

    @classmethod
    def of(cls, report: Mapping, dpdk: Sequence[Peer] | None) -> "Results":
        """Read the JSON report of pytest-benchmark."""
        found = (
            Measurement(
                entry["name"].removeprefix("test_"),
                *(entry["stats"][key] for key in ("median", "min", "max", "rounds")),
                entry["extra_info"],
            )
            for entry in report["benchmarks"]
        )
        return cls({measurement.name: measurement for measurement in found}, dpdk)

    def seconds(self, name: str) -> float | None:
        return self.measured[name].median if name in self.measured else None

    def best_of_dpdk(self, kind: str) -> float | None:
        return max((peer.speed for peer in self.dpdk or () if peer.kind == kind), default=None)

    def rate(self, name: str) -> float | None:
        return self.measured[name].rate if name in self.measured else None


def _ratio(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below else None


def _goal(what: str, value: float | None, unit: str, goal: float, *, at_least: bool = False) -> tuple[str, ...]:
    wanted = f"{'at least' if at_least else 'at most'} {goal:g} {unit}".rstrip()
    if value is None:
        return what, wanted, MISSING, ""
    met = value >= goal if at_least else value <= goal
    return what, wanted, f"{value:.3g} {unit}".rstrip(), "yes" if met else "NO"


def _million(rate: float | None) -> float | None:
    return None if rate is None else rate / 1e6


def goals(results: Results) -> Rows:
    """List every goal with what was measured: one row a goal, the last column tells whether it is met."""
    rows = [
        _goal("random flows, two threads", _million(results.rate("judge[random-2]")), "Mflows/s", 20, at_least=True)
    ]
    for kind, words in (("matching", "flows that DPDK's rules match"), ("random", "random flows")):
        ratio = _ratio(results.rate(f"judge[{kind}-1]"), results.best_of_dpdk(kind))
        rows.append(_goal(f"{words}, one core / DPDK with 10,000 rules", ratio, "", 1, at_least=True))
    rows += [
        _goal("build_tables, M: 20,000 pods and 2,000 policies", results.seconds("build[M]"), "s", 3),
        _goal("load a dump of 100,000 pods and 10,000 policies", results.seconds("load[L]"), "s", 10),
    ]
    for capture in CAPTURES:
        for threads in (1, 2):
            sweep = results.measured.get(f"sweep[{capture}-{threads}]")
            ratio = sweep.extra["to_decode"] if sweep else None
            rows.append(_goal(f"replay / bare decode, {capture}, {_threads(threads)}", ratio, "", 3))
    rate = _million(results.rate("track[2]"))
    rows += [
        _goal("packets of 1 M live connections, two threads", rate, "Mpackets/s", 15, at_least=True),
        _goal("size, 10 M flow records on 100 nodes, two threads", results.seconds("size[2]"), "s", 12),
        _goal("flowverdict --help", results.seconds("help"), "s", 0.3),
        _goal("flowverdict check, 1,000 tests, S", results.seconds("check[S]"), "s", 3),
    ]
    return rows


def ratios(results: Results) -> Rows:
    """List comparisons without a goal."""
    one, two = results.rate("judge[random-1]"), results.rate("judge[random-2]")
    tracked = results.rate("track[1]")
    whole = _ratio(results.seconds("replay[2]"), results.seconds("decode[ipv4-2]"))
    found = [
        ("random flows: two threads / one", _ratio(two, one)),
        ("random flows, one thread / reading and writing the columns only", _ratio(one, results.rate("no_lookup[1]"))),
        ("packets, one thread / reading and writing the columns only", _ratio(tracked, results.rate("no_table[1]"))),
        ("packets: two threads / one", _ratio(results.rate("track[2]"), tracked)),
        ("size: one thread / two", _ratio(results.seconds("size[1]"), results.seconds("size[2]"))),
        (
            "size: before and after / as it is",
            _ratio(results.seconds("size_before_and_after[2]"), results.seconds("size[2]")),
        ),
        ("whole replay, building tables included / bare decode, ipv4, two threads", whole),
    ]
    return [(what, MISSING if value is None else f"{value:.2f}") for what, value in found]


def _threads(count: int) -> str:
    return "one thread" if count == 1 else "two threads"


def measurements(results: Results) -> Rows:
    """List what was measured, in the order in which it ran, then DPDK's algorithms."""
    rows = [
        (
            m.name,
            _seconds(m.median),
            f"{_seconds(m.low)} to {_seconds(m.high)}",
            str(m.rounds),
            f"{m.rate / 1e6:.1f}" if m.rate else "",
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
        for peer in results.dpdk or ()
    ]
    return rows


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.3g} ms"


def _sizes(extra: Mapping[str, float]) -> str:
    counts = [
        f"{extra[name]:,} {name}"
        for name in ("pods", "policies", "flows", "packets", "connections", "groups", "tests")
        if name in extra
    ]
    memory = [
        f"{what} {extra[name] / 1e6:,.0f} MB"
        for name, what in (("table_bytes", "tables of"), ("entry_bytes", "entries of"), ("peak_bytes", "peak memory"))
        if name in extra
    ]
    return ", ".join(counts + memory)


GOAL_HEAD = ("what", "goal", "measured", "met")
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


def text(results: Results) -> str:
    """Write everything for a terminal."""
    parts = [plain(GOAL_HEAD, goals(results)), plain(RATIO_HEAD, ratios(results))]
    return "\n".join([*parts, plain(MEASURED_HEAD, measurements(results)), _dpdk_note(results)])


def _dpdk_note(results: Results) -> str:
    if results.dpdk is None or results.dpdk:
        return ""
    return "dpdk-test-acl is not installed (Debian and Ubuntu: apt-get install dpdk-dev); its comparison is left out.\n"


def readme(results: Results, machine: Sequence[str]) -> str:
    """Write ``bench/README.md``."""
    return f"""# Benchmarks

Written by `make bench`; not to be edited by hand.
`.venv/bin/python bench/run.py --quick` runs everything on small data, to see that it works.

{"".join(f"- {line}" + chr(10) for line in machine)}
## Goals

{markdown(GOAL_HEAD, goals(results))}
{_dpdk_note(results)}
Random flows are five-tuples between 10,000 pods and 5,000 CIDR blocks, under about 1,000 policies: 45 % between pods,
45 % into a block, 10 % from a block. Out come the verdict and, for both directions, the deciding rule.
`dpdk-test-acl` gets 10,000 five-tuple rules, drawn from the same policies written out (a pod, a block, a port range
each). It classifies 200,000 of the random flows, most of which match none of its rules and are soon done with, and
200,000 flows that do match; the best of its algorithms counts. Here, each of these flows is judged by all the policies.

Replay is measured with its tables built; `replay[2]` below builds them too. Bare decode reads the same columns in the
same batches with as many threads, and drops them; the two take turns, and the median of their ratios counts. "ipv4"
holds addresses of 4 bytes, "both families" of 16, in files that `flowverdict generate flows` lays out to be read fast;
"pyarrow's defaults" is the first of them as `pyarrow.parquet` writes it without being told.

## Ratios

{markdown(RATIO_HEAD, ratios(results))}
## Measurements

S, M and L are the sizes of `flowverdict generate cluster`. A number in brackets is that of threads. `command` is
`flowverdict replay -o` as a command, from its start to the last verdict written; `help` and `check` are commands too.
Before judging is timed, a sample of its answers is compared with the reference. `M/s` are millions of flows,
or packets, a second.

`size` sizes the conntrack tables of 100 nodes for an hour of flows, from building the policies' tables on;
`size_before_and_after` does so under two policy sets and with other timeouts, in one reading. The goal is a fifth of 50
million flow records in 60 s.

`track` follows packets on one million connections that are all open, seven of eight TCP, each packet on any of them at
random; opening them is not timed. `no_table` reads the same columns and writes as many, and looks nothing up. `tracker`
is the exact model behind `flowverdict conntrack`, buckets and expired entries included, on a load of short exchanges.

{markdown(MEASURED_HEAD, measurements(results))}"""
