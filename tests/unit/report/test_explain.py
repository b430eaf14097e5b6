from functools import cache
from pathlib import Path

import pytest

from loaders import apply, load_manifests, load_policies
from simcore.model.flows import End, Flow
from simcore.model.ports import TCP
from simcore.model.profile import UPSTREAM
from simcore.reference import Reference
from simcore.report.explain import explain, explain_json
from simcore.report.layout import Layout
from simcore.report.render import json_text, plain_text
from tests import golden

SHOP = Path(__file__).resolve().parents[2] / "data" / "shop"
ASKED = {
    "pass": ("shop/web-1", "shop/db-0", 5432),
    "tie": ("shop/web-2", "shop/db-0", 9001),
    "baseline": ("shop/db-0", "shop/web-1", 8080),
    "names": ("shop/web-1", "shop/web-2", 53),
    "through": ("shop/db-0", "shop/web-2", 80),
}


@cache
def reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(SHOP)
        snapshot = load_manifests(["cluster.yaml"])
        policies = apply(snapshot.policies, load_policies(["tiers.yaml"]))
    return Reference(snapshot.cluster, policies, UPSTREAM)


def trace_of(name):
    source, destination, port = ASKED[name]
    return reference().explain(Flow(End(pod=source), End(pod=destination), TCP, port)), source, destination


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ASKED)
def test_the_chain_is_told_tier_by_tier(name, width, update_golden):
    text = plain_text(explain(*trace_of(name)), Layout(width, width))
    assert max(map(len, text.splitlines())) <= width
    golden.compare(f"explain-tiers-{name}-{width}.txt", text, update_golden)


def test_the_chain_of_json(update_golden):
    golden.compare("explain-tiers.json", json_text(explain_json(*trace_of("pass"))), update_golden)


def test_what_ties_is_among_the_steps_of_the_chain():
    trace, _, _ = trace_of("tie")
    chain = trace.pairs[0].ingress.chain
    assert [(str(step.rule), step.match.word) for step in chain] == [
        ("AdminNetworkPolicy database ingress[1]", "yes"),
        ("AdminNetworkPolicy metrics ingress[0]", "yes"),
    ]


def test_a_tie_is_named_by_the_rule_that_ties_not_by_one_asked_later():
    trace, _, _ = trace_of("tie")
    assert str(trace.judgement.ingress.rule) == "AdminNetworkPolicy database ingress[1]"
