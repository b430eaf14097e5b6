"""``flowverdict conntrack``: what a kernel's connection tracking makes of each packet."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from ..model.addresses import Cidr
from ..model.conntrack import RULESETS, Conntrack
from .capture_options import mapping_option
from .options import Number, format_option
from .settings import kernel_options

CLIENTS = ("10.77.1.0/24", "fd77:1::/64")


class Network(click.ParamType[Cidr]):
    """A block of addresses; a bare address is a block of one."""

    name = "cidr"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Cidr:
        """Return the block."""
        if isinstance(value, Cidr):
            return value
        text = str(value)
        if "/" not in text:
            text += "/128" if ":" in text else "/32"
        try:
            return Cidr.parse(text)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("conntrack")
@click.argument("packet_paths", metavar="PACKETS...", nargs=-1, required=True)
@mapping_option("time=ts:s")
@click.option(
    "--ruleset",
    type=click.Choice(list(RULESETS)),
    default="stateful",
    show_default=True,
    help="What the rules let through: stateful lets side a open connections, bothnew both sides.",
)
@click.option(
    "--client",
    "clients",
    type=Network(),
    multiple=True,
    default=CLIENTS,
    show_default=True,
    metavar="CIDR",
    help="Packets from here enter at side a, all others at side b, unless the capture says. Repeatable.",
)
@kernel_options
@click.option(
    "--gc-first-pass",
    type=Number(0, 1e6),
    metavar="SECONDS",
    help="When the collector first passes, from the first packet on; by default after the 60 s of an idle table.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=40,
    show_default=True,
    metavar="N",
    help="Most packets to show as text; JSON and Parquet have all.",
)
@click.option(
    "--output", "-o", metavar="OUT.parquet", type=click.Path(dir_okay=False), help="Write the answer to every packet."
)
@format_option("text", "json")
def command(
    packet_paths: tuple[str, ...],
    mapping: dict[str, str],
    ruleset: str,
    clients: tuple[Cidr, ...],
    settings: Conntrack,
    gc_first_pass: float | None,
    limit: int,
    output: str | None,
    format_: str,
) -> None:
    """Show what a kernel's connection tracking makes of each packet: class, state, time left, and entries.

    PACKETS is Parquet, pcap or pcapng, in order of time: a file, several, or a folder. JSON is one object a line for
    each packet.
    """
    from loaders import open_packets
    from loaders.captures.packets import Order

    from ..analyses.conntrack.tracked import Tracked, follow
    from ..analyses.conntrack.tracking import Tracker
    from ..analyses.results import check_file
    from ..report import conntrack as report
    from .console import emit, emit_report, report_diagnostics
    from .progress import progress

    capture = open_packets(packet_paths, mapping, clients)
    report_diagnostics(capture.diagnostics)
    path = None if output is None else Path(output)
    if path:
        check_file(path, path, capture.files)
    is_text = format_ == "text"
    tracker = Tracker(settings, RULESETS[ruleset], clients=clients, gc_first_pass=gc_first_pass)
    tracked, order = Tracked(limit if is_text else 0), Order()
    with progress("tracking", "packets") if is_text else nullcontext(_silent) as advance:
        for packets, answers in follow(tracker, capture.read(order=order), tracked, path):
            advance(tracked.packets, capture.rows)
            if not is_text:
                emit(report.conntrack_json(packets, answers))
    if order.late:
        click.echo(f"warning: {_late(order.late, order.most)}", err=True)
    if is_text:
        emit_report(report.conntrack(tracked, settings, ruleset, ", ".join(map(str, clients))))


def _silent(_done: int, _total: int) -> None:
    """Show no progress, where it would run into the data."""


def _late(packets: int, most: int) -> str:
    by = f"by at most {most / 1e6:,.3f} ms"
    if packets == 1:
        return f"1 packet is earlier than one before it, {by}; it is taken to come at that one's time"
    return f"{packets:,} packets are earlier than one before them, {by}; they are taken to come at that one's time"
