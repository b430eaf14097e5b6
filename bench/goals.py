"""What the benchmarks are to reach, and what they compare without a goal."""

from collections.abc import Iterator
from dataclasses import dataclass

from .results import CAPTURES, LISTS, Results, million, ratio

MISSING = "not measured"
Rows = list[tuple[str, ...]]


@dataclass(frozen=True)
class Goal:
    """A figure that is to be reached, and what it is.

    Attributes
    ----------
    reach, moonshot : float
        What is wanted, and what would be splendid.
    at_least : bool
        Whether more is better.
    """

    what: str
    value: float | None
    unit: str
    reach: float
    moonshot: float | None = None
    at_least: bool = False

    @property
    def row(self) -> tuple[str, ...]:
        return self.what, self._words(self.value), self._words(self.reach), self._words(self.moonshot, ""), self.met

    @property
    def met(self) -> str:
        """Tell which of both is met."""
        if self.value is None:
            return ""
        for limit, words in ((self.moonshot, "moonshot"), (self.reach, "yes")):
            if limit is not None and (self.value >= limit if self.at_least else self.value <= limit):
                return words
        return "NO"

    def _words(self, value: float | None, missing: str = MISSING) -> str:
        if value is None:
            return missing
        number = f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
        return f"{number} {self.unit}".rstrip()


def goals(results: Results) -> Rows:
    """List every goal with what was measured: one row a goal, the last column tells whether it is met."""
    return [goal.row for goal in (*_judging(results), *_replaying(results), *_building(results), *_others(results))]


def _judging(results: Results) -> Iterator[Goal]:
    for kind, words, reach, moonshot in (("zipf", "realistic", 120, 300), ("random", "random", 80, 150)):
        rate = million(results.rate(f"judge[{kind}-2]"))
        yield Goal(f"{words} flows, two threads", rate, "Mflows/s", reach, moonshot, at_least=True)
    what = "500 tiered policies beside 1,000 NetworkPolicies: speed / that of these alone"
    yield Goal(what, results.extra("judge_tiers", "speed_to_plain"), "times", 0.8, 1, at_least=True)
    words_of = {"matching": "flows that the rules are about", "random": "random flows"}
    for kind in LISTS:
        what = f"{words_of[kind]}, one core: speed / DPDK's, 10,000 rules"
        yield Goal(what, results.to_dpdk(kind), "times", 6, 15, at_least=True)
    for name in ("DuckDB", "Polars"):
        what = f"a capture judged by the rules and counted, two threads: speed / that of {name}"
        yield Goal(what, results.to_sql(name, "rules"), "times", 20, 100, at_least=True)


def _replaying(results: Results) -> Iterator[Goal]:
    rows = (results.extra("long", "flows") or 100_000_000) / 1e6
    value = results.extra("long", "to_decode")
    yield Goal(f"replay of {rows:g} M rows, two threads: time / bare decoding", value, "", 1.5, 1.1)
    for capture in CAPTURES:
        for threads in (1, 2):
            value = results.extra(f"sweep[{capture}-{threads}]", "to_decode")
            yield Goal(f"replay, {capture}, {thread_words(threads)}: time / bare decoding", value, "", 1.5, 1.1)
    yield Goal("what-if: time / replay's", results.extra("whatif_sweep", "to_replay"), "", 1.3, 1.05)
    for form, words in (("IPv6", "IPv6 addresses"), ("text", "addresses as text")):
        yield Goal(f"replay, {words}: time / uint32's", results.extra(f"form[{form}]", "to_ipv4"), "", 2, 1.2)
    what = "L7-heavy replay, half of the flows with requests: time / without requests"
    yield Goal(what, results.extra("requests", "to_bare"), "", 3, 1.5)
    rate = million(results.rate("track[2]"))
    yield Goal("packets of 1 M live connections, two threads", rate, "Mpackets/s", 30, 80, at_least=True)


def _building(results: Results) -> Iterator[Goal]:
    peak = results.extra("large", "peak_bytes")
    yield Goal("build_tables, XL", results.seconds("build[XL]"), "s", 5, 1)
    yield Goal("build_tables, XL: peak memory", None if peak is None else peak / 1e6, "MB", 1_500, 300)
    yield Goal("rebuild after one edited policy, XL", results.seconds("rebuild[XL]"), "s", 0.2, 0.02)
    yield Goal("all-pairs reachability, XL", results.seconds("reach[XL]"), "s", 5, 0.5)
    yield Goal("build_tables, M: 20,000 pods and 2,000 policies", results.seconds("build[M]"), "s", 3)
    yield Goal("load a dump of 100,000 pods and 10,000 policies", results.seconds("load[XL]"), "s", 10)
    yield Goal("load 100,000 pods from a snapshot in columns", results.seconds("load_columns"), "s", 1)


def _others(results: Results) -> Iterator[Goal]:
    json = ratio(results.extra("convert", "json_bytes"), results.seconds("convert"))
    peak = results.extra("convert_command", "peak_bytes")
    yield Goal("convert, Hubble's JSON, one core", million(json), "MB/s", 50, 150, at_least=True)
    yield Goal("convert, 2 M lines: peak memory", None if peak is None else peak / 1e6, "MB", 1_000, 500)
    yield Goal("first verdict of a fresh process", results.seconds("first_verdict"), "s", 1.5, 0.5)
    yield Goal("size, 10 M flow records on 100 nodes, two threads", results.seconds("size[2]"), "s", 12)
    yield Goal("flowverdict --help", results.seconds("help"), "s", 0.3)
    yield Goal("flowverdict check, 1,000 tests, S", results.seconds("check[S]"), "s", 3)


def ratios(results: Results) -> Rows:
    """List comparisons without a goal."""
    zipf, random = results.rate("judge[zipf-1]"), results.rate("judge[random-1]")
    copied = results.rate("no_lookup[1]")
    tracked = results.rate("track[1]")
    whole = ratio(results.seconds("replay[2]"), results.seconds("decode[ipv4-2]"))
    found = [
        ("realistic flows: two threads / one", ratio(results.rate("judge[zipf-2]"), zipf)),
        ("random flows: two threads / one", ratio(results.rate("judge[random-2]"), random)),
        ("realistic flows, one thread / reading and writing the columns only", ratio(zipf, copied)),
        ("random flows, one thread / reading and writing the columns only", ratio(random, copied)),
        ("packets, one thread / reading and writing the columns only", ratio(tracked, results.rate("no_table[1]"))),
        ("packets: two threads / one", ratio(results.rate("track[2]"), tracked)),
        ("size: one thread / two", ratio(results.seconds("size[1]"), results.seconds("size[2]"))),
        (
            "size: before and after / as it is",
            ratio(results.seconds("size_before_and_after[2]"), results.seconds("size[2]")),
        ),
        *_joins(results),
        ("whole replay, building tables included / bare decode, ipv4, two threads", whole),
    ]
    return [(what, MISSING if value is None else f"{value:.2f}") for what, value in found]


def _joins(results: Results) -> Iterator[tuple[str, float | None]]:
    """Enumerate joins that have no goal."""
    words_of = {"random flows": "random flows judged by the rules", "tables": "a capture judged by our tables"}
    for join, words in words_of.items():
        for name in ("DuckDB", "Polars"):
            yield f"{words} and counted, two threads: speed / that of {name}", results.to_sql(name, join)


def thread_words(count: int) -> str:
    return "one thread" if count == 1 else "two threads"
