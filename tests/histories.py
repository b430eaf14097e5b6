"""Objects and files that tell their times, for tests of clusters over time."""

import json

from loaders.history.times import read_time


def day(clock):
    """The time of a clock on one day in November 2026, such as ``10:00``, as objects write it."""
    return f"2026-11-20T{clock}:00Z"


def at(clock):
    """The same in nanoseconds."""
    return read_time(day(clock))


def pod(name="web", address="10.0.0.1", *, labels=None, came=None, namespace="shop", **status):
    metadata = {"name": name, "namespace": namespace, "labels": labels or {"app": name}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata | ({"creationTimestamp": day(came)} if came else {}),
        "spec": {"nodeName": "n1"},
        "status": {"podIP": address, "phase": "Running"} | ({"startTime": day(came)} if came else {}) | status,
    }


def namespace(name="shop", **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def netpol(name="deny", app="web", *, ingress=()):
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "podSelector": {"matchLabels": {"app": app}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": one}}}]} for one in ingress],
        },
    }


def with_metadata(found, **changes):
    """An object with other metadata."""
    return {**found, "metadata": {**found["metadata"], **changes}}


def write_list(path, objects, taken=None):
    """Write objects as a list in JSON; `taken` is what it says of its time."""
    metadata = {"annotations": {"flowverdict.dev/taken-at": day(taken)}} if taken else {}
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects), "metadata": metadata}))
    return str(path)


def lives(cluster):
    """When each pod was there, as ``name address``; clocks of the day, None for ever."""
    found = {}
    for number, one in enumerate(cluster.pods):
        key = " ".join([one.name, *map(str, one.addresses)])
        found.setdefault(key, []).extend(map(clocks, cluster.lives.get(number, ((None, None),))))
    return found


def clocks(stretch):
    return tuple(None if time is None or abs(time) > 2**62 else (time - at("00:00")) / 60e9 for time in stretch)
