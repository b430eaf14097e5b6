"""Reference: judges a flow, and tells how."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import takewhile

from ..model.cluster import Cluster
from ..model.flows import End, Flow, Judgement, Outcome, Reason, Verdict, agreed, both
from ..model.habits import Habits
from ..model.labels import NAMESPACE_NAME_LABEL
from ..model.match import Match
from ..model.policy import Action, Direction, Policy, Position, Role, Rule
from ..model.ports import TCP, protocol_name
from ..model.profile import CIDR_MATCH_MODE, PLUGIN_SETTINGS, UPSTREAM, Profile
from ..model.requests import Request, RequestSet
from ..model.trace import (
    SETTING_NUMBERS,
    Consideration,
    Dependence,
    DirectionTrace,
    PairTrace,
    Trace,
    peer_words,
    port_words,
)
from .candidates import Candidate, Ends
from .index import RuleIndex
from .matching import Matcher, Question, Step, position_of
from .walk import VERDICTS, conflicts, endings_if_taken, path_of, possible_endings

UNDEFINED_PROTOCOL = "NP-20: undefined upstream"
NOT_ENFORCED = Outcome(Verdict.ALLOW, Reason.NOT_ENFORCED)


_Answer = tuple[Outcome, Sequence[Step]]
_IS_AMONG = {Match.YES: "is among", Match.MAYBE: "may be among", Match.NO: "is not among"}


class Reference:
    """Judges flows by walking the rules that bind each end, in order: the first match decides.

    Parameters
    ----------
    cluster : Cluster
        The instant at which flows are judged.
    policies : iterable of Policy
        In any order; rules bring their own. Staged ones play no part.
    profile : Profile
        The habits of the dataplane that enforces.

    Raises
    ------
    ValueError
        A rule is in a tier that the profile does not name.
    """

    def __init__(self, cluster: Cluster, policies: Iterable[Policy], profile: Profile = UPSTREAM) -> None:
        habits = Habits(profile)
        policies = tuple(policy for policy in policies if policy.stages is None)
        self._given = cluster, policies
        self.cluster = cluster = habits.cluster(cluster)
        self.profile = profile
        read = habits.policies(policies)
        rules = sorted((rule for policy in read for rule in policy.rules), key=self._position)
        self._index = RuleIndex(rules)
        self._ends = Ends(cluster, profile)
        self._matcher = Matcher(cluster, profile)
        self._bound: dict[tuple[Candidate, Direction], tuple[Rule, ...]] = {}

    def judge(self, flow: Flow) -> Judgement:
        """Answer whether the policies allow a flow, and which rule decides in each direction."""
        if not self.profile.enforced:
            return Judgement(NOT_ENFORCED, NOT_ENFORCED, Verdict.ALLOW)
        sources, destinations, problem = self._ends.of(flow)
        if flow.protocol is None or problem is not None:
            unknown = Outcome(Verdict.UNKNOWN, problem or Reason.UNKNOWN_PROTOCOL)
            return Judgement(unknown, unknown, Verdict.UNKNOWN)
        pairs = [self._pair(s, d, flow) for s, d in self._possible_pairs(sources, destinations)]
        outcomes = [(egress[0], ingress[0]) for egress, ingress in pairs]
        return agreed([Judgement(out, into, both(out.verdict, into.verdict)) for out, into in outcomes])

    def explain(self, flow: Flow) -> Trace:
        """Answer as `judge` does, with every rule that was looked at and every setting it rests on."""
        sources, destinations, _ = self._ends.of(flow)
        pairs = tuple(
            self._pair_trace(source, destination, flow)
            for source, destination in self._possible_pairs(sources, destinations)
            if flow.protocol is not None
        )
        judgement = self.judge(flow)
        return Trace(
            flow=flow,
            judgement=judgement,
            sources=tuple(map(self._ends.label, sources)),
            destinations=tuple(map(self._ends.label, destinations)),
            pairs=pairs,
            depends_on=tuple(self._dependences(flow, judgement.verdict)),
        )

    def binding(self, pod: str, direction: Direction) -> tuple[Rule, ...]:
        """Return the rules that bind a pod, given as ``namespace/name``, or may bind it, in the order of the walk."""
        end = End(pod=pod)
        sources, _, _ = self._ends.of(Flow(end, end, TCP, 1))
        bound = (self._rules_binding(replace(source, port=None), direction) for source in sources)
        return tuple(dict.fromkeys(rule for rules in bound for rule in rules))

    def _possible_pairs(
        self, sources: list[Candidate], destinations: list[Candidate]
    ) -> list[tuple[Candidate, Candidate]]:
        """Pair the ends that may meet; those of different families are none, unless there are no others."""
        pairs = [(s, d) for s in sources for d in destinations if self._ends.is_served(s, d)]
        return [pair for pair in pairs if not _differ_in_family(*pair)] or pairs

    # One pair

    def _pair(self, source: Candidate, destination: Candidate, flow: Flow) -> tuple[_Answer, _Answer]:
        """Judge one source with one destination: egress, ingress."""
        same = self._common_outcome(source, destination, flow)
        if same is not None:
            return (same, ()), (same, ())
        return (
            self._direction(Question(Direction.EGRESS, source, destination, flow)),
            self._direction(Question(Direction.INGRESS, destination, source, flow)),
        )

    def _common_outcome(self, source: Candidate, destination: Candidate, flow: Flow) -> Outcome | None:
        """Answer what no rule is asked about, for both directions at once."""
        if not self.profile.enforced:
            return NOT_ENFORCED
        if _differ_in_family(source, destination):
            return Outcome(Verdict.UNKNOWN, Reason.MIXED_FAMILIES)
        if not self._is_one_pod(source, destination, flow):
            return None
        return Outcome(Verdict.ALLOW, Reason.SELF) if destination.service is None else None

    def _is_one_pod(self, source: Candidate, destination: Candidate, flow: Flow) -> bool:
        """Whether both ends are the same pod; who stands in for both does not make them one, only an address does."""
        if not source.is_pod or source.pod != destination.pod:
            return False
        here, there = flow.source.address, flow.destination.address
        return not self.cluster.pods[source.pod].stands_in or (here is not None and here == there)

    def _direction(self, question: Question) -> _Answer:
        exempt = self._exempt(question)
        if exempt is not None:
            return exempt, ()
        rules = self._rules_of(question)
        isolation = next((rule for rule in rules if rule.role is Role.ISOLATION), None)
        if self._is_free_hairpin(question):
            outcome, steps = self._walk(question, self._of_hairpins(rules, is_final=isolation is not None))
            return (replace(outcome, reason=Reason.HAIRPIN) if outcome.rule is None else outcome), steps
        if question.has_ports or isolation is None or self.profile.other_protocols == "judged":
            return self._walk(question, rules)
        return self._without_ports(question, rules, isolation)

    def _without_ports(self, question: Question, rules: Sequence[Rule], isolation: Rule) -> _Answer:
        """Judge a protocol that NetworkPolicy says nothing of, before a pod that one isolates (NP-20)."""
        stage = self._stage(isolation)
        if self.profile.other_protocols == "follow-peers":
            outcome, steps = self._walk(question, rules)
            is_open = outcome.rule is not None and self._stage(outcome.rule) == stage
            return replace(outcome, detail=UNDEFINED_PROTOCOL) if is_open else outcome, steps
        is_denied = self.profile.other_protocols == "deny"
        ending = replace(isolation, action=Action.DENY if is_denied else Action.ALLOW)
        outcome, steps = self._walk(question, [*(rule for rule in rules if self._stage(rule) < stage), ending])
        if outcome.rule is not ending:
            return outcome, steps
        if outcome.verdict is Verdict.UNKNOWN:
            return replace(outcome, rule=isolation, detail=UNDEFINED_PROTOCOL), steps[:-1]
        if is_denied:
            return Outcome(Verdict.DENY, Reason.PROTOCOL_DENIED, isolation, UNDEFINED_PROTOCOL), steps[:-1]
        return Outcome(Verdict.ALLOW, Reason.PROTOCOL_ALLOWED, None, UNDEFINED_PROTOCOL), steps[:-1]

    def _of_hairpins(self, rules: Sequence[Rule], *, is_final: bool) -> list[Rule]:
        """Return the rules that judge hairpins all the same; a NetworkPolicy that lets them is final (AP-8, AP-14)."""
        tiers = [(rule, self.profile.place(rule.tier)) for rule in rules]
        return [rule for rule, tier in tiers if tier.judges_hairpin and not (is_final and tier.fallback)]

    def _is_free_hairpin(self, question: Question) -> bool:
        """Whether a pod reaches itself through a Service, and NetworkPolicy is not asked (NP-27)."""
        is_hairpin = self._is_one_pod(question.source, question.destination, question.flow)
        return is_hairpin and self.profile.service_hairpin == "allow"

    def _exempt(self, question: Question) -> Outcome | None:
        """Answer for a subject that no policy binds, and for traffic with the own node."""
        subject, peer = question.subject, question.peer
        if subject.node is not None:
            return None if self._rules_of(question) else Outcome(Verdict.ALLOW, Reason.NODE)
        if not subject.is_pod:
            return Outcome(Verdict.ALLOW, Reason.NOT_A_POD)
        if self.profile.cilium:
            return None
        own_node = self.cluster.pods[subject.pod].node
        is_open = question.direction is Direction.INGRESS or self.profile.egress_to_own_node == "allow"
        if is_open and own_node and peer.node == own_node:
            return Outcome(Verdict.ALLOW, Reason.OWN_NODE)
        return None

    # The walk

    def _position(self, rule: Rule) -> tuple[Position, tuple[float | str, ...]]:
        return position_of(rule, self.profile), rule.order

    def _stage(self, rule: Rule) -> tuple[float | str, ...]:
        return position_of(rule, self.profile).stage

    def _rules_of(self, question: Question) -> tuple[Rule, ...]:
        """Return the rules that bind the subject, or may, in order."""
        return self._rules_binding(replace(question.subject, port=None), question.direction)

    def _rules_binding(self, subject: Candidate, direction: Direction) -> tuple[Rule, ...]:
        key = subject, direction
        if key not in self._bound:
            bound = self._selecting(subject, direction)
            if self._is_final(subject, direction, bound):
                bound = [rule for rule in bound if not self.profile.place(rule.tier).fallback]
            self._bound[key] = tuple(bound)
        return self._bound[key]

    def _selecting(self, subject: Candidate, direction: Direction) -> list[Rule]:
        """List the rules of a direction whose subject may be this end."""
        if not self.profile.enforced:
            return []
        name = ""
        if subject.is_pod:
            pod = self.cluster.pods[subject.pod]
            name = self.cluster.labels_around(pod).get(NAMESPACE_NAME_LABEL, "")
        return [
            rule
            for rule in self._index.candidates(direction, name)
            if rule.hosts != subject.is_pod and self._matcher.match_end(rule.subject, subject) is not Match.NO
        ]

    def _is_final(self, subject: Candidate, direction: Direction, bound: Sequence[Rule]) -> bool:
        """Whether a NetworkPolicy hides the tiers behind it, though it isolates the other direction only (AP-9)."""
        if self.profile.np_final == "per-direction":
            return False
        other = self._selecting(subject, Direction(1 - direction))
        return any(rule.role is Role.ISOLATION for rule in (*bound, *other))

    def _walk(self, question: Question, rules: Sequence[Rule]) -> _Answer:
        steps = [self._matcher.step(question, rule) for rule in rules]
        ties = self.profile.ties == "unknown"
        path, decider = path_of(steps)
        verdict = VERDICTS[decider.rule.action] if decider else Verdict.ALLOW
        walked = [steps[number] for number in path]
        for number in path:
            step = steps[number]
            if step.match is Match.MAYBE and endings_if_taken(steps, number, ties=ties) != {verdict}:
                return Outcome(Verdict.UNKNOWN, step.doubt, step.rule), walked
        if possible_endings(steps, ties=ties) != {verdict}:
            found = conflicts(steps, path)
            told = [steps[number] for number in sorted({*path, *(number for _, number in found)})]
            return Outcome(Verdict.UNKNOWN, Reason.PRIORITY_TIE, found[0][0].rule), told
        if decider is None:
            return Outcome(Verdict.ALLOW, Reason.NOT_ISOLATED), walked
        reason = self._reason(question, decider, steps)
        condition = "" if reason is Reason.REQUEST_ALLOWED else decider.rule.condition
        return Outcome(verdict, reason, decider.rule, condition), walked

    def _reason(self, question: Question, decider: Step, steps: Sequence[Step]) -> Reason:
        if decider.rule.action is Action.ALLOW:
            return Reason.REQUEST_ALLOWED if decider.request is not None else Reason.RULE
        if not decider.rule.closes:
            return Reason.RULE_REJECTS if decider.rule.rejects else Reason.RULE_DENIES
        written = [step for step in steps if _is_allowing(step, decider.position)]
        if not written:
            return Reason.NO_RULE
        selecting = [step.rule.ports for step in written if step.peer is not Match.NO]
        if not selecting:
            return Reason.PEER_NOT_SELECTED
        asked = takewhile(lambda step: step is not decider, steps)
        if any(step.refuses for step in asked if _is_allowing(step, decider.position)):
            return Reason.REQUEST_NOT_ALLOWED
        names = [name for ports in selecting for name in ports.names if name.protocol == question.protocol]
        if any(not self._matcher.numbers(name, question.destination) for name in names):
            return Reason.NAMED_PORT_UNDECLARED
        return Reason.PORT_NOT_ALLOWED

    # The trace

    def _pair_trace(self, source: Candidate, destination: Candidate, flow: Flow) -> PairTrace:
        egress, ingress = self._pair(source, destination, flow)
        outward = Question(Direction.EGRESS, source, destination, flow)
        inward = Question(Direction.INGRESS, destination, source, flow)
        return PairTrace(
            source=self._ends.label(source),
            destination=self._ends.label(destination),
            port=destination.port,
            service=destination.service,
            egress=self._direction_trace(outward, egress),
            ingress=self._direction_trace(inward, ingress),
            verdict=both(egress[0].verdict, ingress[0].verdict),
        )

    def _direction_trace(self, question: Question, answer: _Answer) -> DirectionTrace:
        outcome, steps = answer
        subject = question.subject
        bound = self._rules_of(question) if subject.is_pod or subject.node is not None else ()
        return DirectionTrace(
            direction=question.direction,
            subject=self._ends.label(question.subject),
            peer=self._ends.label(question.peer),
            isolating=tuple(dict.fromkeys(rule.policy for rule in bound if rule.role is Role.ISOLATION)),
            considered=tuple(
                Consideration(
                    step.rule,
                    step.peer,
                    step.ports,
                    step.match,
                    self._why(question, step),
                    None if step.rule.requests is None else step.rule.requests.match(question.flow.request),
                )
                for step in steps
                if step.rule.role is not Role.HABIT or step.match is not Match.NO
            ),
            outcome=outcome,
            proxy=self._proxy(question, outcome),
        )

    def _proxy(self, question: Question, outcome: Outcome) -> str:
        """Name the proxy of the first rule that has one and matches the connection, in the stage that decides."""
        is_dropped = outcome.verdict is Verdict.DENY and outcome.reason is not Reason.REQUEST_NOT_ALLOWED
        if outcome.rule is None or is_dropped:
            return ""
        stage = self._stage(outcome.rule)
        rules = [rule for rule in self._rules_of(question) if rule.proxy and self._stage(rule) == stage]
        steps = [self._matcher.step(question, rule) for rule in rules]
        return next((step.rule.proxy for step in steps if step.connection is Match.YES), "")

    def _why(self, question: Question, step: Step) -> str:
        """Say in a sentence how far a rule matches."""
        rule = step.rule
        if rule.role is Role.ISOLATION:
            return "the policy isolates the pod in this direction, so what no rule allows is denied"
        peer = f"{self._ends.label(question.peer)} {_IS_AMONG[step.peer]} {peer_words(rule.peer)}"
        port = question.destination.port
        number = "" if not question.has_ports else " without port" if port is None else f" {port}"
        ports = f"{protocol_name(question.protocol)}{number} {_IS_AMONG[step.ports]} {port_words(rule.ports)}"
        asked = "" if rule.requests is None else f"; {self._asked(rule.requests, question.flow.request)}"
        doubt = "" if rule.certain else f"; {rule.doubt}"
        return f"{peer}; {ports}{asked}{doubt}"

    def _asked(self, requests: RequestSet, request: Request | None) -> str:
        """Say in a sentence what a request is to those that a rule asks for."""
        found = requests.find(request)
        if request is None or found is None:
            return f"what it carries is not known and must be {requests}"
        if found is not Match.MAYBE:
            return f"{request} {_IS_AMONG[found]} {requests}"
        missing = requests.missing(request)
        unknown = f" ({' and '.join(missing)} not recorded)" if missing else ""
        return f"{request} {_IS_AMONG[found]} {requests}{unknown}"

    def _under(self, profile: Profile) -> Reference:
        """Return the same, but for the profile; what was indexed is kept, unless the agent reads policies otherwise."""
        if profile.cilium != self.profile.cilium:
            return Reference(*self._given, profile)
        other = copy.copy(self)
        other.profile = profile
        other._ends = self._ends.under(profile)
        other._matcher = Matcher(self.cluster, profile)
        other._bound = {}
        return other

    def _dependences(self, flow: Flow, verdict: Verdict) -> Iterable[Dependence]:
        """Find the settings on which a verdict rests; what a network plugin enforces is no open question."""
        for setting, words in self._open_settings(flow).items():
            current = self.profile.word(setting)
            for word in words:
                changed = self._under(self.profile.with_setting(setting, word)).judge(flow).verdict
                if changed is not verdict:
                    yield Dependence(setting, SETTING_NUMBERS[setting], current, word, changed)

    def _open_settings(self, flow: Flow) -> dict[str, tuple[str, ...]]:
        """Name the settings that may matter to a flow, with their words; of the agent's, those of blocks and nodes."""
        agent = Profile.agent_choices() if self.profile.cilium else {}
        left_out = {*PLUGIN_SETTINGS, *(["ipblock_matches_pods"] if agent else [])}
        found = {name: words for name, words in Profile.choices().items() if name not in left_out}
        ends = [end for candidates in self._ends.of(flow)[:2] for end in candidates]
        if agent and any(end.node is not None for end in ends):
            found["allow_localhost"] = agent["allow_localhost"]
        return found | ({CIDR_MATCH_MODE: agent[CIDR_MATCH_MODE]} if agent else {})


def _is_allowing(step: Step, position: Position) -> bool:
    """Whether a rule was written to allow, in the stage of a position."""
    rule = step.rule
    return rule.role is Role.WRITTEN and rule.action is Action.ALLOW and step.position.stage == position.stage


def _differ_in_family(source: Candidate, destination: Candidate) -> bool:
    if source.address is None or destination.address is None:
        return False
    return source.address.family is not destination.address.family
