"""Manifest documents made in a test, read the way a user's files are."""

import json
import tempfile
from pathlib import Path

import loaders
from simcore.model.profile import UPSTREAM


def load(*documents, profile=UPSTREAM):
    """The snapshot of documents that were never in a file of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifests.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": documents}), "utf-8")
        return loaders.load_manifests([str(path)], profile=profile)
