"""``flowverdict probes``: connections to try on the cluster, with what should come out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from ..model.addresses import Address
from .options import profile_options, source_options

if TYPE_CHECKING:
    from .inputs import Sources, WantedProfile

IMAGE = "nicolaka/netshoot"


def _outside(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> tuple[tuple[Address, int], ...]:
    found = []
    for text in texts:
        address, colon, port = text.rpartition(":")
        try:
            found.append((Address.parse(address.strip("[]")), int(port)))
        except ValueError:
            colon = ""
        if not colon or not 1 <= found[-1][1] <= 65535:
            raise click.BadParameter(f"{text!r} is not ADDRESS:PORT, such as 203.0.113.7:443 or [2001:db8::7]:443")
    return tuple(found)


def _image(_: click.Context, __: click.Parameter, text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", text):
        raise click.BadParameter(f"{text!r} is no name of an image, such as {IMAGE}")
    return text


@click.command("probes")
@source_options
@click.option(
    "--outside",
    metavar="ADDRESS:PORT",
    multiple=True,
    callback=_outside,
    help="An address outside the cluster that answers on this TCP port, to be tried from every source. Repeatable.",
)
@click.option(
    "--image", default=IMAGE, show_default=True, callback=_image, help="An image that has nc, nslookup and curl."
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    metavar="N",
    help="Most connections between pods to try; lookups and addresses outside come besides.",
)
@profile_options
@click.option(
    "--format",
    "format_",
    type=click.Choice(("script", "jobs")),
    default="script",
    show_default=True,
    help="A bash script that goes through kubectl, or manifests of Jobs.",
)
def command(
    sources: Sources,
    outside: tuple[tuple[Address, int], ...],
    image: str,
    limit: int,
    wanted: WantedProfile,
    format_: str,
) -> None:
    """Write connections to try on the cluster, to see whether it enforces its policies as judged here.

    Between each pair of classes of pods that policies do not tell apart, a port that is open and one that is closed,
    as far as there is room; and a lookup of each source. The results are a test file: flowverdict check RESULTS.yaml
    says what came out differently.
    """
    from ..advice.probes import choose_probes
    from ..analyses.connectivity import connectivity
    from ..report.probes import probe_jobs, probe_lines, probe_script
    from ..tables.build import build_tables
    from .console import emit
    from .inputs import Gathering

    inputs = Gathering(sources, wanted).finish()
    found = connectivity(build_tables(inputs.cluster, inputs.after, profile=inputs.profile))
    chosen = choose_probes(inputs.cluster, inputs.after, inputs.profile, found, limit, outside)
    for line in probe_lines(chosen):
        click.echo(line, err=True)
    emit(probe_script(chosen, image) if format_ == "script" else probe_jobs(chosen, image))
