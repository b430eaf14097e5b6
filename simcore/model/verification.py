"""How verdicts of ours compare with those that a dataplane recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from .flows import Judgement, Verdict
from .groups import Example
from .policy import Direction


class Suspicion(StrEnum):
    """Why a verdict of ours may differ from the one that was recorded: a stable code, the surest cause first."""

    POD_UNKNOWN = "pod-unknown"
    """The record names a pod that the cluster does not hold."""
    ADDRESS_UNKNOWN = "address-unknown"
    """The cluster does not tell an address that could decide."""
    NAME_UNRESOLVED = "name-unresolved"
    """A rule by domain name could decide, and nothing tells what the name stood for."""
    POLICY_MISSING = "policy-missing"
    """A policy decided that is not in the set: it was removed since, or was not loaded."""
    POLICY_CHANGED = "policy-changed"
    """A policy decided that is in the set, and now decides otherwise."""
    POLICY_NEWER = "policy-newer"
    """A policy of the set decides that the dataplane did not ask: it may be newer than the flow."""
    ISOLATION_MISSING = "isolation-missing"
    """The dataplane denied by default; no policy of the set isolates the pod."""
    MID_STREAM = "mid-stream"
    """The opening is not in the capture: the connection may be older than the policies."""
    REPLY = "reply"
    """It may be an answer whose request is not in the capture."""
    REQUEST = "request"
    """A proxy decided about a request."""
    AUDIT = "audit"
    """It was let through in audit mode; the dataplane says that policies deny it."""
    UNDECIDED = "undecided"
    """We do not know, for a reason of another kind."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a dataplane recorded of one side of a flow, or of the whole.

    Attributes
    ----------
    side : Direction or None
        None: of the flow as a whole.
    word : str
        As the capture has it.
    verdict : Verdict
        What it means: ALLOW, or DENY; of an audit, DENY.
    reason : str
        Why it was dropped; empty where nothing is told.
    policies : tuple of str
        Those that decided; empty where none is told.
    record : str
        What the row stands for, as in `simcore.model.schema.RECORDS`.
    """

    side: Direction | None
    word: str
    verdict: Verdict
    reason: str = ""
    policies: tuple[str, ...] = ()
    record: str = ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Flows of one source, destination, protocol and port that were recorded alike and are judged alike, differently.

    Attributes
    ----------
    about : str
        What is suspected: the policy, the pod, the names or the reason; empty where there is nothing to name.
    source, destination : str
        As in `simcore.model.groups.FlowGroup`; a pod that the cluster does not hold by its name.
    ours : Judgement
        Both directions; `recorded` tells which of them it is about.
    """

    suspicion: Suspicion
    about: str
    recorded: Recorded
    ours: Judgement
    source: str
    destination: str
    protocol: int | None
    port: int | None
    flows: int
    example: Example

    @property
    def verdict(self) -> Verdict:
        """What we say where the record says otherwise."""
        side = self.recorded.side
        return self.ours.verdict if side is None else self.ours.outcome(side).verdict
