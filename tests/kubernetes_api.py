"""A local HTTP server that plays the Kubernetes API for the real kubectl: discovery, pages, refusals, faults."""

import base64
import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import sleep
from urllib.parse import parse_qs, urlsplit

VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


@dataclass
class Resource:
    """One resource: its group and version, its plural and kind, its objects in any order."""

    api_version: str
    plural: str
    kind: str
    objects: list = field(default_factory=list)
    namespaced: bool = True
    verbs: list = field(default_factory=lambda: list(VERBS))

    @property
    def group(self):
        return self.api_version.rpartition("/")[0]

    @property
    def version(self):
        return self.api_version.rpartition("/")[2]

    @property
    def root(self):
        return f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"

    def listed(self, namespace):
        found = [o for o in self.objects if namespace in (None, o["metadata"].get("namespace"))]
        return sorted(found, key=lambda o: (o["metadata"].get("namespace", ""), o["metadata"]["name"]))


@dataclass
class Api:
    """What the server holds, and how it misbehaves.

    `forbidden` are plurals, or (namespace, plural); the counts of `expired`, `truncated`, `broken`, `slow` say how
    often a list of a plural is answered so; `uncompacted` is the oldest resource version that may be asked for.
    """

    resources: list
    version: int = 100
    most: int = 1_000_000
    forbidden: set = field(default_factory=set)
    expired: Counter = field(default_factory=Counter)
    truncated: Counter = field(default_factory=Counter)
    broken: Counter = field(default_factory=Counter)
    slow: Counter = field(default_factory=Counter)
    unavailable: set = field(default_factory=set)
    uncompacted: int = 0
    moves: bool = False
    aggregated: bool = True
    unauthorized: bool = False
    seconds: float = 5.0
    asked: list = field(default_factory=list)

    def answer(self, path, query, accept):
        """Return the status, and the body as an object, or as bytes that are cut off."""
        self.asked.append((path, query))
        if self.unauthorized:
            return 401, status(401, "Unauthorized", "Unauthorized")
        if path in ("/api", "/apis"):
            return self._discovery(path, accept)
        for resource in self.resources:
            if resource.group in self.unavailable and path.startswith(resource.root):
                return 503, status(503, "ServiceUnavailable", "the server is currently unable to handle the request")
            if path == resource.root:
                return 200, self._resources(resource.root)
            if path.startswith(f"{resource.root}/"):
                found = self._of(resource, path.removeprefix(f"{resource.root}/").split("/"), query, accept)
                if found:
                    return found
        return 404, status(404, "NotFound", "the server could not find the requested resource")

    def _of(self, resource, steps, query, accept):
        namespace = None
        if resource.namespaced and steps[0] == "namespaces" and len(steps) > 2:
            namespace, steps = steps[1], steps[2:]
        if steps[0] != resource.plural or len(steps) > 2:
            return None
        if {resource.plural, (namespace, resource.plural)} & self.forbidden:
            scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
            group = resource.group or ""
            words = f'User "eve" cannot list resource "{resource.plural}" in API group "{group}" {scope}'
            return 403, status(403, "Forbidden", f"{resource.plural} is forbidden: {words}")
        if len(steps) == 2:
            found = [o for o in resource.listed(namespace) if o["metadata"]["name"] == steps[1]]
            if not found:
                return 404, status(404, "NotFound", f'{resource.plural} "{steps[1]}" not found')
            return 200, {"apiVersion": resource.api_version, "kind": resource.kind, **found[0]}
        return self._list(resource, namespace, query, accept)

    def _list(self, resource, namespace, query, accept):
        for faults, answer in ((self.slow, self._slow), (self.broken, self._broken), (self.truncated, None)):
            if faults[resource.plural] > 0:
                faults[resource.plural] -= 1
                if answer:
                    return answer()
                _, whole = self._page(resource, namespace, query, accept)
                return 200, json.dumps(whole).encode()[:-20]
        return self._page(resource, namespace, query, accept)

    def _slow(self):
        sleep(self.seconds)
        return 200, {}

    def _broken(self):
        return 500, status(500, "InternalError", "an error on the server has prevented the request from succeeding")

    def _page(self, resource, namespace, query, accept):
        token, asked = query.get("continue"), query.get("resourceVersion")
        if token and asked:
            return 400, status(400, "BadRequest", "specifying resource version is not allowed when using continue")
        start, version = 0, str(self.version)
        if self.moves and not token:
            self.version += 1
        if token:
            if self.expired[resource.plural] > 0:
                self.expired[resource.plural] -= 1
                return 410, status(410, "Expired", "The provided continue parameter is too old")
            found = json.loads(base64.b64decode(token))
            start, version = found["start"], found["version"]
        elif asked:
            if int(asked) < self.uncompacted:
                return 410, status(410, "Expired", f"The resourceVersion for the provided list is too old: {asked}")
            assert query.get("resourceVersionMatch") == "Exact"
            version = asked
        objects = resource.listed(namespace)
        limit = min(int(query.get("limit", self.most)), self.most)
        end = start + limit
        metadata = {"resourceVersion": version}
        if end < len(objects):
            rest = json.dumps({"start": end, "version": version}).encode()
            metadata |= {"continue": base64.b64encode(rest).decode(), "remainingItemCount": len(objects) - end}
        if "as=Table" in accept:
            rows = [{"cells": [o["metadata"]["name"]], "object": o} for o in objects[start:end]]
            return 200, {"apiVersion": "meta.k8s.io/v1", "kind": "Table", "metadata": metadata, "rows": rows}
        whole = {"apiVersion": resource.api_version, "kind": f"{resource.kind}List", "metadata": metadata}
        return 200, {**whole, "items": objects[start:end]}

    def _discovery(self, path, accept):
        if self.aggregated and "g=apidiscovery.k8s.io" in accept:
            return 200, self._aggregated(core=path == "/api")
        if path == "/api":
            return 200, {"kind": "APIVersions", "versions": ["v1"]}
        groups = {}
        for resource in self.resources:
            if resource.group:
                versions = groups.setdefault(resource.group, [])
                entry = {"groupVersion": resource.api_version, "version": resource.version}
                versions += [entry] if entry not in versions else []
        listed = [{"name": g, "versions": v, "preferredVersion": v[0]} for g, v in groups.items()]
        return 200, {"apiVersion": "v1", "kind": "APIGroupList", "groups": listed}

    def _resources(self, root):
        found = [
            {"name": r.plural, "singularName": "", "namespaced": r.namespaced, "kind": r.kind, "verbs": r.verbs}
            for r in self.resources
            if r.root == root
        ]
        version = root.removeprefix("/apis/").removeprefix("/api/")
        return {"apiVersion": "v1", "kind": "APIResourceList", "groupVersion": version, "resources": found}

    def _aggregated(self, *, core):
        groups = {}
        for r in self.resources:
            if (not r.group) == core:
                scope = "Namespaced" if r.namespaced else "Cluster"
                kind = {"group": r.group, "version": r.version, "kind": r.kind}
                entry = {"resource": r.plural, "responseKind": kind, "scope": scope, "singularResource": ""}
                versions = groups.setdefault(r.group, {})
                versions.setdefault(r.version, []).append({**entry, "verbs": r.verbs})
        items = [
            {
                "metadata": {"name": group} if group else {},
                "versions": [
                    {"version": v, "resources": rs, "freshness": "Stale" if group in self.unavailable else "Current"}
                    for v, rs in versions.items()
                ],
            }
            for group, versions in groups.items()
        ]
        return {"apiVersion": "apidiscovery.k8s.io/v2", "kind": "APIGroupDiscoveryList", "items": items}


def status(code, reason, message):
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


@contextmanager
def serving(api, folder):
    """Serve `api`; yields the path of a kubeconfig with the context ``play``, beside others that lead nowhere."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            url = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            accept = self.headers.get("Accept", "")
            code, found = api.answer(url.path, query, accept)
            whole = json.dumps(found).encode() if not isinstance(found, bytes) else found
            self.send_response(code)
            kind = "application/json"
            if isinstance(found, dict) and found.get("kind") == "APIGroupDiscoveryList":
                kind += ";g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(whole) + 20 * isinstance(found, bytes)))
            self.end_headers()
            try:
                self.wfile.write(whole)
            except OSError:
                return
            self.close_connection = isinstance(found, bytes)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        path = folder / "kubeconfig"
        path.write_text(json.dumps(_kubeconfig(server.server_port)))
        try:
            yield str(path)
        finally:
            server.shutdown()
            thread.join()


def _kubeconfig(port):
    servers = {"play": f"http://127.0.0.1:{port}", "gone": "http://127.0.0.1:1"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
        "users": [{"name": "eve", "user": {}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "eve"}} for name in servers],
        "current-context": "play",
    }
