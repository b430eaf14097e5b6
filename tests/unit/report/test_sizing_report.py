"""What `size` tells, and what it draws."""

import json
from dataclasses import replace
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from loaders import open_capture
from simcore.analyses.sizing.sizing import Assumptions, SizingOptions, size
from simcore.model.conntrack import CILIUM, LINUX
from simcore.report.layout import Layout
from simcore.report.plot import occupancy_plot
from simcore.report.render import PIPE, json_text, plain_text
from simcore.report.sizing import sizing, sizing_brief
from simcore.report.sizing_json import sizing_json
from tests import golden
from tests.sizing import CLUSTER, NO_WAY_INTO_DB, flow, table

WIDTHS = {"pipe": PIPE, "80": Layout(80, 80), "140": Layout(120, 140)}
ENDS = ("10.0.1.1", "10.0.2.1", "10.0.1.2", "8.8.8.8")
FLOWS = [
    flow(
        n / 4,
        ENDS[n % 4],
        ENDS[(n // 4 + 1 + n % 3) % 4],
        8080 if n % 5 else 53,
        protocol="tcp" if n % 5 else "udp",
        lasts=n % 9 / 4,
        source_port=10_000 + n,
        flags="S" if n % 11 == 0 else "FSPA",
    )
    for n in range(1_600)
]


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    path = tmp_path_factory.mktemp("sizing") / "flows.parquet"
    pq.write_table(table(*FLOWS), path)
    return open_capture([str(path)])


@pytest.fixture(scope="module")
def compared(capture):
    after = Assumptions(NO_WAY_INTO_DB, LINUX.with_setting("udp_timeout", "60"), 2.0)
    changes = ["apply change.yaml", "nf_conntrack_udp_timeout 60 instead of 30", "2 times the traffic"]
    return size(capture, CLUSTER, Assumptions((), LINUX), after, options=SizingOptions(maximum=450), changes=changes)


@pytest.fixture(scope="module")
def cilium(capture):
    return size(capture, CLUSTER, Assumptions((), CILIUM), options=SizingOptions(preset="cilium"))


@pytest.mark.parametrize("width", WIDTHS)
def test_size_text(compared, width, update_golden):
    golden.compare(f"size-{width}.txt", plain_text(sizing(compared, 20), WIDTHS[width]), update_golden)


def test_size_text_of_cilium(cilium, update_golden):
    golden.compare("size-cilium.txt", plain_text(sizing(cilium, 20)), update_golden)


def test_size_brief(compared, update_golden):
    golden.compare("size-brief.txt", plain_text(sizing_brief(compared, 20)), update_golden)


def test_size_json(compared, update_golden):
    golden.compare("size.json", json_text(sizing_json(compared)), update_golden)


def test_size_plot(compared, update_golden):
    golden.compare("size.svg", occupancy_plot(compared), update_golden)


def test_a_limit_hides_tables_of_the_text_and_says_so(compared):
    text = plain_text(sizing(compared, 1))
    assert "... and 2 more tables (--limit)" in text
    assert text.count("owners") == 1


def test_the_json_of_one_case_has_no_baseline(cilium):
    found = json.loads(json_text(sizing_json(cilium)))
    assert found["baseline"] is None
    assert {node["table"] for node in found["nodes"]} == {"tcp", "any"}
    assert {node["kube_proxy_max"] for node in found["nodes"]} == {None}


def test_names_are_escaped_in_a_plot(compared):
    tables = tuple(replace(each, node="<&>") for each in compared.candidate.tables)
    odd = replace(compared, candidate=replace(compared.candidate, tables=tables), changes=('"<b>',))
    texts = [each.text for each in ElementTree.fromstring(occupancy_plot(odd)).iter("{http://www.w3.org/2000/svg}text")]
    assert any("<b>" in text for text in texts)
    assert "<&>" in texts


def test_a_plot_of_nothing_says_so(capture, compared):
    bare = replace(compared, candidate=None, baseline=replace(compared.baseline, tables=()))
    assert "no entries" in occupancy_plot(bare)
    assert "so there is no table to size" in plain_text(sizing(bare, 5))


def test_rows_that_could_not_be_put_in_order_are_told(compared):
    text = plain_text(sizing(replace(compared, late=2, untimed=1), 5))
    assert "2 rows came too late" in text and "1 row without time" in text
