"""Calico's selector language: reading it, its canonical text, and what it says of labels (CA-10 to CA-15)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simcore.model.labels import Operator, Requirement

MOST_CHARACTERS = 1024
"""The longest selector that the API takes."""
_LONGEST_LABEL = 512
_DEEPEST = 128
_BLANK = re.compile(r"[ \t]*")
_LABEL = re.compile(r"[A-Za-z0-9_./-]+")
_OPERATOR = re.compile(r"==|!=|(?:contains|starts[ \t]*with|ends[ \t]*with|not[ \t]*in|in)(?![A-Za-z0-9_./-])")
_STRING = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_CALL = re.compile(r"(has|all|global)\(")
_MEANING = {
    "==": Operator.IN,
    "!=": Operator.NOT_IN,
    "in": Operator.IN,
    "not in": Operator.NOT_IN,
    "contains": Operator.CONTAINS,
    "starts with": Operator.STARTS_WITH,
    "ends with": Operator.ENDS_WITH,
    "has": Operator.EXISTS,
}
_WORDS = {word.replace(" ", ""): word for word in _MEANING}


class ExpressionError(ValueError):
    """An expression that is none: `position` counts its characters from 0."""

    def __init__(self, position: int, message: str) -> None:
        super().__init__(f"column {position + 1}: {message}")
        self.position = position


@dataclass(frozen=True, slots=True)
class Comparison:
    """One condition on one label; `word` is the operator, or ``has``."""

    label: str
    word: str
    values: tuple[str, ...] = ()
    requirement: Requirement = field(init=False, compare=False, repr=False)
    """The same for the model."""

    def __post_init__(self) -> None:
        """Make the requirement."""
        requirement = Requirement(self.label, _MEANING[self.word], frozenset(self.values))
        object.__setattr__(self, "requirement", requirement)

    def __str__(self) -> str:
        """Write in canonical form: sets sorted, each value once."""
        if self.word == "has":
            return f"has({self.label})"
        if self.word in ("in", "not in"):
            return f"{self.label} {self.word} {{{', '.join(map(_quoted, sorted(set(self.values))))}}}"
        return f"{self.label} {self.word} {_quoted(self.values[0])}"


@dataclass(frozen=True, slots=True)
class Always:
    """What holds of everything: ``all()``, or ``global()``, which means more in a rule's namespaceSelector."""

    word: str = "all"

    def __str__(self) -> str:
        """Write as a call."""
        return f"{self.word}()"


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of its operand."""

    operand: Expression

    def __str__(self) -> str:
        """Write with the sign before the operand."""
        return f"!{self.operand}"


@dataclass(frozen=True, slots=True)
class Every:
    """All of its operands (``&&``)."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        """Write in parentheses."""
        return f"({' && '.join(map(str, self.operands))})"


@dataclass(frozen=True, slots=True)
class Some:
    """Any of its operands (``||``)."""

    operands: tuple[Expression, ...]

    def __str__(self) -> str:
        """Write in parentheses."""
        return f"({' || '.join(map(str, self.operands))})"


Expression = Comparison | Always | Not | Every | Some


def parse(text: str) -> Expression:
    """Read a selector; blank text is ``all()``. Its canonical text is `str` of the result.

    Raises
    ------
    ExpressionError
        The text is not a selector.
    """
    return _Parser(text).selector()


def holds(expression: Expression, labels: Mapping[str, str]) -> bool:
    """Whether an expression holds for an object with these labels."""
    match expression:
        case Always():
            return True
        case Not(operand):
            return not holds(operand, labels)
        case Every(operands):
            return all(holds(operand, labels) for operand in operands)
        case Some(operands):
            return any(holds(operand, labels) for operand in operands)
        case Comparison():
            return expression.requirement.matches(labels)


def rewritten(expression: Expression, leaf: Callable[[Comparison | Always], Expression]) -> Expression:
    """Return an expression with each of its comparisons, and each ``all()`` or ``global()``, replaced."""
    match expression:
        case Not(operand):
            return Not(rewritten(operand, leaf))
        case Every(operands):
            return Every(tuple(rewritten(operand, leaf) for operand in operands))
        case Some(operands):
            return Some(tuple(rewritten(operand, leaf) for operand in operands))
        case _:
            return leaf(expression)


def _quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


class _Parser:
    """Descends through the grammar; `_at` is the next character to read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._skip()

    def selector(self) -> Expression:
        if self._at == len(self._text):
            return Always()
        result = self._either()
        if self._at < len(self._text):
            raise self._error(f"expected && or || or the end, found {self._found()}")
        return result

    def _either(self) -> Expression:
        operands = [self._both()]
        while self._take("||"):
            operands.append(self._both())
        return operands[0] if len(operands) == 1 else Some(tuple(operands))

    def _both(self) -> Expression:
        operands = [self._term()]
        while self._take("&&"):
            operands.append(self._term())
        return operands[0] if len(operands) == 1 else Every(tuple(operands))

    def _term(self) -> Expression:
        is_negated = False
        while self._take("!"):
            is_negated = not is_negated
        operand = self._primary()
        return Not(operand) if is_negated else operand

    def _primary(self) -> Expression:
        if call := _CALL.match(self._text, self._at):
            return self._called(call)
        if self._take("("):
            return self._group()
        if not _LABEL.match(self._text, self._at):
            raise self._error(f"expected a condition such as app == 'web', found {self._found()}")
        return self._comparison()

    def _group(self) -> Expression:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"more than {_DEEPEST} parentheses inside each other are not read")
        inner = self._either()
        self._expect(")")
        self._depth -= 1
        return inner

    def _called(self, call: re.Match[str]) -> Expression:
        self._move(call.end())
        if call[1] != "has":
            self._expect(")")
            return Always(call[1])
        label = self._label()
        self._expect(")")
        return Comparison(label, "has")

    def _comparison(self) -> Comparison:
        label = self._label()
        operator = _OPERATOR.match(self._text, self._at)
        if operator is None:
            raise self._error(f"expected an operator after the label {label!r}, found {self._found()}. {_hint(label)}")
        self._move(operator.end())
        word = _WORDS[re.sub(r"[ \t]", "", operator[0])]
        if word in ("in", "not in"):
            return Comparison(label, word, self._set())
        return Comparison(label, word, (self._string(),))

    def _label(self) -> str:
        found = _LABEL.match(self._text, self._at)
        if found is None:
            raise self._error(f"expected a label, found {self._found()}. Labels stand without quotes")
        if len(found[0]) > _LONGEST_LABEL:
            raise self._error(f"a label of {len(found[0])} characters; {_LONGEST_LABEL} are the most")
        self._move(found.end())
        return found[0]

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            if self._text[self._at : self._at + 1] in ("'", '"'):
                raise self._error("this quote is never closed")
            raise self._error(f"expected text in quotes, found {self._found()}")
        self._move(found.end())
        return found[1] if found[1] is not None else found[2]

    def _set(self) -> tuple[str, ...]:
        self._expect("{")
        values: list[str] = []
        while not self._take("}"):
            if values:
                self._expect(",")
                if self._take("}"):
                    break
            values.append(self._string())
        return tuple(values)

    def _take(self, sign: str) -> bool:
        if not self._text.startswith(sign, self._at):
            return False
        self._move(self._at + len(sign))
        return True

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise self._error(f"expected {sign}, found {self._found()}")

    def _move(self, position: int) -> None:
        self._at = position
        self._skip()

    def _skip(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at

    def _found(self) -> str:
        if self._at == len(self._text):
            return "the end"
        label = _LABEL.match(self._text, self._at)
        found = label[0] if label else self._text[self._at]
        if found in "\r\n":
            return "a line break; blanks and tabs only may stand between words. In YAML write the selector in one line"
        return repr(found)

    def _error(self, message: str) -> ExpressionError:
        return ExpressionError(self._at, message)


def _hint(label: str) -> str:
    if label == "not":
        return "Negate with !"
    if label in ("has", "all", "global"):
        return f"No blank may stand between {label} and its parenthesis"
    return "Operators are ==, !=, in, not in, contains, starts with and ends with"
