"""Cilium's own policies, of cilium.io (docs/semantics/cilium.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from simcore.errors import Diagnostic, Severity
from simcore.model.agent import CiliumAgent
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy, PolicyRef, Rule
from simcore.model.profile import UPSTREAM, Profile

from ...documents import Document
from .cidrs import Blocks, Group
from .conflicts import Meetings, conflict_rules
from .identities import Identities
from .objects import CIDR_GROUP, CLUSTERWIDE, GROUP, NAMESPACED, read_group, read_object
from .policies import SPEC_HINTS, Surroundings, read_policy
from .rules import RuleMaker

KINDS = {(GROUP, NAMESPACED): True, (GROUP, CLUSTERWIDE): True, (GROUP, CIDR_GROUP): False}
"""API group and kind of what is read; whether these are policies."""
SHORT_NAMES = {
    "cnp": NAMESPACED,
    "ciliumnp": NAMESPACED,
    "ccnp": CLUSTERWIDE,
    "ccg": CIDR_GROUP,
}


def lower(
    documents: Sequence[Document], cluster: Cluster, diagnostics: list[Diagnostic], *, profile: Profile = UPSTREAM
) -> list[Policy]:
    """Turn the policies among Cilium's objects into rules.

    Parameters
    ----------
    documents : sequence of Document
        Policies, and the groups of blocks that these name.
    cluster : Cluster
        Its Services, and what of it is the API server or of another cluster, say what rules mean.
    diagnostics : list of Diagnostic
        Written: every problem found, as Cilium would refuse it, and warnings.
    profile : Profile
        How policies are read: of its settings `strict_cidr`, and those of Cilium's agent.

    Returns
    -------
    list of Policy
        Those without errors, in reading order.
    """
    agent, strict = profile.cilium or CiliumAgent(), profile.strict_cidr
    groups = [
        group
        for document in documents
        if document.kind == CIDR_GROUP and (group := _group(document, diagnostics, strict_cidr=strict)) is not None
    ]
    around = Surroundings(cluster, agent, Blocks(groups, strict), Identities.of(cluster, agent))
    drafts = [
        read_policy(read_object(document, [], SPEC_HINTS), around)
        for document in documents
        if document.kind != CIDR_GROUP
    ]
    usable = [draft for draft in drafts if not _has_errors(draft.problems)]
    meetings = Meetings.of(usable, cluster)
    more = _conflicts(meetings)
    policies = {
        id(draft): RuleMaker(draft, agent, meetings).policy(more.get(draft.ref, ()))
        for draft in usable
        if not _has_errors(draft.problems)
    }
    for draft in drafts:
        diagnostics += sorted(draft.problems, key=lambda diagnostic: diagnostic.place.line)
    return [policies[id(draft)] for draft in drafts if id(draft) in policies]


def _conflicts(meetings: Meetings) -> dict[PolicyRef, list[Rule]]:
    """Complain about rules that cannot hold together; return rules that stand for those of different policies."""
    found: dict[PolicyRef, list[Rule]] = {}
    for first, second, why in meetings.conflicts():
        if first.owner.ref == second.owner.ref:
            second.field.error(
                f"policy conflict with {first.section}[{first.index}]: {why}. Give them other peers or ports"
            )
        else:
            second.field.warn(
                f"policy conflict with {first.owner.ref}: {why}. Endpoints that both bind keep the policies that they "
                "had before, which are not known, so their verdicts are unknown"
            )
            found.setdefault(second.owner.ref, []).extend(conflict_rules(first, second, why))
    return found


def _group(document: Document, diagnostics: list[Diagnostic], *, strict_cidr: bool) -> Group | None:
    problems: list[Diagnostic] = []
    group = read_group(read_object(document, problems, {}), strict_cidr=strict_cidr)
    diagnostics += sorted(problems, key=lambda diagnostic: diagnostic.place.line)
    return None if _has_errors(problems) else group


def _has_errors(problems: Iterable[Diagnostic]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)
