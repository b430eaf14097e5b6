"""How findings name things."""

from __future__ import annotations

from collections.abc import Iterable

MOST_NAMED = 5


def listed(names: Iterable[object], most: int = MOST_NAMED) -> str:
    """List names, each once; those beyond the first few are counted."""
    found = list(dict.fromkeys(map(str, names)))
    rest = len(found) - most
    if rest > 1:
        return f"{', '.join(found[:most])} and {rest:,} more"
    return " and ".join(filter(None, (", ".join(found[:-1]), *found[-1:])))


def counted(number: int, noun: str, plural: str = "") -> str:
    """Write ``1 workload``, ``12 workloads``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def counted_list(names: list[str], noun: str = "workload") -> str:
    """Write ``2 workloads: shop/Deployment/web and shop/Deployment/api``; ``nobody`` where there is none."""
    return f"{counted(len(names), noun)}: {listed(names)}" if names else "nobody"
