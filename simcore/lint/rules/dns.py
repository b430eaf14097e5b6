"""DNS: pods that may not ask it, rules that miss it, and rules that let half of it through."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy

from ...analyses.resolver import LABELS, NODE_LOCAL_ADDRESS, Resolver
from ...model.cluster import Pod
from ...model.flows import Reason
from ...model.labels import NAMESPACE_NAME_LABEL
from ...model.policy import Direction, Policy, PolicyRef, Role, Rule
from ...model.ports import PROTOCOL_NAMES, TCP, UDP, protocol_name
from ..context import NETWORK_POLICY, LintContext
from ..dns import PROTOCOLS, Asker, asks_address, is_meant_for_dns, selectors_of, selects
from ..findings import Finding, Fix, LintRule, Severity
from ..manifests import free_name, network_policy, with_spec
from ..sources import NEWCOMER
from ..words import counted, listed

# FV001


def _without_dns(context: LintContext) -> Iterator[Finding]:
    missed = {id(asker) for _, askers in _missing_rules(context) for asker in askers}
    cut_off = [asker for asker in context.askers if asker.is_cut_off and id(asker) not in missed]
    blamed: dict[PolicyRef, list[Asker]] = {}
    for askers in _by_namespace(cut_off).values():
        for ref, group in _blame(context, askers):
            blamed.setdefault(ref, []).extend(_not_on_purpose(context, ref, group))
    for policy in context.policies:
        if askers := blamed.get(policy.ref, []):
            yield _cut_off(context, policy, askers)


def _by_namespace(askers: Sequence[Asker]) -> dict[str, list[Asker]]:
    found: dict[str, list[Asker]] = {}
    for asker in askers:
        found.setdefault(asker.bound.sort.pod.namespace, []).append(asker)
    return found


def _blame(context: LintContext, askers: Sequence[Asker]) -> Iterator[tuple[PolicyRef, list[Asker]]]:
    """Divide pods among the policies that isolate them: each time the one that isolates most of those left."""
    known = {policy.ref for policy in context.policies}
    rest = list(askers)
    while rest:
        counts = Counter(ref for asker in rest for ref in {rule.policy for rule in asker.bound.rules if rule.closes})
        found = sorted((-number, ref) for ref, number in counts.items() if ref in known)
        if not found:
            return
        ref = found[0][1]
        yield ref, [asker for asker in rest if asker.bound.is_closed_by(ref)]
        rest = [asker for asker in rest if not asker.bound.is_closed_by(ref)]


def _not_on_purpose(context: LintContext, ref: PolicyRef, askers: Sequence[Asker]) -> list[Asker]:
    """Leave out pods that may go nowhere at all, unless a default deny has shut their whole namespace so."""
    opened = [asker for asker in askers if not asker.bound.is_closed]
    if opened:
        return opened
    namespace = askers[0].bound.sort.pod.namespace
    binding = context.newcomers.binding(f"{namespace}/{NEWCOMER}", Direction.EGRESS)
    is_default = any(rule.closes and rule.policy == ref for rule in binding)
    here = [asker for asker in context.askers if asker.bound.sort.pod.namespace == namespace]
    return list(askers) if is_default and all(asker.bound.is_closed for asker in here) else []


def _cut_off(context: LintContext, policy: Policy, askers: Sequence[Asker]) -> Finding:
    names = sorted({asker.bound.sort.workload for asker in askers})
    are = "is" if len(names) == 1 else "are"
    return Finding(
        "FV001",
        context.place_of(policy, "spec", "policyTypes"),
        f"{counted(len(names), 'workload')} {are} isolated for egress and may not reach DNS, over UDP 53 or TCP 53: "
        "names cannot be resolved.",
        _allow_dns(context, policy),
        tuple(_cut_off_details(context, names, askers)),
        policy.ref,
    )


def _cut_off_details(context: LintContext, names: Sequence[str], askers: Sequence[Asker]) -> Iterator[str]:
    yield f"Cut off: {listed(names)}."
    if all(asker.bound.is_closed for asker in askers):
        yield "No policy lets any pod of the namespace open a connection, so whatever it is to do will fail."
    if context.resolver is None:
        yield "The input holds no DNS pod, so this goes by the rules alone: none allows port 53 to what could be one."
    else:
        yield _about(context, context.resolver)
    rules = {rule: asks_address(context, rule) for asker in askers for rule in asker.bound.rules}
    for rule, address in rules.items():
        if address and context.resolver and is_meant_for_dns(rule, context.resolver):
            yield f"{rule} allows {address}; policies are asked about the pods behind it instead."


def _allow_dns(context: LintContext, policy: Policy) -> Fix | None:
    """Return a policy that lets the pods that a NetworkPolicy isolates ask DNS: it selects the same ones, and so
    isolates no other.
    """
    document = context.document_of(policy)
    if document is None or (document.group, document.kind) != NETWORK_POLICY:
        return None
    namespace = policy.ref.namespace
    selector = (document.value.get("spec") or {}).get("podSelector") or {}
    base = "allow-dns-egress" if not selector else f"{policy.ref.name}-allow-dns"
    spec = {"podSelector": deepcopy(selector), "policyTypes": ["Egress"], "egress": dns_rules(context)}
    comments: dict[tuple[str | int, ...], str] = {
        ("spec", "egress", 0): "DNS: both selectors in one item, so both must hold (AND)"
    }
    return Fix(network_policy(namespace, free_name(context, namespace, base), spec), comments)


def dns_rules(context: LintContext) -> list[dict[str, object]]:
    """Write the egress rules that let pods ask the cluster's DNS; where it is not known, where it usually is."""
    resolver = context.resolver or Resolver((), (), dict.fromkeys(PROTOCOLS, 53))
    rules: list[dict[str, object]] = []
    ports = [{"protocol": PROTOCOL_NAMES[protocol], "port": resolver.ports[protocol]} for protocol in PROTOCOLS]
    if resolver.pods or not resolver.is_node_local:
        rules.append({"to": dns_peers(context, resolver), "ports": ports})
    if resolver.is_node_local:
        block = {"ipBlock": {"cidr": f"{NODE_LOCAL_ADDRESS}/32"}}
        rules.append({"to": [block], "ports": [{"protocol": PROTOCOL_NAMES[each], "port": 53} for each in PROTOCOLS]})
    return rules


