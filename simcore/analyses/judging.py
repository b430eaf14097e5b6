"""Judge a batch of flows with the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..kernels.classify import judge
from ..kernels.extras import BY_EXTRA, BY_REQUEST, ON_CONDITION, find_extras, settle
from ..kernels.moments import NO_TIME
from ..kernels.places import (
    FIRST_NODE,
    NO_ADDRESS,
    PODS,
    SAME,
    UNKNOWN_POD,
    find_ends,
    find_ends_v4,
    find_families,
    find_packed,
    pair_ends,
    place_pairs_packed,
    place_pairs_v4,
)
from ..kernels.special import judge_special
from ..model.addresses import Family
from ..model.cluster import Cluster
from ..model.flows import End, Flow, Judgement, Verdict
from ..model.policy import Policy
from ..model.profile import UPSTREAM, Profile
from ..model.requests import Request, write_headers
from ..tables.build import build_tables
from ..tables.collectives import with_collectives
from ..tables.layout import Tables
from ..tables.requests import PARTS, TextColumn
from .ends import EndColumn, ExtraColumns, PortColumns, read_ports
from .eras import Cells, judge_eras
from .identified import identify, read_ends, tell_apart
from .moments import at_times, node_ports_of, settle_ends, settle_objects_of
from .timely import settle_names, times_of


@dataclass(frozen=True)
class Judged:
    """What is known of the flows of one batch.

    Attributes
    ----------
    source, destination : EndColumn
    ports : PortColumns
    egress, ingress : uint32[sets, n]
        Cells: ``outcome << 2 | verdict``.
    verdict : uint8[sets, n]
        `Verdict` of each flow under each policy set.
    notes : uint8[n] or uint8[0]
        BY_EXTRA, BY_REQUEST and ON_CONDITION of `simcore.kernels.extras`; empty where no rule asks for such things.
    """

    source: EndColumn
    destination: EndColumn
    ports: PortColumns
    egress: NDArray[np.uint32]
    ingress: NDArray[np.uint32]
    verdict: NDArray[np.uint8]
    notes: NDArray[np.uint8]

    @property
    def settled(self) -> int:
        """How many flows were decided by their source port, or by their ICMP type or code."""
        return int(np.count_nonzero(self.notes & np.uint8(BY_EXTRA)))

    @property
    def by_request(self) -> int:
        """How many flows were decided by their request."""
        return int(np.count_nonzero(self.notes & np.uint8(BY_REQUEST)))

    @property
    def on_condition(self) -> NDArray[np.int64]:
        """Which flows the last policy set lets through to a proxy that looks at what is not known of them."""
        return np.flatnonzero(self.notes & np.uint8(ON_CONDITION))


class Workspace:
    """Arrays that judging fills, kept from batch to batch: fresh ones cost more than the judging."""

    def __init__(self, tables: Tables, rows: int) -> None:
        self.places = np.empty((2, rows), np.int32)
        self.egress = np.empty((tables.sets, rows), np.uint32)
        self.ingress = np.empty((tables.sets, rows), np.uint32)
        self.verdict = np.empty((tables.sets, rows), np.uint8)
        self.special = np.empty(rows, np.int32)


def judge_batch(tables: Tables, batch: pa.RecordBatch, workspace: Workspace | None = None) -> Judged:
    """Judge every flow of a batch under every policy set of the tables.

    Parameters
    ----------
    tables : Tables
    batch : pyarrow.RecordBatch
        Columns of FLOW_SCHEMA; `JUDGED_COLUMNS` are looked at, and any of them may be absent.
    workspace : Workspace, optional
        Arrays of at least as many rows, which the result then is a view of.
    """
    return judge_columns(tables, *read_ends(tables, batch), read_ports(batch), workspace, times_of(tables, batch))


def judge_columns(
    tables: Tables,
    source: EndColumn,
    destination: EndColumn,
    ports: PortColumns,
    workspace: Workspace | None = None,
    times: NDArray[np.int64] | None = None,
) -> Judged:
    """Judge flows given as columns; without `times` as if each came when every name stands for what it ever did."""
    source, destination = at_times(tables, source, times), at_times(tables, destination, times)
    if tables.eras is None:
        judged = _judge(tables, source, destination, ports, workspace)
    else:
        judged = _judge_in_eras(tables, source, destination, ports, workspace, times)
    if tables.timely and times is not None:
        settle_names(
            tables.timely, judged.source, judged.destination, times, judged.egress, judged.ingress, judged.verdict
        )
    return judged


def _judge_in_eras(
    tables: Tables,
    source: EndColumn,
    destination: EndColumn,
    ports: PortColumns,
    workspace: Workspace | None,
    times: NDArray[np.int64] | None,
) -> Judged:
    """Judge flows by the policies of their times."""
    assert tables.eras is not None
    count = ports.protocol.size
    workspace = workspace or Workspace(tables, count)
    egress, ingress, verdict = workspace.egress[:, :count], workspace.ingress[:, :count], workspace.verdict[:, :count]

    def judge_some(view: Tables, rows: NDArray[np.int64]) -> Cells:
        found = _judge(view, source.some(rows), destination.some(rows), ports.take(rows), None)
        return found.egress, found.ingress, found.verdict, found.notes

    told = np.full(count, NO_TIME) if times is None else times
    notes = judge_eras(tables.eras, told, judge_some, (egress, ingress, verdict))
    return Judged(source, destination, ports, egress, ingress, verdict, notes)


def _judge(
    tables: Tables, source: EndColumn, destination: EndColumn, ports: PortColumns, workspace: Workspace | None
) -> Judged:
    """Judge flows by policies and names of which none depends on the time."""
    count = ports.protocol.size
    arrays = tables.arrays
    workspace = workspace or Workspace(tables, count)
    places = workspace.places[:, :count]
    if source.v4 is not None and destination.v4 is not None:
        place_pairs_v4(arrays.trie_v4, source.v4, destination.v4, places[0], places[1])
        for row, end in enumerate((source, destination)):
            if end.known.size:
                places[row, np.flatnonzero(~end.known)] = NO_ADDRESS
    elif source.packed is not None and destination.packed is not None:
        place_pairs_packed(
            arrays.trie_v4,
            arrays.trie_v6,
            arrays.exact,
            arrays.exact_places,
            source.packed,
            destination.packed,
            source.known,
            destination.known,
            places[0],
            places[1],
        )
    else:
        source, destination = source.widened(), destination.widened()
        _place(tables, source, destination, places)
    if source.v4 is not None or source.packed is not None:
        settle_ends(tables, source, places[0])
        settle_ends(tables, destination, places[1])
    named = destination.pods >= 0
    egress, ingress = workspace.egress[:, :count], workspace.ingress[:, :count]
    verdict, special = workspace.verdict[:, :count], workspace.special
    left = judge(
        arrays,
        places[0],
        places[1],
        named,
        ports.protocol,
        ports.port,
        ports.port_known,
        egress,
        ingress,
        verdict,
        special,
    )
    extra, notes = _extras(tables, ports)
    request, vectors = _requests(tables, ports)
    if left:
        special = special[:left]
        node_ports = node_ports_of(tables, destination, ports, places)
        ends = source.some(special), destination.some(special)
        judge_special(
            arrays,
            special,
            places[0],
            places[1],
            *(objects_of(tables, end) for end in ends),
            *(_families(tables, end) for end in ends),
            named,
            ports.protocol,
            ports.port,
            ports.port_known,
            node_ports,
            extra,
            request,
            vectors,
            egress,
            ingress,
            verdict,
            notes,
        )
    if notes.size:
        settle(arrays, extra, request, vectors, egress, ingress, verdict, notes)
    return Judged(source, destination, ports, egress, ingress, verdict, notes)


def _requests(tables: Tables, ports: PortColumns) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Number the requests of flows, and tell what each is to rules; nothing where no rule asks, or no flow tells."""
    if not ports.requests or not tables.requests.asked:
        return np.empty(0, np.int32), np.empty((0, 0), np.uint8)
    return tables.requests.find(ports.requests, ports.protocol.size)


