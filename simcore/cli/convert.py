"""``flowverdict convert``: captures of other formats to Parquet, once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from loaders.captures.hubble import EventCounts


@click.command("convert")
@click.argument("paths", metavar="IN...", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="OUT.parquet",
    type=click.Path(dir_okay=False),
    required=True,
    help="Parquet file to write.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that cannot be read, rather than count it.")
def command(paths: tuple[str, ...], output: str, strict: bool) -> None:
    """Turn exports of Hubble into a capture: a row for each connection, each request and each DNS answer.

    IN is JSON lines of hubble observe or of Cilium's exporter, plain or packed with gzip or zstd, or such events in
    Parquet: a file, several (of several nodes, say), a folder, or - for standard input.
    """
    from loaders.captures.hubble import convert_hubble

    from ..analyses.results import check_file
    from .console import emit, report_diagnostics
    from .progress import counting

    check_file(Path(output), Path(output), paths)
    with counting("converting", "events") as advance:
        counts = convert_hubble(paths, output, strict=strict, progress=advance)
    report_diagnostics(counts.problems)
    emit("\n".join([output, *told(counts), ""]))


def told(counts: EventCounts) -> list[str]:
    """Say in lines what was read and written."""
    from loaders.captures.hubble import FATES

    numbers = [(f"{counts.lines:,}", "lines")]
    numbers += [(f"{number:,}", FATES[fate]) for fate, number in counts.told()]
    width = max(len(number) for number, _ in numbers)
    lines = [f"{number:>{width}}  {text}" for number, text in numbers]
    rows = ", ".join(f"{number:,} {noun}" for noun, number in sorted(counts.rows.items()))
    lines.append(f"rows: {rows or 'none'}")
    if counts.drops:
        drops = ", ".join(f"{reason} {number:,}" for reason, number in sorted(counts.drops.items()))
        lines.append(f"drops that are no policy's: {drops}")
    if counts.lost:
        lines.append(f"Hubble lost {counts.lost:,} events: what they told is missing here")
    if counts.aggregated:
        lines.append(f"records of the exporter's aggregation stand for {counts.aggregated:,} flows; each is one row")
    if counts.late:
        late = f"{counts.late:,} lines came more than 5 s late"
        lines.append(f"{late}: name the files of each node by themselves, so that they can be put in order")
    return lines
