#!/usr/bin/python3
"""A node in a large cluster: 5,000 Nodes, 10,000 Services with 10 endpoints each, 150,000 Pods.

A simulated API server sends them to podlane-kube over TLS, in pages of 500 and compressed, as a
real one does; podlane-kube passes them to podlaned. Measured: the time from the start of
podlane-kube until podlaned serves everything, with CPU time and memory of both; then the time from
an endpoint's event until podlaned's workers use it; and the CPU time of such a cluster's status
updates, which concern no dataplane. `--quick` uses a small cluster and only checks the results.
"""

import argparse
import gzip
import http.server
import json
import os
import pathlib
import ssl
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import big_cluster
from big_cluster import dotted, text_of
from live import BUILD, Live
from table import Table, check, say

PAGE = 500
ENDPOINTS = 10
NODES_BASE = (172 << 24) + (16 << 16)
HEALTHZ = "127.0.0.1:10257"
PATHS = {
    "/api/v1/namespaces": "namespaces", "/api/v1/nodes": "nodes", "/api/v1/pods": "pods",
    "/api/v1/services": "services",
    "/apis/discovery.k8s.io/v1/endpointslices": "endpointslices",
    "/apis/networking.k8s.io/v1/networkpolicies": "networkpolicies",
}
MIB = 1 << 20


def node(index):
    """With fields that a kubelet reports but that are not needed here: they must be skipped."""
    images = [{"names": [f"registry.example.com/team-{i}/app@sha256:{i:064x}"], "sizeBytes": i}
              for i in range(50)]
    return {"metadata": {"name": f"node-{index:05}", "resourceVersion": "1",
                         "uid": f"10000000-0000-4000-8000-{index:012x}"},
            "spec": {"podCIDRs": [f"{dotted(big_cluster.PODS_BASE + (index << 8))}/24"]},
            "status": {"addresses": [{"type": "InternalIP", "address": dotted(NODES_BASE + index)}],
                       "images": images}}