def _extras(tables: Tables, ports: PortColumns) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """Find the extra class of every flow, and room to note which of them matter; nothing where no rule asks."""
    count = ports.protocol.size if tables.arrays.scan.size else 0
    extra, notes = np.zeros(count, np.uint16), np.zeros(count, np.uint8)
    if count and tables.arrays.extra_class.size:
        none = np.zeros(count, bool)
        given = ports.extras or ExtraColumns(
            np.zeros(count, np.uint16), none, np.zeros(count, np.uint8), none, np.zeros(count, np.uint8), none
        )
        find_extras(
            tables.arrays.extra_kind,
            tables.arrays.extra_class,
            ports.protocol,
            given.source_port,
            given.source_known,
            given.icmp_type,
            given.type_known,
            given.icmp_code,
            given.code_known,
            extra,
        )
    return extra, notes


def _place(tables: Tables, source: EndColumn, destination: EndColumn, places: NDArray[np.int32]) -> None:
    """Write the places of both ends, of which every part is filled in."""
    arrays = tables.arrays
    for row, end in enumerate((source, destination)):
        places[row] = places_of(tables, end)
        settle_ends(tables, end, places[row])
    pair_ends(
        arrays,
        tables.pod_objects,
        source.high,
        source.low,
        source.pods,
        _families(tables, source),
        places[0],
        destination.high,
        destination.low,
        destination.pods,
        _families(tables, destination),
        places[1],
    )
    if source.times.size:
        _pair_named(tables, source, destination, places)
    tell_apart(tables, source, destination, places)


