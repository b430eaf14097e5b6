import json

import pytest
import yaml

from loaders import load_cluster, load_manifests
from simcore.errors import LoadError
from simcore.model.addresses import Address
from simcore.model.cluster import Backend, ContainerPort, Node, ServicePort, WorkloadRef
from simcore.model.labels import NAME_KEY, NAMESPACE_NAME_LABEL, LabelSelector
from simcore.model.ports import SCTP, TCP, UDP


def obj(kind, name="a", *, version="v1", namespace=None, labels=None, owner=None, **fields):
    metadata = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = labels
    if owner:
        metadata["ownerReferences"] = [{**dict(zip(("kind", "name"), owner, strict=True)), "controller": True}]
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def app(kind, name="a", *, labels=None, containers=(), template=None, **options):
    spec = options.pop("spec", {})
    pod = {
        "metadata": {"labels": labels or {"app": name}},
        "spec": {"containers": list(containers), **(template or {})},
    }
    return obj(kind, name, version="apps/v1", spec={**spec, "template": pod}, **options)


@pytest.fixture(params=["json", "yaml"])
def load(tmp_path, request):
    """Loads objects, once written as a JSON list and once as YAML documents."""

    def loads(*objects):
        path = tmp_path / f"dump.{request.param}"
        if request.param == "json":
            path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2))
        else:
            path.write_text(yaml.safe_dump_all(objects))
        return load_manifests([str(path)])

    return loads


def errors_of(load, *objects):
    with pytest.raises(LoadError) as caught:
        load(*objects)
    return [str(diagnostic).partition(": ") for diagnostic in caught.value.diagnostics]


def pod_of(load, **fields):
    (pod,) = load(obj("Pod", **fields)).cluster.pods
    return pod


def ips(*texts):
    return tuple(map(Address.parse, texts))


def test_a_pod(load):
    spec = {"nodeName": "n1", "containers": [{"ports": [{"containerPort": 80, "name": "http"}]}]}
    status = {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}
    pod = pod_of(load, namespace="shop", labels={"app": "web"}, spec=spec, status=status)
    assert (pod.full_name, pod.labels, pod.node) == ("shop/a", {"app": "web"}, "n1")
    assert pod.addresses == ips("10.0.0.1", "fd00::1")
    assert pod.ports == (ContainerPort("http", TCP, 80),)
    assert (pod.host_network, pod.finished, pod.synthesised, pod.owners) == (False, False, False, ())
    assert pod.workload == WorkloadRef("shop", "Pod", "a")


def test_a_bare_pod_with_nulls(load):
    pod = pod_of(load, spec=None, status={"podIPs": None, "podIP": None, "phase": None})
    assert (pod.namespace, pod.labels, pod.addresses, pod.ports) == ("default", {}, (), ())


def test_a_null_label_is_empty(load):
    assert pod_of(load, labels={"a": None, "b": "c"}).labels == {"a": "", "b": "c"}


