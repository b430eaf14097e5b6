"""``flowverdict snapshot``: a live cluster to a file, through kubectl."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from loaders.snapshots.taking import Taking

    from ..errors import Diagnostic


@click.command("snapshot")
@click.option("--context", metavar="C", help="Context of the kubeconfig; the current one where none is named.")
@click.option("--kubeconfig", metavar="FILE", help="Another kubeconfig than kubectl would take.")
@click.option(
    "--namespace",
    "-n",
    "namespaces",
    metavar="N",
    multiple=True,
    help="Take the objects of this namespace alone. Repeatable.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=60,
    show_default=True,
    metavar="S",
    help="Seconds that the server may take for one answer.",
)
@click.option(
    "--anonymize",
    "key_file",
    metavar="KEYFILE",
    type=click.Path(dir_okay=False),
    help="Put pseudonyms in place of names and addresses, made by this key; a file that is not there is made.",
)
@click.option(
    "--output",
    "-o",
    metavar="SNAP",
    type=click.Path(dir_okay=False),
    required=True,
    help="File to write; its name ends in .json, .json.gz or .parquet, which loads fastest.",
)
def command(
    context: str | None,
    kubeconfig: str | None,
    namespaces: tuple[str, ...],
    timeout: float,
    key_file: str | None,
    output: str,
) -> None:
    """Take a snapshot of a live cluster: everything that verdicts depend on, and nothing else.

    kubectl asks the cluster, with your credentials; it has to be on the PATH. Secrets and ConfigMaps are never asked
    for, and of everything else only the fields that are read are kept.
    """
    from loaders.snapshots.kubectl import Kubectl
    from loaders.snapshots.taking import Taking
    from loaders.snapshots.writing import check_snapshot, write_snapshot

    from .console import emit, report_diagnostics
    from .progress import counting

    check_snapshot(output)
    with counting("listing", "objects") as advance:
        taking = Taking(Kubectl(context, kubeconfig, timeout), namespaces, progress=advance)
        if key_file is None:
            write_snapshot(taking.objects(), output, taking.notes)
        else:
            taking.problems += write_hidden(taking, output, key_file)
    report_diagnostics(taking.problems)
    emit("\n".join([output, *told(taking), ""]))


def write_hidden(taking: Taking, output: str, key_file: str) -> list[Diagnostic]:
    """Write a snapshot under pseudonyms; return what there is to say of them."""
    from loaders.anonymous import Anonymizer, Pseudonyms, anonymous_objects
    from loaders.snapshots.writing import write_snapshot

    anonymizer = Anonymizer(Pseudonyms.open(key_file))
    write_snapshot(anonymous_objects(taking.objects(), anonymizer), output, taking.notes)
    anonymizer.names.save()
    return list(anonymizer.warnings())


def told(taking: Taking) -> list[str]:
    """Say in lines what was taken."""
    from .console import MOST_NAMED

    numbers = [(f"{number:,}", name) for name, number in taking.counts.items()]
    width = max(len(number) for number, _ in numbers)
    lines = [f"{number:>{width}}  {name}" for number, name in numbers]
    of = f", resource version {taking.version}" if taking.version else ""
    lines.append(f"taken at {taking.notes.taken_at}{of}")
    if taking.later:
        shown = ", ".join(taking.later[:MOST_NAMED]) + (", ..." if len(taking.later) > MOST_NAMED else "")
        lines.append(f"listed a moment later, since the server has no list of that version: {shown}")
    return lines
