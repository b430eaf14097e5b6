"""Judges flows at their times: against the cluster and the policies of that moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..model.addresses import Address
from ..model.cluster import Cluster
from ..model.flows import End, Flow, Judgement, Outcome, Reason, Verdict, agreed
from ..model.policy import Policy
from ..model.profile import UPSTREAM, Profile
from ..model.timeline import PolicyHistory
from ..model.trace import Trace
from .judge import Reference
from .timely import at_time


class TimedReference:
    """Judges flows by the reference of the moment: a cluster over time is asked for what it was then.

    Parameters
    ----------
    cluster : Cluster
        With the times at which its pods, nodes and Services were there.
    policies : sequence of Policy or PolicyHistory
    profile : Profile
        The habits of the dataplane that enforces.
    """

    def __init__(
        self, cluster: Cluster, policies: Sequence[Policy] | PolicyHistory, profile: Profile = UPSTREAM
    ) -> None:
        self._cluster = cluster
        self._history = policies if isinstance(policies, PolicyHistory) else PolicyHistory.constant(policies)
        self._profile = profile
        self._known: dict[int | None, list[Reference]] = {}

    def judge(self, flow: Flow, time: int | None) -> Judgement:
        """Judge a flow that began at a time, in nanoseconds; None: at any, by whoever was there and by every policy."""
        doubt = self._doubt(flow, time)
        if doubt is not None:
            return Judgement(doubt, doubt, Verdict.UNKNOWN)
        found = agreed([reference.judge(flow) for reference in self._references(time)])
        return at_time(found, flow, self._cluster, time)

    def explain(self, flow: Flow, time: int) -> Trace:
        """Answer as `judge` does, with all that the verdict rests on."""
        trace = self._references(time)[0].explain(flow)
        judgement = self.judge(flow, time)
        pairs = trace.pairs if self._doubt(flow, time) is None else ()
        return replace(trace, judgement=judgement, pairs=pairs)

    def _references(self, time: int | None) -> list[Reference]:
        """Return the references to ask: one for each set of policies that may hold."""
        if time not in self._known:
            cluster = self._cluster if time is None else self._cluster.at(time)
            sets = [held for _, held in self._history] if time is None else [self._history.at(time)]
            self._known[time] = [Reference(cluster, held, self._profile) for held in sets]
        return self._known[time]

    def _doubt(self, flow: Flow, time: int | None) -> Outcome | None:
        """Say why the ends of a flow are not known at its time, though they are at others."""
        ends = (flow.source, flow.destination)
        is_told = all(end.address is not None or end.pod is not None for end in ends)
        if time is None or flow.protocol is None or not is_told or not self._profile.enforced:
            return None
        if any(end.pod is not None and end.pod not in self._cluster.pods_named for end in ends):
            return None
        found = [outcome for end in ends if (outcome := self._doubt_of(end, time)) is not None]
        order = (Reason.POD_NOT_THERE_THEN, Reason.NOBODY_THEN, Reason.SEVERAL_THEN)
        return min(found, key=lambda outcome: order.index(outcome.reason), default=None)

    def _doubt_of(self, end: End, time: int) -> Outcome | None:
        then = self._cluster.at(time)
        if end.identity in self._cluster.identities and (end.address is None or end.address not in then.owned):
            return None
        if end.pod is not None:
            is_there = end.pod in then.pod_numbers
            return None if is_there else Outcome(Verdict.UNKNOWN, Reason.POD_NOT_THERE_THEN)
        if end.address is None or not self._comes_and_goes(end.address):
            return None
        pods = then.pods_at.get(end.address, ())
        if len(pods) > 1:
            detail = " and ".join(sorted(then.pods[number].full_name for number in pods))
            return Outcome(Verdict.UNKNOWN, Reason.SEVERAL_THEN, None, detail)
        return None if self._is_owned(end.address, then) else Outcome(Verdict.UNKNOWN, Reason.NOBODY_THEN)

    def _is_owned(self, address: Address, then: Cluster) -> bool:
        """Whether an address is somebody's; pods on the network of a node are nobody where they count as the node."""
        if self._profile.hostnetwork == "pod" and address in then.host_pods_at:
            return True
        is_service = any(address in service.addresses for service in then.services)
        return is_service or address in then.pods_at or address in then.node_at

    def _comes_and_goes(self, address: Address) -> bool:
        """Whether any that ever had an address was there only at times."""
        cluster = self._cluster
        pods = (*cluster.pods_at.get(address, ()), *cluster.host_pods_at.get(address, ()))
        return (
            any(number in cluster.lives for number in pods)
            or any(address in cluster.nodes[number].addresses for number in cluster.node_lives)
            or any(address in cluster.services[number].addresses for number in cluster.service_lives)
        )
