"""Label selectors of manifests (semantics section 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from simcore.model.labels import LabelSelector, Operator, Requirement

from .fields import Field
from .names import label_key_complaint, label_value_complaint

_SELECTOR_HINTS = {
    "matchLabel": "Did you mean matchLabels?",
    "matchExpression": "Did you mean matchExpressions?",
    "podSelector": "It does not nest: labels stand below matchLabels or matchExpressions",
    "namespaceSelector": "It stands beside podSelector, not inside it",
}
_REQUIREMENT_HINTS = {"value": "Did you mean values? It takes a list"}
_OPERATORS = {operator.value: operator for operator in Operator}
_SET_OPERATORS = (Operator.IN, Operator.NOT_IN)
_NO_HINTS: Mapping[str, str] = {}


_Complain = Callable[[str], str | None]


def read_selector(
    field: Field, more_hints: Mapping[str, str] = _NO_HINTS, key_complaint: _Complain = label_key_complaint
) -> LabelSelector:
    """Read a selector; absent, null and empty select everything.

    `more_hints` say what the fields mean that people write here by mistake; `key_complaint` checks label keys.
    """
    hints = {**_SELECTOR_HINTS, **more_hints}
    if isinstance(field.value, dict) and not {"matchLabels", "matchExpressions"} & field.value.keys():
        loose = "Put labels below matchLabels"
        hints = {name: hints.get(name, loose) for name in field.value}
    selector = field.mapping(("matchLabels", "matchExpressions"), hints)
    requirements = [
        *_match_labels(selector.get("matchLabels"), key_complaint),
        *_match_expressions(selector, key_complaint),
    ]
    return LabelSelector.of(*requirements)


def _match_labels(field: Field, key_complaint: _Complain) -> list[Requirement]:
    labels = check_labels(field, key_complaint)
    return [Requirement(key, Operator.IN, frozenset([value])) for key, value in labels.items()]


def check_labels(field: Field, key_complaint: _Complain = label_key_complaint) -> dict[str, str]:
    """Read labels, reporting keys and values that the API server refuses."""
    labels = field.text_map()
    for key, value in labels.items():
        for complaint in (key_complaint(key), label_value_complaint(value)):
            if complaint:
                field.error(complaint, key)
    return labels


def _match_expressions(selector: Field, key_complaint: _Complain) -> list[Requirement]:
    found = [_requirement(item, key_complaint) for item in selector.get("matchExpressions").items()]
    return [requirement for requirement in found if requirement]


def _requirement(item: Field, key_complaint: _Complain) -> Requirement | None:
    expression = item.mapping(("key", "operator", "values"), _REQUIREMENT_HINTS)
    key = expression.get("key").text()
    if not key:
        if expression.get("key").value is None or key == "":
            expression.error("a label key is required", "key")
    elif complaint := key_complaint(key):
        expression.error(complaint, "key")
    operator = _operator(expression.get("operator"))
    values = _values(expression.get("values"), operator)
    return Requirement(key, operator, values, is_expression=True) if key and operator else None


def _operator(field: Field) -> Operator | None:
    word = field.text()
    if word in _OPERATORS:
        return _OPERATORS[word]
    if word is None and field.value is not None:
        return None
    near = [name for name in _OPERATORS if word and name.lower() == word.lower()]
    hint = f"Did you mean {near[0]}?" if near else f"Use one of {', '.join(_OPERATORS)}"
    field.error(f"{word!r} is not a selector operator. {hint}" if word else f"an operator is required. {hint}")
    return None


def _values(field: Field, operator: Operator | None) -> frozenset[str]:
    values: list[str] = []
    before = len(field.problems)
    for item in field.items():
        value = item.text()
        if item.value is None:
            item.error('a value is missing. Write "" for the empty text')
        elif value is not None:
            if operator in _SET_OPERATORS and (complaint := label_value_complaint(value)):
                item.error(complaint)
            values.append(value)
    if len(field.problems) == before and operator:
        if operator in _SET_OPERATORS and not values:
            field.error(f"{operator} needs at least one value. To ask for the key alone use Exists or DoesNotExist")
        elif operator not in _SET_OPERATORS and values:
            field.error(f"{operator} takes no values. Remove them, or use In or NotIn")
    return frozenset(values)
