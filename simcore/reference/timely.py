"""Judges by domain names that stand for addresses only at times."""

from __future__ import annotations

from ..model.addresses import Address
from ..model.cluster import Cluster
from ..model.flows import Flow, Judgement, Outcome, Reason, Verdict, both
from ..model.names import ALWAYS, Timetable, names_in


def at_time(judgement: Judgement, flow: Flow, cluster: Cluster, moment: int | None) -> Judgement:
    """Return the judgement of a flow that began at a moment (nanoseconds since 1970; None: not told).

    What a rule by domain name decides is in doubt where none of its names is known to stand for the address then.
    """
    egress = _outcome_at(judgement.egress, flow.destination.address, cluster, moment)
    ingress = _outcome_at(judgement.ingress, flow.source.address, cluster, moment)
    if (egress, ingress) == (judgement.egress, judgement.ingress):
        return judgement
    return Judgement(egress, ingress, both(egress.verdict, ingress.verdict))


def _outcome_at(outcome: Outcome, peer: Address | None, cluster: Cluster, moment: int | None) -> Outcome:
    if outcome.rule is None or outcome.verdict is Verdict.UNKNOWN or peer is None:
        return outcome
    stretches = Timetable(cluster).of(names_in(outcome.rule), peer)
    if stretches in ((), (ALWAYS,)) or (moment is not None and any(first <= moment < end for first, end in stretches)):
        return outcome
    return Outcome(Verdict.UNKNOWN, Reason.NAME_NOT_KNOWN_THEN, outcome.rule)
