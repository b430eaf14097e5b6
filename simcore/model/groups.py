"""Groups of flows that share their two ends, their port and their fate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..errors import Place
from .flows import Judgement, Verdict
from .policy import PolicyRef
from .ports import TCP, UDP
from .requests import Request

DNS_PORT = 53


class Change(StrEnum):
    """What becomes of a flow, from the baseline to the candidate."""

    LOST = "lost"
    GAINED = "gained"
    UNKNOWN = "unknown"
    """Changed to or from UNKNOWN."""
    UNCHANGED = "unchanged"

    @classmethod
    def between(cls, before: Verdict, after: Verdict) -> Change:
        """Name the change from one verdict to another."""
        if before == after:
            return cls.UNCHANGED
        if Verdict.UNKNOWN in (before, after):
            return cls.UNKNOWN
        return cls.LOST if after == Verdict.DENY else cls.GAINED


class Edit(StrEnum):
    """What was done to a policy between the baseline and the candidate."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Cause:
    """The edited policy that makes a verdict change, and where it is written (a removed one: where it was)."""

    policy: PolicyRef
    edit: Edit
    place: Place


@dataclass(frozen=True, slots=True)
class Example:
    """One flow of a group: the first by (time, file, row).

    Attributes
    ----------
    file : str
        The capture's file.
    row : int
        0-based row within the file.
    time : int or None
        Nanoseconds since 1970, UTC.
    source, destination : str
        Address, and pod name in parentheses where it is known.
    source_port, destination_port : int or None
        None where the record has none.
    request : Request or None
        What it carries, where rules look at requests and the record tells one.
    """

    file: str
    row: int
    time: int | None
    source: str
    destination: str
    source_port: int | None
    destination_port: int | None
    request: Request | None = None


@dataclass(frozen=True, slots=True)
class FlowGroup:
    """Flows of one source, destination, protocol and port with the same fate, counted.

    Attributes
    ----------
    change : Change
        UNCHANGED in a plain replay.
    source, destination : str
        A workload ``namespace/Kind/name``, ``node/NAME``, a CIDR that a rule mentions, or ``external``.
    protocol, port : int or None
        Destination port as recorded; None where the record has none.
    flows, packets, bytes : int
        Totals; packets and bytes are 0 where the capture has no such column.
    first_seen, last_seen : int or None
        Nanoseconds since 1970, UTC.
    before : Judgement or None
        Under the baseline; None in a plain replay.
    after : Judgement
        Under the candidate, or under the policies of a plain replay.
    cause : Cause or None
        The edit that makes the difference; None in a plain replay, and where ends that disagree are weighed up.
    """

    change: Change
    source: str
    destination: str
    protocol: int | None
    port: int | None
    flows: int
    packets: int
    bytes: int
    first_seen: int | None
    last_seen: int | None
    before: Judgement | None
    after: Judgement
    example: Example
    cause: Cause | None = None

    @property
    def is_dns(self) -> bool:
        """Whether this is name resolution: port 53 of UDP or TCP."""
        return self.port == DNS_PORT and self.protocol in (UDP, TCP)
