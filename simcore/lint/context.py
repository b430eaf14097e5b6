"""What rules look at: policies as they were written and as they are meant, and all that follows from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from ..analyses.resolver import Resolver, find_resolver
from ..errors import Place
from ..model.cluster import Cluster
from ..model.flows import End, Flow, Judgement
from ..model.plugins import Enforcement
from ..model.policy import Direction, Policy
from ..model.profile import Profile
from ..reference import Reference
from .dns import Asker, find_askers
from .population import Population
from .sources import Bound, sorts, with_newcomers

if TYPE_CHECKING:
    from ..analyses.connectivity import Connectivity
    from ..analyses.hits import Hits
    from ..analyses.redundancy.redundancy import Redundancy
    from ..tables.layout import Tables

NETWORK_POLICY = "networking.k8s.io", "NetworkPolicy"


class Written(Protocol):
    """An object as it was written; see `loaders.documents.Document`."""

    @property
    def file(self) -> str:
        """Path as the user gave it."""
        ...

    @property
    def group(self) -> str:
        """API group; the core group is the empty text."""
        ...

    @property
    def kind(self) -> str:
        """Kind, without the group."""
        ...

    @property
    def value(self) -> Any:
        """The object as plain dicts and lists."""
        ...

    def place(self, path: tuple[str | int, ...] = (), field: str | None = None) -> Place:
        """Return where a field is written; of one that is absent, where it would be."""
        ...


@dataclass(frozen=True, eq=False)
class LintContext:
    """A cluster and its policies, and what follows from them, worked out when first asked for.

    Attributes
    ----------
    cluster : Cluster
    policies : tuple of Policy
        Those in force, sorted by name; staged ones are among them.
    profile : Profile
    enforcement : Enforcement
        Which network plugin enforces, and which kinds of policies it leaves out.
    documents : tuple of Written
        Policies as they were written, in the order of the input, those that the plugin leaves out too; and what
        policies of their languages lean on, such as tiers and groups.
    namespaces : mapping of str to Place
        Where a namespace is written; where it is not, the first object in it.
    texts : mapping of str to str
        What the files of all these hold, by name.
    hits : Hits or None
        What a capture tells of the rules; None without one.
    """

    cluster: Cluster
    policies: tuple[Policy, ...]
    profile: Profile
    enforcement: Enforcement
    documents: Sequence[Written] = ()
    namespaces: Mapping[str, Place] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    hits: Hits | None = None

    @cached_property
    def _document_at(self) -> dict[Place, Written]:
        return {document.place(): document for document in self.documents}

    @cached_property
    def _lines(self) -> dict[str, list[str]]:
        return {}

    def lines(self, file: str) -> Sequence[str]:
        """Return the lines of a file; none where its text is not known."""
        if file not in self._lines:
            self._lines[file] = self.texts[file].split("\n") if file in self.texts else []
        return self._lines[file]

    def document_of(self, policy: Policy) -> Written | None:
        """Return a policy as it was written."""
        return self._document_at.get(policy.place)

    def place_of(self, policy: Policy, *path: str | int) -> Place:
        """Return where a field of a policy is written, or the nearest one around it that is there."""
        document = self.document_of(policy)
        if document is None:
            return policy.place
        value = document.value
        for number, step in enumerate(path):
            inside = value.get(step) if isinstance(value, dict) else None
            if inside is None:
                return document.place(path[:number])
            value = inside
        return document.place(path)

    def written(self, *kinds: tuple[str, str]) -> Iterator[tuple[Policy, Written]]:
        """Yield the policies in force of some kinds, given as API group and kind, as they are and as written.

        Without any kind, all of them. Staged ones are left out.
        """
        for policy in self.policies:
            document = self.document_of(policy)
            if document is None or policy.stages is not None:
                continue
            if not kinds or (document.group, document.kind) in kinds:
                yield policy, document

    @cached_property
    def population(self) -> Population:
        """Which pods peer sets mean."""
        return Population(self.cluster, self.profile)

    @cached_property
    def is_whole(self) -> bool:
        """Whether the input looks like a whole cluster, with its nodes or its own pods, and not like a part of one."""
        return bool(self.cluster.nodes) or any(pod.namespace == "kube-system" for pod in self.cluster.pods)

    @cached_property
    def reference(self) -> Reference:
        """Judges single flows, and tells why."""
        return Reference(self.cluster, self.policies, self.profile)

    @cached_property
    def bound(self) -> dict[Direction, tuple[Bound, ...]]:
        """By direction: every sort of pods that policies can bind, and the rules that do."""
        found = tuple(sorts(self.cluster))
        return {
            direction: tuple(Bound(sort, self.reference.binding(sort.pod.full_name, direction)) for sort in found)
            for direction in Direction
        }

    @cached_property
    def newcomers(self) -> Reference:
        """Judges as if a pod named `sources.NEWCOMER`, without any label, were added to every namespace."""
        return Reference(with_newcomers(self.cluster), self.policies, self.profile)

    @cached_property
    def resolver(self) -> Resolver | None:
        """The cluster's DNS; None where the cluster holds none."""
        return find_resolver(self.cluster)

    @cached_property
    def askers(self) -> tuple[Asker, ...]:
        """The pods that policies isolate for egress, and whether they may ask the cluster's DNS."""
        return tuple(find_askers(self))

    @cached_property
    def connectivity(self) -> Connectivity:
        """All possible connections."""
        from ..analyses.connectivity import connectivity

        return connectivity(self.tables)

    @cached_property
    def redundancy(self) -> Redundancy:
        """The rules and policies without which every flow is judged the same; none are told of a cluster over time."""
        from ..analyses.redundancy.redundancy import Redundancy, redundancy

        return redundancy(self.tables) if self.tables.moments is None else Redundancy((), ())

    def judge(self, source: End, destination: End, protocol: int, port: int | None) -> Judgement:
        """Judge one flow."""
        return self.reference.judge(Flow(source, destination, protocol, port))

    @cached_property
    def tables(self) -> Tables:
        """The policies compiled: one set."""
        from ..tables.build import build_tables

        return build_tables(self.cluster, self.policies, profile=self.profile)
