"""Flows that carry HTTP requests, and policies that look at them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from loaders.captures.writer import FlowWriter
from loaders.synthetic.rows import DURATION, START_TIME
from simcore.errors import Place
from simcore.model.addresses import Family
from simcore.model.cluster import Cluster
from simcore.model.peers import ANYTHING, Endpoints
from simcore.model.policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Role, Rule
from simcore.model.ports import TCP, PortRange, PortSet
from simcore.model.requests import HttpMatch, RequestSet

RULES, PATHS, PORT = 50, 200, 8080
METHODS = ("GET", "GET", "GET", "PUT")
REQUEST_COLUMNS = ("http_method", "http_path")
_CHUNK = 1_000_000
_PLACE = Place("requests.yaml")


def request_policies() -> tuple[Policy, ...]:
    """Make a policy each of RULES: every pod lets in GET of its own part of the paths; what none lets in is denied."""
    return tuple(_policy(number) for number in range(RULES))


def _policy(number: int) -> Policy:
    ref = PolicyRef("CiliumNetworkPolicy", "bench", f"part-{number:02}")
    order = (0.5, "bench", ref.name)
    rule = Rule(
        policy=ref,
        index=0,
        direction=Direction.INGRESS,
        subject=Endpoints(),
        peer=ANYTHING,
        ports=PortSet((PortRange(TCP, PORT, PORT),)),
        action=Action.ALLOW,
        tier=NETWORKPOLICY,
        order=order,
        place=_PLACE,
        condition=f"l7-http: GET /part-{number:02}/.*",
        requests=RequestSet((HttpMatch(method="GET", path=f"/part-{number:02}/[a-z0-9/]*"),)),
        proxy="http",
    )
    closing = Rule.closing(
        ref, Direction.INGRESS, Endpoints(), NETWORKPOLICY, (1, "bench", ref.name), _PLACE, Role.ISOLATION
    )
    return Policy(ref, (rule, closing), _PLACE)


def write_requests(cluster: Cluster, flows: int, seed: int, path: Path) -> None:
    """Write flows from pod to pod; one in two carries a request of PATHS paths, a quarter of which no rule lets."""
    random = np.random.default_rng(seed)
    owned = [address.value for pod in cluster.pods for address in pod.addresses if address.family is Family.V4]
    addresses = np.array(owned, np.uint32)
    paths = [f"/part-{number % (RULES * 4 // 3):02}/item/{number}" for number in range(PATHS)]
    with FlowWriter(str(path)) as writer:
        for start in range(0, flows, _CHUNK):
            count = min(_CHUNK, flows - start)
            time = START_TIME + np.arange(start, start + count) * (DURATION // flows)
            is_bare = random.random(count) < 0.5
            columns = {
                "time": pa.array(time).cast(pa.timestamp("ns")),
                "source_address": pa.array(random.choice(addresses, count)),
                "destination_address": pa.array(random.choice(addresses, count)),
                "source_port": pa.array(random.integers(32_768, 61_000, count).astype(np.uint16)),
                "destination_port": pa.array(np.full(count, PORT, np.uint16)),
                "protocol": pa.array(np.full(count, TCP, np.uint8)),
                "http_method": _drawn(METHODS, random, is_bare),
                "http_path": _drawn(paths, random, is_bare),
            }
            writer.write(pa.RecordBatch.from_pydict(columns))


def _drawn(texts: tuple[str, ...] | list[str], random: np.random.Generator, is_missing: np.ndarray) -> pa.Array:
    codes = pa.array(random.integers(0, len(texts), is_missing.size).astype(np.int32), mask=is_missing)
    return pa.DictionaryArray.from_arrays(codes, pa.array(texts))


def write_without(source: Path, target: Path) -> None:
    """Write the same capture without its requests."""
    with pq.ParquetFile(source) as file, FlowWriter(str(target)) as writer:
        names = [name for name in file.schema_arrow.names if name not in REQUEST_COLUMNS]
        for group in range(file.num_row_groups):
            for batch in file.read_row_group(group, names).to_batches():
                writer.write(batch)
