"""Label selectors as Cilium reads them: a key names the source of the label as well (CI-3, CI-4)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from simcore.errors import Diagnostic
from simcore.model.agent import CiliumAgent
from simcore.model.cilium import is_identity_label
from simcore.model.labels import Operator, Requirement

from ..fields import Field
from ..names import label_key_complaint
from ..selectors import read_selector

ANY, K8S, RESERVED, NODE = "any", "k8s", "reserved", "node"
NAMESPACE_KEY = "io.kubernetes.pod.namespace"
NAMESPACE_LABELS = "io.cilium.k8s.namespace.labels."
CLUSTER_KEY = "io.cilium.k8s.policy.cluster"
ACCOUNT_KEY = "io.cilium.k8s.policy.serviceaccount"
OF_ADDRESSES = ("cidr", "cidrgroup", "fqdn")
"""Sources of the labels that addresses outside get from what policies name."""
_SOURCES = (ANY, K8S, RESERVED, NODE, *OF_ADDRESSES, "unspec", "gen", "cni", "directory", "container")


@dataclass(frozen=True, slots=True)
class Want:
    """One condition on a label.

    Attributes
    ----------
    source : str
        Where the label must be from; ``any``: from anywhere.
    """

    source: str
    requirement: Requirement

    @property
    def key(self) -> str:
        """The key of the label, without its source."""
        return self.requirement.key

    @property
    def is_of_pods(self) -> bool:
        """Whether labels of pods can meet it."""
        return self.source in (ANY, K8S)

    def names(self, key: str) -> bool:
        """Whether it asks for this key of pods' labels."""
        return self.is_of_pods and self.key == key


def want(source: str, key: str, operator: Operator, *values: str) -> Want:
    """Make a condition."""
    return Want(source, Requirement(key, operator, frozenset(values)))


def read_wants(field: Field) -> tuple[Want, ...]:
    """Read a selector; an empty one asks for nothing."""
    problems: list[Diagnostic] = []
    selector = read_selector(replace(field, problems=problems), key_complaint=_key_complaint)
    field.problems.extend(replace(each, message=f"invalid label selector: {each.message}") for each in problems)
    wants = tuple(_sourced(requirement) for requirement in selector.requirements)
    for each in wants:
        _warn_of_useless(field, each)
    return wants


def _key_complaint(key: str) -> str | None:
    return label_key_complaint(key.replace(":", ".", 1))


def _sourced(requirement: Requirement) -> Want:
    source, colon, key = requirement.key.partition(":")
    if not colon:
        return Want(ANY, requirement)
    return Want(source, replace(requirement, key=key))


def _warn_of_useless(field: Field, found: Want) -> None:
    if found.source not in _SOURCES:
        field.warn(f"no label has the source {found.source!r}. Before the colon stands k8s, any or reserved")
    elif found.is_of_pods and not is_identity_label(found.key):
        field.warn(
            f"Cilium leaves the label {found.key} out of what it knows pods by, unless it is configured otherwise: "
            "no pod has it here. Select by another label"
        )


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy's selectors mean besides what is written in them.

    Attributes
    ----------
    namespace : str
        The policy's own; empty for one of the whole cluster.
    selects_init : bool
        Its subjects are endpoints that have no identity yet.
    """

    namespace: str
    agent: CiliumAgent
    selects_init: bool = False

    def of_subject(self, field: Field, wants: tuple[Want, ...]) -> tuple[Want, ...]:
        """Keep a policy of a namespace to the pods of this (CI-5)."""
        if not self.namespace:
            return wants
        labels = field.value.get("matchLabels") if isinstance(field.value, dict) else None
        written = labels.get(f"{K8S}:{NAMESPACE_KEY}") if isinstance(labels, dict) else None
        kept = list(wants)
        if written is not None:
            kept = [each for each in wants if each != want(K8S, NAMESPACE_KEY, Operator.IN, str(written))]
        if written not in (None, self.namespace):
            field.warn(f"the policy selects pods of its own namespace, {self.namespace}, whatever stands here")
        for each in kept:
            if each.names(NAMESPACE_KEY) and not each.requirement.holds(self.namespace):
                field.warn(f"this asks for another namespace than the policy's, {self.namespace}: it selects no pod")
        return (*kept, want(K8S, NAMESPACE_KEY, Operator.IN, self.namespace))

    def of_peer(self, wants: tuple[Want, ...]) -> tuple[Want, ...]:
        """Add the namespace and the cluster that are meant where none is named (CI-6, CI-7)."""
        if any(each.source == RESERVED for each in wants):
            return wants
        return (*wants, *self._namespaces(wants), *self.of_cluster(wants))

    def _namespaces(self, wants: tuple[Want, ...]) -> tuple[Want, ...]:
        if any(each.names(NAMESPACE_KEY) for each in wants):
            return ()
        if not self.namespace:
            return () if self.selects_init else (want(K8S, NAMESPACE_KEY, Operator.EXISTS),)
        if any(each.is_of_pods and each.key.startswith(NAMESPACE_LABELS) for each in wants):
            return ()
        return (want(K8S, NAMESPACE_KEY, Operator.IN, self.namespace),)

    def of_cluster(self, wants: tuple[Want, ...]) -> tuple[Want, ...]:
        """Return the condition that keeps a selector which names no cluster to the local one, if that is the habit."""
        if not self.agent.means_local_cluster or any(each.names(CLUSTER_KEY) for each in wants):
            return ()
        return (want(K8S, CLUSTER_KEY, Operator.IN, self.agent.cluster_name),)
