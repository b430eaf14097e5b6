"""First step: whether the source can ask the cluster's DNS."""

from __future__ import annotations

from collections.abc import Sequence

from ...analyses.resolver import LABELS, NODE_LOCAL_ADDRESS, SERVICES, Resolver, find_resolver
from ...model.cluster import Service
from ...model.flows import End, Flow, Judgement, Verdict
from ...model.groups import DNS_PORT
from ...model.policy import Action, Direction, Role, Rule
from ...model.ports import TCP, UDP, PortRange, protocol_name
from ...model.trace import peer_words
from ...reference.candidates import Candidate
from ...reference.matching import Matcher
from . import commands
from .context import Context, Pair, worst
from .mending import dns_opening
from .near import NearMisses, is_for_dns
from .steps import Cause, Command, Finding, Side, Status, Step

NAME, TITLE = "dns", "DNS: can the source ask the cluster's DNS pods?"
PROBE = "kubernetes.default.svc.cluster.local"


def check(context: Context) -> Step:
    """Ask whether the source reaches the DNS pods over UDP and TCP, their own ingress included."""
    if context.inquiry.expected is Verdict.DENY:
        return _not_asked("the connection is to be denied, so how names are found does not matter")
    if not context.sources:
        return _not_asked("the source is no pod of the cluster")
    resolver = find_resolver(context.cluster)
    if resolver is None or not resolver.pods:
        labels = ", ".join(f"{key}={value}" for key, value in LABELS)
        return Step(
            NAME,
            TITLE,
            Status.UNKNOWN,
            f"Services named {', '.join(SERVICES)}, and pods with {labels}",
            "The input holds no DNS pods, so whether names are found is not known. Load kube-system too.",
            commands=_ways(context, None),
        )
    return _Asking(context, resolver).step()


