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
from .atoms import Atoms
from .composites import Composites, find_composites
from .decisions import REASONS
from .identities import Identities
from .layout import Arrays, Tables
from .members import Members
from .objects import Objects
from .ports import PortClasses, classify_ports, protocol_slots
from .programs import RuleBook, bind_programs
from .rows import build_rows
from .space import halves
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
    Outcome(Verdict.ALLOW, Reason.NOT_ENFORCED),
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
    atoms = Atoms(book.rules)
    identities = Identities(book.rules, atoms, cluster, profile)
    members = Members(atoms, identities)
    objects = Objects(cluster, identities.ends)
    painting = objects.paint(atoms.blocks, identities)
    composites = find_composites(cluster, identities, objects)
    classes = classify_ports((rule.ports for rule in book.rules), identities.declared)
    programs, program_of = bind_programs(book, members, identities)
    rows = build_rows(programs, book.rules, members, identities, classes, profile, FIXED)
    outcomes = rows.outcomes
    mixed = _mixed_cells(outcomes)
    places = {family: _places(family, identities, composites) for family in Family}
    starts_v4, starts_v6 = (identities.spaces[family].starts for family in (Family.V4, Family.V6))
    single = find_single(starts_v6)
    exact = build_exact(starts_v6, single)
    arrays = Arrays(
        trie_v4=build_trie(Family.V4, starts_v4, places[Family.V4]),
        trie_v6=build_trie(Family.V6, starts_v6, without(single, places[Family.V6])),
        object_trie_v4=build_trie(Family.V4, starts_v4, painting.by_range[Family.V4]),
        object_trie_v6=build_trie(Family.V6, starts_v6, without(single, painting.by_range[Family.V6])),
        exact=exact.keys,
        exact_places=exact.values(places[Family.V6]),
        exact_objects=exact.values(painting.by_range[Family.V6]),
        slot_of=protocol_slots(),
        port_class=classes.table,
        missing_port_class=classes.unknown,
        program_of=rows.starts[program_of].astype(np.uint32),
        column_of=rows.column_of,
        row_of=rows.row_of,
        decision=rows.decision,
        kind=identities.kind,
        object_node=painting.node_of,
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
        cells=_fixed_cells(profile),
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
    pod_objects = np.arange(len(cluster.pods), dtype=np.int32)
    for number in np.flatnonzero(~identities.ends.selectable).tolist():
        pod_objects[number] = objects.node(cluster.pods[number].node)
    return Tables(
        arrays=arrays,
        sets=len(policy_sets),
        cluster=cluster,
        profile=profile,
        outcomes=tuple(outcomes),
        rules=tuple(book.rules),
        label_of=painting.label_of,
        labels=tuple(painting.labels),
        pod_places=pod_places,
        pod_families=pod_families,
        pod_objects=pod_objects,
        no_address=objects.no_address,
        unknown_pod=objects.unknown_pod,
    )


def _fixed_cells(profile: Profile) -> NDArray[np.uint32]:
    """Return the cells of FIXED; where nothing is enforced, its last outcome is everything's."""
    cells = [number << 2 | outcome.verdict for number, outcome in enumerate(FIXED)]
    return np.array(cells if profile.enforced else cells[-1:] * len(cells), np.uint32)


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
    places = identities.at_range[family].copy()
    ours = [(address.value, number) for address, number in composites.number.items() if address.family is family]
    ranges = identities.spaces[family].ranges_at(halves([value for value, _ in ours]))
    places[ranges] = [identities.count + number for _, number in ours]
    return places


def _pod_places(
    cluster: Cluster, identities: Identities, composites: Composites
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Find where each pod stands when a record names it."""
    ends = identities.ends
    places = np.empty((len(cluster.pods), 3), np.int32)
    families = np.zeros((len(cluster.pods), 3), np.uint8)
    backwards = np.arange(ends.pod.size)[::-1]  # of several ends, the first one is written last
    selectable = ends.selectable
    unknown = ends.first_of_pod[1:][selectable] - 1
    for column, family in enumerate((Family.V4, Family.V6, None)):
        places[selectable, column] = identities.of_end[unknown]
        here = backwards[np.isin(ends.family[backwards], [family] if family else list(Family))]
        places[ends.pod[here], column] = identities.of_end[here]
        families[ends.pod[here], column] = ends.family[here]
        for number in np.flatnonzero(~selectable).tolist():
            address = next((a for a in cluster.pods[number].addresses if family in (a.family, None)), None)
            places[number, column] = identities.of_node[address]
            families[number, column] = address.family if address else 0
    for number, composite in composites.pods.items():
        places[number, 2], families[number, 2] = identities.count + composite, 0
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
