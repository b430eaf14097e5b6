"""Clusters and policies over time, put together of instants."""

from dataclasses import replace

import pytest

from simcore.errors import Place
from simcore.model.addresses import Address
from simcore.model.cluster import Cluster, Namespace, Node, Pod, Service
from simcore.model.labels import LabelSelector
from simcore.model.match import Match
from simcore.model.names import ALWAYS, KnownNames
from simcore.model.policy import Policy, PolicyRef
from simcore.model.timeline import Instant, PolicyHistory, Timeline, over_time

BEGIN, END = ALWAYS
SPACE = Namespace("shop", {"team": "a"})
HERE = Address.parse("10.0.0.1")


def pod(name="web", **changes):
    return Pod("shop", name, **({"labels": {"app": name}, "addresses": (HERE,)} | changes))


def at(time, *pods, lives=None, spaces=(SPACE,), **changes):
    return Instant(time, replace(Cluster.of(spaces, pods), lives=lives or {}, **changes))


def folded(*instants):
    cluster = Timeline.of(instants).cluster
    return {
        (one.name, *sorted(one.labels.items())): cluster.lives.get(n, (ALWAYS,)) for n, one in enumerate(cluster.pods)
    }


def names_at(cluster, time):
    return [one.name for one in cluster.at(time).pods]


def policy(name):
    return Policy(PolicyRef("NetworkPolicy", "shop", name), (), Place("file"))


WEB, API = ("web", ("app", "web")), ("api", ("app", "api"))


def test_what_is_always_there_has_no_stretches():
    cluster = Timeline.of([at(10, pod()), at(20, pod())]).cluster
    assert not cluster.has_lives
    assert len(cluster.pods) == 1


def test_one_instant_is_the_cluster_itself():
    instant = at(10, pod(), lives={0: ((5, 8),)})
    assert Timeline.of([instant]).cluster is instant.cluster


def test_the_earlier_holds_until_the_next():
    assert folded(at(20, pod("api")), at(10, pod("web"))) == {WEB: ((BEGIN, 20),), API: ((20, END),)}


def test_what_comes_back_has_two_stretches():
    assert folded(at(10, pod()), at(20), at(30, pod())) == {WEB: ((BEGIN, 20), (30, END))}


def test_a_pod_with_other_labels_is_another():
    changed = pod(labels={"app": "new"})
    assert folded(at(10, pod()), at(20, changed)) == {WEB: ((BEGIN, 20),), ("web", ("app", "new")): ((20, END),)}


def test_a_pod_came_when_it_says_so():
    assert folded(at(10), at(20, pod(), lives={0: ((14, END),)})) == {WEB: ((14, END),)}


def test_a_pod_that_was_changed_came_before_but_not_with_these_labels():
    changed = pod(labels={"app": "new"})
    found = folded(at(10, pod(), lives={0: ((3, END),)}), at(20, changed, lives={0: ((3, END),)}))
    assert found == {WEB: ((3, 20),), ("web", ("app", "new")): ((20, END),)}


def test_a_pod_went_when_it_says_so_later():
    assert folded(at(10, pod()), at(20, pod(), lives={0: ((BEGIN, 15),)})) == {WEB: ((BEGIN, 15),)}


def test_a_pod_made_anew_by_its_name_ends_the_one_before():
    other = pod(labels={"app": "new"})
    found = folded(at(10, pod()), at(20, other, lives={0: ((14, END),)}))
    assert found == {WEB: ((BEGIN, 14),), ("web", ("app", "new")): ((14, END),)}


def test_who_has_its_address_later_ends_the_one_before():
    found = folded(at(10, pod()), at(20, pod("api"), lives={0: ((14, END),)}))
    assert found == {WEB: ((BEGIN, 14),), API: ((14, END),)}


def test_a_pod_on_its_nodes_network_ends_nobody():
    guest = pod("api", host_network=True)
    assert folded(at(10, pod()), at(20, guest, lives={0: ((14, END),)}))[WEB] == ((BEGIN, 20),)


def test_a_pod_that_came_and_went_between_two_instants():
    assert folded(at(10), at(20, pod(), lives={0: ((12, 15),)})) == {WEB: ((12, 15),)}


def test_labels_of_a_namespace_are_those_of_their_time():
    later = Namespace("shop", {"team": "b"})
    cluster = Timeline.of([at(10, pod()), at(20, pod(), spaces=[later])]).cluster
    assert [cluster.labels_around(one) for one in cluster.pods] == [{"team": "a"}, {"team": "b"}]
    assert cluster.lives == {0: ((BEGIN, 20),), 1: ((20, END),)}
    assert cluster.namespaces["shop"] == later


def test_labels_of_a_namespace_that_come_back_make_one_pod():
    later = Namespace("shop", {"team": "b"})
    cluster = Timeline.of([at(10, pod()), at(20, pod(), spaces=[later]), at(30, pod())]).cluster
    assert cluster.lives == {0: ((BEGIN, 20), (30, END)), 1: ((20, 30),)}
    assert [cluster.labels_around(one) for one in cluster.pods] == [{"team": "a"}, {"team": "b"}]


