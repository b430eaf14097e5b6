"""Every rule, in the order of codes, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from .findings import LintRule
from .rules import (
    alternatives,
    blocks,
    calico,
    cilium,
    dns,
    isolation,
    mesh,
    onesided,
    ports,
    redundant,
    selection,
    tiers,
    traffic,
    types,
    unbound,
    wide,
)
from .suppressions import SUPPRESSIONS

_TOPICS = (
    alternatives,
    blocks,
    calico,
    cilium,
    dns,
    isolation,
    mesh,
    onesided,
    ports,
    redundant,
    selection,
    tiers,
    traffic,
    types,
    unbound,
    wide,
)
RULES: tuple[LintRule, ...] = tuple(
    sorted(chain((SUPPRESSIONS,), *(topic.RULES for topic in _TOPICS)), key=lambda rule: rule.code)
)
"""All of them; a topic's rules are added here."""

CODES = frozenset(rule.code for rule in RULES)


def chosen(select: Iterable[str] = (), ignore: Iterable[str] = ()) -> tuple[LintRule, ...]:
    """Return the rules whose codes begin with one of `select` (all, where there is none) and with none of `ignore`.

    Raises
    ------
    ValueError
        No code begins so.
    """
    wanted, unwanted = tuple(select), tuple(ignore)
    for prefix in (*wanted, *unwanted):
        if not any(code.startswith(prefix) for code in CODES):
            raise ValueError(
                f"{prefix!r} is no code, and no code begins so; there are {RULES[0].code} to {RULES[-1].code}"
            )
    return tuple(
        rule
        for rule in RULES
        if (not wanted or rule.code.startswith(wanted)) and not rule.code.startswith(unwanted or ("-",))
    )
