"""Exposure: what workloads let in from, and may send to, pods that do not exist yet."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...model.cluster import Cluster, Pod
from ...model.flows import Verdict
from ...model.policy import Direction, Policy, PolicyRef, Role, Rule
from ...model.ports import PortRange
from ...model.profile import Profile
from ...tables.build import build_tables
from ...tables.layout import Kept, Tables
from ..rows import verdicts_of_rows
from .classes import identities_of, workload_name
from .listing import within
from .openings import NameNumbers, Openings, Openness
from .strangers import FIRST_KNOWN, MARK, SOMEBODY, UNSELECTED, Reading, Stranger, meeting, selectors_of, strangers

_RuleKey = tuple[PolicyRef, Direction, str, int]
_Alike = tuple[bool, Openness, tuple[tuple[int, Openness], ...]]


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
        What is open to any pod in any namespace, whatever its labels; in doubt is what depends on something else.
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
        Those of `SOMEBODY` and `UNSELECTED` first.
    exposed : tuple of Exposed
        By workload, egress first.
    """

    strangers: tuple[Stranger, ...]
    exposed: tuple[Exposed, ...]

    def chosen(self, workloads: Mapping[Direction, Container[str]], ports: PortRange | None = None) -> Exposure:
        """Return that of some workloads in each direction, and on some ports only; names may stand for any port."""
        kept = (one for one in self.exposed if one.workload in workloads.get(one.direction, ()))
        return replace(self, exposed=tuple(_on(one, ports) if ports else one for one in kept))

    @property
    def unprotected(self) -> tuple[Exposed, ...]:
        """Those that no policy binds."""
        return tuple(one for one in self.exposed if not one.protected)


def _on(one: Exposed, ports: PortRange) -> Exposed:
    def narrowed(openness: Openness) -> Openness:
        names = tuple(each for each in openness.names if each[0].protocol == ports.protocol)
        return Openness(within(openness.ports, ports), names)

    anybody = narrowed(one.anybody)
    others = tuple((number, narrowed(openness)) for number, openness in one.others)
    told = tuple(each for each in others if not each[1].is_like(anybody))
    return replace(one, anybody=anybody, others=told)


def exposure(
    cluster: Cluster,
    policies: Sequence[Policy],
    profile: Profile,
    reading: Reading = "labels",
    name: Callable[[Pod], str] = workload_name,
) -> Exposure:
    """Tell what workloads let through to and from pods that do not exist yet.

    Only what binds the workload is asked; what would bind the stranger may let through less.

    Parameters
    ----------
    cluster : Cluster
        Of one instant.
    policies : sequence of Policy
    profile : Profile
    reading : {"labels", "selectors"}
        Rules see strangers by the labels of the pods that stand for them, and a workload is told of those whom its
        rules are about. Or rules see what is known of them as it is written, and a workload is told of all of them.
    name : callable, optional
        Names what a pod belongs to, where that is not `workload_name`.

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
    return Exposure(known, tuple(_exposed(sight, own, name)))


def _exposed(sight: _Sight, own: _Own | None, name: Callable[[Pod], str]) -> Iterator[Exposed]:
    """Yield what every workload lets through, pods that are bound alike together."""
    for workload, pods in sight.workloads(name):
        for direction in Direction:
            groups: dict[_Alike, list[int]] = {}
            for pod in pods:
                rules = sight.binding(pod, direction)
                groups.setdefault(_alike(rules, sight.open_to(pod, direction), own), []).append(pod)
            for alike, members in groups.items():
                yield Exposed(workload, len(members), len(pods), sight.name(members[0]), direction, *alike)


def _alike(rules: Sequence[Rule], open_to: Sequence[Openness], own: _Own | None) -> _Alike:
    anybody = open_to[UNSELECTED]
    if own:
        sure = open_to[SOMEBODY]
        anybody = Openness(replace(anybody.ports, allowed=sure.ports.allowed), sure.names)
    told = own.strangers(rules) if own else range(FIRST_KNOWN, len(open_to))
    others = tuple((number, open_to[number]) for number in told if not open_to[number].is_like(anybody))
    return any(rule.role is not Role.HABIT for rule in rules), anybody, others


class _Own:
    """Tells the strangers of rules: those whom their selectors are about."""

    def __init__(self, policies: Iterable[Policy], known: Sequence[Stranger]) -> None:
        numbers = {one.known: number for number, one in enumerate(known)}
        self._of_rule: dict[_RuleKey, set[int]] = {}
        for rule in (rule for policy in policies for rule in policy.rules if rule.role is Role.WRITTEN):
            about = {numbers[each] for each in selectors_of(rule.peer) if numbers.get(each, 0) >= FIRST_KNOWN}
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


def _kept(tables: Tables) -> Kept:
    if tables.kept is None:
        raise ValueError("what is open to strangers is told from tables that were built, and not unpickled")
    return tables.kept


class _Sight:
    """Reads off tables what pods let through to strangers, who stand behind all pods that exist."""

    def __init__(self, tables: Tables, first: int, numbers: NameNumbers) -> None:
        self._tables = tables
        self._first = first
        self._kept = _kept(tables)
        places = [self._identities(pod)[0] for pod in range(first, len(tables.cluster.pods))]
        self._columns = tables.arrays.column_of[:, places].astype(np.int64)
        self._programs = list(self._kept.binding.programs)
        self._verdicts = verdicts_of_rows(tables)
        self._openings = Openings(tables, numbers)
        self._rules: dict[tuple[int, ...], tuple[Rule, ...]] = {}
        self._open: dict[tuple[int, ...], list[Openness]] = {}

    def workloads(self, name: Callable[[Pod], str]) -> Iterator[tuple[str, list[int]]]:
        """Yield the workloads that exist, each with its pods."""
        found: dict[str, list[int]] = {}
        for number, pod in enumerate(self._tables.cluster.pods[: self._first]):
            if pod.is_plain and not pod.finished:
                found.setdefault(name(pod), []).append(number)
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
