"""Which format a file is of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import pyarrow as pa

from simcore.errors import LoadError

from .formats import FORMATS
from .hubble.recognising import holds_events
from .hubble.stored import is_stored
from .records.samples import Sample, read_sample
from .sources import looks_like_parquet, problem

HUBBLE, PARQUET = "hubble", "parquet"


@dataclass(frozen=True, slots=True)
class About:
    """What is told of a format: its name, what writes it, what a row of it is, what cannot be judged from it."""

    name: str
    title: str
    row: str
    lacks: tuple[str, ...] = ()


KNOWN: Mapping[str, About] = MappingProxyType(
    {
        each.name: each
        for each in (
            About(PARQUET, "Parquet of flows: our own, AWS VPC Flow Logs, and other names of columns", "as it says"),
            About(HUBBLE, "Hubble's events (Cilium), JSON lines or Parquet", "event", ("no counters of bytes",)),
            *(About(each.name, each.title, each.row, each.lacks) for each in FORMATS.values()),
        )
    }
)
"""Everything that can be read, by the name that an option takes."""


def tell_format(path: str, wanted: str | None = None) -> str:
    """Tell which format a file is of, by what it holds; `wanted` where somebody said so.

    Raises
    ------
    LoadError
        It cannot be read, or nothing is known of its format.
    """
    if wanted is not None:
        return wanted
    try:
        sample = read_sample(path)
    except LoadError:
        return PARQUET  # it begins as Parquet does: whoever opens it tells what is wrong
    except OSError as error:
        raise LoadError([problem(path, f"it cannot be read: {error.strerror or error}")]) from None
    if found := recognised(path, sample):
        return found
    if not sample.is_text and looks_like_parquet(path):
        return PARQUET
    if not sample.data:
        raise LoadError([problem(path, "this file is empty. Was it written to its end?")])
    raise LoadError([problem(path, _unknown(sample))])


def recognised(path: str, sample: Sample) -> str | None:
    """Tell which format the beginning of a file is of."""
    found = next((name for name, each in FORMATS.items() if each.recognise(sample)), None)
    if found is not None:
        return found
    if sample.parquet is not None:
        return HUBBLE if is_stored(path) else PARQUET
    return HUBBLE if sample.is_text and holds_events(sample.data) else None


def _unknown(sample: Sample) -> str:
    kind = "this is text" if sample.is_text else "this is no text"
    return f"{kind}, and of no format that is known: {', '.join(KNOWN)}. Say which it is with --capture-format"


def is_capture(path: str) -> bool:
    """Whether a file of a folder is a capture."""
    if looks_like_parquet(path):
        return True
    try:
        return recognised(path, read_sample(path)) is not None
    except (LoadError, OSError, pa.ArrowException):
        return False
