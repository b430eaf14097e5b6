"""Manifests that other projects test with load as they are."""

import json
from pathlib import Path

import pytest

from loaders import load_manifests, load_policies
from simcore.errors import LoadError

CORPUS = Path(__file__).resolve().parent.parent.parent / "shared" / "corpus"
FOLDERS = sorted(path.name for path in (CORPUS / "netpol-analyzer/tests").glob("*"))
E2E = CORPUS / "kubernetes-e2e/cases.json"
E2E_CASES = json.loads(E2E.read_text()) if E2E.exists() else {"cases": [], "api_validation_cases": []}


def test_the_corpora_are_there(corpus):
    assert FOLDERS
    assert E2E_CASES["cases"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_netpol_analyzer_loads(folder):
    snapshot = load_manifests([str(CORPUS / "netpol-analyzer/tests" / folder)])
    assert snapshot.cluster.pods
    assert snapshot.policies or any("is not modelled" in found.message for found in snapshot.diagnostics)
    assert all(rule.place.line for policy in snapshot.policies for rule in policy.rules)


@pytest.mark.parametrize("case", E2E_CASES["cases"], ids=lambda case: case["id"])
def test_the_policies_of_kubernetes_own_suite_load(case, tmp_path):
    path = tmp_path / "policies.json"
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": case["policies"]}))
    assert len(load_policies([str(path)])) == len(case["policies"])


@pytest.mark.parametrize("case", E2E_CASES["api_validation_cases"], ids=lambda case: case["id"])
def test_what_the_api_server_refuses_is_refused(case, tmp_path):
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(case["policy"], indent=2))
    if case["accepted"]:
        assert len(load_policies([str(path)])) == 1
        return
    with pytest.raises(LoadError) as caught:
        load_policies([str(path)])
    assert [diagnostic.place.field for diagnostic in caught.value.diagnostics] == [case["field"]]
