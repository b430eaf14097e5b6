import gzip
import json
from collections import Counter

import pyarrow as pa
import pytest

from loaders import load_manifests
from loaders.synthetic.cluster import generate_cluster
from loaders.synthetic.demo import write_demo
from loaders.synthetic.hubble.export import generate_hubble
from loaders.synthetic.scale import Scale
from simcore.errors import LoadError, ResolveError
from simcore.model.addresses import Address
from simcore.model.cluster import Cluster
from simcore.model.flows import End, Flow, Verdict
from simcore.model.peers import DomainNames, atoms_of
from simcore.model.plugins import plugin_named
from simcore.model.policy import Action, Direction, Role
from simcore.model.ports import PROTOCOL_NUMBERS
from simcore.reference import Reference

CILIUM = plugin_named("cilium").profile
DROP, TRACE, VERDICT = 1, 4, 5
ALLOWING = ("FORWARDED", "REDIRECTED")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    files = write_demo(tmp_path_factory.mktemp("shop"))
    return load_manifests([str(files.cluster), str(files.policies)])


@pytest.fixture(scope="module")
def made(shop, tmp_path_factory):
    """Makes an export of the shop, by its seed and options; returns its files."""
    folder = tmp_path_factory.mktemp("exports")

    def _made(name="a.json", count=4000, seed=1, **options):
        def judge_of(cluster):
            return Reference(cluster, shop.policies, CILIUM).judge

        return generate_hubble(shop.cluster, shop.policies, count, seed, folder / name, judge_of, **options)

    return _made


@pytest.fixture(scope="module")
def records(made):
    (path,) = made("shared.json")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def flows(records):
    return [record["flow"] for record in records if "flow" in record]


@pytest.fixture(scope="module")
def cilium(tmp_path_factory):
    """A small cluster most of whose policies are Cilium's."""
    folder = tmp_path_factory.mktemp("cilium")
    scale = Scale(pods=160, policies=40, namespaces=6, nodes=4, dual_stack=0.4)
    generate_cluster(scale, 12, folder, cilium=True)
    return load_manifests([str(folder)], profile=CILIUM)


@pytest.fixture(scope="module")
def proxied(cilium, tmp_path_factory):
    def judge_of(cluster):
        return Reference(cluster, cilium.policies, CILIUM).judge

    path = tmp_path_factory.mktemp("proxied") / "a.json"
    generate_hubble(cilium.cluster, cilium.policies, 6000, 1, path, judge_of)
    records = map(json.loads, path.read_text("utf-8").splitlines())
    return [record["flow"] for record in records if "flow" in record]


def flow_of(flow):
    ((protocol, layer4),) = flow["l4"].items()
    ends = (End(Address.parse(flow["IP"][end])) for end in ("source", "destination"))
    if "ICMP" in protocol:
        return Flow(*ends, 1, None, icmp_type=layer4.get("type", 0))
    return Flow(*ends, PROTOCOL_NUMBERS[protocol], layer4["destination_port"])


def five_tuple(flow):
    return json.dumps([flow["IP"], flow["l4"]["TCP"]], sort_keys=True) if "TCP" in flow["l4"] else None


def test_there_are_as_many_lines_as_asked_for_in_the_order_of_their_times(records):
    parts = [record["time"].removesuffix("Z").partition(".") for record in records]
    times = [(second, fraction.ljust(9, "0")) for second, _, fraction in parts]
    assert len(records) == 4000
    assert times == sorted(times)


def test_a_verdict_is_what_the_reference_says_and_names_the_policy_that_decides(shop, flows):
    reference = Reference(shop.cluster, shop.policies, CILIUM)
    verdicts = [flow for flow in flows if flow["event_type"]["type"] == VERDICT]
    seen = Counter()
    for flow in verdicts:
        direction = Direction[flow["traffic_direction"]]
        outcome = reference.judge(flow_of(flow)).outcome(direction)
        assert (flow["verdict"] in ALLOWING) == (outcome.verdict is Verdict.ALLOW)
        named = flow.get(f"{direction.word}_allowed_by", [])
        is_named = outcome.verdict is Verdict.ALLOW and outcome.rule and outcome.rule.role is Role.WRITTEN
        assert [policy["name"] for policy in named] == ([outcome.rule.policy.name] if is_named else [])
        seen[direction, flow["verdict"]] += 1
    assert len(seen) >= 3, "both directions, and both verdicts"


def test_a_denied_packet_is_told_twice_and_sent_again(flows):
    twins = [flow for flow in flows if flow.get("drop_reason_desc") == "POLICY_DENIED"]
    kinds = Counter((five_tuple(flow), flow["event_type"]["type"]) for flow in twins if five_tuple(flow))
    told = {key for key, _ in kinds}
    assert told
    assert all("is_reply" not in flow for flow in twins)
    assert all(kinds[key, VERDICT] == kinds[key, DROP] for key in told)
    assert Counter(kinds.values()).most_common(1)[0][0] == 3


def test_answers_have_their_ends_swapped_and_the_direction_of_what_they_answer(flows):
    replies = [flow for flow in flows if flow.get("is_reply") and flow["traffic_direction"] == "INGRESS"]
    assert replies
    for flow in replies:
        assert "ID" in flow["source"], "the server's node tells it, so the server is its endpoint"


