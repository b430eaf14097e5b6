"""Diagnoses of any cluster against the reference: what is fine, and that nothing else is called so."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from simcore.advice.diagnosis import Asked, Cause, Context, Inquiry, Status, diagnose
from simcore.model.flows import End, Flow, Verdict
from simcore.model.plugins import UPSTREAM_PLUGIN, Enforcement
from simcore.model.ports import PORT_PROTOCOLS, TCP, UDP
from simcore.reference import Reference
from simcore.report.diagnose import diagnosis, diagnosis_json
from simcore.report.layout import Layout, lay_out
from simcore.report.render import json_text

from .. import strategies, strategies_rules
from ..manifests import load

DNS_LABEL = {"k8s-app": "kube-dns"}
RANKED_FIRST = (Cause.NO_DNS_RULE, Cause.DNS_LABELS, Cause.DNS_PORT, Cause.DNS_INGRESS, Cause.DNS_DENIED)


def with_dns(cluster, random):
    """The cluster with some DNS pods, and without Services, whose names might be those of DNS."""
    numbers = random.sample(range(len(cluster.pods)), random.randint(0, min(2, len(cluster.pods))))
    pods = [
        replace(pod, labels={**pod.labels, **DNS_LABEL}) if number in numbers else pod
        for number, pod in enumerate(cluster.pods)
    ]
    return replace(cluster, pods=tuple(pods))


def some_end(random, cluster):
    if random.random() < 0.8:
        return End(pod=random.choice(cluster.pods).full_name)
    addresses = [address for service in cluster.services for address in service.addresses]
    outside = [strategies.model_end({"address": text}).address for text in strategies.OUTSIDE]
    return End(address=random.choice([*addresses, *outside]))


def some_context(random, cluster, policies, profile, expected=None):
    """Any question about a cluster."""
    words = strategies.make_protocol_port(random, strange=False)
    flow = strategies.model_flow({"source": {}, "destination": {}, **words})
    source, destination = some_end(random, cluster), some_end(random, cluster)
    service = next((s for s in cluster.services if destination.address in s.addresses), None)
    if service is not None and service.ports and random.random() < 0.7:
        port = random.choice(service.ports)
        flow = replace(flow, protocol=port.protocol, port=port.port)
    flow = Flow(source, destination, flow.protocol, flow.port)
    inquiry = Inquiry(
        asked(cluster, source), asked(cluster, destination, service), flow.protocol, flow.port, (flow,), expected
    )
    enforcement = Enforcement(UPSTREAM_PLUGIN, is_enforced=profile.enforced)
    return Context(cluster, tuple(policies), profile, enforcement, inquiry)


def asked(cluster, end, service=None):
    pods = () if end.pod is None else (cluster.pod_numbers[end.pod],)
    return Asked(end.pod or str(end.address), pods, () if end.address is None else (end.address,), service)


def dns_works(context, reference):
    """Whether the source may ask every DNS pod over UDP and TCP; None where it asks none, or that is not known."""
    cluster = context.cluster
    source = context.inquiry.flows[0].source
    number = cluster.pod_numbers[source.pod] if source.pod else cluster.pods_at.get(source.address, [-1])[0]
    asking = cluster.pods[number] if number >= 0 else None
    answering = [p for p in cluster.pods if p.labels.get("k8s-app") == "kube-dns" and p.is_plain and not p.finished]
    home = [pod for pod in answering if pod.namespace == "kube-system"]
    if asking is None or not answering:
        return None
    flows = [
        Flow(End(pod=asking.full_name), End(pod=pod.full_name), protocol, 53)
        for pod in home or answering
        for protocol in (UDP, TCP)
    ]
    verdicts = {reference.judge(flow).verdict for flow in flows}
    return False if Verdict.DENY in verdicts else None if Verdict.UNKNOWN in verdicts else True


def check(context):
    """A diagnosis is fine where the reference allows the connection and its DNS, and only there."""
    reference = Reference(context.cluster, context.policies, context.profile)
    result = diagnose(context)
    verdict = reference.judge(context.inquiry.flows[0]).verdict
    assert result.verdict is verdict
    cause = result.conclusion.cause
    step = {step.name: step for step in result.steps}
    works = dns_works(context, reference)
    if context.inquiry.expected is Verdict.DENY:
        assert (cause is Cause.DENIED) == (verdict is Verdict.DENY)
    elif verdict is Verdict.ALLOW and works is not False:
        is_hidden = step["service"].findings or cause is Cause.NOT_ENFORCED
        assert (cause is Cause.ALLOWED) != bool(is_hidden), result.conclusion
    else:
        assert cause is not Cause.ALLOWED
    if context.inquiry.expected is None:
        assert (step["dns"].status is Status.FOUND) == (works is False)
        if works is False and step["dns"].findings[0].cause is not Cause.DNS_OVER_TCP:
            assert cause in RANKED_FIRST
        if verdict is Verdict.DENY:
            assert cause not in (Cause.ALLOWED, Cause.UNKNOWN)
    is_written(result, context)
    return result


def is_written(result, context):
    """Both reports are written, and every command is one line."""
    for width in (80, 120):
        assert list(lay_out(diagnosis(result, context.inquiry), Layout(width, width)))
    assert json_text(diagnosis_json(result, context.inquiry))
    lines = [command.line for step in result.steps for command in step.commands]
    assert all("\n" not in line and "None" not in line for line in lines)


@given(strategies.clusters(), strategies.policies(), strategies.profiles(), st.integers(0, 2**48))
def test_only_what_the_reference_allows_is_fine(cluster, policies, profile, seed):
    random = Random(seed)
    snapshot = load(*cluster, *policies)
    expected = random.choice([None, None, Verdict.ALLOW, Verdict.DENY])
    check(some_context(random, with_dns(snapshot.cluster, random), snapshot.policies, profile, expected))


@given(st.integers(0, 2**48))
def test_any_rules_are_taken(seed):
    random = Random(seed)
    cluster, _ = strategies_rules.some_cluster(random)
    policies, profile = strategies_rules.some_policies(random), strategies_rules.some_profile(random)
    check(some_context(random, with_dns(cluster, random), policies, profile))


@given(strategies.clusters(), strategies.policies(), st.integers(0, 2**48))
def test_a_policy_that_is_offered_opens_what_was_closed(cluster, policies, seed):
    """The manifest is loaded beside the others, and its direction is asked again."""
    random = Random(seed)
    snapshot = load(*cluster, *policies)
    found = with_dns(snapshot.cluster, random)
    context = some_context(random, found, snapshot.policies, strategies.Profile())
    offered = [
        finding
        for step in diagnose(context).steps
        for finding in step.findings
        if finding.manifest is not None and finding.cause in (Cause.NO_INGRESS_RULE, Cause.NO_EGRESS_RULE)
    ]
    for finding in offered:
        (policy,) = load(dict(finding.manifest)).policies
        mended = replace(context, policies=(*context.policies, policy))
        sentences = [f.sentence for step in diagnose(mended).steps for f in step.findings]
        assert finding.sentence not in sentences, finding.manifest
        assert context.inquiry.protocol in PORT_PROTOCOLS
