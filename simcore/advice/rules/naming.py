"""Names of proposed policies."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from ...model.cluster import WorkloadRef
from ..proposals import ProposedPolicy


class Names:
    """Gives out names, each once in a namespace.

    Parameters
    ----------
    taken : iterable of (str, str)
        Namespace and name of policies that there are.
    """

    def __init__(self, taken: Iterable[tuple[str, str]] = ()) -> None:
        self._taken = set(taken)

    def named(self, policy: ProposedPolicy) -> ProposedPolicy:
        """Return a policy under its own name, or under one with a number behind it."""
        name = next(name for name in _numbered(policy.name) if (policy.namespace, name) not in self._taken)
        self._taken.add((policy.namespace, name))
        return policy.renamed(name)


def name_of(workloads: Collection[WorkloadRef]) -> str:
    """Name a policy after the workloads it guards: after the first of them."""
    return min(workloads).name.replace("_", "-").lower()


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1
