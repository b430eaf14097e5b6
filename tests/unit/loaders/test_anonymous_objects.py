"""Objects under pseudonyms: no field that is read is missed, none that is not goes through."""

import itertools
import types
import typing

import msgspec
import pytest

from loaders.anonymous import Anonymizer, KeyFile, Pseudonyms, anonymous_objects
from loaders.anonymous.objects import KINDS
from loaders.clusters.objects import KINDS as READ
from loaders.clusters.objects import NodeObject
from loaders.dialects import DIALECTS, LANGUAGES
from simcore.errors import LoadError
from simcore.model.flows import End, Flow, Verdict
from simcore.model.plugins import plugin_named
from simcore.reference import Reference
from tests.manifests import load

NAMES = Pseudonyms(KeyFile("", bytes(range(32))))
CALICO = "projectcalico.org/v3"
CALICO_PROFILE = plugin_named("calico").profile


def rewritten(*documents):
    anonymizer = Anonymizer(NAMES)
    return list(anonymous_objects(documents, anonymizer)), anonymizer


def document(api_version, kind, name="thing", **more):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


def policy(spec, name="thing", kind="GlobalNetworkPolicy", api_version=CALICO):
    return document(api_version, kind, name, spec=spec)


def pod(name="web-0", namespace="shop", **labels):
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "status": {"podIP": "10.1.2.3"},
    }


def example_of(hint):
    """A value that fills in every field that a structure decodes."""
    args = [each for each in typing.get_args(hint) if each is not types.NoneType]
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        return example_of(args[0])
    if typing.get_origin(hint) is list:
        return [example_of(args[0])]
    if typing.get_origin(hint) is dict:
        return {"cpu": "1", "memory": "1"}
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return {field.encode_name: example_of(field.type) for field in msgspec.structs.fields(hint)}
    return {int: 1, bool: True, float: 1.0}.get(hint, "text")


MAPS = (("labels",), ("selector",), ("annotations",), ("security-labels",))


def paths_of(value, path=()):
    """Every path of fields, but for the keys of labels."""
    if isinstance(value, list):
        for item in value:
            yield from paths_of(item, path)
    elif isinstance(value, dict) and path[-1:] not in MAPS:
        for key, item in value.items():
            yield (*path, key)
            yield from paths_of(item, (*path, key))


@pytest.mark.parametrize("kind", sorted(READ), ids="/".join)
def test_every_field_that_makes_up_a_cluster_is_written(kind):
    group, name = kind
    found = {**example_of(READ[kind]), "apiVersion": f"{group}/v1" if group else "v1", "kind": name}
    found["metadata"]["name"] = "1"
    (made,), _ = rewritten(found)
    dropped = set(paths_of(found)) - set(paths_of(made))
    assert all(path[-1] == "annotations" for path in dropped)
    assert not (dropped and READ[kind] is NodeObject)


def test_every_kind_that_is_read_is_written():
    languages = {kind for language in LANGUAGES for kind in language.kinds}
    assert set(KINDS) == {*READ, *DIALECTS, *languages}


def test_what_is_not_read_is_left_out_and_counted():
    secret = document("v1", "Secret", data={"password": "aHVudGVyMg=="})
    made, anonymizer = rewritten(secret, document("v1", "Namespace"))
    assert [each["kind"] for each in made] == ["Namespace"]
    assert anonymizer.left_out == {"v1 Secret": 1}


def test_fields_that_are_not_read_are_left_out():
    found = pod()
    found["spec"] = {"containers": [{"name": "main", "image": "acme.example/x", "env": [{"name": "TOKEN"}]}]}
    found["metadata"]["annotations"] = {"note": "ring Bob"}
    (made,), _ = rewritten(found)
    assert made["spec"] == {"containers": [{}]} and "annotations" not in made["metadata"]


def test_the_plugin_goes_on_being_told():
    nodes = document("v1", "Node")
    nodes["metadata"]["annotations"] = {"projectcalico.org/IPv4Address": "10.3.4.5/24", "owner": "Bob"}
    definition = document("apiextensions.k8s.io/v1", "CustomResourceDefinition", spec={"group": "cilium.io"})
    bridge = document("crd.antrea.io/v1beta1", "AntreaAgentInfo")
    daemon = document("apps/v1", "DaemonSet", "calico-node", spec={"template": {}})
    for found in (nodes, definition, bridge, daemon):
        made, _ = rewritten(found)
        plugin = load(*made).plugin
        assert plugin and plugin.plugin == load(found).plugin.plugin
    assert "10.3.4.5" not in str(rewritten(nodes)[0])


