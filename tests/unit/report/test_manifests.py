"""Manifests: what is written reads back as what it was, and looks as a person would have written it."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from loaders.yaml_source import read_yaml
from simcore.report.manifests import manifest_yaml

POLICY = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {
                "from": [
                    {
                        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}},
                        "podSelector": {"matchLabels": {"app": "prometheus"}},
                    }
                ],
                "ports": [{"protocol": "TCP", "port": 9090}],
            },
        ],
        "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
    },
}

WRITTEN = """\
# Everything about web.
# Two lines.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: web
  namespace: shop
spec:
  # every pod
  podSelector: {}
  policyTypes:
  - Ingress
  - Egress
  ingress:
  # scraped
  # AND: both must hold
  - from:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: monitoring
      # of these pods
      podSelector:
        matchLabels:
          app: prometheus
    ports:
    - protocol: TCP
      port: 9090
  egress:
  - to:
    - ipBlock:
        cidr: 10.0.0.0/8
"""


def test_a_policy_reads_as_a_person_would_write_it():
    comments = {
        (): "Everything about web.\nTwo lines.",
        ("spec", "podSelector"): "every pod",
        ("spec", "ingress", 0): "scraped",
        ("spec", "ingress", 0, "from"): "AND: both must hold",
        ("spec", "ingress", 0, "from", 0, "podSelector"): "of these pods",
    }
    assert manifest_yaml(POLICY, comments) == WRITTEN


WORDS = ["yes", "No", "y", "true", "null", "~", "", "=", "<<", "@x", "*.x", "k8s:app", "é", "a: b", "a #b", "- a", "{}"]
NUMBERS = [
    "1.0",
    "080",
    "0x1f",
    "1e3",
    "1_000",
    "_1",
    ".5",
    ".inf",
    ".NaN",
    ".",
    "..",
    "2026-01-01",
    "12:30:00",
    "::/0",
]
SPACES = [" a", "a ", "\n", "a\nb", "a\nb\n", "a\n\nb\n\n", " a\nb", "a\n  b\n", "tab\there\n", "a \nb", "\u2028"]


@pytest.mark.parametrize("text", [*WORDS, *NUMBERS, *SPACES])
def test_a_text_stays_a_text(text):
    value = {"key": text, text or "empty": ["x", text, [text]]}
    written = manifest_yaml(value)
    assert yaml.safe_load(written) == value
    assert [document.value for document in read_yaml(written)] == [value]


@pytest.mark.parametrize("text", ["app.kubernetes.io/name", "10.0.0.0/8", "kube-dns", "192.0.2.1", "_a", "/metrics"])
def test_what_needs_no_quotes_has_none(text):
    assert manifest_yaml({"key": text}) == f"key: {text}\n"


def test_a_script_is_a_block():
    assert manifest_yaml({"data": {"run.sh": "set -e\n\necho 1\n"}}) == "data:\n  run.sh: |\n    set -e\n\n    echo 1\n"
    assert manifest_yaml({"args": ["a\nb"]}) == "args:\n- |-\n  a\n  b\n"


def test_a_comment_on_nothing_is_refused():
    with pytest.raises(ValueError, match="spec"):
        manifest_yaml({"kind": "Pod"}, {("spec",): "not there"})


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=3))
def test_whatever_is_written_reads_back(value):
    written = manifest_yaml(value)
    assert yaml.safe_load(written) == value
    assert [document.value for document in read_yaml(written)] == [value]
