"""Random rules as the model knows them, with all that any dialect may be lowered to, in small hostile clusters."""

from __future__ import annotations

from dataclasses import replace

from simcore.errors import Place
from simcore.model.addresses import Address, Cidr, Family
from simcore.model.agent import CiliumAgent
from simcore.model.cluster import Backend, Cluster
from simcore.model.flows import End
from simcore.model.labels import NAME_KEY, LabelSelector, Operator, Requirement
from simcore.model.peers import (
    ANYTHING,
    AllOf,
    AnyOf,
    Backends,
    DomainNames,
    Endpoints,
    Except,
    Network,
    Nodes,
    OfFamily,
    Outside,
    Reserved,
    ThroughService,
    Unresolved,
)
from simcore.model.plugins import plugin_named
from simcore.model.policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Position, Role, Rule, Tier
from simcore.model.ports import (
    EVERY_PORT,
    GRE,
    ICMP,
    ICMPV6,
    LAST_PORT,
    PORT_PROTOCOLS,
    TCP,
    UDP,
    IcmpType,
    NamedPort,
    PortRange,
    PortSet,
)
from simcore.model.requests import (
    DnsMatch,
    HeaderMatch,
    HttpMatch,
    KafkaMatch,
    OpaqueMatch,
    Request,
    RequestSet,
    SniMatch,
)

from . import strategies
from .manifests import load

PLACE = Place("policies.yaml")
OWN_TIERS = (
    Tier("early", Position((0,), (1.0,))),
    Tier("later", Position((0,), (2.0,)), judges_hairpin=True),
    Tier("beside", Position((1,), (5.0,))),
    Tier("last", Position((3,)), fallback=True),
)
NAMED = tuple(map(Tier, ("anp", "cnp-admin", "banp", "cnp-baseline")))
TIERS = (NETWORKPOLICY, NETWORKPOLICY, NETWORKPOLICY, *NAMED, *OWN_TIERS)
ADDRESSES = (*strategies.POD_ADDRESSES_V4[:4], *strategies.POD_ADDRESSES_V6[:2], "10.9.0.1", "203.0.113.7", "8.8.8.8")
BLOCKS = ("10.0.0.0/29", "10.0.0.2/31", "10.9.0.0/24", "0.0.0.0/0", "fd00::/64", "fd00::2/127", "203.0.113.0/24")
NAMES = {"a.example": ("10.0.0.2", "203.0.113.7"), "b.example": ("fd00::1", "8.8.8.8"), "c.other": ()}
CILIUM = plugin_named("cilium").profile
CILIUM_TIERS = (
    *CILIUM.tiers,
    Tier("anp", Position((0,), (7.0,))),
    Tier("banp", Position((2,), (7.0,)), fallback=True, judges_hairpin=True),
)
VERSIONS = ((1, 16), (1, 19), (1, 20))
RESERVED = ("health", "init")
ACCOUNTS = ("default", "robot")
SOURCE_PORTS = (0, 53, 1023, 1024, 40_000)
HEADERS = (HeaderMatch("x-key"), HeaderMatch("x-key", "1"), HeaderMatch("x-other", "1"))
TYPES = (0, 3, 8, 128)
"""Few, so that rules and flows meet."""


def some_cluster(random):
    """The cluster of small manifests, with service accounts, labels of nodes, and names for addresses; some ends."""
    documents = strategies.make_cluster(random)
    found = load(*documents).cluster
    texts = [*strategies.SERVICE_ADDRESSES, *ADDRESSES]
    ends = [strategies.model_end(strategies.make_end(random, documents, random.random() < 0.3)) for _ in range(7)]
    ends += [End(address) for service in found.services for address in service.addresses]
    ends += [End(Address.parse(random.choice(texts))) for _ in range(2)]
    pods = [replace(pod, account=random.choice(ACCOUNTS)) for pod in found.pods]
    pods = [reserved(random, pod) if random.random() < 0.1 else pod for pod in pods]
    renamed = dict(zip((pod.full_name for pod in found.pods), (pod.full_name for pod in pods), strict=True))
    ends = [replace(end, pod=renamed.get(end.pod, end.pod)) for end in ends]
    nodes = [replace(node, labels=strategies.make_labels(random)) for node in found.nodes]
    accounts = {(name, random.choice(ACCOUNTS)): strategies.make_labels(random) for name in strategies.NAMESPACES}
    names = {name: tuple(map(Address.parse, texts)) for name, texts in NAMES.items()}
    chosen = random.choice([None, names, names])
    services = [some_service(random, service) for service in found.services]
    return Cluster.of(found.namespaces.values(), pods, nodes, services, accounts, chosen), ends


