"""Classes of conntrack entries: what they are of, and in which state; how long they live."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...model.conntrack import SECOND, UDPLITE, Cilium, Conntrack, CtState, timeouts
from ...model.ports import GRE, ICMP, ICMPV6, SCTP, TCP, UDP, protocol_name

OTHER, VXLAN = 256, 257
"""Kinds that are no protocol: those with neither ports nor states of their own, and the tunnels between nodes."""
GROUPS = (TCP, UDP, SCTP, ICMP, ICMPV6, GRE, UDPLITE, VXLAN, OTHER)
"""What entries are told apart by, besides their states."""

_NAMES = {OTHER: "other", VXLAN: "VXLAN", UDPLITE: "UDPLITE"}
_PLAIN = (CtState.UNREPLIED, CtState.REPLIED, CtState.ASSURED)
_STATES = {
    TCP: tuple(CtState(number) for number in range(CtState.SYN_SENT, CtState.SYN_SENT2 + 1)),
    SCTP: tuple(CtState(number) for number in range(CtState.SCTP_CLOSED, CtState.SCTP_HEARTBEAT_SENT + 1)),
}
_LASTING = {CtState.ESTABLISHED, CtState.CLOSE_WAIT, CtState.REPLIED, CtState.ASSURED, CtState.SCTP_ESTABLISHED}
_ASSURED = {
    *(CtState(number) for number in range(CtState.ESTABLISHED, CtState.CLOSE + 1)),
    *(CtState(number) for number in range(CtState.SCTP_ESTABLISHED, CtState.SCTP_SHUTDOWN_ACK_SENT + 1)),
    CtState.ASSURED,
}


@dataclass(frozen=True, slots=True, order=True)
class EntryClass:
    """What some entries have in common.

    Attributes
    ----------
    group : int
        One of GROUPS.
    state : CtState
    is_denied : bool
        Left by a connection that the policies at its destination drop.
    """

    group: int
    state: CtState
    is_denied: bool = False

    @property
    def protocol(self) -> str:
        """Name of the protocol, ``VXLAN`` for tunnels, ``other`` for all the rest."""
        return _NAMES.get(self.group) or protocol_name(self.group)

    @property
    def is_assured(self) -> bool:
        """Whether a full table keeps it (C-5)."""
        return self.state in _ASSURED and not self.is_denied

    @property
    def is_refreshed(self) -> bool:
        """Whether packets keep it alive, so that most of these have all of their time left."""
        return self.state in _LASTING and not self.is_denied

    def setting(self, settings: Conntrack | Cilium) -> str:
        """Name the setting that says how long it lives."""
        state = self.state.word.lower()
        if isinstance(settings, Cilium):
            if self.group != TCP:
                return "bpf-ct-timeout-regular-any"
            last = {
                CtState.SYN_SENT: "-syn",
                CtState.LAST_ACK: "-fin",
                CtState.TIME_WAIT: "-fin",
                CtState.CLOSE: "-fin",
            }
            return f"bpf-ct-timeout-regular-tcp{last.get(self.state, '')}"
        if self.group == TCP:
            return f"nf_conntrack_tcp_timeout_{state.removesuffix('2')}"
        if self.group == SCTP:
            return f"nf_conntrack_sctp_timeout_{state}"
        word = {ICMP: "icmp", ICMPV6: "icmpv6", GRE: "gre", OTHER: "generic"}.get(self.group, "udp")
        is_stream = self.state is CtState.ASSURED and word in ("udp", "gre")
        return f"nf_conntrack_{word}_timeout{'_stream' if is_stream else ''}"

    def lifetime(self, settings: Conntrack | Cilium) -> float:
        """Return the seconds from its last packet to its end."""
        protocol = UDP if self.group == VXLAN else self.group
        return timeouts(settings, protocol)[self.state] / SECOND


CLASSES: tuple[EntryClass, ...] = tuple(
    EntryClass(group, state, is_denied)
    for is_denied in (False, True)
    for group in GROUPS
    for state in _STATES.get(group, _PLAIN)
    if not is_denied or state in (CtState.SYN_SENT, CtState.UNREPLIED, CtState.SCTP_CLOSED)
)
"""Every class there is; their numbers are their positions."""


def class_table() -> NDArray[np.int16]:
    """Return the number of every class, int16[kinds, states]; a kind is ``2 * position in GROUPS + denied``.

    A denied entry has one class whatever its state.
    """
    table = np.zeros((2 * len(GROUPS), len(CtState)), np.int16)
    for number, found in enumerate(CLASSES):
        row = 2 * GROUPS.index(found.group) + found.is_denied
        if found.is_denied:
            table[row] = number
        else:
            table[row, found.state] = number
    return table


def kinds_of(protocol: NDArray[np.uint8], denied: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the kind of entries, as `class_table` counts them, by protocol and whether they are of a denied one."""
    return np.asarray(_KINDS[protocol] | (denied != 0), np.uint8)


def _kinds() -> NDArray[np.uint8]:
    groups = np.full(256, GROUPS.index(OTHER), np.uint8)
    for number, group in enumerate(GROUPS):
        if group < OTHER:
            groups[group] = number
    return groups << np.uint8(1)


_KINDS = _kinds()
VXLAN_KIND = 2 * GROUPS.index(VXLAN)
