"""Entries as rows of the ordered list (CI-18, CI-23, CI-25, CI-35)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from simcore.model.agent import CiliumAgent
from simcore.model.cilium import DEFAULT, NORMAL
from simcore.model.peers import ANYTHING, AllOf, AnyOf, Except, Nodes, PeerSet, all_of, any_of
from simcore.model.policy import Action, Direction, Policy, Role, Rule
from simcore.model.ports import EVERY_PORT, PortSet

from ..kubernetes import ORDER, tie_break
from .conflicts import Meetings
from .entries import Entry, Owner, Requirement
from .policies import Draft

DENIED, AUTHENTICATED, ALLOWED, PROXIED, REFUSED, CLOSED = -1.0, -0.5, 0.0, 0.5, 0.75, 1.0
"""How rules of one tier follow each other, by the first part of their order."""
_WILDCARDS_SINCE = (1, 18)
_DEFAULT_TIER_SINCE = (1, 20)
_NEVER = "test-always-fail"
_LOCALHOST_DOUBT = (
    "the own node enters by what comes after all policies, and whether the proxy lets such a request through is not "
    "known"
)
_REQUIREMENT_DOUBT = "nothing is denied to those who fall short of it unless another policy closes the endpoint"
_HERE = Nodes(where="here")


@dataclass(frozen=True, slots=True)
class RuleMaker:
    """Makes rules of the entries of one policy."""

    draft: Draft
    agent: CiliumAgent
    meetings: Meetings

    def policy(self, more: Sequence[Rule]) -> Policy:
        """Make the policy; `more` are rules that come from its meeting others."""
        rules = [rule for each in self.draft.found for rule in self._rules(each)]
        closing = [rule for owner in self.draft.owners for rule in self._closing(owner)]
        return Policy(self.draft.ref, (*rules, *more, *closing), self.draft.source.root.place)

    def _closing(self, owner: Owner) -> Iterator[Rule]:
        for direction in (Direction.INGRESS, Direction.EGRESS):
            if owner.closes[direction]:
                yield Rule.closing(
                    owner.ref,
                    direction,
                    owner.subject,
                    DEFAULT,
                    (CLOSED, ORDER, tie_break(owner.ref)),
                    self.draft.source.root.place,
                    Role.ISOLATION,
                    hosts=owner.hosts,
                    section=f"{owner.prefix}{direction.word}" if owner.prefix else "",
                )

    def _rules(self, found: Entry | Requirement) -> Iterator[Rule]:
        if isinstance(found, Requirement):
            yield self._required(found)
        elif found.layer7 is not None and found.authentication != _NEVER:
            yield from self._proxied(found)
        else:
            yield from map(self._plain, self._narrowed(found))

    def _narrowed(self, entry: Entry) -> list[Entry]:
        parts = self.meetings.narrowed(entry)
        if parts != [entry]:
            entry.field.warn(
                "serverNames of another rule for the same peer and port hold here as well. Add the names, or L7 rules"
            )
        return parts

    def _plain(self, entry: Entry) -> Rule:
        rule = self._row(entry, DENIED if entry.action is Action.DENY else ALLOWED)
        if not entry.authentication:
            return rule
        order = (AUTHENTICATED, entry.ports is None, rule.peer == ANYTHING, *rule.order[2:])
        rule = replace(rule, order=order)
        if entry.authentication == _NEVER:
            return replace(rule, action=Action.DENY, condition=_authentication(entry))
        return replace(rule, condition=_authentication(entry))

    def _proxied(self, entry: Entry) -> Iterator[Rule]:
        layer7 = entry.layer7
        assert layer7 is not None
        row = self._row(entry, PROXIED)
        is_soft = not entry.owner.closes[entry.direction]
        has_wildcard = is_soft and self.agent.version >= _WILDCARDS_SINCE and not (layer7.names or layer7.listener)
        requests = None if has_wildcard else layer7.requests
        condition = layer7.condition if requests else ""
        yield replace(
            row,
            requests=requests,
            proxy=layer7.proxy,
            condition="; ".join(filter(None, (condition, _authentication(entry)))),
            doubt=layer7.doubt if requests else "",
        )
        if requests is None:
            return
        if is_soft:
            yield replace(row, action=Action.DENY, role=Role.TIER_END, order=(REFUSED, *row.order[1:]))
        elif self._lets_localhost(entry):
            peer = all_of((row.peer, _HERE))
            order = (REFUSED, *row.order[1:])
            yield replace(row, action=Action.DENY, peer=peer, doubt=_LOCALHOST_DOUBT, order=order)

    def _lets_localhost(self, entry: Entry) -> bool:
        """Whether the own node is among the peers of a rule, and comes in without it as well."""
        agent = self.agent
        if entry.direction is Direction.EGRESS or entry.owner.hosts or agent.version < _DEFAULT_TIER_SINCE:
            return False
        return agent.allow_localhost != "policy" and any(map(_may_hold_own_node, entry.selectors))

    def _required(self, found: Requirement) -> Rule:
        """Deny whom a requirement leaves out; the own node enters by other means (CI-16)."""
        peer: PeerSet = Except(all_of(found.peers))
        if found.direction is Direction.INGRESS and not found.owner.hosts and self.agent.allow_localhost != "policy":
            peer = AllOf((peer, Except(_HERE)))
        entry = Entry(
            found.owner, found.field, found.direction, Action.DENY, found.section, found.index, 0, (peer,), None
        )
        doubt = "" if found.owner.closes[found.direction] else _REQUIREMENT_DOUBT
        return replace(self._row(entry, DENIED), doubt=doubt)

    def _row(self, entry: Entry, order: float) -> Rule:
        owner = entry.owner
        return Rule(
            policy=owner.ref,
            index=entry.index,
            direction=entry.direction,
            subject=owner.subject,
            peer=any_of(entry.selectors),
            ports=EVERY_PORT if entry.ports is None else PortSet(entry.ports),
            action=entry.action,
            tier=NORMAL,
            order=(order, ORDER, tie_break(owner.ref), entry.index, entry.number),
            place=entry.field.place,
            hosts=owner.hosts,
            section="" if entry.section == entry.direction.word else entry.section,
        )


def _authentication(entry: Entry) -> str:
    return f"authentication ({entry.authentication})" if entry.authentication not in ("", "disabled") else ""


def _may_hold_own_node(peers: PeerSet) -> bool:
    match peers:
        case Nodes(where=where):
            return where != "elsewhere"
        case AnyOf(members):
            return any(map(_may_hold_own_node, members))
        case AllOf(members):
            return all(map(_may_hold_own_node, members))
    return peers == ANYTHING
