"""Commands to run on the cluster, with real names, quoted for a shell."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from ...model.cluster import Pod
from ...model.labels import LabelSelector
from ...model.policy import PolicyRef
from ...model.ports import SCTP, TCP, UDP
from .steps import Command

NETSHOOT = "nicolaka/netshoot"
_AGENTS = {
    "calico": "k8s-app=calico-node",
    "calico-3.30": "k8s-app=calico-node",
    "cilium": "k8s-app=cilium",
    "antrea": "app=antrea",
    "kube-router": "k8s-app=kube-router",
    "aws-vpc-cni": "k8s-app=aws-node",
    "aws-vpc-cni-strict": "k8s-app=aws-node",
    "gke-dataplane-v2": "k8s-app=cilium",
    "weave": "name=weave-net",
    "flannel": "app=flannel",
}
"""By which label the agents of network plugins are found."""
_AT_HOME = ("cilium", "antrea", "kube-router", "aws-vpc-cni", "aws-vpc-cni-strict", "weave")
"""Plugins whose agents live in kube-system."""
WITH_HUBBLE = ("cilium", "gke-dataplane-v2")
_OF_GROUPS = ("calico", "calico-3.30", "antrea")
"""Plugins that have a NetworkPolicy of their own, so that the kind alone may mean theirs."""


def shell(*words: str) -> str:
    """Write a command, its words quoted where a shell needs it."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Quote a word; one that holds single quotes by double ones, where nothing in it means anything else there."""
    if "'" in word and not set(word) & set('"$`\\!'):
        return f'"{word}"'
    return shlex.quote(word)


def inside(pod: Pod, *words: str) -> str:
    """Run something beside a pod, in its network: in a container of tools, or in the pod itself where it is made up."""
    if pod.synthesised:
        owner = pod.owners[0] if pod.owners else pod.workload
        name = f"{owner.kind.lower()}/{owner.name}"
        return shell("kubectl", "exec", "-n", pod.namespace, name, "--", *words)
    debug = ("kubectl", "debug", "-n", pod.namespace, pod.name, "-it", f"--image={NETSHOOT}")
    return shell(*debug, "--", *words)


def dial(pod: Pod, host: str, port: int | None, protocol: int) -> Command:
    """Try a connection from a pod."""
    if protocol == TCP and port is not None:
        return Command("try it from the source", inside(pod, "nc", "-zvw", "3", host, str(port)))
    if protocol == UDP and port is not None:
        return Command("try it; silence means nothing over UDP", inside(pod, "nc", "-zvuw", "3", host, str(port)))
    if protocol == SCTP and port is not None:
        return Command("try it from the source", inside(pod, "ncat", "--sctp", "-zvw", "3", host, str(port)))
    return Command("try it from the source", inside(pod, "ping", "-c", "3", host))


def drops(
    plugin: str, source: Pod | None, destination: Pod | None, port: int | None, protocol: int = TCP
) -> list[Command]:
    """Watch what is dropped between two ends, where the network plugin has Hubble."""
    if plugin not in WITH_HUBBLE or not (source or destination):
        return []
    words = ["hubble", "observe", "--verdict", "DROPPED", "--follow"]
    words += ["--from-pod", source.full_name] if source else []
    words += ["--to-pod", destination.full_name] if destination else []
    words += ["--to-port", str(port)] if port is not None else []
    words += ["--protocol", {TCP: "tcp", UDP: "udp", SCTP: "sctp"}.get(protocol, "icmp")]
    return [Command("watch what is dropped, and by which policy", shell(*words))]


def described(policy: PolicyRef, plugin: str) -> Command:
    """Show a policy as the cluster has it."""
    kind = policy.kind.lower()
    if kind == "networkpolicy" and plugin in _OF_GROUPS:
        kind = "networkpolicy.networking.k8s.io"
    namespace = ("-n", policy.namespace) if policy.namespace else ()
    return Command("the policy as the cluster has it", shell("kubectl", "describe", kind, *namespace, policy.name))


def policies_in(namespaces: Iterable[str], plugin: str) -> list[Command]:
    """List the policies of namespaces, the newest last."""
    kind = "networkpolicy.networking.k8s.io" if plugin in _OF_GROUPS else "networkpolicy"
    return [
        Command(
            f"policies of {namespace}, the newest last",
            shell("kubectl", "get", kind, "-n", namespace, "--sort-by=.metadata.creationTimestamp"),
        )
        for namespace in dict.fromkeys(namespaces)
    ]


def labels_of(*pods: Pod | None) -> list[Command]:
    """Show the labels of pods and of their namespaces."""
    found: list[Command] = []
    for pod in pods:
        if pod is None:
            continue
        chosen: tuple[str, ...] = (pod.name,)
        if pod.synthesised:
            chosen = ("-l", ",".join(f"{key}={value}" for key, value in sorted(pod.labels.items())))
        found.append(
            Command("labels of the pod", shell("kubectl", "get", "pod", "-n", pod.namespace, *chosen, "--show-labels"))
        )
        found.append(
            Command("labels of its namespace", shell("kubectl", "get", "namespace", pod.namespace, "--show-labels"))
        )
    return list(dict.fromkeys(found))


def selected_by(namespace: str, selector: LabelSelector, purpose: str) -> Command:
    """List the pods of a namespace that a selector selects."""
    return Command(purpose, shell("kubectl", "get", "pods", "-n", namespace, "-l", str(selector), "-o", "wide"))


def agents(plugin: str) -> list[Command]:
    """Look at the network plugin's agents."""
    anyone = "kubectl get pods -A -o wide | grep -E 'calico|cilium|weave|antrea|kube-router|flannel'"
    found = [Command("which network plugin runs", anyone)]
    if label := _AGENTS.get(plugin):
        found = [Command("an agent on every node", shell("kubectl", "get", "pods", "-A", "-l", label, "-o", "wide"))]
    if plugin in _AT_HOME:
        logs = shell("kubectl", "logs", "-n", "kube-system", "-l", str(label), "--tail=100", "--prefix")
        found.append(Command("what the agents say", logs))
    if plugin == "cilium":
        status = shell("kubectl", "exec", "-n", "kube-system", "ds/cilium", "--", "cilium-dbg", "status", "--brief")
        found.append(Command("its state", status))
    return found


def conntrack_of(node: str, plugin: str) -> list[Command]:
    """Look at the conntrack table of a node."""
    debug = ("kubectl", "debug", f"node/{node}", "-it", f"--image={NETSHOOT}", "--profile=sysadmin", "--")
    numbers = "cat /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max"
    found = [
        Command(f"entries of {node} and their limit", shell(*debug, "sh", "-c", numbers)),
        Command("drops since boot: insert_failed and drop", shell(*debug, "conntrack", "-S")),
        Command("the kernel's own word", shell(*debug, "sh", "-c", "dmesg | grep 'nf_conntrack: table full'")),
    ]
    if plugin in WITH_HUBBLE:
        agent = ("kubectl", "get", "pods", "-n", "kube-system", "-l", "k8s-app=cilium", "-o", "name")
        listing = shell(*agent, f"--field-selector=spec.nodeName={node}")
        count = f'kubectl exec -n kube-system "$({listing})" -- cilium-dbg bpf ct list global | wc -l'
        found.insert(0, Command("entries of Cilium's own table", count))
    return found
