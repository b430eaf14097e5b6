"""What the simulator is measured against."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
from numba import njit

from .access_lists import FiveTupleRule
from .flows import FiveTuples

DPDK = "dpdk-test-acl"
ALGORITHMS = ("scalar", "sse", "avx2", "avx512x16", "avx512x32")
_ANSWER = re.compile(r"^ipv4_5tuple: (\d+), category: 0, result: (\d+)$", re.MULTILINE)
_SPEED = re.compile(r"([\d.]+) pkt/sec")


@njit(nogil=True, cache=True)
def copy_columns(source, destination, source_port, port, protocol, egress, ingress, verdict):
    """Read five columns and write three as judging does, with nothing looked up: the roof of memory and loop."""
    for i in range(source.size):
        mixed = source[i] ^ destination[i]
        egress[0, i] = mixed + port[i]
        ingress[0, i] = mixed + source_port[i]
        verdict[0, i] = protocol[i]


@njit(nogil=True, cache=True)
def copy_packets(
    time,
    source,
    destination,
    source_port,
    port,
    protocol,
    flags,
    length,
    sequence,
    acknowledgement,
    window,
    ct_class,
    ct_state,
    expiry,
):
    """Read the columns of packets and write a class, a state and an expiry, with nothing looked up."""
    for i in range(time.size):
        ct_class[i] = flags[i] ^ protocol[i]
        ct_state[i] = source_port[i] ^ port[i] ^ window[i]
        expiry[i] = time[i] + (source[i] ^ destination[i]) + (sequence[i] ^ acknowledgement[i]) + length[i]


def decode(path: Path, columns: Sequence[str], batch_rows: int, threads: int) -> int:
    """Decode columns of a Parquet file and drop them, one row group a thread; return the rows."""
    with pq.ParquetFile(path) as file:
        groups = range(file.num_row_groups)

    def read(group: int) -> int:
        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(batch_rows, row_groups=[group], columns=list(columns), use_threads=False)
            return sum(batch.num_rows for batch in batches)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(read, groups))


@dataclass(frozen=True)
class DpdkRun:
    """What DPDK made of some flows.

    Attributes
    ----------
    speed : float
        Packets a second, on one core.
    lines : int32[flows]
        Which line of the access list decides each flow; -1 for none.
    """

    speed: float
    lines: np.ndarray


def run_dpdk(rules: Sequence[FiveTupleRule], flows: FiveTuples, iterations: int) -> dict[str, DpdkRun]:
    """Classify flows with DPDK's access lists on one core.

    Returns
    -------
    dict
        A run by algorithm, of those that this processor has; empty where the program is not installed.
    """
    if shutil.which(DPDK) is None:
        return {}
    with TemporaryDirectory() as folder:
        rules_file, trace_file = Path(folder, "rules"), Path(folder, "trace")
        _write_rules(rules, rules_file)
        _write_trace(flows, trace_file)
        eal = ["--no-huge", "--no-pci", "--no-telemetry", f"--file-prefix=bench-{Path(folder).name}"]
        eal += ["-l", "0", "-m", "2048", "--force-max-simd-bitwidth=512"]
        options = [f"--rulesf={rules_file}", f"--rulenum={len(rules) + 1}"]
        options += [f"--tracef={trace_file}", f"--tracenum={len(flows)}"]

        def classify(algorithm: str, times: int, verbose: int) -> str:
            own = [f"--alg={algorithm}", f"--iter={times}", f"--verbose={verbose}"]
            done = subprocess.run([DPDK, *eal, "--", *options, *own], capture_output=True, text=True, check=False)
            return done.stdout + done.stderr if done.returncode == 0 else ""

        found = {}
        for algorithm in ALGORITHMS:
            if speeds := _SPEED.findall(classify(algorithm, iterations, 0)):
                lines = np.full(len(flows), -1, np.int32)
                for number, line in _ANSWER.findall(classify(algorithm, 1, 2)):
                    lines[int(number) - 1] = np.uint32(line).astype(np.int32)
                found[algorithm] = DpdkRun(float(speeds[-1]), lines)
        return found


def dpdk_version() -> str:
    """Name DPDK's version; nothing where it is not installed."""
    if shutil.which(DPDK) is None:
        return ""
    done = subprocess.run([DPDK, "-v", "--no-huge", "--no-pci"], capture_output=True, text=True, check=False)
    found = re.search(r"DPDK ([\d.]+)", done.stdout + done.stderr)
    return found[1] if found else "of unknown version"


def _write_rules(rules: Iterable[FiveTupleRule], path: Path) -> None:
    """Write rules as ClassBench does: prefixes, port ranges, protocol and its mask."""
    path.write_text(
        "".join(
            f"@{rule.source}\t{rule.destination}\t0 : 65535\t{rule.first_port} : {rule.last_port}\t"
            f"{'0x00/0x00' if rule.protocol is None else f'0x{rule.protocol:02x}/0xff'}\t\n"
            for rule in rules
        )
    )


def _write_trace(flows: FiveTuples, path: Path) -> None:
    columns = (flows.source, flows.destination, flows.source_port, flows.port, flows.protocol)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
