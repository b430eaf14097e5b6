"""Sets of policies as they were written, which can be edited and lowered again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from simcore.errors import Diagnostic, Severity
from simcore.model.cluster import Cluster
from simcore.model.policy import Policy, PolicyRef
from simcore.model.profile import UPSTREAM, Profile

from .clusters.repeats import Repeat, repeated_message
from .dialects import LANGUAGES
from .dialects.metadata import DEFAULT_NAMESPACE
from .documents import Document
from .edits import apply, delete, names_of_kind, parts_of

_AMBIGUOUS = ("NetworkPolicy", "ClusterNetworkPolicy", "Tier")
"""Kinds of several languages, whose names alone do not do."""
_TOGETHER = frozenset(kind for language in LANGUAGES for kind in language.kinds)
"""Group and kind of everything that is lowered together."""
_Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class PolicySet:
    """Policies as written.

    A policy that stands for itself is kept as it was lowered. Those of languages whose policies lean on other objects
    (tiers, groups, sets of networks) are kept as documents, together with these objects: an edit of a tier changes
    what other policies mean.

    Attributes
    ----------
    lowered : tuple of Policy
        Sorted by name.
    documents : tuple of Document
        In the order in which they were read.
    """

    lowered: tuple[Policy, ...] = ()
    documents: tuple[Document, ...] = ()

    def policies(
        self, cluster: Cluster, diagnostics: list[Diagnostic], *, profile: Profile = UPSTREAM
    ) -> tuple[Policy, ...]:
        """Lower everything against a cluster; the result is sorted by name.

        Parameters
        ----------
        cluster : Cluster
            Its namespaces, nodes and Services are what some languages name.
        diagnostics : list of Diagnostic
            Written: errors and warnings.
        profile : Profile
            How policies are read.
        """
        found = list(self.lowered)
        for language in LANGUAGES:
            own = [document for document in self.documents if _kind(document) in language.kinds]
            if own:
                found += language.lower(own, cluster, diagnostics, profile=profile)
        return tuple(sorted(found, key=lambda policy: policy.ref))

    def applied(self, edits: PolicySet) -> PolicySet:
        """Add what `edits` hold, replacing objects of the same kind, namespace and name."""
        return PolicySet(apply(self.lowered, edits.lowered), _merged(self.documents, edits.documents))

    def standing_in(self, others: PolicySet) -> PolicySet:
        """Return this set in place of `others`, whose tiers, groups and the like it goes on using."""
        resources = [document for document in others.documents if not is_policy(document)]
        return replace(self, documents=_merged(resources, self.documents))

    def deleted(self, name: str) -> PolicySet:
        """Take one policy, tier, group or set of networks away.

        Parameters
        ----------
        name : str
            ``KIND/NAMESPACE/NAME``, or ``KIND/NAME`` for what has no namespace; KIND in any of kubectl's ways.

        Raises
        ------
        ResolveError
            There is nothing of this name.
        """
        kept = tuple(document for document in self.documents if not _is_named(document, name))
        if len(kept) < len(self.documents):
            return replace(self, documents=kept)
        return replace(self, lowered=delete(self.lowered, name, map(_ref, self.documents)))


class DocumentPile:
    """Collects the documents of languages whose policies lean on other objects; each object once."""

    def __init__(self, problems: list[Diagnostic], repeats: list[Repeat]) -> None:
        self._problems = problems
        self._repeats = repeats
        self._found: dict[_Key, Document] = {}

    def add(self, document: Document) -> None:
        """Take one document; a second one of the same name must equal the first."""
        first = self._found.setdefault(_key(document), document)
        if first is document:
            return
        if _encoded(first) == _encoded(document):
            self._repeats.append(Repeat(document.kind, document.place(), first.place()))
        else:
            ref = _ref(document)
            message = repeated_message(document.kind, ref.namespace, ref.name, first.place())
            self._problems.append(Diagnostic(Severity.ERROR, document.place(), message))

    @property
    def documents(self) -> tuple[Document, ...]:
        """What was taken, in order."""
        return tuple(self._found.values())

    @property
    def namespaces(self) -> set[str]:
        """The namespaces that policies name as their own."""
        policies = (_ref(document) for document in self._found.values() if is_policy(document))
        return {ref.namespace for ref in policies if ref.namespace}


def leans_on_others(document: Document) -> bool:
    """Whether an object is of a language whose documents are lowered together."""
    return _kind(document) in _TOGETHER


def is_policy(document: Document) -> bool:
    """Whether such an object is a policy, rather than what policies name."""
    return any(language.kinds.get(_kind(document), False) for language in LANGUAGES)


def _kind(document: Document) -> tuple[str, str]:
    return document.group, document.kind


def _key(document: Document) -> _Key:
    """Return what makes an object the same as another; a missing namespace is ``default``."""
    ref = _ref(document)
    return *_kind(document), "" if ref.namespace == DEFAULT_NAMESPACE else ref.namespace, ref.name


def _ref(document: Document) -> PolicyRef:
    metadata = document.value.get("metadata") if isinstance(document.value, dict) else None
    fields = metadata if isinstance(metadata, dict) else {}
    namespace, name = (fields.get(field) for field in ("namespace", "name"))
    return PolicyRef(
        f"{document.kind}.{document.group}",
        namespace if isinstance(namespace, str) else "",
        name if isinstance(name, str) else "",
    )


def _encoded(document: Document) -> bytes:
    return msgspec.json.encode(document.value, order="deterministic")


def _merged(first: Iterable[Document], second: Iterable[Document]) -> tuple[Document, ...]:
    return tuple({_key(document): document for document in (*first, *second)}.values())


def _is_named(document: Document, name: str) -> bool:
    kind, namespace, own_name = parts_of(name)
    ref, written = _ref(document), name.partition("/")[0]
    if not {kind.lower(), written.lower()} & _words(document) or own_name != ref.name:
        return False
    return namespace in (ref.namespace, ref.namespace or DEFAULT_NAMESPACE)


def _words(document: Document) -> set[str]:
    """List what kubectl takes for the kind of an object: its names alone, with the group, with version and group."""
    group, version = document.group, document.api_version.rpartition("/")[2]
    short = [
        word
        for language in LANGUAGES
        if _kind(document) in language.kinds
        for word, kind in language.short_names.items()
        if kind == document.kind
    ]
    names = (*names_of_kind(document.kind), *short)
    full = {f"{name}.{home}" for name in names for home in (group, f"{version}.{group}")}
    return {*full, *short, *(names if document.kind not in _AMBIGUOUS else ())}
