"""Documents as they were written, kept for whoever asks how something is said, and not only what it means."""

from __future__ import annotations

import msgspec

from simcore.errors import Place

from .clusters.kubernetes import CLUSTER_WIDE, DEFAULT_NAMESPACE, Collector
from .dialects import DIALECTS
from .documents import Document
from .policysets import is_policy, leans_on_others
from .reader import decoded


class _Metadata(msgspec.Struct):
    name: object = None
    namespace: object = None


class _Named(msgspec.Struct):
    """What names an object; nothing else of it is decoded."""

    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class Originals:
    """Keeps the documents of policies, and where each namespace is written.

    Attributes
    ----------
    documents : list of Document
        Policies, and what policies of their languages lean on, such as tiers and groups; in the order of the input.
    namespaces : dict of str to Place
        Where each namespace is written; where it is not, the first object in it.
    texts : dict of str to str
        What the files of all these hold, by name; a snapshot in Parquet holds no text.
    """

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.namespaces: dict[str, Place] = {}
        self.texts: dict[str, str] = {}
        self._written: set[str] = set()
        self._data: tuple[str, bytes] | None = None

    def begin(self, file: str, data: bytes) -> None:
        """Take note of what a file holds, before its documents are taken."""
        self._data = file, data

    def take(self, document: Document) -> None:
        """Keep what there is to keep of a document."""
        if _plays_a_part(document):
            self.documents.append(document)
            self._keep_text(document)
        try:
            metadata = document.decode(_Named).metadata
        except msgspec.ValidationError:
            return
        if (document.group, document.kind) == ("", "Namespace"):
            self._take_namespace(document, metadata.name)
            return
        is_within = Collector.takes(document.group, document.kind) and document.kind not in CLUSTER_WIDE
        namespace = metadata.namespace or (DEFAULT_NAMESPACE if is_within else None)
        if isinstance(namespace, str) and namespace not in self.namespaces:
            self.namespaces[namespace] = document.place(("metadata", "namespace"))

    def forget_policies(self) -> None:
        """Let go of the policies taken so far: others stand in for them."""
        self.documents = [document for document in self.documents if not _is_policy(document)]

    def _take_namespace(self, document: Document, name: object) -> None:
        if isinstance(name, str) and name not in self._written:
            self._written.add(name)
            self.namespaces[name] = document.place(("metadata", "name"))
            self._keep_text(document)

    def _keep_text(self, document: Document) -> None:
        if document.file in self.texts or self._data is None or self._data[0] != document.file:
            return
        self.texts[document.file] = decoded(self._data[1], "replace")


def _is_policy(document: Document) -> bool:
    return (document.group, document.kind) in DIALECTS or is_policy(document)


def _plays_a_part(document: Document) -> bool:
    return (document.group, document.kind) in DIALECTS or leans_on_others(document)
