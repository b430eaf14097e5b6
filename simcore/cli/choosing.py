"""What --from and --to name: namespaces, workloads, pods, labels, nodes, blocks of addresses."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import Diagnostic, Place, ResolveError, Severity
from ..model.addresses import Address, Cidr
from ..model.cluster import Cluster
from ..model.labels import LabelSelector, Operator, Requirement
from .names import Names

if TYPE_CHECKING:
    from ..analyses.connectivity.listing import Chosen

FORMS = (
    "a namespace, namespace/workload, namespace/pod, node/NAME, labels such as app=web, an address, or a block such as "
    "10.0.0.0/8"
)

_IN = re.compile(r"([^\s!=,()]+)\s+(in|notin)\s*\(([^()]*)\)")
_EQUAL = re.compile(r"([^\s!=,()]+)\s*(==|=|!=)\s*([^\s!=,()]*)")
_ABSENT = re.compile(r"!\s*([^\s!=,()]+)")
_PRESENT = re.compile(r"([^\s!=,()]+)")
_BETWEEN = re.compile(r",(?![^(]*\))")


_NODE = "node/"


@dataclass(frozen=True, slots=True)
class _Meant:
    """What one choice means."""

    pods: tuple[int, ...] = ()
    block: Cidr | None = None
    node: str | None = None


class Chooser:
    """Finds the pods, nodes and addresses that are meant."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._names = Names(cluster)
        pods = enumerate(cluster.pods)
        self._pods = [number for number, pod in pods if pod.is_plain and not pod.finished]

    def chosen(self, texts: Iterable[str]) -> Chosen | None:
        """Return what several texts mean together; None for none at all.

        Raises
        ------
        ResolveError
            One of them means nothing; the message names what comes near.
        """
        from ..analyses.connectivity.listing import Chosen

        found = [self._one(text) for text in texts]
        pods = frozenset(pod for one in found for pod in one.pods)
        blocks = tuple(one.block for one in found if one.block)
        return Chosen(pods, blocks, frozenset(one.node for one in found if one.node)) if found else None

    def _one(self, text: str) -> _Meant:
        if block := _block(text):
            return self._addresses(text, block)
        if "=" in text or "(" in text or text.startswith("!"):
            return _Meant(tuple(self._labelled(text)))
        if "/" not in text:
            return _Meant(tuple(self._namespace(text)))
        if text.startswith(_NODE) and self._is_node(text):
            return _Meant(node=text.removeprefix(_NODE))
        return _Meant(tuple(self._kept(text, self._named(text))))

    def _is_node(self, text: str) -> bool:
        """Whether a text names a node, rather than what is in a namespace of that name."""
        known = set(self._cluster.node_at.values())
        name = text.removeprefix(_NODE)
        if name in known:
            return True
        if any(node.name == name for node in self._cluster.nodes):
            raise ResolveError(f"no address of {text!r} is known")
        if "node" in self._cluster.namespaces or any(pod.namespace == "node" for pod in self._cluster.pods):
            return False
        near = difflib.get_close_matches(name, sorted(known), 2)
        hint = f". Did you mean {' or '.join(f'{_NODE}{one}' for one in near)}?" if near else ""
        raise ResolveError(f"the cluster has no {text!r}{hint}")

    def _addresses(self, text: str, block: Cidr) -> _Meant:
        address = Address(block.family, block.first)
        if block.length < block.family.bits or address not in self._cluster.owned:
            return _Meant(block=block)
        if pods := self._cluster.pods_at.get(address):
            return _Meant(pods)
        node, guests = self._cluster.node_at.get(address), self._cluster.host_pods_at.get(address, ())
        if node is None and not guests:
            raise ResolveError(f"{text!r} is a Service's. Name the pods behind it, by labels for instance")
        return _Meant(guests, node=node)

    def _namespace(self, text: str) -> list[int]:
        pods = [number for number in self._pods if self._cluster.pods[number].namespace == text]
        if pods:
            return pods
        if text in self._cluster.namespaces:
            raise ResolveError(f"namespace {text!r} has no pod")
        names = {*self._cluster.namespaces, *(pod.namespace for pod in self._cluster.pods)}
        near = difflib.get_close_matches(text, sorted(names), 2)
        others = sorted({pod.workload for pod in self._cluster.pods if text in (pod.name, pod.workload.name)})
        hints = [*near, *(f"{one.namespace}/{one.name}" for one in others[:2])]
        hint = f". Did you mean {' or '.join(hints)}?" if hints else f"; name {FORMS}"
        raise ResolveError(f"the cluster has no namespace {text!r}{hint}")

    def _named(self, text: str) -> list[int]:
        namespace, _, name = text.partition("/")
        of_controller = [
            number
            for number in self._pods
            if any((owner.namespace, owner.name) == (namespace, name) for owner in self._cluster.pods[number].owners)
        ]
        if of_controller and text not in self._cluster.pod_numbers:
            return of_controller
        try:
            pods = self._names.party(text).pods
        except ResolveError as error:
            raise ResolveError(f"{error}{self._near_workloads(str(error), namespace, name)}") from None
        if not pods:
            raise ResolveError(f"{text!r} is a Service, and no end: name the pods behind it, by labels for instance")
        return list(pods)

    def _near_workloads(self, error: str, namespace: str, name: str) -> str:
        """Name workloads that come near, where an error names nothing yet."""
        if "Did you mean" in error:
            return ""
        refs = {pod.workload for pod in self._cluster.pods if pod.namespace == namespace}
        near = difflib.get_close_matches(name, sorted({ref.name for ref in refs}), 2)
        return f". Did you mean {' or '.join(f'{namespace}/{one}' for one in near)}?" if near else ""

    def _kept(self, text: str, pods: list[int]) -> list[int]:
        known = set(self._pods)
        if kept := [number for number in pods if number in known]:
            return kept
        raise ResolveError(f"every pod of {text!r} has finished")

    def _labelled(self, text: str) -> list[int]:
        selector = read_selector(text)
        labels = [(number, self._cluster.pods[number].labels) for number in self._pods]
        if found := [number for number, of_pod in labels if selector.matches(of_pod)]:
            return found
        pairs = sorted({f"{key}={value}" for _, of_pod in labels for key, value in of_pod.items()})
        near = difflib.get_close_matches(text, pairs, 2)
        hint = f". Did you mean {' or '.join(near)}?" if near else ""
        raise ResolveError(f"no pod has labels {text!r}{hint}")


