"""Proposed NetworkPolicies as manifests: what they say, and above each part why."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from ..advice.proposals import BlockPeer
from ..model.labels import NAMESPACE_NAME_LABEL
from ..model.policy import Direction
from ..model.ports import protocol_name
from .manifests import Path, manifest_yaml
from .words import count, period

if TYPE_CHECKING:
    from ..advice.proposals import Labels, PodPeer, ProposedPeer, ProposedPolicy, ProposedRule
    from ..advice.rules.needs import Needs
    from ..model.ports import PortRange

_WIDTH = 96
_SIDES = {Direction.INGRESS: ("ingress", "from", "Ingress"), Direction.EGRESS: ("egress", "to", "Egress")}


def manifests_text(policies: Iterable[ProposedPolicy]) -> str:
    """Write policies, each a document of its own."""
    return "---\n".join(map(policy_text, policies))


def beyond_words(needs: Needs) -> list[str]:
    """Count the flows that cannot be put in terms of a NetworkPolicy, by the reason."""
    return [f"{count(flows, 'flow')} {why}" for why, flows in needs.beyond.items()]


def policy_text(policy: ProposedPolicy) -> str:
    """Write one policy with comments."""
    comments: dict[Path, str] = {(): _wrapped(policy.remarks)}
    manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": policy.name, "namespace": policy.namespace},
        "spec": spec_of(policy, comments, ("spec",)),
    }
    return manifest_yaml(manifest, comments)


def spec_of(policy: ProposedPolicy, comments: dict[Path, str], path: Path) -> dict[str, Any]:
    """Make the ``spec`` of a policy, and write the comments on it under their paths below `path`."""
    directions = [direction for direction in _SIDES if direction in policy.rules]
    spec: dict[str, Any] = {
        "podSelector": _selector(policy.pods),
        "policyTypes": [_SIDES[direction][2] for direction in directions],
    }
    for direction in directions:
        rules, (section, side, _) = policy.rules[direction], _SIDES[direction]
        if rules:
            spec[section] = [_rule(rule, side, policy.namespace) for rule in rules]
        for number, rule in enumerate(rules):
            _comment(rule, side, policy.namespace, comments, (*path, section, number))
    return spec


def _rule(rule: ProposedRule, side: str, own: str) -> dict[str, Any]:
    made: dict[str, Any] = {side: [_peer(peer, own) for peer in rule.peers]} if rule.peers else {}
    if rule.ports:
        made["ports"] = list(map(_port, rule.ports))
    return made


def _port(ports: PortRange) -> dict[str, Any]:
    port = {"protocol": protocol_name(ports.protocol), "port": ports.first}
    return port if ports.first == ports.last else {**port, "endPort": ports.last}


def _peer(proposed: ProposedPeer, own: str) -> dict[str, Any]:
    peer = proposed.peer
    if isinstance(peer, BlockPeer):
        block: dict[str, Any] = {"cidr": str(peer.cidr)}
        if peer.excluded:
            block["except"] = list(map(str, peer.excluded))
        return {"ipBlock": block}
    made: dict[str, Any] = {}
    if peer.namespace != own:
        made["namespaceSelector"] = _selector(((NAMESPACE_NAME_LABEL, (peer.namespace,)),) if peer.namespace else ())
    if peer.labels or not made:
        made["podSelector"] = _selector(peer.labels)
    return made


def _selector(labels: Labels) -> dict[str, Any]:
    single = {key: values[0] for key, values in labels if len(values) == 1}
    several = [{"key": key, "operator": "In", "values": list(values)} for key, values in labels if len(values) > 1]
    return {
        **({"matchLabels": single} if single else {}),
        **({"matchExpressions": several} if several else {}),
    }


def _comment(rule: ProposedRule, side: str, own: str, comments: dict[Path, str], path: Path) -> None:
    above = [rule.remark] if rule.remark else []
    if not rule.peers:
        above.append("No peers: anybody, on these ports." if rule.ports else "No peers and no ports: everything.")
    elif len(rule.peers) > 1:
        above.append("OR: any one of these peers.")
    if above:
        comments[path] = _wrapped(above)
    for number, peer in enumerate(rule.peers):
        if text := _peer_words(peer, own):
            # Above the only peer of a rule there is room above the rule itself.
            place = (*path, side, number) if len(rule.peers) > 1 else path
            comments[place] = "\n".join(filter(None, [comments.get(place, ""), text]))


def _peer_words(proposed: ProposedPeer, own: str) -> str:
    peer, lines = proposed.peer, []
    who = ", ".join(proposed.who)
    if isinstance(peer, BlockPeer):
        lines.append(f"{proposed.remark}: {who}" if who and proposed.remark else who or proposed.remark)
    else:
        lines += [who] if who else []
        if peer.namespace != own and peer.labels:
            lines.append(f"AND: {_pods_words(peer)} that are also in namespace {peer.namespace}.")
        if proposed.remark:
            lines.append(f"{proposed.remark[:1].upper()}{proposed.remark[1:]}.")
    if proposed.evidence.flows:
        seen = period(proposed.evidence.first, proposed.evidence.last)
        lines.append(f"Seen: {count(proposed.evidence.flows, 'flow')}{', ' + seen if seen else ''}.")
    return _wrapped(filter(None, lines))


def _pods_words(peer: PodPeer) -> str:
    return "pods with " + ", ".join(f"{key}={'|'.join(values)}" for key, values in peer.labels)


def _wrapped(texts: Iterable[str]) -> str:
    return "\n".join(
        line for text in texts for line in wrap(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
    )
