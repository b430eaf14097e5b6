"""Pseudonyms of everything that a key file gives them for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from .addresses import Addresses
from .keyfile import KeyFile
from .order import Order
from .words import Words

DEFAULT = "default"
Sort = Literal["policies", "tiers", "hosts", "clusters"]
"""Names of which the order decides something."""
_ORDERED_LETTERS = 8
_POLICIES: Sort = "policies"
_TIERS: Sort = "tiers"
_HOSTS: Sort = "hosts"
_CLUSTERS: Sort = "clusters"
_KEPT_TIERS = ("adminnetworkpolicy", "baselineadminnetworkpolicy", DEFAULT, "kube-admin", "kube-baseline")
_OTHER_TIERS = frozenset(
    (
        *("emergency", "securityops", "networkops", "platform", "application", "baseline", "Emergency"),
        *("SecurityOps", "NetworkOps", "Platform", "Application", "Baseline"),
    )
)
"""Antrea's own tiers, old names included, which nothing sorts by name."""


class Pseudonyms(Words):
    """Pseudonyms that depend on a key file and on what they stand for.

    Parameters
    ----------
    file : KeyFile
        Its secret, and the places that names were given before.

    Attributes
    ----------
    addresses : Addresses
        Those of addresses and blocks.
    shown : set of str
        ``paths``, ``hosts`` or both: texts of HTTP requests that are not hidden, since rules look into their words.
    """

    def __init__(self, file: KeyFile) -> None:
        super().__init__(file.key)
        self._file = file
        self.addresses = Addresses(file.key)
        self.shown = set(file.shown)
        known = file.orders
        self._orders = {
            _POLICIES: Order(known.get(_POLICIES, {}), {DEFAULT: "p"}, lambda name: f"{name}/"),
            _TIERS: Order(known.get(_TIERS, {}), {**{name: name for name in _KEPT_TIERS}, _KEPT_TIERS[-1]: "t"}),
            _HOSTS: Order(known.get(_HOSTS, {}), {}),
            _CLUSTERS: Order(known.get(_CLUSTERS, {}), {DEFAULT: "n"}),
        }

    @classmethod
    def open(cls, path: str) -> Pseudonyms:
        """Take a key file, which is made where it is not there.

        Raises
        ------
        LoadError
            See `KeyFile.open`.
        """
        return cls(KeyFile.open(path))

    def learn(self, sort: Sort, names: Iterable[str]) -> None:
        """Give names that decide by their order their places, many at once."""
        self._orders[sort].learn(name for name in names if not (sort == _TIERS and name in _OTHER_TIERS))

    def policy(self, name: str) -> str:
        """Return the pseudonym of the name of a policy; they sort as the names do."""
        return self._ordered(_POLICIES, name)

    def tier(self, name: str) -> str:
        """Return the pseudonym of a tier, in order; those that plugins make themselves are kept."""
        return name if name in _OTHER_TIERS else self._ordered(_TIERS, name)

    def host(self, name: str) -> str:
        """Return the pseudonym of a host endpoint, in order."""
        return self._ordered(_HOSTS, name)

    def cluster(self, name: str) -> str:
        """Return the pseudonym of a cluster of a mesh, in order; ``default`` is kept."""
        return self._ordered(_CLUSTERS, name)

    def _ordered(self, sort: Sort, name: str) -> str:
        code = self._orders[sort].code(name) if name else ""
        return f"{code}-{self.letters(sort, name, _ORDERED_LETTERS)}" if code else name

    def save(self) -> None:
        """Keep the places that were given, and what is shown, in the key file.

        Raises
        ------
        LoadError
            It cannot be written.
        """
        codes = {str(sort): order.codes for sort, order in self._orders.items() if order.codes}
        self._file.save(codes, frozenset(self.shown))
