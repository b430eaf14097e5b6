"""Eras: policies of several times in one tables, each flow judged by those of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..model.policy import Policy
from ..model.timeline import PolicyHistory

if TYPE_CHECKING:
    from .layout import Tables


@dataclass(frozen=True)
class Eras:
    """Which policy sets hold at which time.

    Attributes
    ----------
    begins : int64[eras]
        Nanoseconds; ascending, the first the beginning of all time.
    kind : int64[eras]
        Which of `views` judges each.
    views : tuple of Tables
        The tables for one choice of sets each, which know no time.
    """

    begins: NDArray[np.int64]
    kind: NDArray[np.int64]
    views: tuple[Tables, ...]


def distinct_sets(histories: Sequence[PolicyHistory]) -> list[tuple[Policy, ...]]:
    """List the policy sets that ever hold, each once."""
    found: list[tuple[Policy, ...]] = []
    for history in histories:
        for _, held in history:
            if held not in found:
                found.append(held)
    return found


def in_eras(tables: Tables, histories: Sequence[PolicyHistory], sets: Sequence[tuple[Policy, ...]]) -> Tables:
    """Return tables of `sets` as those of histories of them: of as many policy sets as there are histories."""
    begins = sorted({first for history in histories for (first, _), _ in history})
    choices = [tuple(sets.index(history.at(begin)) for history in histories) for begin in begins]
    kinds = {choice: number for number, choice in enumerate(dict.fromkeys(choices))}
    views = tuple(_of_sets(tables, choice) for choice in kinds)
    kind = np.array([kinds[choice] for choice in choices], np.int64)
    return replace(views[-1], eras=Eras(np.array(begins, np.int64), kind, views))


def _of_sets(tables: Tables, choice: Sequence[int]) -> Tables:
    """Return the tables of some of their policy sets."""
    programs = tables.arrays.program_of
    rows = [2 * number + direction for number in choice for direction in (0, 1)]
    if len(programs) > 2 * tables.sets:
        rows += [2 * tables.sets + row for row in rows]
    return replace(tables, arrays=tables.arrays._replace(program_of=programs[rows]), sets=len(choice), kept=None)
