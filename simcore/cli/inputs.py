"""Loads what a command was given, and tells all that is wrong with any of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..errors import Diagnostic, LoadError, Place, ResolveError, Severity
from ..model.cluster import Cluster
from ..model.mixtures import mixture_problems
from ..model.policy import Policy
from ..model.profile import Profile
from .console import report_diagnostics, report_ignored

if TYPE_CHECKING:
    from loaders import PolicySet

T = TypeVar("T")
Ask = Callable[[Cluster | None], Iterable[Diagnostic]]
"""Finds what else is wrong with what a command was given, in a cluster, or without one where none can be loaded."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where a cluster and its policies are read from.

    Attributes
    ----------
    cluster, policies : tuple of str
        Paths; policies, if any, stand in for those of the cluster.
    candidate, applied : tuple of str
        Paths: the whole set of policies after a change; policies that a change adds or replaces.
    deleted : tuple of str
        Names of policies that a change deletes, before anything is applied.
    """

    cluster: tuple[str, ...]
    policies: tuple[str, ...] = ()
    candidate: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    @property
    def name_a_change(self) -> bool:
        """Whether there is a change at all."""
        return bool(self.candidate or self.applied or self.deleted)


@dataclass(frozen=True, slots=True)
class Inputs:
    """A cluster, and its policies before and after the change; without a change they are the same."""

    cluster: Cluster
    before: tuple[Policy, ...]
    after: tuple[Policy, ...]


class Gathering:
    """Runs loaders one after the other, keeping their errors until all have run.

    Parameters
    ----------
    sources : Sources
        Read at once.
    profile : Profile
        Says how strictly CIDRs are read, and which tiers have an order.
    """

    def __init__(self, sources: Sources, profile: Profile) -> None:
        from loaders import load_manifests

        self._sources = sources
        self._profile = profile
        self._errors: list[Diagnostic] = []
        self._warnings: list[Diagnostic] = []
        self._has_policies = True
        self._snapshot = self.attempt(lambda: load_manifests(sources.cluster, strict_cidr=self._profile.strict_cidr))
        self._policies = self._load(sources.policies)
        self._candidate = self._load(sources.candidate)
        self._applied = self._load(sources.applied)

    def attempt(self, load: Callable[[], T]) -> T | None:
        """Run a loader; None where it found errors, and `finish` will raise them."""
        try:
            return load()
        except LoadError as error:
            self._errors += error.diagnostics
            return None

    def finish(self, ask: Ask | None = None) -> Inputs:
        """Write the warnings and return what was loaded.

        Parameters
        ----------
        ask : callable, optional
            Asked for more errors before any is told.

        Raises
        ------
        LoadError
            Any loader found errors, or a policy to delete is not there; all of them are in it.
        """
        snapshot = self._snapshot
        if ask is not None:
            self._errors += ask(None if snapshot is None else snapshot.cluster)
        if snapshot is None:
            raise LoadError(dict.fromkeys(self._errors))
        report_ignored(snapshot.ignored)
        written, found = snapshot.written, list(snapshot.diagnostics)
        before, after = snapshot.policies, snapshot.policies
        if self._policies is not None:
            written = self._policies.standing_in(snapshot.written)
            before = after = written.policies(snapshot.cluster, found, strict_cidr=self._profile.strict_cidr)
        if self._has_policies and self._sources.name_a_change:
            changed = self._changed(written)
            after = _kept(before, changed.policies(snapshot.cluster, found, strict_cidr=self._profile.strict_cidr))
        for policies in (before, after):
            found += mixture_problems(policies, self._profile)
        self._errors += [diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR]
        report_diagnostics(dict.fromkeys(d for d in (*found, *self._warnings) if d.severity is not Severity.ERROR))
        if self._errors:
            raise LoadError(dict.fromkeys(self._errors))
        return Inputs(snapshot.cluster, before, after)

    def _load(self, paths: tuple[str, ...]) -> PolicySet | None:
        """Load policies alone; None where no path is given."""
        from loaders import load_policy_set

        if not paths:
            return None
        found = self.attempt(
            lambda: load_policy_set(paths, strict_cidr=self._profile.strict_cidr, diagnostics=self._warnings)
        )
        self._has_policies &= found is not None
        return found

    def _changed(self, written: PolicySet) -> PolicySet:
        if self._candidate is not None:
            written = self._candidate.standing_in(written)
        for name in self._sources.deleted:
            try:
                written = written.deleted(name)
            except ResolveError as error:
                self._errors.append(Diagnostic(Severity.ERROR, Place(f"--delete {name}"), str(error)))
        return written.applied(self._applied) if self._applied else written


def _kept(before: tuple[Policy, ...], after: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """Return `after`, with the very objects of `before` where they are equal: what both sides share is held once."""
    known = {policy.ref: policy for policy in before}
    return tuple(known[policy.ref] if known.get(policy.ref) == policy else policy for policy in after)
