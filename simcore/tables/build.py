"""build_tables: policies and a cluster to `Tables`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..model.cluster import Cluster
from ..model.habits import Habits
from ..model.memory import collection_paused
from ..model.policy import Direction, Policy
from ..model.profile import UPSTREAM, Profile
from .atoms import Atoms
from .book import RuleBook
from .ground import Ground, lay_ground, paint
from .layout import Arrays, Kept, Tables
from .members import Members
from .outcomes import fixed_cells, number_outcomes
from .programs import bind_programs, final_programs
from .requests import RequestTable
from .rows import Rows, build_rows
from .timely import Timely


def build_tables(
    cluster: Cluster, *policy_sets: Sequence[Policy], profile: Profile = UPSTREAM, base: Tables | None = None
) -> Tables:
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
    base : Tables, optional
        Tables of this very cluster and profile, for policies most of which (the same objects) are among these.
        What did not change is taken over from them; they stay as they are. The answers are those without `base`.
        An edit is quick as long as its selectors, blocks and ports tell apart no ends and ports that `base` held to
        be alike: a new block, or a selector that divides pods that were alike, has everything built anew. Tables
        that were unpickled have nothing that could be taken over.

    Raises
    ------
    UnsupportedError
        A rule that the tables cannot hold.
    CapacityError
        The rules need more port classes than the tables can number.
    ValueError
        `base` is of another cluster or profile.
    """
    if base and (base.cluster is not cluster or base.profile != profile):
        raise ValueError("base is of another cluster or profile: give build_tables base.cluster and base.profile")
    with collection_paused():
        habits = base.kept.habits if base and base.kept else Habits(profile)
        marked = habits.cluster(cluster)
        read = [habits.policies(policies) for policies in policy_sets]
        return _build(cluster, read, marked, profile, habits, base.kept if base else None)


def _build(
    cluster: Cluster,
    policy_sets: Sequence[Sequence[Policy]],
    marked: Cluster,
    profile: Profile,
    habits: Habits,
    kept: Kept | None,
) -> Tables:
    book = RuleBook(policy_sets, profile, kept.book if kept else None)
    if kept and (book.crowded or not kept.ground.bears(book.new)):
        kept, book = None, RuleBook(policy_sets, profile)
    atoms = Atoms(() if kept else book.rules)
    ground = kept.ground if kept else lay_ground(book.rules, atoms, marked, profile)
    members = Members(atoms, ground.identities)
    picture = paint(ground, book, kept.picture if kept else None)
    binding = bind_programs(book, members, ground.identities, kept.binding if kept else None)
    taken = kept if kept and not kept.rows.crowded else None
    final = final_programs(binding, book, profile)
    rows = build_rows(
        list(final.programs),
        book,
        members,
        ground.identities,
        ground.classes,
        ground.extras,
        profile,
        taken.rows if taken else None,
    )
    outcomes = number_outcomes(rows, book, taken.outcomes if taken else None)
    timely = Timely(outcomes.outcomes, cluster) if cluster.name_times else None
    told = timely.outcomes if timely else outcomes.outcomes
    several = ground.moments.several if ground.moments else ()
    return Tables(
        arrays=Arrays(
            **ground.arrays,
            **picture.arrays,
            program_of=rows.starts_of(final),
            column_of=rows.column_of,
            row_of=rows.row_of,
            decision=outcomes.cells[rows.held.decided],
            scan=outcomes.cells[rows.held.scanned],
            ladder_of=rows.held.ladders.of,
            divided=rows.held.divided,
            ladder_starts=rows.held.ladders.starts,
            rungs=rows.held.ladders.leading_to(outcomes.cells),
            reason_of=outcomes.reason_of,
            conditional=outcomes.conditional,
            mixed=outcomes.mixed,
            cells=fixed_cells(profile, range(len(told), len(told) + len(several))),
            limits=_limits(ground, rows, profile),
        ),
        sets=len(policy_sets),
        cluster=cluster,
        profile=profile,
        outcomes=(*told, *several),
        rules=tuple(book.rules),
        label_of=picture.painting.label_of,
        labels=tuple(picture.painting.labels),
        no_address=ground.objects.no_address,
        unknown_pod=ground.objects.unknown_pod,
        outside=ground.identities.outside,
        external=ground.objects.external,
        requests=RequestTable(rows.asked),
        collectives={},
        timely=timely,
        moments=ground.moments,
        eras=None,
        kept=Kept(habits, book, ground, picture, binding, rows, outcomes),
        **ground.pods,
    )


def _bits(*flags: bool) -> int:
    return sum(flag << place for place, flag in enumerate(flags))


def _limits(ground: Ground, rows: Rows, profile: Profile) -> NDArray[np.int64]:
    return np.array(
        [
            ground.identities.first_node,
            ground.identities.count,
            ground.objects.pods,
            ground.objects.nodes,
            _bits(
                profile.service_hairpin == "allow",
                not profile.cilium and profile.egress_to_own_node == "allow",
                not profile.cilium,
            ),
            rows.blocks[Direction.EGRESS].size,
        ],
        np.int64,
    )
