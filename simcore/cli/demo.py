"""``flowverdict demo``: the whole way once, on made-up files that stay behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    pass


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default="flowverdict-demo",
    show_default=True,
    metavar="DIR",
    help="Folder for the files.",
)
def command(out: str) -> None:
    """Show what a policy change would cut in a made-up cluster.

    Writes a cluster, its policies, a capture and a change, runs the what-if, and tells the commands that do so by hand.
    """
    from loaders.synthetic.demo import write_demo

    from loaders import apply, open_capture

    from ..analyses.whatif import whatif
    from ..model.profile import UPSTREAM
    from ..report.demo import demo
    from ..report.whatif import whatif as whatif_report
    from .console import emit_report
    from .inputs import Gathering, complete
    from .progress import progress

    files = write_demo(out)
    gathering = Gathering(UPSTREAM)
    inputs = complete(gathering, gathering.inputs([str(files.cluster)], [str(files.policies)]))
    change = complete(gathering, gathering.policies([str(files.change)]))
    capture = open_capture([str(files.capture)], {})
    with progress("replaying") as advance:
        result = whatif(
            capture,
            inputs.cluster,
            inputs.policies,
            apply(inputs.policies, change),
            UPSTREAM,
            progress=advance,
        )
    emit_report(whatif_report(result, 20, UPSTREAM.on_change))
    emit_report(demo(steps(files, result)))
