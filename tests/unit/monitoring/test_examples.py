"""The dashboard and the rule file that come with the documents: they ask for nothing that is not emitted."""

import json
import re
import shutil
from itertools import combinations
from pathlib import Path

import pytest

from simcore.monitoring.metrics import METRICS
from simcore.monitoring.promtool import check_rules
from simcore.monitoring.rules import RULES, rule_file

FOLDER = Path(__file__).resolve().parents[3] / "docs/monitoring"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
PANELS = DASHBOARD["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
NAME = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
WORDS = {*(label for metric in METRICS.values() for label in metric.labels), "label_values"}


def names_in(expression):
    """The metrics that an expression asks for: what is a name of several words, and no label or variable."""
    return set(NAME.findall(re.sub(r"\$\w+|\"[^\"]*\"", "", expression))) - WORDS


@pytest.mark.parametrize("expression", [*EXPRESSIONS, *(rule.expression for rule in RULES)])
def test_each_expression_asks_for_metrics_and_labels_that_are_emitted(expression):
    names = names_in(expression)
    assert names
    assert names <= METRICS.keys()
    labels = {label for name in names for label in METRICS[name].labels}
    used = re.findall(r"(\w+)=~?\"", expression) + [
        label for found in re.findall(r"by \(([^)]*)\)", expression) for label in found.split(", ")
    ]
    assert set(used) <= labels


def test_each_metric_is_on_the_dashboard():
    assert set().union(*map(names_in, EXPRESSIONS)) == METRICS.keys()


def test_legends_name_labels_that_are_left():
    for panel in PANELS:
        for target in panel["targets"]:
            left = set(re.findall(r"\w+", "".join(re.findall(r"by \(([^)]*)\)", target["expr"])))) or {"node"}
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= left


def test_the_dashboard_is_laid_out():
    assert [panel["id"] for panel in PANELS] == list(range(1, len(PANELS) + 1))
    cells = []
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells.append(
            {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
        )
        assert panel["title"] and panel["description"]
    assert all(not one & other for one, other in combinations(cells, 2))


def test_the_dashboard_is_of_any_data_source_and_namespace():
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace"]
    assert variables["datasource"]["type"] == "datasource"
    assert names_in(variables["namespace"]["query"]["query"]) <= METRICS.keys()
    sources = [panel["datasource"]["uid"] for panel in PANELS]
    sources += [target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]]
    assert set(sources) == {"${datasource}"}
    asked = {name for expression in EXPRESSIONS for name in re.findall(r"\$(\w+)", expression)}
    assert asked == {"namespace", "__rate_interval"}


def test_the_rule_file_is_what_alerts_writes():
    assert (FOLDER / "rules.yaml").read_text("utf-8") == rule_file(RULES), "write it anew: alerts --rules-out"


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_prometheus_reads_every_expression(tmp_path):
    check_rules("promtool", FOLDER / "rules.yaml")
    records = "".join(
        f"      - {{record: 'panel:{number}', expr: {json.dumps(re.sub(r'[$]__rate_interval', '1m', expression))}}}\n"
        for number, expression in enumerate(EXPRESSIONS)
    )
    path = tmp_path / "panels.yaml"
    path.write_text(f"groups:\n  - name: panels\n    rules:\n{records}")
    check_rules("promtool", path)
