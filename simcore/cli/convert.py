"""``flowverdict convert``: captures of any format to Parquet, once."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .capture_options import opening_options
from .captures import CaptureInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loaders.captures.hubble import EventCounts
    from loaders.captures.records.reading import Reading


@click.command("convert")
@opening_options("IN", "--format")
@click.option(
    "--output",
    "-o",
    metavar="OUT.parquet",
    type=click.Path(dir_okay=False),
    required=True,
    help="Parquet file to write.",
)
@click.option(
    "--anonymize",
    "key_file",
    metavar="KEYFILE",
    type=click.Path(dir_okay=False),
    help="Put pseudonyms in place of names and addresses, made by this key; a file that is not there is made.",
)
@click.option(
    "--packets", "as_packets", is_flag=True, help="Write pcap's packets as `flowverdict conntrack` reads them."
)
def command(captured: CaptureInput, output: str, key_file: str | None, as_packets: bool) -> None:
    """Turn captures of any format that flowverdict formats lists into one in Parquet, in order of time.

    IN is a file, plain or packed with gzip or zstd, several (of several nodes, say), a folder, or - for Hubble's events
    on standard input. Hubble's events become a row for each connection, each request and each DNS answer.
    """
    from ..analyses.results import check_file
    from .console import emit

    check_file(Path(output), Path(output), captured.paths)
    if as_packets:
        lines = _convert_packets(captured, output, key_file)
    elif key_file is None:
        lines = _convert(captured, output)
    else:
        lines = _convert_hidden(captured, output, key_file)
    emit("\n".join([output, *lines, ""]))


def _convert_hidden(captured: CaptureInput, output: str, key_file: str) -> list[str]:
    """Convert by way of a file that nobody else may read, and that goes at the end."""
    from loaders.anonymous import Pseudonyms, anonymize_capture

    from .console import report_diagnostics

    names = Pseudonyms.open(key_file)
    with tempfile.TemporaryDirectory(prefix=".flowverdict-", dir=Path(output).parent) as folder:
        plain = str(Path(folder) / Path(output).name)
        lines = _convert(captured, plain)
        report_diagnostics(anonymize_capture(plain, output, names))
    return [*lines, "names and addresses are pseudonyms"]


def _convert_packets(captured: CaptureInput, output: str, key_file: str | None) -> list[str]:
    """Write the packets of pcap and pcapng files, and say in lines what was read."""
    from loaders.captures.pcap.converting import convert_packets, find_packets

    from .console import report_diagnostics
    from .progress import counting

    if key_file is not None or captured.mapping:
        raise click.UsageError("--packets does not go with --anonymize or --map")
    paths = find_packets(captured.paths)
    with counting("converting", "packets") as advance:
        reading = convert_packets(paths, output, strict=captured.strict, progress=advance)
    report_diagnostics(reading.diagnostics)
    return records_told(reading)


def _convert(captured: CaptureInput, output: str) -> list[str]:
    """Write the capture, and say in lines what was read."""
    from loaders.captures.hubble import convert_hubble
    from loaders.captures.opening import convert_capture, holds_events

    from .console import report_diagnostics
    from .progress import counting

    if holds_events(captured.paths, captured.format_name):
        with counting("converting", "events") as advance:
            counts = convert_hubble(captured.paths, output, strict=captured.strict, progress=advance)
        report_diagnostics(counts.problems)
        return events_told(counts)
    with counting("converting", "records") as advance:
        reading = convert_capture(
            captured.paths,
            output,
            captured.mapping,
            format_name=captured.format_name,
            strict=captured.strict,
            progress=advance,
        )
    report_diagnostics(reading.diagnostics)
    return records_told(reading)


def records_told(reading: Reading) -> list[str]:
    """Say in lines what was read and written."""
    told = [(f"{count:,}", text) for count, text in reading.told()]
    return _aligned([(f"{reading.records:,}", "records"), *told])


def events_told(counts: EventCounts) -> list[str]:
    """Say in lines what was read and written of Hubble's events."""
    from loaders.captures.hubble import FATES

    numbers = [(f"{counts.lines:,}", "lines")]
    lines = _aligned([*numbers, *((f"{number:,}", FATES[fate]) for fate, number in counts.told())])
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


def _aligned(numbers: Sequence[tuple[str, str]]) -> list[str]:
    width = max(len(number) for number, _ in numbers)
    return [f"{number:>{width}}  {text}" for number, text in numbers]
