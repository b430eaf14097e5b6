"""Calico's selectors: conditions on labels, some of which look for a part of a text."""

from __future__ import annotations

from typing import Any

from simcore.errors import Diagnostic, LoadError, Place, Severity

from ..dialects.calico.expressions import (
    MOST_CHARACTERS,
    Always,
    Comparison,
    Every,
    Expression,
    ExpressionError,
    Not,
    Some,
    parse,
)
from .shapes import Scribe, hidden, label_value

_SETS = ("in", "not in")
_PARTS = ("contains", "starts with", "ends with")
_INHERITED = ("pcns.", "pcsa.")


def expression(value: Any, scribe: Scribe) -> Any:
    """Write a selector.

    Raises
    ------
    LoadError
        With pseudonyms it is longer than Calico takes.
    """
    if not isinstance(value, str) or not value:
        return hidden(value, scribe)
    try:
        found = parse(value)
    except ExpressionError:
        return hidden(value, scribe)
    written = _written(found, scribe, is_inner=False)
    if len(written) > MOST_CHARACTERS >= len(value):
        raise LoadError([Diagnostic(Severity.ERROR, Place("selector"), f"{value!r} would be longer than {_WAY_OUT}")])
    return written


_WAY_OUT = f"the {MOST_CHARACTERS} characters that Calico takes, once its words are pseudonyms. Split it in two rules"


def _written(found: Expression, scribe: Scribe, *, is_inner: bool) -> str:
    match found:
        case Always(word):
            return f"{word}()"
        case Not(operand):
            return f"!{_written(operand, scribe, is_inner=True)}"
        case Every(operands) | Some(operands):
            sign = "&&" if isinstance(found, Every) else "||"
            joined = sign.join(_written(operand, scribe, is_inner=True) for operand in operands)
            return f"({joined})" if is_inner else joined
        case Comparison():
            return _compared(found, scribe)


def _compared(found: Comparison, scribe: Scribe) -> str:
    key = scribe.names.key(found.label)
    if found.word == "has":
        return f"has({key})"
    if found.word in _PARTS:
        return _of_part(found, key, scribe)
    values = [str(label_value(found.label, value, scribe)) for value in found.values]
    if found.word in _SETS:
        return _of_set(key, found.word, values)
    return f"{key}{found.word}{_quoted(values[0])}"


def _of_set(key: str, word: str, values: list[str]) -> str:
    return f"{key} {word}{{{','.join(map(_quoted, values))}}}"


def _quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def _of_part(found: Comparison, key: str, scribe: Scribe) -> str:
    """Look for the pseudonym of a part; where that would find other values, name those of the input that are meant."""
    own, part = found.label, found.values[0]
    values = sorted(values_of(own, scribe))
    made = Comparison(own, found.word, (scribe.names.joined(part),))
    if not values:
        scribe.doubts.append(
            f"nothing in the input has the label {own}, so whether its pseudonyms go on matching {found} cannot be "
            "told. Name the cluster beside it (--beside)"
        )
    written = {value: str(label_value(own, value, scribe)) for value in values}
    meant = [value for value in values if found.requirement.holds(value)]
    if meant == [value for value in values if made.requirement.holds(written[value])]:
        return f"{key} {found.word}{_quoted(made.values[0])}"
    scribe.doubts.append(
        f"{found} looks for parts of words, which pseudonyms do not keep: it is written as the {len(meant)} values of "
        "the input that it means. Values that come later are not among them"
    )
    return _of_set(key, "in", [written[value] for value in meant])


def values_of(label: str, scribe: Scribe) -> set[str]:
    """Return the values that a label has in the input, its own and those that are inherited."""
    for prefix in _INHERITED:
        label = label.removeprefix(prefix)
    return scribe.values.get(label, set())