def pod_address(index, per_node):
    return dotted(big_cluster.PODS_BASE + (index // per_node << 8) + 2 + index % per_node)


def pod(index, per_node):
    """About 4 kB, as in the API server for a Pod of one container."""
    where, address = f"node-{index // per_node:05}", pod_address(index, per_node)
    app = f"service-{index // ENDPOINTS:05}"
    uid = f"20000000-0000-4000-8000-{index:012x}"
    fields = {f"f:{name}": {"f:type": {}, "f:status": {}, "f:lastProbeTime": {}}
              for name in ("conditions", "containerStatuses", "hostIP", "podIP", "phase",
                           "podIPs", "startTime", "metadata", "spec", "labels")}
    container = {"name": "app", "image": f"registry.example.com/{app}:v1.2.3",
                 "env": [{"name": f"SETTING_{i}", "value": "x" * 40} for i in range(12)],
                 "ports": [{"containerPort": 8080, "protocol": "TCP", "name": "http"}],
                 "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
                 "volumeMounts": [{"name": "token", "readOnly": True,
                                   "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}]}
    return {
        "metadata": {"name": f"{app}-{index:07x}", "namespace": "default", "uid": uid,
                     "resourceVersion": "1", "labels": {"app": app, "pod-template-hash": "5d59"},
                     "managedFields": [{"manager": "kubelet", "operation": "Update",
                                        "fieldsType": "FieldsV1", "fieldsV1": fields}] * 2},
        "spec": {"nodeName": where, "containers": [container], "restartPolicy": "Always",
                 "tolerations": [{"key": f"node.kubernetes.io/{each}", "operator": "Exists"}
                                 for each in ("not-ready", "unreachable")]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}],
                   "hostIP": dotted(NODES_BASE + index // per_node),
                   "conditions": [{"type": kind, "status": "True",
                                   "lastTransitionTime": "2024-01-01T00:00:00Z"}
                                  for kind in ("Initialized", "Ready", "ContainersReady",
                                               "PodScheduled")],
                   "containerStatuses": [{"name": "app", "ready": True, "restartCount": 0,
                                          "containerID": f"containerd://{index:064x}",
                                          "imageID": f"sha256:{index:064x}"}]},
    }


def endpoint_slice(index, per_node, moved=None):
    made = big_cluster.endpoint_slice(index, ENDPOINTS)
    for number, endpoint in enumerate(made["endpoints"]):
        of = index * ENDPOINTS + number
        endpoint["addresses"] = [pod_address(of, per_node)]
        endpoint["nodeName"] = f"node-{of // per_node:05}"
    if moved is not None:
        made["metadata"]["resourceVersion"] = str(1_000_000 + moved)
        made["endpoints"][-1]["addresses"] = [dotted(big_cluster.PODS_BASE + (60 << 16) + moved)]
    return made


class Kind:
    """Its list, rendered once, and the events that come later."""

    def __init__(self, items):
        self.pages, self.count, self.bytes = [], 0, 0
        self.events = []
        page = []
        for item in items:
            page.append(text_of({k: v for k, v in item.items() if k not in ("kind", "apiVersion")}))
            self.count += 1
            if len(page) == PAGE:
                self._render(page)
                page = []
        if page or not self.pages:
            self._render(page)

    def _render(self, items):
        # Only when the next page is ready is it known whether one follows.
        self.bytes += sum(map(len, items))
        self.pages.append(",".join(items).encode())

    def finish(self):
        for number, items in enumerate(self.pages):
            more = f"p{number + 1}" if number + 1 < len(self.pages) else ""
            head = f'{{"metadata":{{"resourceVersion":"100","continue":"{more}"}},"items":['
            self.pages[number] = gzip.compress(head.encode() + items + b"]}", 1)
        return self


class Api:
    """The simulated server."""

    def __init__(self, kinds, folder):
        self.kinds = kinds
        self.changed = threading.Condition()
        self.folder = folder
        self._make_certificate()
        self._serve()

    def _make_certificate(self):
        words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "key",
                 "-out", "crt", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                 "subjectAltName=IP:127.0.0.1"]
        subprocess.run(words, check=True, capture_output=True, cwd=self.folder)

    def _serve(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                kind = api.kinds.get(PATHS.get(url.path))
                if kind is None:
                    return self.whole(404, b"{}")
                if "sendInitialEvents" in query:
                    return self.whole(400, b'{"kind":"Status","code":400}')
                if "watch" in query:
                    return self.watch(kind)
                return self.whole(200, kind.pages[int(query.get("continue", "p0")[1:])],
                                  gzip=True)

            def whole(self, status, body, **options):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if options.get("gzip"):
                    self.send_header("Content-Encoding", "gzip")
                self.end_headers()
                self.wfile.write(body)

            def watch(self, kind):
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                told = 0
                while True:
                    with api.changed:
                        while len(kind.events) == told:
                            api.changed.wait()
                        lines = kind.events[told:]
                        told = len(kind.events)
                    data = b"".join(lines)
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # podlane-kube ended during a watch

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "crt", self.folder / "key")
        server = Server(("127.0.0.1", 0), Handler)
        server.socket = context.wrap_socket(server.socket, server_side=True,
                                            do_handshake_on_connect=False)
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def happen(self, kind, *items):
        lines = [(text_of({"type": "MODIFIED", "object": item}) + "\n").encode() for item in items]
        with self.changed:
            self.kinds[kind].events += lines
            self.changed.notify_all()

    def kubeconfig(self):
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "x",
            "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                   "certificate-authority": "crt"}}],
            "users": [{"name": "x", "user": {"token": "t"}}]}), encoding="utf-8")
        return path


