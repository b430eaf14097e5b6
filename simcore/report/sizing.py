"""The report of `size`: what tables hold, what they may hold, and what to set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from .structure import Choice, Column, Entry, Line, Report, Section, Span, Table, Tone, faint, line, strong, unbroken
from .words import count, duration, moment, period, share, size

if TYPE_CHECKING:
    from ..analyses.sizing.cases import Case, Sizing
    from ..analyses.sizing.entries import EntryClass
    from ..analyses.sizing.sizes import TableSize

_MOST_OWNERS = 5
_MOST_CLASSES = 6
_MOST_LOST = 5
_WIDE_ONLY = frozenset({"mean", "maximum"})
_WIDE_SETTINGS = frozenset({"CPUs", "RAM"})
UNKNOWN = "unknown"
"""The node of pods of no known node."""
TIGHT = 0.2
"""A smaller margin than this is worth a look."""

PHASE = (
    "allocated: what a kernel compares with its maximum. Entries that have expired stay allocated until the collector "
    "or a look-up finds them, so it is more than what is live. At most: whenever the collector passes. Lost: "
    "connections whose first packet finds no room. Set to: at most, and the headroom."
)
EMPTY_AT_FIRST = "Tables are taken to be empty when the capture begins; means and percentiles include that."
CILIUM_PHASE = (
    "allocated: live entries, and expired ones that Cilium's collector has not removed yet. At most: whenever it "
    "passes. A full map evicts the entry that was used least recently, live or not, and may do so before it is quite "
    "full: no more than 70 % should be in use. IPv4 and IPv6 have a map each; here they are taken together."
)


def sizing(result: Sizing, limit: int) -> Report:
    """Make the report: the headline, what a change makes of it, a row a table, and what is in each."""
    case = result.final
    tightest = sorted(case.tables, key=lambda table: (_tightness(table), table.node, table.table))
    shown, hidden = tightest[:limit], tightest[limit:]
    sections = []
    if result.candidate:
        sections.append(_comparison(result, shown))
    sections.append(
        Section(
            line(strong("Tables"), _order_words(case)), (_fitting(_tables(result, shown), _WIDE_ONLY), *_more(hidden))
        )
    )
    if shown:
        sections.append(Section(line(strong("Settings")), (_fitting(_settings(case, shown), _WIDE_SETTINGS),)))
    if full := [table for table in tightest if table.turned_away or table.evicted][:limit]:
        sections.append(Section(line(Span("Full tables", Tone.BAD)), tuple(_full(table) for table in full)))
    if contents := tuple(_contents(result, shown)):
        sections.append(Section(line(strong("What is in them"), " at the peak of live entries"), contents))
    return Report(
        title=line(f"{_noun(case)} of {_nodes(case)}, from {count(result.flows, 'flow')}"),
        summary=tuple(_summary(result)),
        warnings=tuple(_warnings(result)),
        sections=tuple(sections),
        notes=(_phase(case), line(EMPTY_AT_FIRST)),
    )


def sizing_brief(result: Sizing, limit: int) -> Report:
    """Make a shorter report: what a change makes of each table, and what to set."""
    case = result.final
    shown = sorted(case.tables, key=lambda table: (_tightness(table), table.node, table.table))[:limit]
    return Report(
        title=line(f"{_noun(case)} of {_nodes(case)}, from {count(result.flows, 'flow')}"),
        summary=tuple(_summary(result)),
        sections=(
            *((_comparison(result, shown),) if result.candidate else ()),
            Section(line(strong("Settings")), (_fitting(_settings(case, shown), _WIDE_SETTINGS),)),
        ),
        notes=(_phase(case),),
    )


def _phase(case: Case) -> Line:
    return line(CILIUM_PHASE if case.fleet.kube_proxy is None else PHASE)


def _fitting(table: Table, wide_only: frozenset[str]) -> Choice:
    """Leave out some columns where there is little room."""
    kept = [number for number, column in enumerate(table.columns) if column.name not in wide_only]
    narrow = Table(
        tuple(table.columns[number] for number in kept),
        tuple(tuple(row[number] for number in kept) for row in table.rows),
    )
    return Choice(table, (narrow,))


def _noun(case: Case) -> str:
    return "Cilium's conntrack maps" if case.fleet.kube_proxy is None else "Conntrack tables"


def _nodes(case: Case) -> str:
    return count(len({table.node for table in case.tables}), "node")


def _order_words(case: Case) -> str:
    return ", the tightest first" if len(case.tables) > 1 else ""


def _tightness(table: TableSize) -> float:
    return -table.allocated_bound / table.current.entries if table.current.entries else 0.0


def name_of(table: TableSize) -> str:
    """Name a table: its node, and which of Cilium's maps."""
    return f"{table.node} {table.table}".rstrip()


