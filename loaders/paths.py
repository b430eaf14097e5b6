"""Paths of fields within a document: tuples of keys and positions, how they are written, and how long they may be."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

DEEPEST = 200
"""Most levels of lists and mappings in one document. No Kubernetes object comes near; an API server stops at 10,000."""

TOO_DEEP = f"lists and mappings lie more than {DEEPEST} levels deep in one another. Is this the right file?"

_SIMPLE_KEY = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")


def path_text(path: Path) -> str:
    """Write a path the way the API server does: ``spec.ingress[0].from``, ``metadata.labels[app/x]``."""
    text = ""
    for step in path:
        if isinstance(step, str) and _SIMPLE_KEY.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{step}]"
    return text
