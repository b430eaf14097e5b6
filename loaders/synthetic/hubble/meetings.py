"""Meetings: pairs of parties that connect again and again, with all lines that a connection of theirs may leave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random

from simcore.model.cluster import Cluster
from simcore.model.flows import Flow, Judgement, Verdict
from simcore.model.peers import DomainNames, atoms_of
from simcore.model.policy import Direction, Policy, Rule
from simcore.model.ports import ICMP, PORT_PROTOCOLS, TCP, UDP
from simcore.model.requests import Request

from ..edges import draw_traffic
from ..traffic import Kind, Traffic
from .conversations import Conversation, Steps, conversation, dropped, managed_sides
from .events import Connection
from .parties import Parties, Party
from .requests import dns_requests, exchange, http_requests, made_up_names

Judge = Callable[[Flow], Judgement]
JudgeOf = Callable[[Cluster], Judge]
"""Given a cluster with what names stand for, returns what answers for its flows."""

_ECHO = 8
_DNS, _HTTPS = 53, 443
_TRIES = 8
_NAMED_CLIENTS = 60
_ASKED = 12
_AHEAD = 4
"""How much nearer to the front."""
_UNRELATED = ((151, "STALE_OR_UNROUTABLE_IP"), (155, "CT_MAP_INSERTION_FAILED"), (132, "INVALID_SOURCE_IP"))


@dataclass(frozen=True)
class Meeting:
    """Two parties, and what a connection between them leaves.

    Attributes
    ----------
    exchanges : tuple of Steps
        Requests with their responses; a connection makes some of them. Empty where no proxy looks.
    lookup : Meeting or None
        A DNS question that comes before.
    drop : Steps
        A packet that is dropped for a reason that policies have no part in.
    """

    conversation: Conversation
    exchanges: tuple[Steps, ...] = ()
    lookup: Meeting | None = None
    drop: Steps = ()


class MeetingMaker:
    """Makes meetings in a cluster, each judged once.

    Parameters
    ----------
    judge_of : JudgeOf
        Answers for flows.
    audit : bool
        Whether denials are only told.
    """

    def __init__(
        self, cluster: Cluster, policies: Sequence[Policy], random: Random, judge_of: JudgeOf, *, audit: bool
    ) -> None:
        self._names = made_up_names(policies, cluster.services)
        self._cluster = replace(cluster, names={**(cluster.names or {}), **self._names})
        self._judge = judge_of(self._cluster)
        self._policies = policies
        self._random = random
        self._audit = audit
        self._parties = Parties(cluster)
        self._frontends = {address for service in cluster.services for address in service.addresses}
        self._traffic = draw_traffic(cluster, random, 0.0, self._expects)

    def meetings(self, count: int) -> list[Meeting]:
        """Draw about `count` meetings, the busiest first: those that a proxy looks into stand nearer to the front."""
        found = list(self._named_meetings(count // 8))
        seen: set[Flow] = set()
        for _ in range(_TRIES * count):
            connection = self._drawn()
            if len(found) >= count:
                break
            if connection is not None and (flow := _flow(connection)) not in seen:
                seen.add(flow)
                found += filter(None, [self._meeting(connection)])
        places = {id(meeting): place / (_AHEAD if meeting.exchanges else 1) for place, meeting in enumerate(found)}
        return sorted(found, key=lambda meeting: places[id(meeting)])

    def _expects(self, flow: Flow) -> bool:
        return self._judge(flow).verdict is Verdict.ALLOW

    def _drawn(self) -> Connection | None:
        """Draw a connection between ends of which Cilium manages one."""
        traffic, random = self._traffic, self._random
        edge = int(traffic.lottery[random.randrange(traffic.lottery.size)])
        destination = _member(traffic, traffic.destination_start[edge], traffic.destination_count[edge], random)
        source = _member(traffic, traffic.source_start[edge], traffic.source_count[edge], random)
        kind = Kind(int(traffic.kind[edge]))
        if kind is Kind.PROBE:
            source = int(traffic.slot_host[destination])
        client, server = (traffic.addresses[int(traffic.slot_address[slot])] for slot in (source, destination))
        if server in self._frontends or client == server:
            return None
        protocol = int(traffic.protocol[edge])
        port = random.randrange(1, 1 << 16) if kind is Kind.SCAN else int(traffic.port[edge])
        ported = protocol in PORT_PROTOCOLS
        ends = self._parties.at(client), self._parties.at(server)
        return Connection(*ends, protocol, port if ported else None, icmp_type=None if ported else _ECHO)

    def _meeting(self, connection: Connection, lookup: Meeting | None = None) -> Meeting | None:
        """Make the meeting of a connection; None where nobody tells of it, or how it is judged is not known."""
        judgement = self._judge(_flow(connection))
        sides = managed_sides(connection)
        if not sides or any(judgement.outcome(side).verdict is Verdict.UNKNOWN for side in Direction):
            return None
        told = conversation(connection, judgement, audit=self._audit)
        exchanges = self._exchanges(connection, judgement) if told.is_open else ()
        reason, name = self._random.choice(_UNRELATED)
        return Meeting(told, tuple(exchanges), lookup, dropped(connection, reason, name))

    def _exchanges(self, connection: Connection, judgement: Judgement) -> Iterator[Steps]:
        proxies = {rule.proxy for side in managed_sides(connection) if (rule := judgement.outcome(side).rule)}
        asked: list[Request] = []
        if "http" in proxies:
            asked = http_requests(connection)
        elif "dns" in proxies:
            names = list(self._names)
            asked = dns_requests(self._random.sample(names, min(_ASKED, len(names))))
        for request in asked:
            steps = self._exchange(connection, request)
            if steps:
                yield steps

    def _exchange(self, connection: Connection, request: Request) -> Steps:
        judgement = self._judge(_flow(connection, request))
        if any(judgement.outcome(side).verdict is Verdict.UNKNOWN for side in Direction):
            return ()
        return exchange(connection, request, judgement, self._names)

    # Names outside

    def _named_meetings(self, most: int) -> Iterator[Meeting]:
        """Make meetings of pods with addresses that rules allow by name, each with the question that tells the name."""
        rules = [rule for policy in self._policies for rule in policy.rules if _names(rule)]
        if not rules:
            return
        servers = self._dns_servers()
        running = self._parties.of(pod for pod in self._cluster.pods if not pod.finished)
        clients = [party for party in running if party not in servers]
        made = 0
        for client in self._random.sample(clients, len(clients)):
            for name, addresses in self._names.items():
                connection = Connection(client, self._parties.at(addresses[0]), TCP, _HTTPS) if addresses else None
                if connection is None or not self._is_named(connection, rules):
                    continue
                for server in servers:
                    lookup = self._lookup(client, server, name)
                    meeting = self._meeting(connection, lookup) if lookup else None
                    if meeting is not None:
                        yield meeting
                        made += 1
                        break
            if made >= min(most, _NAMED_CLIENTS):
                return

    def _is_named(self, connection: Connection, rules: Sequence[Rule]) -> bool:
        """Whether a rule by name lets a connection out."""
        outcome = self._judge(_flow(connection)).egress
        return outcome.verdict is Verdict.ALLOW and outcome.rule in rules

    def _lookup(self, client: Party, server: Party, name: str) -> Meeting | None:
        """Make the meeting that asks for a name; None where it is not answered, or no proxy learns from it."""
        connection = Connection(client, server, UDP, _DNS)
        meeting = self._meeting(connection)
        request = Request(dns_query=name)
        if meeting is None or not meeting.exchanges or self._judge(_flow(connection, request)).verdict is Verdict.DENY:
            return None
        steps = self._exchange(connection, request)
        return replace(meeting, exchanges=(steps,)) if steps else None

    def _dns_servers(self) -> list[Party]:
        pods = (pod for pod in self._cluster.pods if pod.labels.get("k8s-app") == "kube-dns" and not pod.finished)
        return self._parties.of(pods)


def _member(traffic: Traffic, start: int, count: int, random: Random) -> int:
    return int(traffic.members[int(start) + random.randrange(int(count))])


def _flow(connection: Connection, request: Request | None = None) -> Flow:
    return Flow(
        connection.source.end,
        connection.destination.end,
        connection.protocol,
        connection.port,
        icmp_type=connection.icmp_type if connection.protocol == ICMP else None,
        icmp_code=0 if connection.protocol == ICMP else None,
        request=request,
    )


def _names(rule: Rule) -> bool:
    return any(isinstance(atom, DomainNames) for atom in atoms_of(rule.peer))
