"""Second step: whether the name leads anywhere, and the port is the right one."""

from __future__ import annotations

from collections.abc import Sequence

from ...model.cluster import Cluster, Pod, Service, ServicePort
from ...model.ports import PORT_PROTOCOLS, protocol_name
from ...model.spelling import is_slip, nearest
from . import commands
from .context import Context
from .steps import Cause, Command, Finding, Status, Step

NAME, TITLE = "service", "Name and port: does it lead anywhere?"


def check(context: Context) -> Step:
    """Look at the Service that was named, its port and who is behind it; else at the ports that pods declare."""
    service = context.inquiry.destination.service
    if service is not None:
        return _Asked(context, service).step()
    return _of_pods(context)


def _of_pods(context: Context) -> Step:
    pods = [context.cluster.pods[pair.destination] for pair in context.pairs if pair.destination >= 0]
    if not pods:
        return Step(NAME, TITLE, Status.NOT_ASKED, "nothing", "Not asked: the destination is no pod of the cluster.")
    protocol, port = context.inquiry.protocol, context.inquiry.port
    if protocol not in PORT_PROTOCOLS:
        return Step(NAME, TITLE, Status.NOT_ASKED, "nothing", f"Not asked: {protocol_name(protocol)} has no ports.")
    declared = sorted({own.number for pod in pods for own in pod.ports if own.protocol == protocol})
    asked = f"{protocol_name(protocol)} {port}"
    checked = f"the ports that containers of {pods[0].full_name} declare"
    if port in declared:
        found = f"{asked} is declared."
    elif declared:
        found = (
            f"No container declares {asked}; declared are {_listed(declared)}. Kubernetes does not ask for it, but see "
            "that something listens there."
        )
    else:
        found = f"Its containers declare no {protocol_name(protocol)} ports, which says nothing."
    return Step(NAME, TITLE, Status.OK, checked, found, commands=_listening(pods[0]))


def _listening(pod: Pod) -> tuple[Command, ...]:
    return (Command("what listens there", commands.inside(pod, "ss", "-lntu")),)


