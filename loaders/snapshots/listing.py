"""Lists one resource: page by page, all pages of one moment, started over where that moment is no longer to be had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlencode

import msgspec

from .kept import Keep, keep_of
from .kubectl import TRIES, Cause, Kubectl, RequestError
from .resources import Resource
from .writing import JsonObject

PAGE = 500
"""Objects of one answer, as many as kubectl asks for; with the largest of them it bounds memory."""
_SPOOLED = 1 << 24
"""Bytes of what is kept of a resource that stay in memory until all of its pages are there."""


class _ListMetadata(msgspec.Struct):
    version: str = msgspec.field(name="resourceVersion", default="")
    rest: str = msgspec.field(name="continue", default="")


class _Page(msgspec.Struct):
    """One answer; its objects stay undecoded."""

    metadata: _ListMetadata
    items: list[msgspec.Raw] | None


_PAGE = msgspec.json.Decoder(_Page)
_OBJECT = msgspec.json.Decoder(dict[str, Any])
_ENCODE = msgspec.json.Encoder().encode


class Listing:
    """One resource, in one namespace or in all.

    Parameters
    ----------
    kubectl : Kubectl
        Asks the API server.
    resource : Resource
        What to list.
    namespace : str or None
        None: all of them.
    page : int
        Objects of one answer.
    progress : callable
        Called with the number of objects so far.

    Attributes
    ----------
    version : str
        Resource version of the moment that the list shows.
    mistyped : list of str
        What is wrong with objects that cannot be read.
    """

    def __init__(
        self,
        kubectl: Kubectl,
        resource: Resource,
        namespace: str | None = None,
        *,
        page: int = PAGE,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._kubectl = kubectl
        self._resource = resource
        self._namespace = namespace
        self._page = page
        self._progress = progress
        self.version = ""
        self.mistyped: list[str] = []

    def objects(self, version: str) -> Iterator[JsonObject]:
        """Yield what is kept of each object.

        Parameters
        ----------
        version : str
            Resource version of the moment that is wanted; another one is listed where the server has that no more.

        Raises
        ------
        RequestError
            There is no list, before anything is yielded.
        """
        with SpooledTemporaryFile(_SPOOLED) as spool:
            self._fill(spool, version)
            spool.seek(0)
            yield from map(_OBJECT.decode, spool)

    def _fill(self, spool: IO[bytes], version: str) -> None:
        for left in reversed(range(TRIES)):
            try:
                self._attempt(spool, version)
                return
            except RequestError as error:
                too_old = error.cause is Cause.EXPIRED or (version and error.cause is Cause.BROKEN)
                if not too_old or not left:
                    raise
            version = ""

    def _attempt(self, spool: IO[bytes], version: str) -> None:
        spool.seek(0)
        spool.truncate()
        self.mistyped = []
        keep = keep_of(self._resource.group, self._resource.kind)
        query = {"limit": str(self._page)}
        query |= {"resourceVersion": version, "resourceVersionMatch": "Exact"} if version else {}
        count = 0
        while True:
            page = self._answer(query)
            for raw in page.items or ():
                self._keep(raw, keep, spool)
            count += len(page.items or ())
            self._progress(count)
            self.version = page.metadata.version
            if not page.metadata.rest:
                return
            query = {"limit": str(self._page), "continue": page.metadata.rest}

    def _answer(self, query: dict[str, str]) -> _Page:
        """Return one page; an answer that is none is asked for again."""
        path = f"{self._resource.path(self._namespace)}?{urlencode(query)}"
        for _ in range(TRIES):
            try:
                return _PAGE.decode(self._kubectl.get(path))
            except msgspec.DecodeError as error:
                complaint = f"the server's answer is not a list: {error}"
        raise RequestError(Cause.BROKEN, complaint)

    def _keep(self, raw: msgspec.Raw, keep: Keep, spool: IO[bytes]) -> None:
        head = {"apiVersion": self._resource.api_version, "kind": self._resource.kind}
        try:
            spool.write(_ENCODE({**head, **keep(raw)}) + b"\n")
        except msgspec.ValidationError as error:
            self.mistyped.append(str(error))
