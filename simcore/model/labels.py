"""Label selectors (semantics section 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"
NAME_KEY = "@name"
"""Stands for the name of a node or a service account among its labels; no label can be called that."""


class Operator(StrEnum):
    """How a requirement looks at the value of its key."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"
    CONTAINS = "Contains"
    STARTS_WITH = "StartsWith"
    ENDS_WITH = "EndsWith"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label key; NotIn and DoesNotExist hold where the key is missing (NP-10).

    The last three operators look for any of `values` in the text of the label. One that was written among
    ``matchExpressions`` is equal to the same one of ``matchLabels``.
    """

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()
    is_expression: bool = field(default=False, compare=False)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels meets the condition."""
        return self.holds(labels.get(self.key))

    def holds(self, value: str | None) -> bool:
        """Whether the condition holds for this value of the key; None where the key is missing."""
        match self.operator:
            case Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case Operator.CONTAINS:
                return value is not None and any(part in value for part in self.values)
            case Operator.STARTS_WITH:
                return value is not None and value.startswith(tuple(self.values))
            case Operator.ENDS_WITH:
                return value is not None and value.endswith(tuple(self.values))

    def __str__(self) -> str:
        """Write the way ``kubectl -l`` would."""
        values = ",".join(sorted(self.values))
        match self.operator:
            case Operator.IN:
                return f"{self.key}={values}" if len(self.values) == 1 else f"{self.key} in ({values})"
            case Operator.NOT_IN:
                return f"{self.key} notin ({values})"
            case Operator.EXISTS:
                return self.key
            case Operator.DOES_NOT_EXIST:
                return f"!{self.key}"
            case Operator.CONTAINS:
                return f"{self.key} contains {values}"
            case Operator.STARTS_WITH:
                return f"{self.key} starts with {values}"
            case Operator.ENDS_WITH:
                return f"{self.key} ends with {values}"


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """The AND of its requirements, sorted and without repeats; none at all matches everything."""

    requirements: tuple[Requirement, ...] = ()

    @classmethod
    def of(cls, *requirements: Requirement) -> LabelSelector:
        """Make a selector whose equality does not depend on the order of its requirements."""
        return cls(tuple(sorted(set(requirements), key=lambda r: (r.key, r.operator, sorted(r.values)))))

    @classmethod
    def equal(cls, labels: Mapping[str, str]) -> LabelSelector:
        """Make the selector of ``matchLabels``."""
        return cls.of(*(Requirement(key, Operator.IN, frozenset([value])) for key, value in labels.items()))

    @classmethod
    def namespace(cls, name: str) -> LabelSelector:
        """Select the namespace of this name; every namespace carries its name as a label (NP-12)."""
        return cls((Requirement(NAMESPACE_NAME_LABEL, Operator.IN, frozenset([name])),))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        """Write the way ``kubectl -l`` would; the empty selector is ``everything``."""
        return ",".join(map(str, self.requirements)) or "everything"


EVERYTHING = LabelSelector()
