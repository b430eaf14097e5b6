"""Pseudonyms of names, labels and ports: a name word by word, so that what begins or ends alike still does."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator

from simcore.model.cilium import is_identity_label

from ..clusters.plugins import DAEMON_SETS

KEPT_WORDS = frozenset(["default", "kubernetes", "kube", "system", "k8s", "true", "false"])
"""Words that say nothing of whose cluster it is."""
KEPT_NAMES = frozenset((*["svc", "cluster", "local", "kube-public", "kube-node-lease"], *DAEMON_SETS))
"""Names, and parts of names between dots, of which the same is true; plugins are told by some of them."""
_COMMON_KEYS = frozenset(
    (
        *("app", "name", "tier", "role", "env", "environment", "component", "version", "team", "release"),
        *("chart", "heritage", "instance", "part-of", "managed-by", "k8s-app", "run", "service", "stage"),
        *("track", "zone", "region", "project", "kind", "type", "access", "purpose", "network"),
    )
)
_PUBLIC_HOMES = (".kubernetes.io", ".k8s.io", ".helm.sh", ".cilium.io", ".projectcalico.org", ".antrea.io")
_PUBLIC_KEYS = ("io.kubernetes.", "io.cilium.k8s.")
_NESTED_KEYS = ("io.cilium.k8s.namespace.labels.", "pcns.", "pcsa.")
"""What stands before the key of a label that a pod inherits."""
_SOURCES = ("any", "k8s", "reserved", "node", "cidr", "cidrgroup", "fqdn", "unspec", "gen", "cni", "directory")
_RESERVED = "reserved"
_RESERVED_WORDS = frozenset(
    (
        *("all", "world", "world-ipv4", "world-ipv6", "cluster", "cluster-mesh", "host", "init", "ingress"),
        *("unmanaged", "remote-node", "health", "none", "kube-apiserver"),
    )
)
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_WORD_LETTERS, _PORT_LETTERS, _TEXT_LETTERS = 8, 10, 16
_RUN_DIGITS = 12
_SHORTEST_HIDDEN = 4
"""Numbers at the end of a name are kept up to three digits: they count replicas."""
_LONGEST_LABEL, _LONGEST_ACCOUNT = 63, 62
_WORDS_AT_START = 4
_TOKEN = re.compile(r"[^\W_]+")
_NUMBERS = re.compile(r"\d+(?:[^\w]\d+)+", re.ASCII)


class Words:
    """Gives every word a pseudonym that depends on it and on the key only.

    Parameters
    ----------
    key : bytes
        The secret.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._words: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def letters(self, purpose: str, text: str, number: int) -> str:
        """Return some letters that stand for a text."""
        value = self._number(purpose, text)
        found = []
        for _ in range(number):
            value, rest = divmod(value, len(_LETTERS))
            found.append(_LETTERS[rest])
        return "".join(found)

    def _number(self, purpose: str, text: str) -> int:
        message = f"{purpose}\0{text}".encode(errors="surrogatepass")
        return int.from_bytes(hmac.digest(self._key, message, "sha256"), "big")

    def word(self, text: str) -> str:
        """Return the pseudonym of one word."""
        if text in KEPT_WORDS:
            return text
        found = self._words.get(text)
        if found is None:
            found = self._words[text] = self.letters("word", text, _WORD_LETTERS)
        return found

    def name(self, text: str) -> str:
        """Return the pseudonym of a name, or of the value of a label; equal only where these are.

        One that fits a label, or the name of a service account that pods have as a label, goes on fitting.
        """
        found = self._names.get(text)
        if found is None:
            found = self._names[text] = self._fitted(text)
        return found

    def _fitted(self, text: str) -> str:
        made = self.joined(text)
        most = _LONGEST_ACCOUNT if len(text) <= _LONGEST_ACCOUNT else _LONGEST_LABEL
        if len(text) <= _LONGEST_LABEL and len(made) > most:
            made = self._shortened(text)
        least = min(len(text), _LONGEST_LABEL + 1)
        if least > _LONGEST_ACCOUNT and len(made) < least:
            made += self.letters("padding", text, least - len(made))
        return made

    def _shortened(self, text: str) -> str:
        """Keep apart the first words and the last, by which names are related, and take those between for one."""
        places = list(_TOKEN.finditer(text))
        if len(places) <= _WORDS_AT_START + 1:
            return self.letters("words", text, _WORD_LETTERS)
        start, end = places[_WORDS_AT_START - 1].end(), places[-1].start()
        middle = self.letters("words", text[start:end], _WORD_LETTERS)
        last = self._counted(places[-1][0]) if places[-1][0].isdecimal() else self.word(places[-1][0])
        return f"{self.joined(text[:start])}-{middle}-{last}"

    def joined(self, text: str) -> str:
        """Return the pseudonym of a text of any length, with what stands between its words."""
        return ".".join(self._label(part) for part in _parted(text))

    def _label(self, text: str) -> str:
        """Put words in place of words; several numbers in a row, such as an address, are one."""
        if text in KEPT_NAMES:
            return text
        made, at = [], 0
        for start, end in _words_of(text):
            token = text[start:end]
            made.append(text[at:start])
            is_last = end == len(text) and start > 1 and not text[start - 1].isalnum()
            made.append(self._counted(token) if token.isdecimal() and is_last else self.word(token))
            at = end
        return "".join(made) + text[at:]

    def _counted(self, digits: str) -> str:
        if len(digits) < _SHORTEST_HIDDEN:
            return digits
        return self._run(digits)

    def _run(self, digits: str) -> str:
        return str(self._number("run", digits) % 10**_RUN_DIGITS).zfill(_RUN_DIGITS)

    def port(self, text: str) -> str:
        """Return the pseudonym of the name of a port; numbers, and ranges of them, are no names."""
        if not text or not text.strip("0123456789:"):
            return text
        return self.letters("port", text, _PORT_LETTERS)

    def text(self, text: str) -> str:
        """Return letters that stand for any text as a whole; the empty one stays."""
        return self.letters("text", text, _TEXT_LETTERS) if text else text

    def domain(self, text: str) -> str:
        """Return the pseudonym of a domain name or of a pattern of names; the stars stay."""
        return self.joined(text.lower())

    def web_word(self, text: str) -> str:
        """Return the pseudonym of a word of a path or a host: digits for digits, letters for all others."""
        return self._run(text) if text.isdecimal() else self.word(text)

    def key(self, text: str) -> str:
        """Return the pseudonym of the key of a label; those that many clusters have are kept."""
        source, colon, rest = text.partition(":")
        if colon:
            if source == _RESERVED:
                return f"{source}:{rest if rest in _RESERVED_WORDS else self.name(rest)}"
            return f"{source if source in _SOURCES else self.name(source)}:{self.key(rest)}"
        for prefix in _NESTED_KEYS:
            if text.startswith(prefix):
                return prefix + self.key(text.removeprefix(prefix))
        if text in _COMMON_KEYS or text.startswith(_PUBLIC_KEYS) or not is_identity_label(text):
            return text
        home, slash, own = text.rpartition("/")
        if slash and f".{home}".endswith(_PUBLIC_HOMES):
            return text
        return f"{self.joined(home)}{slash}{self.name(own)}"

    def kind(self, text: str) -> str:
        """Return the pseudonym of the kind of an owner; Kubernetes' own are kept."""
        return text if text in _KINDS else self.letters("kind", text, _WORD_LETTERS).capitalize()


_KINDS = frozenset(
    (
        *("Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job"),
        *("CronJob", "Node", "Service", "Identity", "reserved"),
    )
)


def _parted(text: str) -> list[str]:
    """Part a text at its dots, but for those between numbers."""
    parts = [""]
    for piece in re.split(r"(\.)", text):
        if piece == "." and not _joins_numbers(text, sum(map(len, parts)) + len(parts) - 1):
            parts.append("")
        else:
            parts[-1] += piece
    return parts


def _joins_numbers(text: str, at: int) -> bool:
    before, after = re.search(r"(\w*)\Z", text[:at]), re.match(r"\w*", text[at + 1 :])
    return bool(before and after and before[0].isdecimal() and after[0].isdecimal())


def _words_of(text: str) -> Iterator[tuple[int, int]]:
    """Find words, and runs of numbers that are taken for one."""
    runs = [found.span() for found in _NUMBERS.finditer(text) if _stands_alone(text, *found.span())]
    at = 0
    for start, end in [*runs, (len(text), len(text))]:
        yield from (found.span() for found in _TOKEN.finditer(text, at, start))
        if end > start:
            yield start, end
        at = end


def _stands_alone(text: str, start: int, end: int) -> bool:
    return not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum())
