"""Counts as people write them."""

from __future__ import annotations

import re

_COUNT = re.compile(r"(\d+(?:_\d+)*)(?:\.(\d+))?([kKmMgG]?)")
_FACTORS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}


def parse_count(text: str) -> int:
    """Read a count such as ``250``, ``1_000_000``, ``40k`` or ``1.5M``; the suffixes are powers of 1000.

    Raises
    ------
    ValueError
        The text is not a count, or not a whole one.
    """
    match = _COUNT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a count such as 250, 40k, 1.5M or 2G")
    whole, fraction, suffix = match[1].replace("_", ""), match[2] or "", match[3].lower()
    scale: int = 10 ** len(fraction)
    count, rest = divmod(int(whole + fraction) * _FACTORS[suffix], scale)
    if rest:
        raise ValueError(f"{text!r} is not a whole number")
    return count
