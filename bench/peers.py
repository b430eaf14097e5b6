"""What the simulator is measured against."""

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq
from numba import njit

from .clusters import FiveTupleRule, FiveTuples

DPDK = "dpdk-test-acl"
ALGORITHMS = ("scalar", "sse", "avx2", "avx512x16", "avx512x32")
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


def run_dpdk(rules: Iterable[FiveTupleRule], flows: FiveTuples, iterations: int) -> dict[str, float]:
    """Classify flows with DPDK's access lists on one core.

    Returns
    -------
    dict
        Packets a second by algorithm, those that this processor has; empty where the program is not installed.
    """
    if shutil.which(DPDK) is None:
        return {}
    with TemporaryDirectory() as folder:
        rules_file, trace_file = Path(folder, "rules"), Path(folder, "trace")
        count = _write_rules(rules, rules_file)
        _write_trace(flows, trace_file)
        speeds = {}
        for algorithm in ALGORITHMS:
            options = [
                *(f"--rulesf={rules_file}", f"--rulenum={count + 1}"),
                *(f"--tracef={trace_file}", f"--tracenum={len(flows)}", f"--iter={iterations}"),
                *(f"--alg={algorithm}", "--verbose=0"),
            ]
            eal = ["--no-huge", "--no-pci", "--no-telemetry", f"--file-prefix=bench-{Path(folder).name}"]
            eal += ["-l", "0", "-m", "2048", "--force-max-simd-bitwidth=512"]
            done = subprocess.run([DPDK, *eal, "--", *options], capture_output=True, text=True, check=False)
            if done.returncode == 0 and (found := _SPEED.findall(done.stdout + done.stderr)):
                speeds[algorithm] = float(found[-1])
        return speeds


def dpdk_version() -> str:
    """Name DPDK's version; nothing where it is not installed."""
    if shutil.which(DPDK) is None:
        return ""
    done = subprocess.run([DPDK, "-v", "--no-huge", "--no-pci"], capture_output=True, text=True, check=False)
    found = re.search(r"DPDK ([\d.]+)", done.stdout + done.stderr)
    return found[1] if found else "of unknown version"


def _write_rules(rules: Iterable[FiveTupleRule], path: Path) -> int:
    """Write rules as ClassBench does: prefixes, port ranges, protocol and its mask."""
    lines = [
        f"@{rule.source}\t{rule.destination}\t0 : 65535\t{rule.first_port} : {rule.last_port}\t"
        f"0x{rule.protocol:02x}/0xff\t\n"
        for rule in rules
    ]
    path.write_text("".join(lines))
    return len(lines)


def _write_trace(flows: FiveTuples, path: Path) -> None:
    columns = (flows.source, flows.destination, flows.source_port, flows.port, flows.protocol)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows))
