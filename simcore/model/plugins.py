"""Network plugins: what each enforces, by which profile, and where that is known from (docs/semantics/profiles.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from .agent import CiliumAgent
from .cilium import TIERS_SINCE
from .policy import NETWORKPOLICY, Position, Tier
from .profile import UPSTREAM, Profile

NETWORK_POLICY = "NetworkPolicy"
ADMIN_V1ALPHA1 = ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy")
CLUSTER_V1ALPHA2 = ("ClusterNetworkPolicy",)
CALICO_KINDS = tuple(f"{kind}.projectcalico.org" for kind in ("NetworkPolicy", "GlobalNetworkPolicy", "HostEndpoint"))
CILIUM_KINDS = ("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy")
ANTREA_KINDS = ("NetworkPolicy.crd.antrea.io", "ClusterNetworkPolicy.crd.antrea.io")


@dataclass(frozen=True, slots=True)
class Habit:
    """One thing to know of a plugin.

    Attributes
    ----------
    source : str
        Where it is from: an issue, a page, a file of its source; ``unconfirmed`` where no primary source was found.
    judged : bool
        Verdicts take it into account; else it is only said.
    """

    text: str
    source: str
    judged: bool = True


@dataclass(frozen=True, slots=True)
class NetworkPlugin:
    """What a network plugin makes of policies.

    Attributes
    ----------
    enforces : tuple of str
        Kinds of policies, as `PolicyRef.kind` writes them; it ignores all others.
    """

    name: str
    title: str
    profile: Profile
    enforces: tuple[str, ...]
    habits: tuple[Habit, ...]

    def enforces_under(self, profile: Profile) -> tuple[str, ...]:
        """Name the kinds that it enforces in the version of its profile; ClusterNetworkPolicy came to Cilium late."""
        if profile.cilium is None or profile.cilium.version >= TIERS_SINCE:
            return self.enforces
        return tuple(kind for kind in self.enforces if kind not in CLUSTER_V1ALPHA2)


@dataclass(frozen=True)
class Enforcement:
    """Under which plugin an answer holds.

    Attributes
    ----------
    evidence : str
        What the plugin was guessed from; empty where it was named, or is the default.
    is_default : bool
        Neither named nor guessed.
    is_enforced : bool
        Policies have an effect at all, by the plugin's profile or by what was set instead.
    ignored : mapping of str to int
        How many policies of each kind the plugin does not enforce.
    """

    plugin: NetworkPlugin
    evidence: str = ""
    is_default: bool = False
    is_enforced: bool = True
    ignored: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


def _tiers(admin: Position, networkpolicy: Position, baseline: Position, **others: Position) -> tuple[Tier, ...]:
    """Place the tiers that rules know by name."""
    positions = {"anp": admin, "cnp-admin": admin, "banp": baseline, "cnp-baseline": baseline, **others}
    named = [
        replace(tier, position=networkpolicy if tier.name == NETWORKPOLICY.name else positions[tier.name])
        for tier in UPSTREAM.tiers
    ]
    return tuple(named)


_CALICO = replace(
    UPSTREAM,
    ties="name",
    tiers=_tiers(
        Position((0, 1000.0, "kube-admin")),
        Position((0, 1_000_000.0, "default")),
        Position((0, 10_000_000.0, "kube-baseline")),
    ),
)
_ANTREA = replace(
    UPSTREAM,
    tiers=_tiers(
        Position((0,), (220,)),
        Position((1,)),
        Position((2,), (254,)),
        anp=Position((0,), (251,)),
    ),
)
_CILIUM = replace(
    UPSTREAM,
    ipblock_matches_pods=False,
    ipblock_matches_nodes=False,
    sctp="unknown",
    on_change="reevaluate",
    other_protocols="judged",
    tiers=(
        Tier("cnp-admin", Position((0,))),
        *(Tier(name, Position((1,), (0,))) for name in (NETWORKPOLICY.name, "cilium")),
        Tier("cnp-baseline", Position((1,), (1,))),
        Tier("cilium-default", Position((1,), (2,))),
    ),
    cilium=CiliumAgent(),
)
_AWS = replace(UPSTREAM, named_ports_from_blocks=False, bare_pods="ignored")
_CILIUM_HABITS = (
    Habit("policies of all kinds unite: any denial decides, then any allowance", "cilium/cilium deny.rst"),
    Habit("an ipBlock never matches pods, which are known by identity", "cilium/cilium#9209, #19601"),
    Habit("an ipBlock does not match nodes by default", "cilium/cilium#12277, #46571"),
    Habit(
        "labels that are no part of an identity are seen by no selector", "cilium/cilium identity-relevant-labels.rst"
    ),
    Habit("a pod's own node enters, unless allow_localhost=policy or a denial says no", "cilium/cilium daemon.go"),
    Habit("other protocols than TCP, UDP, SCTP and ICMP are stopped", "cilium/cilium layer4.rst"),
    Habit("a pod that reaches itself through a Service is let through", "cilium/cilium bpf_lxc.c"),
    Habit(
        "SCTP is opt-in, so what policies let through of it is unknown (--set sctp=enforced)", "docs.cilium.io, SCTP"
    ),
    Habit("open connections are judged again after a change", "cilium/cilium#2700 and bpf_lxc.c"),
)
_KEEPS = "open connections live through a change"

PLUGINS = (
    NetworkPlugin(
        "upstream",
        "the API as Kubernetes documents it",
        UPSTREAM,
        (NETWORK_POLICY, *ADMIN_V1ALPHA1, *CLUSTER_V1ALPHA2),
        (Habit("what the API leaves open is a setting, shown by --help", "docs/semantics/networkpolicy.md"),),
    ),
    NetworkPlugin(
        "calico",
        "Calico 3.32 and later",
        _CALICO,
        (NETWORK_POLICY, *CLUSTER_V1ALPHA2, *CALICO_KINDS),
        (
            Habit("NetworkPolicies stand in tier default at order 1000", "projectcalico/calico conversion.go"),
            Habit("ClusterNetworkPolicies stand in tiers kube-admin and kube-baseline", "clusternetworkpolicy.go"),
            Habit("policies of one priority go by their names", "projectcalico/calico policy_sorter.go"),
            Habit("an ipBlock matches pods and nodes", "projectcalico/calico conversion.go"),
            Habit(_KEEPS, "projectcalico/calico#6399, #11334"),
            Habit("a new pod is closed until its policies are programmed", "unconfirmed", judged=False),
        ),
    ),
    NetworkPlugin(
        "calico-3.30",
        "Calico 3.29 to 3.31",
        _CALICO,
        (NETWORK_POLICY, *ADMIN_V1ALPHA1, *CALICO_KINDS),
        (
            Habit(
                "AdminNetworkPolicies stand in a tier at order 1000, the baseline one at the end", "tigera/docs#2416"
            ),
            Habit("policies of one priority go by their names", "projectcalico/calico policy_sorter.go"),
        ),
    ),
    NetworkPlugin(
        "cilium",
        "Cilium",
        _CILIUM,
        (NETWORK_POLICY, *CLUSTER_V1ALPHA2, *CILIUM_KINDS),
        (
            *_CILIUM_HABITS,
            Habit(
                "ClusterNetworkPolicy is opt-in (enable-k8s-cluster-network-policy), from 1.20 on, taken to be on here",
                "cilium/cilium cluster_network_policy.go",
            ),
            Habit("policies with a nodeSelector need host_firewall=true", "cilium/cilium host.rst"),
        ),
    ),
    NetworkPlugin(
        "antrea",
        "Antrea 2.7",
        _ANTREA,
        (NETWORK_POLICY, *ADMIN_V1ALPHA1, *CLUSTER_V1ALPHA2, *ANTREA_KINDS),
        (
            Habit("native tiers come before NetworkPolicy, but for baseline", "antrea-io/antrea ovs-pipeline.md"),
            Habit(
                "AdminNetworkPolicy and ClusterNetworkPolicy are behind feature gates, taken to be on here",
                "antrea-io/antrea cluster-network-policy.md",
            ),
            Habit(_KEEPS, "antrea-io/antrea ovs-pipeline.md"),
            Habit("a new pod is open for a moment", "unconfirmed", judged=False),
        ),
    ),
    NetworkPlugin(
        "ovn-kubernetes",
        "OVN-Kubernetes",
        replace(UPSTREAM, on_change="reevaluate"),
        (NETWORK_POLICY, *ADMIN_V1ALPHA1),
        (
            Habit("every packet is checked, so a stricter policy cuts open connections", "network-policy-api#305"),
            Habit("priorities 0 to 99 of AdminNetworkPolicy", "ovn-kubernetes admin-network-policy.md", judged=False),
        ),
    ),
    NetworkPlugin(
        "kube-router",
        "kube-router",
        replace(UPSTREAM, sctp="unknown"),
        (NETWORK_POLICY,),
        (
            Habit("SCTP is reported missing, so verdicts of SCTP are unknown", "cloudnativelabs/kube-router#1019"),
            Habit(_KEEPS, "kube-router network_policy_controller.go"),
            Habit("a new pod is open until the next pass", "unconfirmed", judged=False),
        ),
    ),
    NetworkPlugin(
        "aws-vpc-cni",
        "AWS VPC CNI 1.21 and later, standard mode",
        _AWS,
        (NETWORK_POLICY, *CLUSTER_V1ALPHA2),
        (
            Habit(
                "policies are opt-in (enable-network-policy), taken to be on here; else --set enforced=false",
                "amazon-eks-user-guide cni-network-policy.adoc",
                judged=False,
            ),
            Habit("pods without an owner are not covered", "amazon-eks-user-guide cni-network-policy.adoc"),
            Habit("an ingress ipBlock with a named port lets nothing in", "amazon-network-policy-controller-k8s#81"),
            Habit("a new pod is open for its first seconds", "aws-network-policy-agent#83", judged=False),
            Habit(
                "connections older than the first policy may be cut", "aws-network-policy-agent#73, #189", judged=False
            ),
            Habit("at most 24 port combinations a protocol and selector", "containers-roadmap#2481", judged=False),
            Habit("one address family only", "amazon-eks-user-guide cni-network-policy.adoc", judged=False),
        ),
    ),
    NetworkPlugin(
        "aws-vpc-cni-strict",
        "AWS VPC CNI, strict mode",
        replace(_AWS, unselected_pods="closed"),
        (NETWORK_POLICY, *CLUSTER_V1ALPHA2),
        (
            Habit("a pod that no policy selects is closed both ways", "amazon-vpc-cni-k8s#3068"),
            Habit("else as aws-vpc-cni", "amazon-eks-user-guide cni-network-policy.adoc"),
        ),
    ),
    NetworkPlugin(
        "gke-dataplane-v2",
        "GKE Dataplane V2",
        _CILIUM,
        (NETWORK_POLICY, CILIUM_KINDS[1]),
        (
            Habit("as cilium, on whose dataplane it is built", "unconfirmed"),
            Habit(
                "CiliumClusterwideNetworkPolicy is opt-in, taken to be on here, and knows addresses and ports only",
                "cloud.google.com, configure-cilium-network-policy",
            ),
            *_CILIUM_HABITS,
        ),
    ),
    NetworkPlugin(
        "weave",
        "Weave Net",
        replace(UPSTREAM, endport=False),
        (NETWORK_POLICY,),
        (
            Habit("endPort is not known: a range is its first port", "unconfirmed"),
            Habit(_KEEPS, "weaveworks/weave#2618"),
            Habit("ingress from outside is masqueraded; IPv4 only", "unconfirmed", judged=False),
        ),
    ),
    NetworkPlugin(
        "kube-network-policies",
        "kube-network-policies, also in kindnet and beside Flannel",
        replace(UPSTREAM, np_final="any"),
        (NETWORK_POLICY, *CLUSTER_V1ALPHA2),
        (
            Habit(
                "a pod that any NetworkPolicy selects is finally decided by them, both ways",
                "kube-network-policies pkg/networkpolicy/engine.go",
            ),
            Habit("only the first packet of a connection is judged", "network-policy-api#305"),
        ),
    ),
    NetworkPlugin(
        "flannel",
        "Flannel",
        replace(UPSTREAM, enforced=False),
        (),
        (Habit("policies are accepted and have no effect at all", "flannel-io/flannel README"),),
    ),
    NetworkPlugin(
        "kubenet",
        "kubenet",
        replace(UPSTREAM, enforced=False),
        (),
        (Habit("policies are accepted and have no effect at all", "Kubernetes documentation, network plugins"),),
    ),
)
"""Every plugin that is known, the default first."""

UPSTREAM_PLUGIN = PLUGINS[0]


def plugin_named(name: str) -> NetworkPlugin:
    """Return the plugin of a name.

    Raises
    ------
    ValueError
        There is none.
    """
    for plugin in PLUGINS:
        if plugin.name == name:
            return plugin
    raise ValueError(f"no network plugin is named {name!r}; there are {', '.join(p.name for p in PLUGINS)}")
