"""An API server that replays recordings: lists and watches over HTTPS, well-behaved or not.

It replays the events of a real API server (`watch/KIND.jsonl`, one per line, from an empty cluster
on): `advance()` lets a number of them happen and sends them to all watchers. `faults` is a set of
words; while it is not empty, requests meet these faults at random:

  cut      the connection ends in the middle of a line       slow      bytes come one by one
  gone     410, as a status or as an event                    garbage   no JSON at all
  busy     429 with Retry-After                               broken    500
  twice    an event comes twice                               swapped   two events change places
  old      a list as it was some events ago (a replica that lags)
"""

import copy
import http.server
import json
import os
import random
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse

PATHS = {
    "/api/v1/namespaces": "namespaces", "/api/v1/nodes": "nodes", "/api/v1/pods": "pods",
    "/api/v1/services": "services",
    "/apis/discovery.k8s.io/v1/endpointslices": "endpointslices",
    "/apis/networking.k8s.io/v1/networkpolicies": "networkpolicies",
}
ENDED = ("Succeeded", "Failed")


def version(item):
    return int(item["metadata"]["resourceVersion"])


def key(item):
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


class Kind:
    """One resource: the events of its recording; some have happened."""

    def __init__(self, folder, name):
        self.name = name
        self.events = []
        with open(os.path.join(folder, "watch", f"{name}.jsonl"), encoding="utf-8") as lines:
            for line in lines:
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED", "DELETED"):
                    self.events.append(event)
        self.happened = 0

    def state(self, events_ago=0):
        """The contents of a list, and its version."""
        items, newest = {}, 1
        for event in self.events[:max(0, self.happened - events_ago)]:
            item = event["object"]
            newest = version(item)
            if event["type"] == "DELETED":
                items.pop(key(item), None)
            else:
                items[key(item)] = item
        return list(items.values()), newest


class ApiServer:
    """`with ApiServer(folder) as api:` serves on 127.0.0.1; `api.kubeconfig` is the way to it."""

    def __init__(self, fixtures, work, seed=1):
        self.kinds = {name: Kind(fixtures, name) for name in PATHS.values()}
        self.work = work
        self.faults = set()
        self.random = random.Random(seed)
        self.changed = threading.Condition()
        self.written = []  # (method, path, body) of each write request
        self.requests = 0
        self.connections = set()
        self.streams_lists = False
        self.closing = False
        self.port = 0
        self.http = None
        self._make_certificates()
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _make_certificates(self):
        def openssl(*words):
            subprocess.run(["openssl", *words], check=True, capture_output=True, cwd=self.work)
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out",
                "ca.crt", "-days", "2", "-subj", "/CN=test-ca")
        for name, what in (("san", "IP:127.0.0.1"), ("name", "DNS:api.lab.example")):
            with open(os.path.join(self.work, name), "w", encoding="utf-8") as file:
                file.write(f"subjectAltName={what}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", "api.key", "-out", "api.csr",
                "-subj", "/CN=kube-apiserver")
        sign = ["x509", "-req", "-in", "api.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-extfile"]
        openssl(*sign, "san", "-out", "good.crt", "-days", "2")
        # Valid until yesterday.
        openssl(*sign, "san", "-out", "expired.crt", "-days", "-1")
        openssl(*sign, "name", "-out", "named.crt", "-days", "2")

    def start(self, certificate="good.crt"):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                api.connections.add(self.connection)

            def log_message(self, *_):
                pass

            def do_GET(self):
                Answer(api, self).get()

            def do_POST(self):
                self._written(201)

            def do_PATCH(self):
                self._written(200)

            def _written(self, status):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                api.written.append((self.command, self.path, json.loads(body)))
                Answer(api, self).whole(status, b"{}")

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, *_):
                pass  # ended connections are part of the test

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.path.join(self.work, certificate),
                                os.path.join(self.work, "api.key"))
        self.closing = False
        self.http = Server(("127.0.0.1", self.port), Handler)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True,
                                               do_handshake_on_connect=False)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        self.http.shutdown()
        self.http.server_close()
        for each in self.connections:
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended already
        self.connections.clear()

    def write_kubeconfig(self, path, **cluster):
        config = {
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "node"}}],
            "clusters": [{"name": "lab", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                     "certificate-authority": "ca.crt",
                                                     **cluster}}],
            "users": [{"name": "node", "user": {"token": "secret"}}],
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
        return path

    def advance(self, count):
        """Lets `count` more events of each kind happen; false when there are none left."""
        with self.changed:
            for kind in self.kinds.values():
                kind.happened = min(len(kind.events), kind.happened + count)
            self.changed.notify_all()
            return any(kind.happened < len(kind.events) for kind in self.kinds.values())

    def happen(self, name, what, item):
        """An event that is in no recording; only after all recorded ones."""
        with self.changed:
            kind = self.kinds[name]
            newest = version(kind.events[-1]["object"])
            item = copy.deepcopy(item)
            item["metadata"]["resourceVersion"] = str(newest + 1)
            kind.events.append({"type": what, "object": item})
            kind.happened = len(kind.events)
            self.changed.notify_all()

    def final(self, name):
        return self.kinds[name].state()[0]

    def meets(self, *words):
        """Whether a request meets one of these faults now."""
        possible = [word for word in words if word in self.faults]
        return self.random.choice(possible) if possible and self.random.random() < 0.4 else None