def read_selector(text: str) -> LabelSelector:
    """Read labels as ``kubectl -l`` takes them.

    Raises
    ------
    ResolveError
        They are written otherwise.
    """
    return LabelSelector.of(*(_requirement(part.strip(), text) for part in _BETWEEN.split(text)))


def _requirement(part: str, text: str) -> Requirement:
    if match := _IN.fullmatch(part):
        values = frozenset(value.strip() for value in match[3].split(","))
        return Requirement(match[1], Operator.IN if match[2] == "in" else Operator.NOT_IN, values)
    if match := _EQUAL.fullmatch(part):
        return Requirement(match[1], Operator.NOT_IN if match[2] == "!=" else Operator.IN, frozenset([match[3]]))
    if match := _ABSENT.fullmatch(part):
        return Requirement(match[1], Operator.DOES_NOT_EXIST)
    if match := _PRESENT.fullmatch(part):
        return Requirement(match[1], Operator.EXISTS)
    raise ResolveError(f"{text!r} are no labels as kubectl -l takes them, such as app=web,tier!=db or app in (a,b)")


def _block(text: str) -> Cidr | None:
    try:
        return Cidr.parse(text)
    except ValueError:
        pass
    try:
        address = Address.parse(text)
    except ValueError:
        return None
    return Cidr.containing(address, address.family.bits)


def unknown_choices(cluster: Cluster, asked: Iterable[tuple[str, Place]]) -> Iterator[Diagnostic]:
    """Tell of every choice that means nothing, where it was written."""
    chooser = Chooser(cluster)
    for text, place in asked:
        try:
            chooser.chosen([text])
        except ResolveError as error:
            yield Diagnostic(Severity.ERROR, place, str(error))
