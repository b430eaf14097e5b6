"""AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy, lowered to the rule list."""

from __future__ import annotations

from dataclasses import dataclass

from simcore.errors import Diagnostic
from simcore.model.peers import AnyOf, DomainNames, Endpoints, PeerSet
from simcore.model.policy import Action, Direction, Policy, PolicyRef, Rule, Tier
from simcore.model.profile import UPSTREAM, Profile

from ...documents import Document
from ..fields import Field, read_alone
from ..kubernetes import tie_break
from ..metadata import read_metadata
from .forms import FORMS, Form
from .peers import Peers, read_subject
from .ports import NAMED, read_ports
from .shapes import bounded, exact

_HIGHEST_PRIORITY = 1000
_LONGEST_NAME = 100
_WITHOUT_PORT_NAMES = ("networks", "nodes", "domainNames")
_SPEC_HINTS = {
    "tier": "The kind says it. A ClusterNetworkPolicy has tiers",
    "priority": "There is only one policy of this kind, so it has none",
    "podSelector": "Whom the policy binds stands below subject",
    "namespaceSelector": "Whom the policy binds stands below subject",
    "appliedTo": "Did you mean subject?",
    "policyTypes": "There are none: a direction without rules is left as it is (AP-4)",
    "from": "It belongs into an item of ingress",
    "to": "It belongs into an item of egress",
    "action": "It belongs into an item of ingress or egress",
}


def lower(document: Document, diagnostics: list[Diagnostic], *, profile: Profile = UPSTREAM) -> list[Policy]:
    """Turn one policy of policy.networking.k8s.io into rules.

    Parameters
    ----------
    document : Document
        The manifest.
    diagnostics : list of Diagnostic
        Written: every problem found, as the schema of its kind would refuse it, and warnings.
    profile : Profile
        How policies are read: of its settings `strict_cidr`, and those of Cilium's agent.

    Returns
    -------
    list of Policy
        The policy; empty where the manifest is invalid.
    """
    form = FORMS[document.kind]
    return read_alone(document, diagnostics, lambda root: _Lowering(root, form, profile.strict_cidr).policy())


