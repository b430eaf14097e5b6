"""The judges there are: each answers a list of flows, in their order."""

import simcore
from simcore.model.profile import UPSTREAM
from simcore.reference import Reference


def by_reference(cluster, policies, flows, profile=UPSTREAM):
    reference = Reference(cluster, policies, profile)
    return [reference.judge(flow) for flow in flows]


def assert_tables_agree(cluster, policies, flows, profile):
    """The tables answer every flow as the reference does: verdicts, reasons, rules."""
    judged = simcore.judge_flows(cluster, policies, flows, profile)
    for flow, ours, theirs in zip(flows, judged, by_reference(cluster, policies, flows, profile), strict=True):
        assert ours == theirs, flow


def engines():
    """Every judge by its name: ``judge(cluster, policies, flows, profile) -> list of Judgement``."""
    judges = {"reference": by_reference}
    if hasattr(simcore, "judge_flows"):
        judges["tables"] = simcore.judge_flows
    return judges
