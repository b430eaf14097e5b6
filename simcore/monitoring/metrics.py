"""The metrics that are made of a replay: their names, kinds and labels, and their values over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = tuple[str, ...]
"""Values of a series' labels, in the order of its metric's; an empty one is as good as none."""

Values = Mapping[str, Mapping[Labels, NDArray[np.float64]]]
"""Name of a metric, labels of a series, its value at each sample; not a number where it has none."""

COUNTER, GAUGE = "counter", "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured.

    Attributes
    ----------
    name : str
        Of its samples, a counter's with ``_total``.
    kind : str
        ``counter`` or ``gauge``.
    labels : tuple of str
    text : str
        What it tells, for people.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    text: str


DROPS = Metric(
    "cilium_drop_count_total",
    COUNTER,
    ("node", "direction", "reason"),
    "Packets that the policies drop, at least: the first of each denied connection, and how often it is tried again.",
)
FORWARDED = Metric(
    "cilium_forward_count_total",
    COUNTER,
    ("node", "direction"),
    "Packets of allowed connections as recorded, at the nodes of both ends; 1 a record where none are recorded.",
)
FLOWS = Metric(
    "hubble_flows_processed_total",
    COUNTER,
    ("source_namespace", "destination_namespace", "protocol", "verdict"),
    "Records of the capture by verdict.",
)
DNS_DENIED = Metric(
    "flowverdict_dns_queries_denied_total",
    COUNTER,
    ("namespace", "workload"),
    "DNS queries of pods that the policies drop, the first of each lookup and how often it is tried again.",
)
DNS_RESPONSES = Metric(
    "coredns_dns_responses_total",
    COUNTER,
    ("namespace", "workload", "rcode"),
    "Answers of the cluster's DNS servers: SERVFAIL for each query that they may not forward.",
)
INTERNET = Metric(
    "flowverdict_unexpected_egress_total",
    COUNTER,
    ("namespace", "workload", "cause"),
    "Connections to public addresses that no rule speaks of, or that the policies before the change deny.",
)
ENTRIES = Metric(
    "node_nf_conntrack_entries",
    GAUGE,
    ("node",),
    "Entries of the connection tracking table, those included that expired and were not collected yet.",
)
LIMIT = Metric("node_nf_conntrack_entries_limit", GAUGE, ("node",), "Maximum size of the connection tracking table.")
WITHOUT_DENY = Metric(
    "flowverdict_namespace_without_default_deny",
    GAUGE,
    ("namespace", "direction"),
    "1 where no policy would isolate a pod without labels in this direction, else 0.",
)
NOT_ENFORCED = Metric(
    "flowverdict_policies_not_enforced",
    GAUGE,
    ("kind",),
    "Policies that the network plugin does not enforce.",
)

COUNTERS = (DROPS, FORWARDED, FLOWS, DNS_DENIED, DNS_RESPONSES, INTERNET)
GAUGES = (ENTRIES, LIMIT, WITHOUT_DENY, NOT_ENFORCED)
METRICS = {metric.name: metric for metric in (*COUNTERS, *GAUGES)}
"""Every metric by its name, in the order in which they are written."""


@dataclass(frozen=True)
class Measurement:
    """Metrics over time, as if scraped at even steps.

    Attributes
    ----------
    start : int
        Time of the first sample, seconds since 1970, a multiple of `step`; counters are 0 there.
    step : int
        Seconds from one sample to the next.
    samples : int
    values : mapping
        By metric and labels; float64[samples] each. A counter tells what came before the time of its sample.
    untimed : int
        Records without time, which are in no counter.
    """

    start: int
    step: int
    samples: int
    values: Values
    untimed: int = 0

    @property
    def times(self) -> NDArray[np.int64]:
        """Times of the samples, in seconds since 1970."""
        return self.start + self.step * np.arange(self.samples, dtype=np.int64)

    def total(self, metric: Metric, label: str, value: str) -> float:
        """Return what the series of a counter with a label came to."""
        at = metric.labels.index(label)
        held = self.values.get(metric.name, {})
        return float(sum(values[-1] for labels, values in held.items() if labels[at] == value and values.size))

    @property
    def end(self) -> int:
        """Time of the last sample."""
        return self.start + self.step * (self.samples - 1)
