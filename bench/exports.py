"""From a made-up Hubble export to a what-if, command by command: how long each takes, and how much memory at most."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
LAUNCH = "import sys; from simcore.cli import main; sys.argv[0] = 'flowverdict'; main()"
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Step:
    """One command: its words, the exit code that it should have, and where its answer is kept, if anywhere."""

    words: tuple[str, ...]
    code: int = 0
    answer: str = ""


@dataclass(frozen=True)
class Run:
    """What a command took."""

    seconds: float
    processor: float
    memory: int
    code: int


def steps(lines: str, dialect: str, gone: str) -> Iterator[Step]:
    """Yield the commands; `gone` names a policy to take away, as ``--delete`` takes it."""
    cluster = ("-c", "made-up", "--cni", "cilium")
    yield Step(("generate", "cluster", "--dialect", dialect, "--out", "made-up"))
    yield Step(("generate", "hubble", "-c", "made-up", "--count", lines, "--out", "export.json.gz"))
    yield Step(("convert", "export.json.gz", "-o", "capture.parquet"))
    yield Step(("verify", "capture.parquet", *cluster, "--format", "json"), 0, "agreed.json")
    yield Step(("verify", "capture.parquet", *cluster, "--delete", gone, "--format", "json"), 1, "gone.json")
    yield Step(("replay", "capture.parquet", *cluster, "--format", "json"), 0, "replay.json")
    yield Step(("whatif", "capture.parquet", *cluster, "--delete", gone, "--format", "json"), 0, "whatif.json")


def run(step: Step, folder: Path) -> Run:
    """Run a command in a folder and wait for it."""
    started = perf_counter()
    with (folder / (step.answer or "answer.txt")).open("wb") as answer:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, *step.words], cwd=folder, stdout=answer, env=environment
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, process.returncode)


def told(folder: Path) -> Iterator[str]:
    """Yield what the answers say."""
    for name in ("agreed.json", "gone.json"):
        answer = json.loads((folder / name).read_text("utf-8"))
        yield f"{name}: {answer['agreeing']:,} of {answer['comparable']:,} comparable flows agree"
        yield from (f"    {cause['flows']:,} {cause['cause']}: {cause['meaning']}" for cause in answer["causes"])
    answer = json.loads((folder / "whatif.json").read_text("utf-8"))
    yield f"whatif.json: lost {answer['lost']:,}, gained {answer['gained']:,}, unknown {answer['unknown']:,}"


def main() -> int:
    """Run every command, print a table, and tell whether all ended as they should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", default="2M", help="of the export (2M)")
    parser.add_argument("--dialect", default="cilium", choices=("kubernetes", "cilium"))
    parser.add_argument("--gone", default="netpol/grove-identity/allow-same-namespace", help="the policy to take away")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'command':<18}{'seconds':>9}{'processor':>11}{'peak MB':>9}  code")
        for step in steps(arguments.lines, arguments.dialect, arguments.gone):
            found = run(step, folder)
            failed += found.code != step.code
            figures = f"{found.seconds:>9.1f}{found.processor:>11.1f}{found.memory / MEGABYTE:>9.0f}"
            print(f"{' '.join(step.words[:2])[:17]:<18}{figures}  {found.code}", flush=True)
        print(f"export {(folder / 'export.json.gz').stat().st_size / MEGABYTE:,.0f} MB packed")
        print(*told(folder), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
