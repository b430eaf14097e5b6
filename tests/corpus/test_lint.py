"""Other projects' manifests, linted: every finding has a place and reads well, and every fix is a manifest that loads.

`python -m tests.corpus.test_lint` counts the findings of each code, and lists them with `--list`.
"""

import sys
from collections import Counter
from functools import cache

import msgspec
import pytest

from loaders import load_policies
from simcore.errors import LoadError
from simcore.report.annotations import github
from simcore.report.lint import fix_yaml, lint, lint_json
from simcore.report.render import plain_text
from simcore.report.sarif import sarif
from tests.conftest import CORPUS
from tests.corpus import test_antrea as antrea
from tests.corpus import test_calico as calico
from tests.corpus import test_kubernetes_e2e as e2e
from tests.corpus import test_network_policy_api as api
from tests.linting import linted


def of_cases(suite, documents):
    """The manifests of each case of a suite, by its name."""
    return {str(number): (lambda case=case: documents(case)) for number, case in enumerate(suite)}


def calico_documents(case):
    cluster = calico.suite()["clusters"][case["cluster"]]
    return [*calico.cluster_documents(cluster), *calico.calico_documents(cluster), *case["policies"]]


def antrea_documents(case):
    cluster = antrea.suite()["clusters"][case["cluster"]]
    return [*antrea.cluster_documents(cluster), *case["policies"]]


def api_documents(case):
    objects = [api.relabelled(each, case["namespace_label_overrides"]) for each in api.documents(case["snapshot"])]
    return [*objects, *(document for name in case["policies"] for document in api.documents(name))]


@cache
def inputs():
    """What there is to lint, by corpus and name: paths, or functions that make documents; and the network plugin."""
    folders = sorted((CORPUS / "netpol-analyzer/tests").glob("*"))
    examples = sorted((CORPUS / "cilium/examples").rglob("*.yaml"))
    found = {("netpol-analyzer", path.name): (path, None) for path in folders}
    found |= {("cilium", str(path.relative_to(CORPUS))): (path, "cilium") for path in examples}
    suites = {
        "kubernetes-e2e": (e2e.suite()["cases"], lambda c: [*e2e.cluster_documents(c["setup"]), *c["policies"]], None),
        "network-policy-api": (api.cases(), api_documents, None),
        "antrea": (antrea.suite()["cases"], antrea_documents, "antrea"),
        "calico": (calico.suite()["cases"], calico_documents, "calico"),
    }
    for corpus, (cases, documents, plugin) in suites.items():
        for number, case in enumerate(cases):
            found[corpus, str(number)] = (lambda case=case, documents=documents: documents(case)), plugin
    return found


def findings_of(key, folder):
    """Lint one input; None where it does not load."""
    given, plugin = inputs()[key]
    path = given
    if callable(given):
        path = folder / "all.json"
        path.write_bytes(msgspec.json.encode({"apiVersion": "v1", "kind": "List", "items": list(given())}))
    try:
        return linted(path, plugin=plugin)
    except LoadError:
        return None


def pytest_generate_tests(metafunc):
    if "key" in metafunc.fixturenames:
        metafunc.parametrize("key", inputs(), ids=["-".join(key) for key in inputs()])


def test_findings(key, tmp_path):
    result = findings_of(key, tmp_path)
    if result is None:
        pytest.skip("this does not load, as the tests of its corpus say")
    for finding in result.findings:
        assert finding.place.file
        assert finding.place.line
        assert finding.message.endswith(".")
        if finding.fix is not None:
            path = tmp_path / "fix.yaml"
            path.write_text(fix_yaml(finding.fix), "utf-8")
            assert len(load_policies([str(path)])) == 1
    assert plain_text(lint(result, result.findings))
    assert len(lint_json(result, result.findings)["findings"]) == len(result.findings)
    assert len(sarif(result, result.findings, "0")["runs"][0]["results"]) >= len(result.findings)
    assert github(result, result.findings).count("\n") == len(result.findings)


def test_the_corpora_are_there(corpus):
    assert Counter(corpus for corpus, _ in inputs()).keys() == {
        "netpol-analyzer",
        "cilium",
        "kubernetes-e2e",
        "network-policy-api",
        "antrea",
        "calico",
    }


def main():
    """Count the findings by corpus and code."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    counts = {}
    for key in inputs():
        with TemporaryDirectory() as folder:
            result = findings_of(key, Path(folder))
        here = counts.setdefault(key[0], Counter())
        here["inputs"] += result is not None
        for finding in result.findings if result else ():
            here[finding.code] += 1
            if "--list" in sys.argv:
                print(finding.code, "-".join(key), finding.place, finding.policy, finding.message, *finding.details)
    for corpus, found in counts.items():
        print(corpus, dict(sorted(found.items())))


if __name__ == "__main__":
    main()
