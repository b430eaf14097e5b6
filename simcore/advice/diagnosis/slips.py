"""Slips: what of a selector does not fit a pod, where all else of it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ...model.cluster import Cluster, Pod
from ...model.labels import NAMESPACE_NAME_LABEL, LabelSelector, Operator, Requirement
from ...model.peers import AnyOf, Endpoints, PeerSet
from ...model.policy import Rule
from ...model.spelling import is_slip, nearest
from .steps import Cause

_LABELS_OF_CONTROLLERS = (
    "pod-template-hash",
    "controller-revision-hash",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "controller-uid",
)


@dataclass(frozen=True, slots=True)
class Slip:
    """One requirement that a pod or its namespace does not meet, where the selector selects it but for this one.

    Attributes
    ----------
    cause : Cause
    words : str
        What is asked for and what is there, to follow the name of a rule.
    to_do : str
    strong : bool
        It can hardly be meant so; else the selector may well mean others.
    repaired : PeerSet
        The selector without the requirement.
    """

    cause: Cause
    words: str
    to_do: str
    strong: bool
    repaired: PeerSet


class Selectors:
    """Looks for slips in the selectors of one cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._held: dict[Endpoints, bool] = {}
        self._values: dict[str, set[str]] = {}
        for pod in cluster.pods:
            for key, value in pod.labels.items():
                self._values.setdefault(key, set()).add(value)

    def slips(self, rule: Rule, peers: PeerSet, pod: Pod) -> Iterator[Slip]:
        """Yield what keeps a selector of a rule from a pod, one requirement each."""
        members = peers.members if isinstance(peers, AnyOf) else (peers,)
        for number, member in enumerate(members):
            if isinstance(member, Endpoints) and (found := self._slip(rule, member, pod)) is not None:
                others = (*members[:number], found.repaired, *members[number + 1 :])
                yield replace(found, repaired=others[0] if len(others) == 1 else AnyOf(others))

    def _slip(self, rule: Rule, peer: Endpoints, pod: Pod) -> Slip | None:
        """Tell of the one requirement that is not met; a value alone is a slip only of a rule that says more."""
        around = self._cluster.labels_around(pod)
        unmet_around = [r for r in peer.namespaces.requirements if not r.matches(around)]
        unmet = [r for r in peer.pods.requirements if not r.matches(pod.labels)]
        if len(unmet_around) + len(unmet) != 1 or not peer.accounts.matches(self._cluster.account_labels(pod)):
            return None
        is_narrow = rule.ports.members is not None or len(peer.pods.requirements + peer.namespaces.requirements) > 2
        if unmet:
            return self._of_pod(peer, unmet[0], pod, is_narrow=is_narrow)
        if unmet_around[0] in LabelSelector.namespace(rule.policy.namespace).requirements:
            return self._of_own_namespace(rule, peer, pod)
        return self._of_namespace(peer, unmet_around[0], pod, is_narrow=is_narrow)

    def _of_pod(self, peer: Endpoints, requirement: Requirement, pod: Pod, *, is_narrow: bool) -> Slip:
        repaired = replace(peer, pods=_without(peer.pods, requirement))
        is_idle = not self._selects_any(peer)
        has_more = len(peer.pods.requirements) > 1
        wanted, name = _wanted(requirement), pod.full_name
        there = pod.labels.get(requirement.key)
        if there is not None:
            words = f"asks for pods with {wanted}, and {name} has {requirement.key}={there}"
            if self._is_misspelt(requirement, there):
                return _misspelt(words, f"{requirement.key}={there}", wanted, f"pod {name}", repaired)
            to_do = f"Write {requirement.key}={there} in the rule, or label {_owner(pod)} {wanted}."
            strong = is_idle and is_narrow and _names_values(requirement)
            return Slip(Cause.WRONG_LABEL, words, to_do, strong, repaired)
        if (slip := _misspelt_key(requirement, pod.labels)) is not None:
            words = f"asks for pods with {wanted}, and {name} has {slip}"
            return _misspelt(words, slip, wanted, f"pod {name}", repaired)
        words = f"asks for pods with {wanted}, and {name} has no label {requirement.key}"
        to_do = f"Label {_owner(pod)} {wanted}, or leave the label out of the rule."
        return Slip(Cause.MISSING_LABEL, words, to_do, _is_positive(requirement) and (is_idle or has_more), repaired)

    def _of_namespace(self, peer: Endpoints, requirement: Requirement, pod: Pod, *, is_narrow: bool) -> Slip:
        repaired = replace(peer, namespaces=_without(peer.namespaces, requirement))
        is_idle = not self._selects_any(peer)
        wanted, space = _wanted(requirement), f"namespace {pod.namespace}"
        labels = self._cluster.labels_around(pod)
        there = labels.get(requirement.key)
        if there is not None:
            words = f"asks for namespaces with {wanted}, and {space} has {requirement.key}={there}"
            if self._is_misspelt_namespace(requirement, there):
                found = _misspelt(words, f"{requirement.key}={there}", wanted, space, repaired)
                is_given = requirement.key == NAMESPACE_NAME_LABEL
                return replace(found, to_do=f"Write {requirement.key}={there} in the rule.") if is_given else found
            to_do = f"Write {requirement.key}={there} in the rule, if {space} is meant."
            strong = is_idle and is_narrow and _names_values(requirement)
            return Slip(Cause.WRONG_LABEL, words, to_do, strong, repaired)
        if (key := _misspelt_key(requirement, labels)) is not None:
            words = f"asks for namespaces with {wanted}, and {space} has {key}"
            return _misspelt(words, key, wanted, space, repaired)
        words = f"asks for namespaces with {wanted}, and {space} has no label {requirement.key}"
        to_do = (
            f"Label {space} {wanted}, or select it by the name that every namespace has as a label: "
            f"{NAMESPACE_NAME_LABEL}: {pod.namespace}."
        )
        strong = _is_positive(requirement) and (is_idle or bool(peer.pods.requirements))
        return Slip(Cause.MISSING_NAMESPACE_LABEL, words, to_do, strong, repaired)

    def _of_own_namespace(self, rule: Rule, peer: Endpoints, pod: Pod) -> Slip | None:
        if not peer.pods.requirements:
            return None
        own = rule.policy.namespace
        words = f"selects pods with {peer.pods} in namespace {own} only, and {pod.full_name} is in another"
        to_do = (
            f"Add namespaceSelector: {{matchLabels: {{{NAMESPACE_NAME_LABEL}: {pod.namespace}}}}} to the same item, "
            "beside podSelector."
        )
        strong = not self._selects_any(peer)
        repaired = replace(peer, namespaces=LabelSelector())
        return Slip(Cause.NAMESPACE_NOT_SELECTED, words, to_do, strong, repaired)

    def _is_misspelt(self, requirement: Requirement, there: str) -> bool:
        """Whether a value of the rule is a pod's, mistyped; one that any pod has is meant as it is."""
        values = self._values.get(requirement.key, set())
        return _names_values(requirement) and any(
            is_slip(value, there) for value in requirement.values if value not in values
        )

    def _is_misspelt_namespace(self, requirement: Requirement, there: str) -> bool:
        known = {space.labels.get(requirement.key) for space in self._cluster.namespaces.values()}
        return _names_values(requirement) and any(
            is_slip(value, there) for value in requirement.values if value not in known
        )

    def _selects_any(self, peer: Endpoints) -> bool:
        """Whether any pod is meant."""
        if peer not in self._held:
            self._held[peer] = any(
                pod.is_plain
                and not pod.finished
                and peer.pods.matches(pod.labels)
                and peer.namespaces.matches(self._cluster.labels_around(pod))
                for pod in self._cluster.pods
            )
        return self._held[peer]


