"""What a proxy looks at: ``rules``, ``serverNames``, ``listener`` and TLS of toPorts (CI-24 to CI-33)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from simcore.model.agent import CiliumAgent
from simcore.model.policy import Direction
from simcore.model.requests import DnsMatch, HttpMatch, KafkaMatch, OpaqueMatch, RequestMatch, RequestSet, SniMatch

from ..fields import Field
from .http import read_http
from .kafka import read_kafka
from .names import EVERY_NAME, name_regex, read_name
from .ports import PortField

KINDS = ("http", "dns", "kafka", "l7")
_FORMER = ("kafka", "l7", "l7proto")
_FORMER_UNTIL, _PATTERNS_SINCE = (1, 20), (1, 19)
_MOST_WORDS = 3
_CONFIGS = ("CiliumEnvoyConfig", "CiliumClusterwideEnvoyConfig")
_MOST_PRIORITY = 100


@dataclass(frozen=True, slots=True)
class Layer7:
    """What becomes of a connection that goes through a proxy.

    Attributes
    ----------
    parser : str
        ``http``, ``dns``, ``kafka``, ``tls`` or ``listener``; or the name of a former parser.
    requests : RequestSet or None
        What is let through; None: everything.
    words : tuple of str
        The same in words.
    names : tuple of SniMatch
        The server names, one of which a handshake must carry.
    listener : tuple or None
        Priority and full name of the listener.
    contexts : tuple of (str, str)
        The secrets of the TLS connections to the server and to the client.
    """

    parser: str
    requests: RequestSet | None = None
    words: tuple[str, ...] = ()
    names: tuple[SniMatch, ...] = ()
    listener: tuple[int, str] | None = None
    contexts: tuple[str, str] = ("", "")
    doubt: str = ""

    @property
    def proxy(self) -> str:
        """The proxy as rules name it."""
        return self.parser if self.parser in ("http", "dns", "kafka", "tls") else "listener"

    @property
    def condition(self) -> str:
        """What must hold of what the connection carries."""
        if not self.words:
            return ""
        shown, rest = self.words[:_MOST_WORDS], len(self.words) - _MOST_WORDS
        return f"l7-{self.parser}: {'; '.join(shown)}" + (f" and {rest} more" if rest > 0 else "")


@dataclass(frozen=True, slots=True)
class Around:
    """Where a rule stands."""

    direction: Direction
    hosts: bool
    clusterwide: bool
    agent: CiliumAgent


def read_layer7(item: Field, ports: Sequence[PortField], around: Around) -> Layer7 | None:
    """Read what one item of toPorts says beside its ports; None where no proxy takes part."""
    rules = _rules(item.get("rules"), around)
    given = [name for name in KINDS if rules.get(name).value]
    if len(given) > 1:
        rules.error(
            f"multiple L7 protocol rule types specified in single rule: {' and '.join(given)}. Make a rule of each"
        )
    kind = given[0] if given else ""
    names, contexts = _server_names(item, around.agent), _contexts(item)
    listener = _listener(item.get("listener"), around)
    _check(item, kind, names, listener, around)
    if kind:
        _check_ports(item, kind, ports, around)
    if listener:
        words = (f"listener {listener[1]} decides",)
        return Layer7("listener", RequestSet((OpaqueMatch(listener[1]),)), words, listener=listener)
    found = _of_kind(rules, kind, around.agent) if kind else None
    if found is not None:
        return Layer7(found.parser, found.requests, found.words, names, None, contexts, found.doubt)
    if names:
        return Layer7(
            "tls", RequestSet(names), tuple(f"server {name.written}" for name in names), names, None, contexts
        )
    return Layer7("tls", contexts=contexts) if any(contexts) else None


def _rules(field: Field, around: Around) -> Field:
    known = ("http", "dns", *(_FORMER if around.agent.version < _FORMER_UNTIL else ()))
    gone = "Cilium knows it up to 1.19 only. For an older one name its version (--cilium-version 1.19)"
    rules = field.mapping(known, dict.fromkeys(_FORMER, gone))
    if rules.get("l7").value and not rules.get("l7proto").value:
        rules.error("l7 rules need l7proto, the name of their parser. Add it", "l7")
    return rules


def _of_kind(rules: Field, kind: str, agent: CiliumAgent) -> Layer7:
    items = list(rules.get(kind).items())
    members: list[RequestMatch] = []
    words: list[str] = []
    doubts: list[str] = []
    for item in items:
        match kind:
            case "http":
                made, said, doubt = read_http(item)
                members.append(made)
                doubts += [doubt] if doubt else []
            case "dns":
                found = read_name(item, needed=False)
                if found is None:
                    doubts.append("what a DNS rule without name and pattern matches is not known")
                    continue
                members.append(DnsMatch(name_regex(found[0], agent), found[1]))
                said = found[1]
            case "kafka":
                of_kafka, said = read_kafka(item)
                members.append(of_kafka)
            case _:
                said = ", ".join(f"{key}={value}" for key, value in sorted(item.text_map().items())) or "any request"
                members.append(OpaqueMatch(said))
        words.append(said)
    parser = (rules.get("l7proto").text() or "l7") if kind == "l7" else kind
    if not doubts and any(map(_lets_everything, members)):
        return Layer7(parser)
    return Layer7(parser, RequestSet(tuple(members)), tuple(dict.fromkeys(words)), doubt=doubts[0] if doubts else "")


def _lets_everything(member: RequestMatch) -> bool:
    if isinstance(member, DnsMatch):
        return member.pattern == EVERY_NAME
    return member in (HttpMatch(), KafkaMatch())


def _server_names(item: Field, agent: CiliumAgent) -> tuple[SniMatch, ...]:
    found = []
    for each in item.get("serverNames").items():
        text = each.text()
        if text is None and each.value is not None:
            continue
        if not text:
            each.error("empty server name is not allowed. Remove the item")
            continue
        is_plain = agent.version < _PATTERNS_SINCE
        if "*" in text and is_plain:
            each.warn("patterns of server names are known from Cilium 1.19 on: no handshake carries this name")
        found.append(SniMatch(re.escape(text.lower()) if is_plain else name_regex(text, agent), text))
    return tuple(found)


def _contexts(item: Field) -> tuple[str, str]:
    texts = []
    for name in ("originatingTLS", "terminatingTLS"):
        entry = item.get(name).mapping(("secret", "trustedCA", "certificate", "privateKey"))
        secret = entry.get("secret").mapping(("namespace", "name"))
        if entry.value is not None and not secret.get("name").text():
            entry.error("Secret name missing. Add it", "secret")
        texts.append(f"{secret.get('namespace').value}/{secret.get('name').value}" if entry.value is not None else "")
    return texts[0], texts[1]


def _listener(field: Field, around: Around) -> tuple[int, str] | None:
    if field.value is None:
        return None
    entry = field.mapping(("envoyConfig", "name", "priority"))
    config = entry.get("envoyConfig").mapping(("kind", "name"))
    kind, name, priority = config.get("kind").text(), config.get("name").text(), entry.get("priority").integer()
    for where, text in ((config, name), (entry, entry.get("name").text())):
        if not text:
            where.error("a name is required. Add it", "name")
    if kind and kind not in _CONFIGS:
        config.error(f"{kind!r} is not a kind of configuration. Use one of {', '.join(_CONFIGS)}", "kind")
    if around.clusterwide and kind == _CONFIGS[0]:
        config.error(f"Listener {name} in CCNP can not use Kind {kind}. Write {_CONFIGS[1]}", "kind")
    if priority is not None and not 1 <= priority <= _MOST_PRIORITY:
        entry.error(f"{priority} is not a priority: they go from 1 to {_MOST_PRIORITY}", "priority")
    return priority or _MOST_PRIORITY + 1, f"{name}/{entry.get('name').value}"


def _check(item: Field, kind: str, names: Sequence[SniMatch], listener: tuple[int, str] | None, around: Around) -> None:
    """Check what may stand beside each other, and where."""
    inbound = around.direction is Direction.INGRESS
    if names and kind and item.get("terminatingTLS").value is None:
        item.error(
            "ServerNames are not allowed with L7 rules without TLS termination. Add terminatingTLS", "serverNames"
        )
    if listener and inbound:
        item.error("Listener is not allowed on ingress. Only egress rules take it", "listener")
    if listener and kind:
        item.error("Listener is not allowed with L7 rules. Make a rule of each", "listener")
    if around.hosts and (kind or names or listener):
        if inbound:
            item.error("L7 policy is not supported on host ingress yet. Remove it, or select pods")
        elif kind != "dns":
            item.error(f"L7 protocol {kind or 'tls'} is not supported on host egress yet. Only dns is")
    if kind == "dns" and inbound:
        item.error("DNS rules are not allowed on ingress: L7 protocol dns is not supported on ingress yet", "rules")


def _check_ports(item: Field, kind: str, ports: Sequence[PortField], around: Around) -> None:
    if kind == "dns" and not ports and not item.get("ports").value:
        item.error("port 53 must be specified for DNS rules. Add ports", "rules")
    for port in ports:
        if port.is_zero:
            port.field.error("L7 rules can not be used when a port is 0. Name the port", "port")
        if kind == "dns" and port.is_range:
            port.field.error("DNS rules do not support port ranges. Name each port", "endPort")
        if port.protocol != "TCP" and (kind != "dns" or port.protocol not in ("UDP", "ANY")):
            port.field.error(
                f"L7 rules can only apply to TCP (not {port.protocol}) except for DNS rules. Write protocol: TCP",
                "protocol",
            )
