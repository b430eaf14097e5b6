"""What tables say of ends over time, one matter at a time."""

from dataclasses import replace

import numpy as np
import pytest

from simcore.analyses.judging import flow_columns, judge_columns, judgement_of, objects_of
from simcore.analyses.reachability import reachability
from simcore.errors import Place
from simcore.kernels.moments import NO_TIME
from simcore.model.addresses import Address
from simcore.model.cluster import Backend, Cluster, Namespace, Node, Pod, Service, ServicePort
from simcore.model.flows import End, Flow, Reason, Verdict
from simcore.model.labels import LabelSelector, Operator, Requirement
from simcore.model.names import ALWAYS
from simcore.model.peers import ANYTHING, Backends, Endpoints, Nodes
from simcore.model.policy import NETWORKPOLICY, Action, Direction, Policy, PolicyRef, Role, Rule
from simcore.model.ports import EVERY_PORT, TCP
from simcore.model.timeline import over_time
from simcore.reference.moments import TimedReference
from simcore.tables.build import build_tables

SPACE = Namespace("shop", {})
HERE, THERE, VIP, NODE = map(Address.parse, ("10.0.0.1", "10.0.0.2", "10.96.0.1", "10.9.0.1"))
CLIENT, SERVER = End(THERE), End(HERE)
BEFORE, AFTER = (ALWAYS[0], 10), (10, ALWAYS[1])


def selector(**labels):
    return LabelSelector.of(*(Requirement(key, Operator.IN, frozenset([value])) for key, value in labels.items()))


def pod(name, address, **labels):
    return Pod("shop", name, labels, (address,))


def policy(peer):
    ref = PolicyRef("NetworkPolicy", "shop", "one")
    whom = Direction.EGRESS, Endpoints()
    place = Place("file")
    allow = Rule(ref, 0, *whom, peer, EVERY_PORT, Action.ALLOW, NETWORKPOLICY, (0, "", ""), place)
    deny = Rule(ref, -1, *whom, ANYTHING, EVERY_PORT, Action.DENY, NETWORKPOLICY, (1, "", ""), place, Role.ISOLATION)
    return Policy(ref, (allow, deny), place)


def judged(cluster, policies, time, source=CLIENT, destination=SERVER, port=80):
    """The judgement of the tables, and that of the reference."""
    tables, flow = build_tables(cluster, policies), Flow(source, destination, TCP, port)
    times = np.array([NO_TIME if time is None else time])
    found = judge_columns(tables, *flow_columns(tables.pod_numbers, [flow]), times=times)
    cells = (int(part[0, 0]) for part in (found.egress, found.ingress, found.verdict))
    return judgement_of(tables, *cells), TimedReference(cluster, policies).judge(flow, time)


def agreed(*arguments, **more):
    found, expected = judged(*arguments, **more)
    assert found == expected
    return found


def cluster_of(*pods, **more):
    return over_time([(SPACE, (ALWAYS,))], [(pod("client", THERE), (ALWAYS,)), *pods], **more)


REUSED = cluster_of((pod("web", HERE, app="web"), (BEFORE,)), (pod("api", HERE, app="api"), (AFTER,)))
TO_WEB = [policy(Endpoints(LabelSelector(), selector(app="web")))]


@pytest.mark.parametrize(("time", "verdict"), [(9, Verdict.ALLOW), (10, Verdict.DENY), (None, Verdict.UNKNOWN)])
def test_an_address_is_whose_it_was_then(time, verdict):
    assert agreed(REUSED, TO_WEB, time).verdict is verdict


def test_an_address_that_was_nobodys_then():
    cluster = cluster_of((pod("web", HERE), (BEFORE,)))
    assert agreed(cluster, TO_WEB, 10).ingress.reason is Reason.NOBODY_THEN


def test_an_address_that_was_two_pods_then_names_them():
    cluster = cluster_of((pod("web", HERE), ((0, 20),)), (pod("api", HERE), (AFTER,)))
    outcome = agreed(cluster, TO_WEB, 15).egress
    assert (outcome.reason, outcome.detail) == (Reason.SEVERAL_THEN, "shop/api and shop/web")


def test_a_pod_that_was_not_there_then():
    found = agreed(REUSED, TO_WEB, 10, destination=End(HERE, "shop/web"))
    assert found.egress.reason is Reason.POD_NOT_THERE_THEN
    assert agreed(REUSED, TO_WEB, 9, destination=End(None, "shop/web")).verdict is Verdict.ALLOW
    assert agreed(REUSED, TO_WEB, None, destination=End(None, "shop/web")).verdict is Verdict.ALLOW


def test_a_name_means_the_pod_that_had_it_then():
    cluster = cluster_of((pod("web", HERE, app="web"), (BEFORE,)), (pod("web", HERE, app="api"), (AFTER,)))
    verdicts = [agreed(cluster, TO_WEB, time, destination=End(None, "shop/web")).verdict for time in (9, 10, None)]
    assert verdicts == [Verdict.ALLOW, Verdict.DENY, Verdict.UNKNOWN]


def test_labels_are_those_of_what_stood_there():
    tables = build_tables(REUSED, TO_WEB)
    flows = [Flow(End(THERE), End(HERE), TCP, 80)] * 2
    found = judge_columns(tables, *flow_columns(tables.pod_numbers, flows), times=np.array([9, 10]))
    labels = [tables.labels[tables.label_of[number]] for number in objects_of(tables, found.destination)]
    assert labels == ["shop/Pod/web", "shop/Pod/api"]