def dns_peers(context: LintContext, resolver: Resolver) -> list[dict[str, object]]:
    """Write peers that select the pods that answer, an item for each sort of them."""
    pods = [context.cluster.pods[number] for number in resolver.pods]
    found = dict.fromkeys((pod.namespace, _label(pod)) for pod in pods) or {("kube-system", LABELS[0]): None}
    return [
        {
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: namespace}},
            "podSelector": {"matchLabels": dict([label])} if label else {},
        }
        for namespace, label in found
    ]


def _label(pod: Pod) -> tuple[str, str] | None:
    """Return the label by which a DNS pod is usually selected."""
    known = [label for label in LABELS if pod.labels.get(label[0]) == label[1]]
    return known[0] if known else min(pod.labels.items(), default=None)


def _about(context: LintContext, resolver: Resolver) -> str:
    """Say where the cluster's DNS is."""
    pods = [context.cluster.pods[number] for number in resolver.pods]
    ports = " and ".join(f"{protocol_name(protocol)} {resolver.ports[protocol]}" for protocol in PROTOCOLS)
    named = sorted({f"{pod.workload} ({'='.join(_label(pod) or ('no label', ''))})" for pod in pods})
    if resolver.is_node_local:
        named.append(f"NodeLocal DNSCache at {NODE_LOCAL_ADDRESS}")
    return f"The cluster's DNS is {listed(named)}, on {ports}."


# FV002


def _missing_rules(context: LintContext) -> Iterator[tuple[Rule, list[Asker]]]:
    """Yield the rules that are meant for DNS and select none of its pods, with the pods that are cut off by that."""
    if context.resolver is None or not context.resolver.pods:
        return
    answering = [context.cluster.pods[number] for number in context.resolver.pods]
    found: dict[Rule, list[Asker]] = {}
    for asker in context.askers:
        for rule in asker.bound.rules if asker.is_cut_off else ():
            if is_meant_for_dns(rule, context.resolver):
                found.setdefault(rule, []).append(asker)
    for rule, askers in found.items():
        selectors = selectors_of(rule.peer)
        if selectors and not any(selects(context, peers, pod) for peers in selectors for pod in answering):
            yield rule, askers


