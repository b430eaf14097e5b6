"""``flowverdict diagnose``: why two ends do not talk, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from ..errors import Diagnostic, Place, ResolveError, Severity
from ..model.addresses import Address
from ..model.flows import Verdict
from ..model.ports import LAST_PORT, PORT_PROTOCOLS, protocol_name
from .capture_options import opening_options
from .captures import CaptureInput, report_damage
from .declared import dialled
from .options import Protocol, format_option, profile_options, source_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loaders.documents import Document

    from ..advice.diagnosis import Asked, Context, Inquiry
    from ..advice.diagnosis.tracking import NodeTable
    from ..model.cluster import Cluster, Service
    from ..model.flows import Capture
    from .inputs import Inputs, Sources, WantedProfile
    from .names import Party


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, as it was written."""

    ends: tuple[str, str]
    protocol: int | None
    port: int | None
    expected: Verdict | None


EXPECTED = {"allow": Verdict.ALLOW, "deny": Verdict.DENY}


@click.command("diagnose")
@opening_options("CAPTURE", required=False)
@click.argument("source")
@click.argument("destination")
@source_options
@click.option(
    "--port",
    type=click.IntRange(1, LAST_PORT),
    metavar="N",
    help="Destination port, as the client dials it; without it the only one of the Service or of the pod.",
)
@click.option("--protocol", type=Protocol(), help="TCP, UDP, SCTP, ICMP, or a number; TCP where --port is given alone.")
@click.option(
    "--expect",
    type=click.Choice(list(EXPECTED)),
    help="What should become of the connection. deny: tell why it works though it should not.",
)
@click.option(
    "--conntrack-max",
    "maximum",
    type=click.IntRange(min=1),
    metavar="N",
    help="nf_conntrack_max as the nodes have it; what kube-proxy sets without it.",
)
@profile_options
@format_option("text", "json")
@click.pass_context
def command(
    ctx: click.Context,
    captured: CaptureInput,
    source: str,
    destination: str,
    sources: Sources,
    port: int | None,
    protocol: int | None,
    expect: str | None,
    maximum: int | None,
    wanted: WantedProfile,
    format_: str,
) -> None:
    """Find out why two ends of a cluster do not talk, step by step: DNS first, then everything between them.

    SOURCE and DESTINATION are namespace/pod, namespace/Kind/name (a controller or a Service), or an address; name the
    Service where clients do. With a CAPTURE, what was really seen and the nodes' connection tracking are told too.
    Exit code 0 where nothing was found, 1 where a cause was.
    """
    from ..advice.diagnosis import diagnose
    from ..report import diagnose as report
    from ..report.enforcement import headed, json_with
    from .console import emit_json, emit_report

    _check_port(protocol, port)
    question = Question((source, destination), protocol, port, EXPECTED.get(expect or ""))
    context = _context(captured, sources, wanted, question, maximum)
    result = diagnose(context)
    if format_ == "json":
        emit_json(json_with(report.diagnosis_json(result, context.inquiry), context.enforcement))
    else:
        emit_report(headed(report.diagnosis(result, context.inquiry), context.enforcement))
    ctx.exit(0 if result.conclusion.is_fine else 1)


def _check_port(protocol: int | None, port: int | None) -> None:
    if port is not None and protocol is not None and protocol not in PORT_PROTOCOLS:
        raise click.UsageError(f"{protocol_name(protocol)} has no ports; leave --port out")


def _context(
    captured: CaptureInput,
    sources: Sources,
    wanted: WantedProfile,
    question: Question,
    maximum: int | None,
) -> Context:
    """Load what was given, and put the question."""
    from loaders import Originals

    from ..advice.diagnosis import Context
    from .inputs import Gathering

    originals = Originals()
    gathering = Gathering(sources, wanted, originals)
    capture = gathering.attempt(captured.open) if captured.paths else None
    inputs = gathering.finish(lambda cluster: _unknown_ends(cluster, question) if cluster else ())
    inquiry = _inquiry(inputs, question)
    told = {document.place(): _creation_time(document) for document in originals.documents}
    context = Context(
        inputs.cluster,
        inputs.after,
        inputs.profile,
        inputs.enforcement,
        inquiry,
        inputs.unenforced,
        inputs.before if sources.name_a_change else None,
        created={policy.ref: time for policy in inputs.after if (time := told.get(policy.place, ""))},
    )
    return context if capture is None else _with_capture(context, capture, maximum)


def _creation_time(document: Document) -> str:
    """Return when an object was made, as the API server wrote it; empty where it does not say."""
    value = document.value
    metadata = value.get("metadata") if isinstance(value, dict) else None
    time = metadata.get("creationTimestamp") if isinstance(metadata, dict) else None
    return time if isinstance(time, str) else ""


