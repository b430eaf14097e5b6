"""The source or destination of a Calico rule as a set of peers (CA-45 to CA-53)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from simcore.model.addresses import Address, Cidr, Family
from simcore.model.cluster import Service
from simcore.model.labels import LabelSelector
from simcore.model.peers import (
    NOBODY,
    DomainNames,
    Endpoints,
    Except,
    Network,
    OfFamily,
    PeerSet,
    any_of,
)
from simcore.model.ports import NamedPort, PortMember, PortRange

from ..blocks import read_cidr
from ..fields import Field
from .endpoints import ACCOUNT, NAMESPACE, OF_ACCOUNT, OF_NAMESPACE, Population, narrowed, single
from .expressions import Always, Comparison, Every, Expression, Not, rewritten
from .ports import read_ports
from .reading import read_expression, read_list, read_texts

FIELDS = (
    *("nets", "notNets", "selector", "notSelector", "namespaceSelector", "serviceAccounts"),
    *("services", "ports", "notPorts", "domains"),
)
_BESIDE_SERVICES = ("selector", "notSelector", "namespaceSelector", "serviceAccounts", "nets", "notNets", "domains")
_HINTS = {
    "net": "Did you mean nets? It takes a list",
    "notNet": "Did you mean notNets? It takes a list",
    "podSelector": "Calico selects pods by selector: app == 'web'",
    "ipBlock": "Calico lists blocks in nets and notNets",
    "service": "Did you mean services?",
    "serviceAccountSelector": "In a rule this is serviceAccounts, with names or selector below it",
}
_MOST_NETS = 256
_MOST_NAMED = 3
_DOMAIN = re.compile(r"(?:\*|[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?)(?:\.(?:\*|[a-z0-9_](?:[-a-z0-9_]*[a-z0-9_])?))*")

ServicePorts = tuple[PeerSet, tuple[PortMember, ...]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a policy's rules are read with; `namespace` is empty for a policy that belongs to none."""

    population: Population
    namespace: str
    strict_cidr: bool


@dataclass(frozen=True, slots=True)
class Entity:
    """One end of a rule.

    Attributes
    ----------
    families : frozenset of Family
        Those of its blocks; empty without any.
    ports, not_ports : tuple of PortMember
        None for `ports` where the rule names none.
    served : tuple, or None
        Where it is a Service's endpoints: those that share their ports, with these ports.
    """

    peers: PeerSet
    families: frozenset[Family]
    ports: tuple[PortMember, ...] | None
    not_ports: tuple[PortMember, ...]
    served: tuple[ServicePorts, ...] | None


def read_entity(field: Field, scope: Scope, protocol: int | None) -> Entity:
    """Read ``source`` or ``destination`` of a rule for a protocol."""
    entity = field.mapping(FIELDS, _HINTS)
    blocks = _blocks(entity.get("nets"), scope)
    excluded = _blocks(entity.get("notNets"), scope)
    for number, block in enumerate(excluded):
        if block.length == 0:
            entity.error("everything is excepted, so the rule could never match. Remove it", "notNets", number)
    parts: list[PeerSet] = []
    if blocks:
        parts.append(any_of(Network(block) for block in blocks))
    if excluded:
        parts += [any_of(OfFamily(f) for f in _families(excluded)), Except(any_of(map(Network, excluded)))]
    positive, negative = _selected(entity, scope)
    parts += [] if positive is None else [scope.population.members(positive)]
    parts += [] if negative is None else [Except(scope.population.members(negative))]
    if entity.get("domains").value:
        parts.append(_domains(entity.get("domains")))
    families = frozenset(block.family for block in (*blocks, *excluded))
    ports, not_ports = (read_ports(entity.get(name), protocol) for name in ("ports", "notPorts"))
    served = None if entity.get("services").value is None else tuple(_served(entity, scope))
    peers = narrowed(parts) if served is None else everyone_served(served)
    return Entity(peers, families, ports, not_ports or (), served)


def _blocks(field: Field, scope: Scope) -> list[Cidr]:
    items = read_list(field, _MOST_NETS, "blocks")
    found = [read_cidr(item, strict_cidr=scope.strict_cidr) for item in items]
    for item in items:
        if not item.value:
            item.error("a CIDR is required, such as 10.0.0.0/8")
    return list(dict.fromkeys(block for block in found if block is not None))


def _families(blocks: Iterable[Cidr]) -> list[Family]:
    return sorted({block.family for block in blocks})


# Selectors


def _selected(entity: Field, scope: Scope) -> tuple[Expression | None, Expression | None]:
    """Return what an end must be among, and what it must not (CA-46 to CA-49)."""
    own, not_own = read_expression(entity.get("selector")), read_expression(entity.get("notSelector"))
    namespaces = read_expression(entity.get("namespaceSelector"), allows_global=True)
    accounts = _accounts(entity.get("serviceAccounts"), scope.population)
    asked = [part for part in (*accounts, own) if part is not None]
    if namespaces is not None:
        return every([in_namespaces(namespaces), *asked]), not_own
    if scope.namespace and (asked or not_own is not None):
        return every([Comparison(NAMESPACE, "==", (scope.namespace,)), *asked]), not_own
    return every(asked) if asked else None, not_own