def _summary(result: Sizing) -> Iterator[Line]:
    case = result.final
    scaled = f", {case.scale:g} times the traffic" if case.scale != 1 else ""
    when = f"{period(result.begin, result.end)} ({duration(result.seconds)}), " if result.flows else ""
    yield line(f"{when}preset {case.policing.preset}{scaled}.")
    if result.changes:
        yield line(f"Compared: {'; '.join(result.changes)}.")
    if not case.tables:
        yield line("No node of the cluster is known, so there is no table to size.")
        return
    worst = min(case.tables, key=lambda table: (_tightness(table), table.node, table.table))
    if worst.current.entries:
        yield line(
            "The fullest is ",
            strong(name_of(worst)),
            f": at most {worst.allocated_bound:,} of {worst.current.entries:,} entries, ",
            _used(worst),
            ".",
        )
    if lost := case.fleet.turned_away:
        # Summed over nodes: who is turned away at one is not seen at the other, and counts there all the same.
        yield line(Span(count(lost, "time"), Tone.BAD), ", a new connection would find a full table.")


def _warnings(result: Sizing) -> Iterator[Line]:
    if result.flows and result.outlasting:
        kept = sum(each.entries for each in result.outlasting)
        names = ", ".join(f"{each.setting} ({duration(each.seconds)})" for each in result.outlasting)
        yield line(
            strong(f"The capture is shorter than timeouts in force: {duration(result.seconds)} against {names}"),
            f". What they keep piles up for longer than was seen, and what was open before is not in it at all: "
            f"{count(kept, 'entry', 'entries')} of the peak {'is' if kept == 1 else 'are'} of this kind, and there may "
            "be more. The rest has come to its full height.",
        )
    if any(table.node == UNKNOWN for table in result.final.tables):
        yield line(
            f"Some pods are on no known node: their entries are counted on the node {UNKNOWN!r}. Load these pods "
            "as the cluster tells them, with their nodes (kubectl get pods -o json)."
        )
    if result.late:
        yield line(f"{count(result.late, 'row')} came too late to be put in order (--reorder); counted when they came.")
    if result.untimed:
        yield line(f"{count(result.untimed, 'row')} without time; counted when they came.")


def _used(table: TableSize) -> Span:
    """Tell how much of its maximum a table may take."""
    if not table.current.entries:
        return Span("")
    return Span(f"{100 * table.allocated_bound / table.current.entries:.1f}%", _margin_tone(table))


def _margin_tone(table: TableSize) -> Tone:
    if table.margin is None:
        return Tone.PLAIN
    return Tone.BAD if table.margin < 0 else Tone.DOUBT if table.margin < TIGHT else Tone.GOOD


def _comparison(result: Sizing, shown: Sequence[TableSize]) -> Section:
    """Hold the tables of the candidate against those of the baseline."""
    before = {(table.node, table.table): table for table in result.baseline.tables}
    columns = (
        Column("node"),
        Column("live before", True),
        Column("after", True),
        Column("change", True),
        Column("at most before", True),
        Column("after", True),
        Column("change", True),
    )
    pairs = [(before.get((after.node, after.table)), after) for after in shown]
    pairs.append((result.baseline.fleet, result.final.fleet))
    return Section(
        line(strong("Before and after")),
        (Table(columns, tuple(_compared(was, after) for was, after in pairs)),),
    )


def _compared(before: TableSize | None, after: TableSize) -> tuple[Line, ...]:
    live = before.peak_live if before else 0
    bound = before.allocated_bound if before else 0
    return (
        line(name_of(after)),
        line(f"{live:,}"),
        line(f"{after.peak_live:,}"),
        line(_change(live, after.peak_live)),
        line(f"{bound:,}"),
        line(f"{after.allocated_bound:,}"),
        line(_change(bound, after.allocated_bound)),
    )


def _change(before: int, after: int) -> Span:
    if before == after:
        return Span("=")
    if not before:
        return Span("new", Tone.DOUBT)
    percent = 100 * (after / before - 1)
    words = f"{percent:+.1f}%" if abs(percent) < 1000 else f"x {after / before:.3g}"
    return Span(words, Tone.GOOD if after < before else Tone.DOUBT)


def _tables(result: Sizing, shown: Sequence[TableSize]) -> Table:
    case = result.final
    columns = (
        Column("node"),
        Column("live", True),
        Column("at"),
        Column("mean", True),
        Column(f"{case.policing.percent:g}%", True),
        Column("allocated", True),
        Column("at most", True),
        Column("maximum", True),
        Column("used", True),
        Column("lost" if case.fleet.kube_proxy else "evicted", True),
    )
    is_one_day = moment(result.begin)[:10] == moment(result.end)[:10]
    rows = [_row(case, table, is_one_day) for table in shown]
    if len(case.tables) > 1:
        rows.append(_row(case, case.fleet, is_one_day))
    return Table(columns, tuple(rows))


