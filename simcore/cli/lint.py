"""``flowverdict lint``: what is wrong with policies, or may not be what was meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from .capture_options import optional_reading_options
from .captures import CaptureInput, report_damage
from .inputs import Gathering, Inputs, Sources, WantedProfile
from .options import cluster_options, format_option, profile_options
from .running import reading

if TYPE_CHECKING:
    from ..analyses.hits import Hits
    from ..lint.context import LintContext
    from ..lint.findings import Finding, LintResult, LintRule
    from ..model.flows import Capture

LEVELS = ("error", "warning", "info")
NO_CAPTURE = CaptureInput((), {}, None, False)


def _codes(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip().upper() for text in given for code in text.split(",") if code.strip())


@click.command("lint")
@optional_reading_options
@cluster_options
@click.option(
    "--select",
    metavar="CODE[,CODE...]",
    multiple=True,
    callback=_codes,
    help="Only these rules, by code or the beginning of codes, such as FV00. Repeatable.",
)
@click.option("--ignore", metavar="CODE[,CODE...]", multiple=True, callback=_codes, help="Not these rules. Repeatable.")
@click.option(
    "--severity",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    help="Show findings that are at least so severe.",
)
@click.option(
    "--fail-on",
    type=click.Choice((*LEVELS, "never")),
    default="error",
    show_default=True,
    help="Exit with 1 if any finding is at least so severe.",
)
@profile_options
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Most rules to list by the flows of a capture that they decide, as text; JSON has all.",
)
@format_option("text", "json", "sarif", "github")
@click.pass_context
def command(
    ctx: click.Context,
    captured: CaptureInput,
    sources: Sources,
    threads: int | None,
    batch_rows: int | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    severity: str,
    fail_on: str,
    wanted: WantedProfile,
    limit: int,
    format_: str,
) -> None:
    """Find what is wrong with policies, or may not be what was meant, with what mends it.

    With a CAPTURE also rules that no flow needs, ranges wider than the traffic, and who goes to the Internet unasked.

    A finding that may stand is let pass by a comment on its line, on the line above it, or at the head of the
    document: # flowverdict: ignore[FV012] reason. docs/lint.md describes every rule.
    """
    from ..lint.running import lint

    rules = _rules(select, ignore)
    context = context_of(sources, wanted, captured, **reading(threads, batch_rows))
    result = lint(context, rules)
    _show(context, result, _at_least(result, severity), limit, format_)
    ctx.exit(1 if fail_on != "never" and _at_least(result, fail_on) else 0)


def context_of(
    sources: Sources, wanted: WantedProfile, captured: CaptureInput = NO_CAPTURE, **reading: Any
) -> LintContext:
    """Load what rules look at.

    Raises
    ------
    LoadError
        Anything in the input is in error.
    """
    from loaders import Originals

    from ..lint.context import LintContext

    originals = Originals()
    gathering = Gathering(sources, wanted, originals)
    capture = gathering.attempt(captured.open) if captured.paths else None
    inputs = gathering.finish()
    return LintContext(
        inputs.cluster,
        inputs.before,
        inputs.profile,
        inputs.enforcement,
        tuple(originals.documents),
        originals.namespaces,
        originals.texts,
        None if capture is None else _hits(capture, inputs, reading),
    )


def _hits(capture: Capture, inputs: Inputs, reading: Mapping[str, Any]) -> Hits:
    from ..analyses.hits import count_hits
    from .progress import progress

    with progress("replaying") as advance:
        hits = count_hits(capture, inputs.cluster, inputs.before, inputs.profile, **reading, progress=advance)
    report_damage(capture)
    return hits


def _rules(select: tuple[str, ...], ignore: tuple[str, ...]) -> tuple[LintRule, ...]:
    from ..lint.registry import chosen

    try:
        rules = chosen(select, ignore)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if not rules:
        raise click.UsageError("--ignore takes out every rule that --select names, so that none would look")
    return rules


def _at_least(result: LintResult, level: str) -> tuple[Finding, ...]:
    from ..lint.findings import Severity

    least = Severity(level).rank
    return tuple(finding for finding in result.findings if result.rule_of(finding).severity.rank <= least)


def _show(context: LintContext, result: LintResult, shown: tuple[Finding, ...], limit: int, format_: str) -> None:
    from ..report.enforcement import headed, json_with
    from .console import emit, emit_json, emit_report

    if format_ == "json":
        from ..report.lint import lint_json

        emit_json(json_with(lint_json(result, shown, context.hits), context.enforcement))
    elif format_ == "sarif":
        from importlib.metadata import version

        from ..report.sarif import sarif

        emit_json(sarif(result, shown, version("flowverdict")))
    elif format_ == "github":
        from ..report.annotations import github

        emit(github(result, shown))
    else:
        from ..report.lint import lint

        emit_report(headed(lint(result, shown, context.hits, limit), context.enforcement))
