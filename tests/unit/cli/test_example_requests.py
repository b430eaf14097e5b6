"""Examples of replay, whatif and verify tell the request that made the difference, in `tests/data/layer7`."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from simcore.model.ports import TCP

LAYER7 = Path(__file__).resolve().parents[2] / "data" / "layer7"
SHOP = ["-c", str(LAYER7 / "cluster.yaml"), "-p", str(LAYER7 / "policies.yaml"), "--cni", "cilium"]
HEADERS = "A: b\nX-Other: c"


@pytest.fixture
def capture(tmp_path):
    """A connection, a request that is let through, one that is refused; a row group each."""
    rows = {
        "source_pod": ["shop/web"] * 3,
        "destination_pod": ["shop/api"] * 3,
        "destination_port": [8080] * 3,
        "source_port": [40001] * 3,
        "protocol": [TCP] * 3,
        "http_method": [None, "GET", "GET"],
        "http_path": [None, "/public/1", "/private"],
        "http_headers": [None, None, HEADERS],
        "observed_verdict": ["forwarded"] * 3,
    }
    pq.write_table(pa.table(rows), tmp_path / "flows.parquet", row_group_size=1)
    return str(tmp_path / "flows.parquet")


def test_replay(call, capture):
    code, out, _ = call("replay", capture, *SHOP)
    assert code == 0
    assert ", HTTP GET /private, row 2 of flows.parquet" in " ".join(out.split())
    (group,) = json.loads(call("replay", capture, *SHOP, "--format", "json")[1])["groups"]
    assert group["example"]["request"] == {
        "http_method": "GET",
        "http_path": "/private",
        "http_headers": HEADERS.split("\n"),
    }


def test_whatif_tells_it_only_where_it_decides(call, capture):
    options = ["--delete", "cnp/shop/api", "--format", "json"]
    groups = json.loads(call("whatif", capture, *SHOP, *options)[1])["groups"]
    assert [group["example"].get("request", {}).get("http_path") for group in groups] == ["/private"]


def test_verify(call, capture):
    code, out, _ = call("verify", capture, *SHOP)
    assert code == 1
    assert "HTTP GET /private" in out
