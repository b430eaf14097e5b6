"""The report of `harden`: what was proposed, what it keeps and what it closes; and the proposal as YAML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..model.groups import Change
from .manifests import Path, manifest_yaml
from .proposals import beyond_words, spec_of
from .replay import groups_section
from .structure import Entry, Line, Report, Section, Span, Tone, line, strong
from .words import count, share

if TYPE_CHECKING:
    from ..advice.hardening.observed import Observed
    from ..advice.proposals import ProposedPolicy
    from ..analyses.sightings import Sightings
    from ..analyses.whatif import WhatIfResult
    from ..model.cluster import Pod
    from ..model.policy import PolicyRef

_MOST = 5
_KYVERNO = "add-network-policies"
ANY_NAMESPACE = "{{request.object.metadata.name}}"
"""What Kyverno puts the name of a namespace for."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Pairs of pods between which something is possible, before and after, of all pairs."""

    before: int
    after: int
    pairs: int


def baseline(policies: Sequence[ProposedPolicy], hosts: Sequence[Pod], skipped: Sequence[str]) -> Report:
    """Make the report of a baseline, which no capture speaks for."""
    namespaces = dict.fromkeys(policy.namespace for policy in policies)
    return Report(
        title=line("Hardening"),
        summary=(line(f"{_policies(len(policies))} for {count(len(namespaces), 'namespace')}."),),
        notes=(*_host_notes(hosts), *_skipped_notes(skipped)),
    )


def observed(
    found: Observed,
    seen: Sightings,
    checked: WhatIfResult,
    closed: Closed | None,
    former: Sequence[PolicyRef],
    hosts: Sequence[Pod],
    skipped: Sequence[str],
    limit: int,
) -> Report:
    """Make the report of policies that keep what a capture shows.

    Parameters
    ----------
    found : Observed
    seen : Sightings
        What it was made of.
    checked : WhatIfResult
        From the present policies to the proposed ones.
    closed : Closed or None
        None where the cluster or its policies are of several times.
    former : sequence of PolicyRef
        Policies in whose place the proposed ones stand.
    """
    namespaces = dict.fromkeys(policy.namespace for policy in found.policies)
    summary = [line(f"{_policies(len(found.policies))} for {count(len(namespaces), 'namespace')}."), _kept(checked)]
    if closed is not None:
        summary.append(
            line(
                f"Of {closed.pairs:,} ordered pairs of pods in the cluster, {closed.before:,} "
                f"({share(closed.before, closed.pairs)}) could connect on some port, and {closed.after:,} "
                f"({share(closed.after, closed.pairs)}) still can."
            )
        )
    sections = [_replaced(found.policies, former)] if former else []
    sections += groups_section(line("Not kept: lost"), checked.groups.of(Change.LOST), limit)
    sections += groups_section(line("Not kept: no longer told"), checked.groups.of(Change.UNKNOWN), limit)
    sections += groups_section(line("Let through, though denied today"), checked.groups.of(Change.GAINED), limit)
    notes = _not_asked(seen)
    notes += [line(note) for note in found.notes]
    notes += [line(f"no rule is made for {words}") for words in beyond_words(found.needs)]
    if found.silent:
        shown = ", ".join(map(str, found.silent[:_MOST])) + (", ..." if len(found.silent) > _MOST else "")
        notes.append(line(f"nothing was seen of {count(len(found.silent), 'workload')}, closed but for DNS: {shown}"))
    notes.append(line("a capture shows what happened while it ran: jobs that run weekly are not in an hour of traffic"))
    notes.append(line("probes of the kubelet come from the pod's own node, which network plugins let through"))
    return Report(
        title=line(f"Hardening from {count(checked.flows, 'flow')}"),
        warnings=tuple(_nothing_seen(found)),
        summary=tuple(summary),
        sections=tuple(sections),
        notes=(*notes, *_host_notes(hosts), *_skipped_notes(skipped)),
    )


def _nothing_seen(found: Observed) -> list[Line]:
    """Warn of policies that nothing speaks for, as those of another cluster's capture."""
    if found.needs.found or found.needs.beyond:
        return []
    return [
        line(
            "No allowed flow of the capture begins or ends in these namespaces, so all in them is closed but name "
            "resolution. Is it a capture of this cluster, and was all of it read?"
        )
    ]


