"""Policies that do not go together."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import Diagnostic, Severity
from .policy import Policy
from .profile import Profile

_RIVALS = (("anp", "cnp-admin"), ("banp", "cnp-baseline"))
"""Tiers that both versions of one API have, with nothing that says which of the two comes first (AP-18)."""


def mixture_problems(policies: Iterable[Policy], profile: Profile) -> list[Diagnostic]:
    """Complain of policies whose tiers have no order among each other in this profile."""
    first: dict[str, Policy] = {}
    for policy in policies:
        for rule in policy.rules[:1]:
            first.setdefault(rule.tier.name, policy)
    positions = {tier.name: tier.position for tier in profile.tiers}
    return [
        _problem(first[old], first[new])
        for old, new in _RIVALS
        if old in first and new in first and positions[old] == positions[new]
    ]


def _problem(old: Policy, new: Policy) -> Diagnostic:
    message = (
        f"{new.ref} and {old.ref} ({old.place}) are of two versions of one API, and nothing says which is asked "
        f"first. Write all of them as {new.ref.kind}"
    )
    return Diagnostic(Severity.ERROR, new.place, message)
