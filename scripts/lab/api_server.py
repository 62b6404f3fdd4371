"""A small API server for the demo, where no real one is installed: enough for kubectl apply and
delete, for podlane-kube's lists and watches, and for a kubelet.

Objects are what was written last; nothing is checked or defaulted. Beside it run what a control
plane has: a Deployment gets its Pods, a Pod a Node, in turns. What is left out: everything else.
"""

import copy
import http.server
import json
import threading
import time
import urllib.parse

import yaml

# Resource: group and version, kind, whether it has a namespace.
RESOURCES = {
    "namespaces": ("v1", "Namespace", False), "nodes": ("v1", "Node", False),
    "pods": ("v1", "Pod", True), "services": ("v1", "Service", True),
    "events": ("v1", "Event", True), "secrets": ("v1", "Secret", True),
    "deployments": ("apps/v1", "Deployment", True),
    "endpointslices": ("discovery.k8s.io/v1", "EndpointSlice", True),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy", True),
    "ingresses": ("networking.k8s.io/v1", "Ingress", True),
    "ingressclasses": ("networking.k8s.io/v1", "IngressClass", False),
}
KEPT_EVENTS = 10_000


def root_of(version):
    return f"/api/{version}" if version == "v1" else f"/apis/{version}"


def merged(old, patch):
    """RFC 7396; kubectl's strategic patches and server-side applies are near enough to it."""
    if not isinstance(patch, dict) or not isinstance(old, dict):
        return patch
    out = dict(old)
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        elif not key.startswith("$"):
            out[key] = merged(out.get(key), value)
    return out


def merged_status(old, patch):
    """merged(), with conditions known by their type, as a strategic patch has them."""
    out = merged(old, patch)
    wanted = patch.get("status", {}).get("conditions")
    if wanted:
        types = {each["type"] for each in wanted}
        before = old.get("status", {}).get("conditions", [])
        out["status"]["conditions"] = [c for c in before if c["type"] not in types] + wanted
    return out


class Store:
    """All objects, and what became of them lately."""

    def __init__(self):
        self.changed = threading.Condition(threading.RLock())
        self.objects = {resource: {} for resource in RESOURCES}
        self.events = []  # (version, resource, type, object)
        self.version = 1

    def items(self, resource):
        with self.changed:
            return [copy.deepcopy(each) for each in self.objects[resource].values()]

    def get(self, resource, key):
        with self.changed:
            return copy.deepcopy(self.objects[resource].get(key))

    def put(self, resource, item):
        """Adds or replaces; what is as it was is no event."""
        with self.changed:
            meta = item.setdefault("metadata", {})
            if RESOURCES[resource][2]:
                meta.setdefault("namespace", "default")
            item["apiVersion"], item["kind"] = RESOURCES[resource][:2]
            key = (meta.get("namespace", ""), meta["name"])
            old = self.objects[resource].get(key)
            meta.setdefault("uid", f"00000000-0000-4000-8000-{self.version + 1:012x}")
            meta.setdefault("creationTimestamp", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
            meta["resourceVersion"] = old["metadata"]["resourceVersion"] if old else ""
            if old == item:
                return item
            self._tell(resource, "MODIFIED" if old else "ADDED", item)
            self.objects[resource][key] = item
            return copy.deepcopy(item)

    def remove(self, resource, key):
        with self.changed:
            item = self.objects[resource].pop(key, None)
            if item:
                self._tell(resource, "DELETED", item)
            return item

    def _tell(self, resource, what, item):
        self.version += 1
        item["metadata"]["resourceVersion"] = str(self.version)
        self.events.append((self.version, resource, what, copy.deepcopy(item)))
        del self.events[:-KEPT_EVENTS]
        self.changed.notify_all()

    def wait(self, resource, told, timeout):
        """Events of the resource after version `told`, at the latest after `timeout` none."""
        with self.changed:
            ends = time.monotonic() + timeout
            while True:
                news = [e for e in self.events if e[0] > told and e[1] == resource]
                left = ends - time.monotonic()
                if news or left <= 0:
                    return news
                self.changed.wait(left)


class ControlPlane:
    """What makes Pods of Deployments, and says where they run."""

    def __init__(self, store):
        self.store = store
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        told = 0
        while True:
            with self.store.changed:
                while self.store.version == told:
                    self.store.changed.wait()
                told = self.store.version
                self._deployments()
                self._schedule()

    def _deployments(self):
        wanted = {}
        for deployment in self.store.items("deployments"):
            meta, spec = deployment["metadata"], deployment["spec"]
            for number in range(1, spec.get("replicas", 1) + 1):
                wanted[(meta["namespace"], f"{meta['name']}-{number}")] = (meta, spec["template"])
        there = {(p["metadata"]["namespace"], p["metadata"]["name"]): p
                 for p in self.store.items("pods")}
        for (namespace, name), (meta, template) in wanted.items():
            if (namespace, name) in there:
                continue
            owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"],
                     "uid": meta["uid"], "controller": True}
            self.store.put("pods", {
                "metadata": {"name": name, "namespace": namespace, "ownerReferences": [owner],
                             "labels": template["metadata"]["labels"]},
                "spec": copy.deepcopy(template["spec"]), "status": {"phase": "Pending"}})
        for key, pod in there.items():
            if key not in wanted and pod["metadata"].get("ownerReferences"):
                self.store.remove("pods", key)

    def _schedule(self):
        nodes = sorted(n["metadata"]["name"] for n in self.store.items("nodes")
                       if not n["spec"].get("unschedulable"))
        if not nodes:
            return
        pods = self.store.items("pods")
        for pod in pods:
            if pod["spec"].get("nodeName"):
                continue
            app = pod["metadata"]["labels"].get("app")
            load = {name: [0, 0] for name in nodes}
            for other in pods:
                where = other["spec"].get("nodeName")
                if where in load:
                    load[where][0] += other["metadata"]["labels"].get("app") == app
                    load[where][1] += 1
            pod["spec"]["nodeName"] = min(nodes, key=lambda name, load=load: (load[name], name))
            self.store.put("pods", pod)


