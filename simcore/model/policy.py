"""Rules: the one ordered list that every dialect is lowered to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from ..errors import Place
from .peers import ANYTHING, PeerSet
from .ports import EVERY_PORT, PortSet
from .requests import RequestSet


class Action(StrEnum):
    """What a matching rule does."""

    ALLOW = "allow"
    DENY = "deny"
    PASS = "pass"


class Direction(IntEnum):
    """Whose side a rule guards: egress the initiator's, ingress the responder's."""

    EGRESS = 0
    INGRESS = 1

    @property
    def word(self) -> str:
        """The direction as it is written in a policy's fields."""
        return self.name.lower()


class Role(StrEnum):
    """Whether a rule was written out; or stands for the isolation that a policy brings along, for the end of its tier,
    or for a habit of the dataplane.
    """

    WRITTEN = "written"
    ISOLATION = "isolation"
    TIER_END = "tier-end"
    """What a tier does to traffic that no rule of it decides, where any policy of it applies."""
    HABIT = "habit"
    """What the dataplane does whatever policies say."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a tier stands: `PASS` goes on with the next stage; tiers of one stage follow each other by rank."""

    stage: tuple[float | str, ...]
    rank: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Tier:
    """A group of rules that are asked one after the other.

    Attributes
    ----------
    position : Position or None
        None: the profile knows the tier by its name and says where it stands.
    fallback : bool
        Asked only where no NetworkPolicy decides (AP-8, AP-9).
    judges_hairpin : bool
        Its rules judge a pod that reaches itself through a Service, whatever the profile says of others (AP-14).
    """

    name: str
    position: Position | None = None
    fallback: bool = False
    judges_hairpin: bool = False


NETWORKPOLICY = Tier("networkpolicy")


@dataclass(frozen=True, slots=True, order=True)
class PolicyRef:
    """The name of a policy: ``NetworkPolicy shop/web``.

    Kinds of other groups than Kubernetes' own are written with it: ``NetworkPolicy.projectcalico.org``.
    """

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """Write as ``Kind namespace/name``."""
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the ordered list: what it does to traffic between its subject and its peer.

    Attributes
    ----------
    policy : PolicyRef
        The policy it belongs to.
    index : int
        0-based number among the policy's written rules of this section; -1 for isolation and the end of a tier.
    subject : PeerSet
        The guarded end: pods, or nodes where `hosts` is set.
    order : tuple
        Position within the tier, lowest first.
    source_ports : PortSet
        Ports of the initiator.
    hosts : bool
        It guards nodes rather than pods.
    rejects : bool
        A denial that answers at once, with a reset or an ICMP error.
    tie : tuple or None
        Rules of one tier that share it, and are of different policies, have no order among each other. Those of one
        policy follow each other.
    name : str
        Its own name within the policy, if it has one.
    section : str
        The list it stands in, such as ``ingressDeny`` or ``specs[1].egress``; empty: the one named by the direction.
    condition : str
        What must hold besides and flows do not show; the verdict stands as if it held.
    requests : RequestSet or None
        What a proxy lets through; None: it looks at nothing. A flow that tells no request matches, under `condition`.
    proxy : str
        The proxy that the connection goes through where the rule matches: ``http``, ``dns``, ``tls``, ``kafka`` or
        ``listener``; empty: none.
    doubt : str
        Why it cannot be told whether the rule matches where all of its parts do; empty where it can.
    """

    policy: PolicyRef
    index: int
    direction: Direction
    subject: PeerSet
    peer: PeerSet
    ports: PortSet
    action: Action
    tier: Tier
    order: tuple[float | str, ...]
    place: Place
    role: Role = Role.WRITTEN
    source_ports: PortSet = EVERY_PORT
    hosts: bool = False
    rejects: bool = False
    tie: tuple[float | str, ...] | None = None
    name: str = ""
    section: str = ""
    condition: str = ""
    requests: RequestSet | None = None
    proxy: str = ""
    doubt: str = ""

    @classmethod
    def closing(
        cls,
        policy: PolicyRef,
        direction: Direction,
        subject: PeerSet,
        tier: Tier,
        order: tuple[float | str, ...],
        place: Place,
        role: Role,
        *,
        hosts: bool = False,
        section: str = "",
    ) -> Rule:
        """Make the rule that denies whatever none before it decides."""
        return cls(
            policy=policy,
            index=-1,
            direction=direction,
            subject=subject,
            peer=ANYTHING,
            ports=EVERY_PORT,
            action=Action.DENY,
            tier=tier,
            order=order,
            place=place,
            role=role,
            hosts=hosts,
            section=section,
        )

    @property
    def closes(self) -> bool:
        """Whether it stands for what becomes of traffic that no other rule decides."""
        return self.role in (Role.ISOLATION, Role.TIER_END)

    @property
    def certain(self) -> bool:
        """Whether it matches wherever all of its parts do."""
        return not self.doubt

    def __str__(self) -> str:
        """Write as ``NetworkPolicy shop/web ingress[0]``."""
        section = self.section or self.direction.word
        match self.role:
            case Role.WRITTEN:
                return f"{self.policy} {section}[{self.index}]"
            case Role.ISOLATION:
                return f"{self.policy} {section} isolation"
            case Role.TIER_END:
                return f"{self.policy} {section}, end of tier {self.tier.name}"
            case Role.HABIT:
                return f"{self.policy} {self.direction.word}"


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as written: its name, its place and the rules it is lowered to.

    Attributes
    ----------
    stages : PolicyRef or None
        Set where it is only announced: the policy that it would be, or replace, if it were enforced. Until then no
        verdict takes it into account.
    """

    ref: PolicyRef
    rules: tuple[Rule, ...]
    place: Place
    stages: PolicyRef | None = None
