"""Manifests and dumps as a cluster and its policies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from simcore.errors import Diagnostic, LoadError, Severity
from simcore.model.cluster import Cluster
from simcore.model.memory import collection_paused
from simcore.model.policy import Policy, PolicyRef
from simcore.model.profile import UPSTREAM, Profile

from .clusters.kubernetes import Collector
from .clusters.plugins import Guess
from .clusters.repeats import Repeat, repeated_message, warn_of_repeats
from .dialects import DIALECTS
from .documents import Document
from .files import Source, find_sources
from .kinds import misspelt, unmodelled
from .originals import Originals
from .policysets import DocumentPile, PolicySet, leans_on_others
from .reader import NOT_KUBERNETES, Skipped, read_given, read_sources

if TYPE_CHECKING:
    from .reader import Given


@dataclass(frozen=True)
class Snapshot:
    """What a set of manifests says.

    Attributes
    ----------
    cluster : Cluster
        Namespaces, pods, nodes and services.
    policies : tuple of Policy
        Sorted by name; staged ones are among them.
    ignored : mapping of str to int
        How many objects of kinds that play no part were left out, such as ``v1 ConfigMap``.
    diagnostics : tuple of Diagnostic
        Warnings.
    written : PolicySet
        The policies as they were written, for edits.
    plugin : Guess or None
        The network plugin that the cluster seems to run.
    """

    cluster: Cluster
    policies: tuple[Policy, ...]
    ignored: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    diagnostics: tuple[Diagnostic, ...] = ()
    written: PolicySet = field(default_factory=PolicySet)
    plugin: Guess | None = None


def load_manifests(
    paths: Sequence[str], *, profile: Profile = UPSTREAM, originals: Originals | None = None
) -> Snapshot:
    """Load a cluster and its policies.

    Parameters
    ----------
    paths : sequence of str
        Files (YAML or JSON, also gzip), folders, ``-`` for standard input.
    profile : Profile
        How policies are read: of its settings `strict_cidr`, and those of Cilium's agent.
    originals : Originals, optional
        Written: the documents of policies.

    Raises
    ------
    LoadError
        With every error of the whole input.
    """
    intake = Intake(profile, originals)
    with collection_paused():
        intake.read(paths, with_cluster=True)
        return intake.snapshot()


def load_policies(
    paths: Sequence[str],
    *,
    beside: Snapshot | None = None,
    profile: Profile = UPSTREAM,
    diagnostics: list[Diagnostic] | None = None,
) -> tuple[Policy, ...]:
    """Load policies alone, sorted by name; objects that are neither policies nor named by them are passed over.

    Parameters
    ----------
    paths : sequence of str
        Files (YAML or JSON, also gzip), folders, ``-`` for standard input.
    beside : Snapshot, optional
        Where the policies are to hold: its namespaces, Services, tiers, groups and the like are what they may name.
    profile : Profile
        How policies are read: of its settings `strict_cidr`, and those of Cilium's agent.
    diagnostics : list of Diagnostic, optional
        Written: warnings.

    Raises
    ------
    LoadError
        With every error of the whole input.
    """
    found: list[Diagnostic] = []
    written = load_policy_set(paths, profile=profile, diagnostics=found)
    cluster, others = (beside.cluster, beside.written) if beside else (Cluster.of((), ()), PolicySet())
    policies = written.standing_in(others).policies(cluster, found, profile=profile)
    raise_errors(found)
    if diagnostics is not None:
        diagnostics += found
    return policies


def load_policy_set(
    paths: Sequence[str],
    *,
    profile: Profile = UPSTREAM,
    diagnostics: list[Diagnostic] | None = None,
    originals: Originals | None = None,
) -> PolicySet:
    """Load policies and what they name, as they are written.

    Parameters
    ----------
    paths : sequence of str
        Files (YAML or JSON, also gzip), folders, ``-`` for standard input.
    profile : Profile
        How policies are read: of its settings `strict_cidr`, and those of Cilium's agent.
    diagnostics : list of Diagnostic, optional
        Written: warnings.
    originals : Originals, optional
        Written: the documents.

    Raises
    ------
    LoadError
        With every error of the whole input.
    """
    intake = Intake(profile, originals)
    with collection_paused():
        intake.read(paths, with_cluster=False)
    intake.finish()
    if diagnostics is not None:
        diagnostics += intake.problems
    return intake.written()


def load_cluster(paths: Sequence[str], *, diagnostics: list[Diagnostic] | None = None) -> Cluster:
    """Load a cluster alone.

    Raises
    ------
    LoadError
        With every error of the whole input, policies included.
    """
    snapshot = load_manifests(paths)
    if diagnostics is not None:
        diagnostics += snapshot.diagnostics
    return snapshot.cluster


def raise_errors(diagnostics: Sequence[Diagnostic]) -> None:
    """Raise the errors among diagnostics together.

    Raises
    ------
    LoadError
        There are any.
    """
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.severity is Severity.ERROR]
    if errors:
        raise LoadError(errors)


class Intake:
    """Takes documents apart into policies, cluster objects and the rest."""

    def __init__(self, profile: Profile, originals: Originals | None = None) -> None:
        self.problems: list[Diagnostic] = []
        self._originals = originals
        self.policies: dict[PolicyRef, Policy] = {}
        self._written: dict[PolicyRef, bytes] = {}
        self.collector = Collector(self.problems)
        self._profile = profile
        self._ignored: Counter[str] = Counter()
        self._skipped = Skipped()
        self.groups: set[str] = set()
        self._unmodelled: dict[str, tuple[int, Document]] = {}
        self._repeats: list[Repeat] = []
        self._pile = DocumentPile(self.problems, self._repeats)

    def read(self, paths: Sequence[str], *, with_cluster: bool) -> None:
        """Read everything."""
        for given in self.read_given(find_sources(paths, self.problems)):
            self.take(given, with_cluster=with_cluster)

    def read_given(self, sources: Iterable[Source]) -> Iterator[Given]:
        """Read the objects of files, those in columns all at once, and yield them without taking them."""
        begin = None if self._originals is None else self._originals.begin
        return read_given(sources, self.problems, self._skipped, begin)

    def read_sources(self, sources: Iterable[Source]) -> Iterator[Document]:
        """Read the documents of files, and yield them without taking them."""
        return read_sources(sources, self.problems, self._skipped)

    def take(self, given: Given, *, with_cluster: bool) -> None:
        """Take one document, or the pods of a file that has them in columns."""
        if isinstance(given, Document):
            if self._originals is not None:
                self._originals.take(given)
            self._take(given, with_cluster)
        elif with_cluster:
            self.collector.add_pods(given)

    def _take(self, document: Document, with_cluster: bool) -> None:
        self.groups.add(_group_of(document))
        if (document.group, document.kind) in DIALECTS:
            self._lower(document)
        elif leans_on_others(document):
            self._pile.add(document)
        elif not Collector.takes(document.group, document.kind):
            self._ignore(document)
        elif with_cluster:
            self.collector.add(document)

    def snapshot(self) -> Snapshot:
        """Make a snapshot of what was taken.

        Raises
        ------
        LoadError
            Anything in the input is in error.
        """
        cluster = self.collector.cluster(self.namespaces)
        written = self.written()
        policies = written.policies(cluster, self.problems, profile=self._profile)
        self.finish()
        plugin = self.collector.plugin(cluster, self.groups)
        return Snapshot(cluster, policies, self.ignored(), tuple(self.problems), written, plugin)

    @property
    def namespaces(self) -> set[str]:
        """The namespaces of policies."""
        return {ref.namespace for ref in self.policies if ref.namespace} | self._pile.namespaces

    def written(self) -> PolicySet:
        """Return the policies as they are written."""
        return PolicySet(tuple(self.policies[ref] for ref in sorted(self.policies)), self._pile.documents)

    def finish(self) -> None:
        """Say what there is to say of the input as a whole.

        Raises
        ------
        LoadError
            Anything in the input is in error.
        """
        warn_of_repeats(self._repeats, self.problems)
        for count, first in self._unmodelled.values():
            self.problems.append(_unmodelled_warning(count, first))
        raise_errors(self.problems)

    def ignored(self) -> Mapping[str, int]:
        """Count what was left out, by kind."""
        counts = dict(sorted(self._ignored.items()))
        if self._skipped.documents:
            counts[NOT_KUBERNETES] = self._skipped.documents
        return MappingProxyType(counts)

    def _lower(self, document: Document) -> None:
        lower = DIALECTS[document.group, document.kind]
        for policy in lower(document, self.problems, profile=self._profile):
            written = msgspec.json.encode(document.value, order="deterministic")
            first = self.policies.setdefault(policy.ref, policy)
            if first is policy:
                self._written[policy.ref] = written
            elif self._written[policy.ref] == written:
                self._repeats.append(Repeat(policy.ref.kind, document.place(), first.place))
            else:
                message = repeated_message(policy.ref.kind, policy.ref.namespace, policy.ref.name, first.place)
                self.problems.append(Diagnostic(Severity.ERROR, document.place(), message))

    def _ignore(self, document: Document) -> None:
        if complaint := misspelt(document.api_version, document.kind):
            self.problems.append(Diagnostic(Severity.ERROR, document.place(("kind",)), complaint))
            return
        label = f"{document.api_version} {document.kind}"
        if unmodelled(document.group, document.kind):
            count, first = self._unmodelled.get(label, (0, document))
            self._unmodelled[label] = count + 1, first
        else:
            self._ignored[label] += 1


def _group_of(document: Document) -> str:
    """Return the API group of an object; of the definition of a custom resource, that of the resource."""
    if document.kind != "CustomResourceDefinition":
        return document.group
    spec = document.value.get("spec") if isinstance(document.value, dict) else None
    group = spec.get("group") if isinstance(spec, dict) else None
    return group if isinstance(group, str) else document.group


def _unmodelled_warning(count: int, first: Document) -> Diagnostic:
    what = f"{first.kind} ({first.api_version})"
    which = "this policy" if count == 1 else f"{count} policies of this kind, this being the first,"
    message = f"{what} is not modelled: verdicts do not take {which} into account and may be wrong for it"
    return Diagnostic(Severity.WARNING, first.place(), message)
