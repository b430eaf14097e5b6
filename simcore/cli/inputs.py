"""Loads what a command was given, and tells all that is wrong with any of it at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from ..errors import Diagnostic, LoadError, Place, ResolveError, Severity
from ..model.cluster import Cluster
from ..model.mixtures import mixture_problems
from ..model.plugins import UPSTREAM_PLUGIN, Enforcement, NetworkPlugin, plugin_named
from ..model.policy import Policy, PolicyRef
from ..model.profile import Profile
from ..model.timeline import PolicyHistory
from .console import report_diagnostics, report_ignored, report_staged

if TYPE_CHECKING:
    from loaders import History, Originals, PolicySet, WrittenPart

T = TypeVar("T")
Ask = Callable[[Cluster | None], Iterable[Diagnostic]]
"""Finds what else is wrong with what a command was given, in a cluster, or without one where none can be loaded."""

_Sides = tuple[tuple[Policy, ...], tuple[Policy, ...]]
"""The policies of one time, before and after the change."""


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
    names : tuple of str
        Paths: what domain names stand for.
    enforce_staged : bool
        The change puts staged policies in force, after everything else.
    timeline : bool
        Paths of the cluster may be of several moments, and objects are there at the times that they tell.
    policies_history : str, optional
        Where the policies of each time are read from.
    """

    cluster: tuple[str, ...]
    policies: tuple[str, ...] = ()
    candidate: tuple[str, ...] = ()
    applied: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    enforce_staged: bool = False
    timeline: bool = False
    policies_history: str | None = None

    @property
    def name_a_change(self) -> bool:
        """Whether there is a change at all."""
        return bool(self.candidate or self.applied or self.deleted or self.enforce_staged)


@dataclass(frozen=True, slots=True)
class WantedProfile:
    """What was asked for: a network plugin by name, or None, settings by name and word, and Cilium's version."""

    plugin: str | None = None
    settings: tuple[tuple[str, str], ...] = ()
    cilium_version: str | None = None

    @property
    def reading(self) -> Profile:
        """How policies are read, whatever enforces them."""
        return self.under(plugin_named("cilium").profile)

    def under(self, profile: Profile) -> Profile:
        """Return a profile with the settings that were asked for; those of Cilium's agent only where it has one."""
        if profile.cilium and self.cilium_version:
            profile = replace(profile, cilium=profile.cilium.of_version(self.cilium_version))
        for name, word in self.settings:
            if profile.cilium or name not in Profile.agent_choices():
                profile = profile.with_setting(name, word)
        return profile

    def misplaced(self, plugin: NetworkPlugin) -> list[Diagnostic]:
        """Complain of settings of Cilium's agent where another plugin enforces."""
        if plugin.profile.cilium:
            return []
        asked = [f"--set {name}={word}" for name, word in self.settings if name in Profile.agent_choices()]
        asked += [f"--cilium-version {self.cilium_version}"] if self.cilium_version else []
        message = f"this is for Cilium, and the network plugin is {plugin.name}. Name --cni cilium, or leave it out"
        return [Diagnostic(Severity.ERROR, Place(text), message) for text in asked]


@dataclass(frozen=True, slots=True)
class Inputs:
    """A cluster, and its policies before and after the change; without a change they are the same.

    Attributes
    ----------
    cluster : Cluster
    before_history, after_history : PolicyHistory
        One part each where the policies never change.
    profile : Profile
        How the dataplane judges.
    enforcement : Enforcement
        Whose habits these are, and what it leaves out.
    moments : tuple of str
        What was loaded of which time, a line each.
    unenforced : tuple of Policy
        Policies after the change, of the last time, that the network plugin does not enforce.
    """

    cluster: Cluster
    before_history: PolicyHistory
    after_history: PolicyHistory
    profile: Profile
    enforcement: Enforcement
    moments: tuple[str, ...] = ()
    unenforced: tuple[Policy, ...] = ()

    @property
    def before(self) -> tuple[Policy, ...]:
        """The policies before the change; of a history, the last."""
        return self.before_history[-1][1]

    @property
    def after(self) -> tuple[Policy, ...]:
        """The policies after the change; of a history, the last."""
        return self.after_history[-1][1]

    @property
    def baseline(self) -> tuple[Policy, ...] | PolicyHistory:
        """The policies before the change, with their times where they have any."""
        return self.before if len(self.before_history) == 1 else self.before_history

    @property
    def candidate(self) -> tuple[Policy, ...] | PolicyHistory:
        """The policies after the change, with their times where they have any."""
        return self.after if len(self.after_history) == 1 else self.after_history


