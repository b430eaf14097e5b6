"""Policies written out as the access list of a router: five-tuple rules, the first that matches decides."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import numpy as np

from loaders.synthetic.blocks import LISTING
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.cluster import Pod
from simcore.model.policy import Direction, Policy, Role, Rule
from simcore.model.ports import LAST_PORT

from .clusters import SEED, Scenario
from .flows import FiveTuples, networks, plain_pods, source_ports

_SHARE, _LARGE = 50, 100
_EVERYWHERE = Cidr(Family.V4, 0, 0)


@dataclass(frozen=True)
class FiveTupleRule:
    """One line: prefixes, ports and a protocol, None for any; and the rule of a policy that it stands for."""

    source: Cidr
    destination: Cidr
    first_port: int
    last_port: int
    protocol: int | None
    rule: Rule


def access_scenario(scenario: Scenario, most: int) -> tuple[Scenario, list[FiveTupleRule]]:
    """Keep policies that list blocks, drawn, as long as they are no more than `most` lines; return them and the lines.

    No policy takes more than a fiftieth of them (or 100), so that there are many. Of a policy nothing is left out:
    blocks without their exceptions are several prefixes, and isolation is a line a pod at the end. A flow that no line
    matches is of a pod that no policy isolates, and so it is allowed.
    """
    listing = [policy for policy in scenario.policies if policy.ref.name.startswith(LISTING)]
    chosen: list[Policy] = []
    room = most
    for policy in Random(SEED).sample(listing, len(listing)):
        lines = len(_lines(scenario, (policy,)))
        if lines <= min(room, max(most // _SHARE, _LARGE)):
            chosen.append(policy)
            room -= lines
    kept = tuple(policy for policy in scenario.policies if policy in chosen)
    return Scenario(scenario.cluster, kept), _lines(scenario, kept)


def _lines(scenario: Scenario, policies: tuple[Policy, ...]) -> list[FiveTupleRule]:
    """Write policies out in the order in which rules decide: what is written, then isolation."""
    pods: dict[str, list[Pod]] = {}
    for pod in plain_pods(scenario.cluster):
        pods.setdefault(pod.namespace, []).append(pod)
    rules = [(policy, rule) for policy in policies for rule in policy.rules if rule.direction is Direction.EGRESS]
    rules.sort(key=lambda each: each[1].role is Role.ISOLATION)
    lines: list[FiveTupleRule] = []
    isolated: set[Address] = set()
    for policy, rule in rules:
        subjects = [pod for pod in pods.get(policy.ref.namespace, ()) if rule.subject.pods.matches(pod.labels)]
        for pod in subjects:
            own = pod.addresses[0]
            if rule.role is Role.WRITTEN:
                lines += _written(own, rule)
            elif own not in isolated:
                isolated.add(own)
                lines.append(FiveTupleRule(Cidr.containing(own, 32), _EVERYWHERE, 0, LAST_PORT, None, rule))
    return lines


def _written(pod: Address, rule: Rule) -> Iterator[FiveTupleRule]:
    for network in networks((Policy(rule.policy, (rule,), rule.place),)):
        for prefix in _without(network.cidr, network.excluded):
            for port in rule.ports.ranges:
                yield FiveTupleRule(Cidr.containing(pod, 32), prefix, port.first, port.last, port.protocol, rule)


def _without(block: Cidr, excluded: tuple[Cidr, ...]) -> list[Cidr]:
    """Return the prefixes that make up a block less its exceptions."""
    if any(hole.covers(block) for hole in excluded):
        return []
    if not any(block.covers(hole) for hole in excluded):
        return [block]
    length = block.length + 1
    middle = Address(block.family, block.first + (block.last - block.first + 1) // 2)
    halves = Cidr(block.family, block.network, length), Cidr.containing(middle, length)
    return [prefix for half in halves for prefix in _without(half, excluded)]


def matching_flows(lines: list[FiveTupleRule], count: int) -> FiveTuples:
    """Draw flows each of which one of the lines that allow, drawn too, is about."""
    random = np.random.default_rng(SEED)
    lines = [line for line in lines if line.protocol is not None]
    chosen = random.integers(0, len(lines), count)

    def between(first: list[int], last: list[int]) -> np.ndarray:
        return random.integers(np.array(first)[chosen], np.array(last)[chosen], endpoint=True)

    ends = [[line.source for line in lines], [line.destination for line in lines]]
    source, destination = (between([end.first for end in some], [end.last for end in some]) for some in ends)
    return FiveTuples(
        source=source.astype(np.uint32),
        destination=destination.astype(np.uint32),
        source_port=source_ports(count, random),
        port=between([line.first_port for line in lines], [line.last_port for line in lines]).astype(np.uint16),
        protocol=np.array([line.protocol for line in lines], np.uint8)[chosen],
    )
