"""Last step: whether a node has more connections to track than room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from . import commands
from .context import Context
from .steps import Cause, Finding, Status, Step

NAME, TITLE = "conntrack", "Connection tracking: is there room on the nodes?"
TIGHT = 0.8
"""Share of a table that leaves little room."""


@dataclass(frozen=True, slots=True)
class NodeTable:
    """The connections that a node tracks.

    Attributes
    ----------
    table : str
        Which of several tables; empty where there is one.
    peak : int
        Most entries at a time.
    limit : int
        How many fit; 0: no limit is known.
    turned_away : int
        Connections that found no room.
    """

    node: str
    table: str
    peak: int
    limit: int
    turned_away: int

    @property
    def share(self) -> float:
        """How full it gets."""
        return self.peak / self.limit if self.limit else 0.0


def check(context: Context) -> Step:
    """Hold the entries of both ends' nodes against what fits."""
    nodes = _nodes(context)
    ways = tuple(way for node in nodes[:2] for way in commands.conntrack_of(node, context.enforcement.plugin.name))
    if context.tables is None:
        found = "Not asked: it takes a capture with times to count connections. On the nodes, look at the counters."
        return Step(NAME, TITLE, Status.NOT_ASKED, "nothing", found, commands=ways)
    tables = [table for table in context.tables if not nodes or table.node in nodes]
    checked = f"tables of {', '.join(nodes) or 'every node'}, filled by the capture"
    if not tables:
        found = "The capture holds no connection of these nodes."
        return Step(NAME, TITLE, Status.UNKNOWN, checked, found, commands=ways)
    full = [table for table in tables if table.limit and table.peak >= table.limit]
    details = tuple(_words(table) for table in tables[:4])
    if full:
        finding = _finding(full[0])
        return Step(NAME, TITLE, Status.FOUND, checked, finding.sentence, (), details, (finding,), (), ways)
    fullest = max(tables, key=lambda table: table.share)
    found = f"There is room: at most {fullest.peak:,} entries of {fullest.limit:,} on {fullest.node}."
    if fullest.share > TIGHT:
        found = f"Little room is left: {fullest.peak:,} entries of {fullest.limit:,} on {fullest.node}."
    return Step(NAME, TITLE, Status.OK, checked, found, details=details, commands=ways)


def _finding(table: NodeTable) -> Finding:
    lost = f", and {table.turned_away:,} connections find no room" if table.turned_away else ""
    return Finding(
        Cause.CONNTRACK_FULL,
        f"Node {table.node} tracks up to {table.peak:,} connections where {table.limit:,} fit{lost}.",
        "Raise nf_conntrack_max on the node, or shorten timeouts; flowverdict size tells by how much.",
    )


def _words(table: NodeTable) -> str:
    name = f"{table.node}, {table.table}" if table.table else table.node
    return f"{name}: at most {table.peak:,} entries of {table.limit:,}"


def _nodes(context: Context) -> Sequence[str]:
    """Name the nodes of both ends."""
    pods = (context.pod(number) for pair in context.pairs for number in (pair.source, pair.destination))
    return list(dict.fromkeys(pod.node for pod in pods if pod is not None and pod.node))
