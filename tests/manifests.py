"""Manifest documents made in a test, read the way a user's files are."""

import json
import tempfile
from pathlib import Path

import loaders


def load(*documents):
    """The snapshot of documents that were never in a file of their own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "manifests.yaml"
        path.write_text("\n---\n".join(map(json.dumps, ["", *documents])).replace('""\n', "", 1), "utf-8")
        return loaders.load_manifests([str(path)])
