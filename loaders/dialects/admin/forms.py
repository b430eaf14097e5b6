"""What the three kinds of policy.networking.k8s.io take, where they differ (docs/semantics/admin.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from simcore.model.policy import Action, Tier

GROUP = "policy.networking.k8s.io"


@dataclass(frozen=True, slots=True)
class Form:
    """One kind in the one version that it exists in.

    Attributes
    ----------
    api_version : str
        Group and version.
    tiers : mapping of str to Tier
        The tier by the word of ``spec.tier``; by the empty text where the kind itself says it.
    actions : mapping of str to Action
        By the word of ``action``.
    most : int
        How many rules a direction, peers a rule, and ports a rule there may be.
    ports : str
        The field that narrows a rule to ports.
    has_priority : bool
        Whether ``spec.priority`` is there, and then required.
    only_name : str
        The one name an object may have; empty where any will do.
    has_domain_names : bool
        Whether peers may be given by domain name.
    needs_namespaces : bool
        Whether ``pods`` must say ``namespaceSelector``, be it empty.
    """

    kind: str
    api_version: str
    tiers: Mapping[str, Tier]
    actions: Mapping[str, Action]
    most: int
    ports: str
    has_priority: bool = True
    only_name: str = ""
    has_domain_names: bool = True
    needs_namespaces: bool = True

    @property
    def allow_word(self) -> str:
        """What this kind calls the action that allows."""
        return next(iter(self.actions))

    @property
    def spec_fields(self) -> tuple[str, ...]:
        """The fields of ``spec``."""
        optional = {"tier": "" not in self.tiers, "priority": self.has_priority}
        return (*(name for name, is_there in optional.items() if is_there), "subject", "ingress", "egress")


_DENY = {"Deny": Action.DENY}
_PASS = {"Pass": Action.PASS}

FORMS = {
    form.kind: form
    for form in (
        Form(
            kind="AdminNetworkPolicy",
            api_version=f"{GROUP}/v1alpha1",
            tiers={"": Tier("anp")},
            actions={"Allow": Action.ALLOW, **_DENY, **_PASS},
            most=100,
            ports="ports",
        ),
        Form(
            kind="BaselineAdminNetworkPolicy",
            api_version=f"{GROUP}/v1alpha1",
            tiers={"": Tier("banp")},
            actions={"Allow": Action.ALLOW, **_DENY},
            most=100,
            ports="ports",
            has_priority=False,
            only_name="default",
            has_domain_names=False,
        ),
        Form(
            kind="ClusterNetworkPolicy",
            api_version=f"{GROUP}/v1alpha2",
            tiers={"Admin": Tier("cnp-admin"), "Baseline": Tier("cnp-baseline")},
            actions={"Accept": Action.ALLOW, **_DENY, **_PASS},
            most=25,
            ports="protocols",
            needs_namespaces=False,
        ),
    )
}
"""By kind."""
