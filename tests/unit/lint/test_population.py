"""Which pods peer sets mean."""

import pytest

from simcore.lint.population import Population
from simcore.model.addresses import Address, Cidr
from simcore.model.cluster import Cluster, Namespace, Pod
from simcore.model.labels import LabelSelector
from simcore.model.peers import ANYTHING, NOBODY, AllOf, AnyOf, Endpoints, Except, Network, Outside, Unresolved
from simcore.model.profile import UPSTREAM


def pod(namespace, name, **settings):
    return Pod(namespace, name, {"app": name}, **settings)


CLUSTER = Cluster.of(
    [Namespace("shop", {"team": "blue"}), Namespace("bank", {"team": "red"})],
    [
        pod("shop", "web", addresses=(Address.parse("10.0.0.1"),)),
        pod("shop", "db"),
        pod("shop", "agent", host_network=True),
        pod("bank", "web", finished=True),
        pod("bank", "health", reserved="health"),
    ],
)
PEOPLE = Population(CLUSTER, UPSTREAM)
WEB = Endpoints(pods=LabelSelector.equal({"app": "web"}))
BLUE = Endpoints(LabelSelector.equal({"team": "blue"}))


def names(numbers):
    return sorted(CLUSTER.pods[number].full_name for number in numbers)


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        (ANYTHING, ["bank/web", "shop/db", "shop/web"]),
        (WEB, ["bank/web", "shop/web"]),
        (BLUE, ["shop/db", "shop/web"]),
        (AllOf((WEB, BLUE)), ["shop/web"]),
        (AnyOf((WEB, BLUE)), ["bank/web", "shop/db", "shop/web"]),
        (AllOf((BLUE, Except(WEB))), ["shop/db"]),
        (Network(Cidr.parse("10.0.0.0/24")), ["shop/web"]),
        (Network(Cidr.parse("10.0.0.0/24"), (Cidr.parse("10.0.0.0/31"),)), []),
        (Outside(), []),
        (NOBODY, []),
    ],
)
def test_who(peers, expected):
    assert names(PEOPLE.who(peers)) == expected


def test_what_goes_by_more_than_labels_and_addresses_is_not_known():
    unknown = Unresolved("no names")
    assert PEOPLE.who(unknown) is None
    assert PEOPLE.who(AnyOf((WEB, unknown))) is None
    assert PEOPLE.who(Except(unknown)) is None


def test_labels_hold_pods_on_the_hosts_network_too():
    assert names(PEOPLE.labelled(BLUE)) == ["shop/agent", "shop/db", "shop/web"]
    assert names(PEOPLE.hosted) == ["shop/agent"]
