"""Domain names: what the DNS answers of a capture tell, and which rules nothing supports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.moments import NO_TIME
from ..model.addresses import Address
from ..model.cluster import Cluster, Stretch
from ..model.flows import Capture, Split
from ..model.names import ALWAYS, KnownNames, united, unsupported
from ..model.policy import Rule
from ..tables.layout import Tables
from .ends import raw_values, validity
from .shards import Engine
from .timely import read_times

SECOND = 1_000_000_000
GRACE = 60 * SECOND
"""How long an answer holds beyond its time to live.

Cilium's agent looks for expired names once a minute (``DNSGCJobInterval`` of its pkg/fqdn); its least time to live,
``tofqdns-min-ttl``, is 0 unless somebody sets it.
"""
_COLUMNS = ("dns_query", "dns_addresses", "dns_ttl", "time")
_Answer = tuple[str, str]
"""A name, and addresses as they are written."""


@dataclass(frozen=True)
class Learnt:
    """What a capture told of names.

    Attributes
    ----------
    answers : int
        DNS answers that were read.
    names : int
        Names that they tell addresses of.
    """

    answers: int = 0
    names: int = 0


@dataclass(frozen=True)
class NameReport:
    """What the verdicts of a capture rest on as far as rules by domain name go.

    Attributes
    ----------
    learnt : Learnt
    unsupported : tuple of (Rule, str)
        Each rule with each of its patterns, as written, that no known name matches.
    """

    learnt: Learnt = Learnt()
    unsupported: tuple[tuple[Rule, str], ...] = ()


NO_NAMES = NameReport()


def report_names(tables: Tables, learnt: Learnt) -> NameReport:
    """Tell what the rules of some tables lack of names."""
    found = {
        (rule.policy, rule.direction, rule.section, rule.index, written): (rule, written)
        for rule, written in reversed(list(unsupported(tables.rules, tables.cluster)))
    }
    return NameReport(learnt, tuple(reversed(found.values())))


def learn_names(capture: Capture, cluster: Cluster, engine: Engine, batch_rows: int) -> tuple[Cluster, Learnt]:
    """Add to what names stand for what the DNS answers of a capture tell.

    An answer holds from its time on, for as long as it says and `GRACE`; without time it always holds. Where the
    cluster knew no names, those that are learnt are not all there are. Reads the capture's answers; all of its rows
    where it does not tell which are answers. Equal captures teach equal clusters.
    """
    if not set(_COLUMNS[:2]) <= capture.columns:
        return cluster, Learnt()
    columns = [name for name in _COLUMNS if name in capture.columns]

    def look(split: Split) -> tuple[int, dict[_Answer, list[Stretch]]]:
        found: dict[_Answer, list[Stretch]] = {}
        count = 0
        for batch in capture.read(split, columns, batch_rows):
            count += _collect(batch, found)
        return count, {answer: list(united(stretches)) for answer, stretches in found.items()}

    answers = 0
    told: dict[_Answer, list[Stretch]] = {}
    for count, found in engine.map(look, capture.answers if "record" in capture.columns else capture.splits):
        answers += count
        for answer, stretches in found.items():
            told.setdefault(answer, []).extend(stretches)
    known = _known(told)
    if not known.stretches:
        return cluster, Learnt(answers)
    is_closed = cluster.names is not None and cluster.names_are_all
    joined = KnownNames.of(cluster).joined(known).given_to(cluster, are_all=is_closed)
    return joined, Learnt(answers, len({name for name, _ in known.stretches}))


def _known(told: dict[_Answer, list[Stretch]]) -> KnownNames:
    found: dict[tuple[str, Address], list[Stretch]] = {}
    for (query, texts), stretches in sorted(told.items()):
        name = query.lower().removesuffix(".")
        for address in _addresses(texts):
            found.setdefault((name, address), []).extend(stretches)
    return KnownNames({key: united(stretches) for key, stretches in found.items()})


def _addresses(texts: str) -> Iterable[Address]:
    for text in texts.split(","):
        try:
            yield Address.parse(text.strip())
        except ValueError:
            continue


def _collect(batch: pa.RecordBatch, found: dict[_Answer, list[Stretch]]) -> int:
    """Note when each distinct answer of a batch holds; return how many answers there are."""
    (queries, query), (texts, text) = (_coded(batch.column(name)) for name in _COLUMNS[:2])
    rows = np.flatnonzero((query >= 0) & (text >= 0))
    if not rows.size:
        return 0
    begins = read_times(batch)[rows]
    ends = begins + _lives(batch)[rows]
    timeless = begins == NO_TIME
    begins[timeless], ends[timeless] = ALWAYS
    pairs, number = np.unique(query[rows].astype(np.int64) << 32 | text[rows], return_inverse=True)
    order = np.lexsort((begins, number))
    starts = np.searchsorted(number[order], np.arange(pairs.size + 1))
    begins, ends = begins[order], ends[order]
    for pair, first, last in zip(pairs.tolist(), starts[:-1].tolist(), starts[1:].tolist(), strict=True):
        answer = queries[pair >> 32], texts[pair & 0xFFFFFFFF]
        found.setdefault(answer, []).extend(_stretches(begins[first:last], ends[first:last]))
    return int(rows.size)


def _stretches(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> list[Stretch]:
    """Unite stretches that are in the order of their begins."""
    reached = np.maximum.accumulate(ends)
    firsts = np.flatnonzero(np.append(True, begins[1:] > reached[:-1]))
    lasts = np.append(firsts[1:], begins.size) - 1
    return list(zip(begins[firsts].tolist(), reached[lasts].tolist(), strict=True))


def _lives(batch: pa.RecordBatch) -> NDArray[np.int64]:
    """Return how long each answer holds, in nanoseconds."""
    if "dns_ttl" not in batch.schema.names:
        return np.full(batch.num_rows, GRACE)
    column = batch.column("dns_ttl")
    seconds = np.where(validity(column), raw_values(column), 0).astype(np.int64)
    return np.asarray(np.maximum(seconds, 0) * SECOND + GRACE)


def _coded(column: pa.Array) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct texts of a column and the number of each row's; -1 where there is none."""
    if not isinstance(column, pa.DictionaryArray):
        column = column.dictionary_encode()
    texts = column.dictionary.to_pylist()
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    codes[np.isin(codes, [number for number, text in enumerate(texts) if not text])] = -1
    return texts, codes
