"""The bulk tracker against the exact one: the same answers, for any number of shards and any cut of the capture."""

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from simcore.analyses.conntrack.bulk import BulkTracker
from simcore.analyses.conntrack.tracking import Tracker
from simcore.model.addresses import Cidr
from simcore.model.conntrack import RULESETS, Conntrack
from tests.packets import CLIENTS, PROTOCOLS, SETTINGS, TCP, UDP, Maker, batch_of

NETWORKS = tuple(map(Cidr.parse, CLIENTS))
NUMBERS = ("sequence", "acknowledgement", "window", "window_scale", "sack_permitted", "mss")


def settings_by(choose):
    settings = Conntrack()
    for name, values in SETTINGS.items():
        if name != "max":
            settings = settings.with_setting(name, str(int(choose(values))))
    return settings


@given(
    st.integers(0, 2**32),
    st.sampled_from(["stateful", "bothnew", "synonly", "notrack"]),
    st.integers(1, 7),
    st.integers(0, 60),
    st.sampled_from([(TCP, UDP), PROTOCOLS]),
    st.booleans(),
)
def test_bulk_and_exact_agree(seed, ruleset, shards, cut, protocols, numbered):
    choose = random.Random(seed).choice
    packets = [replace(packet, time=packet.time + 1) for packet in Maker(choose, ruleset).packets(60, list(protocols))]
    settings = settings_by(choose)
    exact = Tracker(settings, RULESETS[ruleset], clients=NETWORKS)
    bulk = BulkTracker(settings, RULESETS[ruleset], clients=NETWORKS, shards=shards)
    for part in filter(None, (packets[:cut], packets[cut:])):
        batch = batch_of(part)
        if not numbered:
            batch = batch.select([name for name in batch.schema.names if name not in NUMBERS])
        expected = exact.track(batch)
        assert bulk.track(batch).to_pylist() == expected.select(bulk_names()).to_pylist()
        assert bulk.live(part[-1].time) == expected.column("live")[-1].as_py()


def bulk_names():
    return ["verdict", "ct_class", "ct_state", "timeout", "assured"]
