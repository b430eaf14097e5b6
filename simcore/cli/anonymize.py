"""``flowverdict anonymize``: snapshots and manifests under pseudonyms, to be sent to somebody else."""

from __future__ import annotations

import click


@click.command("anonymize")
@click.argument("paths", metavar="IN...", nargs=-1, required=True)
@click.option(
    "--output",
    "-o",
    metavar="OUT.json.gz",
    type=click.Path(dir_okay=False),
    required=True,
    help="Snapshot to write; its name ends in .json, .json.gz or .parquet.",
)
@click.option(
    "--key",
    "key_file",
    metavar="KEYFILE",
    type=click.Path(dir_okay=False),
    required=True,
    help="What pseudonyms are made by; a file that is not there is made. Do not send it along.",
)
@click.option(
    "--beside",
    metavar="FILE",
    multiple=True,
    help="A cluster that policies alone are for: looked at, not written. Repeatable.",
)
def command(paths: tuple[str, ...], output: str, key_file: str, beside: tuple[str, ...]) -> None:
    """Put pseudonyms in place of names, labels and addresses, so that every verdict stays what it was.

    IN is a snapshot, or manifests of a cluster and its policies, in JSON, YAML or Parquet: files, folders, or - for
    standard input. Files of one key file go together: anonymize the policies of a change by themselves, and captures
    with flowverdict convert --anonymize KEYFILE.
    """
    from loaders.anonymous import anonymize_files

    from .console import emit, report_diagnostics

    written = anonymize_files(paths, output, key_file, beside)
    report_diagnostics(written.diagnostics)
    lines = [f"{written.objects:,}  objects written"]
    lines += [f"{count:,}  left out: {what}" for what, count in written.left_out.items()]
    emit("\n".join([output, *lines, ""]))