@pytest.mark.parametrize(
    ("selector", "values", "kept"),
    [
        ("app starts with 'web-'", ["web-a", "webb", "api"], True),
        ("app ends with '-prod'", ["web-prod", "prod"], True),
        ("app contains 'fron'", ["frontend", "front", "api"], False),
        ("app contains '0'", ["web-0", "web-1"], False),
    ],
)
def test_parts_of_texts_are_looked_for_as_before(selector, values, kept):
    pods = [pod(f"p{number}-x", app=value) for number, value in enumerate(values)]
    made, anonymizer = rewritten(policy({"selector": selector}), *pods)
    written = next(each for each in made if each["kind"] == "GlobalNetworkPolicy")["spec"]["selector"]
    before, after = (load(*documents) for documents in ([policy({"selector": selector}), *pods], made))
    bound = [
        sorted(NAMES.name(p.name) if plain else p.name for p in snapshot.cluster.pods if selects(snapshot, p))
        for snapshot, plain in ((before, True), (after, False))
    ]
    assert bound[0] == bound[1]
    assert (" in{" not in written) is kept
    assert bool(list(anonymizer.warnings())) is not kept


def selects(snapshot, found):
    (rules,) = (each.rules for each in snapshot.policies)
    return rules[-1].subject.pods.matches(found.labels)


def test_a_part_of_a_text_that_nothing_has_is_told_of():
    _, anonymizer = rewritten(policy({"selector": "app contains 'web'"}))
    (warning,) = anonymizer.warnings()
    assert "--beside" in warning.message


def test_a_selector_that_would_be_too_long_is_refused():
    values = ",".join(f"'{letter}{number}'" for letter in "abcdefg" for number in range(25))
    with pytest.raises(LoadError, match="longer than the 1024 characters"):
        rewritten(policy({"selector": f"app in {{{values}}}"}))


def test_an_invalid_object_in_storage_stays_without_effect():
    stored = policy({"selector": "app ==", "odd": 1}, api_version="crd.projectcalico.org/v1")
    made, anonymizer = rewritten(stored)
    assert not made
    assert anonymizer.left_out == {
        "crd.projectcalico.org/v1 GlobalNetworkPolicy that Calico finds invalid and leaves out": 1
    }


def test_a_stored_name_goes_on_standing_for_its_policy():
    made, _ = rewritten(
        policy({"types": ["Ingress"]}, "default.web", api_version="crd.projectcalico.org/v1"),
        policy({"types": ["Ingress"]}, "web"),
    )
    assert len({each["metadata"]["name"].removeprefix("default.") for each in made}) == 1


def http_policy(*rules):
    ports = {"ports": [{"port": "80", "protocol": "TCP"}], "rules": {"http": list(rules)}}
    spec = {"endpointSelector": {}, "ingress": [{"toPorts": [ports]}]}
    return policy(spec, kind="CiliumClusterwideNetworkPolicy", api_version="cilium.io/v2")


def written_rules(made):
    return made["spec"]["ingress"][0]["toPorts"][0]["rules"]["http"]


def test_what_http_rules_ask_for_is_hidden_where_whole_words_are():
    (made,), anonymizer = rewritten(http_policy(HTTP))
    (rule,) = written_rules(made)
    words = [NAMES.word(word) for word in ("orders", "shop", "example")]
    assert (rule["method"], rule["path"], rule["host"]) == ("GET", f"/{words[0]}/.*", rf"{words[1]}\.{words[2]}")
    assert rule["headers"] == [f"{NAMES.name('x-team')}: {NAMES.text('red pandas')}", "accept"]
    assert not list(anonymizer.warnings())


def test_paths_that_a_rule_looks_into_are_kept_and_told_from_then_on():
    names = Pseudonyms(KeyFile("", bytes(range(32))))
    anonymizer = Anonymizer(names)
    (made,) = anonymous_objects([http_policy(HTTP, {"path": "/pub.*"})], anonymizer)
    assert [rule.get("path") for rule in written_rules(made)] == ["/orders/.*", "/pub.*"]
    assert "shop" not in str(made)
    told = [warning.message for warning in anonymizer.warnings()]
    assert told[0] == "paths of HTTP are kept as they are: /orders/.*, /pub.*"
    assert "have to be made again" in told[1]
    assert names.shown == {"paths"}


