"""The file that pseudonyms depend on: a secret, and the order of names that decide by it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from simcore.errors import Diagnostic, LoadError, Place, Severity

_KEY_BYTES = 32
_MODE = 0o600


class _Stored(msgspec.Struct, omit_defaults=True):
    """What stands in the file."""

    key: str
    orders: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    shown: list[str] = msgspec.field(default_factory=list)


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key file.

    Attributes
    ----------
    key : bytes
        The secret.
    orders : mapping of str to mapping of str to str
        Codes that were given to names of policies, tiers and clusters, by these sorts.
    shown : frozenset of str
        Sorts of texts that are not hidden, since rules look into their words.
    """

    path: str
    key: bytes
    orders: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()

    @classmethod
    def open(cls, path: str) -> KeyFile:
        """Read a key file; one that is not there is made, for its owner alone.

        Raises
        ------
        LoadError
            It is no key file, or cannot be read or written.
        """
        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            made = cls(path, secrets.token_bytes(_KEY_BYTES))
            made.save(made.orders, made.shown)
            return made
        except OSError as error:
            raise _failure(path, f"this key file cannot be read: {error.strerror}") from None
        try:
            stored = msgspec.json.decode(data, type=_Stored)
            key = bytes.fromhex(stored.key)
        except (msgspec.DecodeError, ValueError):
            key = b""
        if len(key) < _KEY_BYTES:
            raise _failure(path, "this is no key file of flowverdict's. Name another file: one that is new is made")
        return cls(path, key, stored.orders, frozenset(stored.shown))

    def save(self, orders: Mapping[str, Mapping[str, str]], shown: frozenset[str]) -> None:
        """Write the file, where it is not there yet or holds something else.

        Raises
        ------
        LoadError
            It cannot be written.
        """
        if (orders, shown) == (self.orders, self.shown) and os.path.exists(self.path):
            return
        stored = _Stored(self.key.hex(), {sort: dict(codes) for sort, codes in orders.items() if codes}, sorted(shown))
        partial = f"{self.path}.partial"
        try:
            with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(stored, order="sorted")) + b"\n")
            os.replace(partial, self.path)
        except OSError as error:
            raise _failure(self.path, f"this key file cannot be written: {error.strerror}") from None


def _failure(path: str, message: str) -> LoadError:
    return LoadError([Diagnostic(Severity.ERROR, Place(path), message)])