class Gathering:
    """Runs loaders one after the other, keeping their errors until all have run.

    Parameters
    ----------
    sources : Sources
        Read at once.
    wanted : WantedProfile
        How the dataplane is to judge.
    originals : Originals, optional
        Written: the documents of the policies before the change.
    """

    def __init__(self, sources: Sources, wanted: WantedProfile, originals: Originals | None = None) -> None:
        from loaders import load_names

        self._sources = sources
        self._originals = originals
        self._wanted = wanted
        self._reading = wanted.reading
        self._errors: list[Diagnostic] = []
        self._warnings: list[Diagnostic] = []
        self._absent: dict[int, list[str]] = {}
        self._has_policies = True
        self._history = self.attempt(self._load_history)
        self._names = self.attempt(lambda: load_names(sources.names)) if sources.names else None
        if originals is not None and sources.policies:
            originals.forget_policies()
        self._policies = self._load(sources.policies, originals)
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
        history = self._history
        if ask is not None:
            self._errors += ask(None if history is None else history.cluster)
        if history is None:
            raise LoadError(dict.fromkeys(self._errors))
        report_ignored(history.ignored)
        found = list(history.diagnostics)
        sides = [self._sides(part, found) for part in history.parts]
        self._errors += self._absent_names(len(history.parts))
        report_staged({policy.ref: policy for before, _ in sides for policy in before}.values())
        if self._sources.enforce_staged:
            sides = self._in_force(sides)
        inputs = self._enforced(history, _shared(sides))
        for _, policies in (*inputs.before_history, *inputs.after_history):
            found += mixture_problems(policies, inputs.profile)
        self._errors += [diagnostic for diagnostic in found if diagnostic.severity is Severity.ERROR]
        report_diagnostics(dict.fromkeys(d for d in (*found, *self._warnings) if d.severity is not Severity.ERROR))
        if self._errors:
            raise LoadError(dict.fromkeys(self._errors))
        return inputs

    def _load_history(self) -> History:
        from loaders import History, load_history, load_manifests

        if self._sources.timeline:
            policies = self._sources.policies_history
            return load_history(self._sources.cluster, policies=policies, profile=self._reading)
        return History.of(load_manifests(self._sources.cluster, profile=self._reading, originals=self._originals))

    def _sides(self, part: WrittenPart, found: list[Diagnostic]) -> _Sides:
        """Return the policies of one time before and after the change."""
        written, before = part.written, part.policies
        if self._policies is not None:
            written = self._policies.standing_in(part.written)
            before = written.policies(part.cluster, found, profile=self._reading)
        if not (self._has_policies and self._sources.name_a_change):
            return before, before
        return before, _kept(before, self._changed(written).policies(part.cluster, found, profile=self._reading))

    def _enforced(self, history: History, sides: list[_Sides]) -> Inputs:
        """Leave out what the network plugin does not enforce."""
        guess = None if self._wanted.plugin else history.plugin
        plugin = plugin_named(self._wanted.plugin or (guess.plugin if guess else UPSTREAM_PLUGIN.name))
        self._errors += self._wanted.misplaced(plugin)
        profile = self._wanted.under(plugin.profile)
        enforces = plugin.enforces_under(profile) or (UPSTREAM_PLUGIN.enforces if profile.enforced else ())
        refs = {policy.ref for side in sides for policies in side for policy in policies if policy.stages is None}
        ignored = Counter(ref.kind for ref in refs if ref.kind not in enforces)
        enforcement = Enforcement(
            plugin,
            evidence=guess.evidence if guess else "",
            is_default=guess is None and self._wanted.plugin is None,
            is_enforced=profile.enforced,
            ignored=dict(sorted(ignored.items())),
        )
        cluster = history.cluster if self._names is None else self._names.given_to(history.cluster, are_all=True)
        before, after = (
            PolicyHistory.of(
                (part.stretch[0], tuple(p for p in side[number] if p.ref.kind in enforces) if ignored else side[number])
                for part, side in zip(history.parts, sides, strict=True)
            )
            for number in (0, 1)
        )
        left_out = tuple(p for p in sides[-1][1] if p.stages is None and p.ref.kind not in enforces)
        return Inputs(cluster, before, after, profile, enforcement, history.moments, left_out)

    def _load(self, paths: tuple[str, ...], originals: Originals | None = None) -> PolicySet | None:
        """Load policies alone; None where no path is given."""
        from loaders import load_policy_set

        if not paths:
            return None
        found = self.attempt(
            lambda: load_policy_set(paths, profile=self._reading, diagnostics=self._warnings, originals=originals)
        )
        self._has_policies &= found is not None
        return found

    def _changed(self, written: PolicySet) -> PolicySet:
        if self._candidate is not None:
            written = self._candidate.standing_in(written)
        for number, name in enumerate(self._sources.deleted):
            try:
                written = written.deleted(name)
            except ResolveError as error:
                self._absent.setdefault(number, []).append(str(error))
        return written.applied(self._applied) if self._applied else written

    def _absent_names(self, parts: int) -> Iterator[Diagnostic]:
        """Complain of policies to delete that are there at no time."""
        for number, messages in self._absent.items():
            if len(messages) == parts:
                place = Place(f"--delete {self._sources.deleted[number]}")
                yield Diagnostic(Severity.ERROR, place, messages[-1])

    def _in_force(self, sides: list[_Sides]) -> list[_Sides]:
        from loaders import enforce_staged

        if self._has_policies and all(policy.stages is None for _, after in sides for policy in after):
            message = "there is no staged policy. Leave the option out, or load the policies that are staged"
            self._errors.append(Diagnostic(Severity.ERROR, Place("--enforce-staged"), message))
        return [(before, enforce_staged(after)) for before, after in sides]


def _kept(before: tuple[Policy, ...], after: tuple[Policy, ...]) -> tuple[Policy, ...]:
    """Return `after`, with the very objects of `before` where they are equal: what both sides share is held once."""
    known = {policy.ref: policy for policy in before}
    return tuple(known[policy.ref] if known.get(policy.ref) == policy else policy for policy in after)


def _shared(sides: list[_Sides]) -> list[_Sides]:
    """Return the policies of all times, each that says what it said before being the very object of before.

    Snapshots hold the same policies in different places.
    """
    if len(sides) == 1:
        return sides
    known: tuple[dict[PolicyRef, Policy], ...] = {}, {}
    return [(_first(before, known[0]), _first(after, known[1])) for before, after in sides]


def _first(policies: tuple[Policy, ...], known: dict[PolicyRef, Policy]) -> tuple[Policy, ...]:
    for policy in policies:
        former = known.get(policy.ref)
        if former is None or (former is not policy and _placeless(former) != _placeless(policy)):
            known[policy.ref] = policy
    return tuple(known[policy.ref] for policy in policies)


def _placeless(policy: Policy) -> Policy:
    nowhere = Place("")
    return replace(policy, place=nowhere, rules=tuple(replace(rule, place=nowhere) for rule in policy.rules))
