"""Ends of flows and names of policies, each distinct text of JSON read once."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.model.policy import PolicyRef

from .messages import Endpoint, Policy, read_endpoint, read_policies

MOST_TEXTS = 100_000
"""Texts of JSON that are remembered; ends themselves are few, but their labels may be told in many ways."""
_POLICY_LABELS = "k8s:io.cilium.k8s.policy."


@dataclass(frozen=True, slots=True)
class EndOf:
    """What is told of an end, besides its address.

    Attributes
    ----------
    pod : str or None
        ``namespace/name``; None where it is no pod, or one of another cluster than the node's.
    identity : int or None
    workload : str or None
        ``namespace/Kind/name``.
    labels : str or None
    is_local : bool
        Whether the node that reports it runs it.
    """

    pod: str | None
    identity: int | None
    workload: str | None
    labels: str | None
    is_local: bool


_NOBODY = EndOf(None, None, None, None, False)


class EndBook:
    """Numbers the distinct ends of a capture."""

    def __init__(self) -> None:
        self.ends: list[EndOf] = []
        self._numbers: dict[EndOf, int] = {}
        self._texts: dict[tuple[str, bytes], int] = {}
        self._interned: dict[str, str] = {}

    def number(self, cluster: str, text: bytes) -> int:
        """Return the number of the end that JSON tells of; `cluster` is the node's.

        Raises
        ------
        msgspec.DecodeError
            It tells of none.
        """
        key = (cluster, text)
        number = self._texts.get(key)
        if number is None:
            end = self._end(cluster, read_endpoint(text)) if text and text != b"null" else _NOBODY
            number = self._numbers.setdefault(end, len(self.ends))
            if number == len(self.ends):
                self.ends.append(end)
            if len(self._texts) >= MOST_TEXTS:
                self._texts.clear()
            self._texts[key] = number
        return number

    def _end(self, cluster: str, told: Endpoint) -> EndOf:
        elsewhere = bool(cluster and told.cluster_name and told.cluster_name != cluster)
        pod = f"{told.namespace}/{told.pod_name}" if told.namespace and told.pod_name and not elsewhere else None
        owner = told.workloads[0] if told.workloads else None
        workload = f"{told.namespace}/{owner.kind}/{owner.name}" if owner and owner.kind and owner.name else None
        labels = ",".join(told.labels)
        return EndOf(
            pod,
            told.identity or None,
            self._interned.setdefault(workload, workload) if workload else None,
            self._interned.setdefault(labels, labels) if labels else None,
            told.id != 0,
        )


class PolicyBook:
    """Reads the names of policies that decided."""

    def __init__(self) -> None:
        self._texts: dict[bytes, str | None] = {}

    def names(self, text: bytes) -> str | None:
        """Return the policies that JSON lists, sorted and parted by commas; None where there is none.

        Raises
        ------
        msgspec.DecodeError
            It is no list of policies.
        """
        if not text or text == b"null":
            return None
        if text not in self._texts:
            if len(self._texts) >= MOST_TEXTS:
                self._texts.clear()
            refs = sorted({str(ref) for policy in read_policies(text) if (ref := _ref(policy)).name})
            self._texts[text] = ", ".join(refs) or None
        return self._texts[text]


def _ref(policy: Policy) -> PolicyRef:
    """Name a policy; older releases tell its kind, and sometimes its name, in labels only."""
    if policy.kind and policy.name:
        return PolicyRef(policy.kind, policy.namespace, policy.name)
    told = dict(
        label.removeprefix(_POLICY_LABELS).partition("=")[::2]
        for label in policy.labels
        if label.startswith(_POLICY_LABELS)
    )
    return PolicyRef(
        policy.kind or told.get("derived-from", "Policy"),
        policy.namespace or told.get("namespace", ""),
        policy.name or told.get("name", ""),
    )
