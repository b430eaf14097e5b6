"""Lists of one resource, from answers that are made up as they are asked for."""

import json
import tracemalloc
from urllib.parse import parse_qs, urlsplit

import pytest

from loaders.snapshots.kubectl import Cause, RequestError, failure
from loaders.snapshots.listing import Listing
from loaders.snapshots.resources import Resource, read_resources, wanted

PODS = Resource("pods", "v1", "Pod", True)
FILLING = "x" * 20_000


class Endless:
    """Answers with `count` pods of 20 kB each, of which little is kept."""

    def __init__(self, count):
        self.count = count

    def get(self, path):
        query = {key: values[0] for key, values in parse_qs(urlsplit(path).query).items()}
        start = int(query.get("continue", 0))
        end = min(start + int(query["limit"]), self.count)
        metadata = {"resourceVersion": "5", **({"continue": str(end)} if end < self.count else {})}
        items = [{"metadata": {"name": f"p{n}", "annotations": {"a": FILLING}}} for n in range(start, end)]
        return json.dumps({"metadata": metadata, "items": items}).encode()


def peak(count):
    tracemalloc.start()
    listed = sum(1 for _ in Listing(Endless(count), PODS, page=20).objects(""))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert listed == count
    return most


def test_memory_does_not_grow_with_the_cluster(monkeypatch):
    monkeypatch.setattr("loaders.snapshots.listing._SPOOLED", 1 << 14)
    assert peak(4_000) < 1.2 * peak(400)


class Broken(Endless):
    """Answers with half a page, well delivered, so many times; then as it should."""

    def __init__(self, count, times):
        super().__init__(count)
        self.times = times

    def get(self, path):
        whole = super().get(path)
        self.times -= 1
        return whole[: len(whole) // 2] if self.times >= 0 else whole


def test_half_a_page_is_asked_for_again():
    assert sum(1 for _ in Listing(Broken(30, 2), PODS, page=20).objects("")) == 30
    with pytest.raises(RequestError, match="the server's answer is not a list"):
        list(Listing(Broken(30, 3), PODS, page=20).objects(""))


def test_progress_counts_what_is_listed():
    told = []
    list(Listing(Endless(50), PODS, page=20, progress=told.append).objects(""))
    assert told == [20, 40, 50]


@pytest.mark.parametrize(
    ("stderr", "cause", "message"),
    [
        ("Error from server (Forbidden): no", Cause.REFUSED, "no"),
        ("Error from server (NotFound): none", Cause.ABSENT, "none"),
        ("Error from server (Expired): old", Cause.EXPIRED, "old"),
        ("Error from server (Timeout): Too large resource version", Cause.BROKEN, "Too large resource version"),
        ("Error from server (ServiceUnavailable): busy", Cause.BROKEN, "busy"),
        ("error: unexpected EOF", Cause.BROKEN, "unexpected EOF"),
        ("E1123 22:33:39.4 1 memcache.go:265] log\nerror: no such host\n", Cause.UNREACHABLE, "no such host"),
        ("E1123 22:33:39.4 1 memcache.go:265] log", Cause.UNREACHABLE, "E1123 22:33:39.4 1 memcache.go:265] log"),
        ("", Cause.UNREACHABLE, "kubectl failed, and did not say why"),
        ("\udcff", Cause.UNREACHABLE, "\ufffd\ufffd\ufffd"),
    ],
)
def test_what_kubectl_says_tells_what_to_do(stderr, cause, message):
    found = failure(stderr.encode(errors="surrogatepass"))
    assert (found.cause, str(found)) == (cause, message)


def test_a_refusal_is_not_asked_again():
    class Refusing:
        asked = 0

        def get(self, _):
            self.asked += 1
            raise RequestError(Cause.REFUSED, "no")

    refusing = Refusing()
    with pytest.raises(RequestError, match="no"):
        list(Listing(refusing, PODS).objects("5"))
    assert refusing.asked == 1


TABLE = """\
bindings                        v1                     true    Binding         create
pods                     po     v1                     true    Pod             create,delete,get,list   all
nodes                    no     v1                     false   Node            get,list
tiers                           crd.antrea.io/v1beta2  false   Tier            list
deployments              deploy extensions/v1beta1     true    Deployment      list
deployments              deploy apps/v1                true    Deployment      list
networkpolicies          anp    controlplane.antrea.io/v1beta2 true NetworkPolicy list
widgets                         example.com/v1         true    Widget          list

nonsense
"""


def test_the_table_of_resources_is_read():
    listed = read_resources(TABLE)
    assert [resource.name for resource in listed][:3] == ["pods", "nodes", "tiers.crd.antrea.io"]
    ways = wanted(listed, {"crd.antrea.io": ["crd.antrea.io/v1beta2", "crd.antrea.io/v1beta1"]})
    assert [[resource.path() for resource in way] for way in ways] == [
        ["/api/v1/pods"],
        ["/api/v1/nodes"],
        ["/apis/apps/v1/deployments", "/apis/extensions/v1beta1/deployments"],
        ["/apis/crd.antrea.io/v1beta1/tiers", "/apis/crd.antrea.io/v1beta2/tiers"],
    ]
    assert listed[0].path("shop") == "/api/v1/namespaces/shop/pods"
