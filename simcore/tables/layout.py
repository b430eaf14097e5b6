"""Tables: everything a kernel needs to judge flows, as plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..model.cluster import Cluster
from ..model.flows import Outcome
from ..model.policy import Rule
from ..model.profile import Profile
from .moments import Moments, name_numbers
from .requests import RequestTable

if TYPE_CHECKING:
    from ..model.habits import Habits
    from .book import RuleBook
    from .eras import Eras
    from .ground import Ground, Picture
    from .outcomes import Outcomes
    from .programs import Binding
    from .rows import Rows
    from .timely import Timely


class Arrays(NamedTuple):
    """What the kernels read.

    Attributes
    ----------
    trie_v4, trie_v6 : int32[...]
        Address to place: an identity, or (from ``first_composite`` on) a composite address.
    object_trie_v4, object_trie_v6 : int32[...]
        Address to object.
    exact : uint64[size, 2]
        Halves of the single IPv6 addresses, which are looked for here before the tries; see `simcore.kernels.tries`.
    exact_places, exact_objects : int32[size]
        Their places and objects; -1 where there is no address.
    slot_of : uint8[256]
        IANA protocol to slot: 0 to 2 for TCP, UDP, SCTP, 3 for any other, 4 for a missing one, then others that rules
        name.
    port_class : uint16[slots * 65536]
        (slot, port) to port class.
    missing_port_class : int32[slots]
        Port class of a slot where the port is missing.
    extra_kind, extra_class : uint8[256], uint16[...]
        What rules ask for besides, see `simcore.kernels.extras`.
    program_of : uint32[2 * sets or 4 * sets, identities]
        Row ``2 * set + direction``: where the program that binds an identity begins in `row_of`; behind them, where
        rules judge hairpins that the profile lets through, those for pods that reach themselves through a Service.
    column_of : int32[2, identities]
        The column of an identity that is the peer, for egress and ingress.
    row_of : uint16 or uint32[...]
        ``row_of[program + column]`` is a row.
    decision : uint16 or uint32[rows, classes]
        ``outcome << 2 | verdict``; or ``row of scan << 2 | 3``, where the extra class of a flow decides, or its
        request.
    scan : uint32[rows, extra classes]
        Cells; of flows without a request.
    ladder_of : int32[rows, extra classes]
        The ladder that leads a request to its cell; -1 where requests make no difference.
    divided : bool[rows]
        Whether extra classes make one.
    ladder_starts, rungs : int64[ladders + 1], int32[..., RUNG]
        See `simcore.kernels.ladders`; what rungs lead to are cells, or -1.
    kind : uint8[identities]
        `simcore.tables.identities.Kind`.
    nearness : int32[2, identities] or int32[2, 0]
        What an identity is to pods on the same node, and to pods of which it is not known where they run: another one
        only where it is a node. Empty where no rule asks.
    object_node : int32[objects]
        Number of a pod's node, or of a node itself; negative where there is none.
    composite_flags, composite_starts, frontend_keys, first_keys, frontend_starts, distinct_starts, frontend_plain, ends
        See `simcore.tables.composites.Composites`.
    short_ways : int32[frontends + 1, 3]
        ``slot << 16 | port`` of each frontend; where all its ends are pods of one identity: that, and the class of the
        port there. Otherwise -1, as in the last row, which is no frontend's.
    reason_of : uint8[outcomes]
        Position of each outcome's reason among all reasons.
    conditional : bool[outcomes]
        Whether each lets a connection through to a proxy that looks at what is not known.
    mixed : uint32[reasons + 1, reasons + 1, reasons + 1]
        Cell for ends that disagree, by the reasons (plus one; 0 for none) that allow, deny, and leave it unknown.
    cells : uint32[len(FIXED) + ...]
        Cells of the outcomes that follow from no rule, in the order of `simcore.tables.outcomes.FIXED`, then of
        addresses that are several pods' at a time; where nothing is enforced, all are those of the last of FIXED.
    limits : int64[6]
        First node identity, first composite, number of pods, number of nodes, whether a hairpin is let through
        (bit 0), egress to the own node (bit 1) and ingress from it (bit 2), where ingress programs begin in `row_of`.
    """

    trie_v4: NDArray[np.int32]
    trie_v6: NDArray[np.int32]
    object_trie_v4: NDArray[np.int32]
    object_trie_v6: NDArray[np.int32]
    exact: NDArray[np.uint64]
    exact_places: NDArray[np.int32]
    exact_objects: NDArray[np.int32]
    slot_of: NDArray[np.uint8]
    port_class: NDArray[np.uint16]
    missing_port_class: NDArray[np.int32]
    extra_kind: NDArray[np.uint8]
    extra_class: NDArray[np.uint16]
    program_of: NDArray[np.uint32]
    column_of: NDArray[np.int32]
    row_of: NDArray[np.unsignedinteger]
    decision: NDArray[np.unsignedinteger]
    scan: NDArray[np.uint32]
    ladder_of: NDArray[np.int32]
    divided: NDArray[np.bool_]
    ladder_starts: NDArray[np.int64]
    rungs: NDArray[np.int32]
    kind: NDArray[np.uint8]
    nearness: NDArray[np.int32]
    object_node: NDArray[np.int32]
    composite_flags: NDArray[np.uint8]
    composite_starts: NDArray[np.int32]
    frontend_keys: NDArray[np.int64]
    first_keys: NDArray[np.int32]
    frontend_starts: NDArray[np.int32]
    distinct_starts: NDArray[np.int32]
    frontend_plain: NDArray[np.bool_]
    ends: NDArray[np.int32]
    short_ways: NDArray[np.int32]
    reason_of: NDArray[np.uint8]
    conditional: NDArray[np.bool_]
    mixed: NDArray[np.uint32]
    cells: NDArray[np.uint32]
    limits: NDArray[np.int64]


@dataclass(frozen=True)
class Kept:
    """What other tables of the same cluster and profile can take over."""

    habits: Habits
    book: RuleBook
    ground: Ground
    picture: Picture
    binding: Binding
    rows: Rows
    outcomes: Outcomes


@dataclass(frozen=True)
class Tables:
    """Policy sets compiled against one cluster under one profile.

    Attributes
    ----------
    arrays : Arrays
        What the kernels read.
    sets : int
        How many policy sets are judged side by side.
    outcomes : tuple of Outcome
        What ``cell >> 2`` stands for.
    rules : tuple of Rule
        Every rule of every set; the rule table's order.
    label_of : int32[objects]
        Object to label.
    labels : tuple of str
        See `simcore.tables.objects.Objects`.
    pod_places : int32[pods, 3]
        Place of each pod when a record names it: with an IPv4 address, with an IPv6 one, with none. Behind pods come
        the names of `Moments.names`.
    pod_families : uint8[pods, 3]
        Family (4 or 6, or 0 where unknown) of the pod's address in each of these cases.
    pod_objects : int32[pods]
        Object of each pod when a record names it; its node's where the two count as one.
    requests : RequestTable
        Looks requests up.
    no_address, unknown_pod : int
        Objects of missing ends.
    outside, external : int
        Identity and object of what is outside the cluster at an unknown address.
    collectives : mapping of str to int
        Names that stand for many, by their position behind the pods; see `simcore.tables.collectives`.
    timely : Timely or None
        None where no outcome depends on the time of a flow.
    moments : Moments or None
        None where who stands at an address does not depend on it.
    eras : Eras or None
        None where the policies do not depend on it. Otherwise these tables are those of the last policies.
    kept : Kept or None
        What `simcore.build_tables` takes over where these are its `base`; not pickled.
    """

    arrays: Arrays
    sets: int
    cluster: Cluster
    profile: Profile
    outcomes: tuple[Outcome, ...]
    rules: tuple[Rule, ...]
    label_of: NDArray[np.int32]
    labels: tuple[str, ...]
    pod_places: NDArray[np.int32]
    pod_families: NDArray[np.uint8]
    pod_objects: NDArray[np.int32]
    no_address: int
    unknown_pod: int
    outside: int
    external: int
    requests: RequestTable
    collectives: Mapping[str, int]
    timely: Timely | None = None
    moments: Moments | None = None
    eras: Eras | None = None
    kept: Kept | None = field(default=None, repr=False, compare=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what knows rules by where they lie in memory."""
        return {**self.__dict__, "kept": None}

    @property
    def asks_times(self) -> bool:
        """Whether a verdict may depend on when a flow began."""
        return any(part is not None for part in (self.timely, self.moments, self.eras))

    @cached_property
    def pod_numbers(self) -> Mapping[str, int]:
        """Row of `pod_places` of each pod, and of each other end, that a record may name."""
        return {**name_numbers(self.cluster), **self.collectives}

    def pod_name(self, number: int) -> str:
        """Name the pod, or the other end, of a row of `pod_places`."""
        pods = self.cluster.pods
        if number < len(pods):
            return pods[number].full_name
        lived = list(self.moments.names) if self.moments else []
        if number < len(pods) + 2 * len(lived):
            return lived[(number - len(pods)) // 2]
        return next(name for name, row in self.collectives.items() if row == number)

    @property
    def size(self) -> int:
        """Bytes that the arrays take."""
        return sum(array.nbytes for array in self.arrays)
