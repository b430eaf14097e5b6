"""Groups of flows, made from a tally when they are looked at: a capture may have a million of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
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
from .tally import DESTINATION, EGRESS, INGRESS, PORT, PROTOCOL, SOURCE, Tally

CHANGES = tuple(Change)
CHANGE_OF = np.array(
    [[CHANGES.index(Change.between(before, after)) for after in Verdict] for before in Verdict], np.int16
)
"""Position in `CHANGES` of the change from one verdict to another."""

_FLOW_BITS = 48
"""How many bits hold the flows of a group."""

_AT_A_TIME = 1 << 12
"""How many groups are made at a time where all are wanted."""

Finish = Callable[[FlowGroup], FlowGroup]


class Groups(Sequence[FlowGroup]):
    """Groups of flows in the order in which they matter: lost name resolution, then lost, gained, unknown,
    most flows first in each.

    They are put in order when somebody looks at them, and no more of them than are looked at.
    """

    def __init__(self, tables: Tables, tally: Tally, files: Sequence[str], finish: Finish | None = None) -> None:
        self._tables = tables
        self._tally = tally
        self._files = files
        self._finish = finish
        self._judgements: dict[tuple[int, int], Judgement] = {}
        self._verdict = tally.verdicts(tables.sets - 1)
        self._change = CHANGE_OF[tally.verdicts(0), self._verdict]
        self._chosen = np.arange(tally.size)

    def __len__(self) -> int:
        return self._chosen.size

    @overload
    def __getitem__(self, index: int) -> FlowGroup: ...

    @overload
    def __getitem__(self, index: slice) -> Groups: ...

    def __getitem__(self, index: int | slice) -> FlowGroup | Groups:
        if not isinstance(index, slice):
            return next(self._make(self._order[[index]]))
        start, stop, step = index.indices(len(self))
        ordered = self._first(stop)[start:stop:step] if step > 0 else self._order[index]
        some = self._some(ordered)
        some.__dict__["_order"] = ordered
        return some

    def __iter__(self) -> Iterator[FlowGroup]:
        for start in range(0, len(self), _AT_A_TIME):
            yield from self._make(self._order[start : start + _AT_A_TIME])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Groups) and len(self) == len(other) and all(map(FlowGroup.__eq__, self, other))

    __hash__ = None  # type: ignore[assignment]

    def _some(self, chosen: NDArray[np.int64]) -> Groups:
        some = object.__new__(Groups)
        some.__dict__.update(self.__dict__, _chosen=chosen)
        some.__dict__.pop("_order", None)
        return some

    @cached_property
    def _order(self) -> NDArray[np.int64]:
        """Where the groups stand in the tally, in their order."""
        return self._ordered(self._chosen)

    def _first(self, count: int) -> NDArray[np.int64]:
        """Return at least so many of `_order`, and put no more in order than may be among them."""
        if "_order" in self.__dict__ or count >= len(self):
            return self._order
        if not count:
            return self._chosen[:0]
        matter = self._matter[self._chosen]
        return self._ordered(self._chosen[matter <= np.partition(matter, count - 1)[count - 1]])

    def _ordered(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        matter = self._matter[chosen]
        return self._tally.order(chosen, matter - matter.min(initial=0))

    @cached_property
    def _matter(self) -> NDArray[np.int64]:
        """What puts the groups of the tally in order before their keys: the least matters most."""
        change = self._change.astype(np.int64) + 1
        change[self.of(Change.LOST).dns._chosen] = 0
        return change << _FLOW_BITS | (1 << _FLOW_BITS) - 1 - self._tally.sums[:, 0]

    def of(self, change: Change) -> Groups:
        """Return the groups of one change."""
        return self._some(self._chosen[self._change[self._chosen] == CHANGES.index(change)])

    def judged(self, verdict: Verdict) -> Groups:
        """Return the groups of one verdict, under the last policy set."""
        return self._some(self._chosen[self._verdict[self._chosen] == verdict])

    @property
    def dns(self) -> Groups:
        """The groups of name resolution."""
        asked = self._chosen[self._tally.column(PORT, self._chosen) == DNS_PORT]
        return self._some(asked[np.isin(self._tally.column(PROTOCOL, asked), (UDP, TCP))])

    @property
    def flows(self) -> int:
        """How many flows they are."""
        return int(self._tally.sums[self._chosen, 0].sum())

    def to_table(self) -> pa.Table:
        """Return the groups as a table, in their order.

        Returns
        -------
        pyarrow.Table
            ``change``, ``source``, ``destination`` (string), ``protocol`` (uint8), ``port`` (uint16), ``flows``,
            ``packets``, ``bytes`` (int64), ``first_seen``, ``last_seen`` (timestamp[ns]), then, for ``before`` (in a
            what-if) and ``after``: ``..._verdict``, ``..._egress``, ``..._ingress`` (string; the last two reasons).
        """
        tally = self._tally.take(self._order)
        source, destination, protocol, port = map(tally.column, (SOURCE, DESTINATION, PROTOCOL, PORT))
        sums, times = tally.sums, tally.times
        labels = pa.array(self._tables.labels, pa.string())
        columns = {
            "change": pa.array(CHANGES, pa.string()).take(pa.array(self._change[self._order])),
            "source": labels.take(pa.array(source)),
            "destination": labels.take(pa.array(destination)),
            "protocol": pa.array(protocol, pa.uint8(), mask=protocol == UNKNOWN_PROTOCOL),
            "port": pa.array(np.maximum(port, 0), pa.uint16(), mask=port == MISSING),
            "flows": pa.array(sums[:, 0]),
            "packets": pa.array(sums[:, 1]),
            "bytes": pa.array(sums[:, 2]),
            "first_seen": pa.array(times[:, 0], pa.timestamp("ns"), mask=times[:, 0] == NO_TIME),
            "last_seen": pa.array(times[:, 1], pa.timestamp("ns"), mask=times[:, 1] == NEVER),
        }
        reasons = pa.array([str(outcome) for outcome in self._tables.outcomes], pa.string())
        verdicts = pa.array([verdict.name for verdict in Verdict], pa.string())
        for number, name in enumerate(("before", "after") if self._tables.sets > 1 else ("after",)):
            egress, ingress = (tally.column(column + 3 * number) for column in (EGRESS, INGRESS))
            columns[f"{name}_verdict"] = verdicts.take(pa.array(tally.verdicts(number)))
            columns[f"{name}_egress"] = reasons.take(pa.array(egress >> 2))
            columns[f"{name}_ingress"] = reasons.take(pa.array(ingress >> 2))
        return pa.table(columns)

    def reasons(self) -> Mapping[str, int]:
        """Count flows by the reason that leaves them unknown under the last policy set; most flows first."""
        last = self._tables.sets - 1
        unknown = self._tally.take(self._chosen[self._verdict[self._chosen] == Verdict.UNKNOWN])
        distinct, inverse = np.unique(unknown.cell_pairs(last), return_inverse=True)
        flows = np.bincount(inverse, unknown.sums[:, 0], distinct.size).astype(np.int64)
        counts: dict[str, int] = {}
        for pair, number in zip(distinct.tolist(), flows.tolist(), strict=True):
            judgement = self._judgement(pair, Verdict.UNKNOWN)
            outcomes = (judgement.egress, judgement.ingress)
            reason = next((str(o.reason) for o in outcomes if o.verdict is Verdict.UNKNOWN), "mixed")
            counts[reason] = counts.get(reason, 0) + number
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def _judgement(self, cells: int, verdict: int) -> Judgement:
        if (cells, verdict) not in self._judgements:
            egress, ingress = cells >> 32 & 0xFFFFFFFF, cells & 0xFFFFFFFF
            self._judgements[cells, verdict] = judgement_of(self._tables, egress, ingress, verdict)
        return self._judgements[cells, verdict]

    def _make(self, numbers: NDArray[np.int64]) -> Iterator[FlowGroup]:
        """Make what people read of some groups, all columns at a time."""
        tally, labels, last = self._tally.take(numbers), self._tables.labels, self._tables.sets - 1
        judgements = [
            map(self._judgement, tally.cell_pairs(number).tolist(), tally.verdicts(number).tolist())
            for number in (0, last)
        ]
        rows = zip(
            self._change[numbers].tolist(),
            tally.keys[:, : PORT + 1].tolist(),
            tally.sums.tolist(),
            tally.times.tolist(),
            *judgements,
            self._examples(tally),
            strict=True,
        )
        for change, key, (flows, packets, octets), (first, seen), before, after, example in rows:
            group = FlowGroup(
                change=CHANGES[change],
                source=labels[key[SOURCE]],
                destination=labels[key[DESTINATION]],
                protocol=None if key[PROTOCOL] == UNKNOWN_PROTOCOL else key[PROTOCOL],
                port=None if key[PORT] == MISSING else key[PORT],
                flows=flows,
                packets=packets,
                bytes=octets,
                first_seen=None if first == NO_TIME else first,
                last_seen=None if seen == NEVER else seen,
                before=before if last else None,
                after=after,
                example=example,
            )
            yield self._finish(group) if self._finish else group

    def _examples(self, tally: Tally) -> Iterator[Example]:
        tables = self._tables
        columns = tally.sequence, tally.times[:, 0], tally.column(PORT), tally.addresses, tally.details
        for sequence, first, port, addresses, details in zip(*(column.tolist() for column in columns), strict=True):
            source_pod, destination_pod, has_source, has_destination, source_port = details
            yield Example(
                file=self._files[sequence >> 40],
                row=sequence & (1 << 40) - 1,
                time=None if first == NO_TIME else first,
                source=_end_words(tables, addresses[:2], bool(has_source), source_pod, first),
                destination=_end_words(tables, addresses[2:], bool(has_destination), destination_pod, first),
                source_port=None if source_port == MISSING else source_port,
                destination_port=None if port == MISSING else port,
            )


def _end_words(tables: Tables, halves: list[int], has_address: bool, pod: int, time: int) -> str:
    """Name one end of an example: its address, and its pod where one is known that was there at the time."""
    address = Address.from_bytes((halves[0] << 64 | halves[1]).to_bytes(16, "big")) if has_address else None
    owners: tuple[int, ...] = (pod,) if pod >= 0 else ()
    if address and pod == -1:
        owners = tables.cluster.pods_there(address, None if time == NO_TIME else time)
    name = tables.pod_name(owners[0]) if len(owners) == 1 else ""
    if address is None:
        return name or "unknown"
    return f"{address} ({name})" if name else str(address)
