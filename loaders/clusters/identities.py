"""Cilium's identities: which labels a number stands for, and the pods that stand in for those who bear them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from simcore.model.cluster import Pod, WorkloadRef

from .objects import CiliumIdentityObject, Labels
from .pods import DEFAULT_ACCOUNT, Complain

_SOURCE = "k8s:"
_MOST_DIGITS = 10
_NAMESPACE = "io.kubernetes.pod.namespace"
_ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
_CLUSTER = "io.cilium.k8s.policy.cluster"
_OF_NAMESPACE = "io.cilium.k8s.namespace.labels."
_RESERVED = {3: "unmanaged", 4: "health", 5: "init", 8: "ingress"}
"""Reserved identities whose addresses need not be known; of hosts and of the world the address tells more."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A set of labels that pods share, by its number.

    Attributes
    ----------
    cluster : str
        The cluster of its pods; empty where that is not told.
    labels : mapping of str to str
        Those of the pods.
    of_namespace : mapping of str to str
        Those of their namespace.
    """

    number: int
    namespace: str
    account: str
    cluster: str
    labels: Mapping[str, str]
    of_namespace: Mapping[str, str]


def read_identity(number: int, labels: Labels) -> Identity | None:
    """Read the labels of an identity, ``source:key``; None where they are no pod's."""
    told = {key.removeprefix(_SOURCE): value or "" for key, value in labels.items() if key.startswith(_SOURCE)}
    namespace = told.pop(_NAMESPACE, "")
    if not namespace:
        return None
    of_namespace = {key: told.pop(key) for key in list(told) if key.startswith(_OF_NAMESPACE)}
    return Identity(
        number,
        namespace,
        told.pop(_ACCOUNT, DEFAULT_ACCOUNT),
        told.pop(_CLUSTER, ""),
        told,
        {key.removeprefix(_OF_NAMESPACE): value for key, value in of_namespace.items()},
    )


def read_identities(
    objects: Iterable[tuple[str, CiliumIdentityObject, Complain]], others: Iterable[Identity | None]
) -> dict[int, Identity]:
    """Read CiliumIdentity objects by name; `others` are what endpoints tell of theirs. By number."""
    found = {identity.number: identity for identity in others if identity}
    for name, given, complain in objects:
        if not (name.isascii() and name.isdecimal() and len(name) <= _MOST_DIGITS):
            complain(f"{name!r} is no number, as the name of a CiliumIdentity is. Correct it", "metadata", "name")
        elif identity := read_identity(int(name), given.security_labels or {}):
            found[identity.number] = identity
    return dict(sorted(found.items()))


def namespaces_of(identities: Mapping[int, Identity]) -> dict[str, Mapping[str, str]]:
    """Return the labels that identities tell of namespaces; of the first of each, those of this cluster before others.

    Objects of identities are made by each cluster for its own pods, so the cluster that most of them name is this one.
    """
    local = _local(identities)
    ordered = sorted(identities.values(), key=lambda identity: identity.cluster not in ("", local))
    found: dict[str, Mapping[str, str]] = {}
    for identity in ordered:
        found.setdefault(identity.namespace, identity.of_namespace)
    return found


def stand_ins_for(identities: Mapping[int, Identity], bearers: Mapping[int, list[Pod]]) -> dict[int, Pod]:
    """Make a pod for each identity, reserved ones included; what its known `bearers` have in common is the pod's too.

    Labels of pods do not name their cluster, unless it is another one.
    """
    local = _local(identities)
    found = {number: _reserved(number, word) for number, word in _RESERVED.items()}
    for number, identity in identities.items():
        elsewhere = {_CLUSTER: identity.cluster} if identity.cluster != local else {}
        pods = bearers.get(number, [])
        workloads = {pod.workload for pod in pods if pod.owners}
        owner = workloads.pop() if len(workloads) == 1 else WorkloadRef(identity.namespace, "Identity", str(number))
        ports = [port for port in pods[0].ports if all(port in pod.ports for pod in pods)] if pods else []
        found[number] = Pod(
            identity.namespace,
            f"identity:{number}",
            {**identity.labels, **elsewhere},
            ports=tuple(ports),
            owners=(owner,),
            account=identity.account,
            stands_in=True,
        )
    return found


def _reserved(number: int, word: str) -> Pod:
    owners = (WorkloadRef("", "reserved", word),)
    return Pod("", f"identity:{number}", {}, owners=owners, reserved=word, stands_in=True)


def _local(identities: Mapping[int, Identity]) -> str:
    counts = Counter(identity.cluster for identity in identities.values() if identity.cluster)
    return min(counts, key=lambda name: (-counts[name], name), default="")