class Answer:
    """The answer to one request."""

    def __init__(self, api, request):
        self.api = api
        self.request = request

    def whole(self, status, body, **headers):
        self.request.send_response(status)
        self.request.send_header("Content-Type", "application/json")
        self.request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.request.send_header(name.replace("_", "-"), value)
        self.request.end_headers()
        self.request.wfile.write(body)

    def status(self, code, message, **headers):
        self.whole(code, json.dumps({"kind": "Status", "code": code,
                                     "message": message}).encode(), **headers)

    def get(self):
        api = self.api
        api.requests += 1
        url = urllib.parse.urlsplit(self.request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if self.request.headers.get("Authorization") != "Bearer secret":
            return self.status(401, "Unauthorized")
        if url.path not in PATHS:
            return self.status(403 if "secrets" in url.path else 404, f"no {url.path} here")
        fault = api.meets("busy", "broken", "garbage", "gone")
        if fault == "busy":
            return self.status(429, "too many requests", Retry_After="1")
        if fault == "broken":
            return self.status(500, "etcdserver: leader changed")
        if fault == "garbage":
            return self.whole(200, b"<html>a proxy says hello</html>\n")
        if fault == "gone":
            return self.status(410, "too old")
        kind = api.kinds[PATHS[url.path]]
        if "watch" in query:
            return self.watch(kind, query)
        return self.list(kind, query)

    def list(self, kind, query):
        # All pages of a list show one moment; the token for the next page names it.
        with self.api.changed:
            moment, begin = kind.happened - (7 if self.api.meets("old") else 0), 0
            if "continue" in query:
                moment, begin = map(int, query["continue"].split(":"))
            items, newest = kind.state(kind.happened - moment)
        size = min(int(query.get("limit", 500)), 20)
        page = [{k: v for k, v in item.items() if k not in ("kind", "apiVersion")}
                for item in items[begin:begin + size]]
        more = f"{moment}:{begin + size}" if begin + size < len(items) else ""
        body = json.dumps({"kind": "List", "metadata": {"resourceVersion": str(newest),
                                                        "continue": more}, "items": page}).encode()
        if self.api.meets("cut"):
            self.request.send_response(200)
            self.request.send_header("Content-Length", str(len(body)))
            self.request.end_headers()
            self.request.wfile.write(body[:len(body) // 2])
            self.request.close_connection = True
            return
        self.whole(200, body)

    def watch(self, kind, query):
        request = self.request
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        if "sendInitialEvents" in query:
            if not self.api.streams_lists:
                self.chunk(json.dumps({"type": "ERROR", "object": {
                    "code": 500, "message": "no watch list on this server"}}) + "\n")
                return self.chunk("")
            with self.api.changed:
                items, newest = kind.state()
            for item in items:
                self.chunk(json.dumps({"type": "ADDED", "object": item}) + "\n")
            self.chunk(json.dumps({"type": "BOOKMARK", "object": {"metadata": {
                "resourceVersion": str(newest),
                "annotations": {"k8s.io/initial-events-end": "true"}}}}) + "\n")
            query = {**query, "resourceVersion": str(newest)}
        told = int(query.get("resourceVersion", 0))
        ends = time.monotonic() + min(float(query.get("timeoutSeconds", 60)), 60)
        while time.monotonic() < ends:
            with self.api.changed:
                news = [e for e in kind.events[:kind.happened] if version(e["object"]) > told]
                if not news:
                    if self.api.closing:
                        break
                    self.api.changed.wait(0.5)
                    continue
            if not self.tell(news):
                request.close_connection = True
                return None
            told = version(news[-1]["object"])
        return self.chunk("")

    def tell(self, news):
        """Sends events; false when the connection is to end."""
        if len(news) > 1 and self.api.meets("swapped"):
            at = self.api.random.randrange(len(news) - 1)
            news[at], news[at + 1] = news[at + 1], news[at]
        for event in news:
            line = json.dumps(event) + "\n"
            if self.api.meets("twice"):
                line += line
            if self.api.random.random() < 0.1 and self.api.meets("cut"):
                self.chunk(line[:len(line) // 2])
                return False
            if self.api.random.random() < 0.05 and self.api.meets("slow"):
                for at in range(0, len(line), 400):
                    self.chunk(line[at:at + 400])
                    time.sleep(0.01)
            else:
                self.chunk(line)
        return True

    def chunk(self, text):
        data = text.encode()
        self.request.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.request.wfile.flush()
