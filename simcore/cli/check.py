"""``flowverdict check``: whether expected connections are allowed and denied as expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from ..errors import Diagnostic
from ..model.cluster import Cluster
from ..report.check import Check, CheckResult
from .inputs import Gathering, Inputs, Sources, WantedProfile
from .options import format_option, profile_options, source_options

if TYPE_CHECKING:
    from .testfile import CheckFile


@click.command("check")
@click.argument("tests", metavar="TESTS.yaml")
@source_options
@profile_options
@format_option("text", "json", "junit")
@click.pass_context
def command(
    ctx: click.Context,
    tests: str,
    sources: Sources,
    wanted: WantedProfile,
    format_: str,
) -> None:
    """Check a file of expected connections: exit code 1 if any verdict is not the expected one.

    TESTS.yaml holds tests: [{from: shop/Deployment/web, to: shop/Service/db, port: 5432, expect: allow}].
    The ends are namespace/pod, namespace/Kind/name or an address. protocol is TCP unless given; expect is
    allow, deny, or left out to see the verdict. A verdict that is not known fails every expectation.
    """
    from ..report import check as report
    from ..report.enforcement import headed, json_with, warnings_of
    from .console import emit, emit_json, emit_report
    from .testfile import read_checks

    gathering = Gathering(sources, wanted)
    file = read_checks(tests)
    inputs = gathering.finish(lambda cluster: problems_of(file, cluster))
    results = answer(file.checks, inputs)
    if format_ == "json":
        emit_json(json_with(report.check_json(results), inputs.enforcement))
    elif format_ == "junit":
        emit(report.check_junit(results, warnings_of(inputs.enforcement)))
    else:
        emit_report(headed(report.check(results), inputs.enforcement))
    ctx.exit(1 if report.failures(results) else 0)


def problems_of(file: CheckFile, cluster: Cluster | None) -> list[Diagnostic]:
    """List what is wrong with a test file, line by line; names are looked up where there is a cluster."""
    from .names import unknown_names

    problems = list(file.problems)
    if cluster is not None:
        problems += unknown_names(cluster, file.names)
    return sorted(problems, key=lambda problem: problem.place.line)


def answer(checks: Sequence[Check], inputs: Inputs) -> list[CheckResult]:
    """Answer every question.

    Raises
    ------
    ResolveError
        A question names what is not there.
    """
    from .judging import Judge, combined, differences
    from .names import Names

    names = Names(inputs.cluster)
    judge = Judge(inputs.cluster, inputs.after, inputs.profile)
    results = []
    for check in checks:
        ends = names.party(check.source), names.party(check.destination)
        answers = judge.answers(*ends, check.protocol, check.port, check.request)
        results.append(CheckResult(check, combined(answers), differences(answers)))
    return results