def test_some_connections_are_under_way_when_the_export_begins(flows):
    kinds = {}
    for flow in flows:
        if "TCP" in flow["l4"] and flow.get("is_reply") is not True:
            kinds.setdefault(flow["l4"]["TCP"]["source_port"], set()).add(flow["event_type"]["type"])
    assert {TRACE} in kinds.values()


def test_there_are_losses_and_drops_that_no_policy_has_a_part_in(records, flows):
    assert any("lost_events" in record for record in records)
    assert {flow.get("drop_reason_desc") for flow in flows} - {None, "POLICY_DENIED", "POLICY_DENY"}


def test_the_same_seed_makes_the_same_bytes_however_they_are_packed(made):
    (plain,) = made("b.json")
    (packed,) = made("b.json.gz")
    (again,) = made("c.json.gz")
    (zstd,) = made("b.json.zst")
    (other,) = made("d.json", seed=2)
    assert gzip.decompress(packed.read_bytes()) == plain.read_bytes()
    assert packed.read_bytes() == again.read_bytes()
    assert pa.input_stream(str(zstd), compression="zstd").read() == plain.read_bytes()
    assert other.read_bytes() != plain.read_bytes()


def test_files_of_nodes_hold_the_lines_of_their_nodes(made, records):
    paths = made("nodes.json", per_node=True)
    assert [path.name for path in paths] == ["nodes-node-1.json", "nodes-node-2.json", "nodes-node-3.json"]
    lines = [json.loads(line) for path in paths for line in path.read_text("utf-8").splitlines()]
    assert len(lines) == len(records)
    for path in paths:
        nodes = {json.loads(line)["node_name"] for line in path.read_text("utf-8").splitlines()}
        assert nodes == {path.name.removeprefix("nodes-").removesuffix(".json")}


def test_in_audit_mode_nothing_is_denied(made):
    (path,) = made("audit.json", audit=True)
    flows = [json.loads(line).get("flow", {}) for line in path.read_text("utf-8").splitlines()]
    verdicts = {flow.get("verdict") for flow in flows if flow.get("event_type", {}).get("type") == VERDICT}
    assert verdicts == {"FORWARDED", "AUDIT"}
    assert all(flow.get("is_reply") is False for flow in flows if flow.get("verdict") == "AUDIT")
    assert not any("POLICY" in flow.get("drop_reason_desc", "") for flow in flows)


def test_a_cluster_under_cilium_has_every_kind_of_rule_and_no_complaint(cilium):
    assert {policy.ref.kind for policy in cilium.policies} == {
        *("NetworkPolicy", "CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy")
    }
    assert cilium.diagnostics == ()
    rules = [rule for policy in cilium.policies for rule in policy.rules]
    assert {rule.proxy for rule in rules} == {"", "http", "dns"}
    assert any(isinstance(atom, DomainNames) for rule in rules for atom in atoms_of(rule.peer))
    assert any(rule.action is Action.DENY and rule.role is Role.WRITTEN for rule in rules)


def test_requests_are_told_where_a_proxy_looks_and_refused_ones_with_their_answer(proxied):
    requests = [flow for flow in proxied if flow.get("l7", {}).get("type") == "REQUEST" and "http" in flow["l7"]]
    assert {flow["verdict"] for flow in requests} == {"FORWARDED", "DROPPED"}
    codes = Counter(flow["l7"]["http"]["code"] for flow in proxied if flow.get("l7", {}).get("http", {}).get("code"))
    assert codes[403] == sum(flow["verdict"] == "DROPPED" for flow in requests)
    assert any(flow["verdict"] == "REDIRECTED" for flow in proxied)


def test_a_pod_asks_for_a_name_before_it_connects_to_what_the_answer_tells(proxied):
    answered, named = set(), 0
    for flow in proxied:
        if flow.get("l7", {}).get("type") == "RESPONSE" and "dns" in flow["l7"]:
            answered |= {(flow["IP"]["destination"], address) for address in flow["l7"]["dns"].get("ips", [])}
        elif flow["IP"]["destination"].startswith("203.0.113.") and flow.get("egress_allowed_by"):
            named += 1
            assert (flow["IP"]["source"], flow["IP"]["destination"]) in answered
    assert named


def test_a_rule_that_denies_is_named(proxied):
    denied = [flow for flow in proxied if flow.get("drop_reason_desc") == "POLICY_DENY"]
    told = [flow for flow in denied if flow["event_type"]["type"] == VERDICT]
    assert told and len(told) * 2 == len(denied)
    assert all(flow.get("egress_denied_by") or flow.get("ingress_denied_by") for flow in told)


def test_a_line_is_cut_off_where_asked_for(made):
    (path,) = made("bad.json", count=100, bad_line=True)
    bad = []
    for number, line in enumerate(path.read_text("utf-8").splitlines()):
        try:
            json.loads(line)
        except ValueError:
            bad.append(number)
    assert bad == [50]


def test_a_file_that_is_there_is_kept(made):
    (path,) = made("kept.json", count=10)
    with pytest.raises(LoadError, match="exists"):
        made("kept.json")
    assert len(path.read_text("utf-8").splitlines()) == 10


def test_a_cluster_without_pods_is_refused(tmp_path):
    with pytest.raises(ResolveError, match="no running pod"):
        generate_hubble(Cluster.of([], []), [], 10, 1, tmp_path / "a.json", lambda _: None)
