"""build_tables: policies and a cluster to `Tables`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ..model.addresses import Family
from ..model.cluster import Cluster
from ..model.flows import Outcome, Reason, Verdict
from ..model.memory import collection_paused
from ..model.policy import Policy
from ..model.ports import LAST_PORT
from ..model.profile import UPSTREAM, Profile
from .composites import Composites, find_composites
from .decisions import REASONS
from .identities import Identities
from .layout import Arrays, Tables
from .objects import Objects
from .ports import PortClasses, classify_ports, protocol_slots
from .programs import RuleBook, bind_programs
from .rows import build_rows
from .tries import build_exact, build_trie, find_single, without

FIXED = (
    Outcome(Verdict.UNKNOWN, Reason.UNKNOWN_PROTOCOL),
    Outcome(Verdict.UNKNOWN, Reason.NO_ADDRESS),
    Outcome(Verdict.UNKNOWN, Reason.UNKNOWN_POD),
    Outcome(Verdict.UNKNOWN, Reason.NO_BACKEND),
    Outcome(Verdict.UNKNOWN, Reason.MIXED_FAMILIES),
    Outcome(Verdict.ALLOW, Reason.SELF),
    Outcome(Verdict.ALLOW, Reason.HAIRPIN),
    Outcome(Verdict.ALLOW, Reason.OWN_NODE),
)
"""Outcomes that follow from no rule; `simcore.kernels.special` knows them by position."""


def build_tables(cluster: Cluster, *policy_sets: Sequence[Policy], profile: Profile = UPSTREAM) -> Tables:
    """Compile one or several policy sets against a cluster.

    Sets are judged side by side on the same identities, ports and addresses; what they share is held once.

    Parameters
    ----------
    cluster : Cluster
        The instant at which flows are judged.
    *policy_sets : sequence of Policy
        One set for a replay; baseline and candidate for a what-if.
    profile : Profile
        The habits of the dataplane that enforces.

    Raises
    ------
    UnsupportedError
        A rule that the tables cannot hold.
    CapacityError
        The rules need more port classes than the tables can number.
    """
    with collection_paused():
        return _build(cluster, policy_sets, profile)


def _build(cluster: Cluster, policy_sets: Sequence[Sequence[Policy]], profile: Profile) -> Tables:
    book = RuleBook(policy_sets, profile)
    identities = Identities(book.rules, cluster, profile)
    objects = Objects(cluster, identities)
    composites = find_composites(cluster, identities, objects)
    classes = classify_ports((rule.ports for rule in book.rules), identities.declared)
    programs, program_of = bind_programs(book, identities)
    rows = build_rows(programs, book.rules, identities, classes, profile, FIXED)
    outcomes = rows.outcomes
    mixed = _mixed_cells(outcomes)
    places = {family: _places(family, identities, composites) for family in Family}
    starts_v4, starts_v6 = (identities.spaces[family].starts for family in (Family.V4, Family.V6))
    single = find_single(starts_v6)
    exact = build_exact(starts_v6, single)
    arrays = Arrays(
        trie_v4=build_trie(Family.V4, starts_v4, places[Family.V4]),
        trie_v6=build_trie(Family.V6, starts_v6, without(single, places[Family.V6])),
        object_trie_v4=build_trie(Family.V4, starts_v4, objects.by_range[Family.V4]),
        object_trie_v6=build_trie(Family.V6, starts_v6, without(single, objects.by_range[Family.V6])),
        exact=exact.keys,
        exact_places=exact.values(places[Family.V6]),
        exact_objects=exact.values(objects.by_range[Family.V6]),
        slot_of=protocol_slots(),
        port_class=classes.table,
        missing_port_class=classes.unknown,
        program_of=rows.starts[program_of].astype(np.uint32),
        column_of=rows.column_of,
        row_of=rows.row_of,
        decision=rows.decision,
        kind=identities.kind,
        object_node=objects.node_of,
        composite_flags=composites.flags,
        composite_starts=composites.starts,
        frontend_keys=composites.frontend_keys,
        first_keys=composites.first_keys,
        frontend_starts=composites.frontend_starts,
        distinct_starts=composites.distinct_starts,
        frontend_plain=composites.plain,
        ends=composites.ends,
        short_ways=_short_ways(composites, classes),
        reason_of=np.array([REASONS.index(outcome.reason) for outcome in outcomes], np.uint8),
        mixed=mixed,
        cells=np.array([number << 2 | fixed.verdict for number, fixed in enumerate(FIXED)], np.uint32),
        limits=np.array(
            [
                identities.first_node,
                identities.count,
                objects.pods,
                objects.nodes,
                (profile.service_hairpin == "allow") | (profile.egress_to_own_node == "allow") << 1,
                rows.first_ingress,
            ],
            np.int64,
        ),
    )
    pod_places, pod_families = _pod_places(cluster, identities, composites)
    pod_objects = [
        number if identities.selectable[number] else objects.node(pod.node) for number, pod in enumerate(cluster.pods)
    ]
    return Tables(
        arrays=arrays,
        sets=len(policy_sets),
        cluster=cluster,
        profile=profile,
        outcomes=tuple(outcomes),
        rules=tuple(book.rules),
        label_of=objects.label_of,
        labels=tuple(objects.labels),
        pod_places=pod_places,
        pod_families=pod_families,
        pod_objects=np.array(pod_objects, np.int32),
        no_address=objects.no_address,
        unknown_pod=objects.unknown_pod,
    )


def _short_ways(composites: Composites, classes: PortClasses) -> NDArray[np.int32]:
    """Find the frontends that lead to pods of one identity, for the kernel to judge them as that."""
    keys = composites.frontend_keys & (1 << 18) - 1
    ways = np.full((keys.size + 1, 3), -1, np.int32)
    ways[:-1, 0] = keys
    single = composites.plain & (np.diff(composites.distinct_starts) == 1)
    targets = composites.ends[composites.distinct_starts[:-1][single]]
    port = np.where(targets[:, 2] > 0, targets[:, 2], keys[single] & LAST_PORT)
    ways[:-1][single, 1] = targets[:, 0]
    ways[:-1][single, 2] = classes.table[keys[single] & ~LAST_PORT | port]
    return ways


def _places(family: Family, identities: Identities, composites: Composites) -> NDArray[np.int32]:
    """Find the place of every range of a family."""
    space = identities.spaces[family]
    places = identities.outside[family].astype(np.int32)
    for address, owners in identities.owners.items():
        if address.family is family:
            owner = owners[0]
            end = identities.of_pod[owner.pod, address] if owner.pod >= 0 else identities.of_node[address]
            places[space.range_at(address.value)] = end
    for address, number in composites.number.items():
        if address.family is family:
            places[space.range_at(address.value)] = identities.count + number
    return places


def _pod_places(
    cluster: Cluster, identities: Identities, composites: Composites
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Find where each pod stands when a record names it."""
    places = np.empty((len(cluster.pods), 3), np.int32)
    families = np.zeros((len(cluster.pods), 3), np.uint8)
    for number, pod in enumerate(cluster.pods):
        for column, family in enumerate((Family.V4, Family.V6, None)):
            address = next((a for a in pod.addresses if family in (a.family, None)), None)
            is_pod = identities.selectable[number]
            places[number, column] = identities.of_pod[number, address] if is_pod else identities.of_node[address]
            families[number, column] = address.family if address else 0
        if number in composites.pods:
            places[number, 2], families[number, 2] = identities.count + composites.pods[number], 0
    return places, families


def _mixed_cells(outcomes: list[Outcome]) -> NDArray[np.uint32]:
    """Append the outcomes of ends that disagree, and return their cells by the reasons they mix."""
    reasons = {
        verdict: sorted({REASONS.index(o.reason) for o in outcomes if o.verdict == verdict}) for verdict in Verdict
    }
    size = len(REASONS) + 1
    cells = np.zeros((size, size, size), np.uint32)
    choices = [[None, *reasons[verdict]] for verdict in Verdict]
    for mix in product(*choices):
        given = [(verdict, reason) for verdict, reason in zip(Verdict, mix, strict=True) if reason is not None]
        if len(given) > 1:
            detail = ", ".join(f"{verdict.word}: {REASONS[reason]}" for verdict, reason in given)
            place = tuple(0 if reason is None else reason + 1 for reason in mix)
            cells[place] = len(outcomes) << 2 | Verdict.UNKNOWN
            outcomes.append(Outcome(Verdict.UNKNOWN, Reason.MIXED, None, detail))
    return cells
