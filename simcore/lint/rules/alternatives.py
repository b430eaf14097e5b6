"""OR where AND was probably meant: a podSelector and a namespaceSelector as two items of one list."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from ...model.labels import EVERYTHING
from ...model.peers import AnyOf, Endpoints
from ...model.policy import Direction, Policy, Role
from ..context import NETWORK_POLICY, LintContext, Written
from ..findings import Finding, Fix, LintRule, Severity
from ..manifests import with_spec
from ..words import counted_list

_SAYS_OR = re.compile(r"#.*(\bOR\b|\beither\b|\balternativ)")
_LISTS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two neighbouring items: where they stand in their list, and what each selects alone."""

    path: tuple[str | int, ...]
    pod_item: int
    namespace_item: int


def _check(context: LintContext) -> Iterator[Finding]:
    for policy, document in context.written(NETWORK_POLICY):
        for pair in _pairs(document.value):
            if not _says_or(context, document, pair):
                yield from _judged(context, policy, document, pair)


def _pairs(manifest: Mapping[str, Any]) -> Iterator[_Pair]:
    """Yield the lists in which one item is a podSelector alone and the next, or the one before, a namespaceSelector."""
    spec = manifest.get("spec") or {}
    for direction, word in _LISTS.items():
        for number, rule in enumerate(spec.get(direction.word) or ()):
            peers = (rule or {}).get(word) or ()
            pods = [n for n, peer in enumerate(peers) if set(peer or ()) == {"podSelector"} and peer["podSelector"]]
            spaces = [n for n, peer in enumerate(peers) if set(peer or ()) == {"namespaceSelector"}]
            others = [n for n, peer in enumerate(peers) if "podSelector" in (peer or ()) and n not in pods]
            if len(pods) == len(spaces) == 1 and not others and abs(pods[0] - spaces[0]) == 1:
                yield _Pair(("spec", direction.word, number, word), pods[0], spaces[0])


def _says_or(context: LintContext, document: Written, pair: _Pair) -> bool:
    """Whether a comment above or beside the items says that either is enough."""
    lines = context.lines(document.file)
    first = document.place(pair.path).line
    last = document.place((*pair.path, max(pair.pod_item, pair.namespace_item))).line
    while first > 1 and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return any(_SAYS_OR.search(line) for line in lines[first - 1 : last + 2])


def _judged(context: LintContext, policy: Policy, document: Written, pair: _Pair) -> Iterator[Finding]:
    selectors = _selectors(policy, pair)
    if selectors is None:
        return
    one, other = selectors
    both = Endpoints(other.namespaces, one.pods)
    own, spaces, together = (context.population.who(peers) or frozenset() for peers in (one, other, both))
    if not together or together == spaces:
        return
    yield Finding(
        "FV006",
        document.place((*pair.path, max(pair.pod_item, pair.namespace_item))),
        "podSelector and namespaceSelector are two items, so either is enough (OR); for both to hold (AND) they must "
        "be one item.",
        _merged(document.value, pair),
        _readings(context, own | spaces, together),
        policy.ref,
    )


def _readings(context: LintContext, either: Set[int], both: Set[int]) -> tuple[str, ...]:
    return (
        f"As written: {counted_list(context.population.workloads(either))}.",
        f"If both were meant: {counted_list(context.population.workloads(both))}.",
        "If either is meant, say so in a comment with the word OR beside the items.",
    )


def _selectors(policy: Policy, pair: _Pair) -> tuple[Endpoints, Endpoints] | None:
    """Return the two items as they were read; None where the direction is not bound, or one asks nothing of pods."""
    for rule in policy.rules:
        if rule.role is Role.WRITTEN and (rule.direction.word, rule.index) == pair.path[1:3]:
            members = rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,)
            found = [member for member in members if isinstance(member, Endpoints)]
            pods = [member for member in found if member.pods != EVERYTHING]
            spaces = [member for member in found if member.pods == EVERYTHING]
            return (pods[0], spaces[0]) if pods and spaces else None
    return None


def _merged(manifest: Mapping[str, Any], pair: _Pair) -> Fix:
    """Return the policy with both selectors in one item."""
    _, section, number, word = pair.path
    rules = deepcopy(manifest["spec"][section])
    peers = rules[number][word]
    first, second = sorted((pair.pod_item, pair.namespace_item))
    peers[first] = {
        "namespaceSelector": peers[pair.namespace_item]["namespaceSelector"],
        "podSelector": peers[pair.pod_item]["podSelector"],
    }
    del peers[second]
    comments = {(*pair.path, first): "both must hold (AND)"}
    return Fix(with_spec(manifest, **{str(section): rules}), comments)


RULES = (
    LintRule(
        "FV006",
        "or-for-and",
        Severity.WARNING,
        "podSelector and namespaceSelector are items of their own, so that either is enough, where both may be meant.",
        _check,
    ),
)
