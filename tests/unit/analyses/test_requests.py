"""Requests of a capture, where rules look at them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from simcore.analyses.ends import JUDGED_COLUMNS, judged_columns
from simcore.kernels.rows import NO, YES
from simcore.model.plugins import plugin_named
from simcore.report.render import plain_text
from simcore.report.replay import replay, replay_json
from simcore.report.whatif import whatif, whatif_json
from simcore.tables import requests
from simcore.tables.build import build_tables

LAYER7 = Path(__file__).resolve().parents[2] / "data" / "layer7"
CILIUM = plugin_named("cilium").profile
ROWS = [
    (8080, "GET", "/public/1", None),
    (8080, "GET", "/private", None),
    (8080, "GET", None, None),
    (8080, "PUT", "/private", "Host: api\nX-KEY: 1"),
    (8080, "PUT", "/private", "A: b"),
    (8080, "PUT", "/private", None),
    (8080, None, None, None),
    (9090, "GET", "/public/1", None),
    (8080, "GET", "/public/1", "X-Key: 2"),
    (8080, None, None, None),
]
VERDICTS = ["ALLOW", "DENY", "UNKNOWN", "ALLOW", "DENY", "UNKNOWN", "ALLOW", "DENY", "ALLOW", "ALLOW"]
REASONS = [
    "request-allowed",
    "request-not-allowed",
    "unknown-request",
    "request-allowed",
    "request-not-allowed",
    "unknown-request",
    "rule (l7-http: GET /public.*; PUT header x-key: 1)",
    "port-not-allowed",
    "request-allowed",
    "rule (l7-http: GET /public.*; PUT header x-key: 1)",
]


COLUMNS = ("destination_port", "http_method", "http_path", "http_headers")
REQUESTS = ("http_method", "http_path", "http_host", "http_headers")


@pytest.fixture(scope="module")
def shop():
    return loaders.load_manifests([str(LAYER7 / "cluster.yaml"), str(LAYER7 / "policies.yaml")], profile=CILIUM)


@pytest.fixture
def save(tmp_path):
    def _save(rows, name="flows.parquet"):
        columns = {
            "source_address": ["10.0.0.1"] * len(rows),
            "destination_address": ["10.0.0.2"] * len(rows),
            "protocol": [6] * len(rows),
            **dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True)),
        }
        pq.write_table(pa.table(columns), tmp_path / name, row_group_size=7)
        return loaders.open_capture([str(tmp_path / name)])

    return _save


def test_requests_decide_the_flows_of_a_capture(shop, save, tmp_path):
    output = tmp_path / "out.parquet"
    simcore.replay(save(ROWS), shop.cluster, shop.policies, CILIUM, output=output)
    found = pq.read_table(output)
    assert found["verdict"].to_pylist() == VERDICTS
    assert found["ingress_reason"].to_pylist() == REASONS


def test_reports_tell_what_requests_decided_and_what_is_let_through_unseen(shop, save):
    result = simcore.replay(save(ROWS), shop.cluster, shop.policies, CILIUM)
    assert (result.requests.decided, result.requests.on_condition, result.settled) == (7, 2, 0)
    ((rule, flows),) = result.requests.rules
    assert (str(rule), flows) == ("CiliumNetworkPolicy shop/api ingress[0]", 2)
    told = replay_json(result)
    assert told["by_request"] == 7
    assert told["on_condition"]["flows"] == 2
    assert told["on_condition"]["rules"][0]["condition"] == "l7-http: GET /public.*; PUT header x-key: 1"
    text = plain_text(replay(result, 10))
    assert "7 flows (70.0%) decided by their request" in text
    assert "2 flows (20.0%) let through to a proxy that looks at requests which the capture does not show" in text


def test_a_what_if_tells_of_the_time_after_the_change(shop, save):
    plain = [policy for policy in shop.policies if policy.ref.name != "api"]
    tightened = simcore.whatif(save(ROWS), shop.cluster, plain, shop.policies, CILIUM)
    assert (tightened.requests.decided, tightened.requests.on_condition) == (7, 2)
    assert whatif_json(tightened)["on_condition"]["flows"] == 2
    assert "let through to a proxy" in plain_text(whatif(tightened, 10, "keep"))
    loosened = simcore.whatif(save(ROWS), shop.cluster, shop.policies, plain, CILIUM)
    assert (loosened.requests.decided, loosened.requests.on_condition) == (7, 0)


def test_nothing_is_read_or_told_where_no_rule_asks(shop, save):
    plain = [policy for policy in shop.policies if policy.ref.name != "api"]
    assert judged_columns(build_tables(shop.cluster, plain, profile=CILIUM)) == JUDGED_COLUMNS
    asking = build_tables(shop.cluster, shop.policies, profile=CILIUM)
    assert judged_columns(asking) == (*JUDGED_COLUMNS, *REQUESTS)
    told = replay_json(simcore.replay(save(ROWS), shop.cluster, plain, CILIUM))
    assert "by_request" not in told
    assert "on_condition" not in told


@pytest.mark.parametrize(("threads", "batch_rows"), [(1, 3), (3, 1), (2, 1000)])
def test_threads_and_batches_change_nothing(shop, save, tmp_path, threads, batch_rows):
    capture = save(ROWS * 20)
    tables = build_tables(shop.cluster, shop.policies, profile=CILIUM)
    written = []
    for number, how in enumerate(({}, {"threads": threads, "batch_rows": batch_rows})):
        output = tmp_path / f"{number}.parquet"
        told = replay_json(simcore.replay(capture, tables, output=output, **how))
        written.append((output.read_bytes(), told))
    assert written[0] == written[1]


def test_each_text_is_looked_at_once(shop, save, monkeypatch):
    looked = []
    ask = requests._ask
    monkeypatch.setattr(
        requests, "_ask", lambda part, probe, text: looked.append((part, text)) or ask(part, probe, text)
    )
    simcore.replay(save(ROWS * 50), shop.cluster, shop.policies, CILIUM, batch_rows=4, threads=1)
    paths = [text for part, text in looked if part == "http_path"]
    assert sorted(paths) == ["/private", "/public/1"]


def test_what_is_remembered_of_texts_is_bounded(shop, monkeypatch):
    monkeypatch.setattr(requests, "_MOST_TEXTS", 3)
    table = build_tables(shop.cluster, shop.policies, profile=CILIUM).requests
    for first in range(0, 20, 2):
        texts = [f"/public/{first}", f"/{first}"]
        column = requests.TextColumn(np.arange(2, dtype=np.int32), texts)
        numbers, vectors = table.find(
            {"http_path": column, "http_method": requests.TextColumn(np.zeros(2, np.int32), ["GET"])}, 2
        )
        assert vectors[numbers, 0].tolist() == [YES, NO]
        assert len(table._known["http_path"]) <= 4