def _pair_named(tables: Tables, source: EndColumn, destination: EndColumn, places: NDArray[np.int32]) -> None:
    """Mark the flows whose ends are one pod, of which the record names one and the other has its address then."""
    arrays = tables.arrays
    is_single = (places >= 0).all(axis=0) & (places[1] < arrays.limits[FIRST_NODE])
    rows = np.flatnonzero(((source.pods >= 0) != (destination.pods >= 0)) & is_single)
    here, there = (objects_of(tables, end.take(rows)) for end in (source, destination))
    places[1, rows[(here == there) & (here < arrays.limits[PODS])]] = SAME


def _families(tables: Tables, end: EndColumn) -> NDArray[np.uint8]:
    """Find the families of the addresses of one end of some flows."""
    if end.v4 is not None:
        return np.full(end.v4.size, Family.V4, np.uint8)
    end = end.widened()
    families = np.empty(end.known.size, np.uint8)
    find_families(end.high, end.low, end.known, end.pods, tables.pod_families, families)
    return families


def objects_of(tables: Tables, end: EndColumn) -> NDArray[np.int32]:
    """Find the objects (pods, nodes, Services, blocks) of one end of some flows."""
    arrays = tables.arrays
    found = _standing(
        end,
        (arrays.object_trie_v4, arrays.object_trie_v6, arrays.exact, arrays.exact_objects),
        tables.pod_objects[:, np.newaxis],
        tables.no_address,
        tables.unknown_pod,
    )
    if end.times.size:
        settle_objects_of(tables, end, places_of(tables, end), found)
    return found


def places_of(tables: Tables, end: EndColumn) -> NDArray[np.int32]:
    """Find the places of one end of some flows, whatever their times."""
    arrays = tables.arrays
    tries = arrays.trie_v4, arrays.trie_v6, arrays.exact, arrays.exact_places
    return _standing(end, tries, tables.pod_places, NO_ADDRESS, UNKNOWN_POD)


