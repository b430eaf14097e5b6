"""``flowverdict reach``: all connections that the policies allow."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import Place
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, PROTOCOL_NAMES, PROTOCOL_NUMBERS, TCP, PortRange
from .options import format_option, limit_option, profile_options, source_options

if TYPE_CHECKING:
    from ..analyses.connectivity import Exposure
    from ..analyses.connectivity.listing import Listing
    from .choosing import Chooser
    from .inputs import Inputs, Sources, WantedProfile

FORMATS = ("text", "json", "csv", "md", "dot", "svg", "parquet", "npa-txt", "npa-csv")
NPA = ("npa-txt", "npa-csv")
EXPOSING = ("text", "json", "md", *NPA)


@click.command("reach")
@source_options
@click.option(
    "--from",
    "sources_asked",
    metavar="SEL",
    multiple=True,
    help="Sources to show: a namespace, namespace/workload, namespace/pod, node/NAME, labels (app=web,tier!=db), an "
    "address, or a block outside the cluster. Repeatable; all without it.",
)
@click.option("--to", "destinations_asked", metavar="SEL", multiple=True, help="Destinations to show, likewise.")
@click.option("--port", type=click.IntRange(1, LAST_PORT), metavar="N", help="Show this destination port only.")
@click.option(
    "--protocol",
    type=click.Choice([PROTOCOL_NAMES[number] for number in PORT_PROTOCOLS], case_sensitive=False),
    help="Show this protocol only; TCP where --port is given alone.",
)
@click.option(
    "--exposure",
    "is_exposure",
    is_flag=True,
    help="Tell besides what is open to pods that do not exist yet, and which workloads no policy binds; as text, json, "
    "md, npa-txt or npa-csv. Of the workloads of --from what they may reach, of those of --to who may reach them.",
)
@click.option(
    "--output",
    "-o",
    metavar="OUT.parquet",
    type=click.Path(dir_okay=False),
    help="Where --format parquet is written.",
)
@profile_options
@limit_option
@format_option(*FORMATS)
def command(
    sources: Sources,
    sources_asked: tuple[str, ...],
    destinations_asked: tuple[str, ...],
    port: int | None,
    protocol: str | None,
    is_exposure: bool,
    output: str | None,
    wanted: WantedProfile,
    limit: int,
    format_: str,
) -> None:
    """Show all connections that the policies allow, between workloads, with nodes, and with addresses outside.

    Needs no capture. Sources that may reach the same are shown together; what cannot be told is marked unknown.
    """
    from .choosing import Chooser, unknown_choices
    from .inputs import Gathering
    from .outputs import check_writable

    if is_exposure and format_ not in EXPOSING:
        raise click.UsageError(f"--exposure has no place in {format_}: use {', '.join(EXPOSING)}")
    if is_exposure and sources_asked and destinations_asked:
        raise click.UsageError("--exposure tells of the workloads of --from, or of those of --to: give one of them")
    if (output is None) == (format_ == "parquet"):
        raise click.UsageError("--format parquet and --output OUT.parquet go together; redirect the other formats")
    if output is not None:
        check_writable(output, sources)
    asked = [*((text, Place(f"--from {text}")) for text in sources_asked)]
    asked += [(text, Place(f"--to {text}")) for text in destinations_asked]
    inputs = Gathering(sources, wanted).finish(lambda cluster: unknown_choices(cluster, asked) if cluster else ())
    question = _Question(
        inputs, format_ in NPA, Chooser(inputs.cluster), sources_asked, destinations_asked, _ports(port, protocol)
    )
    found, exposed = _listing(question), _exposure(question) if is_exposure else None
    if output is not None:
        _write(found, output)
    else:
        _emit(found, exposed, inputs, format_, limit)


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked about, as it was written, in a cluster."""

    inputs: Inputs
    is_npa: bool
    chooser: Chooser
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    ports: PortRange | None


def _ports(port: int | None, protocol: str | None) -> PortRange | None:
    if port is None and protocol is None:
        return None
    number = PROTOCOL_NUMBERS[protocol.upper()] if protocol else TCP
    return PortRange(number, port, port) if port is not None else PortRange(number)


def _listing(asked: _Question) -> Listing:
    from ..analyses.connectivity import connectivity
    from ..analyses.connectivity.classes import workload_name
    from ..analyses.connectivity.listing import listing
    from ..report.npa import npa_name
    from ..tables.build import build_tables

    inputs, chosen = asked.inputs, asked.chooser.chosen
    tables = build_tables(inputs.cluster, inputs.after, profile=inputs.profile)
    found = connectivity(tables, name=npa_name if asked.is_npa else workload_name, nodes=not asked.is_npa)
    return listing(found, inputs.cluster, chosen(asked.sources), chosen(asked.destinations), asked.ports)


def _exposure(asked: _Question) -> Exposure:
    """Tell of the workloads that were asked about, of all where none was."""
    from ..analyses.connectivity import exposure
    from ..analyses.connectivity.classes import workload_name
    from ..model.policy import Direction
    from ..report.npa import npa_name

    inputs, name = asked.inputs, npa_name if asked.is_npa else workload_name
    found = exposure(inputs.cluster, inputs.after, inputs.profile, "selectors" if asked.is_npa else "labels", name)
    every = {one.workload for one in found.exposed}
    ways = {
        Direction.EGRESS: (asked.sources, asked.destinations),
        Direction.INGRESS: (asked.destinations, asked.sources),
    }
    wanted = {}
    for direction, (own, others) in ways.items():
        chosen = asked.chooser.chosen(own)
        if not others:
            wanted[direction] = {name(inputs.cluster.pods[pod]) for pod in chosen.pods} if chosen else every
    return found.chosen(wanted, asked.ports)


def _write(found: Listing, output: str) -> None:
    from ..analyses.connectivity.columns import write_reach
    from ..report.ends import end_text

    rows = write_reach(Path(output), found, end_text)
    click.echo(f"{rows:,} rows in {output}", err=True)


def _emit(found: Listing, exposed: Exposure | None, inputs: Inputs, format_: str, limit: int) -> None:
    from ..report import reach
    from ..report.enforcement import headed, json_with
    from .console import emit, emit_json, emit_report

    if format_ == "text":
        emit_report(headed(reach.reach(found, limit, exposed), inputs.enforcement))
    elif format_ == "json":
        emit_json(json_with(reach.reach_json(found, exposed), inputs.enforcement))
    elif format_ == "csv":
        emit(reach.reach_csv(found))
    elif format_ == "md":
        emit(reach.reach_markdown(found, limit, exposed))
    elif format_ in NPA:
        emit(_npa(found, exposed, format_))
    else:
        emit(_picture(found, format_))


def _npa(found: Listing, exposed: Exposure | None, format_: str) -> str:
    from ..report import npa, npa_exposure

    doubtful = sum(bool(ports.unknown) for _, _, ports in found.pairs())
    if doubtful:
        click.echo(f"warning: {doubtful:,} pairs have ports that cannot be told; {format_} leaves them out", err=True)
    rows = npa.npa_rows(found)
    if format_ == "npa-txt":
        return npa.npa_txt(rows) + (npa_exposure.exposure_txt(exposed, found) if exposed else "")
    return npa.npa_csv(rows) + (npa_exposure.exposure_csv(exposed, found) if exposed else "")


def _picture(found: Listing, format_: str) -> str:
    from ..analyses.connectivity.blocks import blocks
    from ..report.reach_dot import reach_dot
    from ..report.reach_svg import MOST_ENDS, reach_svg

    return reach_dot(found) if format_ == "dot" else reach_svg(found, blocks(found, MOST_ENDS))