def _row(case: Case, table: TableSize, is_one_day: bool) -> tuple[Line, ...]:
    is_fleet = table is case.fleet
    lost = table.turned_away if table.kube_proxy else table.evicted
    return (
        line(faint(name_of(table)) if is_fleet else name_of(table)),
        line(f"{table.peak_live:,}"),
        line(moment(table.peak_time)[11 if is_one_day else 5 :] if table.peak_live else ""),
        line(f"{table.mean:,.0f}"),
        line(f"{table.percentile:,}"),
        line(f"{table.peak_allocated:,}"),
        line(f"{table.allocated_bound:,}"),
        line("" if is_fleet else _limit_words(table.current.entries)),
        line("" if is_fleet else _used(table)),
        line(Span(f"{lost:,}", Tone.BAD if lost else Tone.PLAIN)),
    )


def _limit_words(entries: int) -> str:
    return f"{entries:,}" if entries else "no limit"


def _more(hidden: Sequence[TableSize]) -> Iterator[Line]:
    if hidden:
        yield line(f"... and {count(len(hidden), 'more table')} (--limit)")


def _settings(case: Case, shown: Sequence[TableSize]) -> Table:
    """Tell what to set, what that costs, and what would be set by itself."""
    is_kernel = case.fleet.kube_proxy is not None
    columns = [
        Column("node"),
        Column("CPUs", True),
        Column("RAM", True),
        Column("maximum", True),
        Column("set to", True),
        Column("buckets", True),
        Column("set to", True),
        Column("takes", True),
    ]
    if is_kernel:
        columns.append(Column("kube-proxy sets", True))
    else:
        del columns[5:7]
    return Table(tuple(columns), tuple(_setting(table, is_kernel) for table in shown))


def _setting(table: TableSize, is_kernel: bool) -> tuple[Line, ...]:
    needed = table.advised.entries
    tone = Tone.DOUBT if table.current.entries and needed > table.current.entries else Tone.GOOD
    first = (
        line(name_of(table)),
        line(f"{table.cpus}" if table.cpus else "?"),
        line(size(table.memory) if table.memory else "?"),
        line(_limit_words(table.current.entries)),
        line(Span(f"{needed:,}", tone)),
    )
    if not is_kernel:
        return (*first, line(size(table.advised.memory)))
    return (
        *first,
        line(f"{table.current.buckets:,}"),
        line("=" if table.advised.buckets == table.current.buckets else f"{table.advised.buckets:,}"),
        line(size(table.advised.memory)),
        line(f"{table.kube_proxy.entries:,}" if table.kube_proxy else ""),
    )


def _full(table: TableSize) -> Entry:
    heading = line(strong(name_of(table)), *_full_words(table))
    fields = []
    if table.lost:
        fields.append(("lost", _listed(table.lost, table.turned_away, _MOST_LOST)))
    return Entry(heading, tuple(fields))


def _full_words(table: TableSize) -> Iterator[str]:
    since = f" from {moment(table.first_full)} UTC on" if table.first_full is not None else ""
    yield f" is full{since}: "
    if table.turned_away or table.kube_proxy:
        yield f"{count(table.turned_away, 'new connection')} turned away, "
    yield f"{count(table.evicted, 'entry', 'entries')} evicted."


def _contents(result: Sizing, shown: Sequence[TableSize]) -> Iterator[Entry]:
    tables = [*shown] if len(shown) == 1 else [result.final.fleet, *shown]
    for table in tables:
        if table.peak_live:
            yield Entry(
                line(strong(name_of(table)), f"  {table.peak_live:,} live at {moment(table.peak_time)} UTC"),
                (
                    ("owners", _listed(table.owners, table.peak_live, _MOST_OWNERS)),
                    (
                        "entries",
                        _listed([(class_words(c), n) for c, n in table.classes], table.peak_live, _MOST_CLASSES),
                    ),
                ),
            )


def class_words(found: EntryClass) -> str:
    """Write a class of entries: ``TCP TIME_WAIT``, ``UDP denied``."""
    return f"{found.protocol} {'denied' if found.is_denied else found.state.word}"


def _listed(parts: Sequence[tuple[str, int]], whole: int, most: int) -> Line:
    shown = [unbroken(f"{name} {number:,} ({share(min(number, whole), whole)})") for name, number in parts[:most]]
    if rest := sum(number for _, number in parts[most:]):
        shown.append(unbroken(f"others {rest:,}"))
    return line(", ".join(shown))
