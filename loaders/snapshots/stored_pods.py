"""The pods of a snapshot in Parquet as pods of the model: what many share is decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from simcore.errors import Diagnostic, Severity
from simcore.model.addresses import Address
from simcore.model.cluster import ContainerPort, Pod, WorkloadRef

from ..clusters.objects import Labels, Metadata, OwnerReference, PodSpec, labels_of
from ..clusters.pods import FINISHED, account_of, container_ports, parse_addresses
from ..documents import Document
from ..json_source import StoredValue
from ..paths import Path
from .columns import Row, pod_of

OwnersOf = Callable[[str, Metadata], tuple[WorkloadRef, ...]]
_LAST_TIME = 253_402_300_799_999
"""The last millisecond of the year 9999."""
_LABELS = msgspec.json.Decoder(Labels | None)
_OWNERS = msgspec.json.Decoder(list[OwnerReference] | None)
_SPEC = msgspec.json.Decoder(PodSpec | None)
_REST = msgspec.json.Decoder(dict[str, dict[str, Any]] | None)


@dataclass(frozen=True, slots=True)
class _Spec:
    """What pods of one specification have in common; `complaints` are messages and the fields they are about."""

    host_network: bool
    ports: tuple[ContainerPort, ...]
    account: str
    complaints: tuple[tuple[str, Path], ...]

    @classmethod
    def of(cls, spec: PodSpec) -> _Spec:
        complaints: list[tuple[str, Path]] = []
        ports = container_ports(spec, lambda message, *path: complaints.append((message, path)), ("spec",))
        return cls(bool(spec.host_network), ports, account_of(spec), tuple(complaints))


class StoredPods:
    """The pods of a file that are in columns.

    Parameters
    ----------
    file : str
        What messages call it.
    table : pyarrow.Table
        Columns of `columns.SCHEMA`.

    Raises
    ------
    ValueError, msgspec.MsgspecError
        It does not hold what such columns hold.
    """

    group, kind, api_version = "", "Pod", "v1"

    def __init__(self, file: str, table: pa.Table) -> None:
        self._file = file
        self._table = table
        if table["name"].null_count or table["namespace"].null_count:
            raise ValueError("this snapshot has a pod without a name. Was it written by something else?")
        for name in ("created", "started"):
            extent = pc.min_max(table[name].cast(pa.int64())).as_py()
            if (extent["min"] or 0) < 0 or (extent["max"] or 0) > _LAST_TIME:
                raise ValueError(f"this snapshot has a time beyond all years, in the column {name!r}")
        self._namespace, self._namespaces = self._shared("namespace", lambda text: text)
        self._label, labels = self._shared("labels", _LABELS.decode)
        self._labels: list[Any] = [labels_of(Metadata(labels=found)) for found in labels]
        self._owner, self._owners = self._shared("owners", _OWNERS.decode)
        self._spec, specs = self._shared("spec", _SPEC.decode)
        self._specs = [_Spec.of(spec or PodSpec()) for spec in specs]
        self._node, nodes = self._shared("node", lambda text: text)
        self._nodes = [node or "" for node in nodes]
        self._phase, self._phases = self._shared("phase", lambda text: text)
        self._rest, self._rests = self._shared("rest", _REST.decode)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @cached_property
    def keys(self) -> list[tuple[str, str]]:
        """Namespace and name of each."""
        return list(zip(map(self._namespaces.__getitem__, self._namespace), self._texts("name"), strict=True))

    @property
    def is_distinct(self) -> bool:
        """Whether no two have the same name."""
        if pc.count_distinct(self._table["name"]).as_py() == len(self):
            return True
        return len(set(self.keys)) == len(self)

    def documents(self) -> Iterator[Document]:
        """Yield each as it would be without columns."""
        for row in self._table.to_pylist():
            yield self._document(row)

    def starts(self) -> Iterator[tuple[tuple[str, str], int, Document | None]]:
        """Yield namespace and name of the pods that tell when they came or went.

        Of those that are still there comes when they started, or were created (ms); the others come as documents.
        """
        goes = [phase in FINISHED for phase in self._phases]
        going = ["deletionTimestamp" in (rest or {}).get("metadata", {}) for rest in self._rests]
        started = pc.coalesce(self._table["started"], self._table["created"]).cast(pa.int64()).fill_null(-1)
        of_row = zip(self.keys, started.to_pylist(), self._phase, self._rest, strict=True)
        for row, (key, start, phase, rest) in enumerate(of_row):
            if goes[phase] or going[rest]:
                yield key, 0, self._document(*self._table.slice(row, 1).to_pylist())
            elif start >= 0:
                yield key, start, None

    def pods(self, owners_of: OwnersOf, problems: list[Diagnostic]) -> Iterator[Pod]:
        """Make the model's pods, as `loaders.clusters.pods.make_pod` does of each.

        Parameters
        ----------
        owners_of : callable
            Returns the controllers above an object of a namespace.
        problems : list of Diagnostic
            Written: what is wrong with them.
        """
        self._complain_of_specs(problems)
        namespaces, labels, nodes, specs = self._namespaces, self._labels, self._nodes, self._specs
        finished = [phase in FINISHED for phase in self._phases]
        chains: dict[tuple[int, int, int], tuple[WorkloadRef, ...]] = {}
        above = zip(self._namespace, self._owner, self._label, strict=True)
        own = zip(self._texts("name"), self._addresses(problems), self._node, self._phase, self._spec, strict=True)
        for key, (name, addresses, node, phase, spec) in zip(above, own, strict=True):
            namespace, owner, label = key
            chain = chains.get(key)
            if chain is None:
                metadata = Metadata(labels=labels[label], owner_references=self._owners[owner])
                chain = chains[key] = owners_of(namespaces[namespace], metadata)
            common = specs[spec]
            yield Pod(
                namespaces[namespace],
                name,
                labels[label],
                addresses,
                nodes[node],
                common.host_network,
                finished[phase],
                common.ports,
                chain,
                False,
                common.account,
            )

    def _addresses(self, problems: list[Diagnostic]) -> list[tuple[Address, ...]]:
        first, second = self._texts("address"), self._texts("second_address")
        parse = Address.parse
        try:
            return [
                () if one is None else (parse(one),) if two is None else _two(parse(one), parse(two))
                for one, two in zip(first, second, strict=True)
            ]
        except ValueError:
            texts = [[text for text in pair if text is not None] for pair in zip(first, second, strict=True)]
        return [
            parse_addresses(
                found, lambda message, row=row: self._complain(row, message, ("status", "podIPs"), problems)
            )
            for row, found in enumerate(texts)
        ]

    def _complain_of_specs(self, problems: list[Diagnostic]) -> None:
        if any(spec.complaints for spec in self._specs):
            for row, spec in enumerate(self._spec):
                for message, path in self._specs[spec].complaints:
                    self._complain(row, message, path, problems)

    def _complain(self, row: int, message: str, path: Path, problems: list[Diagnostic]) -> None:
        (found,) = self._table.slice(row, 1).to_pylist()
        problems.append(Diagnostic(Severity.ERROR, self._document(found).place(path), message))

    def _document(self, row: Row) -> Document:
        name = f"{self.kind} {row['namespace']}/{row['name']}"
        text = msgspec.json.encode(pod_of(row))
        return Document(self._file, 0, self.api_version, self.kind, StoredValue(text, name))

    def _texts(self, name: str) -> list[Any]:
        found: list[Any] = self._table[name].to_numpy().tolist()
        return found

    def _shared(self, name: str, read: Callable[[str], Any]) -> tuple[list[int], list[Any]]:
        """Return a number for each pod, and what the numbers stand for; the last is what an absent text stands for."""
        column = self._table[name].combine_chunks()
        values = [None if text is None else read(text) for text in column.dictionary.to_pylist()]
        return column.indices.fill_null(-1).to_numpy().tolist(), [*values, None]


def _two(first: Address, second: Address) -> tuple[Address, ...]:
    return (first,) if first == second else (first, second)
