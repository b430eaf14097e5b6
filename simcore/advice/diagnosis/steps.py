"""What a diagnosis is made of: steps, what each found, and the conclusion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ...model.flows import Judgement, Outcome, Verdict
from ...model.policy import Direction, PolicyRef, Rule


class Status(StrEnum):
    """How a step came out."""

    OK = "ok"
    FOUND = "found"
    UNKNOWN = "unknown"
    NOT_ASKED = "not-asked"


class Cause(StrEnum):
    """Why a connection fails, or why it works though it should not: a stable code."""

    NO_DNS_RULE = "no-dns-rule"
    """The source is isolated for egress, and no rule lets it ask the cluster's DNS pods."""
    DNS_LABELS = "dns-labels"
    """A rule for DNS names labels or addresses that the DNS pods do not have."""
    DNS_PORT = "dns-port"
    """A rule selects the DNS pods, but not on the port they answer on."""
    DNS_INGRESS = "dns-ingress"
    """The DNS pods do not let the source in."""
    DNS_DENIED = "dns-denied"
    """A rule that denies keeps the source from the DNS pods."""
    DNS_OVER_TCP = "dns-over-tcp"
    """DNS works over UDP only: long answers fail."""
    NO_BACKEND = "service-without-backend"
    """Nobody is behind the Service."""
    WRONG_PORT = "wrong-port"
    """The Service has no such port, or a rule that selects the other end names another one."""
    NAMED_PORT = "named-port"
    """A port goes by a name that the destination's containers do not declare."""
    HOST_NETWORK = "host-network"
    """A pod shares its node's network: policies see the node."""
    MISSPELT_LABEL = "misspelt-label"
    """One label is written in two ways."""
    MISSING_NAMESPACE_LABEL = "missing-namespace-label"
    """The namespace lacks a label that a rule asks for."""
    MISSING_LABEL = "missing-label"
    """The pod lacks a label that a rule asks for."""
    WRONG_LABEL = "wrong-label"
    """A rule asks for a label that no pod has; all else of it fits."""
    NAMESPACE_NOT_SELECTED = "namespace-not-selected"
    """A podSelector alone means its own namespace, and the other end is in another."""
    SERVICE_ADDRESS = "service-address"
    """A rule names the Service's address, and policies see the pods behind it."""
    IPBLOCK_FOR_PODS = "ipblock-for-pods"
    """A rule names addresses of pods, and the network plugin knows pods by their labels only."""
    AND_FOR_OR = "and-for-or"
    """Two selectors in one item must both hold; as two items, they would let it through."""
    OR_FOR_AND = "or-for-and"
    """Two selectors in two items let it through; in one item, they would not."""
    DENIED_BY_RULE = "denied-by-rule"
    """A rule that denies decides."""
    NO_INGRESS_RULE = "no-ingress-rule"
    """The destination is isolated, and no rule lets the source in."""
    NO_EGRESS_RULE = "no-egress-rule"
    """The source is isolated, and no rule lets it out to the destination."""
    PROTOCOL_DENIED = "protocol-denied"
    """The dataplane stops protocols without ports."""
    NOT_ENFORCED = "not-enforced"
    """Policies would deny it, and the network plugin does not enforce them."""
    NOT_ISOLATED = "not-isolated"
    """No policy isolates either end, so everything is allowed."""
    ALLOWED_BY_RULE = "allowed-by-rule"
    """A rule allows what should be denied."""
    CONNTRACK_FULL = "conntrack-full"
    """A node has more connections to track than room."""
    UNKNOWN = "unknown"
    """What would decide is not known."""
    ALLOWED = "allowed"
    """The connection is fine."""
    DENIED = "denied"
    """The connection is denied, as it should be."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command to run on the cluster, and what it is for."""

    purpose: str
    line: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause that a step found.

    Attributes
    ----------
    sentence : str
        What is wrong, in one sentence.
    to_do : str
        What to do about it.
    rule : Rule or None
        The rule it is about.
    manifest : mapping, or None
        A policy that mends it, as a manifest.
    is_generic : bool
        It says no more than that a rule is missing: any other of the same rank goes first.
    """

    cause: Cause
    sentence: str
    to_do: str
    rule: Rule | None = None
    manifest: Mapping[str, object] | None = None
    is_generic: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """How one direction of one pair of ends came out.

    Attributes
    ----------
    subject, peer : str
        The guarded end and the other one.
    isolating : tuple of PolicyRef
        The policies that isolate the subject in this direction.
    """

    direction: Direction
    subject: str
    peer: str
    outcome: Outcome
    isolating: tuple[PolicyRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a diagnosis.

    Attributes
    ----------
    name : str
        A stable code, such as ``dns``.
    title : str
        The question it answers.
    checked : str
        What was looked at.
    found : str
        What was found, in a sentence or two.
    sides : tuple of Side
        Verdicts that it rests on.
    details : tuple of str
        What else is worth knowing.
    findings : tuple of Finding
        Causes, the likeliest first.
    hints : tuple of Finding
        What may be meant as it is, and is a cause only where the connection should not work.
    commands : tuple of Command
        How to confirm it on the cluster.
    """

    name: str
    title: str
    status: Status
    checked: str
    found: str
    sides: tuple[Side, ...] = ()
    details: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    hints: tuple[Finding, ...] = ()
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The likeliest cause, and what to do.

    Attributes
    ----------
    others : tuple of Finding
        What else was found; it is to be mended as well.
    """

    cause: Cause
    sentence: str
    to_do: str
    manifest: Mapping[str, object] | None = None
    others: tuple[Finding, ...] = ()

    @property
    def is_fine(self) -> bool:
        """Whether nothing was found."""
        return self.cause in (Cause.ALLOWED, Cause.DENIED)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis: its steps in order, the verdict of the policies, and the conclusion.

    Attributes
    ----------
    judgement : Judgement or None
        How the verdict came about, for the first flow that has it; None where nobody could be asked about.
    """

    verdict: Verdict
    steps: tuple[Step, ...]
    conclusion: Conclusion
    judgement: Judgement | None = None
