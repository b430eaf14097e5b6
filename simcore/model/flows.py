"""What a flow is, and what is said of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Protocol

from .addresses import Address
from .policy import Direction, Rule
from .ports import RESERVED_PROTOCOL
from .requests import Request

if TYPE_CHECKING:
    import pyarrow as pa


class Verdict(IntEnum):
    """The answer for a flow, or for one of its two directions."""

    ALLOW = 0
    DENY = 1
    UNKNOWN = 2

    @property
    def word(self) -> str:
        """The verdict in lower case, as JSON writes it."""
        return self.name.lower()


class Reason(StrEnum):
    """Why a direction has its verdict: a stable code.

    The first group allows, the second denies, the third leaves the verdict unknown.
    """

    RULE = "rule"
    """A rule allows it."""
    REQUEST_ALLOWED = "request-allowed"
    """A rule lets the connection through to a proxy, which lets this request through."""
    NOT_ISOLATED = "not-isolated"
    """Default allow: no policy applies to the pod in this direction (NP-5)."""
    NOT_A_POD = "not-a-pod"
    """No policy can bind this end: an address outside, or one that no running pod owns (NP-32)."""
    NODE = "node"
    """This end is a node, or a hostNetwork pod that counts as its node (NP-31)."""
    SELF = "self"
    """A pod always reaches itself (NP-SELF)."""
    OWN_NODE = "own-node"
    """Traffic between a pod and the node it runs on (NP-NODE, NP-28)."""
    HAIRPIN = "hairpin"
    """A pod that reaches itself through a Service (NP-27)."""
    NOT_ENFORCED = "not-enforced"
    """The dataplane enforces no policy at all."""
    PROTOCOL_ALLOWED = "protocol-allowed"
    """The profile lets every protocol without ports through isolation (NP-20)."""

    NO_RULE = "no-rule"
    """The policies that isolate the pod hold no rule at all for this direction."""
    PEER_NOT_SELECTED = "peer-not-selected"
    """There are rules, but none selects the other end."""
    PORT_NOT_ALLOWED = "port-not-allowed"
    """A rule selects the other end, but not on this port and protocol."""
    NAMED_PORT_UNDECLARED = "named-port-undeclared"
    """A rule selects the other end on a named port, and the destination declares no port of that name."""
    REQUEST_NOT_ALLOWED = "request-not-allowed"
    """A rule lets the connection through to a proxy, which refuses this request."""
    RULE_DENIES = "rule-denies"
    """A rule denies it."""
    RULE_REJECTS = "rule-rejects"
    """A rule denies it, and answers at once with a reset or an ICMP error."""
    PROTOCOL_DENIED = "protocol-denied"
    """The profile lets isolation stop every protocol without ports (NP-20)."""

    UNKNOWN_ADDRESS = "unknown-address"
    """The pod's address is not known, and a rule by address could decide."""
    UNCERTAIN_RULE = "uncertain-rule"
    """A rule that cannot be judged could decide."""
    PRIORITY_TIE = "priority-tie"
    """Rules of equal priority disagree, and nothing says which of them is first (AP-3)."""
    NO_ADDRESS = "no-address"
    """The record names neither an address nor a pod for one end."""
    MIXED_FAMILIES = "mixed-families"
    """One end is IPv4, the other IPv6."""
    UNKNOWN_PROTOCOL = "unknown-protocol"
    """The record has no protocol number, or one that is not an IP protocol; ARP, for instance."""
    NO_PORT = "no-port"
    """A TCP, UDP or SCTP record without destination port, where the port could decide; or an ICMP one without type."""
    NO_SOURCE_PORT = "no-source-port"
    """A record without source port, where that could decide."""
    UNKNOWN_REQUEST = "unknown-request"
    """The record does not tell all of the request that a rule asks for."""
    NAME_NOT_KNOWN_THEN = "name-not-known-then"
    """A rule by domain name decides, and no such name is known to have stood for the address at that time."""
    UNKNOWN_POD = "unknown-pod"
    """The record names a pod that the cluster does not hold."""
    POD_NOT_THERE_THEN = "pod-not-there-then"
    """The record names a pod that was not there at that time."""
    NOBODY_THEN = "nobody-then"
    """An address that is somebody's at other times was nobody's at that time."""
    SEVERAL_THEN = "several-then"
    """An address that pods come and go at was several pods' at that time."""
    NO_BACKEND = "no-backend"
    """A service address with no backend for this port."""
    MIXED = "mixed"
    """Several ends may be meant, and they differ: a Service's backends, pods that share an address; of a record that
    tells no time, whoever was there at any time, and policies of any time."""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a flow: an address, a pod as ``namespace/name``, or both; the pod's name then wins.

    `identity` is a number that may tell the pod where the cluster knows neither its name nor its address.
    """

    address: Address | None = None
    pod: str | None = None
    identity: int | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection by its first packet; `None` for what the record does not say."""

    source: End
    destination: End
    protocol: int | None
    port: int | None
    source_port: int | None = None
    icmp_type: int | None = None
    icmp_code: int | None = None
    request: Request | None = None

    def __post_init__(self) -> None:
        """Take the reserved protocol number for none."""
        if self.protocol == RESERVED_PROTOCOL:
            object.__setattr__(self, "protocol", None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict of one direction, why, and by which rule.

    `detail` says more where the code alone does not: the answers that a mixed outcome mixes, or what the API leaves
    open.
    """

    verdict: Verdict
    reason: Reason
    rule: Rule | None = None
    detail: str = ""

    def __str__(self) -> str:
        """Write the code, its detail in parentheses."""
        return f"{self.reason} ({self.detail})" if self.detail else str(self.reason)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict of a flow: both directions must allow it (NP-3)."""

    egress: Outcome
    ingress: Outcome
    verdict: Verdict

    def outcome(self, direction: Direction) -> Outcome:
        """Return the outcome of one direction."""
        return self.egress if direction is Direction.EGRESS else self.ingress


def both(egress: Verdict, ingress: Verdict) -> Verdict:
    """Combine the two directions: a denial decides, then a doubt (NP-3)."""
    if Verdict.DENY in (egress, ingress):
        return Verdict.DENY
    return max(egress, ingress)


def agreed(judgements: Sequence[Judgement]) -> Judgement:
    """Make one judgement of several ends that may be meant: what they agree on, else UNKNOWN (NP-29)."""
    if len(judgements) == 1:
        return judgements[0]
    verdicts = {judgement.verdict for judgement in judgements}
    return Judgement(
        _agreed_outcome([judgement.egress for judgement in judgements]),
        _agreed_outcome([judgement.ingress for judgement in judgements]),
        verdicts.pop() if len(verdicts) == 1 else Verdict.UNKNOWN,
    )


def _agreed_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    first: dict[Verdict, Outcome] = {}
    for outcome in outcomes:
        first.setdefault(outcome.verdict, outcome)
    if len(first) == 1:
        return outcomes[0]
    detail = ", ".join(f"{verdict.word}: {first[verdict].reason}" for verdict in sorted(first))
    return Outcome(Verdict.UNKNOWN, Reason.MIXED, None, detail)


@dataclass(frozen=True, slots=True)
class Split:
    """A part of a capture that is read on its own: one row group of one file.

    Attributes
    ----------
    file : int
        Position of the file among the capture's files.
    group : int
        Row group within the file.
    first_row : int
        Number of the split's first row within the file.
    rows : int
        How many rows it holds.
    """

    file: int
    group: int
    first_row: int
    rows: int


class Capture(Protocol):
    """A capture that is read split by split, in any order, in batches of the columns of FLOW_SCHEMA.

    Batches hold the asked-for columns that the capture has, named and typed as in ``simcore.model.schema``.
    """

    @property
    def files(self) -> Sequence[str]:
        """Paths of its files."""
        ...

    @property
    def splits(self) -> Sequence[Split]:
        """Its parts, in the order of files and rows."""
        ...

    @property
    def answers(self) -> Sequence[Split]:
        """Further parts, which hold nothing but DNS answers: to be learnt from, not to be judged."""
        ...

    @property
    def columns(self) -> frozenset[str]:
        """The columns of FLOW_SCHEMA that any of its files has."""
        ...

    def read(self, split: Split, columns: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """Read a split, in its row order, as batches of at most `batch_rows` rows."""
        ...