def _missed(context: LintContext) -> Iterator[Finding]:
    for rule, askers in _missing_rules(context):
        assert context.resolver is not None
        names = sorted({asker.bound.sort.workload for asker in askers})
        asked = " or ".join(
            f"pods with {peers.pods} in namespaces with {peers.namespaces}" for peers in selectors_of(rule.peer)
        )
        yield Finding(
            "FV002",
            rule.place,
            f"This rule allows DNS to peers that no DNS pod is among, so {counted(len(names), 'workload')} cannot "
            "resolve names.",
            _with_rule(context, rule, to=dns_peers(context, context.resolver)),
            (f"It asks for {asked}.", _about(context, context.resolver), f"Cut off: {listed(names)}."),
            rule.policy,
        )


def _with_rule(context: LintContext, rule: Rule, **fields: object) -> Fix | None:
    """Return a NetworkPolicy with other fields in one of its egress rules."""
    policy = next((policy for policy in context.policies if policy.ref == rule.policy), None)
    document = context.document_of(policy) if policy else None
    if document is None or (document.group, document.kind) != NETWORK_POLICY or rule.role is not Role.WRITTEN:
        return None
    rules = deepcopy(document.value["spec"]["egress"])
    rules[rule.index] = {**rules[rule.index], **fields}
    return Fix(with_spec(document.value, egress=rules))


# FV003


def _half(context: LintContext) -> Iterator[Finding]:
    found: dict[tuple[Rule, int], list[Asker]] = {}
    for asker in context.askers:
        open_over = [protocol for protocol in PROTOCOLS if asker.may_ask(protocol)]
        if len(open_over) != 1 or not asker.answers:
            continue
        (protocol,) = open_over
        rule = asker.answers[protocol].rule
        other = asker.answers[TCP if protocol == UDP else UDP]
        if rule is not None and asker.answers[protocol].reason is Reason.RULE:
            is_mendable = other.reason in (Reason.PORT_NOT_ALLOWED, Reason.PEER_NOT_SELECTED)
            found.setdefault((rule, protocol if is_mendable else -protocol), []).append(asker)
    for (rule, protocol), askers in found.items():
        yield _half_open(context, rule, abs(protocol), askers, is_mendable=protocol > 0)


def _half_open(
    context: LintContext, rule: Rule, protocol: int, askers: Sequence[Asker], *, is_mendable: bool
) -> Finding:
    names = sorted({asker.bound.sort.workload for asker in askers})
    assert context.resolver is not None
    other = TCP if protocol == UDP else UDP
    port = context.resolver.ports[other]
    what = {
        UDP: "over UDP only: answers that do not fit a packet are asked for again over TCP, and then fail",
        TCP: "over TCP only: pods ask over UDP first, and wait in vain",
    }[protocol]
    document_ports = _ports_of(context, rule)
    ports = [*document_ports, {"protocol": PROTOCOL_NAMES[other], "port": port}]
    return Finding(
        "FV003",
        rule.place,
        f"DNS is allowed {what}.",
        _with_rule(context, rule, ports=ports) if is_mendable and document_ports else None,
        (f"Concerned: {listed(names)}.",),
        rule.policy,
    )


def _ports_of(context: LintContext, rule: Rule) -> list[object]:
    policy = next((policy for policy in context.policies if policy.ref == rule.policy), None)
    document = context.document_of(policy) if policy else None
    if document is None or (document.group, document.kind) != NETWORK_POLICY:
        return []
    return list(document.value["spec"]["egress"][rule.index].get("ports") or ())


RULES = (
    LintRule(
        "FV001",
        "egress-without-dns",
        Severity.ERROR,
        "Pods are isolated for egress and may not ask the cluster's DNS.",
        _without_dns,
    ),
    LintRule(
        "FV002",
        "dns-peers-missed",
        Severity.ERROR,
        "A rule allows DNS to labels that no DNS pod carries.",
        _missed,
    ),
    LintRule(
        "FV003",
        "dns-over-one-protocol",
        Severity.WARNING,
        "DNS is allowed over UDP or over TCP, and not over both.",
        _half,
    ),
)