def _standing(
    end: EndColumn,
    tries: tuple[NDArray[Any], ...],
    of_pods: NDArray[np.int32],
    no_address: int,
    unknown_pod: int,
) -> NDArray[np.int32]:
    """Find what stands at one end of some flows, in tries and tables of places or of objects."""
    if end.v4 is not None:
        found = np.empty(end.v4.size, np.int32)
        find_ends_v4(tries[0], end.v4, found)
        if end.known.size:
            found[~end.known] = no_address
    elif end.packed is not None:
        found = np.empty(len(end.packed), np.int32)
        find_packed(*tries, end.packed, end.known, no_address, found)
    else:
        found = np.empty(end.known.size, np.int32)
        find_ends(*tries, end.high, end.low, end.known, end.pods, of_pods, no_address, unknown_pod, found)
    return found


def judgement_of(tables: Tables, egress: int, ingress: int, verdict: int) -> Judgement:
    """Turn two cells and a verdict into what they stand for."""
    return Judgement(tables.outcomes[egress >> 2], tables.outcomes[ingress >> 2], Verdict(verdict))


def judge_flows(
    cluster: Cluster, policies: Sequence[Policy], flows: Sequence[Flow], profile: Profile = UPSTREAM
) -> list[Judgement]:
    """Judge single flows with the tables; for many flows, judge batches.

    Returns
    -------
    list of Judgement
        One for each flow, in their order.
    """
    names = {end.pod for flow in flows for end in (flow.source, flow.destination) if end.pod}
    tables = with_collectives(build_tables(cluster, policies, profile=profile), names)
    source, destination, ports = flow_columns(tables.pod_numbers, flows)
    here, there = (
        np.array([end.identity or 0 for end in ends], np.uint32)
        for ends in ([flow.source for flow in flows], [flow.destination for flow in flows])
    )
    judged = judge_columns(tables, identify(tables, source, here), identify(tables, destination, there), ports)
    return [
        judgement_of(tables, int(judged.egress[0, i]), int(judged.ingress[0, i]), int(judged.verdict[0, i]))
        for i in range(len(flows))
    ]


def flow_columns(numbers: Mapping[str, int], flows: Sequence[Flow]) -> tuple[EndColumn, EndColumn, PortColumns]:
    """Turn single flows into the columns that `judge_columns` takes; `numbers` are `Tables.pod_numbers`."""
    ports = PortColumns(
        np.array([255 if f.protocol is None else f.protocol for f in flows], np.uint8),
        np.array([f.port or 0 for f in flows], np.uint16),
        np.array([f.port is not None for f in flows], bool),
        ExtraColumns(
            np.array([f.source_port or 0 for f in flows], np.uint16),
            np.array([f.source_port is not None for f in flows], bool),
            np.array([f.icmp_type or 0 for f in flows], np.uint8),
            np.array([f.icmp_type is not None for f in flows], bool),
            np.array([f.icmp_code or 0 for f in flows], np.uint8),
            np.array([f.icmp_code is not None for f in flows], bool),
        ),
        _request_columns([flow.request or Request() for flow in flows]),
    )
    source, destination = [flow.source for flow in flows], [flow.destination for flow in flows]
    return _column(source, numbers), _column(destination, numbers), ports


def _request_columns(requests: Sequence[Request]) -> dict[str, TextColumn]:
    columns = {}
    for part in PARTS:
        found = [getattr(request, part) for request in requests]
        if part == "http_headers":
            found = [None if headers is None else write_headers(headers) for headers in found]
        texts = {text: number for number, text in enumerate(dict.fromkeys(text for text in found if text is not None))}
        codes = [len(texts) if text is None else texts[text] for text in found]
        columns[part] = TextColumn(np.array(codes, np.int32), tuple(texts))
    return columns


def _column(ends: Sequence[End], numbers: Mapping[str, int]) -> EndColumn:
    values = [
        0 if e.address is None else e.address.value | (0xFFFF << 32 if e.address.family == 4 else 0) for e in ends
    ]
    return EndColumn(
        None,
        np.array([value >> 64 for value in values], np.uint64),
        np.array([value & (1 << 64) - 1 for value in values], np.uint64),
        np.array([end.address is not None for end in ends], bool),
        np.array([-1 if end.pod is None else numbers.get(end.pod, -2) for end in ends], np.int32),
    )
