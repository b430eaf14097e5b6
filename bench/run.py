"""Run the benchmarks and what they are compared with; print the tables, and write them to bench/README.md."""

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import peers, table  # noqa: E402
from bench.clusters import five_tuple_rules, kernel_scenario, matching_flows, random_flows  # noqa: E402
from bench.conftest import FULL, QUICK, Sizes  # noqa: E402


def main() -> int:
    """Run it all; the exit code is pytest's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small data, one round; README.md is left alone")
    parser.add_argument("-k", metavar="EXPRESSION", help="only the benchmarks that pytest selects by this")
    asked = parser.parse_args()
    code, report = run_benchmarks(asked.quick, asked.k)
    if not report:
        return code or 1
    results = table.Results.of(report, None if asked.k else run_dpdk(QUICK if asked.quick else FULL))
    if asked.quick:
        print("Small data: that it runs is what counts here, not the figures.\n")
    print(table.text(results))
    if not code and not asked.quick and not asked.k:
        (ROOT / "bench" / "README.md").write_text(table.readme(results, machine()))
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


def run_dpdk(sizes: Sizes) -> list[table.Peer]:
    """Have DPDK classify random flows, and flows that its rules are about."""
    scenario = kernel_scenario(*sizes.kernel)
    rules = five_tuple_rules(scenario, sizes.dpdk_rules)
    traces = {
        "random": random_flows(scenario, sizes.dpdk_flows),
        "matching": matching_flows(rules, sizes.dpdk_flows),
    }
    return [
        table.Peer(kind, algorithm, speed, len(rules))
        for kind, flows in traces.items()
        for algorithm, speed in peers.run_dpdk(rules, flows, sizes.dpdk_iterations).items()
    ]


def machine() -> list[str]:
    """Tell what it ran on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    packages = ", ".join(f"{name} {version(name)}" for name in ("numba", "numpy", "pyarrow", "msgspec", "PyYAML"))
    lines = [
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()} {platform.machine()}",
        f"Python {platform.python_version()}, {packages}",
    ]
    return lines + ([f"DPDK {found}"] if (found := peers.dpdk_version()) else [])


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    text = information.read_text() if information.exists() else ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown processor"


if __name__ == "__main__":
    sys.exit(main())
