"""Quantities as Kubernetes writes them: ``8``, ``3920m``, ``32Gi``, ``16393244Ki``, ``1e9``."""

from __future__ import annotations

import re
from decimal import Decimal
from math import ceil

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([A-Za-z]*|[eE][+-]?[0-9]+)")
_DECIMAL = {
    suffix: Decimal(10) ** power for power, suffix in zip(range(-9, 19, 3), (*"num", "", *"kMGTPE"), strict=True)
}
_BINARY = {f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)}
_FACTORS = _DECIMAL | _BINARY


def parse_quantity(text: str | int | float) -> int:
    """Return a quantity as a whole number, rounded up as the API does.

    Raises
    ------
    ValueError
        It is no quantity, or below 0.
    """
    found = _QUANTITY.fullmatch(str(text))
    suffix = found[2] if found else ""
    if found is None or not (suffix in _FACTORS or suffix[1:]):
        raise ValueError(f"{text!r} is no quantity, such as 8, 3920m or 32Gi")
    if suffix in _FACTORS:
        value = Decimal(found[1]) * _FACTORS[suffix]
    else:
        try:
            value = Decimal(found[1] + suffix)
        except ArithmeticError:
            raise ValueError(f"{text!r} is no quantity, such as 8, 3920m or 32Gi") from None
    if value < 0:
        raise ValueError(f"{text!r} is below 0")
    if value >= 2**63:
        raise ValueError(f"{text!r} is more than any machine has")
    return ceil(value)
