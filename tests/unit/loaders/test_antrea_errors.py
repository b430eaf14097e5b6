"""What is wrong with Antrea's objects is told with its place and the way out."""

import pytest

from simcore.errors import LoadError
from tests.antrea import APPLIED, antrea, cluster_group, cluster_policy, group, namespace, namespaced_policy, tier
from tests.manifests import load

PODS = {"podSelector": {}}
SERVICE = {"service": {"namespace": "n1", "name": "s"}}


def errors(*documents):
    with pytest.raises(LoadError) as caught:
        load(*documents)
    return [(diagnostic.place.field, diagnostic.message) for diagnostic in caught.value.diagnostics]


def ingress(**rule):
    return cluster_policy(ingress=[{"action": "Allow", **rule}])


def egress(**rule):
    return cluster_policy(egress=[{"action": "Allow", **rule}])


def dropping(direction="ingress", **rule):
    return cluster_policy(**{direction: [{"action": "Drop", **rule}]})


RULE, PEER = "spec.ingress[0]", "spec.ingress[0].from[0]"
OUT, TO = "spec.egress[0]", "spec.egress[0].to[0]"

CASES = [
    (cluster_policy(version="crd.antrea.io/v9"), "apiVersion", "Write apiVersion: crd.antrea.io/v1beta1"),
    (tier("t", 5, "crd.antrea.io/v1alpha3"), "apiVersion", "there is no Tier in crd.antrea.io/v1alpha3"),
    (antrea("Tier", "t", {}), "spec.priority", "a priority is required"),
    (tier("t", 256), "spec.priority", "they go from 0 to 255"),
    (tier("t", 252), "spec.priority", "priority 252 is reserved"),
    (tier("t", 250), "spec.priority", "is that of tier application"),
    (tier("emergency", 51), "spec.priority", "is Antrea's own and has priority 50"),
    (cluster_policy(priority=None), "spec.priority", "a priority is required"),
    (cluster_policy(priority=0.5), "spec.priority", "they go from 1 to 10000"),
    (cluster_policy(priority=10001), "spec.priority", "they go from 1 to 10000"),
    (cluster_policy(priority="1"), "spec.priority", "expected a number"),
    (cluster_policy(tier="none"), "spec.tier", "there is no tier 'none' in the input"),
    (cluster_policy(podSelector={}), "spec.podSelector", "Put it below appliedTo"),
    (cluster_policy(ingress=[{}]), f"{RULE}.action", "an action is required"),
    (cluster_policy(ingress=[{"action": "Deny"}]), f"{RULE}.action", "Write Drop"),
    (cluster_policy(ingress=[{"action": "allow"}]), f"{RULE}.action", "Use one of Allow"),
    (cluster_policy(ingress=[None]), RULE, "has no action"),
    (cluster_policy(tier="baseline", egress=[{"action": "Pass"}]), f"{OUT}.action", "nothing is left to pass to"),
    (
        cluster_policy(ingress=[{"action": "Drop", "name": "n"}], egress=[{"action": "Drop", "name": "n"}]),
        f"{OUT}.name",
        "is called n already",
    ),
    (cluster_policy(ingress=[{"action": "Drop"}, {"action": "Drop"}]), "spec.ingress[1]", "says the same"),
    (ingress(to=[PODS]), f"{RULE}.to", "names its peers in from"),
    (ingress(toServices=[]), f"{RULE}.toServices", "Only egress rules take it"),
    (ingress(enableLogging="yes"), f"{RULE}.enableLogging", "expected true or false"),
    (ingress(logLabel="a b"), f"{RULE}.logLabel", "not a label value"),
    # appliedTo
    (cluster_policy(appliedTo=None), "spec.appliedTo", "nothing is said of whom"),
    (ingress(appliedTo=APPLIED), f"{RULE}.appliedTo", "Keep one of the two"),
    (
        cluster_policy(appliedTo=None, ingress=[{"action": "Drop", "appliedTo": APPLIED}], egress=[{"action": "Drop"}]),
        f"{OUT}.appliedTo",
        "each needs one",
    ),
    (cluster_policy(appliedTo=[{}]), "spec.appliedTo[0]", "an empty item"),
    (cluster_policy(appliedTo=[None]), "spec.appliedTo[0]", "an empty item"),
    (cluster_policy(appliedTo=[{"ipBlock": {}}]), "spec.appliedTo[0].ipBlock", "not to addresses"),
    (cluster_policy(appliedTo=[{"group": "g", **PODS}]), "spec.appliedTo[0].group", "beside podSelector"),
    (cluster_policy(appliedTo=[{"nodeSelector": {}, **PODS}]), "spec.appliedTo[0].nodeSelector", "beside podSelector"),
    (
        cluster_policy(appliedTo=[{"serviceAccount": {"name": "a", "namespace": "b"}, **PODS}]),
        "spec.appliedTo[0].serviceAccount",
        "beside podSelector",
    ),
    (cluster_policy(appliedTo=[{**SERVICE, **PODS}]), "spec.appliedTo[0].service", "beside podSelector"),
    (
        cluster_policy(appliedTo=[{"serviceAccount": {"name": "a"}}]),
        "spec.appliedTo[0].serviceAccount.namespace",
        "the namespace of the service account is required",
    ),
    (cluster_policy(appliedTo=[SERVICE, PODS]), "spec.appliedTo", "applies to Services can apply to nothing else"),
    (cluster_policy(appliedTo=[{"nodeSelector": {}}, PODS]), "spec.appliedTo", "applies to nodes can apply to nothing"),
    (cluster_policy(appliedTo=[SERVICE], egress=[{"action": "Drop"}]), OUT, "ingress rules only"),
    (cluster_policy(appliedTo=[SERVICE], ingress=[{"action": "Drop", "from": [PODS]}]), PEER, "by ipBlock only"),
    (
        cluster_policy(
            appliedTo=[{"nodeSelector": {}}], ingress=[{"action": "Drop", "from": [{"namespaces": {"match": "Self"}}]}]
        ),
        RULE,
        "a node has no namespace",
    ),
    (namespaced_policy(appliedTo=[{"namespaceSelector": {}}]), "spec.appliedTo[0].namespaceSelector", "Use a Cluster"),
    (
        cluster_policy(appliedTo=None, ingress=[{"action": "Drop", "appliedTo": [{"nodeSelector": {}}]}]),
        f"{RULE}.appliedTo[0].nodeSelector",
        "Only a policy as a whole applies to nodes",
    ),
    # peers
    (ingress(**{"from": [{}]}), PEER, "an empty item"),
    (ingress(**{"from": [None]}), PEER, "an empty item"),
    (ingress(**{"from": [{"scope": "Cluster"}]}), PEER, "an empty item"),
    (ingress(**{"from": [{"group": "g", "ipBlock": {"cidr": "10.0.0.0/8"}}]}), f"{PEER}.group", "beside ipBlock"),
    (ingress(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}, **PODS}]}), f"{PEER}.ipBlock", "beside podSelector"),
    (ingress(**{"from": [{"ipBlock": {}}]}), f"{PEER}.ipBlock.cidr", "a CIDR is required"),
    (
        ingress(**{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}}]}),
        f"{PEER}.ipBlock.except[0]",
        "leaves nothing",
    ),
    (ingress(**{"from": [{"fqdn": "a.b"}]}), f"{PEER}.fqdn", "Only egress rules know names"),
    (egress(to=[{"fqdn": "a_b.c"}]), f"{TO}.fqdn", "is not a domain name"),
    (egress(to=[{"fqdn": "a.b", **PODS}]), f"{TO}.fqdn", "beside podSelector"),
    (egress(to=[{**PODS, "scope": "ClusterSet"}]), f"{TO}.scope", "Only ingress rules take it"),
    (ingress(**{"from": [{**PODS, "scope": "All"}]}), f"{PEER}.scope", "is not a scope"),
    (ingress(**{"from": [{"namespaces": {}}]}), f"{PEER}.namespaces", "nothing is said"),
    (ingress(**{"from": [{"namespaces": {"match": "Other"}}]}), f"{PEER}.namespaces.match", "Write Self"),
    (
        ingress(**{"from": [{"namespaces": {"sameLabels": ["a b"]}}]}),
        f"{PEER}.namespaces.sameLabels[0]",
        "is not a label key",
    ),
    (
        ingress(**{"from": [{"namespaces": {"match": "Self", "sameLabels": ["a"]}}]}),
        f"{PEER}.namespaces",
        "match and sameLabels",
    ),
    (
        ingress(**{"from": [{"namespaces": {"match": "Self"}, "namespaceSelector": {}}]}),
        f"{PEER}.namespaces",
        "beside namespaceSelector",
    ),
    (
        namespaced_policy(ingress=[{"action": "Drop", "from": [{"namespaces": {"match": "Self"}}]}]),
        f"{PEER}.namespaces",
        "Only a ClusterNetworkPolicy",
    ),
    (egress(toServices=[{"name": "s", "namespace": "n"}], to=[PODS]), f"{OUT}.toServices", "beside to"),
    (egress(toServices=[{"name": "s", "namespace": "n"}], protocols=[{"icmp": {}}]), f"{OUT}.toServices", "beside pro"),
    (egress(toServices=[{"name": "s"}]), f"{OUT}.toServices[0].namespace", "the namespace of the Service is required"),
    # traffic
    (ingress(ports=[None]), f"{RULE}.ports[0]", "an empty item"),
    (ingress(ports=[{"protocol": "ICMP"}]), f"{RULE}.ports[0].protocol", "stand below protocols"),
    (ingress(ports=[{"protocol": "tcp"}]), f"{RULE}.ports[0].protocol", "Write TCP"),
    (ingress(ports=[{"port": 0}]), f"{RULE}.ports[0].port", "is not a port"),
    (ingress(ports=[{"port": "web", "endPort": 90}]), f"{RULE}.ports[0].endPort", "a range needs numbers"),
    (ingress(ports=[{"sourcePort": 9, "sourceEndPort": 8}]), f"{RULE}.ports[0].sourceEndPort", "below sourcePort 9"),
    (ingress(protocols=[{}]), f"{RULE}.protocols[0]", "one of icmp and igmp"),
    (ingress(protocols=[{"icmp": {"icmpType": 256}}]), f"{RULE}.protocols[0].icmp.icmpType", "0 to 255"),
    (dropping(protocols=[{"igmp": {"igmpType": 0x12}}]), f"{RULE}.protocols[0].igmp.igmpType", "17 (0x11)"),
    (
        dropping(protocols=[{"igmp": {"groupAddress": "10.0.0.1"}}]),
        f"{RULE}.protocols[0].igmp.groupAddress",
        "not a multicast address",
    ),
    (dropping(protocols=[{"igmp": {}}], ports=[{}]), f"{RULE}.protocols", "beside ports"),
    (cluster_policy(ingress=[{"action": "Reject", "protocols": [{"igmp": {}}]}]), f"{RULE}.action", "dropped only"),
    (
        dropping("egress", to=[{"ipBlock": {"cidr": "225.0.0.0/8"}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]),
        f"{OUT}.to",
        "multicast and unicast",
    ),
    (
        cluster_policy(egress=[{"action": "Pass", "to": [{"ipBlock": {"cidr": "225.0.0.0/8"}}]}]),
        f"{OUT}.action",
        "multicast is allowed or dropped",
    ),
    (ingress(l7Protocols=[{}]), f"{RULE}.l7Protocols[0]", "one of http and tls"),
    (ingress(l7Protocols=[{"http": {"method": "get"}}]), f"{RULE}.l7Protocols[0].http.method", "is not a method"),
    (ingress(l7Protocols=[{"http": {}}], ports=[{"protocol": "UDP"}]), f"{RULE}.ports[0].protocol", "TCP only"),
    (ingress(l7Protocols=[{"http": {}}], protocols=[{"icmp": {}}]), f"{RULE}.protocols", "TCP only"),
    (
        egress(l7Protocols=[{"tls": {}}], toServices=[{"name": "s", "namespace": "n"}]),
        f"{OUT}.l7Protocols",
        "beside toServices",
    ),
    # groups
    (cluster_group("g", podSelector={}, nodeSelector={}), "spec", "one kind of members"),
    (cluster_group("g", childGroups=["g"]), "spec.childGroups", "a child of its own"),
    (group("g", nodeSelector={}), "spec.nodeSelector", "Only a ClusterGroup"),
    (cluster_group("g", serviceReference={"name": "s"}), "spec.serviceReference.namespace", "is required"),
    (cluster_group("g", ipBlocks=[{"cidr": "225.0.0.0/8"}, {"cidr": "10.0.0.0/8"}]), "spec.ipBlocks", "multicast and"),
]


