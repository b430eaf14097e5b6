"""Groups of flows, made from a tally when they are looked at: a capture may have a million of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.groups import MISSING, NEVER, NO_TIME
from ..model.addresses import Address
from ..model.flows import Judgement, Verdict
from ..model.groups import DNS_PORT, Change, Example, FlowGroup
from ..model.ports import TCP, UDP
from ..tables.layout import Tables
from ..tables.ports import UNKNOWN_PROTOCOL
from .judging import judgement_of
from .tally import DESTINATION, PORT, PROTOCOL, SOURCE, Tally, cell_columns

CHANGES = tuple(Change)
CHANGE_OF = np.array(
    [[CHANGES.index(Change.between(before, after)) for after in Verdict] for before in Verdict], np.int16
)
"""Position in `CHANGES` of the change from one verdict to another."""

Finish = Callable[[FlowGroup], FlowGroup]


class Groups(Sequence[FlowGroup]):
    """Groups of flows in the order in which they matter: lost name resolution, then lost, gained, unknown,
    most flows first in each.
    """

    def __init__(self, tables: Tables, tally: Tally, files: Sequence[str], finish: Finish | None = None) -> None:
        self._tables = tables
        self._tally = tally
        self._files = files
        self._finish = finish
        self._judgements: dict[tuple[int, ...], Judgement] = {}
        before, after = tally.verdicts(0), tally.verdicts(tables.sets - 1)
        self._change = CHANGE_OF[before, after]
        self._verdict = after
        self._order = self._ranked()

    def _ranked(self) -> NDArray[np.int64]:
        keys, flows = self._tally.keys, self._tally.sums[:, 0]
        dns = (keys[:, PORT] == DNS_PORT) & np.isin(keys[:, PROTOCOL], (UDP, TCP))
        lost_dns = dns & (self._change == CHANGES.index(Change.LOST))
        return np.lexsort((-flows, self._change, ~lost_dns))

    def __len__(self) -> int:
        return self._order.size

    @overload
    def __getitem__(self, index: int) -> FlowGroup: ...

    @overload
    def __getitem__(self, index: slice) -> Groups: ...

    def __getitem__(self, index: int | slice) -> FlowGroup | Groups:
        if isinstance(index, slice):
            return self._some(self._order[index])
        return self._make(int(self._order[index]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Groups) and len(self) == len(other) and all(map(FlowGroup.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def _some(self, order: NDArray[np.int64]) -> Groups:
        some = object.__new__(Groups)
        some.__dict__.update(self.__dict__, _order=order)
        return some

    def of(self, change: Change) -> Groups:
        """Return the groups of one change."""
        return self._some(self._order[self._change[self._order] == CHANGES.index(change)])

    def judged(self, verdict: Verdict) -> Groups:
        """Return the groups of one verdict, under the last policy set."""
        return self._some(self._order[self._verdict[self._order] == verdict])

    @property
    def flows(self) -> int:
        """How many flows they are."""
        return int(self._tally.sums[self._order, 0].sum())

    def to_table(self) -> pa.Table:
        """Return the groups as a table, in their order.

        Returns
        -------
        pyarrow.Table
            ``change``, ``source``, ``destination`` (string), ``protocol`` (uint8), ``port`` (uint16), ``flows``,
            ``packets``, ``bytes`` (int64), ``first_seen``, ``last_seen`` (timestamp[ns]), then, for ``before`` (in a
            what-if) and ``after``: ``..._verdict``, ``..._egress``, ``..._ingress`` (string; the last two reasons).
        """
        tally, order = self._tally, self._order
        keys, sums, times = tally.keys[order], tally.sums[order], tally.times[order]
        labels = pa.array(self._tables.labels, pa.string())
        columns = {
            "change": pa.array([CHANGES[number].value for number in self._change[order]], pa.string()),
            "source": labels.take(pa.array(keys[:, SOURCE])),
            "destination": labels.take(pa.array(keys[:, DESTINATION])),
            "protocol": pa.array(keys[:, PROTOCOL], pa.uint8(), mask=keys[:, PROTOCOL] == UNKNOWN_PROTOCOL),
            "port": pa.array(np.maximum(keys[:, PORT], 0), pa.uint16(), mask=keys[:, PORT] == MISSING),
            "flows": pa.array(sums[:, 0]),
            "packets": pa.array(sums[:, 1]),
            "bytes": pa.array(sums[:, 2]),
            "first_seen": pa.array(times[:, 0], pa.timestamp("ns"), mask=times[:, 0] == NO_TIME),
            "last_seen": pa.array(times[:, 1], pa.timestamp("ns"), mask=times[:, 1] == NEVER),
        }
        reasons = pa.array([str(outcome) for outcome in self._tables.outcomes], pa.string())
        verdicts = pa.array([verdict.name for verdict in Verdict], pa.string())
        for number, name in enumerate(("before", "after") if self._tables.sets > 1 else ("after",)):
            egress, ingress, verdict = keys[:, cell_columns(number)].T
            columns[f"{name}_verdict"] = verdicts.take(pa.array(verdict))
            columns[f"{name}_egress"] = reasons.take(pa.array(egress >> 2))
            columns[f"{name}_ingress"] = reasons.take(pa.array(ingress >> 2))
        return pa.table(columns)

    def reasons(self) -> Mapping[str, int]:
        """Count flows by the reason that leaves them unknown under the last policy set; most flows first."""
        unknown = self._order[self._verdict[self._order] == Verdict.UNKNOWN]
        cells = self._tally.keys[unknown, cell_columns(self._tables.sets - 1)]
        distinct, inverse = np.unique(cells, axis=0, return_inverse=True)
        flows = np.bincount(inverse.reshape(-1), self._tally.sums[unknown, 0], distinct.shape[0]).astype(np.int64)
        counts: dict[str, int] = {}
        for row, number in zip(distinct.tolist(), flows.tolist(), strict=True):
            judgement = judgement_of(self._tables, *row)
            outcomes = (judgement.egress, judgement.ingress)
            reason = next((str(o.reason) for o in outcomes if o.verdict is Verdict.UNKNOWN), "mixed")
            counts[reason] = counts.get(reason, 0) + number
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def _judgement(self, number: int, policy_set: int) -> Judgement:
        cells = tuple(self._tally.keys[number, cell_columns(policy_set)].tolist())
        if cells not in self._judgements:
            self._judgements[cells] = judgement_of(self._tables, *cells)
        return self._judgements[cells]

    def _make(self, number: int) -> FlowGroup:
        tables, tally = self._tables, self._tally
        key = tally.keys[number].tolist()
        flows, packets, octets = tally.sums[number].tolist()
        first, last = tally.times[number].tolist()
        group = FlowGroup(
            change=CHANGES[self._change[number]],
            source=tables.labels[key[SOURCE]],
            destination=tables.labels[key[DESTINATION]],
            protocol=None if key[PROTOCOL] == UNKNOWN_PROTOCOL else key[PROTOCOL],
            port=None if key[PORT] == MISSING else key[PORT],
            flows=flows,
            packets=packets,
            bytes=octets,
            first_seen=None if first == NO_TIME else first,
            last_seen=None if last == NEVER else last,
            before=self._judgement(number, 0) if tables.sets > 1 else None,
            after=self._judgement(number, tables.sets - 1),
            example=self._example(number, first),
        )
        return self._finish(group) if self._finish else group

    def _example(self, number: int, first: int) -> Example:
        tables, tally = self._tables, self._tally
        sequence, port = int(tally.sequence[number]), int(tally.keys[number, PORT])
        addresses = tally.addresses[number].tolist()
        source_pod, destination_pod, has_source, has_destination, source_port = tally.details[number].tolist()
        return Example(
            file=self._files[sequence >> 40],
            row=sequence & (1 << 40) - 1,
            time=None if first == NO_TIME else first,
            source=_end_words(tables, addresses[:2], bool(has_source), source_pod),
            destination=_end_words(tables, addresses[2:], bool(has_destination), destination_pod),
            source_port=None if source_port == MISSING else source_port,
            destination_port=None if port == MISSING else port,
        )


def _end_words(tables: Tables, halves: list[int], has_address: bool, pod: int) -> str:
    """Name one end of an example: its address, and its pod where one is known."""
    address = Address.from_bytes((halves[0] << 64 | halves[1]).to_bytes(16, "big")) if has_address else None
    owners = tables.cluster.pods_at.get(address, ()) if address and pod == -1 else (pod,) if pod >= 0 else ()
    name = tables.cluster.pods[owners[0]].full_name if len(owners) == 1 else ""
    if address is None:
        return name or "unknown"
    return f"{address} ({name})" if name else str(address)