def _accounts(field: Field, population: Population) -> list[Expression]:
    accounts = field.mapping(("names", "selector"))
    selector = read_account_selector(accounts.get("selector"), population)
    names = read_texts(accounts.get("names"))
    found: list[Expression] = [] if selector is None else [selector]
    return [*found, Comparison(ACCOUNT, "in", tuple(names))] if names else found


def read_account_selector(field: Field, population: Population) -> Expression | None:
    """Read a selector of service accounts, as one of the labels that pods inherit from them."""
    expression = read_expression(field)
    if expression is None:
        return None
    if unknown := population.unknown_accounts:
        shown = ", ".join(unknown[:_MOST_NAMED]) + (", ..." if len(unknown) > _MOST_NAMED else "")
        field.warn(
            f"the input does not hold service accounts that pods use ({shown}): they are taken to have no labels. "
            "Add them (kubectl get sa) if selectors ask for labels"
        )
    return prefixed(expression, OF_ACCOUNT)


def every(parts: list[Expression]) -> Expression:
    """Join expressions by ``&&``."""
    return parts[0] if len(parts) == 1 else Every(tuple(parts))


def prefixed(expression: Expression, prefix: str) -> Expression:
    """Ask labels of a namespace or service account, which endpoints inherit under a prefix."""
    return rewritten(
        expression, lambda leaf: replace(leaf, label=prefix + leaf.label) if isinstance(leaf, Comparison) else leaf
    )


def with_all_meaning(expression: Expression, label: str) -> Expression:
    """Let ``all()`` mean whatever has a label, and ``global()`` whatever has not."""
    has = Comparison(label, "has")

    def meant(leaf: Comparison | Always) -> Expression:
        if isinstance(leaf, Comparison):
            return leaf
        return has if leaf.word == "all" else Not(has)

    return rewritten(expression, meant)


def in_namespaces(expression: Expression) -> Expression:
    """Ask namespaces: ``all()`` is whatever is in any, ``global()`` whatever is in none (CA-47)."""
    return with_all_meaning(prefixed(expression, OF_NAMESPACE), NAMESPACE)


# Services and names


def _served(entity: Field, scope: Scope) -> Iterator[ServicePorts]:
    """Yield the endpoints of a Service, those that share their ports together (CA-51, CA-52)."""
    services = entity.get("services").mapping(("name", "namespace"))
    for beside in _BESIDE_SERVICES:
        if entity.get(beside).value:
            entity.error("services may not stand beside this. Give each a rule of its own", beside)
    name, namespace = services.get("name").text(), services.get("namespace").text()
    if not name:
        services.error("the name of a Service is required", "name")
    if not namespace and not scope.namespace:
        services.error("a policy of no namespace must name the Service's. Add namespace", "namespace")
    elif not namespace:
        namespace = scope.namespace
        services.warn(f"no namespace: {namespace} is taken. Write it out; not every release of Calico defaults it")
    cluster = scope.population.cluster
    found = [s for s in cluster.services if (s.namespace, s.name) == (namespace, name)]
    if name and not found:
        services.warn(f"there is no Service {namespace}/{name}, so this rule matches nothing")
    for service in found:
        yield from _endpoints_of(service)


def _endpoints_of(service: Service) -> Iterator[ServicePorts]:
    if service.backends is None:
        if service.selector is not None:
            ports = (
                PortRange(port.protocol, port.target, port.target)
                if isinstance(port.target, int)
                else NamedPort(port.protocol, port.target)
                for port in service.ports
            )
            yield Endpoints(LabelSelector.namespace(service.namespace), service.selector), tuple(dict.fromkeys(ports))
        return
    ports_at: dict[Address, list[PortMember]] = {}
    for backend in service.backends:
        ports_at.setdefault(backend.address, []).append(PortRange(backend.protocol, backend.port, backend.port))
    groups: dict[tuple[PortMember, ...], list[Address]] = {}
    for address, members in ports_at.items():
        groups.setdefault(tuple(sorted(set(members), key=str)), []).append(address)
    for shared, addresses in groups.items():
        yield any_of(map(single, addresses)), shared


def everyone_served(served: tuple[ServicePorts, ...]) -> PeerSet:
    """Return the endpoints of a Service, whatever their ports."""
    return any_of(peers for peers, _ in served) if served else NOBODY


def _domains(field: Field) -> DomainNames:
    written = tuple(read_texts(field))
    names = [name.lower().removesuffix(".") for name in written]
    for number, name in enumerate(names):
        if not _DOMAIN.fullmatch(name):
            field.error(f"{written[number]!r} is no domain name: write www.example.com, or *.example.com", number)
    return DomainNames(tuple(map(_pattern, names)), written)


def _pattern(name: str) -> str:
    parts = (r"[^.]+(?:\.[^.]+)*" if part == "*" else re.escape(part) for part in name.split("."))
    return r"\.".join(parts)
