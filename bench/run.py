"""Run the benchmarks and what they are compared with; print the tables, and write them to bench/README.md."""

import argparse
import json
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ROOT / "simcore" / "cli" / "published.json"
sys.path.insert(0, str(ROOT))

from bench import growth, peers, table
from bench.counting import is_installed
from bench.results import Results
from simcore.cli.machine import machine_words


def main() -> int:
    """Run it all; the exit code is pytest's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data, one round; README.md is left alone")
    parser.add_argument("-k", metavar="EXPRESSION", help="only the benchmarks that pytest selects by this")
    asked = parser.parse_args()
    code, report = run_benchmarks(asked.quick, asked.k)
    if not report:
        return code or 1
    results = Results.of(report)
    points = None if asked.k else run_growth(asked.quick)
    if asked.quick:
        print("Small data: that it runs is what counts here, not the figures.\n")
    print(table.text(results, points))
    if points and not code and not asked.quick:
        growth.write(points)
        subprocess.run([sys.executable, "bench/stages.py", "--write"], cwd=ROOT, check=True)
        PUBLISHED.write_text(json.dumps(run_command(), indent=1) + "\n")
        (ROOT / "bench" / "README.md").write_text(table.readme(results, points, machine()))
    return code


def run_benchmarks(quick: bool, expression: str | None) -> tuple[int, dict]:
    """Run the benchmarks in a process of their own; return its exit code and its report."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        command = [sys.executable, "-m", "pytest", "bench", "-q", "-s", "-o", "python_files=bench_*.py"]
        command += ["-p", "no:cacheprovider", "-p", "no:xdist", f"--basetemp={folder}/data"]
        command += ["--benchmark-only", "--benchmark-quiet", f"--benchmark-json={path}"]
        command += ["--quick"] * quick + (["-k", expression] if expression else [])
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        text = path.read_text() if path.exists() else ""
        return code, json.loads(text) if text else {}


def run_growth(quick: bool) -> list[growth.Point]:
    """Measure the curves of growth in a process of their own."""
    command = [sys.executable, "bench/growth.py", *(["--quick"] if quick else [])]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [growth.Point(**point) for point in json.loads(done.stdout)]


def run_command() -> dict[str, dict]:
    """Have the command measure each size: the figures that it will show beside those of users."""
    command = [str(Path(sys.executable).parent / "flowverdict"), "bench", "--format", "json", "--size"]
    found = {}
    for size in ("S", "M", "L"):
        done = subprocess.run([*command, size], check=True, stdout=subprocess.PIPE, text=True)
        found[size] = json.loads(done.stdout) | {"published": None}
    return found


def machine() -> list[str]:
    """Tell what it ran on."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy", "pyarrow", "msgspec", "PyYAML"))
    lines = [
        machine_words(),
        f"Python {platform.python_version()}, {packages}",
    ]
    others = [f"DPDK {found}"] if (found := peers.dpdk_version()) else []
    others += [f"{name} {version(name.lower())}" for name in ("DuckDB", "Polars") if is_installed(name)]
    return [*lines, ", ".join(others)] if others else lines


if __name__ == "__main__":
    sys.exit(main())
