"""What counts in which metric, by hand."""

from ipaddress import ip_address

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import loaders
import simcore
from simcore.analyses.sessions.stateful import StatefulOptions
from simcore.model.conntrack import LINUX, SECOND
from simcore.model.policy import Direction
from simcore.model.profile import UPSTREAM
from simcore.monitoring.attempts import Attempts
from simcore.monitoring.counting import Counting
from simcore.monitoring.gauges import without_default_deny
from simcore.monitoring.measuring import measure
from simcore.monitoring.metrics import DNS_DENIED, DNS_RESPONSES, DROPS, FLOWS, FORWARDED, INTERNET

BEGIN = 1_767_607_200
CLUSTER = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec: {nodeName: w1, containers: [{name: c}]}
status: {podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: "fd00::1"}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec: {nodeName: w2, containers: [{name: c}]}
status: {podIP: 10.0.0.2, podIPs: [{ip: 10.0.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system, labels: {k8s-app: kube-dns}}
spec: {nodeName: w2, containers: [{name: c}]}
status: {podIP: 10.0.0.3, podIPs: [{ip: 10.0.0.3}]}
---
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10]
  selector: {k8s-app: kube-dns}
  ports: [{port: 53, protocol: UDP}]
---
apiVersion: v1
kind: Node
metadata: {name: w1}
status: {addresses: [{type: InternalIP, address: 10.9.0.1}]}
"""
CLOSED = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress]}
---
"""
GUARD = """
apiVersion: policy.networking.k8s.io/v1alpha2
kind: ClusterNetworkPolicy
metadata: {name: guard}
spec:
  tier: Admin
  priority: 1
  subject: {namespaces: {}}
  ingress: [{name: closed, action: Deny, from: [{namespaces: {}}], protocols: [{tcp: {destinationPort: {number: 22}}}]}]
  egress: [{name: away, action: Deny, to: [{networks: [9.9.9.9/32]}]}]
---
"""
WEB, DB, DNS, SERVICE, NODE = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.96.0.10", "10.9.0.1"
BANK, LAN, RESOLVER = "203.0.113.40", "192.168.7.7", "9.9.9.9"
TCP, UDP = 6, 17
ONCE = Attempts(1, 1)


def record(time, source, destination, port, protocol=TCP, *, packets=None, flags=None, source_port=40_000):
    return {
        "time": (BEGIN + time) * SECOND,
        "source_address": ip_address(source),
        "destination_address": ip_address(destination),
        "source_port": source_port,
        "destination_port": port,
        "protocol": protocol,
        "packets": packets,
        "tcp_flags": flags,
    }


TYPES = {
    "time": pa.timestamp("ns"),
    "source_port": pa.uint16(),
    "destination_port": pa.uint16(),
    "protocol": pa.uint8(),
    "packets": pa.int64(),
    "tcp_flags": pa.uint8(),
}


def packed(column):
    if all(address.version == 4 for address in column):
        return pa.array([int(address) for address in column], pa.uint32())
    wide = [address if address.version == 6 else ip_address(f"::ffff:{address}") for address in column]
    return pa.array([address.packed for address in wide], pa.binary(16))


@pytest.fixture
def counted(tmp_path):
    """Counts records under policies, and under others after a change; each series' last value, by metric."""

    def _counted(records, *policies, attempts=ONCE, stateful=None):
        sets = []
        for number, text in enumerate(policies):
            path = tmp_path / f"{number}.yaml"
            path.write_text(CLUSTER + ("---" + text if text else ""))
            sets.append(loaders.load_manifests([str(path)]))
        columns = {name: [row[name] for row in records] for name in records[0]}
        ends = ("source_address", "destination_address")
        arrays = {
            name: packed([*columns[ends[0]], *columns[ends[1]]]).slice(number * len(records), len(records))
            for number, name in enumerate(ends)
        }
        arrays |= {name: pa.array(columns[name], kind) for name, kind in TYPES.items()}
        pq.write_table(pa.table(arrays), tmp_path / "c.parquet")
        capture = loaders.open_capture([str(tmp_path / "c.parquet")])
        made = []

        def observing(tables, oriented):
            made.append(Counting(tables, oriented, 15, attempts))
            return made[0]

        if len(sets) == 1:
            simcore.replay(capture, sets[0].cluster, sets[0].policies, observing=observing, stateful=stateful)
        else:
            simcore.whatif(capture, sets[0].cluster, *(side.policies for side in sets), observing=observing)
        measured = measure(made[0], len(sets) - 1, 15)
        return {name: {labels: int(v[-1]) for labels, v in held.items()} for name, held in measured.values.items()}

    return _counted


def test_drops_are_where_they_happen(counted):
    found = counted(
        [
            record(0, WEB, DB, 5432),
            record(1, DB, WEB, 80),
            record(2, BANK, DB, 5432),
            record(3, DB, DB, 1),
            record(4, NODE, DB, 5432),
        ],
        CLOSED,
    )
    assert found[DROPS.name] == {
        ("w2", "INGRESS", "Policy denied"): 3,
        ("w2", "EGRESS", "Policy denied"): 1,
    }
    both = counted([record(0, WEB, DB, 5432)], CLOSED.replace("{matchLabels: {app: db}}", "{}"))
    assert both[DROPS.name] == {("w1", "EGRESS", "Policy denied"): 1}
    assert found[FLOWS.name] == {
        ("", "shop", "TCP", "DROPPED"): 2,
        ("shop", "shop", "TCP", "DROPPED"): 2,
        ("shop", "shop", "TCP", "FORWARDED"): 1,
    }


def test_what_a_rule_denies_has_a_reason_of_its_own(counted):
    found = counted([record(0, WEB, DB, 22), record(1, WEB, DB, 80)], GUARD)
    assert found[DROPS.name] == {("w2", "INGRESS", "Policy denied by denylist"): 1}
    assert found[FORWARDED.name] == {("w1", "EGRESS"): 1, ("w2", "INGRESS"): 1}


def test_packets_are_forwarded_as_recorded(counted):
    found = counted([record(0, WEB, SERVICE, 53, UDP, packets=7), record(20, BANK, WEB, 80, packets=3)], "")
    assert found[FORWARDED.name] == {("unknown", "INGRESS"): 7, ("w1", "EGRESS"): 7, ("w1", "INGRESS"): 3}


def test_what_is_not_answered_is_tried_again(counted):
    records = [
        record(0, WEB, DB, 5432, flags=0x1B),
        record(0, DB, DNS, 53, UDP),
        record(0, DB, DNS, 53, TCP, packets=4, flags=0x02),
        record(0, DB, DNS, 5353, UDP),
        record(100, WEB, DNS, 53, UDP),
    ]
    found = counted(records, CLOSED, attempts=Attempts(dns=2, syn=7))
    ingress, egress = (found[DROPS.name]["w2", way, "Policy denied"] for way in ("INGRESS", "EGRESS"))
    assert (ingress, egress) == (7, 2 + 4 + 1)
    assert found[DNS_DENIED.name] == {("shop", "Pod/db"): 3}
    cut = counted(records[:-1], CLOSED, attempts=Attempts(dns=2, syn=7))
    assert cut[DROPS.name]["w2", "INGRESS", "Policy denied"] == 4


def test_dns_servers_that_are_cut_off_answer_that_they_failed(counted):
    records = [record(0, DNS, RESOLVER, 53, UDP), record(1, DNS, RESOLVER, 53, TCP), record(2, WEB, RESOLVER, 53, UDP)]
    found = counted(records, GUARD, attempts=Attempts())
    assert found[DNS_RESPONSES.name] == {("kube-system", "Pod/dns", "SERVFAIL"): 2}
    assert found[DNS_DENIED.name] == {("shop", "Pod/web"): 2}


def test_public_addresses_are_no_private_ones(counted):
    outside = [BANK, LAN, "100.127.0.1", "224.0.0.1", "fc00::1", "2001:db8::9", "ff02::1"]
    records = [
        record(number, WEB if ":" not in there else "fd00::1", there, 443) for number, there in enumerate(outside)
    ]
    assert counted(records, "")[INTERNET.name] == {("shop", "Pod/web", "no-rule"): 2}


def test_what_a_rule_speaks_of_is_expected_unless_it_is_new(counted):
    opened = CLOSED.replace("[Ingress, Egress]}", "[Egress], egress: [{}]}")
    records = [record(0, DB, BANK, 443), record(1, WEB, BANK, 443), record(2, DB, WEB, 80)]
    assert counted(records, opened)[INTERNET.name] == {("shop", "Pod/web", "no-rule"): 1}
    assert counted(records, opened, opened)[INTERNET.name] == {("shop", "Pod/web", "no-rule"): 1}
    assert counted(records, CLOSED, opened)[INTERNET.name] == {
        ("shop", "Pod/db", "newly-allowed"): 1,
        ("shop", "Pod/web", "no-rule"): 1,
    }


def test_answers_and_later_rows_of_a_connection_are_no_new_attempts(counted):
    followed = StatefulOptions(LINUX)
    records = [
        record(0, WEB, DB, 22, flags=0x02),
        record(1, DB, WEB, 40_000, flags=0x12, source_port=22),
        record(2, WEB, BANK, 443, flags=0x02),
        record(3, BANK, WEB, 40_000, flags=0x12, source_port=443),
        record(4, WEB, BANK, 443, flags=0x10),
    ]
    found = counted(records, GUARD, stateful=followed)
    assert found[DROPS.name] == {("w2", "INGRESS", "Policy denied by denylist"): 1}
    assert found[INTERNET.name] == {("shop", "Pod/web", "no-rule"): 1}
    assert sum(found[FLOWS.name].values()) == len(records)


def test_default_deny_is_asked_of_a_pod_without_labels(tmp_path):
    def open_ways(text):
        path = tmp_path / "c.yaml"
        path.write_text(CLUSTER + "---" + text)
        loaded = loaders.load_manifests([str(path)])
        ways = without_default_deny(loaded.cluster, loaded.policies, UPSTREAM, BEGIN * SECOND)
        return {(name, way) for (name, way), is_open in ways.items() if is_open}

    every = {(name, way) for name in ("kube-system", "shop") for way in Direction}
    assert open_ways(CLOSED) == every
    everyone = CLOSED.replace("{matchLabels: {app: db}}", "{}")
    assert open_ways(everyone) == {way for way in every if way[0] != "shop"}
    one_way = everyone.replace("[Ingress, Egress]", "[Ingress]")
    assert open_ways(one_way) == every - {("shop", Direction.INGRESS)}
    allowing = one_way.replace("[Ingress]}", "[Ingress], ingress: [{}]}")
    assert open_ways(allowing) == every - {("shop", Direction.INGRESS)}
    assert open_ways(GUARD) == every
