"""``flowverdict bench``: the headline figures on this machine."""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from .options import format_option

if TYPE_CHECKING:
    from ..analyses.pace import Pace

FLOWS = {"S": 4_000_000, "M": 4_000_000, "L": 4_000_000}
SEED = 1
PUBLISHED = "published.json"


@click.command("bench")
@click.option(
    "--size",
    type=click.Choice(tuple(FLOWS), case_sensitive=False),
    default="S",
    show_default=True,
    help="About 1,000, 20,000 or 100,000 pods, as in generate.",
)
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Threads; one a core without it.")
@format_option("text", "json")
def command(size: str, threads: int | None, format_: str) -> None:
    """Time this machine: judging, replay and building tables, beside figures that were published.

    On a made-up cluster and capture, the same everywhere; they are made first, and gone afterwards.
    """
    from ..report import pace as report
    from .console import emit_json, emit_report
    from .machine import machine_words, peak_bytes

    with TemporaryDirectory() as folder:
        result = measure(size, threads, Path(folder))
    figures = report.pace_json(
        result, size, peak_bytes(), machine_words(), version("flowverdict"), published().get(size)
    )
    if format_ == "json":
        emit_json(figures)
    else:
        emit_report(report.pace(figures))


def measure(size: str, threads: int | None, folder: Path) -> Pace:
    """Make a cluster and a capture, and measure on them."""
    from loaders import load_manifests, open_capture
    from loaders.synthetic.cluster import generate_cluster
    from loaders.synthetic.flows import generate_flows

    from ..analyses.pace import allowing, measure_pace
    from ..tables.build import build_tables
    from .machine import forget_peak
    from .progress import progress

    click.echo(f"making a cluster of size {size} and {FLOWS[size]:,} flows", err=True)
    generate_cluster(size, SEED, folder)
    snapshot = load_manifests([str(folder)])
    expected = allowing(build_tables(snapshot.cluster, snapshot.policies))
    capture = folder / "flows.parquet"
    generate_flows(snapshot.cluster, FLOWS[size], SEED, capture, ipv6=0.0, expected=expected)
    del expected
    forget_peak()
    with progress("measuring") as advance:
        return measure_pace(
            snapshot.cluster, snapshot.policies, open_capture([str(capture)]), threads=threads, progress=advance
        )


def published() -> dict[str, Any]:
    """Read the published figures, by size."""
    import msgspec

    found: dict[str, Any] = msgspec.json.decode(files(__package__).joinpath(PUBLISHED).read_bytes())
    return found
