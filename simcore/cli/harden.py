"""``flowverdict harden``: policies that close namespaces, but for what they need."""

from __future__ import annotations

import click

from .capture_options import optional_reading_options
from .captures import CaptureInput
from .inputs import Gathering, Sources, WantedProfile
from .options import hardening_options, limit_option, profile_options
from .proposing import STDOUT, ManifestPath
from .stateful import StatefulArguments, stateful_options

PARTS = ("default-deny", "dns", "same-namespace", "monitoring", "api-server")
_LENGTHS = range(8, 33)
"""Prefix lengths that blocks may be widened to."""


def _external(_: click.Context, __: click.Parameter, word: str) -> str:
    if word in ("auto", "exact", "any") or (word.startswith("/") and word[1:] in map(str, _LENGTHS)):
        return word
    raise click.BadParameter(f"{word!r} is neither auto, exact, any nor a length from /8 to /32, such as /24")


@click.command("harden")
@optional_reading_options
@hardening_options
@click.option("--namespace", "-n", "namespaces", metavar="N", multiple=True, help="A namespace to close. Repeatable.")
@click.option("--all-namespaces", "-A", is_flag=True, help="Every namespace but those of Kubernetes itself (kube-*).")
@click.option("--from-capture", is_flag=True, help="Allow what CAPTURE shows, workload by workload, and nothing else.")
@click.option(
    "--without",
    type=click.Choice(PARTS),
    multiple=True,
    help="Leave a part out, where there is no capture. Repeatable.",
)
@click.option(
    "--monitoring",
    metavar="NAMESPACE[/LABEL=VALUE,...]",
    multiple=True,
    help="Who scrapes metrics; found by the labels of Prometheus without it. Repeatable.",
)
@click.option(
    "--external",
    metavar="WORD",
    default="auto",
    show_default=True,
    callback=_external,
    help="How addresses outside become blocks, from a capture: exact; /24 or another length; any, the Internet; auto: "
    "exact where they are few, else wider.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(("yaml", "kyverno")),
    default="yaml",
    show_default=True,
    help="NetworkPolicies, or a Kyverno ClusterPolicy that makes them in every namespace.",
)
@click.option(
    "--output",
    "-o",
    metavar="OUT.yaml",
    type=ManifestPath(dir_okay=False, allow_dash=True),
    default=STDOUT,
    help="Where to write the policies; standard output without it, and then the report goes to standard error.",
)
@profile_options
@stateful_options
@limit_option
@click.pass_context
def command(
    ctx: click.Context,
    captured: CaptureInput,
    sources: Sources,
    namespaces: tuple[str, ...],
    all_namespaces: bool,
    from_capture: bool,
    without: tuple[str, ...],
    monitoring: tuple[str, ...],
    external: str,
    format_: str,
    output: str,
    threads: int | None,
    batch_rows: int | None,
    wanted: WantedProfile,
    stateful: StatefulArguments,
    limit: int,
) -> None:
    """Propose NetworkPolicies that close namespaces both ways, but for what is needed.

    Without a capture: what any namespace begins with. With --from-capture, the fewest rules that keep what CAPTURE
    shows, each with the flows that speak for it; they stand in place of the NetworkPolicies of these namespaces, and
    the capture is replayed under them: exit code 1 where anything is lost.
    """
    from .hardening import baseline, chosen_namespaces, external_of, observed, unknown_namespaces
    from .outputs import check_writable
    from .running import reading

    if bool(namespaces) == all_namespaces:
        raise click.UsageError("name the namespaces: --namespace N, repeatable, or --all-namespaces")
    if from_capture != bool(captured.paths):
        raise click.UsageError("--from-capture and CAPTURE go together: harden --from-capture flows.parquet ...")
    if from_capture and (without or monitoring or format_ == "kyverno"):
        raise click.UsageError("--without, --monitoring and --format kyverno are for namespaces without a capture")
    if output != STDOUT:
        check_writable(output, sources, captured.paths)
    gathering = Gathering(sources, wanted)
    capture = gathering.attempt(captured.open) if from_capture else None
    inputs = gathering.finish(unknown_namespaces(namespaces))
    chosen, skipped = chosen_namespaces(inputs.cluster, namespaces)
    if capture is None:
        made = baseline(inputs, chosen, skipped, without, monitoring, is_open_ended=all_namespaces, format_=format_)
    else:
        reading_ = {**reading(threads, batch_rows), "stateful": stateful.options(capture)}
        made = observed(capture, inputs, chosen, skipped, external_of(external), limit, output, reading_)
    made.write(output)
    ctx.exit(0 if made.keeps_all else 1)
