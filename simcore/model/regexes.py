"""Regular expressions as RE2 reads them, Envoy's library, whose syntax is Go's: time grows with the text only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

Matches = Callable[[str], object]


class RegexError(ValueError):
    """A text is not a regular expression that RE2 takes."""


@cache
def matcher(pattern: str) -> Matches:
    """Return what tells whether a whole text matches an expression.

    Raises
    ------
    RegexError
        The expression is wrong, or takes too much memory.
    """
    import re2  # only where a rule has an expression: commands start faster without it

    options = re2.Options()
    options.log_errors = False
    try:
        matches: Matches = re2.compile(pattern, options).fullmatch
    except re2.error as error:
        told = error.args[0]
        raise RegexError(told.decode(errors="replace") if isinstance(told, bytes) else str(told)) from None
    return matches
