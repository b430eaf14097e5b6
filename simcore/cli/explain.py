"""``flowverdict explain``: why one connection is allowed or denied."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..errors import Place
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, TCP, protocol_name
from .options import Protocol, format_option, profile_options, request_options, source_options

if TYPE_CHECKING:
    from ..model.requests import Request
    from ..report.explain import Others
    from .inputs import Sources, WantedProfile
    from .names import Party


@click.command("explain")
@click.argument("source")
@click.argument("destination")
@source_options
@click.option(
    "--port", type=click.IntRange(1, LAST_PORT), metavar="N", help="Destination port, as the client dials it."
)
@click.option("--protocol", type=Protocol(), default=TCP, show_default="TCP", help="TCP, UDP, SCTP, ICMP, or a number.")
@request_options
@profile_options
@format_option("text", "json")
def command(
    source: str,
    destination: str,
    sources: Sources,
    port: int | None,
    protocol: int,
    request: Request | None,
    wanted: WantedProfile,
    format_: str,
) -> None:
    """Tell why one connection is allowed or denied, rule by rule.

    SOURCE and DESTINATION are namespace/pod, namespace/Kind/name (a controller or a Service), or an address.
    Exit code 0, whatever the verdict.
    """
    from ..report import explain as report
    from ..report.enforcement import headed, json_with
    from .console import emit_json, emit_report
    from .inputs import Gathering
    from .judging import Judge, differences
    from .names import Names, unknown_names

    _check_port(protocol, port)
    asked = (source, Place("SOURCE")), (destination, Place("DESTINATION"))
    inputs = Gathering(sources, wanted).finish(lambda cluster: unknown_names(cluster, asked) if cluster else ())
    names = Names(inputs.cluster)
    parties = names.party(source), names.party(destination)
    judge = Judge(inputs.cluster, inputs.after, inputs.profile)
    answers = judge.answers(*parties, protocol, port, request)
    trace = judge.reference.explain(answers[0][0])
    others = _others(parties, differences(answers))
    if format_ == "json":
        emit_json(json_with(report.explain_json(trace, source, destination, others), inputs.enforcement))
    else:
        emit_report(headed(report.explain(trace, source, destination, others), inputs.enforcement))


def _check_port(protocol: int, port: int | None) -> None:
    if port is None and protocol in PORT_PROTOCOLS:
        raise click.UsageError(f"{protocol_name(protocol)} needs --port N")
    if port is not None and protocol not in PORT_PROTOCOLS:
        raise click.UsageError(f"{protocol_name(protocol)} has no ports; leave --port out")


def _others(parties: tuple[Party, Party], different: tuple[str, ...]) -> Others:
    """Say what becomes of the pods that are not the first of their workload."""
    from ..report.explain import Others

    several = " and ".join(party.text for party in parties if len(party.pods) > 1)
    if not several:
        return Others()
    if different:
        return Others(differences=(f"The pods of {several} differ; the first is shown: {'; '.join(different)}.",))
    return Others(notes=(f"The first pod of {several} is shown; the others have the same verdict.",))
