"""What an analysis judges by: tables that the caller brings, or those made of a cluster and policies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from ..model.cluster import Cluster
from ..model.flows import Capture
from ..model.names import names_in
from ..model.policy import Policy
from ..model.profile import UPSTREAM, Profile
from ..model.timeline import PolicyHistory
from ..tables.build import build_tables
from ..tables.eras import distinct_sets, in_eras
from ..tables.layout import Tables
from .collectives import know_collectives
from .extent import time_extent
from .learning import learn_addresses
from .names import Learnt, NameReport, learn_names, report_names
from .shards import Engine

Policies = Sequence[Policy] | PolicyHistory
"""Policies that always hold, or those of all times."""


class Prepared(NamedTuple):
    """Tables, and what their rules by domain name rest on."""

    tables: Tables
    names: NameReport


def prepare(
    capture: Capture,
    given: Cluster | Tables,
    policy_sets: Sequence[Policies | None],
    profile: Profile | None,
    engine: Engine,
    batch_rows: int,
) -> Tables:
    """Return the tables of `prepare_with_names`."""
    return prepare_with_names(capture, given, policy_sets, profile, engine, batch_rows).tables


def prepare_with_names(
    capture: Capture,
    given: Cluster | Tables,
    policy_sets: Sequence[Policies | None],
    profile: Profile | None,
    engine: Engine,
    batch_rows: int,
) -> Prepared:
    """Return the tables for as many policy sets as `policy_sets` has places, and what is known of names.

    Raises
    ------
    TypeError
        Policies are missing beside a cluster, or a profile stands beside tables.
    ValueError
        Tables are of another number of policy sets, or of other policies than those that stand beside them.
    """
    if isinstance(given, Tables):
        tables = know_collectives(capture, _checked(given, policy_sets, profile), engine, batch_rows)
        return Prepared(tables, report_names(tables, Learnt()))
    histories = [
        policies if isinstance(policies, PolicyHistory) else PolicyHistory.constant(policies)
        for policies in policy_sets
        if policies is not None
    ]
    if len(histories) < len(policy_sets):
        raise TypeError("beside a cluster, policies are needed")
    if any(len(history) > 1 for history in histories) and (extent := time_extent(capture, engine, batch_rows)):
        histories = [history.during(*extent) for history in histories]
    has_eras = any(len(history) > 1 for history in histories)
    sets = distinct_sets(histories) if has_eras else [history[0][1] for history in histories]
    cluster, learnt = learn_addresses(capture, given, engine, batch_rows), Learnt()
    if any(names_in(rule) for policies in sets for policy in policies for rule in policy.rules):
        cluster, learnt = learn_names(capture, cluster, engine, batch_rows)
    tables = build_tables(cluster, *sets, profile=profile or UPSTREAM)
    tables = know_collectives(capture, tables, engine, batch_rows)
    if has_eras:
        tables = in_eras(tables, histories, sets)
    return Prepared(tables, report_names(tables, learnt))


def _checked(tables: Tables, policy_sets: Sequence[Policies | None], profile: Profile | None) -> Tables:
    if profile is not None:
        raise TypeError("tables have their profile: give it to build_tables")
    if tables.sets != len(policy_sets):
        raise ValueError(f"tables of {len(policy_sets)} policy sets are needed, these are of {tables.sets}")
    rules = {id(rule) for rule in tables.rules}
    if any(
        id(rule) not in rules for policies in policy_sets for policy in policies_of(policies) for rule in policy.rules
    ):
        raise ValueError("the tables were built from other policies")
    return tables


def policies_of(policies: Policies | None) -> Iterable[Policy]:
    """Return the policies of all times; none where none are given."""
    return chain.from_iterable(held for _, held in policies) if isinstance(policies, PolicyHistory) else policies or ()