HTTP = {"method": "GET", "path": "/orders/.*", "host": r"shop\.example", "headers": ["X-Team: red pandas", "Accept"]}


def test_a_pattern_with_stars_within_words_is_told_of():
    spec = {"endpointSelector": {}, "egress": [{"toFQDNs": [{"matchPattern": "web*.example.com"}]}]}
    _, anonymizer = rewritten(policy(spec, kind="CiliumClusterwideNetworkPolicy", api_version="cilium.io/v2"))
    (warning,) = anonymizer.warnings()
    assert "web*.example.com" in warning.message


def test_the_name_of_a_cluster_is_told():
    identity = document("cilium.io/v2", "CiliumIdentity", "1234")
    identity["security-labels"] = {"k8s:io.cilium.k8s.policy.cluster": "east", "k8s:app": "web"}
    (made,), anonymizer = rewritten(identity)
    assert made["metadata"]["name"] == "1234"
    (warning,) = anonymizer.warnings()
    assert f"--set cluster_name={made['security-labels']['k8s:io.cilium.k8s.policy.cluster']}" in warning.message


def test_the_order_of_objects_does_not_tell_their_names():
    documents = [
        document("v1", "Namespace", name) for name in ("apples", "bananas", "cherries", "dates", "elderberries")
    ]
    made, _ = rewritten(*documents)
    assert made == rewritten(*reversed(documents))[0]
    assert [each["metadata"]["name"] for each in made] != [NAMES.name(each["metadata"]["name"]) for each in documents]


def test_long_names_of_ports_go_on_being_names_of_ports():
    spec = {"podSelector": {}, "ingress": [{"ports": [{"port": "a-b-c-d-e-f"}]}]}
    found = document("networking.k8s.io/v1", "NetworkPolicy", spec=spec)
    running = {**pod(), "spec": {"containers": [{"ports": [{"name": "a-b-c-d-e-f", "containerPort": 80}]}]}}
    made, _ = rewritten(found, running)
    (rule, _), (declared,) = (load(*made).policies[0].rules, load(*made).cluster.pods)
    assert rule.ports.names[0].name == declared.ports[0].name


ORDERS = list(itertools.permutations(["alpha", "beta", "default", "zeta"], 2))


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_policies_of_one_order_are_asked_in_the_same_order(first, second):
    def verdict(documents):
        snapshot = load(*documents)
        ends = [End(each.addresses[0]) for each in snapshot.cluster.pods] * 2
        return Reference(snapshot.cluster, snapshot.policies, CALICO_PROFILE).judge(Flow(*ends, 6, 80)).verdict

    rules = {"selector": "all()", "order": 5, "types": ["Ingress"]}
    allow = policy({**rules, "ingress": [{"action": "Allow"}]}, first)
    deny = policy({**rules, "ingress": [{"action": "Deny"}]}, second)
    clients = [{**pod(name), "status": {"podIP": ip}} for name, ip in (("a", "10.0.0.1"), ("b", "10.0.0.2"))]
    documents = [allow, deny, *clients]
    assert (
        verdict(documents) is verdict(rewritten(*documents)[0]) is (Verdict.ALLOW if first < second else Verdict.DENY)
    )


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_tiers_of_one_order_are_asked_in_the_same_order(first, second):
    def tiers(documents):
        positions = {each.rules[-1].tier.position for each in load(*documents).policies}
        return [each.rules[-1].action for each in sorted(load(*documents).policies, key=tier_of)], len(positions)

    def tier_of(each):
        return each.rules[-1].tier.position

    documents = []
    for name, action in ((first, "Deny"), (second, "Pass")):
        if name != "default":
            documents.append(document(CALICO, "Tier", name, spec={"order": 1_000_000, "defaultAction": action}))
        spec = {"tier": name, "types": ["Ingress"], "selector": "all()", "ingress": [{"action": action}]}
        documents.append(policy(spec, f"{name}.p"))
    assert tiers(documents) == tiers(rewritten(*documents)[0])