def test_labels_of_an_account_are_those_of_their_time():
    accounts = {("shop", "default"): {"tier": "1"}}
    cluster = Timeline.of([at(10, pod()), at(20, pod(), accounts=accounts)]).cluster
    before = Timeline.of([at(10, pod(), accounts=accounts), at(20, pod(), accounts={("shop", "default"): {}})]).cluster
    assert [cluster.account_labels(one).get("tier") for one in cluster.pods] == ["1"]
    assert [before.account_labels(one).get("tier") for one in before.pods] == ["1", None]


def test_nodes_and_services_come_and_go():
    node, service = Node("n1", (HERE,)), Service("shop", "web", (HERE,))
    cluster = Timeline.of([at(10, nodes=(node,)), at(20, services=(service,), service_lives={0: ((15, END),)})]).cluster
    assert (cluster.node_lives, cluster.service_lives) == ({0: ((BEGIN, 20),)}, {0: ((15, END),)})
    assert [(len(c.nodes), len(c.services)) for c in map(cluster.at, (0, 17, 20))] == [(1, 0), (1, 1), (0, 1)]


def test_the_cluster_of_an_instant():
    cluster = Timeline.of([at(10, pod("web"), pod("db")), at(20, pod("api"), pod("db"))]).cluster
    assert names_at(cluster, 19) == ["db", "web"]
    assert names_at(cluster, 20) == ["api", "db"]
    assert not cluster.at(20).has_lives
    assert cluster.pods_named == {"shop/api": (0,), "shop/db": (1,), "shop/web": (2,)}


def test_names_stand_for_addresses_of_their_time():
    known = {"a.example": (HERE,)}
    cluster = Timeline.of([at(10, names=known), at(20, names={}), at(30, names=known)]).cluster
    assert KnownNames.of(cluster).stretches == {("a.example", HERE): ((BEGIN, 20), (30, END))}
    assert cluster.names_are_all
    partly = Timeline.of([at(10, names=known), at(20)]).cluster
    assert KnownNames.of(partly).stretches == {("a.example", HERE): ((BEGIN, 20),)}
    assert not partly.names_are_all


def test_equal_objects_told_twice_are_one():
    cluster = over_time([(SPACE, (ALWAYS,))], [(pod(), ((1, 5),)), (pod(), ((5, 9), (20, 30)))])
    assert cluster.lives == {0: ((1, 9), (20, 30))}


def test_a_history_of_policies():
    one, two = (policy("one"),), (policy("two"),)
    history = PolicyHistory.of([(20, two), (10, one), (30, two), (40, one)])
    assert history.parts == (((BEGIN, 20), one), ((20, 40), two), ((40, END), one))
    assert [history.at(time) for time in (BEGIN, 19, 20, 39, 40, END - 1)] == [one, one, two, two, one, one]
    assert history.changed(lambda held: [*held, policy("more")])[0][1] == (*one, policy("more"))
    assert len(history) == 3
    assert history[-1] == ((40, END), one)
    assert PolicyHistory.constant(one).parts == ((ALWAYS, one),)


@pytest.mark.parametrize("parts", [(), (((BEGIN, 5), ()),), (((BEGIN, 5), ()), ((6, END), ()))])
def test_a_history_with_gaps_is_refused(parts):
    with pytest.raises(ValueError, match="without gaps"):
        PolicyHistory(parts)


def test_a_timeline_tells_policies_where_they_were_seen():
    one = (policy("one"),)
    seen = [at(10), replace(at(20), policies=one), replace(at(30), policies=())]
    assert Timeline.of(seen).policies.parts == (((BEGIN, 30), one), ((30, END), ()))
    assert Timeline.of(seen[:1]).policies is None


def test_a_timeline_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least one instant"):
        Timeline.of([])


@pytest.mark.parametrize(
    ("first", "last", "held"),
    [(0, 99, "abc"), (5, 25, "ab"), (10, 19, "a"), (20, 20, "b"), (19, 20, "ab"), (30, 99, "c"), (0, 1, "a")],
)
def test_a_history_between_two_times(first, last, held):
    sets = {name: (policy(name),) for name in "abc"}
    history = PolicyHistory.of([(10, sets["a"]), (20, sets["b"]), (30, sets["c"])])
    cut = history.during(first, last)
    assert [policies[0].ref.name for _, policies in cut] == list(held)
    assert all(cut.at(time) == history.at(time) for time in range(first, last + 1))
    assert (cut[0][0][0], cut[-1][0][1]) == ALWAYS


def test_who_was_at_an_address_then():
    cluster = replace(Cluster.of([SPACE], [pod("a"), pod("b"), pod("c")]), lives={0: ((5, 9),), 1: ((9, 12),)})
    assert [cluster.pods_there(HERE, time) for time in (4, 5, 9, 12)] == [(2,), (0, 2), (1, 2), (2,)]
    assert cluster.pods_there(HERE, None) == (0, 1, 2)


def test_labels_of_a_node_are_in_doubt_where_its_pods_are_there_without_it():
    asks = LabelSelector.equal({"tier": "a"})
    guest = pod("guest", node="w1", host_network=True)
    cluster = replace(Cluster.of([SPACE], [guest], [Node("w1", (), {"tier": "a"})]), node_lives={0: ((5, END),)})
    assert cluster.selects_node(asks, "w1") is Match.MAYBE
    assert replace(cluster, lives={0: ((6, 9),)}).selects_node(asks, "w1") is Match.YES
    assert replace(cluster, node_lives={}).selects_node(asks, "w1") is Match.YES
