"""Result columns and the rule table: what replay and what-if write beside the flows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..errors import LoadError, Place
from ..model.flows import Capture, Verdict
from ..tables.layout import Tables
from .judging import Judged

WORDS = pa.dictionary(pa.int16(), pa.string())
_NO_RULE = -1


def result_fields(suffix: str = "") -> list[pa.Field]:
    """List the fields that one policy set adds to a flow."""
    return [
        pa.field(f"verdict{suffix}", WORDS, nullable=False),
        pa.field(f"egress_rule{suffix}", pa.int32()),
        pa.field(f"ingress_rule{suffix}", pa.int32()),
        pa.field(f"egress_reason{suffix}", WORDS, nullable=False),
        pa.field(f"ingress_reason{suffix}", WORDS, nullable=False),
    ]


class ResultColumns:
    """Turns cells into the columns of `result_fields`."""

    def __init__(self, tables: Tables) -> None:
        numbers = {id(rule): number for number, rule in enumerate(tables.rules)}
        self._rule = np.array([numbers.get(id(outcome.rule), _NO_RULE) for outcome in tables.outcomes], np.int32)
        words: dict[str, int] = {}
        codes = [words.setdefault(str(outcome), len(words)) for outcome in tables.outcomes]
        self._reason = np.array(codes, np.int16)
        self._reasons = pa.array(list(words), pa.string())
        self._verdicts = pa.array([verdict.name for verdict in Verdict], pa.string())

    def of(self, judged: Judged, number: int, rows: NDArray[np.int64] | slice = slice(None)) -> list[pa.Array]:
        """Make the columns of policy set `number` for some rows."""
        egress, ingress = _outcomes(judged.egress[number, rows]), _outcomes(judged.ingress[number, rows])
        return [
            pa.DictionaryArray.from_arrays(pa.array(judged.verdict[number, rows].astype(np.int16)), self._verdicts),
            self._rules(egress),
            self._rules(ingress),
            pa.DictionaryArray.from_arrays(pa.array(self._reason[egress]), self._reasons),
            pa.DictionaryArray.from_arrays(pa.array(self._reason[ingress]), self._reasons),
        ]

    def _rules(self, outcomes: NDArray[np.integer]) -> pa.Array:
        numbers = self._rule[outcomes]
        return pa.array(numbers, mask=numbers == _NO_RULE)


def _outcomes(cells: NDArray[np.uint32]) -> NDArray[np.integer]:
    return cells >> 2


def rule_table(tables: Tables) -> pa.Table:
    """List every rule: what the numbers in the rule columns of results stand for.

    Returns
    -------
    pyarrow.Table
        Columns ``rule`` (int32, the number), ``kind``, ``namespace``, ``name``, ``direction``, ``index`` (int32;
        -1 for the isolation that a policy brings along), ``action``, ``file``, ``document``, ``line``, ``field``.
    """
    rules = tables.rules
    return pa.table(
        {
            "rule": pa.array(range(len(rules)), pa.int32()),
            "kind": pa.array([rule.policy.kind for rule in rules], pa.string()),
            "namespace": pa.array([rule.policy.namespace for rule in rules], pa.string()),
            "name": pa.array([rule.policy.name for rule in rules], pa.string()),
            "direction": pa.array([rule.direction.word for rule in rules], pa.string()),
            "index": pa.array([rule.index for rule in rules], pa.int32()),
            "action": pa.array([str(rule.action) for rule in rules], pa.string()),
            "file": pa.array([rule.place.file for rule in rules], pa.string()),
            "document": pa.array([rule.place.document for rule in rules], pa.int32()),
            "line": pa.array([rule.place.line for rule in rules], pa.int32()),
            "field": pa.array([rule.place.field for rule in rules], pa.string()),
        }
    )


def rules_path(output: Path) -> Path:
    """Return where the rule table of a result file stands: ``OUT.rules.parquet`` beside ``OUT.parquet``."""
    return output.with_suffix(".rules.parquet")


def check_output(output: Path, capture: Capture) -> None:
    """Make sure that results can be written, and not over what they are made from.

    Raises
    ------
    LoadError
        There is no such folder; or the file, or the rule table beside it, is one of the capture's or no Parquet file.
    """
    check_file(output, output, capture.files)
    check_file(rules_path(output), output, capture.files)


def check_file(path: Path, output: Path, inputs: Sequence[str]) -> None:
    """Make sure that `path`, which comes with `output`, can be written without replacing an input or a strange file.

    Raises
    ------
    LoadError
        It cannot, at the place of `output`.
    """
    place = Place(str(output))
    if str(path).encode(errors="ignore") != os.fsencode(path):
        raise LoadError.at(place, "this path is not UTF-8. Name another file to write")
    if not output.absolute().parent.is_dir():
        raise LoadError.at(place, f"the folder {output.parent} does not exist. Make it first")
    if path.exists() and _identity(path) in map(_identity, inputs):
        raise LoadError.at(place, f"{path} is a file of the capture that is read. Name another file to write")
    check_replaced(path, output)


def check_replaced(path: Path, output: Path) -> None:
    """Make sure that `path`, which comes with `output`, replaces nothing but Parquet.

    Raises
    ------
    LoadError
        It does, at the place of `output`.
    """
    if path.exists() and not _is_parquet(path):
        raise LoadError.at(Place(str(output)), f"{path} exists and is not a Parquet file. Name another file to write")


def _identity(path: Path | str) -> tuple[int, int] | None:
    """Return what tells files apart whatever their names, links of any kind included; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_parquet(path: Path) -> bool:
    """Whether a path is a regular file that begins as Parquet does, or is empty."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) in (b"", b"PAR1")


def write_rules(tables: Tables, output: Path) -> None:
    """Write the rule table beside a result file."""
    pq.write_table(rule_table(tables), rules_path(output))