class _Asking:
    """Asks the DNS of a cluster."""

    def __init__(self, context: Context, resolver: Resolver) -> None:
        self._context = context
        self._resolver = resolver
        self._pods = [context.cluster.pods[number] for number in resolver.pods]
        dialled = (service for service in resolver.services if service.addresses and _offers(service))
        self._service = next(dialled, None)
        self._name = str(self._service.ref) if self._service else f"pod {self._pods[0].full_name}"

    def step(self) -> Step:
        context, resolver = self._context, self._resolver
        offered = _offers(self._service) if self._service else resolver.ports
        protocols = [protocol for protocol in (UDP, TCP) if protocol in offered]
        flows = {protocol: self._flows(protocol) for protocol in protocols}
        verdicts = {protocol: self._verdict(flows[protocol]) for protocol in protocols}
        pairs = {protocol: context.pairs_of(flows[protocol]) for protocol in protocols}
        failing = [protocol for protocol in protocols if verdicts[protocol] is Verdict.DENY]
        findings = self._findings(failing, pairs)
        status = Status.FOUND if failing else Status.OK
        if not failing and (Verdict.UNKNOWN in verdicts.values() or not protocols):
            status = Status.UNKNOWN
        if failing and resolver.is_node_local and self._reaches_cache():
            status, findings = Status.UNKNOWN, ()
        return Step(
            NAME,
            TITLE,
            status,
            self._checked(protocols),
            self._found(status, protocols, failing, findings),
            sides=tuple(self._sides(pairs)),
            details=self._details(),
            findings=findings,
            commands=_ways(context, resolver),
        )

    def _flows(self, protocol: int) -> list[Flow]:
        """Make the questions that each kind of source asks: at the Service's address, or of every DNS pod."""
        context, resolver = self._context, self._resolver
        found = []
        for number in context.sources:
            pod = context.cluster.pods[number]
            source = End(pod=pod.full_name)
            families = {address.family for address in pod.addresses}
            addresses = self._service.addresses if self._service else ()
            fitting = [address for address in addresses if not families or address.family in families]
            if fitting:
                found.append(Flow(source, End(address=fitting[0]), protocol, DNS_PORT))
            else:
                port = resolver.ports[protocol]
                found += [Flow(source, End(pod=dns.full_name), protocol, port) for dns in self._pods]
        return found

    def _verdict(self, flows: Sequence[Flow]) -> Verdict:
        """Return what becomes of the questions; DNS pods that differ fail at times, which is a failure."""
        found = worst(self._context.reference.judge(flow).verdict for flow in flows)
        if found is Verdict.UNKNOWN:
            judged = [self._judged(pair).verdict for pair in self._context.pairs_of(flows)]
            return Verdict.DENY if Verdict.DENY in judged else found
        return found

    def _judged(self, pair: Pair) -> Judgement:
        return self._context.reference.judge(self._context.flow_of(pair))

    def _findings(self, failing: Sequence[int], pairs: dict[int, list[Pair]]) -> tuple[Finding, ...]:
        if not failing:
            return ()
        protocol = failing[0]
        pair = next((p for p in pairs[protocol] if self._judged(p).verdict is Verdict.DENY), None)
        if pair is None:
            return (self._no_rule(pairs[protocol][0] if pairs[protocol] else None),)
        if protocol == TCP:
            return (self._over_tcp(pair),)
        return (self._cause(pair),)

    def _over_tcp(self, pair: Pair) -> Finding:
        return Finding(
            Cause.DNS_OVER_TCP,
            f"{self._end(pair)} may ask {self._name} over UDP only; long answers come over TCP and fail.",
            f"Allow TCP {self._resolver.ports[TCP]} beside UDP.",
        )

    def _cause(self, pair: Pair) -> Finding:
        """Tell why the DNS pods are not reached."""
        outcome = self._judged(pair).egress
        if outcome.verdict is not Verdict.DENY:
            return self._of_ingress(pair)
        if outcome.rule is not None and outcome.rule.action is Action.DENY and outcome.rule.role is Role.WRITTEN:
            return Finding(
                Cause.DNS_DENIED,
                f"{outcome.rule} keeps {self._end(pair)} from {self._name}.",
                "Put a rule that allows DNS before it, or narrow it.",
                outcome.rule,
            )
        for near in NearMisses(self._context).of(pair, Direction.EGRESS):
            if near.cause in (Cause.WRONG_PORT, Cause.NAMED_PORT):
                if is_for_dns(near.rule.ports) and near.cause is Cause.WRONG_PORT:
                    to_do = f"Allow the port that the DNS pods answer on: {self._resolver.ports[pair.protocol]}."
                    return Finding(Cause.DNS_PORT, f"{near.sentence}.", to_do, near.rule)
            elif _names_port(near.rule, pair) or near.strong:
                return Finding(Cause.DNS_LABELS, f"{near.sentence}.", near.to_do, near.rule)
        return self._elsewhere(pair) or self._no_rule(pair)

    def _elsewhere(self, pair: Pair) -> Finding | None:
        """Find a rule that lets the source ask somebody else."""
        matcher = Matcher(self._context.cluster, self._context.profile)
        source = Candidate(pair.source_address, None, pod=pair.source)
        for policy in self._context.policies:
            for rule in policy.rules:
                is_allowing = rule.direction is Direction.EGRESS and rule.action is Action.ALLOW
                is_meant = is_allowing and rule.role is Role.WRITTEN and _names_port(rule, pair)
                if is_meant and matcher.match_end(rule.subject, source):
                    pod = self._pods[0]
                    labels = ",".join(f"{key}={value}" for key, value in sorted(pod.labels.items()))
                    sentence = (
                        f"{rule} allows DNS to {peer_words(rule.peer)}, and the DNS pods are in namespace "
                        f"{pod.namespace} with {labels or 'no labels'}."
                    )
                    return Finding(Cause.DNS_LABELS, sentence, "Select the DNS pods by what they carry.", rule)
        return None

    def _no_rule(self, pair: Pair | None) -> Finding:
        source = self._context.cluster.pods[pair.source if pair else self._context.sources[0]]
        rule = self._judged(pair).egress.rule if pair else None
        isolated = f" {rule.policy} isolates it." if rule is not None else ""
        return Finding(
            Cause.NO_DNS_RULE,
            f"No egress rule lets {source.full_name} ask {self._name}, so no name is found.{isolated}",
            "Allow DNS for the whole namespace.",
            rule,
            dns_opening(self._context, source, self._resolver),
        )

    def _of_ingress(self, pair: Pair) -> Finding:
        rule = self._judged(pair).ingress.rule
        pod = self._context.cluster.pods[pair.destination] if pair.destination >= 0 else self._pods[0]
        return Finding(
            Cause.DNS_INGRESS,
            f"The DNS pod {pod.full_name} does not let {self._end(pair)} in" + (f": {rule}." if rule else "."),
            f"Let every namespace in on port {DNS_PORT} in the policies of namespace {pod.namespace}.",
            rule,
        )

    def _reaches_cache(self) -> bool:
        context = self._context
        flows = [
            Flow(End(pod=context.cluster.pods[number].full_name), End(address=NODE_LOCAL_ADDRESS), UDP, DNS_PORT)
            for number in context.sources
        ]
        return worst(context.reference.judge(flow).verdict for flow in flows) is Verdict.ALLOW

    # Words

    def _end(self, pair: Pair) -> str:
        return self._context.label(pair, Direction.EGRESS)[0]

    def _checked(self, protocols: Sequence[int]) -> str:
        names = " and ".join(f"{protocol_name(protocol)} {DNS_PORT}" for protocol in protocols)
        number = len(self._pods)
        return f"{self._name} ({number} {'pod' if number == 1 else 'pods'}), {names or 'no port 53'}"

    def _found(
        self, status: Status, protocols: Sequence[int], failing: Sequence[int], findings: Sequence[Finding]
    ) -> str:
        if findings:
            return findings[0].sentence
        if status is Status.OK:
            return f"The source may ask over {' and '.join(map(protocol_name, protocols))}."
        if failing:
            return (
                f"{self._name} is out of reach, but a cache on every node answers at {NODE_LOCAL_ADDRESS}, which is "
                "allowed: which of them pods ask is told by their /etc/resolv.conf."
            )
        return "Whether the source may ask is not known." if protocols else "The Service has no port 53."

    def _details(self) -> tuple[str, ...]:
        if self._service is not None and TCP not in _offers(self._service):
            return (f"{self._name} offers no TCP, by which long answers come.",)
        return ()

    def _sides(self, pairs: dict[int, list[Pair]]) -> list[Side]:
        """Tell the directions of the first pair that fails, or is in doubt."""
        for own in pairs.values():
            for pair in own:
                judgement = self._judged(pair)
                if judgement.verdict is not Verdict.ALLOW:
                    return [
                        Side(direction, *self._context.label(pair, direction), judgement.outcome(direction))
                        for direction in Direction
                        if judgement.outcome(direction).verdict is not Verdict.ALLOW
                    ]
        return []


