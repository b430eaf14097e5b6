"""Alert rules: the four built-in alerts, as we evaluate them and as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .metrics import DNS_DENIED, DNS_RESPONSES, DROPS, INTERNET, WITHOUT_DENY, Metric

WINDOW = 300
"""Seconds over which rates are taken."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An alert: what a sum of series must exceed, and for how long.

    Attributes
    ----------
    alert : str
        Several rules may be of one alert.
    metric : Metric
        A counter, of which the rate is taken, or a gauge, which is taken as it is.
    by : tuple of str
        Labels that stay apart; all others are summed over.
    threshold : float
    hold : int
        Seconds that it must be exceeded before the alert fires.
    severity, summary : str
        `summary` as Prometheus' templates write it.
    matching : str
        Matchers of the series that count, where Prometheus has others of the metric; we make none.
    cause : str
        Tells the rules of one alert apart; empty where there is one.
    """

    alert: str
    metric: Metric
    by: tuple[str, ...]
    threshold: float
    hold: int
    severity: str
    summary: str
    matching: str = ""
    cause: str = ""

    @property
    def is_rate(self) -> bool:
        """Whether a rate is compared."""
        return self.metric.name.endswith("_total")

    @property
    def expression(self) -> str:
        """Write it in PromQL."""
        series = f"{self.metric.name}{self.matching}"
        if self.is_rate:
            series = f"rate({series}[{WINDOW // 60}m])"
        return f"sum by ({', '.join(self.by)}) ({series}) > {self.threshold:g}"


RULES = (
    Rule(
        "HighNetworkPolicyDropRate",
        DROPS,
        ("node",),
        100,
        120,
        "warning",
        "Network policies drop many packets on {{ $labels.node }}",
        '{reason=~"Policy denied.*"}',
    ),
    Rule(
        "DNSResolutionFailures",
        DNS_DENIED,
        ("namespace",),
        10,
        60,
        "warning",
        "Network policies drop the DNS queries of {{ $labels.namespace }}",
        cause="denied",
    ),
    Rule(
        "DNSResolutionFailures",
        DNS_RESPONSES,
        ("namespace",),
        10,
        60,
        "warning",
        "The DNS servers in {{ $labels.namespace }} may not ask theirs, and answer SERVFAIL",
        '{rcode="SERVFAIL"}',
        "servfail",
    ),
    Rule(
        "NamespaceWithoutDefaultDenyPolicy",
        WITHOUT_DENY,
        ("namespace", "direction"),
        0,
        0,
        "warning",
        "Namespace {{ $labels.namespace }} has no default-deny policy for {{ $labels.direction }}",
    ),
    Rule(
        "UnexpectedEgressToInternet",
        INTERNET,
        ("namespace", "workload"),
        0,
        0,
        "high",
        "{{ $labels.namespace }}/{{ $labels.workload }} connects to public addresses that no rule speaks of",
    ),
)
ALERTS = tuple(dict.fromkeys(rule.alert for rule in RULES))


def with_thresholds(thresholds: Mapping[str, float]) -> tuple[Rule, ...]:
    """Return the rules with other thresholds, by the names of alerts."""
    return tuple(replace(rule, threshold=thresholds.get(rule.alert, rule.threshold)) for rule in RULES)


def rule_file(rules: Sequence[Rule]) -> str:
    """Write rules as a file that Prometheus loads."""
    lines = [
        "# Over the metrics of flowverdict replay --metrics.",
        "groups:",
        "  - name: network-policy.rules",
        "    rules:",
    ]
    for rule in rules:
        lines += [
            f"      - alert: {rule.alert}",
            f"        expr: {rule.expression}",
            *([f"        for: {rule.hold // 60}m"] if rule.hold else []),
            "        labels:",
            f"          severity: {rule.severity}",
            *([f"          cause: {rule.cause}"] if rule.cause else []),
            "        annotations:",
            f"          summary: '{rule.summary}'",
        ]
    return "\n".join(lines) + "\n"