@pytest.mark.parametrize(
    ("spec", "status", "addresses"),
    [
        ({}, {"podIP": "10.0.0.1"}, ["10.0.0.1"]),
        ({}, {"hostIP": "10.0.0.9"}, []),
        ({"hostNetwork": True}, {"hostIP": "10.0.0.9"}, ["10.0.0.9"]),
        (
            {"hostNetwork": True},
            {"hostIP": "10.0.0.9", "hostIPs": [{"ip": "10.0.0.9"}, {"ip": "::9"}]},
            ["10.0.0.9", "::9"],
        ),
        ({"hostNetwork": True}, {"hostIP": "10.0.0.9", "podIPs": [{"ip": "10.0.0.8"}]}, ["10.0.0.8"]),
        ({}, {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.1"}]}, ["10.0.0.1"]),
    ],
)
def test_addresses_of_a_pod(load, spec, status, addresses):
    pod = pod_of(load, spec=spec, status=status)
    assert pod.addresses == ips(*addresses)
    assert pod.host_network is bool(spec)


@pytest.mark.parametrize(
    ("phase", "finished"), [("Running", False), ("Pending", False), ("Succeeded", True), ("Failed", True)]
)
def test_phases(load, phase, finished):
    assert pod_of(load, status={"phase": phase}).finished is finished


def test_ports_of_all_containers_and_of_sidecars(load):
    spec = {
        "containers": [
            {"ports": [{"containerPort": 1, "name": "a"}, {"containerPort": 2, "protocol": "UDP"}]},
            {},
            {"ports": [{"containerPort": 3, "protocol": "SCTP"}, {"name": "none"}]},
        ],
        "initContainers": [
            {"ports": [{"containerPort": 4}], "restartPolicy": "Always"},
            {"ports": [{"containerPort": 5}]},
        ],
    }
    ports = [(port.name, port.protocol, port.number) for port in pod_of(load, spec=spec).ports]
    assert ports == [("a", TCP, 1), ("", UDP, 2), ("", SCTP, 3), ("", TCP, 4)]


PORT = "spec.containers[0].ports[0]"
BAD_ADDRESS = {"type": "InternalIP", "address": "x"}


def declaring(**port):
    return obj("Pod", spec={"containers": [{"ports": [port]}]})


@pytest.mark.parametrize(
    ("broken", "field", "message"),
    [
        (obj("Pod", labels={"a": 1, "b": "x", "c": True}), "metadata.labels.a", "expected text, got a whole number"),
        (obj("Pod", spec={"hostNetwork": "yes"}), "spec.hostNetwork", "expected true or false, got text"),
        (obj("Pod", spec={"containers": {}}), "spec.containers", "expected a list, got a mapping"),
        (declaring(containerPort="x"), f"{PORT}.containerPort", "expected a whole number"),
        (declaring(containerPort=0), f"{PORT}.containerPort", "0 is not a port"),
        (declaring(containerPort=1, protocol="tcp"), f"{PORT}.protocol", "Use one of TCP"),
        (obj("Pod", status={"podIP": "10.0.0"}), "status.podIP", "'10.0.0' is not an IP address"),
        (obj("Pod", name=None), "metadata.name", "a name is required"),
        (obj("Namespace", name=""), "metadata.name", "a name is required"),
        (obj("Node", status={"addresses": [BAD_ADDRESS]}), "status.addresses", "is not an IP address"),
        (obj("Service", spec={"ports": [{"port": 0}]}), "spec.ports[0].port", "0 is not a port"),
        (obj("Service", spec={"ports": [{"name": "x"}]}), "spec.ports[0]", "this needs the field `port`"),
        (obj("Service", spec={"clusterIP": "x"}), "spec.clusterIP", "is not an IP address"),
        (obj("Deployment", version="apps/v1", spec={}), "spec", "no pod template"),
    ],
)  # fmt: skip
def test_broken_objects_are_errors_with_their_place(load, broken, field, message):
    found = errors_of(load, obj("Namespace", "shop"), broken)
    place, _, said = found[0]
    assert place.endswith(f", document 2, {field}")
    assert message in said


def test_every_label_that_is_not_text_is_reported(load):
    found = errors_of(load, obj("Pod", labels={"a": 1, "b": "x", "c": True}), obj("Pod", "b", labels={"d": 1}))
    assert len(found) == 3


def test_the_chain_of_owners(load):
    snapshot = load(
        obj("Pod", "web-1-x", owner=("ReplicaSet", "web-1")),
        app("ReplicaSet", "web-1", owner=("Deployment", "web"), spec={"replicas": 3}),
        app("Deployment", "web", owner=("Rollout", "big")),
    )
    (pod,) = snapshot.cluster.pods
    assert [str(owner) for owner in pod.owners] == [
        "default/ReplicaSet/web-1",
        "default/Deployment/web",
        "default/Rollout/big",
    ]
    assert str(pod.workload) == "default/Rollout/big"


@pytest.mark.parametrize(
    ("labels", "owner", "others", "workload"),
    [
        ({"pod-template-hash": "5d4f"}, ("ReplicaSet", "web-5d4f"), [], "Deployment/web"),
        ({}, ("ReplicaSet", "web-5d4f"), [], "ReplicaSet/web-5d4f"),
        ({"pod-template-hash": "x"}, ("ReplicaSet", "web-5d4f"), [], "ReplicaSet/web-5d4f"),
        ({}, ("Job", "tidy-28412345"), [], "Job/tidy-28412345"),
        ({}, ("Job", "tidy-28412345"), [obj("CronJob", "tidy", version="batch/v1", spec={})], "CronJob/tidy"),
        ({}, ("StatefulSet", "db"), [], "StatefulSet/db"),
        ({}, (None, "shared"), [], "Pod/shared"),
        ({}, ("Node", "n1"), [], "Pod/p"),
    ],
)
def test_owners_that_the_input_does_not_hold(load, labels, owner, others, workload):
    (pod,) = load(obj("Pod", "p", labels=labels, owner=owner), *others).cluster.pods
    assert str(pod.workload) == f"default/{workload}"


def test_an_owner_that_is_no_controller_owns_nothing(load):
    pod = obj("Pod", "p")
    pod["metadata"]["ownerReferences"] = [
        {"kind": "ConfigMap", "name": "x"},
        {"kind": "A", "name": "z", "controller": False},
    ]
    assert load(pod).cluster.pods[0].owners == ()


def test_a_ring_of_owners_ends(load):
    pod, a, b = (
        obj("Pod", "p", owner=("ReplicaSet", "a")),
        app("ReplicaSet", "a", owner=("ReplicaSet", "b")),
        app("ReplicaSet", "b", owner=("ReplicaSet", "a")),
    )
    assert [owner.name for owner in load(pod, a, b).cluster.pods[0].owners] == ["a", "b"]


def test_pods_are_made_from_a_template(load):
    web = app(
        "Deployment",
        "web",
        namespace="shop",
        labels={"app": "web"},
        containers=[{"ports": [{"containerPort": 8080, "name": "http"}]}],
        spec={"replicas": 5},
    )
    first, second = load(web).cluster.pods
    assert (first.full_name, second.full_name) == ("shop/web-0", "shop/web-1")
    assert first.labels == {"app": "web"}
    assert first.ports == (ContainerPort("http", TCP, 8080),)
    assert first.owners == (WorkloadRef("shop", "Deployment", "web"),)
    assert (first.synthesised, first.addresses, first.node) == (True, (), "")


@pytest.mark.parametrize(
    ("found", "count"),
    [
        (app("Deployment"), 1),
        (app("Deployment", spec={"replicas": None}), 1),
        (app("Deployment", spec={"replicas": 0}), 0),
        (app("StatefulSet", spec={"replicas": 2}), 2),
        (app("ReplicaSet", spec={"replicas": 9}), 2),
        ({**app("ReplicationController", spec={"replicas": 9}), "apiVersion": "v1"}, 2),
        (app("DaemonSet"), 1),
        ({**app("Job"), "apiVersion": "batch/v1"}, 1),
        ({**app("Job", spec={"parallelism": 4}), "apiVersion": "batch/v1"}, 2),
        ({**app("Job", status={"completionTime": "2026-01-01T00:00:00Z"}), "apiVersion": "batch/v1"}, 0),
        (obj("CronJob", version="batch/v1", spec={"jobTemplate": {"spec": {"template": {"metadata": {}}}}}), 1),
        ({**app("Deployment"), "apiVersion": "extensions/v1beta1"}, 1),
    ],
)
def test_how_many_pods_a_template_makes(load, found, count):
    pods = load(found).cluster.pods
    assert len(pods) == count
    assert all(pod.workload.kind == found["kind"] for pod in pods)


@pytest.mark.parametrize(("nodes", "count"), [(0, 1), (1, 1), (2, 2), (5, 2)])
def test_a_daemon_set_makes_one_pod_a_node(load, nodes, count):
    assert len(load(app("DaemonSet"), *[obj("Node", f"n{n}") for n in range(nodes)]).cluster.pods) == count


def test_pods_that_exist_are_not_made_again(load):
    snapshot = load(
        app("Deployment", "web", spec={"replicas": 2}),
        obj("Pod", "web-5d4f-x", labels={"pod-template-hash": "5d4f"}, owner=("ReplicaSet", "web-5d4f")),
        app("ReplicaSet", "web-0000", owner=("Deployment", "web"), spec={"replicas": 0}),
    )
    assert [pod.name for pod in snapshot.cluster.pods] == ["web-5d4f-x"]


def test_a_controller_of_a_controller_makes_the_pods(load):
    snapshot = load(app("Deployment", "web"), app("ReplicaSet", "web-1", owner=("Deployment", "web")))
    assert [str(pod.owners[0]) for pod in snapshot.cluster.pods] == ["default/Deployment/web"]


def test_made_pods_have_names_of_their_own(load):
    snapshot = load(app("Deployment", "web"), app("StatefulSet", "web"), obj("Pod", "web-0"))
    assert [pod.name for pod in snapshot.cluster.pods] == ["web-0", "web-deployment-0", "web-statefulset-0"]


def test_pods_of_a_stateful_set_carry_their_name(load):
    assert load(app("StatefulSet", "db")).cluster.pods[0].labels["statefulset.kubernetes.io/pod-name"] == "db-0"


def test_namespaces_carry_their_name(load):
    snapshot = load(
        obj("Namespace", "a", labels={"team": "x"}), obj("Namespace", "b", labels={NAMESPACE_NAME_LABEL: "z"})
    )
    assert snapshot.cluster.namespaces["a"].labels == {"team": "x", NAMESPACE_NAME_LABEL: "a"}
    assert snapshot.cluster.namespaces["b"].labels == {NAMESPACE_NAME_LABEL: "b"}
    (warning,) = snapshot.diagnostics
    assert warning.place.field == "metadata.labels[kubernetes.io/metadata.name]"
    assert "the API server sets this label to 'b'" in warning.message


def test_namespaces_without_an_object_exist_and_are_warned_of_once(load):
    pods = [obj("Pod", f"p{n}", namespace=f"n{n:02}") for n in range(30)]
    policy = obj("NetworkPolicy", version="networking.k8s.io/v1", namespace="lonely", spec={})
    snapshot = load(*pods, policy, obj("Service", namespace="quiet"))
    assert {"n00", "n29", "lonely", "quiet"} <= snapshot.cluster.namespaces.keys()
    assert snapshot.cluster.namespace_labels("n07") == {NAMESPACE_NAME_LABEL: "n07"}
    about_pods, about_policies = (warning.message for warning in snapshot.diagnostics)
    assert "30 namespaces (n00, n01, n02, n03, n04, ...)" in about_pods
    assert "1 namespace (lonely): those policies select nothing" in about_policies


def test_nodes(load):
    addresses = [
        {"type": "InternalIP", "address": "10.0.0.1"},
        {"type": "InternalIP", "address": "fd00::1"},
        {"type": "ExternalIP", "address": "1.2.3.4"},
        {"type": "Hostname", "address": "n1"},
    ]
    cluster = load(obj("Node", "n1", labels={"zone": "z"}, status={"addresses": addresses}), obj("Node", "n2")).cluster
    assert cluster.nodes == (Node("n1", ips("10.0.0.1", "fd00::1", "1.2.3.4"), {"zone": "z"}), Node("n2"))


def service_of(load, spec, *others, status=None):
    (service,) = load(
        obj("Namespace", "default"), obj("Service", "web", spec=spec, status=status or {}), *others
    ).cluster.services
    return service


def test_a_service(load):
    spec = {
        "clusterIP": "10.96.0.1",
        "clusterIPs": ["10.96.0.1", "fd00::96"],
        "externalIPs": ["1.2.3.4"],
        "selector": {"app": "web"},
        "ports": [
            {"port": 80, "targetPort": "http", "name": "web", "nodePort": 30080},
            {"port": 53, "protocol": "UDP"},
            {"port": 81, "targetPort": 8081},
        ],
    }
    status = {"loadBalancer": {"ingress": [{"ip": "5.6.7.8"}, {"hostname": "lb.example.com"}]}}
    service = service_of(load, spec, status=status)
    assert service.addresses == ips("10.96.0.1", "fd00::96", "1.2.3.4", "5.6.7.8")
    assert service.outer_addresses == ips("1.2.3.4", "5.6.7.8")
    assert not service.keeps_inside and not service.keeps_outside
    assert service.selector == LabelSelector.equal({"app": "web"})
    assert service.ports == (
        ServicePort("web", TCP, 80, "http", 30080),
        ServicePort("", UDP, 53, 53),
        ServicePort("", TCP, 81, 8081),
    )
    assert service.backends is None


def test_traffic_policies(load):
    inside = service_of(load, {"internalTrafficPolicy": "Local", "externalTrafficPolicy": "Cluster"})
    assert (inside.keeps_inside, inside.keeps_outside) == (True, False)
    outside = service_of(load, {"externalTrafficPolicy": "Local", "healthCheckNodePort": 31000})
    assert (outside.keeps_inside, outside.keeps_outside) == (False, True)


def test_what_a_load_balancer_answers_itself_is_no_address_of_nodes(load):
    status = {"loadBalancer": {"ingress": [{"ip": "5.6.7.8", "ipMode": "Proxy"}, {"ip": "5.6.7.9", "ipMode": "VIP"}]}}
    assert service_of(load, {"clusterIP": "10.96.0.1"}, status=status).addresses == ips("10.96.0.1", "5.6.7.9")


def test_the_name_an_external_name_stands_for(load):
    service = service_of(load, {"type": "ExternalName", "externalName": "API.example.com."})
    assert service.external_name == "api.example.com"


@pytest.mark.parametrize(
    ("spec", "addresses", "selector", "backends"),
    [
        ({"clusterIP": "None", "externalIPs": ["1.2.3.4"]}, [], None, None),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, [], None, None),
        ({"clusterIP": ""}, [], None, None),
        ({"clusterIP": "10.96.0.2", "selector": {}}, ["10.96.0.2"], None, None),
        ({"type": "ExternalName", "externalName": "x", "externalIPs": ["1.2.3.4"]}, [], None, ()),
        (None, [], None, None),
    ],
)
def test_services_of_other_sorts(load, spec, addresses, selector, backends):
    service = service_of(load, spec)
    assert (service.addresses, service.selector, service.backends) == (ips(*addresses), selector, backends)


def slice_of(name, endpoints, ports, service="web", **fields):
    labels = {"kubernetes.io/service-name": service} if service else None
    return obj(
        "EndpointSlice", name, version="discovery.k8s.io/v1", labels=labels, endpoints=endpoints, ports=ports, **fields
    )


def test_endpoint_slices(load):
    http = [{"name": "http", "port": 8080, "protocol": "TCP"}]
    ready = [
        {"addresses": ["10.0.0.1"]},
        {"addresses": ["10.0.0.2"], "conditions": {"ready": True}},
        {"addresses": ["10.0.0.3"], "conditions": {"ready": False}},
        {"addresses": ["10.0.0.4"], "conditions": {}},
    ]
    service = service_of(
        load,
        {},
        slice_of("a", ready, http),
        slice_of(
            "b", [{"addresses": ["fd00::1"]}], [*http, {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "all"}]
        ),
        slice_of("c", [{"addresses": ["example.com"]}], http, addressType="FQDN"),
        slice_of("d", [{"addresses": ["10.9.9.9"]}], http, service="other"),
        slice_of("e", [{"addresses": ["10.9.9.8"]}], http, service=None),
        slice_of("f", None, None),
    )
    tcp = [Backend("http", TCP, Address.parse(ip), 8080) for ip in ("10.0.0.1", "10.0.0.2", "10.0.0.4", "fd00::1")]
    assert service.backends == (*tcp, Backend("dns", UDP, Address.parse("fd00::1"), 53))


def test_backends_that_are_ending_serve_where_none_is_ready(load):
    ending = {"conditions": {"ready": False, "serving": True, "terminating": True}}
    gone = {"conditions": {"ready": False, "serving": False, "terminating": True}}
    ready = {"addresses": ["10.0.0.1"]}
    others = [{"addresses": ["10.0.0.2"], **ending}, {"addresses": ["10.0.0.3"], **gone}]
    http = [{"name": "http", "port": 8080}]
    (alone,) = service_of(load, {}, slice_of("a", others, http)).backends
    assert alone.address == Address.parse("10.0.0.2")
    (chosen,) = service_of(load, {}, slice_of("a", others, http), slice_of("b", [ready], http)).backends
    assert chosen.address == Address.parse("10.0.0.1")


def test_a_service_whose_slices_are_empty_has_no_backends(load):
    assert service_of(load, {"selector": {"a": "b"}}, slice_of("a", [], [])).backends == ()


def test_the_same_object_twice(load):
    pod = obj("Pod", "p", namespace="shop", labels={"a": "b"})
    snapshot = load(obj("Namespace", "shop"), pod, pod, pod)
    assert len(snapshot.cluster.pods) == 1
    (warning,) = snapshot.diagnostics
    assert "already given, alike, at" in warning.message
    assert "2 such objects in all" in warning.message
    ((place, _, message),) = errors_of(load, obj("Namespace", "shop"), pod, obj("Pod", "p", namespace="shop"))
    assert "document 3" in place
    assert message.startswith("Pod shop/p is given twice and differs from the one at ")
    assert "document 2" in message


def test_one_name_for_two_kinds_is_fine(load):
    assert len(load(obj("Pod", "a"), obj("Service", "a"), app("Deployment", "a")).cluster.pods) == 2


def test_other_kinds_are_counted(load):
    snapshot = load(obj("ConfigMap"), obj("ConfigMap", "b"), obj("Ingress", version="networking.k8s.io/v1"))
    assert dict(snapshot.ignored) == {"networking.k8s.io/v1 Ingress": 1, "v1 ConfigMap": 2}


def test_errors_of_objects_and_of_policies_come_together(load):
    broken = obj("NetworkPolicy", version="networking.k8s.io/v1", spec={"ingress": [None]})
    found = errors_of(load, obj("Pod", labels={"a": 1}), broken, obj("Pod", "b", status={"podIP": "x"}))
    assert [place.rpartition(", ")[2] for place, _, _ in found] == [
        "metadata.labels.a",
        "spec.ingress[0]",
        "status.podIP",
    ]


def test_the_order_of_the_input_does_not_matter(tmp_path):
    objects = [obj("Pod", name, namespace=ns) for ns in ("b", "a") for name in ("y", "x")] + [
        obj("Node", n) for n in "ba"
    ]
    clusters = []
    for number, order in enumerate((objects, objects[::-1])):
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": order}))
        warnings = []
        clusters.append(load_cluster([str(path)], diagnostics=warnings))
        assert len(warnings) == 1
    assert clusters[0] == clusters[1]
    assert [pod.full_name for pod in clusters[0].pods] == ["a/x", "a/y", "b/x", "b/y"]


@pytest.mark.parametrize(
    ("spec", "account"),
    [({"serviceAccountName": "web"}, "web"), ({"serviceAccount": "old"}, "old"), ({}, "default")],
)
def test_the_service_account_of_a_pod(load, spec, account):
    cluster = load(
        obj("Pod", namespace="shop", spec=spec),
        obj("ServiceAccount", "web", namespace="shop", labels={"role": "front"}),
    ).cluster
    (pod,) = cluster.pods
    assert pod.account == account
    labels = {"role": "front"} if account == "web" else {}
    assert cluster.account_labels(pod) == {**labels, NAME_KEY: account}
