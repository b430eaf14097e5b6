"""``flowverdict whatif``: which connections a policy change would cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..model.policy import Policy
from ..model.profile import Profile
from .options import capture_options, cluster_option, format_option, limit_option, set_option

if TYPE_CHECKING:
    from ..analyses.whatif import WhatIfResult

FAIL_ON = ("lost", "gained", "changed", "unknown")


@click.command("whatif")
@cluster_option
@capture_options
@click.option(
    "--candidate",
    metavar="PATH",
    multiple=True,
    help="The whole set of policies after the change. Repeatable.",
)
@click.option(
    "--apply",
    "applied",
    metavar="PATH",
    multiple=True,
    help="Policies to add or replace, as kubectl apply does. Repeatable.",
)
@click.option(
    "--delete",
    "deleted",
    metavar="KIND/NAMESPACE/NAME",
    multiple=True,
    help="A policy to delete, such as netpol/shop/web. Repeatable.",
)
@click.option(
    "--baseline",
    "--policies",
    "-p",
    "baseline_paths",
    metavar="PATH",
    multiple=True,
    help="Policies before the change, instead of the cluster's own. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    multiple=True,
    help="Exit with 1 if any flow changes so; changed is any of the others. Repeatable.",
)
@set_option
@limit_option
@format_option("text", "json")
@click.pass_context
def command(
    ctx: click.Context,
    capture_paths: tuple[str, ...],
    cluster_paths: tuple[str, ...],
    candidate: tuple[str, ...],
    applied: tuple[str, ...],
    deleted: tuple[str, ...],
    baseline_paths: tuple[str, ...],
    fail_on: tuple[str, ...],
    mapping: dict[str, str],
    output: str | None,
    threads: int | None,
    batch_rows: int | None,
    profile: Profile,
    limit: int,
    format_: str,
) -> None:
    """Show which connections of a capture a policy change would cut or open, and which rules decide.

    The change is a whole new set (--candidate), policies to add or replace (--apply), policies to delete
    (--delete), or several of these: deletions come first, then what is applied. CAPTURE is Parquet: a file,
    several, or a folder.
    """
    from loaders import open_capture

    from ..analyses.whatif import whatif
    from ..report import whatif as report
    from .console import emit_json, emit_report
    from .inputs import Gathering, complete
    from .progress import progress
    from .running import settings

    if not (candidate or applied or deleted):
        raise click.UsageError("name the change: --candidate PATH, --apply PATH or --delete KIND/NAMESPACE/NAME")
    gathering = Gathering(profile)
    capture = gathering.attempt(lambda: open_capture(capture_paths, mapping))
    loaded = gathering.inputs(cluster_paths, baseline_paths)
    whole = gathering.policies(candidate) if candidate else None
    edits = gathering.policies(applied) if applied else ()
    inputs = complete(gathering, loaded)
    assert capture is not None and edits is not None
    after = changed(inputs.policies if whole is None else whole, deleted, edits)
    with progress("replaying") as advance:
        result = whatif(
            capture,
            inputs.cluster,
            inputs.policies,
            after,
            profile,
            **settings(threads, batch_rows, output),
            progress=advance,
        )
    if format_ == "json":
        emit_json(report.whatif_json(result))
    else:
        emit_report(report.whatif(result, limit, profile.on_change))
    ctx.exit(1 if fails(result, fail_on) else 0)


def changed(policies: tuple[Policy, ...], deleted: tuple[str, ...], edits: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """Return the policies after the change.

    Raises
    ------
    ResolveError
        A policy to delete is not there.
    """
    from loaders import apply, delete

    for name in deleted:
        policies = delete(policies, name)
    return apply(policies, edits)


def fails(result: WhatIfResult, fail_on: tuple[str, ...]) -> bool:
    """Whether there are flows that the user does not want to see."""
    counts = {"lost": result.lost, "gained": result.gained, "unknown": result.unknown}
    counts["changed"] = sum(counts.values())
    return any(counts[name] for name in fail_on)
