"""Tiers: when the policies of each are asked (AN-2, AN-3)."""

from __future__ import annotations

from simcore.model.policy import Direction, Position, Tier

from ..fields import Field
from .objects import Antrea

STATIC = {"emergency": 50, "securityops": 100, "networkops": 150, "platform": 200, "application": 250, "baseline": 253}
"""The tiers that Antrea makes itself, with their priorities."""
BASELINE = "baseline"
SPEC_FIELDS = ("priority", "description")
_DEFAULT = "application"
_FORMER_NAMES = {
    name: name.lower() for name in ("Emergency", "SecurityOps", "NetworkOps", "Platform", "Application", "Baseline")
}
_RESERVED = (251, 252, 254, 255)
_LAST_PRIORITY = 255
_MOST_TIERS = 20


class Tiers:
    """The tiers there are, those that Antrea makes itself always among them."""

    def __init__(self) -> None:
        self._priorities = dict(STATIC)

    def add(self, tier: Antrea) -> None:
        """Take a Tier object."""
        spec = tier.spec.mapping(SPEC_FIELDS)
        spec.get("description").text()
        field = spec.get("priority")
        priority = field.integer()
        if field.value is None:
            field.error("a priority is required: a free number below 250, the lower the earlier")
        if priority is None or not self._is_free(field, priority, tier.name):
            return
        self._priorities[tier.name] = priority
        if len(self._priorities) > _MOST_TIERS:
            tier.root.error(f"there are more than {_MOST_TIERS} tiers, the most that Antrea takes. Remove one")

    def _is_free(self, field: Field, priority: int, name: str) -> bool:
        taken = {number: other for other, number in self._priorities.items() if other != name}
        if name in STATIC:
            if priority != STATIC[name]:
                field.error(f"the tier {name} is Antrea's own and has priority {STATIC[name]}. Name yours otherwise")
        elif not 0 <= priority <= _LAST_PRIORITY:
            field.error(f"{priority} is not a priority of a tier: they go from 0 to {_LAST_PRIORITY}")
        elif priority in _RESERVED:
            field.error(f"priority {priority} is reserved. Choose a free one below {STATIC[_DEFAULT]}")
        elif priority in taken:
            field.error(f"priority {priority} is that of tier {taken[priority]}. Choose another one")
        else:
            return True
        return name in STATIC

    def name(self, field: Field) -> str:
        """Read which tier a policy is in; one that does not exist is an error."""
        written = field.text()
        if not written:
            return _DEFAULT
        if written in _FORMER_NAMES:
            name = _FORMER_NAMES[written]
            field.warn(f"{written} is how old releases wrote it. Write {name}")
            return name
        if written not in self._priorities:
            there = ", ".join(sorted(self._priorities, key=lambda name: self._priorities[name]))
            field.error(f"there is no tier {written!r} in the input, only {there}. Add its Tier, or name one of these")
            return _DEFAULT
        return written

    def place(self, name: str, direction: Direction) -> Tier:
        """Return the tier as rules of a direction have it.

        Its second rank keeps a tier apart from that of upstream policies, where their priorities are equal. Antrea
        skips the rules of ingress, not those of egress, for a pod that reaches itself through a Service (AN-34).
        """
        is_baseline = name == BASELINE
        return Tier(
            name,
            Position((2.0,) if is_baseline else (0.0,), (float(self._priorities[name]), 0.0)),
            fallback=is_baseline,
            judges_hairpin=direction is Direction.EGRESS,
        )

    def before_pods(self, name: str) -> Tier:
        """Return the tier as rules that guard a Service have it: asked before those of the pods behind it (AN-12)."""
        return Tier(name, Position((-1.0,), (float(self._priorities[name]), 0.0)))