def _not_asked(seen: Sightings) -> list[Line]:
    """Count the flows that no rule was made for."""
    notes = []
    if denied := seen.flows - seen.allowed - seen.unknown:
        notes.append(line(f"{count(denied, 'flow')} that the present policies deny: no rule is made for those"))
    if seen.unknown:
        words = "of which it cannot be told whether they are allowed today: no rule is made for those"
        notes.append(line(f"{count(seen.unknown, 'flow')} {words}; flowverdict replay says why"))
    return notes


def _policies(number: int) -> str:
    return count(number, "NetworkPolicy", "NetworkPolicies")


def _kept(checked: WhatIfResult) -> Line:
    if not (checked.lost or checked.unknown):
        return line("Replayed under them, the capture loses ", Span("no flow", Tone.GOOD), ".")
    told = f", and {count(checked.unknown, 'flow')} could no longer be told" if checked.unknown else ""
    return line("Replayed under them, the capture loses ", Span(count(checked.lost, "flow"), Tone.BAD), f"{told}.")


def _replaced(policies: Sequence[ProposedPolicy], former: Sequence[PolicyRef]) -> Section:
    """Tell what becomes of the policies that there are."""
    names = {(policy.namespace, policy.name) for policy in policies}
    overwritten = [ref for ref in former if (ref.namespace, ref.name) in names]
    deleted = [ref for ref in former if ref not in overwritten]
    entries = []
    if overwritten:
        shown = ", ".join(f"{ref.namespace}/{ref.name}" for ref in overwritten)
        entries.append(Entry(line(f"Applying them overwrites: {shown}")))
    by_namespace: dict[str, list[str]] = {}
    for ref in deleted:
        by_namespace.setdefault(ref.namespace, []).append(ref.name)
    for namespace, names_ in by_namespace.items():
        entries.append(Entry(line(strong(f"kubectl delete networkpolicy -n {namespace} {' '.join(names_)}"))))
    return Section(
        line("They stand in place of the NetworkPolicies there. Apply them, then delete the others"), (*entries,)
    )


def _host_notes(hosts: Sequence[Pod]) -> list[Line]:
    if not hosts:
        return []
    names = ", ".join(pod.full_name for pod in hosts[:_MOST]) + (", ..." if len(hosts) > _MOST else "")
    return [line(f"no NetworkPolicy binds pods that share their node's network (hostNetwork): {names}")]


def _skipped_notes(skipped: Sequence[str]) -> list[Line]:
    return [line(f"left out, since they are not named: {', '.join(skipped)}")] if skipped else []


def kyverno_text(policies: Sequence[ProposedPolicy], namespaces: Sequence[str], excluded: Sequence[str]) -> str:
    """Write a Kyverno ClusterPolicy that makes these policies in namespaces.

    Parameters
    ----------
    policies : sequence of ProposedPolicy
        Those of ANY_NAMESPACE.
    namespaces : sequence of str
        Where they are made; none: in every namespace but those of `excluded`, new ones too.
    """
    comments: dict[Path, str] = {
        (): "Makes the network policies that every namespace should begin with, and keeps them as they are here.\n"
        "Kyverno needs leave to create them: a ClusterRole for its background controller on networkpolicies."
    }
    if not namespaces:
        comments["spec", "rules", 0, "exclude"] = (
            "Namespaces of Kubernetes, of name servers and of those who scrape metrics need rules of their own."
        )
    rules = []
    for number, policy in enumerate(policies):
        path: Path = ("spec", "rules", number)
        comments[path] = "\n".join(policy.remarks)
        rules.append(_generating(policy, namespaces, excluded, comments, path))
    manifest = {
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": _KYVERNO},
        "spec": {"rules": rules},
    }
    return manifest_yaml(manifest, comments)


def _generating(
    policy: ProposedPolicy,
    namespaces: Sequence[str],
    excluded: Sequence[str],
    comments: dict[Path, str],
    path: Path,
) -> dict[str, Any]:
    resources: dict[str, Any] = {"kinds": ["Namespace"]}
    if namespaces:
        resources["names"] = list(namespaces)
    rule: dict[str, Any] = {"name": policy.name, "match": {"any": [{"resources": resources}]}}
    if not namespaces:
        rule["exclude"] = {"any": [{"resources": {"names": list(excluded)}}]}
    return {
        **rule,
        "generate": {
            "generateExisting": True,
            "synchronize": True,
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "name": policy.name,
            "namespace": ANY_NAMESPACE,
            "data": {"spec": spec_of(policy, comments, (*path, "generate", "data", "spec"))},
        },
    }
