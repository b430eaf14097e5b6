"""Traces of Calico's policies, as objects or as lines of text: which policy decided."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from simcore.model.schema import MID_STREAM

from ..records.tabling import name_of, part, text_of

_CALICO = ".projectcalico.org"
_KINDS = {
    "np": f"NetworkPolicy{_CALICO}",
    "gnp": f"GlobalNetworkPolicy{_CALICO}",
    "knp": "NetworkPolicy",
    "kcnp": "ClusterNetworkPolicy",
    "kanp": "AdminNetworkPolicy",
    "kbanp": "BaselineAdminNetworkPolicy",
}
"""Kinds of policies that decide, by the short names of texts."""

_LONG = {
    "CalicoNetworkPolicy": "np",
    "GlobalNetworkPolicy": "gnp",
    "StagedNetworkPolicy": "snp",
    "StagedGlobalNetworkPolicy": "sgnp",
    "StagedKubernetesNetworkPolicy": "sknp",
    "NetworkPolicy": "knp",
    "AdminNetworkPolicy": "kanp",
    "BaselineAdminNetworkPolicy": "kbanp",
    "Profile": "pro",
    "EndOfTier": "eot",
    "ClusterNetworkPolicy": "kcnp",
}
"""Short names by the kinds of objects, which stand in the order of their numbers from 1."""

_NUMBERED = dict(enumerate(_LONG.values(), 1))
_OTHERS = frozenset(("snp", "sgnp", "sknp", "pro", "eot"))
_PREFIXES = {
    "knp.default.": "knp",
    "kcnp.": "kcnp",
    "kanp.adminnetworkpolicy.": "kanp",
    "kbanp.baselineadminnetworkpolicy.": "kbanp",
}
"""What names of policies of Kubernetes begin with where texts tell no kind."""

_ACTIONS = {"1": "allow", "2": "deny", "3": "pass"}
_VERDICTS = {"allow": "forwarded", "deny": "dropped"}


class Hit(NamedTuple):
    """A policy of a trace.

    Attributes
    ----------
    kind : str
        In short; empty where it is not known.
    """

    kind: str
    namespace: str
    name: str
    action: str

    def __str__(self) -> str:
        """Write as a policy is named everywhere; empty where it is none that is enforced."""
        kind = _KINDS.get(self.kind)
        if kind is None or not self.name:
            return ""
        return f"{kind} {self.namespace}/{self.name}" if self.namespace else f"{kind} {self.name}"


def decider(trace: object) -> str | None:
    """Name the policy whose rule, or whose end of tier, decided; nothing where a profile did, or it is not told."""
    hits = [hit for hit in map(_read, trace) if hit is not None] if isinstance(trace, list) else []
    deciding = [hit for hit in hits if hit.action in _VERDICTS and hit.kind not in ("snp", "sgnp", "sknp")]
    return (str(deciding[-1]) or None) if deciding else None


def sided(reporter: str, action: str, policy: str | None) -> tuple[str | None, str | None, str | None, str | None]:
    """Give a reporter's action, and the policy that decided, to its side.

    Returns
    -------
    tuple
        Verdicts of egress and of ingress, then policies of egress and of ingress.
    """
    verdict = _VERDICTS.get(action)
    if reporter == "src":
        return verdict, None, policy, None
    return (None, verdict, None, policy) if reporter == "dst" else (None, None, None, None)


def opening_of(started: object, action: str) -> str | None:
    """Say that no connection was opened in an interval, so that no policy was asked, where that is told."""
    return MID_STREAM if started in (0, "0") and action == "allow" else None


def _read(value: object) -> Hit | None:
    if isinstance(value, str):
        return _of_text(value)
    return _of_object(value) if isinstance(value, dict) else None


def _of_object(value: Mapping[str, Any]) -> Hit:
    kind, action = _short(value.get("kind")), action_of(value.get("action"))
    told = value
    if kind == "eot":
        told = part(value, "trigger")
        kind = _short(told.get("kind"))
    return Hit(kind, name_of(told.get("namespace")), _bare(kind, name_of(told.get("name"))), action)


def action_of(value: object) -> str:
    """Return an action's word in small letters: one may be written as its number."""
    text = (text_of(value) or "").lower()
    return _ACTIONS.get(text, text)


def _short(kind: object) -> str:
    return _NUMBERED.get(kind, "") if isinstance(kind, int) else _LONG.get(text_of(kind) or "", "")


def _bare(kind: str, name: str) -> str:
    """Take off a name what storage puts before it."""
    if kind in ("np", "gnp"):
        return name.removeprefix("default.") or name
    for prefix, meant in _PREFIXES.items():
        if kind == meant:
            name = name.removeprefix(prefix)
    return name


@lru_cache(65_536)
def _of_text(text: str) -> Hit | None:
    """Read ``index|tier|kind:namespace/name|action|rule``, whose kind older texts leave out."""
    parts = text.split("|")
    if len(parts) < 4:
        return None
    tier, told, action = parts[1], parts[2], parts[3].lower()
    kind, colon, name = told.partition(":")
    if colon and (kind in _KINDS or kind in _OTHERS):
        namespace, _, rest = name.rpartition("/")
        return Hit(kind, namespace, _bare(kind, rest), action)
    return _of_old_text(tier, told, action)


def _of_old_text(tier: str, told: str, action: str) -> Hit:
    namespace, _, name = told.rpartition("/")
    if tier == "__PROFILE__":
        return Hit("pro", "", name, action)
    kind = "np" if namespace else "gnp"
    if "staged:" in told:
        return Hit(f"s{kind}", namespace, name, action)
    kind = next((meant for prefix, meant in _PREFIXES.items() if name.startswith(prefix)), kind)
    return Hit(kind, namespace, _bare(kind, name), action)
