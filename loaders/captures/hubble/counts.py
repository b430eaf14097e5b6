"""What became of the lines of a capture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simcore.errors import Diagnostic

MOST_TOLD = 100
"""Unreadable lines that are told one by one; the rest is counted."""


@dataclass(slots=True)
class EventCounts:
    """What became of the lines of a capture: every line is counted once, in `fates`.

    Attributes
    ----------
    fates : Counter of str
        Lines by what they were.
    rows : Counter of str
        Rows written, by their record.
    drops : Counter of str
        Drops that are no policy's, by their reason.
    lost : int
        Events that Hubble itself says it lost.
    aggregated : int
        Flows that records of the exporter's aggregation stand for.
    late : int
        Lines that came too late to be put in order of time.
    problems : list of Diagnostic
        The first lines that could not be read, with their places.
    """

    fates: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    aggregated: int = 0
    late: int = 0
    problems: list[Diagnostic] = field(default_factory=list)

    @property
    def lines(self) -> int:
        """How many lines were read, blank ones left out."""
        return self.fates.total()

    @property
    def unreadable(self) -> int:
        """How many lines could not be read."""
        return self.fates[UNREADABLE]

    def complain(self, problem: Diagnostic) -> None:
        """Count a line that cannot be read."""
        self.fates[UNREADABLE] += 1
        if len(self.problems) < MOST_TOLD:
            self.problems.append(problem)

    def told(self) -> Sequence[tuple[str, int]]:
        """Return how many lines met each fate, in the order in which they are explained."""
        return [(name, self.fates[name]) for name in FATES if self.fates[name]]


OPENED = "opened"
STARTED = "mid-stream"
OTHER_SIDE = "other side"
AGAIN = "denied again"
LATER = "later packets"
REPLIES = "replies"
DROPPED_REPLIES = "dropped replies"
NOT_POLICY = "other drops"
REQUESTS = "requests"
RESPONSES = "responses"
ANSWERS = "answers"
BEFORE_POLICY = "before policy"
RELATED = "related"
SOCKETS = "sockets"
DUPLICATES = "duplicates"
NO_ADDRESSES = "no addresses"
NO_VERDICT = "no verdict"
LOST = "lost events"
NODES = "node status"
AGENT = "agent events"
UNREADABLE = "unreadable"

FATES: Mapping[str, str] = {
    OPENED: "opened a connection",
    STARTED: "showed a connection whose opening is not in the capture",
    OTHER_SIDE: "the other side's verdict of a connection",
    AGAIN: "a denial told once more: its drop, or its packet sent again",
    LATER: "more of a connection: other places on its way, later packets",
    REPLIES: "replies",
    DROPPED_REPLIES: "denials of what looks like a reply, not taken for a verdict",
    NOT_POLICY: "drops that are no policy's",
    REQUESTS: "requests seen by a proxy",
    RESPONSES: "responses seen by a proxy",
    ANSWERS: "DNS answers",
    BEFORE_POLICY: "seen before policy, or before a Service's address was translated, and not after",
    RELATED: "ICMP errors about a connection",
    SOCKETS: "translations at a socket",
    DUPLICATES: "the same event once more",
    NO_ADDRESSES: "events without addresses",
    NO_VERDICT: "events of other types",
    LOST: "notes of lost events",
    NODES: "notes of nodes that came or went",
    AGENT: "events of the agent, and debugging",
    UNREADABLE: "not readable",
}
"""What may become of a line, and what that means."""
