"""What is timed: made-up clusters, policies and flows, the same for the same seed."""

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from loaders import load_manifests
from loaders.synthetic.cluster import cluster_documents, generate_cluster
from loaders.synthetic.scale import Scale, scale_of
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy

SEED = 1
SCALES = {
    "S dual": replace(scale_of("S"), dual_stack=1.0),
    "M dual": replace(scale_of("M"), dual_stack=1.0),
}
"""Sizes beside those of `flowverdict generate cluster`: every pod has an IPv6 address too."""


@dataclass(frozen=True)
class Scenario:
    """A cluster and its policies."""

    cluster: Cluster
    policies: tuple[Policy, ...]


def write_cluster(size: str, folder: Path) -> Path:
    """Write a generated cluster, unless it is there."""
    if not (folder / "policies.yaml").exists():
        generate_cluster(SCALES.get(size, size), SEED, folder)
    return folder


@cache
def load_scenario(folder: Path) -> Scenario:
    snapshot = load_manifests([str(folder)])
    return Scenario(snapshot.cluster, snapshot.policies)


def kernel_scenario(pods: int, blocks: int, policies: int, ports: int = 0) -> Scenario:
    """Make a cluster whose policies list `blocks` distinct CIDR blocks, on so many ports where that is told."""
    scale = Scale(
        pods,
        policies,
        namespaces=max(4, min(pods // 100, policies // 8)),
        nodes=max(2, pods // 50),
        dual_stack=0.0,
        blocks=blocks,
        block_ports=ports,
    )
    objects, written = cluster_documents(scale, SEED)
    with TemporaryDirectory() as folder:
        path = Path(folder, "cluster.json")
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects + written}))
        snapshot = load_manifests([str(path)])
    return Scenario(snapshot.cluster, snapshot.policies)
