"""Who may import whom: the table of ARCHITECTURE.md, read from the imports themselves."""

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("simcore", "loaders")

# A room may import itself and what is named here. `simcore` alone is its __init__.py, the public names.
BOTH_ENGINES = {
    "simcore.model",
    "simcore.errors",
    "simcore.kernels",
    "simcore.tables",
    "simcore.analyses",
    "simcore.reference",
}
MAY_IMPORT = {
    "simcore.errors": set(),
    "simcore.kernels": set(),
    "simcore.model": {"simcore.errors"},
    "simcore.reference": {"simcore.model", "simcore.errors"},
    "simcore.tables": {"simcore.model", "simcore.errors", "simcore.kernels"},
    "simcore.analyses": {"simcore.model", "simcore.errors", "simcore.kernels", "simcore.tables"},
    "simcore.lint": BOTH_ENGINES,
    "simcore.advice": BOTH_ENGINES,
    "simcore.monitoring": {
        "simcore.model",
        "simcore.errors",
        "simcore.kernels",
        "simcore.tables",
        "simcore.analyses",
    },
    "simcore.report": {
        "simcore.model",
        "simcore.errors",
        "simcore.analyses",
        "simcore.lint",
        "simcore.advice",
        "simcore.monitoring",
    },
    "loaders": {"simcore.model", "simcore.errors"},
}
RESULTS = {"simcore.analyses", "simcore.lint", "simcore.advice", "simcore.monitoring"}
"""Rooms whose results are reported."""
EVERYTHING = {*MAY_IMPORT, "simcore"}
MAY_IMPORT["simcore"] = EVERYTHING - {"loaders"}
MAY_IMPORT["simcore.cli"] = EVERYTHING

FILES = sorted(path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """The room a dotted name lies in: `simcore.model.ports.PortSet` lies in `simcore.model`."""
    first, _, rest = module.partition(".")
    room = f"{first}.{rest.partition('.')[0]}"
    return room if room in MAY_IMPORT else first


def imported_names(source: str, path: Path) -> Iterator[tuple[int, str]]:
    """Each import of ours, wherever in the file: its line and its name, relative ones made absolute."""
    package = path.parent.parts
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parent = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*parent, *filter(None, [node.module])])
            names = [f"{origin}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.partition(".")[0] in PACKAGES)


def complaints(source: str, path: Path) -> list[str]:
    """What the rules have against a file's imports."""
    room = room_of(module_of(path))
    found = []
    for line, name in imported_names(source, path):
        target = room_of(name)
        if target != room and target not in MAY_IMPORT[room]:
            found.append(f"{path}:{line}: {room} may not import {name}")
        elif room == "simcore.report" and target in RESULTS and not is_type_name(name):
            found.append(f"{path}:{line}: a report takes only result types from {target}, not {name}")
    return found


def is_type_name(name: str) -> bool:
    return name.rpartition(".")[2][0].isupper()


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_keep_to_the_rooms(path):
    assert complaints((ROOT / path).read_text("utf-8"), path) == []


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_file_is_in_a_room(path):
    module = module_of(path)
    assert module in PACKAGES or room_of(module) != "simcore", f"{path}: give its room a line in MAY_IMPORT"


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("simcore/kernels/reach.py", "from simcore.model.ports import PortSet"),
        ("simcore/kernels/reach.py", "from ..model import ports"),
        ("simcore/kernels/__init__.py", "from .. import model"),
        ("simcore/model/policy.py", "def late():\n    import simcore.tables.build"),
        ("simcore/model/policy.py", "from simcore import Policy"),
        ("simcore/reference.py", "from .tables import build"),
        ("simcore/tables/build.py", "from simcore import reference"),
        ("simcore/analyses/replay.py", "from simcore.cli import main"),
        ("simcore/report/replay.py", "from simcore.analyses.replay import replay"),
        ("simcore/report/lint.py", "from simcore.lint.registry import chosen"),
        ("simcore/lint/running.py", "from simcore.report.lint import lint"),
        ("simcore/lint/context.py", "from loaders.documents import Document"),
        ("simcore/__init__.py", "from simcore.cli import main"),
        ("simcore/errors.py", "import loaders"),
        ("loaders/documents.py", "from simcore.tables.build import build_tables"),
    ],
)
def test_a_forbidden_import_is_seen(path, source):
    assert complaints(source, Path(path))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("simcore/kernels/reach.py", "from .jit import kernel\nimport numpy as np"),
        ("simcore/tables/build.py", "from simcore.kernels import ranges\nfrom ..model import Policy"),
        ("simcore/report/replay.py", "from simcore.analyses.replay import ReplayResult"),
        ("simcore/cli/replay.py", "from simcore import __version__\nfrom loaders import documents"),
        ("loaders/dialects/cilium.py", "from simcore.errors import Place\nfrom ..documents import Document"),
    ],
)
def test_an_allowed_import_is_let_through(path, source):
    assert complaints(source, Path(path)) == []


def test_simcore_offers_public_names_and_nothing_else():
    path = ROOT / "simcore/__init__.py"
    if not path.exists():
        pytest.skip("simcore has no __init__.py yet")
    for node in ast.parse(path.read_text("utf-8")).body:
        lazy = isinstance(node, ast.FunctionDef) and node.name in {"__getattr__", "__dir__"}
        typing = isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign)
        assert lazy or typing or docstring or names, f"line {node.lineno} belongs in a file of its own"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_project_stands_in_for_our_packages(package):
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert str(ROOT / package) in (spec.submodule_search_locations or [])


def test_help_imports_neither_numba_nor_pyarrow():
    entry = ROOT / "simcore/cli/__init__.py"
    if not entry.exists() or "main" not in entry.read_text("utf-8"):
        pytest.skip("simcore has no command yet")
    ask = (
        "import atexit, sys; from simcore.cli import main; sys.argv = ['flowverdict', '--help']; "
        "atexit.register(lambda: print('loaded:', *sorted({'numba', 'pyarrow'} & set(sys.modules)))); main()"
    )
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]