def _unknown_ends(cluster: Cluster, question: Question) -> Iterator[Diagnostic]:
    """Tell of ends that stand for nothing, and of a port that is not known.

    A Service that nobody is behind is worth a diagnosis.
    """
    for text, place in zip(question.ends, ("SOURCE", "DESTINATION"), strict=True):
        try:
            party = _party(cluster, text, is_source=place == "SOURCE")
            if place == "DESTINATION":
                dialled(cluster, _asked(cluster, text, party), question.protocol, question.port)
        except ResolveError as error:
            yield Diagnostic(Severity.ERROR, Place(place), str(error))


def _party(cluster: Cluster, text: str, *, is_source: bool) -> Party | None:
    """Return what a name stands for; None for a Service without address that nobody is behind."""
    from .names import Names

    service = _service_named(cluster, text)
    try:
        return Names(cluster).party(text)
    except ResolveError:
        if is_source or service is None or service.external_name:
            raise
        return None


def _service_named(cluster: Cluster, text: str) -> Service | None:
    """Return the Service of a name, or of an address."""
    parts = text.split("/")
    if len(parts) == 3 and parts[1].lower() in ("svc", "service", "services"):
        found = (s for s in cluster.services if (s.namespace, s.name) == (parts[0], parts[2]))
        return next(found, None)
    try:
        address = Address.parse(text)
    except ValueError:
        return None
    return next((service for service in cluster.services if address in service.addresses), None)


def _inquiry(inputs: Inputs, question: Question) -> Inquiry:
    from ..advice.diagnosis import Inquiry
    from .judging import Judge

    cluster = inputs.cluster
    source = _party(cluster, question.ends[0], is_source=True)
    destination = _party(cluster, question.ends[1], is_source=False)
    assert source is not None
    if (behind := _pods_behind(cluster, question.ends[0])) is not None:
        source = behind
    asked = _asked(cluster, question.ends[1], destination)
    wanted = dialled(cluster, asked, question.protocol, question.port)
    answers = []
    if destination is not None:
        judge = Judge(cluster, inputs.after, inputs.profile)
        answers = judge.answers(source, destination, wanted.protocol, wanted.port)
    return Inquiry(
        _asked(cluster, question.ends[0], source),
        asked,
        wanted.protocol,
        wanted.port,
        tuple(flow for flow, _ in answers),
        question.expected,
        wanted.reason,
    )


def _pods_behind(cluster: Cluster, text: str) -> Party | None:
    """Return the pods of a Service, which is a source only by them; None where another end is named."""
    from ..advice.diagnosis.service import backends
    from .names import Party

    service = _service_named(cluster, text)
    pods = () if service is None else backends(cluster, service)
    return Party(text, pods) if pods else None


def _asked(cluster: Cluster, text: str, party: Party | None) -> Asked:
    from ..advice.diagnosis import Asked
    from ..advice.diagnosis.service import backends

    service = _service_named(cluster, text)
    if party is None:
        return Asked(text, service=service)
    pods = party.pods if service is None else backends(cluster, service)
    return Asked(text, pods, party.addresses, service)


def _with_capture(context: Context, capture: Capture, maximum: int | None) -> Context:
    """Add what a capture tells of the two ends, and of the nodes."""
    from dataclasses import replace

    from ..advice.diagnosis.seen import look
    from ..analyses.sessions.orientation import has_times

    asked = context.inquiry.port
    ports = {pair.port for pair in context.pairs if pair.port is not None} | ({asked} if asked is not None else set())
    seen = look(capture, context.cluster, context.inquiry, sorted(ports))
    tables = _tables(capture, context, maximum) if has_times(capture) else None
    report_damage(capture)
    return replace(context, seen=seen, tables=tables)


def _tables(capture: Capture, context: Context, maximum: int | None) -> tuple[NodeTable, ...]:
    """Size the conntrack tables of every node for a capture."""
    from ..advice.diagnosis.tracking import NodeTable
    from ..analyses.sizing.sizing import Assumptions, SizingOptions, size
    from ..model.conntrack import PRESETS
    from .progress import progress

    preset = "cilium" if context.profile.cilium else "kube-proxy"
    with progress("counting connections") as advance:
        result = size(
            capture,
            context.cluster,
            Assumptions(context.policies, PRESETS[preset]),
            None,
            context.profile,
            SizingOptions(preset, maximum),
            progress=advance,
        )
    return tuple(
        NodeTable(table.node, table.table, table.peak_allocated, table.current.entries, table.turned_away)
        for table in result.baseline.tables
    )
