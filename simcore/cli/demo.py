"""``flowverdict demo``: the whole way once, on made-up files that stay behind."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import limit_option

if TYPE_CHECKING:
    from loaders.synthetic.demo import DemoFiles

    from ..model.groups import FlowGroup
    from ..report.demo import Step


PRESET = "kube-proxy"
"""Whose conntrack tables the demo's nodes have."""


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default="flowverdict-demo",
    show_default=True,
    metavar="DIR",
    help="Folder for the files.",
)
@limit_option
def command(out: str, limit: int) -> None:
    """Show what a policy change would cut in a made-up cluster.

    Writes a cluster, its policies, a capture and a change, runs the what-if, names the commands that do so by hand, and
    sizes the conntrack tables of the nodes before and after the change.
    """
    from loaders import open_capture
    from loaders.synthetic.demo import write_demo

    from ..analyses.sizing.sizing import Assumptions, SizingOptions, size
    from ..analyses.whatif import whatif
    from ..model.conntrack import PRESETS
    from ..report.demo import demo
    from ..report.sizing import sizing_brief
    from ..report.whatif import whatif as whatif_report
    from .console import emit, emit_report
    from .inputs import Gathering, Sources, WantedProfile
    from .progress import progress

    files = write_demo(out)
    sources = Sources((str(files.cluster),), (str(files.policies),), applied=(str(files.change),))
    inputs = Gathering(sources, WantedProfile()).finish()
    capture = open_capture([str(files.capture)])
    with progress("replaying") as advance:
        result = whatif(capture, inputs.cluster, inputs.before, inputs.after, inputs.profile, progress=advance)
    emit_report(whatif_report(result, limit, inputs.profile.on_change))
    emit("\n")
    written = [str(getattr(files, field.name)) for field in fields(files)]
    emit_report(demo(written, steps(files, result.groups)))
    emit("\n")
    with progress("sizing") as advance:
        sized = size(
            capture,
            inputs.cluster,
            Assumptions(inputs.before, PRESETS[PRESET]),
            Assumptions(inputs.after, PRESETS[PRESET]),
            inputs.profile,
            SizingOptions(preset=PRESET),
            changes=[f"apply {files.change}"],
            progress=advance,
        )
    emit_report(sizing_brief(sized, limit))


def program() -> str:
    """Return what to type to run this program: its name where the shell finds it, else its path as it was given."""
    name = "flowverdict"
    return name if shutil.which(name) or Path(sys.argv[0]).name != name else sys.argv[0]


def steps(files: DemoFiles, groups: Sequence[FlowGroup]) -> list[Step]:
    """Name the commands that do by hand what the demo did, and what to look at next."""
    from ..report.demo import first_loss, loss_words
    from ..report.words import protocol_json

    def command_of(name: str, *arguments: str | Path) -> str:
        inputs = ("--cluster", files.cluster, "--policies", files.policies)
        return shlex.join([program(), *map(str, (name, *arguments, *inputs))])

    change = ("--apply", files.change)
    verdicts = files.capture.with_name("verdicts.parquet")
    found = [
        ("The what-if above", command_of("whatif", files.capture, *change)),
        ("The connections that must work, before the change", command_of("check", files.tests)),
        ("The same after it", command_of("check", files.tests, *change)),
    ]
    if loss := first_loss(groups):
        asked = (
            loss.source,
            loss.destination,
            "--port",
            str(loss.port),
            "--protocol",
            str(protocol_json(loss.protocol)),
        )
        found.append((loss_words(loss), command_of("explain", *asked, *change)))
    found.append(("A verdict for every flow", command_of("replay", files.capture, "-o", verdicts)))
    plot = ("--preset", PRESET, "--plot", files.capture.with_name("occupancy.svg"))
    found.append(
        ("The conntrack tables below, in full, with a plot", command_of("size", files.capture, *change, *plot))
    )
    return found
