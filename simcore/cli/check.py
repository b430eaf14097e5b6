"""``flowverdict check``: whether expected connections are allowed and denied as expected."""

from __future__ import annotations

import click

from ..errors import Diagnostic, LoadError, ResolveError, Severity
from ..model.profile import Profile
from ..report.check import Check, CheckResult
from .inputs import Gathering, Inputs, Sources
from .options import format_option, set_option, source_options


@click.command("check")
@click.argument("tests", metavar="TESTS.yaml")
@source_options
@set_option
@format_option("text", "json", "junit")
@click.pass_context
def command(
    ctx: click.Context,
    tests: str,
    sources: Sources,
    profile: Profile,
    format_: str,
) -> None:
    """Check a file of expected connections: exit code 1 if any verdict is not the expected one.

    TESTS.yaml holds tests: [{from: shop/Deployment/web, to: shop/Service/db, port: 5432, expect: allow}].
    The ends are namespace/pod, namespace/Kind/name or an address. protocol is TCP unless given; expect is
    allow, deny, or left out to see the verdict. A verdict that is not known fails every expectation.
    """
    from ..report import check as report
    from .console import emit, emit_json, emit_report
    from .testfile import read_checks

    gathering = Gathering(sources, profile)
    checks = gathering.attempt(lambda: read_checks(tests))
    inputs = gathering.finish()
    results = answer(checks or [], inputs, profile)
    if format_ == "json":
        emit_json(report.check_json(results))
    elif format_ == "junit":
        emit(report.check_junit(results))
    else:
        emit_report(report.check(results))
    ctx.exit(1 if report.failures(results) else 0)


def answer(checks: list[Check], inputs: Inputs, profile: Profile) -> list[CheckResult]:
    """Answer every question.

    Raises
    ------
    LoadError
        Questions name what is not there; all of them are in it.
    """
    from .judging import Judge, combined, differences
    from .names import Names, Party

    names = Names(inputs.cluster)
    judge = Judge(inputs.cluster, inputs.after, profile)
    problems: list[Diagnostic] = []

    def party(check: Check, text: str) -> Party | None:
        try:
            return names.party(text)
        except ResolveError as error:
            problems.append(Diagnostic(Severity.ERROR, check.place, str(error)))
            return None

    asked = [(check, party(check, check.source), party(check, check.destination)) for check in checks]
    if problems:
        raise LoadError(problems)
    results = []
    for check, source, destination in asked:
        if source is not None and destination is not None:
            answers = judge.answers(source, destination, check.protocol, check.port)
            results.append(CheckResult(check, combined(answers), differences(answers)))
    return results
