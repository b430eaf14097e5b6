"""Blocks of addresses, and the groups that hold them (CI-12, CI-13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simcore.model.addresses import Cidr
from simcore.model.peers import Network, PeerSet, any_of

from ..blocks import read_cidr
from ..fields import Field
from ..names import object_name_complaint
from ..selectors import read_selector

_SET_FIELDS = ("cidr", "except", "cidrGroupRef", "cidrGroupSelector")
_HINTS = {"excepts": "Did you mean except?", "group": "Did you mean cidrGroupRef?"}
_PREFIX = "cidrgroup:"


@dataclass(frozen=True, slots=True)
class Group:
    """A CiliumCIDRGroup."""

    name: str
    labels: Mapping[str, str]
    cidrs: tuple[Cidr, ...]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Reads blocks; `groups` are those of the input."""

    groups: Sequence[Group]
    strict_cidr: bool

    def block(self, field: Field) -> Cidr | None:
        """Read one block."""
        if field.value in (None, ""):
            field.error("IP must be specified: a block such as 192.0.2.0/24 belongs here")
            return None
        text = field.text()
        if text is None:
            return None
        try:
            Cidr.parse(text)
        except ValueError as error:
            hint = "" if "/" in text else f". For a single address add {'/128' if ':' in text else '/32'}"
            field.error(f"unable to parse CIDR: {error}{hint}")
            return None
        return read_cidr(field, strict_cidr=self.strict_cidr, canonical=True)

    def network(self, item: Field) -> PeerSet | None:
        """Read an item of ``fromCIDR`` or ``toCIDR``."""
        cidr = self.block(item)
        return Network(cidr) if cidr else None

    def entry(self, item: Field) -> PeerSet | None:
        """Read an item of ``fromCIDRSet`` or ``toCIDRSet``: the blocks it names, less its exceptions."""
        entry = item.mapping(_SET_FIELDS, _HINTS)
        cidr, reference, selector = (entry.get(name) for name in ("cidr", "cidrGroupRef", "cidrGroupSelector"))
        given = [field for field in (cidr, reference, selector) if field.value not in (None, "")]
        if not given:
            item.error("one of cidr, cidrGroupRef, or cidrGroupSelector is required in each item")
            return None
        if len(given) > 1:
            item.error("more than one of cidr, cidrGroupRef, or cidrGroupSelector stands here. Make an item of each")
            return None
        own = self.block(cidr) if given[0] is cidr else None
        excluded = [block for each in entry.get("except").items() if (block := self._exception(each, own)) is not None]
        if given[0] is cidr:
            return Network(own, tuple(excluded)) if own else None
        return self._of_groups(reference, selector, excluded)

    def _exception(self, item: Field, cidr: Cidr | None) -> Cidr | None:
        inner = self.block(item)
        if inner is None or cidr is None:
            return inner
        if not cidr.covers(inner):
            item.error(
                f"allow CIDR prefix {cidr} does not contain exclude CIDR prefix {inner}. An exception must be a part"
            )
        elif inner == cidr:
            item.warn(f"this leaves nothing of {cidr}")
        return inner

    def _of_groups(self, reference: Field, selector: Field, excluded: Sequence[Cidr]) -> PeerSet:
        if reference.value is not None:
            name = reference.text() or ""
            if complaint := object_name_complaint(name):
                reference.error(complaint)
            found = [group for group in self.groups if group.name == name]
            if not found:
                reference.warn(f"there is no CiliumCIDRGroup {name} in the input: this matches nothing. Add it")
        else:
            asked = read_selector(selector, key_complaint=lambda key: None)
            found = [
                group
                for group in self.groups
                if all(r.holds(group.labels.get(r.key.removeprefix(_PREFIX))) for r in asked.requirements)
            ]
            if not found:
                selector.warn("no CiliumCIDRGroup of the input has these labels: this matches nothing")
        return any_of(
            Network(cidr, tuple(block for block in excluded if cidr.covers(block) or block.covers(cidr)))
            for group in found
            for cidr in group.cidrs
        )
