"""The fields of objects that tell times, as msgspec structures; whatever stands in them is looked at later."""

from __future__ import annotations

from ..clusters.objects import Struct


class ManagedFields(Struct):
    """Who changed an object, and when last."""

    time: object = None


class Metadata(Struct):
    """Name and times of an object."""

    name: object = None
    namespace: object = None
    uid: object = None
    creation_timestamp: object = None
    deletion_timestamp: object = None
    deletion_grace_period_seconds: object = None
    finalizers: list[str] | None = None
    managed_fields: list[ManagedFields] | None = None


class Terminated(Struct):
    """When a container ended."""

    finished_at: object = None


class Running(Struct):
    """When a container was started."""

    started_at: object = None


class State(Struct):
    """What a container is at."""

    running: Running | None = None
    terminated: Terminated | None = None


class Container(Struct):
    """One container of a pod."""

    state: State | None = None


class Condition(Struct):
    """One condition of an object."""

    last_transition_time: object = None


class Status(Struct):
    """Phase, start and changes of a pod."""

    phase: str | None = None
    start_time: object = None
    conditions: list[Condition] | None = None
    container_statuses: list[Container] | None = None


class TimedObject(Struct):
    """Any object."""

    metadata: Metadata | None = None


class TimedPod(TimedObject):
    """A pod, or another object whose status is written like a pod's."""

    status: Status | None = None