@dataclass(frozen=True, slots=True)
class _Lowering:
    """One manifest on its way to rules."""

    root: Field
    form: Form
    strict_cidr: bool

    def policy(self) -> Policy:
        form = self.form
        root = self.root.mapping(
            ("apiVersion", "kind", "metadata", "spec", "status"),
            dict.fromkeys(form.spec_fields, "Put it below spec"),
        )
        self._check_version()
        for path in root.document.repeated_keys():
            root.error("this key stands here twice. Keep one", *path)
        metadata = read_metadata(root.get("metadata"), namespaced=False)
        if form.only_name and metadata.name not in ("", form.only_name):
            root.error(f"there is one {form.kind} in a cluster, and its name is {form.only_name}", "metadata", "name")
        ref = PolicyRef(form.kind, "", metadata.name)
        if root.get("spec").value is None:
            root.error("a spec is required", "spec")
        spec = exact(root.get("spec"), form.spec_fields, _SPEC_HINTS)
        tier, priority = self._tier(spec), self._priority(spec)
        subject = read_subject(spec.get("subject"), form)
        rules = [
            self._rule(item, direction, ref, subject, tier, priority)
            for direction in (Direction.INGRESS, Direction.EGRESS)
            for item in bounded(spec.get(direction.word), form.most, "rule", fewest=0)
        ]
        if spec.value and not any(spec.value.get(direction.word) for direction in Direction):
            spec.warn("the policy has no rules, so it does nothing")
        return Policy(ref, tuple(rules), root.document.place())

    def _check_version(self) -> None:
        version, form = self.root.document.api_version, self.form
        if version == form.api_version:
            return
        if version == FORMS["ClusterNetworkPolicy"].api_version:
            tier = "Baseline" if form.only_name else "Admin"
            way_out = f"Write {form.api_version}, or make it a ClusterNetworkPolicy with tier: {tier}"
        else:
            way_out = f"Write apiVersion: {form.api_version}, the only version that is read"
        self.root.error(f"there is no {form.kind} in {version}. {way_out}", "apiVersion")

    def _tier(self, spec: Field) -> Tier:
        tiers = self.form.tiers
        if "" in tiers:
            return tiers[""]
        field = spec.get("tier")
        word = field.text()
        if word is not None and word in tiers:
            return tiers[word]
        if word is not None or field.value is None:
            near = next((name for name in tiers if word and name == word.capitalize()), None)
            hint = f"Did you mean {near}?" if near else f"Write {' or '.join(tiers)}"
            field.error(f"{word!r} is not a tier. {hint}" if word is not None else f"a tier is required. {hint}")
        return next(iter(tiers.values()))

    def _priority(self, spec: Field) -> float:
        if not self.form.has_priority:
            return 0.0
        field = spec.get("priority")
        number = field.integer()
        if number is not None and 0 <= number <= _HIGHEST_PRIORITY:
            return float(number)
        if number is not None:
            field.error(f"{number} is not a priority: they go from 0 to {_HIGHEST_PRIORITY}")
        elif field.value is None:
            field.error(f"a priority is required: 0 to {_HIGHEST_PRIORITY}, the lowest number goes first")
        return 0.0

    def _rule(
        self, item: Field, direction: Direction, ref: PolicyRef, subject: Endpoints, tier: Tier, priority: float
    ) -> Rule:
        own, other = ("to", "from") if direction is Direction.EGRESS else ("from", "to")
        ports = self.form.ports
        hints = {
            other: f"An {direction.word} rule names its peers in {own}",
            "ports": "A ClusterNetworkPolicy calls it protocols, and writes its items otherwise",
            "protocols": "Only a ClusterNetworkPolicy has it. Write ports: [{portNumber: {protocol, port}}]",
        }
        if item.value is None:
            item.error("an empty item is no rule. Remove the dash")
        rule = exact(item, ("name", "action", own, ports), hints)
        peer = Peers(self.form, direction is Direction.EGRESS, self.strict_cidr).read(rule.get(own))
        action = self._action(rule.get("action"))
        _check_port_names(rule, own, ports)
        if action is not Action.ALLOW and _names_domains(peer):
            rule.error(f"domainNames go with {self.form.allow_word} only. Deny networks after it instead", own)
        index = int(item.path[-1])
        return Rule(
            policy=ref,
            index=index,
            direction=direction,
            subject=subject,
            peer=peer,
            ports=read_ports(rule.get(ports), self.form),
            action=action,
            tier=tier,
            order=(0, priority, tie_break(ref), index),
            place=item.place,
            tie=(priority,) if self.form.has_priority else None,
            name=_rule_name(rule.get("name")),
        )

    def _action(self, field: Field) -> Action:
        word = field.text()
        actions = self.form.actions
        if word is not None and word in actions:
            return actions[word]
        if word is not None or field.value is None:
            field.error(f"{'an action is required' if word is None else self._wrong_action(word)}")
        return Action.DENY

    def _wrong_action(self, word: str) -> str:
        actions, folded = self.form.actions, word.capitalize()
        known = ", ".join(actions)
        if folded in actions:
            return f"{word!r} is not an action. Write {folded}"
        if folded in ("Allow", "Accept"):
            return f"{self.form.kind} has no action {word!r}. Write {self.form.allow_word}"
        if folded == "Pass":
            return f"{self.form.kind} cannot pass: nothing follows it. Write one of {known}"
        return f"{word!r} is not an action. Write one of {known}"


def _rule_name(field: Field) -> str:
    name = field.text() or ""
    if len(name) > _LONGEST_NAME:
        field.error(f"the name of a rule has at most {_LONGEST_NAME} characters")
    return name


def _check_port_names(rule: Field, own: str, ports: str) -> None:
    """Warn of port names for peers that are no pods (AP-17)."""
    without = [name for name in _WITHOUT_PORT_NAMES if _any_item_has(rule.get(own), (name,))]
    if without and _any_item_has(rule.get(ports), NAMED):
        what = " and ".join(without)
        rule.warn(f"only pods have port names, so a name never matches {what}. Give them a rule of their own", ports)


def _any_item_has(field: Field, names: tuple[str, ...]) -> bool:
    items = field.value if isinstance(field.value, list) else ()
    return any(isinstance(item, dict) and item.get(name) is not None for item in items for name in names)


def _names_domains(peer: PeerSet) -> bool:
    return any(isinstance(part, DomainNames) for part in (peer.members if isinstance(peer, AnyOf) else (peer,)))