def _offers(service: Service) -> set[int]:
    """Return the protocols over which a Service answers for names."""
    return {port.protocol for port in service.ports if port.port == DNS_PORT}


def _names_port(rule: Rule, pair: Pair) -> bool:
    """Whether a rule names the port of DNS, or the DNS pods' own."""
    wanted = {DNS_PORT, pair.port}
    return any(isinstance(m, PortRange) and m.first == m.last and m.first in wanted for m in rule.ports.members or ())


def _not_asked(why: str) -> Step:
    return Step(NAME, TITLE, Status.NOT_ASKED, "nothing", f"Not asked: {why}.")


def _ways(context: Context, resolver: Resolver | None) -> tuple[Command, ...]:
    """Write how to see it on the cluster."""
    pod = context.cluster.pods[context.sources[0]]
    service = context.inquiry.destination.service
    name = f"{service.name}.{service.namespace}.svc.cluster.local" if service else PROBE
    found = [Command("ask for a name from the source", commands.inside(pod, "nslookup", name))]
    if resolver is None or not resolver.pods:
        anywhere = commands.shell("kubectl", "get", "pods", "-A", "-l", "k8s-app in (kube-dns, coredns)", "-o", "wide")
        return (*found, Command("find the DNS pods", anywhere))
    dns = context.cluster.pods[resolver.pods[0]]
    home = commands.shell("kubectl", "get", "pods", "-n", dns.namespace, "--show-labels", "-o", "wide")
    found.append(Command("the labels that the DNS pods really carry", home))
    found += commands.drops(context.enforcement.plugin.name, pod, None, DNS_PORT, UDP)
    return tuple(found)
