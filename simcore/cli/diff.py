"""``flowverdict diff``: what becomes of all possible connections."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import click

from ..errors import Diagnostic, LoadError, Place, Severity
from .options import format_option, limit_option, profile_options, shared_cluster_options

if TYPE_CHECKING:
    from ..analyses.connectivity.differences import Differences
    from ..analyses.connectivity.units import Side, Unit
    from ..model.cluster import Cluster
    from ..model.policy import Policy
    from ..report.diff import Judge, Judged
    from .inputs import Inputs, Sources, WantedProfile

    Sides = tuple[tuple[Inputs, tuple[Policy, ...]], tuple[Inputs, tuple[Policy, ...]]]

FAIL_ON = ("lost", "gained", "changed", "unknown")


@click.command("diff")
@click.argument("one", metavar="BASELINE")
@click.argument("other", metavar="CANDIDATE")
@shared_cluster_options
@click.option(
    "--fail-on",
    type=click.Choice(FAIL_ON),
    multiple=True,
    help="Exit with 1 if any pair changes so; changed is any of the others. Repeatable.",
)
@profile_options
@limit_option
@format_option("text", "json", "md", "npa-txt")
@click.pass_context
def command(
    ctx: click.Context,
    one: str,
    other: str,
    sources: Sources,
    fail_on: tuple[str, ...],
    wanted: WantedProfile,
    limit: int,
    format_: str,
) -> None:
    """Show which connections are possible under CANDIDATE and not under BASELINE, and the reverse.

    Needs no capture. Both are policies for one --cluster, or, without it, manifests or snapshots of a cluster with its
    policies each. Every port that is lost or gained is told with the rules that decide on both sides.
    """
    from ..report import diff as report
    from ..report.npa import npa_diff
    from .console import emit, emit_json, emit_report

    sides = _loaded(one, other, sources, wanted)
    found = _differences(sides, is_npa=format_ == "npa-txt")
    judge = _judge(sides)
    enforcement = sides[1][0].enforcement
    if format_ == "npa-txt":
        emit(npa_diff(found))
    elif format_ == "md":
        emit(report.diff_markdown(found, judge, limit))
    elif format_ == "json":
        from ..report.enforcement import json_with

        emit_json(json_with(report.diff_json(found, judge), enforcement))
    else:
        from ..report.enforcement import headed

        emit_report(headed(report.diff(found, judge, limit), enforcement))
    ctx.exit(1 if fails(found, fail_on) else 0)


def _loaded(baseline: str, candidate: str, sources: Sources, wanted: WantedProfile) -> Sides:
    """Load both sides: policies for one cluster, or a cluster each."""
    from .inputs import Gathering

    if sources.cluster:
        inputs = Gathering(replace(sources, policies=(baseline,), candidate=(candidate,)), wanted).finish()
        return (inputs, inputs.before), (inputs, inputs.after)
    errors: list[Diagnostic] = []
    found: list[Inputs] = []
    for path in (baseline, candidate):
        try:
            found.append(_whole(path, sources, wanted))
        except LoadError as error:
            errors += error.diagnostics
    if errors:
        raise LoadError(dict.fromkeys(errors))
    return (found[0], found[0].after), (found[1], found[1].after)


def _whole(path: str, sources: Sources, wanted: WantedProfile) -> Inputs:
    """Load a side that brings its own cluster."""
    from .inputs import Gathering

    def without_pods(cluster: Cluster | None) -> list[Diagnostic]:
        message = "this holds no workload. Name the cluster with --cluster, or give a folder that has its workloads too"
        is_empty = cluster is not None and not any(pod.is_plain for pod in cluster.pods)
        return [Diagnostic(Severity.ERROR, Place(path), message)] if is_empty else []

    return Gathering(replace(sources, cluster=(path,)), wanted).finish(without_pods)


def _differences(sides: Sides, *, is_npa: bool) -> Differences:
    from ..analyses.connectivity import connectivity
    from ..analyses.connectivity.classes import workload_name
    from ..analyses.connectivity.differences import differences
    from ..analyses.connectivity.units import Side
    from ..report.npa import npa_name
    from ..tables.build import build_tables

    name = npa_name if is_npa else workload_name

    def side(inputs: Inputs, policies: tuple[Policy, ...]) -> Side:
        tables = build_tables(inputs.cluster, policies, profile=inputs.profile)
        return Side(connectivity(tables, name=name, nodes=not is_npa), inputs.cluster)

    return differences(side(*sides[0]), side(*sides[1]))


def _judge(sides: Sides) -> Judge:
    """Make what judges one port between two units on both sides."""
    from ..analyses.connectivity.differences import flows_between
    from ..reference import Reference

    references = [Reference(inputs.cluster, policies, inputs.profile) for inputs, policies in sides]

    @cache
    def judge(source: Unit, destination: Unit, protocol: int, port: int) -> Judged:
        flows = flows_between(source, destination, protocol, port)
        before, after = (
            None if flow is None else reference.judge(flow) for reference, flow in zip(references, flows, strict=True)
        )
        return before, after

    return judge


def fails(found: Differences, fail_on: tuple[str, ...]) -> bool:
    """Whether there are pairs that the user does not want to see."""
    counts = {change.value: number for change, number in found.changes.items()}
    counts["changed"] = sum(counts.values())
    return any(counts.get(name) for name in fail_on)
