"""What becomes of the fields of an object: a table of handlers for each kind; what no handler is for is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..dialects.blocks import without_leading_zeros
from .patterns import written_pattern
from .pseudonyms import Pseudonyms

Handler = Callable[[Any, "Scribe"], Any]
"""Takes the value of a field, and returns what is to stand there."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class Scribe:
    """Writes values anew, and remembers what there is to say of them.

    Parameters
    ----------
    pseudonyms : Pseudonyms
        Whose pseudonyms are written.
    """

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.names = pseudonyms
        self.kept: dict[str, set[str]] = {}
        self.values: dict[str, set[str]] = {}
        """The values of labels that the input holds, by key."""
        self.doubts: list[str] = []

    def keep(self, sort: str, text: str) -> str:
        """Return a text as it is, and remember that it was not hidden."""
        self.kept.setdefault(sort, set()).add(text)
        return text


def fields(handlers: Mapping[str, Handler]) -> Handler:
    """Write a mapping with those fields only that have handlers."""

    def write(value: Any, scribe: Scribe) -> Any:
        if not isinstance(value, dict):
            return hidden(value, scribe)
        return {name: handler(value[name], scribe) for name, handler in handlers.items() if name in value}

    return write


def each(handler: Handler) -> Handler:
    """Write every item of a list."""

    def write(value: Any, scribe: Scribe) -> Any:
        return [handler(item, scribe) for item in value] if isinstance(value, list) else hidden(value, scribe)

    return write


def text(make: Callable[[Pseudonyms, str], str]) -> Handler:
    """Write a text by one of the sorts of pseudonyms; null, numbers and booleans stay."""

    def write(value: Any, scribe: Scribe) -> Any:
        if isinstance(value, str):
            return make(scribe.names, value)
        return None if isinstance(value, dict | list) else value

    return write


def word(*known: str) -> Handler:
    """Keep a word of a fixed vocabulary; any other text is hidden."""

    def write(value: Any, scribe: Scribe) -> Any:
        return value if isinstance(value, str) and value in known else hidden(value, scribe)

    return write


def kept(sort: str) -> Handler:
    """Keep a text that cannot be hidden, and remember it."""

    def write(value: Any, scribe: Scribe) -> Any:
        return scribe.keep(sort, value) if isinstance(value, str) and value else hidden(value, scribe)

    return write


def pattern(sort: str) -> Handler:
    """Write a regular expression that requests are held against, unless texts of this sort are shown."""

    def write(value: Any, scribe: Scribe) -> Any:
        if not isinstance(value, str):
            return hidden(value, scribe)
        if sort in scribe.names.shown:
            return scribe.keep(f"{sort} of HTTP", value)
        return written_pattern(value, scribe.names.web_word)

    return write


def moment(value: Any, scribe: Scribe) -> Any:
    """Keep a time."""
    return value if isinstance(value, str) and _TIME.fullmatch(value) else None


def nothing(value: Any, scribe: Scribe) -> Any:
    """Keep of a value only that it is there."""
    return {} if isinstance(value, dict) else None if value is None else ""


def labels(value: Any, scribe: Scribe) -> Any:
    """Write labels, or conditions that are written alike."""
    if not isinstance(value, dict):
        return hidden(value, scribe)
    return {scribe.names.key(str(key)): label_value(str(key), item, scribe) for key, item in value.items()}


def label_value(key: str, value: Any, scribe: Scribe) -> Any:
    """Write the value of a label of this key."""
    if isinstance(value, str) and key.endswith(_CLUSTER_KEY):
        return scribe.names.cluster(value)
    return name(value, scribe)


_CLUSTER_KEY = "io.cilium.k8s.policy.cluster"

name = text(Pseudonyms.name)
port = text(Pseudonyms.port)
policy_name = text(Pseudonyms.policy)
tier = text(Pseudonyms.tier)
opaque = text(Pseudonyms.text)
hidden = name
"""What becomes of a value that has another type than it should."""


def domain(value: Any, scribe: Scribe) -> Any:
    """Write a domain name or a pattern; one whose stars stand for parts of words cannot go on meaning the same."""
    if not isinstance(value, str):
        return hidden(value, scribe)
    if _WITHIN_WORD.search(value):
        scribe.doubts.append(
            f"the pattern {value} has stars within words: pseudonyms are made word by word, so it may match other "
            "names, and verdicts that hang on it may change. Write stars for whole words"
        )
    return scribe.names.domain(value)


_WITHIN_WORD = re.compile(r"[^\W_]\*|\*[^\W_]|\*[-.]\d|\d[-.]\*")


def _expression(value: Any, scribe: Scribe) -> Any:
    made = fields({"key": text(Pseudonyms.key), "operator": word(*_OPERATORS), "values": each(name)})(value, scribe)
    if isinstance(value, dict) and isinstance(value.get("values"), list):
        made["values"] = [label_value(str(value.get("key")), item, scribe) for item in value["values"]]
    return made


_OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")

selector = fields({"matchLabels": labels, "matchExpressions": each(_expression)})


def address(value: Any, scribe: Scribe) -> Any:
    """Write an address."""
    return _parsed(value, scribe, scribe.names.addresses.address)


def cidr(value: Any, scribe: Scribe) -> Any:
    """Write a block; zeros that lead an octet are overlooked, as they are where it is read."""
    plain = without_leading_zeros(value) if isinstance(value, str) else value
    return _parsed(plain, scribe, scribe.names.addresses.cidr)


def block_or_address(value: Any, scribe: Scribe) -> Any:
    """Write a block or an address."""
    return (cidr if isinstance(value, str) and "/" in value else address)(value, scribe)


def _parsed(value: Any, scribe: Scribe, make: Callable[[str], str]) -> Any:
    try:
        return make(value) if isinstance(value, str) and value else hidden(value, scribe)
    except ValueError:
        return hidden(value, scribe)


def word_or_number(*known: str) -> Handler:
    """Keep a word of a fixed vocabulary, or a number in quotes; any other text is hidden."""
    of_words = word(*known)

    def write(value: Any, scribe: Scribe) -> Any:
        return value if isinstance(value, str) and value.isdecimal() else of_words(value, scribe)

    return write


number = flag = word()
protocol = word_or_number(
    *("TCP", "UDP", "SCTP", "ICMP", "ICMPv6", "UDPLite", "ANY", "VRRP", "IGMP", "GRE", "IPIP", "IPV6", "ESP", "AH")
)
