"""Connection tracking: classes, states, and every setting that changes an answer (semantics C-1 to C-8)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Any, Self

from simcore.model.ports import GRE, ICMP, ICMPV6, UDP
from simcore.model.rulesets import BOTHNEW, RULESETS, STATEFUL, SYNONLY, Dnat, Masquerade, Ruleset

__all__ = [
    "BOTHNEW",
    "BUCKET_BYTES",
    "CILIUM",
    "ENTRY_BYTES",
    "EXTENSION_BYTES",
    "FULL_PAGE_BUCKETS",
    "LINUX",
    "PRESETS",
    "RULESETS",
    "SECOND",
    "STATEFUL",
    "SYNONLY",
    "Cilium",
    "Conntrack",
    "CtClass",
    "CtState",
    "Dnat",
    "Masquerade",
    "Ruleset",
    "default_buckets",
    "kube_proxy",
    "rounded_buckets",
    "timeouts",
]

SECOND = 1_000_000_000
ENTRY_BYTES = 256  # an entry's slot in the slab (C-7)
EXTENSION_BYTES = 128  # the block beside it once NAT rules, accounting or an event listener are there (C-11.2)
BUCKET_BYTES = 8
FULL_PAGE_BUCKETS = 512  # the number of buckets is rounded up to a full page of heads (C-7)
UDPLITE = 136


class CtClass(IntEnum):
    """What a packet is to the tracker (C-1)."""

    NEW = 0
    ESTABLISHED = 1
    RELATED = 2
    INVALID = 3
    UNTRACKED = 4
    NONE = 5
    """Dropped by a full table, before any rule is asked."""

    @property
    def word(self) -> str:
        """The class as rules write it: ``new``, ``established``, ..."""
        return self.name.lower()


class CtState(IntEnum):
    """The state of an entry; one numbering for all protocols (C-2, C-3, C-4).

    UNREPLIED, REPLIED and ASSURED stand for entries of protocols without states of their own.
    """

    NONE = 0
    SYN_SENT = 1
    SYN_RECV = 2
    ESTABLISHED = 3
    FIN_WAIT = 4
    CLOSE_WAIT = 5
    LAST_ACK = 6
    TIME_WAIT = 7
    CLOSE = 8
    SYN_SENT2 = 9
    UNREPLIED = 10
    REPLIED = 11
    ASSURED = 12
    SCTP_CLOSED = 13
    SCTP_COOKIE_WAIT = 14
    SCTP_COOKIE_ECHOED = 15
    SCTP_ESTABLISHED = 16
    SCTP_SHUTDOWN_SENT = 17
    SCTP_SHUTDOWN_RECD = 18
    SCTP_SHUTDOWN_ACK_SENT = 19
    SCTP_HEARTBEAT_SENT = 20

    @property
    def word(self) -> str:
        """The state by the kernel's name: ``SYN_SENT``, ``COOKIE_WAIT``, ``ASSURED``."""
        return self.name.removeprefix("SCTP_")


PREFIX = "nf_conntrack_"
LARGEST_SETTING = (1 << 31) - 1
"""Settings are 32-bit numbers in a kernel too."""
MOST_BUCKETS, MOST_HZ = 1 << 28, 10_000


class UnknownSettingError(ValueError):
    """No setting has this name; the message lists those there are."""


