"""Exposure: what workloads let in from, and may send to, pods that do not exist yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...model.cluster import Cluster
from ...model.flows import Verdict
from ...model.policy import Direction, Policy, PolicyRef, Role, Rule
from ...model.profile import Profile
from ...tables.build import build_tables
from ...tables.layout import Kept, Tables
from ..rows import verdicts_of_rows
from .classes import identities_of
from .openings import NameNumbers, Openings, Openness
from .strangers import MARK, Reading, Stranger, meeting, selectors_of, strangers

_RuleKey = tuple[PolicyRef, Direction, str, int]


@dataclass(frozen=True, slots=True)
class Exposed:
    """How far pods of a workload that are bound alike are open in one direction.

    Attributes
    ----------
    workload : str
        ``namespace/Kind/name``.
    pods, total : int
        How many pods it is, and how many the workload has in all.
    example : str
        ``namespace/pod`` of the first of them.
    direction : Direction
        Egress: to strangers; ingress: from them.
    protected : bool
        Whether any policy binds it in this direction.
    anybody : Openness
        What is open to pods of which nothing is known: any pod in any namespace.
    others : tuple of (int, Openness)
        The strangers, by position, to whom something else is open.
    """

    workload: str
    pods: int
    total: int
    example: str
    direction: Direction
    protected: bool
    anybody: Openness
    others: tuple[tuple[int, Openness], ...]


@dataclass(frozen=True)
class Exposure:
    """What all workloads let through to and from strangers.

    Attributes
    ----------
    strangers : tuple of Stranger
        Nothing is known of the first.
    exposed : tuple of Exposed
        By workload, egress first.
    """

    strangers: tuple[Stranger, ...]
    exposed: tuple[Exposed, ...]

    @property
    def unprotected(self) -> tuple[Exposed, ...]:
        """Those that no policy binds."""
        return tuple(one for one in self.exposed if not one.protected)


def exposure(cluster: Cluster, policies: Sequence[Policy], profile: Profile, reading: Reading = "labels") -> Exposure:
    """Tell what workloads let through to and from pods that do not exist yet.

    A stranger is thought of for each selector of the rules, and one of whom nothing is known. Only what binds the
    workload is asked; what would bind the stranger may let through less.

    Parameters
    ----------
    cluster : Cluster
        Of one instant.
    policies : sequence of Policy
    profile : Profile
    reading : {"labels", "selectors"}
        Rules see strangers by the labels of the pods that stand for them, and a workload is told of those whom its
        rules are about. Or rules see what is known of them as it is written, and a workload is told of all of them.

    Raises
    ------
    ValueError
        Rules tell apart so many ports that none is left to stand for those with names.
    """
    policies = [policy for policy in policies if policy.stages is None]
    known = strangers(cluster, policies)
    numbers = NameNumbers(cluster, policies)
    pods = [
        replace(
            one.pod,
            labels={**(one.pod.labels if reading == "labels" else {}), MARK: str(number)},
            ports=numbers.declared(),
        )
        for number, one in enumerate(known)
    ]
    peopled = replace(cluster, pods=(*cluster.pods, *pods))
    met = meeting(policies, [one.known for one in known], reading)
    own = _Own(policies, known) if reading == "labels" else None
    sight = _Sight(build_tables(peopled, met, profile=profile), len(cluster.pods), numbers)
    return Exposure(known, tuple(_exposed(sight, own)))


def _exposed(sight: _Sight, own: _Own | None) -> Iterator[Exposed]:
    """Yield what every workload lets through, pods that are bound alike together."""
    for workload, pods in sight.workloads():
        for direction in Direction:
            groups: dict[tuple[bool, Openness, tuple[tuple[int, Openness], ...]], list[int]] = {}
            for pod in pods:
                rules, open_to = sight.binding(pod, direction), sight.open_to(pod, direction)
                about = own.strangers(rules) if own else range(1, len(open_to))
                others = tuple((each, open_to[each]) for each in about if open_to[each] != open_to[0])
                protected = any(rule.role is not Role.HABIT for rule in rules)
                groups.setdefault((protected, open_to[0], others), []).append(pod)
            for alike, members in groups.items():
                yield Exposed(workload, len(members), len(pods), sight.name(members[0]), direction, *alike)


class _Own:
    """Tells the strangers of rules: those whom their selectors are about."""

    def __init__(self, policies: Iterable[Policy], known: Sequence[Stranger]) -> None:
        numbers = {one.known: number for number, one in enumerate(known)}
        self._of_rule: dict[_RuleKey, set[int]] = {}
        for rule in (rule for policy in policies for rule in policy.rules if rule.role is Role.WRITTEN):
            about = {numbers[each] for each in selectors_of(rule.peer) if numbers.get(each)}
            self._of_rule.setdefault(_key(rule), set()).update(about)
        self._found: dict[tuple[_RuleKey, ...], list[int]] = {}

    def strangers(self, rules: Sequence[Rule]) -> list[int]:
        """Return their positions."""
        keys = tuple(map(_key, rules))
        if keys not in self._found:
            self._found[keys] = sorted({number for key in keys for number in self._of_rule.get(key, ())})
        return self._found[keys]


def _key(rule: Rule) -> _RuleKey:
    return rule.policy, rule.direction, rule.section, rule.index


class _Sight:
    """Reads off tables what pods let through to strangers, who stand behind all pods that exist."""

    def __init__(self, tables: Tables, first: int, numbers: NameNumbers) -> None:
        self._tables = tables
        self._first = first
        self._kept: Kept = tables.kept  # type: ignore[assignment]
        places = [self._identities(pod)[0] for pod in range(first, len(tables.cluster.pods))]
        self._columns = tables.arrays.column_of[:, places].astype(np.int64)
        self._programs = list(self._kept.binding.programs)
        self._verdicts = verdicts_of_rows(tables)
        self._openings = Openings(tables, numbers)
        self._rules: dict[tuple[int, ...], tuple[Rule, ...]] = {}
        self._open: dict[tuple[int, ...], list[Openness]] = {}

    def workloads(self) -> Iterator[tuple[str, list[int]]]:
        """Yield the workloads that exist, each with its pods."""
        found: dict[str, list[int]] = {}
        for number, pod in enumerate(self._tables.cluster.pods[: self._first]):
            if pod.is_plain and not pod.finished:
                found.setdefault(str(pod.workload), []).append(number)
        yield from sorted(found.items())

    def name(self, pod: int) -> str:
        """Name a pod."""
        return self._tables.cluster.pods[pod].full_name

    def binding(self, pod: int, direction: Direction) -> tuple[Rule, ...]:
        """Return the rules that bind a pod."""
        program_of = self._kept.binding.program_of[direction]
        numbers = tuple(sorted({int(program_of[each]) for each in self._identities(pod)}))
        if numbers not in self._rules:
            serials = dict.fromkeys(serial for number in numbers for serial in self._programs[number].rules)
            self._rules[numbers] = tuple(map(self._kept.book.rule, serials))
        return self._rules[numbers]

    def open_to(self, pod: int, direction: Direction) -> list[Openness]:
        """Return how open a pod is to each stranger; where its addresses disagree, it cannot be told."""
        arrays = self._tables.arrays
        starts = tuple(sorted({int(arrays.program_of[direction, each]) for each in self._identities(pod)}))
        if (key := (direction, *starts)) not in self._open:
            found = [self._verdicts[arrays.row_of[start + self._columns[direction]]] for start in starts]
            verdicts = found[0]
            for others in found[1:]:
                verdicts = np.where(verdicts == others, verdicts, np.uint8(Verdict.UNKNOWN))
            self._open[key] = [self._openings.of(row.tobytes()) for row in verdicts]
        return self._open[key]

    def _identities(self, pod: int) -> list[int]:
        return [identity for _, identity in identities_of(self._tables, pod)[0]]
