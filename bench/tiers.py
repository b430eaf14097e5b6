"""AdminNetworkPolicies for a made-up cluster: who may pass whom on, by the labels that its pods and namespaces have."""

import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from loaders import load_manifests
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy

ACTIONS = ("Allow", "Deny", "Pass", "Pass")
PORTS = (53, 80, 443, 5432, 6379, 8080, 9090)
KEYS = ("app", "tier")
MOST_RULES = 4


def admin_policies(cluster: Cluster, count: int, seed: int) -> tuple[Policy, ...]:
    """Make policies, one for each priority, then again from the first."""
    labels = _Labels(cluster, Random(seed))
    documents = [labels.policy(number) for number in range(count)]
    with TemporaryDirectory() as folder:
        path = Path(folder, "admin.json")
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}))
        return load_manifests([str(path)]).policies


class _Labels:
    """Draws selectors from the labels of a cluster."""

    def __init__(self, cluster: Cluster, random: Random) -> None:
        self._random = random
        self._teams = sorted({space.labels["team"] for space in cluster.namespaces.values() if "team" in space.labels})
        self._pods = sorted({(key, pod.labels[key]) for pod in cluster.pods for key in KEYS if key in pod.labels})

    def policy(self, number: int) -> dict[str, object]:
        return {
            "apiVersion": "policy.networking.k8s.io/v1alpha1",
            "kind": "AdminNetworkPolicy",
            "metadata": {"name": f"admin-{number:03}"},
            "spec": {
                "priority": number % 1000,
                "subject": self._peer(),
                "ingress": [self._rule("from") for _ in range(self._random.randint(1, MOST_RULES))],
                "egress": [self._rule("to") for _ in range(self._random.randint(1, MOST_RULES))],
            },
        }

    def _rule(self, side: str) -> dict[str, object]:
        peers = [self._peer() for _ in range(self._random.randint(1, 2))]
        if side == "to" and self._random.random() < 0.3:
            peers = [{"networks": [f"10.{self._random.randint(0, 255)}.0.0/16"]}]
        rule: dict[str, object] = {"action": self._random.choice(ACTIONS), side: peers}
        if self._random.random() < 0.7:
            rule["ports"] = [{"portNumber": {"protocol": "TCP", "port": self._random.choice(PORTS)}}]
        return rule

    def _peer(self) -> dict[str, object]:
        namespaces = {"matchLabels": {"team": self._random.choice(self._teams)}}
        if self._random.random() < 0.4:
            return {"namespaces": namespaces}
        key, value = self._random.choice(self._pods)
        return {"pods": {"namespaceSelector": namespaces, "podSelector": {"matchLabels": {key: value}}}}
