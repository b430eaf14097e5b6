"""Every rule, in the order of codes, and which of them are wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from pkgutil import iter_modules

from . import rules
from .findings import LintRule
from .suppressions import SUPPRESSIONS


def _of_topics() -> Iterator[LintRule]:
    """Yield the rules of every file of the folder `rules`: its `RULES`."""
    for topic in iter_modules(rules.__path__):
        yield from import_module(f"{rules.__name__}.{topic.name}").RULES


RULES: tuple[LintRule, ...] = tuple(sorted((SUPPRESSIONS, *_of_topics()), key=lambda rule: rule.code))
"""All of them."""

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
