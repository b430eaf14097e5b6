"""The material of the demo: a small shop, a policy change with three mistakes in it, and an hour of traffic."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from .flows import write_rows
from .shop_cluster import shop_documents
from .shop_traffic import shop_traffic
from .yaml_text import yaml_documents

_FLOWS = 200_000
_SEED = 1


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """What `write_demo` wrote.

    Attributes
    ----------
    cluster, policies : Path
        The shop's objects and its current policies.
    change : Path
        Policies to apply on top: some are new, some replace one of the same name.
    capture : Path
        Flows that were seen, in Parquet.
    tests : Path
        Connections with the verdict they must have; all of them hold under the current policies.
    """

    cluster: Path
    policies: Path
    change: Path
    capture: Path
    tests: Path


def write_demo(directory: str | Path) -> DemoFiles:
    """Write the demo's material into a folder, always the same bytes.

    Raises
    ------
    OSError
        The folder cannot be written to.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    written = DemoFiles(
        folder / "cluster.yaml",
        folder / "policies.yaml",
        folder / "change.yaml",
        folder / "flows.parquet",
        folder / "TESTS.yaml",
    )
    documents = shop_documents()
    written.cluster.write_text(yaml_documents(documents), "utf-8", newline="\n")
    for path in (written.policies, written.change, written.tests):
        path.write_bytes(files(__package__).joinpath("shop", path.name).read_bytes())
    write_rows(shop_traffic(documents), _FLOWS, _SEED, written.capture, pods=False, odd=False)
    return written
