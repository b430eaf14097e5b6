"""policyTypes: absent, or at odds with the sections."""

from __future__ import annotations

from collections.abc import Iterator

from ..context import NETWORK_POLICY, LintContext
from ..findings import Finding, Fix, LintRule, Severity
from ..manifests import with_spec


def _absent(context: LintContext) -> Iterator[Finding]:
    for policy, document in context.written(NETWORK_POLICY):
        spec = document.value.get("spec") or {}
        if spec.get("policyTypes"):
            continue
        types = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
        yield Finding(
            "FV007",
            document.place(("spec",)),
            f"policyTypes is absent, so this policy binds {' and '.join(map(str.lower, types))} only by what its "
            "sections hold: removing a section silently changes what it closes.",
            Fix(with_spec(document.value, policyTypes=types)),
            policy=policy.ref,
        )


RULES = (
    LintRule(
        "FV007",
        "policy-types-absent",
        Severity.INFO,
        "A NetworkPolicy does not say which directions it binds.",
        _absent,
    ),
)
