"""When the objects of one snapshot came and went, by what they tell themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from simcore.errors import Diagnostic, Severity
from simcore.model.cluster import Cluster, Pod, Stretch
from simcore.model.names import ALWAYS

from ..documents import Document
from ..paths import Path
from .shapes import Metadata, State, Status, TimedObject, TimedPod
from .times import SECOND, read_time

if TYPE_CHECKING:
    from ..snapshots.stored_pods import StoredPods

LIVING = ("Pod", "Node", "Service")
"""The kinds of which it is known when they were there."""
_NOT_A_TIME = "this is not a time, so it is passed over. Write it as 2026-11-20T10:00:00Z"
_MILLISECOND = SECOND // 1000
_FINISHED = ("Succeeded", "Failed")


def life_of(document: Document, problems: list[Diagnostic]) -> Stretch:
    """Tell when an object came and, of a pod, when it went; `ALWAYS` as far as nothing is told.

    A pod has its address from ``status.startTime`` on, when its kubelet took it up (a static pod's is before its
    creation); other objects are there from their creation on. A finished pod had its address until its last container
    ended; one that is being deleted has it until ``metadata.deletionTimestamp`` at most.

    Parameters
    ----------
    document : Document
        The object.
    problems : list of Diagnostic
        Written: warnings of fields that should tell a time, and do not.
    """
    return _Life(document, problems).stretch()


class _Life:
    """Reads the times of one object; API servers write them without their fractions of a second."""

    def __init__(self, document: Document, problems: list[Diagnostic]) -> None:
        self._document = document
        self._problems = problems

    def stretch(self) -> Stretch:
        wanted = TimedPod if (self._document.group, self._document.kind) == ("", "Pod") else TimedObject
        try:
            found = self._document.decode(wanted)
        except msgspec.ValidationError:
            return ALWAYS
        metadata = found.metadata or Metadata()
        first = self._time(metadata.creation_timestamp, "metadata", "creationTimestamp")
        end = None
        if isinstance(found, TimedPod):
            status = found.status or Status()
            started = self._time(status.start_time, "status", "startTime")
            first = first if started is None else started
            end = self._end(metadata, status)
        stretch = ALWAYS[0] if first is None else first, ALWAYS[1] if end is None else end
        return stretch if stretch[0] < stretch[1] else (stretch[0], stretch[0] + SECOND)

    def _end(self, metadata: Metadata, status: Status) -> int | None:
        deleted = self._time(metadata.deletion_timestamp, "metadata", "deletionTimestamp")
        ends = [deleted] if deleted is not None else []
        if status.phase in _FINISHED or deleted is not None:
            ends += self._stopped(status)
        return min(ends) + SECOND if ends else None

    def _stopped(self, status: Status) -> list[int]:
        """Return when the last container ended; of a pod that has failed without, its last change."""
        containers = [container.state or State() for container in status.container_statuses or ()]
        if containers and all(state.terminated for state in containers):
            return self._last(
                (state.terminated.finished_at, ("status", "containerStatuses", n, "state", "terminated", "finishedAt"))
                for n, state in enumerate(containers)
                if state.terminated
            )
        if status.phase not in _FINISHED:
            return []
        return self._last(
            (condition.last_transition_time, ("status", "conditions", n, "lastTransitionTime"))
            for n, condition in enumerate(status.conditions or ())
        )

    def _last(self, told: Iterable[tuple[object, Path]]) -> list[int]:
        times = [time for value, path in told if (time := self._time(value, *path)) is not None]
        return [max(times)] if times else []

    def _time(self, value: object, *path: str | int) -> int | None:
        if value is None:
            return None
        try:
            return read_time(value if isinstance(value, str) else "")
        except ValueError:
            self._problems.append(Diagnostic(Severity.WARNING, self._document.place(path), _NOT_A_TIME))
            return None


def with_lives(cluster: Cluster, lives: Iterable[tuple[str, str, Stretch]]) -> Cluster:
    """Give a cluster the lives of its objects.

    A finished pod whose end is told becomes one that was there until then.

    Parameters
    ----------
    cluster : Cluster
        Of one moment.
    lives : iterable of (str, str, (int, int))
        Kind, full name, and when it was there.
    """
    told = {(kind, name): stretch for kind, name, stretch in lives if stretch != ALWAYS}
    pods = tuple(_ended(pod, told.get(("Pod", pod.full_name), ALWAYS)) for pod in cluster.pods)
    named = {
        "Pod": [pod.full_name for pod in pods],
        "Node": [node.name for node in cluster.nodes],
        "Service": [f"{service.namespace}/{service.name}" for service in cluster.services],
    }
    found = {
        kind: {n: (told[kind, name],) for n, name in enumerate(names) if (kind, name) in told}
        for kind, names in named.items()
    }
    return replace(cluster, pods=pods, lives=found["Pod"], node_lives=found["Node"], service_lives=found["Service"])


def _ended(pod: Pod, life: Stretch) -> Pod:
    return replace(pod, finished=False) if pod.finished and life[1] < ALWAYS[1] else pod


def lives_of(
    found: Iterator[tuple[tuple[str, str], Document]], problems: list[Diagnostic]
) -> Iterator[tuple[str, str, Stretch]]:
    """Yield kind, full name and life of each object."""
    for (namespace, name), document in found:
        yield document.kind, f"{namespace}/{name}" if namespace else name, life_of(document, problems)


def stored_lives(stored: StoredPods, problems: list[Diagnostic]) -> Iterator[tuple[str, str, Stretch]]:
    """Yield kind, full name and life of each pod that came at a time or went."""
    for (namespace, name), start, document in stored.starts():
        life = (start * _MILLISECOND, ALWAYS[1]) if document is None else life_of(document, problems)
        yield stored.kind, f"{namespace}/{name}", life
