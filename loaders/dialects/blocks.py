"""Address blocks of manifests: ``ipBlock`` (semantics section 6)."""

from __future__ import annotations

from simcore.model.addresses import Cidr
from simcore.model.peers import Network

from .fields import Field

_HOST_BITS = "has bits set beyond its prefix"
_HINTS = {"excepts": "Did you mean except?", "exceptions": "Did you mean except?", "ip": "Did you mean cidr?"}


def read_block(field: Field, *, strict_cidr: bool) -> Network | None:
    """Read a block with its exceptions; None where it is invalid."""
    block = field.mapping(("cidr", "except"), _HINTS)
    where = block.get("cidr")
    cidr = read_cidr(where, strict_cidr=strict_cidr)
    if where.value is None or where.value == "":
        where.error("a CIDR is required, such as 10.0.0.0/8")
    excluded = [
        inner
        for item in block.get("except").items()
        if (inner := _exception(item, cidr, strict_cidr=strict_cidr)) is not None
    ]
    return Network(cidr, tuple(excluded)) if cidr else None


def _exception(item: Field, cidr: Cidr | None, *, strict_cidr: bool) -> Cidr | None:
    if item.value is None or item.value == "":
        item.error("a CIDR is required, such as 10.1.0.0/16. Remove the item if nothing is excepted")
        return None
    inner = read_cidr(item, strict_cidr=strict_cidr)
    if inner is None or cidr is None:
        return None
    if inner.family is not cidr.family:
        item.error(f"{inner} is IPv{inner.family.value}, cidr {cidr} is IPv{cidr.family.value}: keep to one family")
    elif inner == cidr:
        item.error(f"{inner} leaves nothing of cidr {cidr}. Remove the whole peer to allow nothing")
    elif not cidr.covers(inner):
        item.error(f"{inner} is not inside cidr {cidr}. An exception must be a smaller part of it")
    return inner


def read_cidr(field: Field, *, strict_cidr: bool, canonical: bool = False) -> Cidr | None:
    """Read one CIDR; host bits, leading zeros and IPv4-mapped forms are warned of, or refused (NP-15).

    `canonical` refuses the last two in any case, as schemas do that ask for ``isCIDR``.
    """
    text = field.text()
    if not text:
        return None
    plain = without_leading_zeros(text)
    try:
        cidr = Cidr.parse(plain)
    except ValueError as error:
        length = "/128" if ":" in text else "/32"
        field.error(str(error) if "/" in text else f"{error}. For a single address add {length}")
        return None
    if habit := _loose_form(text, plain, cidr):
        message = f"{text} {habit}, so it means {cidr}. Write {cidr}"
        if canonical and habit != _HOST_BITS:
            field.error(f"{text} {habit}, which is refused here. Write {cidr}")
        elif strict_cidr:
            field.error(f"{message}; strict CIDR checking refuses it")
        else:
            field.warn(message)
    return cidr


def without_leading_zeros(text: str) -> str:
    """Drop the zeros that older API servers overlook: ``010.0.0.0/08`` is 10.0.0.0/8 to them."""
    address, slash, length = text.partition("/")
    if slash and length.isascii() and length.isdigit():
        length = str(int(length))
    if ":" not in address:
        octets = address.split(".")
        address = ".".join(str(int(o)) if o.isascii() and o.isdigit() else o for o in octets)
    return address + slash + length


def _loose_form(text: str, plain: str, cidr: Cidr) -> str | None:
    if plain != text:
        return "has leading zeros"
    if ":" in text and cidr.family.value == 4:
        return "is an IPv4 block in IPv6 dress"
    if Cidr.parse(f"{text.partition('/')[0]}/{32 if cidr.family.value == 4 else 128}").network != cidr.network:
        return _HOST_BITS
    return None
