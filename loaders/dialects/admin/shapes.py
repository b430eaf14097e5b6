"""Checks that the schemas of policy.networking.k8s.io make everywhere: no nulls, one field of several, list lengths."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..fields import Field

_NO_HINTS: Mapping[str, str] = {}


def exact(field: Field, known: Collection[str], hints: Mapping[str, str] = _NO_HINTS) -> Field:
    """Check a mapping as `Field.mapping` does, and that none of its fields is null."""
    checked = field.mapping(known, hints)
    for name, value in (checked.value or {}).items():
        if value is None and name in known:
            checked.error("null is no value here. Give it one, or remove the field", name)
    return checked


def one_of(field: Field, known: Collection[str], hints: Mapping[str, str], empty: str) -> Field | None:
    """Return the one field that is set of a mapping that takes exactly one.

    Parameters
    ----------
    field : Field
        The mapping.
    known : collection of str
        What may be set.
    hints : mapping of str to str
        What to say of others.
    empty : str
        What it would mean if nothing were set.
    """
    before = len(field.problems)
    checked = exact(field, known, hints)
    given = [name for name in known if checked.value and checked.value.get(name) is not None]
    if len(given) == 1:
        return checked.get(given[0])
    if given:
        field.error(f"{' and '.join(given)} stand in one item, and only one may. Give each an item of its own")
    elif len(field.problems) == before:
        field.error(f"one of {', '.join(known)} is required: {empty}")
    return None


def bounded(field: Field, most: int, what: str, *, required: bool = False, fewest: int = 1) -> list[Field]:
    """Return the items of a list that, where it is written, has `fewest` to `most` of them."""
    items = list(field.items())
    if required and field.value is None:
        field.error(f"at least one {what} is required")
    elif field.value == [] and fewest:
        field.error(f"an empty list is refused. Add a {what}" + ("" if required else ", or remove the field"))
    elif len(items) > most:
        field.error(f"{len(items)} items, and at most {most} are taken. Split them over several rules or policies")
    return items


def distinct(items: list[Field]) -> None:
    """Refuse items that stand in a list twice."""
    seen: dict[object, int] = {}
    for position, item in enumerate(items):
        if isinstance(item.value, str) and seen.setdefault(item.value, position) != position:
            item.error(f"{item.value} stands here twice. Keep one")
