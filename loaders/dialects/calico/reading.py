"""What all Calico objects have in common: their head, selectors, numbers and flags."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from simcore.errors import Diagnostic, Severity
from simcore.model.addresses import Address, Cidr

from ...documents import Document
from ..blocks import read_cidr
from ..fields import Field, describe, quoting
from ..metadata import read_metadata
from .expressions import MOST_CHARACTERS, Always, Comparison, Every, Expression, ExpressionError, Not, Some, parse

API_GROUP = "projectcalico.org"
STORAGE_GROUP = "crd.projectcalico.org"
_VERSIONS = {API_GROUP: "projectcalico.org/v3", STORAGE_GROUP: "crd.projectcalico.org/v1"}
LEFT_OUT = "Calico leaves out a stored"
"""How warnings begin to say what becomes of a stored object that is invalid."""
NAMESPACED = ("NetworkPolicy", "StagedNetworkPolicy", "StagedKubernetesNetworkPolicy", "NetworkSet")


@dataclass(frozen=True, slots=True)
class Head:
    """An object with its name; `namespace` is empty where the kind has none."""

    root: Field
    metadata: Field
    namespace: str
    name: str

    @property
    def kind(self) -> str:
        """Its kind."""
        return self.root.document.kind

    @property
    def is_stored(self) -> bool:
        """Whether it is in the form in which Calico keeps it (CA-2)."""
        return self.root.document.group == STORAGE_GROUP


def read_head(document: Document, problems: list[Diagnostic]) -> Head:
    """Read what names an object, and check what every object must have."""
    root = Field(document, problems, document.value).mapping(("apiVersion", "kind", "metadata", "spec", "status"))
    wanted = _VERSIONS[document.group]
    if document.api_version != wanted:
        root.error(f"there is no {document.kind} in {document.api_version}. Write apiVersion: {wanted}", "apiVersion")
    for path in document.repeated_keys():
        root.error("this key stands here twice. Keep one", *path)
    own = root.get("metadata")
    metadata = read_metadata(own, namespaced=document.kind in NAMESPACED)
    field = own if isinstance(own.value, dict) else replace(own, value=None)
    return Head(root, field, metadata.namespace, metadata.name)


def is_usable(document: Document, found: list[Diagnostic], diagnostics: list[Diagnostic]) -> bool:
    """Hand on what was found of an object, and tell whether it may be used.

    What the API would refuse is an error. Of stored objects it is a warning: Calico leaves out those that fail its
    validation, and so does this (CA-3).
    """
    found.sort(key=lambda diagnostic: diagnostic.place.line)
    has_errors = any(diagnostic.severity is Severity.ERROR for diagnostic in found)
    if has_errors and document.group == STORAGE_GROUP:
        fate = f". {LEFT_OUT} {document.kind} that it finds invalid, and so do the verdicts here"
        found = [replace(d, severity=Severity.WARNING, message=d.message + fate) for d in found]
    diagnostics += found
    return not has_errors


def read_expression(field: Field, *, allows_global: bool = False) -> Expression | None:
    """Read a selector; None where it is absent, empty or wrong."""
    text = field.text()
    if not text:
        return None
    if len(text) > MOST_CHARACTERS:
        field.error(f"a selector of {len(text)} characters; the API takes {MOST_CHARACTERS}")
    try:
        expression = parse(text)
    except ExpressionError as error:
        field.error(f"{text!r} is not a selector: {error}")
        return None
    if _has_global(expression) and not (allows_global and isinstance(expression, Always)):
        field.error("global() may only stand alone, as the namespaceSelector of a rule")
        return None
    return expression


def _has_global(expression: Expression) -> bool:
    match expression:
        case Always(word):
            return word == "global"
        case Not(operand):
            return _has_global(operand)
        case Every(operands) | Some(operands):
            return any(map(_has_global, operands))
        case Comparison():
            return False


def read_number(field: Field) -> float | None:
    """Return a number, fractions included; None where it is absent or something else."""
    if field.value is None or (isinstance(field.value, int | float) and not isinstance(field.value, bool)):
        return None if field.value is None else float(field.value)
    field.error(f"expected a number, got {describe(field.value)}")
    return None


def read_flag(field: Field) -> bool:
    """Return true or false; absent is false."""
    if field.value is None or isinstance(field.value, bool):
        return bool(field.value)
    field.error(f"expected true or false, got {describe(field.value)}. Write it without quotes")
    return False


def read_word(field: Field, words: Collection[str], hints: Mapping[str, str] | None = None) -> str | None:
    """Return one of some words; None where it is absent or something else."""
    if field.value is None:
        return None
    if isinstance(field.value, str) and field.value in words:
        return field.value
    near = [word for word in words if str(field.value).lower() == word.lower()]
    hint = (hints or {}).get(str(field.value)) or (f"Write {near[0]}" if near else f"Use one of {', '.join(words)}")
    field.error(f"{describe(field.value)} may not stand here. {hint}")
    return None


def read_list(field: Field, most: int, what: str) -> list[Field]:
    """Return the items of a list, which may not be too long."""
    items = list(field.items())
    if len(items) > most:
        field.error(f"{len(items)} {what}; the API takes {most}")
    return items


def read_block_or_address(field: Field, *, strict_cidr: bool) -> Cidr | None:
    """Read a CIDR, or an address as the block of it alone."""
    text = field.text()
    if text is None:
        if field.value is None:
            field.error("a CIDR is required, such as 10.0.0.0/8")
        return None
    if "/" in text:
        return read_cidr(field, strict_cidr=strict_cidr)
    address = read_address(field)
    return Cidr.containing(address, address.family.bits) if address else None


def read_address(field: Field) -> Address | None:
    """Read one address."""
    text = field.text()
    if text is None:
        if field.value is None:
            field.error("an address is required")
        return None
    try:
        return Address.parse(text)
    except ValueError as error:
        field.error(str(error))
        return None


def read_texts(field: Field) -> list[str]:
    """Return the texts of a list."""
    found: list[str] = []
    for item in field.items():
        if item.value is None:
            item.error(f"expected text, got nothing. {quoting(item.value)}")
        elif (text := item.text()) is not None:
            found.append(text)
    return found
