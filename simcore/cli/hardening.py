"""What ``flowverdict harden`` does: proposes, loads what it proposed, and replays the capture under it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from ..advice.hardening import baseline as baselines
from ..advice.hardening.observed import observed as proposal_of
from ..advice.proposals import PodPeer, ProposedPolicy
from ..advice.rules.blocks import External
from ..advice.rules.dns import name_servers
from ..advice.rules.naming import Names
from ..advice.rules.selectors import Selectors
from ..analyses.reachability import reachability
from ..analyses.sightings import sightings
from ..analyses.whatif import whatif
from ..errors import Diagnostic, LoadError, Place, Severity
from ..model.cluster import Cluster
from ..model.flows import Verdict
from ..model.policy import Policy
from ..report import harden as report
from ..report.proposals import manifests_text
from ..tables.build import build_tables
from .captures import report_damage
from .console import emit, emit_report
from .progress import progress
from .proposing import STDOUT, as_given, network_policies, policies_of, with_policies, write_manifests
from .telling import told

if TYPE_CHECKING:
    from ..model.flows import Capture
    from ..report.structure import Report
    from .inputs import Inputs

_MOST_PAIRED = 20_000
"""Pods up to which pairs are counted, before and after."""


@dataclass(frozen=True)
class Made:
    """Policies as YAML, the report of them, and whether they keep all that a capture shows."""

    text: str
    report: Report
    keeps_all: bool = True

    def write(self, path: str) -> None:
        """Write the policies to a file and the report to standard output; else the report to standard error."""
        from ..report.render import write_report

        if path == STDOUT:
            write_report(self.report, sys.stderr)
            emit(self.text)
        else:
            write_manifests(path, self.text)
            emit_report(self.report)


def unknown_namespaces(namespaces: Sequence[str]) -> Callable[[Cluster | None], Iterator[Diagnostic]]:
    """Return what complains of namespaces that the cluster does not have."""

    def ask(cluster: Cluster | None) -> Iterator[Diagnostic]:
        there = _namespaces(cluster)
        for name in namespaces if cluster else ():
            if name not in there:
                near = get_close_matches(name, there, n=3)
                hint = f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(sorted(there))}"
                message = f"there is no such namespace in the cluster. {hint}"
                yield Diagnostic(Severity.ERROR, Place(f"--namespace {name}"), message)

    return ask


def chosen_namespaces(cluster: Cluster, named: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the namespaces to close, and those that are left out because they are Kubernetes' own."""
    if named:
        return sorted(set(named)), []
    there = sorted(_namespaces(cluster))
    return [name for name in there if not name.startswith("kube-")], [n for n in there if n.startswith("kube-")]


def _namespaces(cluster: Cluster | None) -> set[str]:
    return set() if cluster is None else {*cluster.namespaces, *(p.namespace for p in cluster.pods if p.namespace)}


def external_of(word: str) -> External:
    """Read ``--external``."""
    return External("length", int(word[1:])) if word.startswith("/") else External(word)


def baseline(
    inputs: Inputs,
    namespaces: Sequence[str],
    skipped: Sequence[str],
    without: Sequence[str],
    monitoring: Sequence[str],
    *,
    is_open_ended: bool,
    format_: str,
) -> Made:
    """Propose what namespaces begin with.

    Raises
    ------
    LoadError
        A policy of such a name is there already.
    """
    cluster, selectors = inputs.cluster, Selectors(inputs.cluster)
    scrapers = tuple(map(_scraper, monitoring)) or baselines.scrapers_of(cluster, selectors)
    servers = name_servers(cluster)

    def of(namespace: str, ports_of: Iterable[str]) -> list[ProposedPolicy]:
        metrics = baselines.metrics_ports(cluster, ports_of)
        made = baselines.baseline(cluster, namespace, servers, scrapers, metrics, without)
        return [names.named(policy) for policy in made]

    names = Names()
    policies = [policy for namespace in namespaces for policy in of(namespace, [namespace])]
    _refuse_overwriting(policies, inputs.before)
    hosts = baselines.host_pods(cluster, namespaces)
    shown = told(report.baseline(policies, hosts, skipped), inputs)
    if format_ == "yaml":
        return Made(manifests_text(policies), shown)
    any_one = of(report.ANY_NAMESPACE, namespaces)
    apart = {peer.namespace for peer in (*servers.peers, *scrapers) if isinstance(peer, PodPeer)}
    excluded = sorted({*skipped, *baselines.SYSTEM, *apart})
    return Made(report.kyverno_text(any_one, () if is_open_ended else namespaces, excluded), shown)


