"""What is wrong with Cilium's objects is told with its place and the way out."""

import pytest

from simcore.errors import LoadError
from tests.cilium import agent, ccnp, cidr_group, cnp, document
from tests.manifests import load

ITEM, OUT = "spec.ingress[0]", "spec.egress[0]"
PORT = {"port": "80", "protocol": "TCP"}


def errors(*documents, profile=None):
    with pytest.raises(LoadError) as caught:
        load(*documents, profile=profile or agent())
    return [(diagnostic.place.field, diagnostic.message) for diagnostic in caught.value.diagnostics]


def ingress(make=cnp, **item):
    return make(ingress=[item])


def egress(make=cnp, **item):
    return make(egress=[item])


def port(item=None, direction="egress", make=cnp, **fields):
    own = {"ports": [PORT if item is None else item]} if item != [] else {}
    return make(**{direction: [{"toPorts": [{**own, **fields}]}]})


def http(request, **options):
    return port(rules={"http": [request]}, **options)


AT = f"{OUT}.toPorts[0]"
FIRST = f"{AT}.ports[0]"
REQUEST = f"{AT}.rules.http[0]"
NODES = {"nodeSelector": {}}


def host(direction, **item):
    return document("cilium.io/v2", "CiliumClusterwideNetworkPolicy", "p", spec={**NODES, direction: [item]})


def raw(kind="CiliumNetworkPolicy", version="cilium.io/v2", **fields):
    return document(version, kind, "p", **fields)


