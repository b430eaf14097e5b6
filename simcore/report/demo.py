"""The report of `demo`: the commands that repeat its steps by hand."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.groups import Change, FlowGroup
from .structure import Entry, Report, Section, line, strong, unbroken
from .words import protocol_port

Step = tuple[str, str]
"""What a command does, and the command."""


def demo(files: Sequence[str], steps: Sequence[Step]) -> Report:
    """Make the report: the files, and one entry a step, its command on a line that can be copied."""
    entries = tuple(Entry(line(what), (("$", line(strong(unbroken(command)))),)) for what, command in steps)
    title = line("Repeat each step by hand")
    return Report(title, summary=(line(f"The files are {', '.join(files)}."),), sections=(Section((), entries),))


def first_loss(groups: Sequence[FlowGroup]) -> FlowGroup | None:
    """Choose the loss to explain: the first between two workloads that the record names a port of."""
    for group in groups:
        ends = (group.source, group.destination)
        if group.change is Change.LOST and group.port is not None and all(end.count("/") == 2 for end in ends):
            return group
    return None


def loss_words(group: FlowGroup) -> str:
    """Name a loss in a sentence."""
    return f"Why {group.source} no longer reaches {group.destination} on {protocol_port(group.protocol, group.port)}"