def _scraper(text: str) -> PodPeer:
    """Read ``--monitoring``."""
    namespace, _, labels = text.partition("/")
    pairs = [label.partition("=") for label in labels.split(",") if label]
    if not namespace or not all(key and equals for key, equals, _ in pairs):
        raise click.BadParameter(
            f"{text!r} is not NAMESPACE or NAMESPACE/LABEL=VALUE,..., such as monitoring/app=prometheus",
            param_hint="--monitoring",
        )
    return PodPeer(namespace, tuple((key, (value,)) for key, _, value in pairs))


def _refuse_overwriting(policies: Iterable[ProposedPolicy], former: Sequence[Policy]) -> None:
    there = {(policy.ref.namespace, policy.ref.name): policy for policy in former if policy.ref.kind == "NetworkPolicy"}
    message = "there is a policy of this name already, which this would overwrite. Leave this part out with --without"
    found = [
        Diagnostic(Severity.ERROR, there[policy.namespace, policy.name].place, f"{message}, or delete it first")
        for policy in policies
        if (policy.namespace, policy.name) in there
    ]
    if found:
        raise LoadError(found)


def observed(
    capture: Capture,
    inputs: Inputs,
    namespaces: Sequence[str],
    skipped: Sequence[str],
    external: External,
    limit: int,
    output: str,
    reading: dict[str, Any],
) -> Made:
    """Propose what keeps a capture, and replay the capture under it.

    Raises
    ------
    LoadError
        The network plugin enforces no NetworkPolicy: nothing that is seen depends on any.
    """
    if not inputs.enforcement.is_enforced or "NetworkPolicy" not in inputs.enforcement.plugin.enforces:
        place = Place(f"--cni {inputs.enforcement.plugin.name}")
        message = "this network plugin enforces no NetworkPolicy, so none would close anything. Name another one"
        raise LoadError([Diagnostic(Severity.ERROR, place, message)])
    cluster, profile = inputs.cluster, inputs.profile
    former = network_policies(inputs.before, namespaces)
    kept = inputs.before_history.changed(
        lambda policies: [p for p in policies if p.ref not in network_policies(policies, namespaces)]
    )
    closing = policies_of(manifests_text(map(baselines.default_deny, namespaces)), inputs, output)
    closed = as_given(with_policies(kept, closing))
    with progress("replaying") as advance:
        seen = sightings(capture, cluster, inputs.baseline, closed, profile, **reading, progress=advance)
    found = proposal_of(seen, cluster, profile, namespaces, external)
    text = manifests_text(found.policies)
    after = with_policies(kept, policies_of(text, inputs, output))
    with progress("checking") as advance:
        checked = whatif(capture, cluster, inputs.baseline, as_given(after), profile, **reading, progress=advance)
    report_damage(capture)
    pairs = _closed(inputs, after[-1][1])
    hosts = baselines.host_pods(cluster, namespaces)
    shown = report.observed(found, seen, checked, pairs, sorted(former), hosts, skipped, limit)
    keeps_all = not (checked.lost or checked.unknown)
    return Made(text, told(shown, inputs, not_there=checked.not_there, flows=checked.flows), keeps_all)


def _closed(inputs: Inputs, after: Sequence[Policy]) -> report.Closed | None:
    """Count the pairs of pods between which something is possible, now and then."""
    if inputs.cluster.has_lives or len(inputs.cluster.pods) > _MOST_PAIRED:
        return None
    tables = build_tables(inputs.cluster, inputs.before, after, profile=inputs.profile)
    now, then = (reachability(tables, number) for number in (0, 1))
    before, after_ = (
        sum(each.pairs for each in found.classes if each.allowed or each.other is Verdict.ALLOW)
        for found in (now, then)
    )
    return report.Closed(before, after_, now.pairs)
