"""Policy languages: what each (API group, kind) is lowered by."""

from __future__ import annotations

from typing import Protocol

from simcore.errors import Diagnostic
from simcore.model.policy import Policy

from ..documents import Document
from . import kubernetes


class Lower(Protocol):
    """Turns one document into policies, writing what it finds wrong into `diagnostics`."""

    def __call__(self, document: Document, diagnostics: list[Diagnostic], *, strict_cidr: bool = False) -> list[Policy]:
        """Return the policies; none where the document is invalid."""


DIALECTS: dict[tuple[str, str], Lower] = {
    ("networking.k8s.io", "NetworkPolicy"): kubernetes.lower,
    ("extensions", "NetworkPolicy"): kubernetes.lower,
}