def _misspelt(words: str, there: str, wanted: str, owner: str, repaired: PeerSet) -> Slip:
    to_do = f"Write {there} in the rule, or {wanted} on {owner}: whichever is the slip."
    return Slip(Cause.MISSPELT_LABEL, words, to_do, True, repaired)


def _misspelt_key(requirement: Requirement, labels: Mapping[str, str]) -> str | None:
    """Return the label that may be meant by one that is missing: its key is mistyped, or written another way."""
    if not _is_positive(requirement):
        return None
    key = nearest(requirement.key, labels)
    if key is None:
        plain = {other.rpartition("/")[2]: other for other in labels}
        key = plain.get(requirement.key.rpartition("/")[2])
    if key is None or not (requirement.operator is Operator.EXISTS or labels[key] in requirement.values):
        return None
    return f"{key}={labels[key]}"


def _without(selector: LabelSelector, requirement: Requirement) -> LabelSelector:
    return LabelSelector(tuple(other for other in selector.requirements if other != requirement))


def _wanted(requirement: Requirement) -> str:
    return str(requirement)


def _names_values(requirement: Requirement) -> bool:
    return requirement.operator is Operator.IN


def _is_positive(requirement: Requirement) -> bool:
    """Whether a label must be there."""
    return requirement.operator in (Operator.IN, Operator.EXISTS)


def _owner(pod: Pod) -> str:
    """Name what gives a pod its labels."""
    return f"the pods of {pod.workload}" if pod.owners else f"pod {pod.full_name}"


def telling_labels(pod: Pod, cluster: Cluster) -> dict[str, str]:
    """Return the labels by which a person would select a pod: the usual one if no other workload of the namespace has
    it, else all that no controller makes up.
    """
    near = [other for other in cluster.pods if other.namespace == pod.namespace and other.workload != pod.workload]
    for key in ("app.kubernetes.io/name", "app", "k8s-app", "name"):
        if key in pod.labels and all(other.labels.get(key) != pod.labels[key] for other in near):
            return {key: pod.labels[key]}
    return {key: value for key, value in sorted(pod.labels.items()) if key not in _LABELS_OF_CONTROLLERS}