class Feeder:
    """podlane-kube, with its CPU time and memory."""

    def __init__(self, live, api):
        self.log = api.folder / "kube.log"
        self.started = time.perf_counter()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [BUILD / "podlane-kube", "--node", big_cluster.NODE, "--kubeconfig",
                 api.kubeconfig(), "--socket", live.socket_path, "--healthz", HEALTHZ,
                 "--read-only"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def wait(self, timeout=600):
        """Seconds until it reports that podlaned has everything."""
        while True:
            try:
                with urllib.request.urlopen(f"http://{HEALTHZ}/healthz", timeout=5):
                    return time.perf_counter() - self.started
            except (urllib.error.URLError, OSError):
                pass
            check(self.process.poll() is None and time.perf_counter() < self.started + timeout,
                  f"podlane-kube: {self.log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.02)

    def memory(self):
        lines = pathlib.Path(f"/proc/{self.process.pid}/status").read_text("ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        return tuple(int(fields[key].split()[0]) * 1024 for key in ("VmRSS", "VmHWM"))

    def cpu_seconds(self):
        """Of all its threads; in clock ticks."""
        stat = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text("ascii")
        return sum(map(int, stat.rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    def close(self):
        self.process.terminate()
        self.process.wait(30)


def expect_all(live, services, per_node):
    frontends = live.rpc.call("get", kind="frontends")["items"]
    check(len(frontends) == services, f"{len(frontends)} frontends of {services} Services")
    for index in {0, services // 2, services - 1}:
        wanted = sorted(f"{pod_address(index * ENDPOINTS + i, per_node)}:8080"
                        for i in range(ENDPOINTS))
        inside = next(each["inside"] for each in frontends
                      if each["service"] == f"default/{big_cluster.service_name(index)}")
        check(sorted(inside) == wanted, f"endpoints of Service {index}: {inside}")


def time_events(live, api, services, per_node, count):
    """Milliseconds from sending an event until podlaned reports that it is in use."""
    took = []
    cursor = live.rpc.call("watch", kinds=["frontends"])["cursor"]
    for number in range(count):
        index = number * 37 % services
        started = time.perf_counter()
        api.happen("endpointslices", endpoint_slice(index, per_node, moved=number + 1))
        answer = live.rpc.call("watch", kinds=["frontends"], since=cursor, waitSeconds=20)
        took.append((time.perf_counter() - started) * 1e3)
        cursor = answer["cursor"]
        name = f"default/{big_cluster.service_name(index)}"
        check([each["name"] for each in answer["events"]] == [name], f"{answer} after {name}")
        time.sleep(0.02)
    return sorted(took)


def heartbeats(feeder, api, nodes, pods, per_node, seconds, rate):
    """Share of a CPU for `rate` status updates of Pods a second, and those of the Nodes."""
    before = feeder.cpu_seconds()
    started = time.perf_counter()
    sent = 0
    while (now := time.perf_counter() - started) < seconds:
        due = int(now * rate)
        news = []
        while sent < due:
            item = pod(sent * 101 % pods, per_node)
            item["metadata"]["resourceVersion"] = str(2_000_000 + sent)
            item["status"]["containerStatuses"][0]["restartCount"] = sent
            news.append(item)
            sent += 1
        if news:
            api.happen("pods", *news)
            item = node(sent % nodes)
            item["metadata"]["resourceVersion"] = str(2_000_000 + sent)
            api.happen("nodes", item)
        time.sleep(0.1)
    return (feeder.cpu_seconds() - before) / (time.perf_counter() - started)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file")
    options = parser.parse_args()
    nodes, services, per_node = (50, 100, 30) if options.quick else (5000, 10_000, 30)
    pods = nodes * per_node
    say("making the objects")
    kinds = {
        "namespaces": Kind([{"metadata": {"name": "default", "resourceVersion": "1"}}]),
        "nodes": Kind(map(node, range(nodes))),
        "pods": Kind(pod(index, per_node) for index in range(pods)),
        "services": Kind(map(big_cluster.service, range(services))),
        "endpointslices": Kind(endpoint_slice(index, per_node) for index in range(services)),
        "networkpolicies": Kind([]),
    }
    size = sum(kind.bytes for kind in kinds.values())
    for kind in kinds.values():
        kind.finish()
    config = big_cluster.node_config()
    config["idle"] = "adaptive"
    table = Table()
    with tempfile.TemporaryDirectory() as folder, Live(config, folder) as live:
        api = Api(kinds, pathlib.Path(folder))
        empty = live.memory()[0]
        feeder = Feeder(live, api)
        try:
            seconds = feeder.wait()
            (now, most), (node_now, node_most) = feeder.memory(), live.memory()
            expect_all(live, services, per_node)
            name = f"{nodes:,} Nodes, {services:,} Services, {pods:,} Pods"
            table.add(f"{name}: lists of {size / MIB:.0f} MiB, from start to all served", seconds,
                      "s")
            table.add("podlane-kube: CPU time of that", feeder.cpu_seconds(), "s")
            table.add("podlane-kube: RSS then, at most", most / 1e6, "MB", all=[now, most])
            table.add("podlane-kube: RSS afterwards", now / 1e6, "MB")
            table.add("podlaned: RSS at most", node_most / 1e6, "MB", all=[empty, node_most])
            table.add("podlaned: RSS afterwards", node_now / 1e6, "MB")
            table.add("podlaned: RSS with nothing", empty / 1e6, "MB")
            took = time_events(live, api, services, per_node, 20 if options.quick else 300)
            table.add("an endpoint's event until it is in use, median", statistics.median(took),
                      "ms", 10)
            table.add("an endpoint's event until it is in use, 99 %", took[len(took) * 99 // 100],
                      "ms")
            share = heartbeats(feeder, api, nodes, pods, per_node, 2 if options.quick else 20, 200)
            table.add("podlane-kube: CPU of 200 status updates a second", 100 * share, "%")
        finally:
            feeder.close()
    table.show()
    table.save(options.json)


if __name__ == "__main__":
    main()