CASES = [
    (cnp(version="cilium.io/v1", ingress=[{}]), "apiVersion", "Write apiVersion: cilium.io/v2"),
    (raw(), "", "there are no/empty spec(s)"),
    (raw(specs=[]), "", "there are no/empty spec(s)"),
    (raw(specs=[None]), "specs[0]", "Remove the dash"),
    (raw(ingress=[{}], spec={"endpointSelector": {}, "ingress": [{}]}), "ingress", "Put it below spec"),
    (raw("CiliumCIDRGroup"), "", "a spec with externalCIDRs is required"),
    (cidr_group("g", "10.0.0.0"), "spec.externalCIDRs[0]", "unable to parse CIDR"),
    (cnp(), "spec", "rule must have at least one of Ingress, IngressDeny, Egress, EgressDeny"),
    (cnp(ingress=[], enableDefaultDeny={"ingress": True}), "spec", "rule must have at least one of"),
    (raw(spec={"ingress": [{}]}), "spec", "rule must have one of EndpointSelector or NodeSelector"),
    (cnp(nodeSelector={}, ingress=[{}]), "spec.nodeSelector", "rule cannot have NodeSelector"),
    (
        raw("CiliumClusterwideNetworkPolicy", spec={"endpointSelector": {}, **NODES, "ingress": [{}]}),
        "spec.nodeSelector",
        "rule cannot have both",
    ),
    (cnp(podSelector={}, ingress=[{}]), "spec.podSelector", "Cilium says endpointSelector"),
    (cnp(ingress=[None]), ITEM, "Write {}"),
    (cnp(ingress={}), "spec.ingress", "expected a list"),
    (cnp(ingress=[{}], log={"value": "x" * 33}), "spec.log.value", "32 printable"),
    (cnp(ingress=[{}], enableDefaultDeny={"ingress": "no"}), "spec.enableDefaultDeny.ingress", "true or false"),
    (
        ingress(fromEndpoints=[{"matchLabels": {"a b": "c"}}]),
        f"{ITEM}.fromEndpoints[0].matchLabels[a b]",
        "invalid label selector",
    ),
    (ingress(fromEndpoints=[{"app": "c"}]), f"{ITEM}.fromEndpoints[0].app", "Put labels below matchLabels"),
    (ingress(toEndpoints=[{}]), f"{ITEM}.toEndpoints", "It belongs into egress"),
    (ingress(auth={}), f"{ITEM}.auth", "Did you mean authentication?"),
    (ingress(ports=[]), f"{ITEM}.ports", "Put it into an item of toPorts"),
    (
        ingress(fromCIDR=["10.0.0.0/8"], fromEntities=["all"]),
        f"{ITEM}.fromEntities",
        "combining FromCIDR and FromEntities",
    ),
    (ingress(fromEntities=["nobody"]), f"{ITEM}.fromEntities[0]", "unsupported entity: nobody"),
    (ingress(fromEntities=["world-ipv4"]), f"{ITEM}.fromEntities[0]", "reserved:world-ipv4"),
    (ingress(fromNodes=[{}]), f"{ITEM}.fromNodes[0]", "enable-node-selector-labels"),
    (ingress(fromRequires=[{}]), f"{ITEM}.fromRequires", "gone since Cilium 1.19"),
    (ingress(fromCIDR=[""]), f"{ITEM}.fromCIDR[0]", "IP must be specified"),
    (ingress(fromCIDR=["10.0.0.1"]), f"{ITEM}.fromCIDR[0]", "For a single address add /32"),
    (ingress(fromCIDR=["010.0.0.0/8"]), f"{ITEM}.fromCIDR[0]", "unable to parse CIDR"),
    (
        ingress(fromCIDRSet=[{}]),
        f"{ITEM}.fromCIDRSet[0]",
        "one of cidr, cidrGroupRef, or cidrGroupSelector is required",
    ),
    (
        ingress(fromCIDRSet=[{"cidr": "10.0.0.0/8", "cidrGroupRef": "g"}]),
        f"{ITEM}.fromCIDRSet[0]",
        "more than one of cidr",
    ),
    (
        ingress(fromCIDRSet=[{"cidr": "10.0.0.0/10", "except": ["10.64.0.0/11"]}]),
        f"{ITEM}.fromCIDRSet[0].except[0]",
        "allow CIDR prefix 10.0.0.0/10 does not contain exclude CIDR prefix 10.64.0.0/11",
    ),
    (
        egress(toFQDNs=[{"matchName": "a", "matchPattern": "b"}]),
        f"{OUT}.toFQDNs[0]",
        "only one of MatchName or MatchPattern",
    ),
    (egress(toFQDNs=[{}]), f"{OUT}.toFQDNs[0]", "either matchName or matchPattern is required"),
    (egress(toFQDNs=[{"matchName": "*.a"}]), f"{OUT}.toFQDNs[0].matchName", "Invalid characters in MatchName"),
    (
        egress(toFQDNs=[{"matchPattern": "a..b"}]),
        f"{OUT}.toFQDNs[0].matchPattern",
        "Invalid characters in MatchPattern",
    ),
    (egress(toFQDNs=[{"matchPattern": "a" * 256}]), f"{OUT}.toFQDNs[0].matchPattern", "at most 255 characters"),
    (cnp(egressDeny=[{"toFQDNs": []}]), "spec.egressDeny[0].toFQDNs", "unknown field"),
    (
        cnp(egressDeny=[{"toPorts": [{"rules": {}}]}]),
        "spec.egressDeny[0].toPorts[0].rules",
        "A deny rule looks at ports only",
    ),
    (cnp(egressDeny=[{"authentication": {}}]), "spec.egressDeny[0].authentication", "unknown field"),
    (egress(authentication={"mode": "always"}), f"{OUT}.authentication.mode", "Use one of disabled, required"),
    (egress(toServices=[{"serviceName": "x"}]), f"{OUT}.toServices[0].serviceName", "Put it below k8sService"),
    (egress(toPorts=[{"ports": [PORT] * 41}]), f"{AT}.ports", "too many ports, the max is 40"),
    (port({"protocol": "TCP"}), f"{FIRST}.port", "port must be specified"),
    (port({"port": 80}), f"{FIRST}.port", "expected text"),
    (port({"port": "65536"}), f"{FIRST}.port", "unable to parse port"),
    (port({"port": "9" * 5_000}), f"{FIRST}.port", "a number of 5000 digits"),
    (ingress(icmps=[{"fields": [{"type": "9" * 5_000}]}]), f"{ITEM}.icmps[0].fields[0].type", "types go from 0 to 255"),
    (port({"port": "089"}), f"{FIRST}.port", "unable to parse port"),
    (port({"port": "a--b"}), f"{FIRST}.port", "unable to parse port"),
    (port({"port": "80", "endPort": 70000}), f"{FIRST}.endPort", "ports go up to 65535"),
    (port({"port": "80", "protocol": "tcp"}), f"{FIRST}.protocol", 'invalid protocol "tcp", Write TCP'),
    (port({"port": "80", "protocol": "ICMP"}), f"{FIRST}.protocol", "ICMP stands in icmps"),
    (port({"port": "80", "protocol": "VRRP"}), f"{FIRST}.port", "port must be empty or 0"),
    (
        egress(icmps=[{"fields": [{"type": 8}]}], toPorts=[{"ports": [PORT]}]),
        f"{OUT}.icmps",
        "only be present without ToPorts",
    ),
    (egress(icmps=[{"fields": [{"type": 8, "family": "IP"}]}]), f"{OUT}.icmps[0].fields[0].family", "wrong family"),
    (
        egress(icmps=[{"fields": [{"type": "Echos"}]}]),
        f"{OUT}.icmps[0].fields[0].type",
        "ICMP type Echos not found in IPv4",
    ),
    (egress(icmps=[{"fields": [{"type": 256}]}]), f"{OUT}.icmps[0].fields[0].type", "types go from 0 to 255"),
    (egress(icmps=[{"fields": [{}]}]), f"{OUT}.icmps[0].fields[0].type", "a type is required"),
    (egress(icmps=[{"fields": [{"type": 8}] * 41}]), f"{OUT}.icmps[0].fields", "too many types, the max is 40"),
    (port(rules={"http": [{}], "dns": [{}]}), f"{AT}.rules", "multiple L7 protocol rule types"),
    (port(rules={"kafka": [{}]}), f"{AT}.rules.kafka", "up to 1.19 only"),
    (http({"path": "*"}), f"{REQUEST}.path", "regexp"),
    (http({"paths": []}), f"{REQUEST}.paths", "One path an item"),
    (http({"headerMatches": [{}]}), f"{REQUEST}.headerMatches[0].name", "Header name missing"),
    (
        http({"headerMatches": [{"name": "a", "mismatch": "X"}]}),
        f"{REQUEST}.headerMatches[0].mismatch",
        "Invalid header action",
    ),
    (
        http({"headerMatches": [{"name": "a", "secret": {}}]}),
        f"{REQUEST}.headerMatches[0].secret.name",
        "Secret name missing",
    ),
    (http({"headers": [""]}), f"{REQUEST}.headers[0]", "a header is required"),
    (http({}, item={"port": "80", "protocol": "UDP"}), f"{FIRST}.protocol", "L7 rules can only apply to TCP (not UDP)"),
    (http({}, item={"port": "80"}), f"{FIRST}.protocol", "L7 rules can only apply to TCP (not ANY)"),
    (http({}, item={"port": "0", "protocol": "TCP"}), f"{FIRST}.port", "L7 rules can not be used when a port is 0"),
    (port([], rules={"dns": [{"matchName": "a"}]}), f"{AT}.rules", "port 53 must be specified for DNS rules"),
    (
        port({"port": "53", "endPort": 54}, rules={"dns": [{"matchName": "a"}]}),
        f"{FIRST}.endPort",
        "DNS rules do not support port ranges",
    ),
    (
        port(rules={"dns": [{"matchName": "a"}]}, direction="ingress"),
        f"{ITEM}.toPorts[0].rules",
        "DNS rules are not allowed on ingress",
    ),
    (port(serverNames=[""]), f"{AT}.serverNames[0]", "empty server name is not allowed"),
    (http({}, serverNames=["a"]), f"{AT}.serverNames", "ServerNames are not allowed with L7 rules without TLS"),
    (port(terminatingTLS={}), f"{AT}.terminatingTLS.secret", "Secret name missing"),
    (
        port(listener={"name": "l"}, direction="ingress"),
        f"{ITEM}.toPorts[0].listener",
        "Listener is not allowed on ingress",
    ),
    (port(listener={"name": "l"}), f"{AT}.listener.envoyConfig.name", "a name is required"),
    (
        http({}, listener={"envoyConfig": {"name": "c"}, "name": "l"}),
        f"{AT}.listener",
        "Listener is not allowed with L7 rules",
    ),
    (
        port(make=ccnp, listener={"envoyConfig": {"kind": "CiliumEnvoyConfig", "name": "c"}, "name": "l"}),
        f"{AT}.listener.envoyConfig.kind",
        "in CCNP can not use Kind CiliumEnvoyConfig",
    ),
    (
        port(listener={"envoyConfig": {"name": "c"}, "name": "l", "priority": 101}),
        f"{AT}.listener.priority",
        "they go from 1 to 100",
    ),
    (
        host("ingress", toPorts=[{"ports": [PORT], "rules": {"http": [{}]}}]),
        f"{ITEM}.toPorts[0]",
        "L7 policy is not supported on host ingress yet",
    ),
    (
        host("egress", toPorts=[{"ports": [PORT], "rules": {"http": [{}]}}]),
        AT,
        "L7 protocol http is not supported on host egress yet",
    ),
]


