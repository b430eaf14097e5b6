"""Objects of a cluster and its policies, one by one, under pseudonyms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from simcore.errors import Diagnostic, Place, Severity
from simcore.model.cluster import Cluster
from simcore.model.labels import NAMESPACE_NAME_LABEL

from ..clusters.plugins import GROUPS
from ..clusters.pods import DEFAULT_ACCOUNT
from ..dialects import calico as calico_policies
from ..dialects.calico.endpoints import ACCOUNT, NAMESPACE
from ..dialects.calico.objects import DEFAULT_TIER
from ..dialects.calico.reading import LEFT_OUT, STORAGE_GROUP
from ..dialects.cilium.objects import GROUP as CILIUM
from ..dialects.metadata import DEFAULT_NAMESPACE
from ..documents import Document
from ..json_source import JsonText, JsonValue
from ..kinds import unmodelled
from . import antrea, calico, cilium, clusters, kubernetes
from .patterns import IntoWordsError, written_pattern
from .pseudonyms import Pseudonyms, Sort
from .shapes import Handler, Scribe, fields, name

JsonObject = dict[str, Any]
"""A Kubernetes object as plain dicts and lists."""

KINDS: Mapping[tuple[str, str], Mapping[str, Handler]] = {
    **clusters.KINDS,
    **kubernetes.KINDS,
    **antrea.KINDS,
    **calico.KINDS,
    **cilium.KINDS,
}
"""What is written of each (API group, kind) that is read; of all others nothing, or that they are there."""
_DEFINITION = "CustomResourceDefinition"
_FROM_CLUSTER = ("kns.", "ksa.")
_OWN_NAME = "projectcalico.org/name"
_CLUSTER_LABEL = "io.cilium.k8s.policy.cluster"
_STUB = fields({"metadata": fields({"name": name, "namespace": name})})
_MOST_NAMED = 5


class Anonymizer:
    """Puts pseudonyms in place of what tells whose cluster it is; verdicts stay what they were.

    `learn` is to see every object before `anonymous` is asked for any: names that decide by their order get places
    among each other, and selectors that look for parts of words are held against the values that there are.

    Parameters
    ----------
    names : Pseudonyms
        Made of a key file: files of one key file go together.
    """

    def __init__(self, names: Pseudonyms) -> None:
        self.names = names
        self._scribe = Scribe(names)
        self._left_out: Counter[str] = Counter()
        self._ordered: dict[Sort, set[str]] = {"policies": set(), "tiers": set(), "hosts": set(), "clusters": set()}

    def learn(self, found: JsonObject) -> None:
        """See one object."""
        group, kind = _kind(found)
        metadata, spec = _mapping(found, "metadata"), _mapping(found, "spec")
        if (group, kind) in _POLICY_KINDS:
            self._see("policies", _own_name(metadata, group))
            self._see("tiers", spec.get("tier"))
        elif kind in ("Tier", "HostEndpoint"):
            self._see("tiers" if kind == "Tier" else "hosts", metadata.get("name"))
        if group == CILIUM:
            self._learn_patterns(found)
        self._learn_names(kind, metadata)
        for labels in _all_labels(found):
            self._learn_labels(labels)

    def _learn_patterns(self, found: JsonObject) -> None:
        """Find out whether paths or hosts have to be shown, because a rule looks into their words."""
        for rule in _http_rules(found):
            for field, sort in (("path", "paths"), ("host", "hosts")):
                text = rule.get(field)
                if isinstance(text, str) and sort not in self.names.shown and _looks_into_words(text):
                    self.names.shown.add(sort)
                    self._scribe.doubts.append(
                        f"{sort} of HTTP are kept from now on, since the rule {text} looks into their words. Captures "
                        "and policies that were made with this key file before have to be made again"
                    )

    def _learn_names(self, kind: str, metadata: JsonObject) -> None:
        """Remember names that pods have as labels: of namespaces and of service accounts."""
        own, namespace = metadata.get("name"), metadata.get("namespace", DEFAULT_NAMESPACE)
        space = own if kind == "Namespace" else namespace
        for key in (NAMESPACE, NAMESPACE_NAME_LABEL, _OWN_NAME):
            self._learn_labels({key: space})
        if kind == "ServiceAccount":
            self._learn_labels({_OWN_NAME: own})
            self._learn_labels({ACCOUNT: own})

    def _learn_labels(self, labels: JsonObject) -> None:
        for key, value in labels.items():
            if isinstance(value, str):
                self._scribe.values.setdefault(key, set()).add(value)
                if key.endswith(_CLUSTER_LABEL):
                    self._see("clusters", value)

    def _see(self, sort: Sort, text: object) -> None:
        if isinstance(text, str) and text:
            self._ordered[sort].add(text)

    def anonymous(self, found: JsonObject) -> JsonObject | None:
        """Return an object under pseudonyms, with the fields that verdicts depend on; None where they depend on none.

        Raises
        ------
        LoadError
            It cannot be written so that it says the same.
        """
        for sort, texts in self._ordered.items():
            if texts:
                self.names.learn(sort, texts)
                self._ordered[sort] = set()
        group, kind = _kind(found)
        label = f"{found.get('apiVersion')} {kind}"
        if group == STORAGE_GROUP and _is_left_out(found):
            self._left_out[f"{label} that Calico finds invalid and leaves out"] += 1
            return None
        written = self._written(found, group, kind)
        if written is None:
            self._left_out[label] += 1
            return None
        return {"apiVersion": found.get("apiVersion"), "kind": kind, **written}

    def _written(self, found: JsonObject, group: str, kind: str) -> JsonObject | None:
        handlers = KINDS.get((group, kind))
        if handlers is not None:
            if kind == "Profile" and str(_mapping(found, "metadata").get("name")).startswith(_FROM_CLUSTER):
                return None
            written: JsonObject = fields(handlers)(found, self._scribe)
            return written
        if kind == _DEFINITION:
            defined = _mapping(found, "spec").get("group")
            return {"metadata": {"name": defined}, "spec": {"group": defined}} if defined in GROUPS else None
        if group in GROUPS or unmodelled(group, kind):
            stub: JsonObject = _STUB(found, self._scribe)
            return stub
        return None

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many objects were left out, by what they are."""
        return dict(sorted(self._left_out.items()))

    def warnings(self) -> Iterator[Diagnostic]:
        """Yield what was kept though it may tell something, and where verdicts may change."""
        for sort, texts in sorted(self._scribe.kept.items()):
            shown = ", ".join(sorted(texts)[:_MOST_NAMED]) + (", ..." if len(texts) > _MOST_NAMED else "")
            yield _warning(f"{sort} are kept as they are: {shown}")
        for cluster in self._clusters():
            yield _warning(
                f"cluster {cluster} is {self.names.cluster(cluster)} now. If it is the local one, judge with "
                f"--set cluster_name={self.names.cluster(cluster)}"
            )
        yield from map(_warning, dict.fromkeys(self._scribe.doubts))

    def _clusters(self) -> list[str]:
        found = {
            value for key, values in self._scribe.values.items() if key.endswith(_CLUSTER_LABEL) for value in values
        }
        return sorted(found - {"default"})


