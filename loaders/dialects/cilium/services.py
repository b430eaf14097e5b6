"""``toServices``: what stands behind Services, as a rule sees it (CI-14)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simcore.model.addresses import Cidr
from simcore.model.cilium import is_identity_label
from simcore.model.cluster import Cluster, Service
from simcore.model.labels import LabelSelector, Operator
from simcore.model.peers import NOBODY, Endpoints, Network, PeerSet, Unresolved

from ..fields import Field
from ..names import label_key_complaint
from ..selectors import read_selector

_UNLISTED = Unresolved("the backends of a Service without selector are not in the input. Add its EndpointSlices")
_NO_SERVICES = Unresolved("no Services are in the input. Add those that toServices names")


@dataclass(frozen=True, slots=True)
class Services:
    """The Services of one cluster."""

    cluster: Cluster

    def peers(self, item: Field) -> list[PeerSet]:
        """Read one item; none where no Service is meant."""
        entry = item.mapping(("k8sService", "k8sServiceSelector"), {"serviceName": "Put it below k8sService"})
        by_name, by_label = entry.get("k8sService"), entry.get("k8sServiceSelector")
        if by_name.value is None and by_label.value is None:
            item.warn("this names no Service. Write k8sService or k8sServiceSelector")
        found = [*self._named(by_name), *self._labelled(by_label)]
        if not self.cluster.services:
            return [_NO_SERVICES]
        if not found:
            item.warn(
                "no Service of the input is meant: this names nobody, and where toPorts stands beside it, the rule "
                "holds for everybody"
            )
        return [peer for service in found for peer in _behind(service)]

    def _named(self, field: Field) -> list[Service]:
        entry = field.mapping(("serviceName", "namespace"), {"name": "Did you mean serviceName?"})
        name, namespace = entry.get("serviceName").text(), entry.get("namespace").text()
        if field.value is None:
            return []
        return [service for service in self._in(namespace) if service.name == name]

    def _labelled(self, field: Field) -> list[Service]:
        entry = field.mapping(("selector", "namespace"), {"matchLabels": "Put it below selector"})
        if field.value is None:
            return []
        if entry.get("selector").value is None:
            entry.error("a selector is required. Write matchLabels below it", "selector")
        selector = read_selector(entry.get("selector"), key_complaint=_complaint)
        asked = [(requirement, requirement.key.rpartition(":")[2]) for requirement in selector.requirements]
        return [
            service
            for service in self._in(entry.get("namespace").text())
            if all(requirement.holds(service.labels.get(key)) for requirement, key in asked)
        ]

    def _in(self, namespace: str | None) -> Iterator[Service]:
        return (service for service in self.cluster.services if not namespace or service.namespace == namespace)


def _complaint(key: str) -> str | None:
    return label_key_complaint(key.replace(":", ".", 1))


def _behind(service: Service) -> list[PeerSet]:
    """Return the pods of a Service with selector, of any port; of one without, the addresses that it lists."""
    if service.selector is not None:
        wanted = service.selector.requirements
        if any(not is_identity_label(each.key) and each.operator is Operator.IN for each in wanted):
            return [NOBODY]
        return [Endpoints(LabelSelector.namespace(service.namespace), service.selector)]
    if service.backends is None:
        return [_UNLISTED]
    addresses = dict.fromkeys(backend.address for backend in service.backends)
    return [Network(Cidr.containing(address, address.family.bits)) for address in addresses]