def reserved(random, pod):
    """The pod as an endpoint that the dataplane keeps for itself."""
    return replace(pod, namespace="", labels={}, host_network=False, reserved=random.choice(RESERVED))


def some_service(random, service):
    """The same in a namespace that rules name; now and then with backends that are listed by hand."""
    if random.random() < 0.6:
        return replace(service, namespace="n1", selector=random.choice([service.selector, LabelSelector()]))
    backends = tuple(
        Backend(port.name, port.protocol, Address.parse(random.choice(ADDRESSES)), random.choice(strategies.PORTS))
        for port in service.ports
        for _ in range(random.randint(1, 2))
    )
    return replace(service, namespace="n1", selector=None, backends=backends)


# Rules


def some_policies(random):
    """Policies of any tier; often with the isolation or the end of the tier that theirs would bring along."""
    tiers = random.sample(TIERS, 3)
    return [some_policy(random, f"p{number}", random.choice(tiers)) for number in range(random.randint(1, 5))]


def some_policy(random, name, tier):
    ref = PolicyRef("NetworkPolicy", "n1", name)
    rules = []
    for direction in Direction:
        if random.random() < 0.7:
            hosts = random.random() < 0.2
            subject = random.choice([ANYTHING, Endpoints(), some_endpoints(random), some_peer(random, 1)])
            tie = random.choice([None, (1.0,), (1.0,), (2.0,)])
            rules += [
                some_rule(random, ref, number, direction, subject, tier, hosts, tie)
                for number in range(random.randint(0, 3))
            ]
            if random.random() < 0.7:
                role = Role.ISOLATION if tier == NETWORKPOLICY or random.random() < 0.2 else Role.TIER_END
                whom = direction, subject, ANYTHING, EVERY_PORT
                order = (1, 1000.0, name, "")
                rules.append(Rule(ref, -1, *whom, Action.DENY, tier, order, PLACE, role, hosts=hosts))
    return Policy(ref, tuple(rules), PLACE)


def some_rule(random, ref, number, direction, subject, tier, hosts, tie):
    action = random.choice([Action.ALLOW, Action.ALLOW, Action.DENY, Action.PASS])
    tie = tie if random.random() < 0.8 else None
    tie_break = (ref.name, str(number))
    if random.random() < 0.3:
        tie, tie_break = tie and (*tie, float(number)), (str(number), ref.name)
    return Rule(
        ref,
        number,
        direction,
        subject if random.random() < 0.8 else some_peer(random, 1),
        some_peer(random, 2),
        some_ports(random),
        action,
        tier,
        (0, tie[0] if tie else float(random.randint(0, 3)), *tie_break),
        PLACE,
        source_ports=some_source_ports(random),
        hosts=hosts,
        rejects=random.random() < 0.3,
        tie=tie,
        condition=random.choice(["", "", "", "only GET"]),
        requests=some_requests(random) if random.random() < 0.3 else None,
        doubt=random.choice([""] * 8 + ["cannot be told"]),
    )


def some_selector(random):
    if random.random() < 0.4:
        return LabelSelector()
    operator = random.choice(list(Operator))
    return LabelSelector.of(
        Requirement(random.choice(strategies.KEYS), operator, frozenset(random.sample(strategies.VALUES, 2)))
    )


def some_name(random, names):
    if random.random() < 0.5:
        return some_selector(random)
    operator = random.choice([Operator.IN, Operator.NOT_IN, Operator.STARTS_WITH])
    return LabelSelector.of(Requirement(NAME_KEY, operator, frozenset([random.choice(names)])))


