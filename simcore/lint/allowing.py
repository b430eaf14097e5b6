"""The rules that allow something, and the peers that they name one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..model.peers import AnyOf, PeerSet
from ..model.policy import Action, Policy, Role, Rule
from ..model.ports import ICMP, ICMPV6, IcmpType, NamedPort, PortMember, PortRange

if TYPE_CHECKING:
    from .context import LintContext

DNS_PORTS = (53, 5353)
"""Where DNS pods listen; the second is that of OpenShift's."""
DNS_NAMES = ("dns", "dns-tcp", "dns-udp")


def in_force(context: LintContext) -> Iterator[Policy]:
    """Yield the policies that are more than announced."""
    return (policy for policy in context.policies if policy.stages is None)


def written_rules(context: LintContext) -> Iterator[tuple[Policy, Rule]]:
    """Yield the rules that people wrote for pods, each with its policy."""
    for policy in in_force(context):
        for rule in policy.rules:
            if rule.role is Role.WRITTEN and not rule.hosts:
                yield policy, rule


def allowing_rules(context: LintContext) -> Iterator[tuple[Policy, Rule]]:
    """Yield those of them that allow."""
    return ((policy, rule) for policy, rule in written_rules(context) if rule.action is Action.ALLOW)


def peers_of(rule: Rule) -> tuple[PeerSet, ...]:
    """Return the peers of which a rule takes any."""
    return rule.peer.members if isinstance(rule.peer, AnyOf) else (rule.peer,)


def is_harmless(rule: Rule) -> bool:
    """Whether a rule is about name resolution and messages of ICMP, and nothing else."""
    members = rule.ports.members or ()
    return bool(members) and all(map(_is_harmless, members))


def _is_harmless(member: PortMember) -> bool:
    match member:
        case PortRange(protocol, first, last):
            return protocol in (ICMP, ICMPV6) or (first == last and first in DNS_PORTS)
        case NamedPort(_, name):
            return name in DNS_NAMES
        case IcmpType():
            return True
