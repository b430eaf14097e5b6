"""Paths of fields within a document: tuples of keys and positions, and how they are written."""

from __future__ import annotations

import re

Path = tuple[str | int, ...]

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
