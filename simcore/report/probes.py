"""Probes as a script, and as manifests of Jobs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from itertools import groupby

from ..advice.probes import Probe, Probes
from ..model.addresses import Address
from ..model.cluster import Pod
from ..model.ports import PROTOCOL_NAMES
from .manifests import manifest_yaml
from .probe_shell import PROBER, RUNNER, SUMMARY
from .words import count

ASKED = "kubernetes.default"
"""The name that is looked up."""
_OF_CONTROLLERS = (
    "pod-template-hash",
    "pod-template-generation",
    "controller-revision-hash",
    "controller-uid",
    "job-name",
    "apps.kubernetes.io/",
    "batch.kubernetes.io/",
    "statefulset.kubernetes.io/",
)
"""Labels that controllers give to pods of their own."""
_SAFE = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 65534,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def probe_lines(found: Probes) -> Iterator[str]:
    """Say in lines what was chosen and what was left out."""
    lookups = sum(probe.is_lookup for probe in found.probes)
    sources = len({probe.source.full_name for probe in found.probes})
    yield f"{count(len(found.probes), 'probe')} from {count(sources, 'pod')}, {count(lookups, 'lookup')} among them"
    if found.left:
        yield f"{found.left:,} of {found.classes:,} pairs of classes are left out: see --limit"
    if found.unknown:
        yield f"{count(found.unknown, 'pair')} of classes left out: no port is known to be open, or closed"
    if found.node_local:
        yield "lookups are left out: a cache on every node answers before the DNS pods"


def probe_script(found: Probes, image: str) -> str:
    """Make the text of the script."""
    head = ["#!/usr/bin/env bash", *(f"# {line}" for line in probe_lines(found)), *_USE]
    runner = RUNNER.replace("@IMAGE@", image).replace("@PROBER@\n", PROBER)
    return "\n".join(head) + "\n" + runner + "".join(f"{line}\n" for line in _script_lines(found)) + SUMMARY


_USE = (
    "# Run: bash probes.sh [results.yaml], with bash 4 or later. Each source is an ephemeral container in a pod that",
    "# runs (kubectl debug), which stays listed in the pod; THROUGH=exec uses the pod's own nc and nslookup.",
    "# Exit code: 0 as expected, 1 different, 2 some could not be tried.",
)


def _script_lines(found: Probes) -> Iterator[str]:
    for source, probes in groupby(found.probes, lambda probe: probe.source):
        yield ""
        yield _shell("from", *_pod_words(source))
        for probe in probes:
            expect, port = probe.expect.word, str(probe.port)
            if probe.is_lookup:
                yield _shell("to", row_of(probe), "dns", ASKED, port, expect)
            elif isinstance(probe.destination, Address):
                yield _shell("to", row_of(probe), "http", _host(probe.destination), port, expect)
            else:
                yield _shell("to_pod", row_of(probe), port, expect, *_pod_words(probe.destination))
        yield "run"


def row_of(probe: Probe) -> str:
    """Write a probe as a row of a test file, but for what came out."""
    other = str(probe.destination) if isinstance(probe.destination, Address) else probe.destination.full_name
    quoted = f'"{other}"' if ":" in other else other
    ends = f"from: {probe.source.full_name}, to: {quoted}"
    return f"{ends}, port: {probe.port}, protocol: {PROTOCOL_NAMES[probe.protocol]}"


def _pod_words(pod: Pod) -> tuple[str, str, str]:
    return pod.namespace, pod.name, ",".join(f"{key}={value}" for key, value in own_labels(pod).items())


def own_labels(pod: Pod) -> dict[str, str]:
    """Return the labels that a pod was written with, without those that controllers add."""
    return {key: value for key, value in sorted(pod.labels.items()) if not key.startswith(_OF_CONTROLLERS)}


def _host(address: Address) -> str:
    return f"[{address}]" if ":" in str(address) else str(address)


def _shell(*words: str) -> str:
    return " ".join(map(shlex.quote, words))


def probe_jobs(found: Probes, image: str) -> str:
    """Make the manifests of Jobs: one for each source, whose pods carry its labels."""
    jobs, commands, left = [], [], 0
    for number, (source, probes) in enumerate(groupby(found.probes, lambda probe: probe.source), 1):
        name = f"flowverdict-probes-{number}"
        arguments = []
        for probe in probes:
            words = _arguments(probe)
            arguments += words
            left += not words
        if arguments:
            jobs.append(manifest_yaml(_job(name, source, arguments, image)))
            commands.append(_shell("kubectl", "logs", "-n", source.namespace, f"job/{name}"))
    lines = [
        *probe_lines(found),
        *([f"{count(left, 'probe')} left out: no address is known of the pod"] if left else []),
    ]
    return "\n".join(f"# {line}" for line in (*lines, *_OF_JOBS, *_collecting(commands))) + "\n" + "---\n".join(jobs)


_OF_JOBS = (
    "The pods carry the labels of those that they stand for, so policies bind them alike, and Services select them:",
    "they are never ready, so that no Service sends them anything. Labels of controllers are left out.",
    "What came out, as a test file for flowverdict check:",
)


def _collecting(commands: list[str]) -> Iterator[str]:
    yield "  (echo tests:"
    yield from (f"   {command}" for command in commands)
    yield "  ) > results.yaml"


def _arguments(probe: Probe) -> list[str]:
    if probe.is_lookup:
        return [row_of(probe), "dns", ASKED, str(probe.port)]
    if isinstance(probe.destination, Address):
        return [row_of(probe), "http", _host(probe.destination), str(probe.port)]
    families = {address.family for address in probe.source.addresses}
    known = [one for one in probe.destination.addresses if not families or one.family in families]
    return [row_of(probe), "tcp", str(known[0]), str(probe.port)] if known else []


def _job(name: str, source: Pod, arguments: list[str], image: str) -> dict[str, object]:
    container = {
        "name": "probes",
        "image": image,
        "command": ["sh", "-c", f"WAIT=3\n{PROBER}", "prober"],
        "args": arguments,
        "readinessProbe": {"exec": {"command": ["false"]}},
        "securityContext": _SAFE,
    }
    account = {} if source.account == "default" else {"serviceAccountName": source.account}
    network = {"hostNetwork": True} if source.host_network else {}
    node = {"nodeName": source.node} if source.host_network and source.node else {}
    pod = {"restartPolicy": "Never", "automountServiceAccountToken": False, **account, **network, **node}
    template = {"metadata": {"labels": own_labels(source)}, "spec": {**pod, "containers": [container]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": source.namespace},
        "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": 3600, "template": template},
    }
