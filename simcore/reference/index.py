"""The ordered rules by namespace, so that a pod is not asked about the rules of all others."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.labels import NAMESPACE_NAME_LABEL, Operator
from ..model.peers import AllOf, Endpoints
from ..model.policy import Direction, Rule

_Numbered = list[tuple[int, Rule]]


class RuleIndex:
    """Finds the few rules that may bind the pods of a namespace, in order.

    Most subjects ask for a namespace by its name; rules with any other subject may bind everywhere.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._anywhere: dict[Direction, _Numbered] = {direction: [] for direction in Direction}
        self._named: dict[tuple[Direction, str], _Numbered] = {}
        for number, rule in enumerate(rules):
            names = _namespaces_of(rule)
            if names is None:
                self._anywhere[rule.direction].append((number, rule))
            for name in names or ():
                self._named.setdefault((rule.direction, name), []).append((number, rule))

    def candidates(self, direction: Direction, namespace: str) -> list[Rule]:
        """Return the rules that may bind a pod whose namespace carries this name as its label."""
        found = [*self._anywhere[direction], *self._named.get((direction, namespace), ())]
        return [rule for _, rule in sorted(found, key=lambda numbered: numbered[0])]


def _namespaces_of(rule: Rule) -> frozenset[str] | None:
    """Return the names of the only namespaces that a rule's subject may be in; None where it names none."""
    for part in rule.subject.members if isinstance(rule.subject, AllOf) else (rule.subject,):
        if isinstance(part, Endpoints):
            for requirement in part.namespaces.requirements:
                if requirement.key == NAMESPACE_NAME_LABEL and requirement.operator is Operator.IN:
                    return requirement.values
    return None