@dataclass(frozen=True, slots=True)
class Conntrack:
    """A kernel's settings, by the names they have under ``net.netfilter``; times in seconds.

    The defaults are those measured on 6.18 (C-2 to C-7). `hz`, the kernel's ticks a second, is no sysctl.
    """

    nf_conntrack_max: int = 262144  # entries; 0 is no limit
    nf_conntrack_buckets: int = 262144
    nf_conntrack_expect_max: int = 4096
    nf_conntrack_checksum: bool = True
    nf_conntrack_tcp_loose: bool = True
    nf_conntrack_tcp_be_liberal: bool = False
    nf_conntrack_tcp_ignore_invalid_rst: bool = False
    nf_conntrack_tcp_max_retrans: int = 3
    nf_conntrack_tcp_timeout_syn_sent: int = 120
    nf_conntrack_tcp_timeout_syn_recv: int = 60
    nf_conntrack_tcp_timeout_established: int = 432000
    nf_conntrack_tcp_timeout_fin_wait: int = 120
    nf_conntrack_tcp_timeout_close_wait: int = 60
    nf_conntrack_tcp_timeout_last_ack: int = 30
    nf_conntrack_tcp_timeout_time_wait: int = 120
    nf_conntrack_tcp_timeout_close: int = 10
    nf_conntrack_tcp_timeout_max_retrans: int = 300
    nf_conntrack_tcp_timeout_unacknowledged: int = 300
    nf_conntrack_udp_timeout: int = 30
    nf_conntrack_udp_timeout_stream: int = 120
    nf_conntrack_icmp_timeout: int = 30
    nf_conntrack_icmpv6_timeout: int = 30
    nf_conntrack_gre_timeout: int = 30
    nf_conntrack_gre_timeout_stream: int = 180
    nf_conntrack_generic_timeout: int = 600
    nf_conntrack_sctp_timeout_closed: int = 10
    nf_conntrack_sctp_timeout_cookie_wait: int = 3
    nf_conntrack_sctp_timeout_cookie_echoed: int = 3
    nf_conntrack_sctp_timeout_established: int = 210
    nf_conntrack_sctp_timeout_shutdown_sent: int = 3
    nf_conntrack_sctp_timeout_shutdown_recd: int = 3
    nf_conntrack_sctp_timeout_shutdown_ack_sent: int = 3
    nf_conntrack_sctp_timeout_heartbeat_sent: int = 30
    hz: int = 250

    def __post_init__(self) -> None:
        _check_range(self)
        if not 1 <= self.nf_conntrack_buckets <= MOST_BUCKETS:
            raise ValueError(f"nf_conntrack_buckets is 1 to {MOST_BUCKETS:,}, not {self.nf_conntrack_buckets:,}")
        if not 1 <= self.hz <= MOST_HZ:
            raise ValueError(f"hz is 1 to {MOST_HZ:,}, not {self.hz:,}")

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Name every setting with the words it takes, the default first; ``N`` is any whole number."""
        return _choices(cls)

    def with_setting(self, name: str, word: str) -> Self:
        """Return the settings with one changed, from words; ``nf_conntrack_`` may be left out.

        Raises
        ------
        UnknownSettingError
            There is no such setting.
        ValueError
            It does not take this word.
        """
        full = name if name == "hz" or name.startswith(PREFIX) else PREFIX + name
        changed: dict[str, Any] = {full: _value(type(self), full, word)}
        return replace(self, **changed)


@dataclass(frozen=True, slots=True)
class Cilium:
    """Cilium's own tables: the agent's options, dashes as underscores; times in seconds, maxima in entries a map."""

    bpf_ct_global_tcp_max: int = 524288
    bpf_ct_global_any_max: int = 262144
    bpf_nat_global_max: int = 524288
    bpf_ct_timeout_regular_tcp: int = 8000
    bpf_ct_timeout_regular_tcp_syn: int = 60
    bpf_ct_timeout_regular_tcp_fin: int = 10
    bpf_ct_timeout_regular_any: int = 60
    bpf_ct_timeout_service_tcp: int = 8000
    bpf_ct_timeout_service_tcp_grace: int = 60
    bpf_ct_timeout_service_any: int = 60
    conntrack_gc_interval: int = 0  # 0 adapts between 10 s and conntrack_gc_max_interval
    conntrack_gc_max_interval: int = 43200

    def __post_init__(self) -> None:
        _check_range(self)

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """Name every setting with the words it takes, the default first; ``N`` is any whole number."""
        return _choices(cls)

    def with_setting(self, name: str, word: str) -> Self:
        """Return the settings with one changed, from words; dashes may stand for underscores.

        Raises
        ------
        UnknownSettingError
            There is no such setting.
        ValueError
            It does not take this word.
        """
        full = name.removeprefix("--").replace("-", "_")
        return replace(self, **{full: _value(type(self), full, word)})


def _check_range(settings: Conntrack | Cilium) -> None:
    for field in fields(settings):
        value = getattr(settings, field.name)
        if not 0 <= value <= LARGEST_SETTING:
            raise ValueError(f"{field.name} is 0 to {LARGEST_SETTING:,}, not {value:,}")


def _choices(kind: type[Conntrack | Cilium]) -> dict[str, tuple[str, ...]]:
    words: dict[str, tuple[str, ...]] = {}
    for field in fields(kind):
        if isinstance(field.default, bool):
            words[field.name] = ("1", "0") if field.default else ("0", "1")
        else:
            words[field.name] = (str(field.default), "N")
    return words


def _value(kind: type[Conntrack | Cilium], name: str, word: str) -> int | bool:
    choices = _choices(kind)
    if name not in choices:
        raise UnknownSettingError(f"no setting is named {name!r}; there are {', '.join(choices)}")
    if "N" not in choices[name]:
        meant = {"1": True, "true": True, "0": False, "false": False}.get(word.lower())
        if meant is None:
            raise ValueError(f"{name} takes 1 or 0, not {word!r}")
        return meant
    if not (word.isascii() and word.isdigit()):
        raise ValueError(f"{name} takes a whole number, not {word!r}")
    return int(word)


def rounded_buckets(buckets: int) -> int:
    """Round a number of buckets up as the kernel does, to a full page of heads (C-7)."""
    return -(-buckets // FULL_PAGE_BUCKETS) * FULL_PAGE_BUCKETS


def default_buckets(memory: int | None = None) -> int:
    """Say how many buckets a 64-bit kernel makes by itself on a machine of `memory` bytes (C-7)."""
    if memory is None or memory > 4 << 30:
        return 262144
    if memory > 1 << 30:
        return 65536
    return rounded_buckets(max(memory // 16384 // BUCKET_BYTES, 1024))


def kube_proxy(cpus: int = 4, memory: int | None = None) -> Conntrack:
    """Settings of a node on which kube-proxy runs with its defaults (C-8).

    Parameters
    ----------
    cpus : int
        CPUs of the node; up to four give the floor of 131072 entries.
    memory : int, optional
        Bytes of memory, which decide the buckets the kernel starts with; more than 4 GiB if not told.
    """
    limit = min(max(32768 * cpus, 131072), 1048576)
    return Conntrack(
        nf_conntrack_max=limit,
        nf_conntrack_buckets=max(default_buckets(memory), rounded_buckets(limit // 4)),
        nf_conntrack_tcp_timeout_established=86400,
        nf_conntrack_tcp_timeout_close_wait=3600,
    )


LINUX = Conntrack()
CILIUM = Cilium()
PRESETS: dict[str, Conntrack | Cilium] = {"linux": LINUX, "kube-proxy": kube_proxy(), "cilium": CILIUM}


def timeouts(settings: Conntrack | Cilium, protocol: int = UDP) -> tuple[int, ...]:
    """List the timeout of every state in nanoseconds, indexed by `CtState`; NONE has 0.

    Parameters
    ----------
    settings : Conntrack or Cilium
        Cilium has one timeout for all that is not TCP, a short one while only a SYN was seen, and another once both
        ends or a reset have closed; one FIN alone keeps the long one.
    protocol : int
        Whose UNREPLIED, REPLIED and ASSURED are meant.
    """
    if isinstance(settings, Cilium):
        seconds = _cilium_seconds(settings)
    else:
        seconds = [0, *_tcp_seconds(settings), *_stateless_seconds(settings, protocol), *_sctp_seconds(settings)]
    return tuple(number * SECOND for number in seconds)


def _tcp_seconds(settings: Conntrack) -> list[int]:
    words = "syn_sent syn_recv established fin_wait close_wait last_ack time_wait close syn_sent"
    return [getattr(settings, f"nf_conntrack_tcp_timeout_{word}") for word in words.split()]


def _stateless_seconds(settings: Conntrack, protocol: int) -> list[int]:
    if protocol in (UDP, UDPLITE):
        return [settings.nf_conntrack_udp_timeout] * 2 + [settings.nf_conntrack_udp_timeout_stream]
    if protocol == GRE:
        return [settings.nf_conntrack_gre_timeout] * 2 + [settings.nf_conntrack_gre_timeout_stream]
    if protocol == ICMP:
        return [settings.nf_conntrack_icmp_timeout] * 3
    if protocol == ICMPV6:
        return [settings.nf_conntrack_icmpv6_timeout] * 3
    return [settings.nf_conntrack_generic_timeout] * 3


def _sctp_seconds(settings: Conntrack) -> list[int]:
    states = [state for state in CtState if state.name.startswith("SCTP_")]
    return [getattr(settings, f"nf_conntrack_sctp_timeout_{state.word.lower()}") for state in states]


def _cilium_seconds(settings: Cilium) -> list[int]:
    syn, open_, closing, other = (
        settings.bpf_ct_timeout_regular_tcp_syn,
        settings.bpf_ct_timeout_regular_tcp,
        settings.bpf_ct_timeout_regular_tcp_fin,
        settings.bpf_ct_timeout_regular_any,
    )
    tcp = [syn, open_, open_, open_, open_, closing, closing, closing, open_]
    return [0, *tcp, *[other] * (len(CtState) - 1 - len(tcp))]
