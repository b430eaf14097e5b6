"""The settings of Cilium's agent that verdicts depend on (docs/semantics/cilium.md)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

NEWEST = (1, 20)
"""The version that is assumed where none is named."""
OLDEST = (1, 14)


@dataclass(frozen=True, slots=True)
class CiliumAgent:
    """How Cilium's agent is set up.

    Attributes
    ----------
    version : tuple of int
        Major and minor number.
    policy_enforcement_mode : {"default", "always", "never"}
        Whether endpoints that no policy selects are open, or closed; or nothing is enforced.
    allow_localhost : {"auto", "always", "policy"}
        A pod's own node may enter all the same, which in a Kubernetes cluster is also what ``auto`` means; or policies
        say so.
    policy_audit_mode : bool
        Denials are only told.
    host_firewall : bool
        Policies with a nodeSelector are enforced.
    enable_node_selector_labels : bool
        fromNodes and toNodes may be used.
    policy_default_local_cluster : {"auto", "true", "false"}
        Selectors that name no cluster mean the local one; ``auto``: from 1.19 on.
    ipv6 : bool
        Both families are on, so that the world is world-ipv4 and world-ipv6.
    enable_extended_ip_protocols : bool
        Rules may let VRRP, IGMP and others through, which are stopped otherwise.
    cluster_name : str
        The name of the local cluster.
    """

    version: tuple[int, int] = NEWEST
    policy_enforcement_mode: Literal["default", "always", "never"] = "default"
    allow_localhost: Literal["auto", "always", "policy"] = "auto"
    policy_audit_mode: bool = False
    host_firewall: bool = False
    enable_node_selector_labels: bool = False
    policy_default_local_cluster: Literal["auto", "true", "false"] = "auto"
    ipv6: bool = False
    enable_extended_ip_protocols: bool = False
    cluster_name: str = "default"

    @property
    def means_local_cluster(self) -> bool:
        """Whether selectors that name no cluster mean the local one."""
        word = self.policy_default_local_cluster
        return self.version >= (1, 19) if word == "auto" else word == "true"

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Name every field that can be set, with the words it takes, the default first; none where any word will do."""
        hints = get_type_hints(cls)
        return {
            field.name: _words(hints[field.name], field.default) for field in fields(cls) if field.name != "version"
        }

    def with_setting(self, name: str, word: str) -> CiliumAgent:
        """Return the agent with one field changed, from a word.

        Raises
        ------
        ValueError
            The field does not take this word; the message lists what is possible.
        """
        words = self.choices()[name]
        if words and word not in words:
            raise ValueError(f"{name} takes {' or '.join(words)}, not {word!r}")
        changed: dict[str, Any] = {name: word == "true" if words in (("true", "false"), ("false", "true")) else word}
        return replace(self, **changed)

    def of_version(self, text: str) -> CiliumAgent:
        """Return the agent in another version, written as ``1.18`` or ``v1.18.3``.

        Raises
        ------
        ValueError
            It is no version, or older than any that is known.
        """
        parts = text.removeprefix("v").split(".")
        if len(parts) < 2 or not all(part.isdecimal() for part in parts[:2]):
            raise ValueError(f"{text!r} is not a version of Cilium such as 1.18")
        version = int(parts[0]), int(parts[1])
        if version < OLDEST:
            raise ValueError(f"Cilium {text} is older than {OLDEST[0]}.{OLDEST[1]}, the oldest whose rules are known")
        return replace(self, version=version)


def _words(hint: object, default: object) -> tuple[str, ...]:
    if hint is bool:
        return ("true", "false") if default else ("false", "true")
    return get_args(hint)