def anonymous_objects(objects: Iterable[JsonObject], anonymizer: Anonymizer) -> Iterator[JsonObject]:
    """Write objects under pseudonyms, in an order that does not tell their names; meanwhile they are held as text.

    Raises
    ------
    LoadError
        See `Anonymizer.anonymous`.
    """
    given = []
    for found in objects:
        anonymizer.learn(found)
        given.append(msgspec.json.encode(found))
    written: list[tuple[tuple[str, ...], bytes]] = []
    for data in given:
        made = anonymizer.anonymous(msgspec.json.decode(data))
        if made is not None:
            written.append((_place(made), msgspec.json.encode(made)))
    for _, data in sorted(written):
        yield msgspec.json.decode(data)


def _place(found: JsonObject) -> tuple[str, ...]:
    metadata = _mapping(found, "metadata")
    return tuple(
        str(part)
        for part in (found.get("kind"), found.get("apiVersion"), metadata.get("namespace"), metadata.get("name"))
    )


_POLICY_KINDS = frozenset(
    (group, kind)
    for (group, kind) in (*kubernetes.KINDS, *antrea.KINDS, *calico.KINDS, *cilium.KINDS)
    if kind.endswith("NetworkPolicy")
)


def _http_rules(value: object) -> Iterator[JsonObject]:
    """Yield the rules for HTTP requests that stand anywhere below a value."""
    if isinstance(value, list):
        for item in value:
            yield from _http_rules(item)
    elif isinstance(value, dict):
        for key, below in value.items():
            if key == "http" and isinstance(below, list):
                yield from (rule for rule in below if isinstance(rule, dict))
            else:
                yield from _http_rules(below)


def _looks_into_words(text: str) -> bool:
    try:
        written_pattern(text, lambda word: word)
    except IntoWordsError:
        return True
    return False


def _all_labels(found: JsonObject) -> Iterator[JsonObject]:
    """Yield the labels that an object tells, of itself and of pods."""
    spec, status = _mapping(found, "spec"), _mapping(found, "status")
    yield _mapping(_mapping(found, "metadata"), "labels")
    yield _mapping(found, "security-labels")
    yield _mapping(spec, "labelsToApply")
    of_job = _mapping(_mapping(spec, "jobTemplate"), "spec")
    for owner in (spec, of_job):
        template = _mapping(owner, "template")
        yield _mapping(_mapping(template, "metadata"), "labels")
        yield _account(_mapping(template, "spec"))
    yield _account(spec)
    told = _mapping(status, "identity").get("labels")
    for label in told if isinstance(told, list) else ():
        key, _, value = str(label).partition("=")
        yield {key: value}


def _account(spec: JsonObject) -> JsonObject:
    return {ACCOUNT: spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT_ACCOUNT}


def _own_name(metadata: JsonObject, group: str) -> object:
    """Return the name of a policy; in Calico's storage, without that of its tier before it."""
    own = metadata.get("name")
    if group == STORAGE_GROUP and isinstance(own, str):
        return own.removeprefix(f"{DEFAULT_TIER}.") or own
    return own


def _is_left_out(found: JsonObject) -> bool:
    """Whether Calico finds a stored object invalid."""
    data = msgspec.json.encode(found)
    body = JsonValue.at(JsonText(data), 0, len(data))
    document = Document("", 1, str(found.get("apiVersion")), str(found.get("kind")), body)
    if (document.group, document.kind) not in calico_policies.KINDS:
        return False
    problems: list[Diagnostic] = []
    calico_policies.lower([document], Cluster.of((), ()), problems)
    return any(LEFT_OUT in problem.message for problem in problems)


def _kind(found: JsonObject) -> tuple[str, str]:
    return str(found.get("apiVersion", "")).rpartition("/")[0], str(found.get("kind", ""))


def _mapping(value: Mapping[str, Any], name: str) -> JsonObject:
    below = value.get(name)
    return below if isinstance(below, dict) else {}


def _warning(message: str) -> Diagnostic:
    return Diagnostic(Severity.WARNING, Place("pseudonyms"), message)
