"""Edits of a set of policies: what ``kubectl apply`` and ``kubectl delete`` would make of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches

from simcore.errors import ResolveError
from simcore.model.policy import Policy, PolicyRef

from .dialects.kubernetes import tie_break


def names_of_kind(kind: str) -> tuple[str, str]:
    """Return the singular and the plural of a kind, as kubectl writes them."""
    word = kind.lower()
    return word, f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


_NAMES = {
    "NetworkPolicy": ("netpol", "v1.networking.k8s.io"),
    "AdminNetworkPolicy": ("anp", "v1alpha1.policy.networking.k8s.io"),
    "BaselineAdminNetworkPolicy": ("banp", "v1alpha1.policy.networking.k8s.io"),
    "ClusterNetworkPolicy": ("cnp", "v1alpha2.policy.networking.k8s.io"),
}
"""Short name, version and group of each kind."""
_KINDS = {
    f"{word}{suffix}": kind
    for kind, (short, home) in _NAMES.items()
    for word in (*names_of_kind(kind), short)
    for suffix in ("", f".{home.partition('.')[2]}", f".{home}")
}
"""What kubectl takes for a kind: singular, plural or short, alone, with its group, or with version and group."""
_MOST_LISTED = 5


def apply(policies: Iterable[Policy], edits: Iterable[Policy]) -> tuple[Policy, ...]:
    """Add policies, replacing those of the same kind, namespace and name; the result is sorted by name."""
    result = {policy.ref: policy for policy in policies}
    result.update({policy.ref: policy for policy in edits})
    return tuple(result[ref] for ref in sorted(result))


def delete(policies: Iterable[Policy], name: str, beside: Iterable[PolicyRef] = ()) -> tuple[Policy, ...]:
    """Take one policy away.

    Parameters
    ----------
    policies : iterable of Policy
        The policies in force.
    name : str
        ``KIND/NAMESPACE/NAME``, or ``KIND/NAME`` for a policy of no namespace; KIND in any of kubectl's ways, such as
        ``netpol``, ``anp`` or ``networkpolicies.networking.k8s.io``, capitals no matter.
    beside : iterable of PolicyRef
        What else might have been meant, for the message.

    Raises
    ------
    ResolveError
        There is no such policy; the message lists names that are near.
    """
    given = tuple(policies)
    kind, namespace, own_name = parts_of(name)
    kept = tuple(
        policy
        for policy in given
        if (policy.ref.kind.lower(), policy.ref.namespace, policy.ref.name) != (kind.lower(), namespace, own_name)
    )
    if len(kept) == len(given):
        wanted = _path(PolicyRef(kind, namespace, own_name))
        refs = sorted({*beside, *(policy.ref for policy in given)})
        raise ResolveError(f"there is no policy {wanted}. {_near(refs, namespace, own_name)}")
    return kept


def enforce_staged(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    """Put every staged policy in force, in place of the policy that it stages (CA-71); the result is sorted by name.

    One without rules stages a deletion: what it stages goes.
    """
    given = tuple(policies)
    result = {policy.ref: policy for policy in given if policy.stages is None}
    for policy in given:
        if policy.stages is not None:
            result.pop(policy.stages, None)
            if policy.rules:
                result[policy.stages] = _in_force(policy, policy.stages)
    return tuple(result[ref] for ref in sorted(result))


def _in_force(policy: Policy, ref: PolicyRef) -> Policy:
    """Return a staged policy under the name it has in force, which also decides between policies of equal order."""
    former, own = tie_break(policy.ref), tie_break(ref)
    rules = tuple(
        replace(rule, policy=ref, order=tuple(own if part == former else part for part in rule.order))
        for rule in policy.rules
    )
    return Policy(ref, rules, policy.place)


def parts_of(name: str) -> tuple[str, str, str]:
    """Split ``KIND/NAMESPACE/NAME``, the kind as policies write theirs.

    Raises
    ------
    ResolveError
        It has other parts.
    """
    parts = name.split("/")
    if len(parts) not in (2, 3) or not all(parts):
        raise ResolveError(
            f"{name!r} does not name a policy. Write KIND/NAMESPACE/NAME, such as netpol/shop/web, or KIND/NAME for "
            "one of no namespace, such as anp/web"
        )
    kind, *namespace, own_name = parts
    return _KINDS.get(kind.lower(), kind), "".join(namespace), own_name


def _path(ref: PolicyRef) -> str:
    """Write a name the way `delete` takes it."""
    return "/".join(filter(None, (ref.kind, ref.namespace, ref.name)))


def _near(refs: Sequence[PolicyRef], namespace: str, name: str) -> str:
    if not refs:
        return "There are no policies at all"
    full_names = {f"{ref.namespace}/{ref.name}": ref for ref in refs}
    near = [ref for ref in refs if ref.name == name]
    near = near or [full_names[full] for full in get_close_matches(f"{namespace}/{name}", full_names, n=_MOST_LISTED)]
    shown = [_path(ref) for ref in (near or refs)]
    if near:
        return f"Did you mean {' or '.join(shown[:_MOST_LISTED])}?"
    return f"There are: {', '.join(shown[:_MOST_LISTED])}" + (", ..." if len(shown) > _MOST_LISTED else "")