class _Asked:
    """Looks at one Service."""

    def __init__(self, context: Context, service: Service) -> None:
        self._context = context
        self._service = service
        self._name = str(service.ref)
        self._pods = [context.cluster.pods[number] for number in backends(context.cluster, service)]

    def step(self) -> Step:
        finding = self._finding()
        service, number = self._service, len(self._pods)
        found = finding.sentence if finding else self._fine()
        ports = ", ".join(f"{protocol_name(p.protocol)} {p.port} to {p.target}" for p in service.ports) or "no ports"
        return Step(
            NAME,
            TITLE,
            Status.FOUND if finding else Status.OK,
            f"{self._name}: {ports}; {number} {'pod' if number == 1 else 'pods'} behind it",
            found,
            findings=(finding,) if finding else (),
            commands=self._commands(),
        )

    def _finding(self) -> Finding | None:
        if self._service.external_name:
            return None
        port = self._port()
        if port is None and self._service.ports:
            return self._wrong_port()
        if not self._pods and not self._service.backends:
            return self._nobody()
        return self._target(port) if port is not None and self._pods else None

    def _port(self) -> ServicePort | None:
        """Return the port that was asked for; a headless Service is reached at the pods' own port."""
        inquiry = self._context.inquiry
        for port in self._service.ports:
            numbers = {port.port} if self._service.addresses else {port.port, port.target}
            if port.protocol == inquiry.protocol and inquiry.port in numbers:
                return port
        return None

    def _wrong_port(self) -> Finding | None:
        inquiry = self._context.inquiry
        if not self._service.addresses or inquiry.protocol not in PORT_PROTOCOLS:
            return None
        asked = f"{protocol_name(inquiry.protocol)} {inquiry.port}"
        own = [port for port in self._service.ports if port.protocol == inquiry.protocol]
        other = [port for port in self._service.ports if port.port == inquiry.port]
        meant = [port.port for port in own if inquiry.port in self._numbers(port)]
        listed = _listed([f"{protocol_name(port.protocol)} {port.port}" for port in self._service.ports])
        sentence = f"{self._name} has no port {asked}; it has {listed}."
        to_do = f"Dial {listed}."
        if meant:
            sentence = f"{asked} is the pods' own port; {self._name} is dialled at {meant[0]}."
            to_do = f"Dial {meant[0]}."
        elif other:
            to_do = f"Ask over {protocol_name(other[0].protocol)}, or add a {protocol_name(inquiry.protocol)} port."
        elif (near := nearest(str(inquiry.port), [str(port.port) for port in own])) is not None:
            to_do = f"Dial {near}."
        return Finding(Cause.WRONG_PORT, sentence, to_do)

    def _numbers(self, port: ServicePort) -> set[int]:
        if isinstance(port.target, int):
            return {port.target}
        return {own.number for pod in self._pods for own in pod.ports if own.name == port.target}

    def _nobody(self) -> Finding:
        service = self._service
        selecting = [pod for pod in self._running() if service.selector and service.selector.matches(pod.labels)]
        if selecting:
            nobody = "but its EndpointSlices list nobody: no pod is ready"
            sentence = f"{self._name} selects {selecting[0].full_name}, {nobody}."
            return Finding(Cause.NO_BACKEND, sentence, "See why the pods are not ready: their readiness probes.")
        if service.selector is None:
            sentence = f"{self._name} has neither a selector nor EndpointSlices."
            return Finding(Cause.NO_BACKEND, sentence, "Give it a selector, or list its backends.")
        slip = self._slip()
        sentence = f"{self._name} selects {service.selector}, and no running pod of the namespace has that{slip}."
        return Finding(Cause.NO_BACKEND, sentence, "Write labels that the pods have into its selector, or start pods.")

    def _slip(self) -> str:
        """Say which pod comes near, if there is one."""
        selector = self._service.selector
        for pod in self._running():
            unmet = [r for r in selector.requirements if not r.matches(pod.labels)] if selector else []
            if len(unmet) == 1:
                there = pod.labels.get(unmet[0].key)
                is_near = there is not None and any(is_slip(value, there) for value in unmet[0].values)
                key = nearest(unmet[0].key, pod.labels)
                if is_near or (key is not None and pod.labels[key] in unmet[0].values):
                    label = f"{unmet[0].key}={there}" if is_near else f"{key}={pod.labels[str(key)]}"
                    return f"; {pod.full_name} has {label}"
        return ""

    def _running(self) -> list[Pod]:
        pods = self._context.cluster.pods
        return [pod for pod in pods if pod.namespace == self._service.namespace and pod.is_plain and not pod.finished]

    def _target(self, port: ServicePort) -> Finding | None:
        """Look whether the pods know the target port by its name."""
        if isinstance(port.target, int) or self._service.backends is not None:
            return None
        names = {own.name for pod in self._pods for own in pod.ports if own.protocol == port.protocol and own.name}
        if port.target in names:
            return None
        meant = nearest(port.target, names)
        declared = f"declares {_listed(sorted(names))}" if names else "declares no port by name"
        return Finding(
            Cause.NAMED_PORT,
            f"{self._name} leads port {port.port} to the port named {port.target}, and {self._pods[0].full_name} "
            f"{declared}.",
            f"Write targetPort: {meant}." if meant else "Declare the name in the containers, or write the number.",
        )

    def _fine(self) -> str:
        if self._service.external_name:
            return f"It stands for the name {self._service.external_name}, outside of the cluster's own names."
        port = self._port()
        if port is None:
            return "It has no port of this protocol to look at."
        if self._service.addresses:
            own = sorted({pair.port for pair in self._context.pairs if pair.port is not None})
            led = f"port {_listed(own)} of" if own else ""
            return f"Port {port.port} leads to {led} {self._behind()}."
        return f"It is headless: clients reach {self._behind()} directly."

    def _behind(self) -> str:
        number = len(self._pods) or len(self._service.backends or ())
        first = self._pods[0].full_name if self._pods else "addresses that are no pods"
        return first if number == 1 else f"{first} and {number - 1} more"

    def _commands(self) -> tuple[Command, ...]:
        service = self._service
        own = ("-n", service.namespace)
        get = ("kubectl", "get")
        slices = (*get, "endpointslices", *own, "-l", f"kubernetes.io/service-name={service.name}")
        found = [
            Command("its ports and selector", commands.shell(*get, "service", *own, service.name, "-o", "wide")),
            Command("who is behind it", commands.shell(*slices)),
        ]
        if service.selector is not None and service.selector.requirements:
            found.append(commands.selected_by(service.namespace, service.selector, "the pods it selects"))
        return tuple(found)


def backends(cluster: Cluster, service: Service) -> tuple[int, ...]:
    """Return the positions of the pods behind a Service, whatever their ports."""
    if service.backends is not None:
        found = dict.fromkeys(n for backend in service.backends for n in cluster.pods_at.get(backend.address, ()))
        return tuple(found)
    selector = service.selector
    if selector is None:
        return ()
    return tuple(
        number
        for number, pod in enumerate(cluster.pods)
        if pod.namespace == service.namespace and pod.is_plain and not pod.finished and selector.matches(pod.labels)
    )


def _listed(things: Sequence[object]) -> str:
    words = list(map(str, things))
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
