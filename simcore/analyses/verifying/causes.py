"""Why a verdict of ours may differ from a recorded one."""

from __future__ import annotations

from collections.abc import Collection

from ...model.flows import Judgement, Outcome, Reason, Verdict
from ...model.peers import DomainNames, atoms_of
from ...model.policy import Direction, Role, Rule
from ...model.schema import MID_STREAM, REQUEST
from ...model.verification import Recorded, Suspicion

Suspected = tuple[Suspicion, str]
"""A suspicion, and what it is about."""

_UNKNOWN_ADDRESSES = (Reason.UNKNOWN_ADDRESS, Reason.NO_ADDRESS)


def suspect(recorded: Recorded, ours: Judgement, policies: Collection[str], *, reply: bool) -> Suspected:
    """Say why a verdict of ours may differ from the recorded one.

    Parameters
    ----------
    policies : collection of str
        The names of the policies of the set.
    reply : bool
        Whether its ports are those of an answer.
    """
    outcome = _telling(recorded, ours)
    if outcome.reason is Reason.UNKNOWN_POD:
        return Suspicion.POD_UNKNOWN, ""
    missing = [name for name in recorded.policies if name not in policies]
    if missing:
        return Suspicion.POLICY_MISSING, missing[0]
    if outcome.verdict is Verdict.UNKNOWN:
        return _undecided(outcome)
    if recorded.record == REQUEST:
        return Suspicion.REQUEST, "" if outcome.rule is None else str(outcome.rule.policy)
    if recorded.policies and not _decides_by_deny(outcome):
        return Suspicion.POLICY_CHANGED, recorded.policies[0]
    if recorded.record == MID_STREAM:
        return Suspicion.MID_STREAM, ""
    if reply:
        return Suspicion.REPLY, ""
    if outcome.rule is not None and outcome.rule.role is not Role.HABIT:
        return Suspicion.POLICY_NEWER, str(outcome.rule.policy)
    if recorded.word.lower() == "audit":
        return Suspicion.AUDIT, ""
    if recorded.verdict is Verdict.DENY and outcome.reason is Reason.NOT_ISOLATED:
        return Suspicion.ISOLATION_MISSING, ""
    return Suspicion.OTHER, ""


def _telling(recorded: Recorded, ours: Judgement) -> Outcome:
    """Return the outcome that differs: of the side that was recorded, else of the direction that decides."""
    if recorded.side is not None:
        return ours.outcome(recorded.side)
    deciding = [ours.outcome(side) for side in Direction if ours.outcome(side).verdict is ours.verdict]
    ruled = [outcome for outcome in deciding if outcome.rule is not None]
    return (ruled or deciding or [ours.egress])[0]


def _undecided(outcome: Outcome) -> Suspected:
    """Say why we do not know."""
    names = _names(outcome.rule)
    if names:
        return Suspicion.NAME_UNRESOLVED, ", ".join(names)
    if outcome.reason in _UNKNOWN_ADDRESSES:
        return Suspicion.ADDRESS_UNKNOWN, ""
    if outcome.reason is Reason.UNKNOWN_REQUEST:
        return Suspicion.REQUEST, "" if outcome.rule is None else str(outcome.rule.policy)
    return Suspicion.UNDECIDED, str(outcome)


def _decides_by_deny(outcome: Outcome) -> bool:
    """Whether a rule that was written to deny decides, which no other policy can help."""
    return outcome.reason in (Reason.RULE_DENIES, Reason.RULE_REJECTS)


def _names(rule: Rule | None) -> list[str]:
    """List the domain names that a rule asks for."""
    if rule is None:
        return []
    atoms = (atom for atom in atoms_of(rule.peer) if isinstance(atom, DomainNames))
    return list(dict.fromkeys(name for atom in atoms for name in atom.written))