def service(**more):
    return Service("shop", "web", (VIP,), (ServicePort("", TCP, 80, 80, 30080),), **more)


def test_a_service_leads_to_the_pods_of_the_time():
    pods = (pod("web", HERE, app="web"), (BEFORE,)), (pod("web-2", Address.parse("10.0.0.3"), app="web"), (AFTER,))
    only = [policy(Endpoints(LabelSelector(), selector(one="yes")))]
    pods = (replace(pods[0][0], labels={"app": "web", "one": "yes"}), pods[0][1]), pods[1]
    cluster = cluster_of(*pods, services=[(service(selector=selector(app="web")), (ALWAYS,))])
    assert [agreed(cluster, only, time, destination=End(VIP)).verdict for time in (9, 10, None)] == [
        Verdict.ALLOW,
        Verdict.DENY,
        Verdict.UNKNOWN,
    ]


def test_a_node_port_leads_to_the_pods_of_the_time():
    node = Node("n1", (NODE,))
    web = pod("web", HERE, app="web"), (BEFORE,)
    cluster = cluster_of(web, nodes=[(node, (ALWAYS,))], services=[(service(selector=selector(app="web")), (BEFORE,))])
    found = [agreed(cluster, TO_WEB, time, destination=End(NODE), port=30080) for time in (9, 10)]
    assert [one.verdict for one in found] == [Verdict.ALLOW, Verdict.DENY]
    assert [one.ingress.reason for one in found] == [Reason.NOT_ISOLATED, Reason.NODE]


def test_backends_whose_pods_are_gone_are_left_out():
    listed = service(backends=(Backend("", TCP, HERE, 80),))
    cluster = cluster_of((pod("web", HERE), (BEFORE,)), services=[(listed, (ALWAYS,))])
    assert agreed(cluster, TO_WEB, 10, destination=End(VIP)).egress.reason is Reason.NO_BACKEND


def test_a_rule_by_backends_is_in_doubt_where_they_were_such_only_at_times():
    rule = [policy(Backends("shop", "web"))]
    there = pod("web", HERE, app="web"), (ALWAYS,)
    once = cluster_of(there, services=[(service(selector=selector(app="web")), (BEFORE,))])
    assert judged(once, rule, 5)[0].egress.reason is Reason.UNCERTAIN_RULE
    changed = [service(selector=selector(app="web")), service(selector=LabelSelector())]
    always = cluster_of(there, services=[(changed[0], (BEFORE,)), (changed[1], (AFTER,))])
    assert agreed(always, rule, 5).verdict is Verdict.ALLOW
    assert judged(always, rule, 5, source=End(HERE), destination=End(THERE))[0].verdict is Verdict.UNKNOWN


def test_a_rule_by_nodes_is_in_doubt_where_their_labels_changed():
    versions = [(Node("n1", (NODE,), {"zone": "a"}), (BEFORE,)), (Node("n1", (NODE,), {"zone": "b"}), (AFTER,))]
    cluster = cluster_of(nodes=versions)
    zones = [[policy(Nodes(selector(zone=zone)))] for zone in ("a", "c")]
    found = [judged(cluster, rules, 5, destination=End(NODE))[0].egress.reason for rules in zones]
    assert found == [Reason.UNCERTAIN_RULE, Reason.PEER_NOT_SELECTED]


def test_a_cluster_without_lives_has_no_moments():
    cluster = Cluster.of([SPACE], [pod("web", HERE)])
    assert build_tables(cluster, TO_WEB).moments is None


def test_what_pods_may_reach_is_told_of_one_instant():
    with pytest.raises(ValueError, match=r"cluster\.at\(time\)"):
        reachability(build_tables(REUSED, TO_WEB))
    assert reachability(build_tables(REUSED.at(9), TO_WEB)).pods == 2


def test_what_is_explained_is_what_is_judged():
    reference, flow = TimedReference(REUSED, TO_WEB), Flow(End(THERE), End(HERE), TCP, 80)
    assert [len(reference.explain(flow, time).pairs) for time in (9, 10)] == [1, 1]
    assert all(reference.explain(flow, time).judgement == reference.judge(flow, time) for time in (9, 10))
    gone = TimedReference(cluster_of((pod("web", HERE), (BEFORE,))), TO_WEB).explain(flow, 10)
    assert (gone.judgement.egress.reason, gone.pairs) == (Reason.NOBODY_THEN, ())


def test_backends_listed_by_an_address_that_pods_had_in_turn_are_in_doubt_at_their_other_ones():
    other = Address.parse("10.0.0.9")
    web, api = replace(pod("web", HERE), addresses=(HERE, other)), pod("api", HERE)
    listed = service(backends=(Backend("", TCP, HERE, 80),))
    cluster = cluster_of((web, (BEFORE,)), (api, (AFTER,)), services=[(listed, (ALWAYS,))])
    found, expected = judged(cluster, [policy(Backends("shop", "web"))], 5, destination=End(other))
    assert (found.egress.reason, expected.verdict) == (Reason.UNCERTAIN_RULE, Verdict.ALLOW)