class ApiServer:
    """Serves the store at ADDRESS:PORT of the network namespace that the caller is in."""

    def __init__(self, address, port):
        self.store = Store()
        self.store.put("namespaces", {"metadata": {"name": "default"}})
        ControlPlane(self.store)
        store = self.store

        class Handler(Answer):
            objects = store

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # who watches goes without a word

        self.url = f"http://{address}:{port}"
        self.server = Server((address, port), Handler)

    def serve(self):
        print("ready", flush=True)
        self.server.serve_forever(0.1)


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    objects = None

    def log_message(self, *_):
        pass

    def send(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def fail(self, status, reason):
        self.send(status, {"apiVersion": "v1", "kind": "Status", "status": "Failure",
                           "reason": reason, "message": f"{self.path}: {reason}", "code": status})

    def target(self):
        """(resource, namespace, name, subresource, query) of the request, or None."""
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        parts = url.path.strip("/").split("/")
        version, rest = (parts[1], parts[2:]) if parts[0] == "api" else (
            "/".join(parts[1:3]), parts[3:])
        namespace = ""
        if len(rest) > 2 and rest[0] == "namespaces" and rest[2] in RESOURCES:
            namespace, rest = rest[1], rest[2:]
        if not rest or RESOURCES.get(rest[0], ("",))[0] != version:
            return None
        return rest[0], namespace, *(rest[1:3] + [""] * 2)[:2], query

    def read_body(self):
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return yaml.safe_load(text) if text else {}

    def discovery(self):
        path = urllib.parse.urlsplit(self.path).path.rstrip("/")
        groups = sorted({v for v, _, _ in RESOURCES.values() if v != "v1"})
        if path == "/version":
            return {"major": "1", "minor": "32", "gitVersion": "v1.32.0"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            entries = [{"groupVersion": v, "version": "v1"} for v in groups]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [
                {"name": e["groupVersion"].split("/")[0], "versions": [e], "preferredVersion": e}
                for e in entries]}
        for version in ["v1", *groups]:
            if path == root_of(version):
                verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
                return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version,
                        "resources": [{"name": name, "singularName": kind.lower(), "kind": kind,
                                       "namespaced": namespaced, "verbs": verbs}
                                      for name, (of, kind, namespaced) in RESOURCES.items()
                                      if of == version]}
        return None

    def do_GET(self):
        found = self.discovery()
        if found:
            return self.send(200, found)
        target = self.target()
        if target is None:
            return self.fail(404, "NotFound")
        resource, namespace, name, _, query = target
        if name:
            item = self.objects.get(resource, (namespace, name))
            return self.send(200, item) if item else self.fail(404, "NotFound")
        if query.get("watch") in ("1", "true"):
            return self.watch(resource, query)
        with self.objects.changed:
            items = [i for i in self.objects.items(resource)
                     if namespace in ("", i["metadata"].get("namespace", ""))]
            version = str(self.objects.version)
        version_of, kind, _ = RESOURCES[resource]
        return self.send(200, {"apiVersion": version_of, "kind": f"{kind}List",
                               "metadata": {"resourceVersion": version}, "items": items})

    def watch(self, resource, query):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        told = int(query.get("resourceVersion") or 0)
        if "sendInitialEvents" in query:
            with self.objects.changed:
                items, told = self.objects.items(resource), self.objects.version
            events = [{"type": "ADDED", "object": item} for item in items]
            version, kind, _ = RESOURCES[resource]
            events.append({"type": "BOOKMARK", "object": {
                "apiVersion": version, "kind": kind, "metadata": {
                    "resourceVersion": str(told),
                    "annotations": {"k8s.io/initial-events-end": "true"}}}})
            self.chunk("".join(json.dumps(event) + "\n" for event in events))
        ends = time.monotonic() + float(query.get("timeoutSeconds", 300))
        while time.monotonic() < ends:
            for version, _, what, item in self.objects.wait(resource, told, 5):
                self.chunk(json.dumps({"type": what, "object": item}) + "\n")
                told = version
        return self.chunk("")

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.flush()

    def do_POST(self):
        item, target = self.read_body(), self.target()
        if target is None:
            return self.fail(404, "NotFound")
        meta = item.setdefault("metadata", {})
        if target[1]:
            meta["namespace"] = target[1]
        if "generateName" in meta and "name" not in meta:
            meta["name"] = f"{meta['generateName']}{time.monotonic_ns():x}"
        return self.send(201, self.objects.put(target[0], item))

    def do_PUT(self):
        item, target = self.read_body(), self.target()
        if target is None:
            return self.fail(404, "NotFound")
        return self.send(200, self.objects.put(target[0], item))

    def do_PATCH(self):
        patch, target = self.read_body(), self.target()
        if target is None:
            return self.fail(404, "NotFound")
        with self.objects.changed:
            old = self.objects.get(target[0], (target[1], target[2]))
            if old is None:
                return self.fail(404, "NotFound")
            new = merged_status(old, patch) if target[3] == "status" else merged(old, patch)
            item = self.objects.put(target[0], new)
        return self.send(200, item)

    def do_DELETE(self):
        self.read_body()
        target = self.target()
        item = target and self.objects.remove(target[0], (target[1], target[2]))
        return self.send(200, item) if item else self.fail(404, "NotFound")


if __name__ == "__main__":
    import sys
    ApiServer(sys.argv[1], int(sys.argv[2])).serve()
