"""``flowverdict replay``: judge every flow of a capture."""

from __future__ import annotations

import click

from ..model.profile import Profile
from .inputs import Gathering, Sources
from .options import capture_options, format_option, limit_option, set_option, source_options
from .stateful import StatefulArguments, stateful_options


@click.command("replay")
@capture_options("Write the verdict of every flow, in the capture's order, and the rules beside it.")
@source_options
@set_option
@stateful_options
@limit_option
@format_option("text", "json")
def command(
    capture_paths: tuple[str, ...],
    sources: Sources,
    mapping: dict[str, str],
    output: str | None,
    threads: int | None,
    batch_rows: int | None,
    profile: Profile,
    stateful: StatefulArguments,
    limit: int,
    format_: str,
) -> None:
    """Judge every flow of a capture by the policies, and show what is denied and why.

    CAPTURE is Parquet: a file, several, or a folder.
    """
    from loaders import open_capture

    from ..analyses.replay import replay
    from ..report import replay as report
    from .console import emit_json, emit_report
    from .progress import progress
    from .running import settings

    gathering = Gathering(sources, profile)
    capture = gathering.attempt(lambda: open_capture(capture_paths, mapping))
    inputs = gathering.finish()
    assert capture is not None
    options = stateful.options(capture)
    with progress("replaying") as advance:
        result = replay(
            capture,
            inputs.cluster,
            inputs.after,
            profile,
            **settings(threads, batch_rows, output),
            progress=advance,
            stateful=options,
        )
    if format_ == "json":
        emit_json(report.replay_json(result))
    else:
        emit_report(report.replay(result, limit))