def some_endpoints(random):
    accounts = some_name(random, ACCOUNTS) if random.random() < 0.3 else LabelSelector()
    return Endpoints(some_selector(random), some_selector(random), accounts)


def some_network(random):
    cidr = Cidr.parse(random.choice(BLOCKS))
    inside = [Cidr.parse(text) for text in BLOCKS]
    inside = [block for block in inside if block != cidr and block.family is cidr.family]
    within = [block for block in inside if cidr.first <= block.first and block.last <= cidr.last]
    return Network(cidr, tuple(within[: random.randint(0, 1)]))


def some_peer(random, depth):
    """A peer set; those that are made of others are at most `depth` deep."""
    kind = random.random()
    if depth and kind < 0.35:
        members = tuple(some_peer(random, depth - 1) for _ in range(random.randint(0 if kind < 0.03 else 1, 3)))
        return random.choice([AnyOf(members), AnyOf(members), AllOf(members)])
    if depth and kind < 0.45:
        return Except(some_peer(random, depth - 1))
    if kind < 0.62:
        return random.choice([some_endpoints, some_endpoints, some_network])(random)
    if kind < 0.68:
        return ANYTHING
    return random.choice(
        [
            OfFamily(random.choice(list(Family))),
            Nodes(some_name(random, tuple(strategies.NODES))),
            Nodes(),
            *(Nodes(some_selector(random), where) for where in ("here", "here", "elsewhere")),
            Outside(),
            Reserved(random.choice(RESERVED)),
            DomainNames((r"[^.]*\.example",), ("*.example",), external=True),
            Backends("n1", "s0"),
            ThroughService("n1", "s0"),
            ThroughService("n1", "s0"),
            DomainNames((r"[^.]*\.example",), ("*.example",)),
            DomainNames((r"b\.example",), ("b.example",)),
            Unresolved("something is missing"),
        ]
    )


def some_member(random):
    kind = random.random()
    if kind < 0.25:
        return PortRange(random.choice([*PORT_PROTOCOLS, ICMP, ICMPV6, GRE]))
    if kind < 0.5:
        first = random.choice(strategies.PORTS)
        return PortRange(random.choice(PORT_PROTOCOLS), first, random.choice([first, first, LAST_PORT]))
    if kind < 0.7:
        return NamedPort(random.choice([TCP, TCP, UDP]), random.choice(strategies.PORT_NAMES))
    return IcmpType(random.choice([ICMP, ICMP, ICMPV6]), random.choice(TYPES), random.choice([None, 0, 1]))


def some_members(random):
    return tuple(some_member(random) for _ in range(random.randint(1, 3)))


def some_ports(random):
    if random.random() < 0.6:
        return EVERY_PORT
    members = some_members(random) if random.random() < 0.8 else None
    return PortSet(members, some_members(random) if random.random() < 0.3 else ())


def some_source_ports(random):
    if random.random() < 0.85:
        return EVERY_PORT
    first, last = sorted(random.choices(SOURCE_PORTS, k=2))
    name = NamedPort(TCP, random.choice(strategies.PORT_NAMES))
    members = [PortRange(random.choice([TCP, TCP, UDP]), first, last), some_member(random), name]
    chosen = tuple(random.sample(members, random.randint(1, 2)))
    return random.choice([PortSet(chosen), PortSet(chosen), PortSet(None, chosen)])


# Requests


def some_requests(random):
    return RequestSet(tuple(some_request_match(random) for _ in range(random.choice([0, 1, 1, 1, 2, 3]))))


