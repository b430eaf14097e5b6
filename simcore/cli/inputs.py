"""Loads what a command was given, and tells all that is wrong with any of it at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ..errors import Diagnostic, LoadError
from ..model.cluster import Cluster
from ..model.policy import Policy
from ..model.profile import Profile
from .console import report_diagnostics, report_ignored

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Inputs:
    """A cluster and the policies in force."""

    cluster: Cluster
    policies: tuple[Policy, ...]


class Gathering:
    """Runs loaders one after the other, keeping their errors until all have run."""

    def __init__(self, profile: Profile) -> None:
        self._strict_cidr = profile.strict_cidr
        self._errors: list[Diagnostic] = []
        self._warnings: list[Diagnostic] = []

    def attempt(self, load: Callable[[], T]) -> T | None:
        """Run a loader; None where it found errors."""
        try:
            return load()
        except LoadError as error:
            self._errors += error.diagnostics
            return None

    def inputs(self, cluster_paths: Sequence[str], policy_paths: Sequence[str]) -> Inputs | None:
        """Load a cluster, and the policies that stand in for its own, if any are given."""
        from loaders import load_manifests

        snapshot = self.attempt(lambda: load_manifests(cluster_paths, strict_cidr=self._strict_cidr))
        policies = self.policies(policy_paths) if policy_paths else None
        if snapshot is None:
            return None
        self._warnings += snapshot.diagnostics
        report_ignored(snapshot.ignored)
        return Inputs(snapshot.cluster, snapshot.policies if policies is None else policies)

    def policies(self, paths: Sequence[str]) -> tuple[Policy, ...] | None:
        """Load policies alone."""
        from loaders import load_policies

        return self.attempt(lambda: load_policies(paths, strict_cidr=self._strict_cidr, diagnostics=self._warnings))

    def finish(self) -> None:
        """Write the warnings.

        Raises
        ------
        LoadError
            Any loader found errors; all of them are in it.
        """
        report_diagnostics(dict.fromkeys(self._warnings))
        if self._errors:
            raise LoadError(dict.fromkeys(self._errors))


def load_inputs(cluster_paths: Sequence[str], policy_paths: Sequence[str], profile: Profile) -> Inputs:
    """Load a cluster, and the policies that stand in for its own, if any are given.

    Raises
    ------
    LoadError
        Anything in the input is in error.
    """
    gathering = Gathering(profile)
    inputs = gathering.inputs(cluster_paths, policy_paths)
    return complete(gathering, inputs)


def complete(gathering: Gathering, value: T | None) -> T:
    """Return a loaded value once everything else was looked at too.

    Raises
    ------
    LoadError
        Anything in the input is in error.
    """
    gathering.finish()
    if value is None:
        raise LoadError(())
    return value