@pytest.mark.parametrize(("document", "field", "message"), CASES, ids=[f"{f}-{m}" for _, f, m in CASES])
def test_what_is_refused(document, field, message):
    ((found_field, found_message),) = errors(document)
    assert found_field == field
    assert message in found_message


def test_two_tiers_of_one_priority():
    ((field, message),) = errors(tier("a", 10), tier("b", 10))
    assert (field, message) == ("spec.priority", "priority 10 is that of tier a. Choose another one")


def test_more_tiers_than_antrea_takes():
    assert len(load(*(tier(f"t{n}", n) for n in range(14))).diagnostics) == 0
    ((_, message),) = errors(*(tier(f"t{n}", n) for n in range(15)))
    assert "more than 20 tiers" in message


def test_a_kind_that_is_misspelt():
    document = {**cluster_policy(), "kind": "Clusternetworkpolicy"}
    assert errors(document) == [("kind", "'Clusternetworkpolicy' is not a kind. Did you mean ClusterNetworkPolicy?")]


WARNED = [
    (cluster_policy(version="crd.antrea.io/v1alpha1"), "is no longer served"),
    (cluster_policy(tier="SecurityOps"), "Write securityops"),
    (ingress(ports=[{"port": "80"}]), "it matches nothing"),
    (
        cluster_policy(appliedTo=[{"nodeSelector": {}}], ingress=[{"action": "Drop", "from": [{"group": "g"}]}]),
        "there is no ClusterGroup g",
    ),
    (
        namespaced_policy(appliedTo=[PODS], ingress=[{"action": "Drop", "from": [{"group": "g"}]}]),
        "there is no Group g in namespace n1",
    ),
    (cluster_policy(appliedTo=[{"group": "g"}], ingress=[{"action": "Drop"}]), "there is no ClusterGroup g"),
    (cluster_policy(appliedTo=[{"externalEntitySelector": {}}]), "ExternalEntity objects are not modelled"),
    (cluster_group("g"), "nothing is said of who belongs"),
    (cluster_group("g", serviceReference={"name": "s", "namespace": "n1"}), "there is no Service n1/s"),
    (
        cluster_policy(
            appliedTo=[*APPLIED, PODS], ingress=[{"action": "Drop", "from": [{"namespaces": {"match": "Self"}}]}]
        ),
        "read as written",
    ),
]


@pytest.mark.parametrize(("document", "message"), WARNED, ids=[message for _, message in WARNED])
def test_what_is_warned_of(document, message):
    assert [message in diagnostic.message for diagnostic in load(document, namespace("n1")).diagnostics] == [True]


def test_a_namespace_of_what_is_cluster_wide():
    document = {**tier("t", 5), "metadata": {"name": "t", "namespace": "n1"}}
    assert errors(document) == [("metadata.namespace", "this kind belongs to no namespace. Remove the line")]


def test_groups_beside_selectors():
    document = ingress(**{"from": [{"group": "g"}]})
    messages = [diagnostic.message for diagnostic in load(document, cluster_group("g", podSelector={})).diagnostics]
    assert ["either groups or selectors" in message for message in messages] == [True]