def some_request_match(random):
    kind = random.random()
    if kind < 0.1:
        return DnsMatch(random.choice([r"[^.]*\.example", r"a\.example"]), "*.example")
    if kind < 0.2:
        return SniMatch(random.choice([r"[^.]*\.example", r"a\.example"]), "*.example")
    if kind < 0.3:
        keys = random.choice([None, frozenset(["produce"]), frozenset(["produce", "fetch"])])
        return KafkaMatch(keys, random.choice([None, "orders"]), random.random() < 0.3)
    if kind < 0.33:
        return OpaqueMatch("some protocol")
    return HttpMatch(
        random.choice([None, "GET", "GET|PUT"]),
        random.choice([None, None, "/", "/.*", "/a/[0-9]+"]),
        random.choice([None, None, None, r"a\.example"]),
        tuple(random.sample(HEADERS, random.choice([0, 0, 0, 1, 2]))),
        random.random() < 0.05,
    )


def some_request(random):
    """A request of one protocol, seldom of none or of several; parts are missing."""
    request = Request()
    for _ in range(random.choice([0, 1, 1, 1, 1, 2])):
        kind = random.random()
        if kind < 0.7:
            request = replace(
                request,
                http_method=random.choice([None, "GET", "GET", "PUT", "POST"]),
                http_path=random.choice([None, "/", "/a/1", "/a/b", ""]),
                http_host=random.choice([None, "a.example", "b.example:80"]),
                http_headers=random.choice([None, (), (("X-Key", "1"),), (("x-key", "2"), ("X-Other", "1"))]),
            )
        elif kind < 0.8:
            request = replace(request, dns_query=random.choice(["a.example", "b.example", "c.other"]))
        elif kind < 0.9:
            request = replace(request, tls_sni=random.choice(["a.example", "b.example", "c.other"]))
        else:
            keys, topics = ["produce", "Fetch", "metadata"], [None, "", "orders", "other"]
            request = replace(request, kafka_api_key=random.choice(keys), kafka_topic=random.choice(topics))
    return request


# Flows


def some_flow(random, cluster, ends):
    """A flow between two of some ends, seldom of different families."""
    for _ in range(3):
        source, destination = random.sample(ends, 2)
        families = {end.address.family for end in (source, destination) if end.address}
        if len(families) < 2:
            break
    protocol_port = strategies.make_protocol_port(random)
    found = strategies.model_flow({"source": {}, "destination": {}, **protocol_port})
    services = [service for service in cluster.services if service.addresses and service.ports]
    if services and random.random() < 0.2:
        service = random.choice(services)
        port = random.choice(service.ports)
        destination = End(service.addresses[0])
        found = replace(found, protocol=port.protocol, port=port.port)
    if random.random() < 0.2:
        found = replace(found, protocol=random.choice([ICMP, ICMP, ICMPV6]), port=None)
    is_icmp = found.protocol in (ICMP, ICMPV6)
    return replace(
        found,
        source=source,
        destination=destination,
        source_port=random.choice([None, *SOURCE_PORTS, *strategies.PORTS]),
        icmp_type=random.choice([None, *TYPES, 0, 3]) if is_icmp else None,
        icmp_code=random.choice([None, None, 0, 1, 2]) if is_icmp else None,
        request=some_request(random) if random.random() < 0.6 else None,
    )


def some_profile(random):
    """Any settings; now and then tiers where the profile has them in another order."""
    profile = strategies.make_profile(random)
    if random.random() < 0.4:
        mode = {"ipblock_matches_nodes": random.random() < 0.5, "ipblock_matches_pods": random.random() < 0.2}
        sctp = random.choice(["unknown", "enforced"])
        words = {"other_protocols": "judged", "enforced": True, "sctp": sctp, **mode}
        profile = replace(profile, tiers=CILIUM_TIERS, cilium=some_agent(random), **words)
    if random.random() < 0.2:
        profile = replace(profile, tiers=tuple(reversed_tiers(profile.tiers)))
    return profile


def some_agent(random):
    """Any settings of Cilium's agent."""
    agent = replace(CiliumAgent(), version=random.choice(VERSIONS))
    for name, words in CiliumAgent.choices().items():
        if words:
            agent = agent.with_setting(name, random.choice([*words, words[0]]))
    return agent


def reversed_tiers(tiers):
    return [replace(tier, position=other.position) for tier, other in zip(tiers, reversed(tiers), strict=True)]
