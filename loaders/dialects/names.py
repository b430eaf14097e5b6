"""The API server's rules for names, label keys and label values: each check returns a complaint or None."""

from __future__ import annotations

import re
from functools import lru_cache

_LABEL_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PORT_NAME = re.compile(r"[-a-z0-9]+")
_SHORT, _LONG, _PORT_NAME_LENGTH = 63, 253, 15
_LETTERS = "letters, digits, '-', '_' and '.', with a letter or digit at both ends"


@lru_cache(maxsize=4096)
def namespace_complaint(name: str) -> str | None:
    """Check the name of a namespace: a DNS label of RFC 1123."""
    if len(name) > _SHORT:
        return f"{name!r} is longer than {_SHORT} characters"
    if not _LABEL_NAME.fullmatch(name):
        return f"{name!r} is not a namespace name: lower-case letters, digits and '-', no '-' at the ends"
    return None


@lru_cache(maxsize=4096)
def object_name_complaint(name: str) -> str | None:
    """Check the name of an object: a DNS subdomain of RFC 1123."""
    if len(name) > _LONG:
        return f"the name is longer than {_LONG} characters"
    if not _SUBDOMAIN.fullmatch(name):
        return f"{name!r} is not an object name: lower-case letters, digits, '-' and '.' only"
    return None


@lru_cache(maxsize=4096)
def label_key_complaint(key: str) -> str | None:
    """Check a label key: a name of at most 63 characters; a DNS subdomain and ``/`` may stand before it."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not _SUBDOMAIN.fullmatch(prefix) or len(prefix) > _LONG):
        return f"the part of {key!r} before the '/' must be a DNS name in lower case, such as example.com"
    if not name or len(name) > _SHORT:
        return f"the name in the label key {key!r} must have 1 to {_SHORT} characters"
    if not _QUALIFIED.fullmatch(name):
        return f"{key!r} is not a label key: its name takes {_LETTERS}"
    return None


@lru_cache(maxsize=4096)
def label_value_complaint(value: str) -> str | None:
    """Check a label value: empty, or at most 63 characters."""
    if len(value) > _SHORT:
        return f"the label value {value!r} is longer than {_SHORT} characters"
    if value and not _QUALIFIED.fullmatch(value):
        return f"{value!r} is not a label value: it takes {_LETTERS}"
    return None


@lru_cache(maxsize=4096)
def port_name_complaint(name: str) -> str | None:
    """Check the name of a port: an IANA service name."""
    if name.isascii() and name.isdigit():
        return f"{name!r} in quotes is a port name, and a port name needs a letter. Write {name} without quotes"
    if not name:
        return "the port name is empty. Leave port out for every port of the protocol"
    if len(name) > _PORT_NAME_LENGTH:
        return f"the port name {name!r} is longer than {_PORT_NAME_LENGTH} characters"
    if not _PORT_NAME.fullmatch(name):
        return f"{name!r} is not a port name: lower-case letters, digits and '-' only"
    if not any(character.isalpha() for character in name):
        return f"{name!r} is not a port name: it needs a letter"
    if "--" in name or name.startswith("-") or name.endswith("-"):
        return f"{name!r} is not a port name: no '--', and no '-' at the ends"
    return None