@pytest.mark.parametrize(("policy", "field", "message"), CASES, ids=range(len(CASES)))
def test_errors(policy, field, message):
    found = errors(policy)
    assert any(place == field and message in text for place, text in found), found


KAFKA = [
    ({"role": "eat"}, "role", "Write produce or consume"),
    ({"role": "produce", "apiKey": "fetch"}, "apiKey", "may not stand beside"),
    ({"apiKey": "eat"}, "apiKey", "not a request of Kafka's"),
    ({"topic": "a b"}, "topic", "is not a topic"),
    ({"apiVersion": "x"}, "apiVersion", "write a number in quotes"),
]


@pytest.mark.parametrize(("rule", "field", "message"), KAFKA)
def test_errors_of_former_versions(rule, field, message):
    ((place, text),) = errors(port(rules={"kafka": [rule]}), profile=agent("1.19"))
    assert place == f"{AT}.rules.kafka[0].{field}"
    assert message in text


def test_rules_of_a_parser_without_its_name():
    ((place, text),) = errors(port(rules={"l7": [{"a": "b"}]}), profile=agent("1.19"))
    assert (place, "need l7proto" in text) == (f"{AT}.rules.l7", True)


def test_tunnel_protocols_are_known_from_1_20():
    ((_, text),) = errors(port({"protocol": "GRE"}), profile=agent("1.19"))
    assert 'invalid protocol "GRE", must be {TCP' in text


def test_an_error_in_one_specification_makes_the_whole_policy_wrong():
    policy = cnp(ingress=[{}])
    policy["specs"] = [{"endpointSelector": {}}]
    assert errors(policy)[0][0] == "specs[0]"


def test_misspelt_kinds():
    ((_, text),) = errors(document("cilium.io/v2", "CiliumNetworkpolicy", "p"))
    assert "Did you mean CiliumNetworkPolicy?" in text
