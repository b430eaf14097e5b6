"""Reads the Kubernetes objects of one file, YAML or JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from simcore.errors import Diagnostic, Place, Severity

from .documents import Document
from .files import PARQUET, Source, find_sources, problem, read_bytes
from .json_source import JsonText, JsonValue, StoredValue, first_too_deep, is_too_deep, list_items
from .paths import TOO_DEEP
from .snapshots.notes import Notes
from .yaml_source import HAS_C_PARSER, Flaw, YamlValue, read_yaml

if TYPE_CHECKING:
    from .snapshots.stored_pods import StoredPods

    Given = Document | StoredPods
    """One object, or the pods of a file that has them in columns."""

Begin = Callable[[str, bytes], None]
NOT_KUBERNETES = "not a Kubernetes object"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_BYTE = re.compile(r" ?\(byte (\d+)\)")
_EXAMPLES = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}
_NO_C_PARSER = (
    "PyYAML was installed without its C extension, so YAML is read about ten times more slowly. "
    "Install a PyYAML wheel for this platform"
)
_NOT_UTF8 = "this is not UTF-8 text. Save it as UTF-8"
_LIST_LEVELS = 2
"""What is around an item of a list: the object, and its ``items``."""
_LIST_KIND = re.compile(r"([A-Z][A-Za-z0-9]*)?List")


@dataclass(slots=True)
class Skipped:
    """How many documents of folders were left out because they are no Kubernetes objects."""

    documents: int = 0


def read_documents(paths: Iterable[str], problems: list[Diagnostic], skipped: Skipped) -> Iterator[Document]:
    """Read every Kubernetes object that `paths` lead to.

    Parameters
    ----------
    paths : iterable of str
        Files, folders (searched through for ``.yaml``, ``.yml`` and ``.json``) and ``-`` for standard input.
    problems : list of Diagnostic
        Written: what cannot be read. Everything else is still yielded.
    skipped : Skipped
        Written: counts documents of folders that are no Kubernetes objects.

    Yields
    ------
    Document
        In the order of the input; lists (``List``, ``PodList``, ...) item by item.
    """
    yield from read_sources(find_sources(paths, problems), problems, skipped)


def read_sources(sources: Iterable[Source], problems: list[Diagnostic], skipped: Skipped) -> Iterator[Document]:
    """Read every Kubernetes object of files; see `read_documents`."""
    for reader in _readers(sources, problems, skipped):
        yield from reader.documents()


def read_given(
    sources: Iterable[Source], problems: list[Diagnostic], skipped: Skipped, begin: Begin | None = None
) -> Iterator[Given]:
    """Read every Kubernetes object of files, those in columns all at once; see `read_documents`.

    `begin` is told the name of each file of YAML or JSON and what it holds, before any object of it is yielded.
    """
    for reader in _readers(sources, problems, skipped, begin):
        yield from reader.given()


def _readers(
    sources: Iterable[Source], problems: list[Diagnostic], skipped: Skipped, begin: Begin | None = None
) -> Iterator[Reader]:
    if not HAS_C_PARSER:
        problems.append(Diagnostic(Severity.WARNING, Place("PyYAML"), _NO_C_PARSER))
    for source in sources:
        yield Reader(source, problems, skipped, begin)


class _Head(msgspec.Struct):
    """What tells one kind of object from another; a list is left undecoded."""

    api_version: object = msgspec.field(name="apiVersion", default=None)
    kind: object = None
    items: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    metadata: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)

    @property
    def is_list(self) -> bool:
        return _is_list_kind(self.kind) and bytes(memoryview(self.items)[:1]) == b"["


class _Named(msgspec.Struct):
    """Metadata that name an object."""

    name: object = None
    namespace: object = None


class _Noted(msgspec.Struct):
    """Metadata of a list."""

    annotations: dict[str, object] = {}


_HEAD = msgspec.json.Decoder(_Head)
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_NAMED = msgspec.json.Decoder(_Named)
_NOTED = msgspec.json.Decoder(_Noted)


class Reader:
    """Reads one file.

    Parameters
    ----------
    source : Source
        The file.
    problems : list of Diagnostic
        Written: what cannot be read, and warnings.
    skipped : Skipped
        Written: documents that are no Kubernetes objects, where the file was met inside a folder.
    begin : callable, optional
        Told the name of the file and what it holds, where that is text.
    """

    def __init__(
        self, source: Source, problems: list[Diagnostic], skipped: Skipped, begin: Begin | None = None
    ) -> None:
        self._source = source
        self._problems = problems
        self._skipped = skipped
        self._begin = begin
        self._number = 0
        self._has_content = False
        self._foreign = 0

    def documents(self) -> Iterator[Document]:
        """Yield the Kubernetes objects of the file, in order."""
        for found in self.given():
            if isinstance(found, Document):
                yield found
            else:
                yield from found.documents()

    def given(self) -> Iterator[Given]:
        """Yield the Kubernetes objects of the file, in order; those in columns all at once."""
        try:
            data = read_bytes(self._source)
        except OSError as error:
            self._report(f"this cannot be read: {error.strerror or error}")
            return
        yield from self._stored(data) if data.startswith(PARQUET) else self.documents_of(data)

    def documents_of(self, data: bytes) -> Iterator[Document]:
        """Yield the Kubernetes objects of YAML or JSON, in order."""
        if b"\0" in data[:4096] and not data.startswith(_UTF16_MARKS):
            self._report("this is a binary file, not YAML or JSON")
            return
        is_json = data[:256].lstrip()[:1] == b"{"
        if is_json and (flaw := _not_utf8(data)) is not None:
            self._report(_NOT_UTF8, data.count(b"\n", 0, flaw) + 1)
            return
        if self._begin is not None:
            self._begin(self._source.name, data)
        yield from self._json(data) if is_json else self._yaml(data)
        if self._foreign:
            self._skipped.documents += self._foreign
            self._warn("this holds no Kubernetes object (no apiVersion and kind), so it is left out")
        elif not self._has_content:
            self._report_empty()

    def _stored(self, data: bytes) -> Iterator[Given]:
        """Read a snapshot in Parquet, whose objects have names in place of lines."""
        from .snapshots.stored import read_stored

        self._has_content = True
        try:
            found = read_stored(data, self._source.name)
        except ValueError as error:
            self._report(str(error))
            return
        for warning in found.notes.warnings():
            self._warn(warning)
        for text in found.texts:
            if is_too_deep(text):
                self._report(f"an object of this snapshot cannot be read: {TOO_DEEP}")
                continue
            try:
                head = _HEAD.decode(text)
            except msgspec.DecodeError as error:
                self._report(f"an object of this snapshot cannot be read: {error}")
                continue
            yield from self._object(head.api_version, head.kind, StoredValue(text, _name_of(head)), in_list=True)
        if len(found.pods):
            yield found.pods

    def _yaml(self, data: bytes) -> Iterator[Document]:
        try:
            text = decoded(data)
        except UnicodeDecodeError as error:
            self._report(_NOT_UTF8, data.count(b"\n", 0, error.start) + 1)
            return
        for found in read_yaml(text):
            self._number += 1
            if isinstance(found, Flaw):
                self._report(found.message, found.line)
            elif found is not None:
                yield from self._yaml_objects(found)

    def _yaml_objects(self, found: YamlValue) -> Iterator[Document]:
        self._has_content = True
        head = found.value if isinstance(found.value, dict) else {}
        items = head.get("items")
        if not (_is_list_kind(head.get("kind")) and isinstance(items, list)):
            yield from self._object(head.get("apiVersion"), head.get("kind"), found)
            return
        self._report_flaws(found)
        api_version, kind = _implied(head.get("apiVersion"), head.get("kind"))
        self._number -= 1
        for position, item in enumerate(items):
            self._number += 1
            own = item if isinstance(item, dict) else {}
            own_version, own_kind = own.get("apiVersion") or api_version, own.get("kind") or kind
            yield from self._object(own_version, own_kind, found.item(position), in_list=True)

    def _json(self, data: bytes) -> Iterator[Document]:
        text, start = JsonText(data), 0
        while start < len(data):
            head, end = self._head(data, start)
            if head is None:
                yield from self._not_json(data, start)
                return
            self._number += 1
            yield from self._json_objects(text, start, end, head)
            start = end

    def _head(self, data: bytes, start: int) -> tuple[_Head | None, int]:
        """Read the JSON text at `start` and say where it ends: several may follow one another."""
        end = len(data)
        try:
            return _HEAD.decode(memoryview(data)[start:end]), end
        except (msgspec.DecodeError, RecursionError) as error:
            match = _BYTE.search(str(error))
            if not (match and "trailing characters" in str(error)):
                return None, end
            end = start + int(match[1]) - 1
        try:
            return _HEAD.decode(memoryview(data)[start:end]), end
        except (msgspec.DecodeError, RecursionError):
            return None, end

    def _json_objects(self, text: JsonText, start: int, end: int, head: _Head) -> Iterator[Document]:
        self._has_content = True
        if not head.is_list:
            value = JsonValue.at(text, start, end)
            if is_too_deep(bytes(value.raw)):
                self._report_depth(text.data, start)
            else:
                yield from self._object(head.api_version, head.kind, value)
            return
        self._warn_of_notes(head.metadata)
        api_version, kind = _implied(head.api_version, head.kind)
        self._number -= 1
        for item in list_items(text, start, end, _ITEMS.decode(head.items)):
            self._number += 1
            if is_too_deep(bytes(item.raw), _LIST_LEVELS):
                self._report(TOO_DEEP, item.first_line)
                continue
            own = self._item_head(item)
            yield from self._object(own.api_version or api_version, own.kind or kind, item, in_list=True)

    def _warn_of_notes(self, metadata: msgspec.Raw) -> None:
        """Pass on what a snapshot tells of itself."""
        try:
            noted = _NOTED.decode(metadata)
        except msgspec.DecodeError:
            return
        for warning in Notes.of(noted.annotations).warnings():
            self._warn(warning)

    def _item_head(self, item: JsonValue) -> _Head:
        try:
            return _HEAD.decode(item.raw)
        except msgspec.DecodeError:
            return _Head()

    def _not_json(self, data: bytes, start: int) -> Iterator[Document]:
        """Try YAML, which may begin with a brace too; where the file says it is JSON, tell the JSON error."""
        if start == 0 and not self._source.path.lower().endswith((".json", ".json.gz")):
            yield from self._yaml(data)
            return
        self._has_content = True
        self._number += 1
        try:
            msgspec.json.decode(memoryview(data)[start:])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            match = _BYTE.search(str(error))
            offset = min(start + int(match[1]), len(data)) if match else len(data.rstrip())
            reason = _BYTE.sub("", str(error)).removeprefix("JSON is malformed: ")
            self._report(f"not valid JSON: {reason}", data.count(b"\n", 0, offset) + 1)
        except RecursionError:
            self._report_depth(data, start)

    def _object(
        self, api_version: object, kind: object, body: YamlValue | JsonValue, *, in_list: bool = False
    ) -> Iterator[Document]:
        """Yield the object, or tell why it is none."""
        if isinstance(api_version, str) and isinstance(kind, str) and api_version and kind:
            if isinstance(body, YamlValue):
                self._report_flaws(body)
            yield Document(self._source.name, self._number, api_version, kind, body)
        elif self._source.from_folder and not in_list and api_version is None and kind is None:
            self._foreign += 1
        else:
            place = Document(self._source.name, self._number, "", "", body).place()
            self._problems.append(Diagnostic(Severity.ERROR, place, _missing_head(api_version, kind, body.value)))

    def _report_depth(self, data: bytes, start: int) -> None:
        self._report(TOO_DEEP, data.count(b"\n", 0, start + first_too_deep(data[start:])) + 1)

    def _report_flaws(self, body: YamlValue) -> None:
        for flaw in body.flaws:
            self._report(flaw.message, flaw.line)

    def _report(self, message: str, line: int = 0) -> None:
        self._has_content = True
        self._problems.append(problem(self._source.name, message, line, self._number))

    def _warn(self, message: str) -> None:
        self._problems.append(replace(problem(self._source.name, message), severity=Severity.WARNING))

    def _report_empty(self) -> None:
        if self._source.from_folder:
            self._warn("there is nothing in this file, so it is left out")
        else:
            self._report("there is nothing in this file. Is it the right one?")


def decoded(data: bytes, errors: str = "strict") -> str:
    """Return the text of a YAML file, whichever encoding it says it is in; `errors` as `bytes.decode` takes it."""
    return data.decode("utf-16" if data.startswith(_UTF16_MARKS) else "utf-8-sig", errors)


def _name_of(head: _Head) -> str:
    """Name an object by kind, namespace and name, as far as it tells them."""
    try:
        metadata = _NAMED.decode(head.metadata)
    except msgspec.DecodeError:
        metadata = _Named()
    names = [name for name in (metadata.namespace, metadata.name) if isinstance(name, str) and name]
    return f"{head.kind} {'/'.join(names)}".rstrip()


def _not_utf8(data: bytes) -> int | None:
    """Return the offset of the first byte that is not of UTF-8; None where there is none."""
    if data.isascii():
        return None
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def _is_list_kind(kind: object) -> bool:
    return isinstance(kind, str) and _LIST_KIND.fullmatch(kind) is not None


def _implied(api_version: object, kind: object) -> tuple[object, object]:
    """Return what the items of a list are where they do not say so: Pods in a PodList."""
    return (None, None) if kind == "List" else (api_version, str(kind).removesuffix("List"))


def _missing_head(api_version: object, kind: object, value: object) -> str:
    if not isinstance(value, dict):
        return "this is not a Kubernetes object: a mapping with apiVersion and kind is expected"
    for name, given in (("apiVersion", api_version), ("kind", kind)):
        if given is not None and not (isinstance(given, str) and given):
            return f"{name} must be text that is not empty, such as {_EXAMPLES[name]}"
    missing = [name for name, given in (("apiVersion", api_version), ("kind", kind)) if given is None]
    examples = " and ".join(f"{name} (such as {_EXAMPLES[name]})" for name in missing)
    return f"this is not a Kubernetes object: it has no {examples}"
