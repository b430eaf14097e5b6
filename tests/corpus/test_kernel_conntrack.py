"""The tracker against what a real kernel answered, packet by packet: verdict, class, state, time left, and entries."""

from simcore.analyses.conntrack.tracking import Tracker
from simcore.model.addresses import Cidr
from simcore.model.conntrack import RULESETS
from tests.corpus.test_conntrack_oracle import CLIENTS, packet_of, settings_of, traces
from tests.oracles.conntrack import SECOND
from tests.packets import batch_of

NETWORKS = tuple(map(Cidr.parse, CLIENTS))


def pytest_generate_tests(metafunc):
    if "trace" in metafunc.fixturenames:
        metafunc.parametrize("trace", traces(), ids=[f"{trace['id']}-{trace['name']}" for trace in traces()])


def test_the_tracker_answers_as_the_kernel_did(trace):
    tracker = Tracker(settings_of(trace), RULESETS[trace["ruleset"]], clients=NETWORKS)
    exact = not trace.get("gc_phase_dependent")
    for seen in trace["observed"]:
        now = round(seen["t_obs"] * SECOND)
        if not seen.get("probe"):
            packet = packet_of(trace["packets"][seen["after_packet"]], seen["t_sent"])
            count_before, _ = tracker.advance(packet.time)
            answer = tracker.track(batch_of([packet])).to_pylist()[0]
            assert answer["verdict"] == seen["verdict"], seen
            if not exact:
                continue
            assert (answer["ct_class"], answer["ct_state"]) == (seen["ct_class"], seen["ct_state"]), seen
            assert answer["assured"] == seen["assured"], seen
            assert (answer["timeout"] is None) == (seen["timeout"] is None), seen
            if answer["timeout"] is not None:
                left = answer["timeout"] - (seen["t_obs"] - seen["t_sent"])
                assert seen["timeout"] - 0.1 <= left <= seen["timeout"] + 1, seen
            assert (count_before, answer["count"]) == (seen["count_before"], seen["count"]), seen
        if exact:
            assert tracker.advance(now)[0] == seen["count"], seen
            listed = tracker.dump(now)
            assert listed.num_rows == tracker.count == seen["count_after_dump"], seen
            assert sorted(states(listed)) == sorted(observed_states(seen)), seen


def states(listed):
    for entry in listed.to_pylist():
        yield entry["protocol"], entry["replied"], entry["assured"], round(entry["timeout"] / 2)


def observed_states(seen):
    for entry in seen["entries"]:
        yield entry["protonum"], not entry["unreplied"], entry["assured"], round((entry["timeout"] + 0.5) / 2)


def test_there_are_all_of_them(corpus):
    assert len(traces()) == 59
    assert sum(len(trace["observed"]) for trace in traces()) > 250
