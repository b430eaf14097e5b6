"""Profile: the habits of the dataplane that enforces, where the API leaves them open (semantics section 16)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

from .agent import CiliumAgent
from .policy import NETWORKPOLICY, Position, Tier

PLUGIN_SETTINGS = ("enforced", "endport", "sctp", "named_ports_from_blocks", "bare_pods", "unselected_pods")
"""Settings that say what a network plugin makes of policies, rather than what the API leaves open."""


CIDR_MATCH_MODE = "policy_cidr_match_mode"
"""The setting of Cilium's agent that says what else than addresses outside a block matches."""


@dataclass(frozen=True, slots=True)
class Profile:
    """One answer to every question that the API leaves to the implementation.

    Attributes
    ----------
    ipblock_matches_pods : bool
        NP-16: an ipBlock matches any address, pods' included.
    other_protocols : {"follow-peers", "allow", "deny", "judged"}
        NP-20: ICMP and the like match rules without ports, or are always, or never, allowed by a policy; or match
        rules without ports, and this is settled.
    service_hairpin : {"allow", "policy"}
        NP-27: a pod that reaches itself through a Service is let through, or judged.
    egress_to_own_node : {"policy", "allow"}
        NP-28: egress to the node a pod runs on is judged, or always allowed.
    hostnetwork : {"node", "pod"}
        NP-31: a hostNetwork pod is its node, or a pod like any other.
    duplicate_port_names : {"any", "first"}
        NP-25: a name declared twice in a pod stands for every number, or for the first.
    on_change : {"keep", "reevaluate"}
        NP-40: connections that live through a policy change are kept, or judged again.
    strict_cidr : bool
        NP-15: CIDRs with host bits or IPv4-mapped ones are refused.
    ties : {"unknown", "name"}
        AP-3: what rules of equal priority decide differently is unknown, or decided by the first policy's name.
    np_final : {"per-direction", "any"}
        AP-9: a NetworkPolicy hides the tiers behind it in the directions that it isolates, or in both.
    enforced : bool
        CNI-1: policies are enforced at all; where they are not, every flow is let through.
    ipblock_matches_nodes : bool
        CNI-2: an ipBlock matches nodes.
    endport : bool
        CNI-3: endPort is known; else a range is its first port.
    sctp : {"enforced", "unknown"}
        CNI-4: policies judge SCTP, or nobody knows.
    named_ports_from_blocks : bool
        CNI-5: an ingress rule from an ipBlock may name ports; else it lets nothing in by name.
    bare_pods : {"enforced", "ignored"}
        CNI-6: policies bind pods without owner, or do not.
    unselected_pods : {"open", "closed"}
        CNI-7: a pod that no policy selects is open, or closed both ways.
    tiers : tuple of Tier
        The tiers that rules know by name only, with their positions.
    cilium : CiliumAgent or None
        Set where Cilium's agent reads the policies; its fields are settings too.
    """

    ipblock_matches_pods: bool = True
    other_protocols: Literal["follow-peers", "allow", "deny", "judged"] = "follow-peers"
    service_hairpin: Literal["allow", "policy"] = "allow"
    egress_to_own_node: Literal["policy", "allow"] = "policy"
    hostnetwork: Literal["node", "pod"] = "node"
    duplicate_port_names: Literal["any", "first"] = "any"
    on_change: Literal["keep", "reevaluate"] = "keep"
    strict_cidr: bool = False
    ties: Literal["unknown", "name"] = "unknown"
    np_final: Literal["per-direction", "any"] = "per-direction"
    enforced: bool = True
    ipblock_matches_nodes: bool = True
    endport: bool = True
    sctp: Literal["enforced", "unknown"] = "enforced"
    named_ports_from_blocks: bool = True
    bare_pods: Literal["enforced", "ignored"] = "enforced"
    unselected_pods: Literal["open", "closed"] = "open"
    tiers: tuple[Tier, ...] = (
        Tier("anp", Position((0,)), judges_hairpin=True),
        Tier("cnp-admin", Position((0,)), judges_hairpin=True),
        replace(NETWORKPOLICY, position=Position((1,))),
        Tier("banp", Position((2,)), fallback=True, judges_hairpin=True),
        Tier("cnp-baseline", Position((2,)), fallback=True, judges_hairpin=True),
    )
    cilium: CiliumAgent | None = None

    def place(self, tier: Tier) -> Tier:
        """Return the tier with its position.

        Raises
        ------
        ValueError
            The tier has no position, and the profile knows no tier of this name.
        """
        if tier.position is not None:
            return tier
        for known in self.tiers:
            if known.name == tier.name:
                return known
        names = ", ".join(known.name for known in self.tiers)
        raise ValueError(f"the profile knows no tier {tier.name!r}; it knows {names}")

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Name every field that can be set, with the words it takes, the default first."""
        hints = get_type_hints(cls)
        result: dict[str, tuple[str, ...]] = {}
        for field in fields(cls):
            if hints[field.name] is bool:
                words = ("true", "false") if field.default else ("false", "true")
            elif field.name in ("tiers", "cilium"):
                continue
            else:
                words = get_args(hints[field.name])
            result[field.name] = words
        return result

    @classmethod
    def agent_choices(cls) -> dict[str, tuple[str, ...]]:
        """Name every setting of Cilium's agent, with the words it takes, the default first; none where any will do."""
        return {**CiliumAgent.choices(), CIDR_MATCH_MODE: ("none", "nodes", "pods", "nodes,pods")}

    def word(self, name: str) -> str:
        """Say what a setting is, in the word that sets it."""
        if name == CIDR_MATCH_MODE:
            modes = {"nodes": self.ipblock_matches_nodes, "pods": self.ipblock_matches_pods}
            return ",".join(mode for mode, is_on in modes.items() if is_on) or "none"
        value = getattr(self.cilium if name in CiliumAgent.choices() else self, name)
        return str(value).lower() if isinstance(value, bool) else str(value)

    def with_setting(self, name: str, word: str) -> Profile:
        """Return the profile with one field changed, from words.

        Raises
        ------
        ValueError
            There is no such field, or it does not take this word; the message lists what is possible.
        """
        choices = self.choices()
        if name in self.agent_choices():
            return self._with_agent_setting(name, word)
        if name not in choices:
            known = ", ".join((*choices, *self.agent_choices()))
            raise ValueError(f"no setting is named {name!r}; there are {known}")
        if word not in choices[name]:
            raise ValueError(f"{name} takes {' or '.join(choices[name])}, not {word!r}")
        changed: dict[str, Any] = {name: word == "true" if choices[name][0] in ("true", "false") else word}
        return replace(self, **changed)

    def _with_agent_setting(self, name: str, word: str) -> Profile:
        if self.cilium is None:
            raise ValueError(f"{name} is a setting of Cilium. Name --cni cilium, or leave it out")
        if name != CIDR_MATCH_MODE:
            return replace(self, cilium=self.cilium.with_setting(name, word))
        parts = [] if word == "none" else word.split(",")
        if not {"nodes", "pods"}.issuperset(parts):
            raise ValueError(f"{name} takes none, nodes, pods or nodes,pods, not {word!r}")
        return replace(self, ipblock_matches_pods="pods" in parts, ipblock_matches_nodes="nodes" in parts)


UPSTREAM = Profile()
