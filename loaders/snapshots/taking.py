"""Takes a snapshot: every resource that is read, all of one moment where the server allows it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from simcore.errors import Diagnostic, LoadError, Place, Severity

from .kept import keep_of
from .kubectl import PLACE, Cause, Kubectl, RequestError
from .listing import PAGE, Listing
from .notes import Notes
from .resources import READ_GROUPS, Resource, read_resources, wanted
from .writing import JsonObject

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_FATE = "It is left out, and the snapshot says so"


class _Version(msgspec.Struct):
    text: str = msgspec.field(name="groupVersion")


class _Group(msgspec.Struct):
    name: str
    versions: list[_Version]


class _Groups(msgspec.Struct):
    groups: list[_Group]


_GROUPS = msgspec.json.Decoder(_Groups)


@dataclass
class Taking:
    """A snapshot in the taking: `objects` yields what it consists of, and fills in the rest.

    Parameters
    ----------
    kubectl : Kubectl
        Asks the API server.
    namespaces : sequence of str
        Take of these alone; of all where there is none.
    page : int
        Objects of one answer.
    progress : callable
        Called with the number of objects so far.

    Attributes
    ----------
    notes : Notes
        What the snapshot tells of itself.
    counts : Counter of str
        Objects of each resource.
    problems : list of Diagnostic
        Warnings: what could not be listed, and why.
    version : str
        Resource version of the moment that the lists show.
    later : list of str
        Resources whose lists show another moment.
    """

    kubectl: Kubectl
    namespaces: Sequence[str] = ()
    page: int = PAGE
    progress: Callable[[int], None] = lambda _: None
    notes: Notes = field(default_factory=Notes)
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Diagnostic] = field(default_factory=list)
    version: str = ""
    later: list[str] = field(default_factory=list)

    def objects(self) -> Iterator[JsonObject]:
        """Yield the objects, kind by kind, in the order of the server.

        Raises
        ------
        LoadError
            There is no kubectl, no server, no such namespace, or nothing that may be listed.
        """
        for name in self.namespaces:
            if not _NAMESPACE.fullmatch(name):
                raise LoadError.at(Place(f"--namespace {name}"), "this is no name of a namespace. Correct it")
        self.namespaces = tuple(dict.fromkeys(self.namespaces))
        self.notes.namespaces = len(self.namespaces)
        ways = self._ways()
        self.notes.taken_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for resources in ways:
            yield from self._objects_of(resources)
        if not self.counts.total():
            raise LoadError([*self.problems, Diagnostic(Severity.ERROR, PLACE, "there is nothing that may be listed")])

    def _ways(self) -> list[tuple[Resource, ...]]:
        """Ask which resources there are; say which groups do not answer."""
        try:
            listed = read_resources(self.kubectl.resources())
            groups = {group.name: group.versions for group in _GROUPS.decode(self.kubectl.get("/apis")).groups}
        except (RequestError, msgspec.DecodeError) as error:
            text = str(error)
            ended = text if text.endswith((".", "?")) else f"{text}."
            raise LoadError.at(PLACE, f"{ended} This should work first: kubectl api-resources") from None
        for group in sorted((groups.keys() & READ_GROUPS) - {resource.group for resource in listed}):
            for version in groups[group][:1]:
                self._ask_again(group, version.text)
        return wanted(listed, {name: [version.text for version in versions] for name, versions in groups.items()})

    def _ask_again(self, group: str, version: str) -> None:
        """Ask a group that lists no resources why that is: discovery passes over those that do not answer."""
        try:
            self.kubectl.get(f"/apis/{version}")
        except RequestError as error:
            self._miss(group, group, f"this API group does not answer: {error}")

    def _objects_of(self, ways: tuple[Resource, ...]) -> Iterator[JsonObject]:
        """Yield the objects that several resources show, from the first that can be listed."""
        resource = ways[0]
        if self.namespaces and resource.kind == "Namespace":
            yield from self._named_namespaces(resource)
            return
        scopes = self.namespaces if resource.namespaced else ()
        for namespace in scopes or (None,):
            refusals = yield from self._in_scope(ways, namespace)
            if not refusals:
                continue
            if namespace:
                self._miss(f"{resource.name} in {namespace}", f"{resource.name} of a namespace", "; ".join(refusals))
            else:
                self._miss(resource.name, resource.name, "; ".join(refusals))

    def _in_scope(self, ways: tuple[Resource, ...], namespace: str | None) -> Generator[JsonObject, None, list[str]]:
        """Yield the objects of one namespace, or of all; return why there are none."""
        refusals = []
        for resource in ways:
            try:
                yield from self._listed(resource, namespace)
                return []
            except RequestError as error:
                refusals.append(self._refusal(error, resource, namespace))
        return refusals

    def _listed(self, resource: Resource, namespace: str | None) -> Iterator[JsonObject]:
        done = self.counts.total()
        listing = Listing(
            self.kubectl, resource, namespace, page=self.page, progress=lambda count: self.progress(done + count)
        )
        for found in listing.objects(self.version):
            self.counts[resource.name] += 1
            yield found
        self.version = self.version or listing.version
        if listing.version != self.version and resource.name not in self.later:
            self.later.append(resource.name)
        for complaint in listing.mistyped:
            self._miss(resource.kind, f"some {resource.name}", complaint)

    def _refusal(self, error: RequestError, resource: Resource, namespace: str | None) -> str:
        """Put in words why a list is not to be had.

        Raises
        ------
        LoadError
            Nothing else is to be had either.
        """
        if error.cause is Cause.UNREACHABLE:
            raise LoadError.at(PLACE, str(error))
        text = str(error).rstrip(".")
        if error.cause is Cause.REFUSED and resource.namespaced and namespace is None:
            text += ". Name the namespaces whose objects you may list: --namespace"
        return text

    def _named_namespaces(self, resource: Resource) -> Iterator[JsonObject]:
        """Get the namespaces that were asked for, one by one: that takes no right to list them all."""
        keep = keep_of(resource.group, resource.kind)
        for name in self.namespaces:
            try:
                found = keep(msgspec.Raw(self.kubectl.get(f"{resource.path()}/{name}")))
            except msgspec.DecodeError as error:
                self._miss(f"namespace {name}", "a namespace", f"the server's answer is no namespace: {error}")
                continue
            except RequestError as error:
                if error.cause is Cause.ABSENT:
                    raise LoadError.at(Place(f"--namespace {name}"), "there is no such namespace") from None
                self._miss(f"namespace {name}", "a namespace", self._refusal(error, resource, name))
                continue
            self.counts[resource.name] += 1
            yield {"apiVersion": resource.api_version, "kind": resource.kind, **found}

    def _miss(self, name: str, lacks: str, message: str) -> None:
        """Note that something is left out; the snapshot tells it as `lacks`, which names nothing of the cluster's."""
        if lacks not in self.notes.missing:
            self.notes.missing.append(lacks)
        self.problems.append(Diagnostic(Severity.WARNING, Place(name), f"{message.rstrip('.')}. {_FATE}"))
