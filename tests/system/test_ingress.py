"""Ingresses: nginx in a pod, configured by `podlanectl ingress config`; requests from outside."""

import base64
import contextlib
import json
import os
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import PYTHON, CommandFailed, run, wait_until
from lab.node import program

WEB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "web.py")
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden/ingress")
FOLDER = "/run/lab/ingress"
HTTP, HTTPS = 30080, 30443
BALANCER = "192.0.2.80"
FAMILIES = (4, 6)

# kubernetes.io/docs/concepts/services-networking/ingress: type, paths (the first is served by
# s1, the second by s2 ...), request, the server that answers.
TABLE = [
    ("Prefix", ["/"], "/any/path", "s1"),
    ("Exact", ["/foo"], "/foo", "s1"),
    ("Exact", ["/foo"], "/bar", 404),
    ("Exact", ["/foo"], "/foo/", 404),
    ("Exact", ["/foo/"], "/foo", 404),
    ("Prefix", ["/foo"], "/foo", "s1"),
    ("Prefix", ["/foo"], "/foo/", "s1"),
    ("Prefix", ["/foo/"], "/foo", "s1"),
    ("Prefix", ["/foo/"], "/foo/", "s1"),
    ("Prefix", ["/aaa/bb"], "/aaa/bbb", 404),
    ("Prefix", ["/aaa/bbb"], "/aaa/bbb", "s1"),
    ("Prefix", ["/aaa/bbb/"], "/aaa/bbb", "s1"),
    ("Prefix", ["/aaa/bbb"], "/aaa/bbb/", "s1"),
    ("Prefix", ["/aaa/bbb"], "/aaa/bbb/ccc", "s1"),
    ("Prefix", ["/aaa/bbb"], "/aaa/bbbxyz", 404),
    ("Prefix", ["/", "/aaa"], "/aaa/ccc", "s2"),
    ("Prefix", ["/", "/aaa"], "/aaa", "s2"),
    ("Prefix", ["/", "/aaa", "/aaa/bbb"], "/aaa/bbb", "s3"),
    ("Prefix", ["/", "/aaa", "/aaa/bbb"], "/ccc", "s1"),
    ("Prefix", ["/aaa"], "/ccc", 404),
]


def backend(service, port=80):
    key = "name" if isinstance(port, str) else "number"
    return {"service": {"name": service, "port": {key: port}}}


def rule(host, *paths):
    """`paths`: (type, path, Service)."""
    made = {"http": {"paths": [{"path": path, "pathType": kind, "backend": backend(service)}
                               for kind, path, service in paths]}}
    return {"host": host, **made} if host else made


def ingress(name, rules, **spec):
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name},
            "spec": {"rules": rules, **spec}}


def key_pair(name):
    """A self-signed certificate for NAME.example.com; returns its file and its Secret."""
    crt, key = f"/run/lab/{name}.crt", f"/run/lab/{name}.key"
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
         f"subjectAltName=DNS:{name}.example.com", "-keyout", key, "-out", crt])
    data = {}
    for field, path in (("tls.crt", crt), ("tls.key", key)):
        with open(path, "rb") as file:
            data[field] = base64.b64encode(file.read()).decode()
    return crt, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name},
                 "type": "kubernetes.io/tls", "data": data}


def call(namespace, function, **arguments):
    done = namespace.run([PYTHON, WEB, "call", function], stdin=json.dumps(arguments), timeout=60)
    return json.loads(done.stdout)


class Proxy:
    """nginx in its pod, with `podlanectl ingress config --watch` beside it."""

    def __init__(self, cluster):
        self.node = cluster.nodes["a"]
        self.pod = cluster.pod("a", "proxy", servers=False)
        self.namespace = self.pod.namespace
        self.watcher = None

    def command(self, *words, folder=FOLDER):
        return [program("podlanectl"), "--socket", self.node.socket, "ingress", "config", "--out",
                folder, *words]

    def config(self, *words, folder=FOLDER, check=True):
        return self.namespace.run(self.command(*words, folder=folder), check=check)

    def start(self):
        self.config()
        nginx = self.namespace.spawn(["nginx", "-e", "stderr", "-c", f"{FOLDER}/nginx.conf", "-g",
                                      "daemon off;"], "/run/lab/nginx.log")
        wait_until(lambda: ":443 " in self.namespace.run(["ss", "-Hltn"]).stdout, 10,
                   "nginx listens")
        self.watcher = self.namespace.spawn(
            self.command("--watch", "--reload-pid", f"{FOLDER}/nginx.pid"), "/run/lab/watch.log")
        return nginx


def golden(report, cluster, proxy):
    """podlanectl writes the configuration that the unit tests expect, and nginx accepts it."""
    for name in sorted(os.listdir(GOLDEN)):
        source = os.path.join(GOLDEN, name)
        if not os.path.isdir(source):
            continue
        with report.check(f"nginx accepts the configuration of {name}"):
            folder = f"/run/lab/golden-{name}"
            proxy.node.ctl("apply", "-f", f"{source}/objects.yml")
            told = proxy.config(folder=folder)
            proxy.node.ctl("delete", "-f", f"{source}/objects.yml")
            with open(f"{folder}/nginx.conf", encoding="utf-8") as file:
                written = file.read()
            with open(f"{source}/nginx.conf", encoding="utf-8") as file:
                expect_equal(written.replace(folder, "/etc/podlane/ingress"), file.read())
            with open(f"{source}/warnings.txt", encoding="utf-8") as file:
                wanted = ["warning: " + line for line in file.read().splitlines()]
            expect_equal([line.replace("\\\\", "\\") for line in told.stderr.splitlines()], wanted)


def backends(cluster):
    """s1, s2, s3: a Service each, for the ports of a web server on each node."""
    pods = [cluster.pod("a", "web-a", servers=False), cluster.pod("b", "web-b", servers=False)]
    for pod in pods:
        pod.namespace.spawn([PYTHON, WEB, "serve", pod.name, "8001", "8002", "8003"])
    for pod in pods:
        wait_until(lambda pod=pod: ":8003 " in pod.namespace.run(["ss", "-Hltn"]).stdout, 10,
                   f"{pod.name} listens")
    made = []
    for number in (1, 2, 3):
        made.append(objects.service(f"s{number}", [f"10.96.1.{number}"],
                                    [objects.port(80, 8000 + number, name="http")]))
        ends = [objects.endpoint(pod.address(4), pod.node.name) for pod in pods]
        made.append(objects.endpoint_slice(f"s{number}", ends, [("http", "TCP", 8000 + number)]))
    return made


def front(proxy):
    """The Service in front of nginx: NodePorts of both families, and a load balancer's address."""
    ports = [objects.port(80, 80, name="http", node_port=HTTP),
             objects.port(443, 443, name="https", node_port=HTTPS)]
    service = objects.service("ingress", ["10.96.1.80", "fd00:10:96::80"], ports,
                              type="LoadBalancer")
    service["status"] = {"loadBalancer": {"ingress": [{"ip": BALANCER}]}}
    targets = [("http", "TCP", 80), ("https", "TCP", 443)]
    return [service, *(objects.endpoint_slice(
        "ingress", [objects.endpoint(proxy.pod.address(family), proxy.node.name)], targets,
        family=family) for family in FAMILIES)]


def answers(cluster, asked, port=HTTP):
    """The server that answered each (host, path), or the status."""
    seen = call(cluster.outside, "requests", address=cluster.nodes["b"].address(4), port=port,
                asked=asked)
    return [f"s{got['server'][-1]}" if status == 200 else status for status, got in seen]


def reloaded():
    """Whether all of nginx's workers have one configuration: in a reload, old ones accept too."""
    with open(f"{FOLDER}/nginx.pid", encoding="utf-8") as file:
        master = file.read().strip()
    with open(f"/proc/{master}/task/{master}/children", encoding="utf-8") as file:
        children = file.read().split()
    titles = []
    for child in children:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{child}/cmdline", encoding="utf-8") as file:
                titles.append(file.read().strip("\0 "))
    return titles.count("nginx: worker process") == os.sysconf("SC_NPROCESSORS_ONLN")


def wait_for(cluster, host, path, who):
    """Until WHO answers, and no worker with an older configuration is left."""
    wait_until(lambda: answers(cluster, [(host, path)]) == [who] and reloaded(), 10,
               f"{host}{path}: {who}")


def paths(report, cluster):
    rules = [rule(f"row{number}.example.com",
                  *((kind, path, f"s{which}") for which, path in enumerate(served, 1)))
             for number, (kind, served, _, _) in enumerate(TABLE)]
    rules.append(rule("mixed.example.com", ("Prefix", "/foo", "s1"), ("Exact", "/foo", "s2"),
                      ("ImplementationSpecific", "/foo/bar/", "s3")))
    rules.append(rule("*.wild.example.com", ("Prefix", "/", "s1")))
    rules.append(rule("exact.wild.example.com", ("Prefix", "/", "s2")))
    rules.append(rule("lost.example.com", ("Prefix", "/", "nowhere")))
    rules.append(rule("encoded.example.com", ("Exact", "/a%20b", "s1"),
                      ("Prefix", "/caf%C3%A9", "s2"), ("Prefix", "/$host;{}#", "s3")))
    rules.append(rule("", ("Prefix", "/all", "s3")))
    cluster.apply(ingress("table", rules))
    wait_for(cluster, "row0.example.com", "/", "s1")
    seen = answers(cluster, [(f"row{number}.example.com", row[2])
                             for number, row in enumerate(TABLE)])
    for row, got in zip(TABLE, seen):
        kind, served, asked, wanted = row
        with report.check(f"{kind} {', '.join(served)}: a request for {asked} gets {wanted}"):
            expect_equal(got, wanted)
    for host, path, wanted in (
            ("mixed.example.com", "/foo", "s2"), ("mixed.example.com", "/foo/", "s1"),
            ("mixed.example.com", "/foo/bar", "s3"), ("mixed.example.com", "/foo/x?/foo/bar", "s1"),
            ("MIXED.example.com:30080", "/foo", "s2"), ("a.wild.example.com", "/", "s1"),
            ("exact.wild.example.com", "/", "s2"), ("wild.example.com", "/", 404),
            ("a.b.wild.example.com", "/", 404), ("a.b.wild.example.com", "/all/x", "s3"),
            ("nobody.example.org", "/all", "s3"), ("row0.example.org", "/", 404),
            ("encoded.example.com", "/a%20b", "s1"), ("encoded.example.com", "/%61%20b", "s1"),
            ("encoded.example.com", "/a%2520b", 404), ("encoded.example.com", "/caf%c3%a9/x", "s2"),
            ("encoded.example.com", "/$host;%7b}%23/x", "s3"), ("lost.example.com", "/x", 503)):
        with report.check(f"http://{host}{path} gets {wanted}"):
            expect_equal(answers(cluster, [(host, path)]), [wanted])


def everywhere(report, cluster):
    """Either node, either family, the load balancer's address; what the backend is told."""
    outside = cluster.outside
    outside.ip("route", "add", BALANCER, "via", cluster.nodes["b"].address(4))
    targets = [(node.address(family), HTTP, f"{node.name}, IPv{family}")
               for node in cluster.nodes.values() for family in FAMILIES]
    for address, port, what in [*targets, (BALANCER, 80, "the load balancer's address")]:
        with report.check(f"an outside client reaches the Ingress through {what}"):
            status, seen = call(outside, "request", address=address, port=port,
                                host="row0.example.com", path="/a%2Fb//c?q=1")
            expect_equal(status, 200)
            expect_equal(seen["path"], "/a%2Fb//c?q=1", "the path as it was sent")
    with report.check("the backend is told who asked whom, and not what a client invents"):
        _, seen = call(outside, "request", address=cluster.nodes["a"].address(4), port=HTTP,
                       host="row0.example.com", path="/",
                       headers={"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"})
        headers = seen["headers"]
        expect_equal(headers["host"], "row0.example.com")
        expect_equal(headers["x-forwarded-host"], "row0.example.com")
        expect_equal(headers["x-forwarded-proto"], "http")
        expect("1.2.3.4" not in headers["x-forwarded-for"], headers["x-forwarded-for"])
    with report.check("a WebSocket passes"):
        seen = call(outside, "websocket", address=cluster.nodes["b"].address(4), port=HTTP,
                    host="row0.example.com", path="/", count=20)
        expect_equal(seen, {"status": "HTTP/1.1 101 Switching Protocols", "echoed": 20})


def https(cluster, name, ca, node="b"):
    """curl's exit code and output."""
    target = f"{name}.example.com:{HTTPS}:{cluster.nodes[node].address(4)}"
    return cluster.outside.run(
        ["curl", "-sS", "--max-time", "5", "--cacert", ca, "--resolve", target,
         f"https://{name}.example.com:{HTTPS}/x"], check=False)


def tls(report, cluster, proxy):
    shop, secret = key_pair("shop")
    other, other_secret = key_pair("other")
    names = ("shop", "other", "bad")
    rules = [rule(f"{name}.example.com", ("Prefix", "/", "s1")) for name in names]
    entries = [{"hosts": [f"{name}.example.com"], "secretName": name} for name in names]
    broken = {**secret, "metadata": {"name": "bad"},
              "data": {**secret["data"], "tls.key": other_secret["data"]["tls.key"]}}
    wild, wild_secret = key_pair("any.wild")
    entries.append({"hosts": ["*.wild.example.com"], "secretName": "any.wild"})
    cluster.apply(secret, other_secret, wild_secret, broken, ingress("tls", rules, tls=entries))
    wait_for(cluster, "bad.example.com", "/", "s1")
    for name, ca in (("shop", shop), ("other", other), ("any.wild", wild)):
        for node in cluster.nodes:
            with report.check(f"TLS: {name} is served with its own certificate by node {node}"):
                done = https(cluster, name, ca, node)
                expect_equal(done.returncode, 0, done.stderr)
                seen = json.loads(done.stdout)["headers"]
                expect_equal(seen["x-forwarded-proto"], "https")
                expect_equal(seen["x-forwarded-port"], "443")
    for name in ("bad", "row0"):
        with report.check(f"TLS: a handshake for {name}, without a good certificate, is refused"):
            done = https(cluster, name, shop)
            expect_equal(done.returncode, 35, done.stdout + done.stderr)
    with report.check("TLS: a key that does not belong to its certificate is named"):
        line = proxy.watcher.wait_for_line(lambda text: "default/bad" in text, 5, "warning")
        expect_equal(line, "warning: Ingress default/tls: Secret default/bad: tls.key is not the "
                           "key of the certificate in tls.crt; its hosts are served without TLS")
    with report.check("TLS: a new certificate is served without a restart"):
        renewed, secret = key_pair("shop")
        cluster.apply(secret)
        wait_until(lambda: https(cluster, "shop", renewed).returncode == 0, 10, "the new one")
    with report.check("files with keys are for their owner alone"):
        for folder, _, names in os.walk(FOLDER):
            for name in names:
                if name.endswith((".pem", ".conf")):
                    expect_equal(os.stat(f"{folder}/{name}").st_mode & 0o777, 0o600, name)
    with report.check("get shows of a Secret no more than sizes"):
        shown = "".join(proxy.node.ctl("-o", form, "get", "secrets").stdout
                        for form in ("table", "wide", "json", "yaml"))
        for value in secret["data"].values():
            expect(value[40:80] not in shown, "contents are shown")
        expect('"tls.key":' in shown and "default/shop" in shown, shown[:400])


def updates(report, cluster):
    """An Ingress that changes: what it no longer names is no longer served."""
    cluster.apply(ingress("moving", [rule("moving.example.com", ("Prefix", "/old", "s1"))]))
    wait_for(cluster, "moving.example.com", "/old", "s1")
    cluster.apply(ingress("moving", [rule("moving.example.com", ("Prefix", "/new", "s2"))]))
    with report.check("a changed path is served, the former one is not"):
        wait_for(cluster, "moving.example.com", "/new", "s2")
        expect_equal(answers(cluster, [("moving.example.com", "/old")]), [404])
    with report.check("a host with TLS that gets another name is served with its certificate"):
        cas = {}
        for name in ("before", "after"):
            cas[name], secret = key_pair(name)
            host = f"{name}.example.com"
            cluster.apply(secret, ingress("renamed", [rule(host, ("Prefix", "/", "s1"))],
                                          tls=[{"hosts": [host], "secretName": name}]))
            wait_for(cluster, host, "/", "s1")
            expect_equal(https(cluster, name, cas[name]).returncode, 0, name)
        expect_equal(https(cluster, "before", cas["before"]).returncode, 35, "the former name")
    with report.check("a removed Ingress is not served"):
        for node in cluster.nodes.values():
            node.ctl("delete", "ingress", "default/moving")
        wait_for(cluster, "moving.example.com", "/new", 404)


def reloads(report, cluster, proxy, ends):
    """Changes under load: no request is lost, and a running one completes."""
    cluster.apply(ingress("load", [rule("load.example.com", ("Prefix", "/", "s1"))]))
    wait_for(cluster, "load.example.com", "/", "s1")
    addresses = [node.address(4) for node in cluster.nodes.values()]

    def spawn(function, **arguments):
        return cluster.outside.spawn(
            [PYTHON, WEB, "call", function, json.dumps({"port": HTTP, **arguments})])

    log = proxy.watcher.output().count("written")
    load = spawn("load", addresses=addresses, host="load.example.com", clients=20, seconds=8)
    socket = spawn("websocket", address=addresses[0], host="load.example.com", path="/", count=14,
                   pause=0.5)
    slow = spawn("request", address=addresses[1], host="load.example.com", path="/slow")
    for number in range(4):
        time.sleep(1.2)
        who = f"s{number % 2 + 1}"
        # As in a rolling update: one finishes its requests and goes, and the other comes.
        leaving = {"ready": False, "serving": True, "terminating": True}
        for which in (1, 2):
            turned = [{**end, "conditions": leaving} if place == number % 2 else end
                      for place, end in enumerate(ends)]
            cluster.apply(objects.endpoint_slice(f"s{which}", turned,
                                                 [("http", "TCP", 8000 + which)]))
        cluster.apply(ingress("load", [rule("load.example.com", ("Prefix", "/", who),
                                            ("Prefix", f"/turn{number}", "s3"))]))
    with report.check("20 clients lose no request while the Ingress and endpoints change"):
        seen = lab.result_of(load, 30)
        report.note(f"{seen['done']} requests")
        expect_equal(seen["failed"], 0, f"of {seen['done']}: {seen['failures']}")
        expect(seen["done"] > 200, f"only {seen['done']} requests")
        expect(proxy.watcher.output().count("written") - log >= 3, proxy.watcher.output()[-500:])
    with report.check("a request that was under way at a reload is answered"):
        expect_equal(lab.result_of(slow, 30)[0], 200)
    with report.check("a WebSocket lives through the reloads"):
        expect_equal(lab.result_of(socket, 30)["echoed"], 14)


def unavailable(report, cluster, ends):
    """503: there is no endpoint. 502: the endpoint gave no valid answer."""
    name, host = "idle", "idle.example.com"
    cluster.apply(objects.service(name, ["10.96.1.9"], [objects.port(80, 8001, name="http")]),
                  ingress(name, [rule(host, ("Prefix", "/", name))]))
    wait_for(cluster, host, "/", 503)
    with report.check("a Service without an endpoint answers 503"):
        expect_equal(answers(cluster, [(host, "/")] * 20), [503] * 20)
    with report.check("and is served with the first request after it has one"):
        cluster.apply(objects.endpoint_slice(name, ends, [("http", "TCP", 8001)]))
        expect_equal(answers(cluster, [(host, "/")]), ["s1"])
    with report.check("a backend's own 502 and 503 are passed on, and one that hangs up is a 502"):
        expect_equal(answers(cluster, [(host, "/status/502"), (host, "/status/503"),
                                       (host, "/hangup")]), [502, 503, 502])
    with report.check("503 again when its last endpoint is not ready"):
        gone = [{**end, "conditions": {"ready": False, "serving": False}} for end in ends]
        cluster.apply(objects.endpoint_slice(name, gone, [("http", "TCP", 8001)]))
        expect_equal(answers(cluster, [(host, "/")]), [503])


def status(report, cluster, proxy):
    with report.check("ingress status gives each Ingress the address of the Service before nginx"):
        shown = json.loads(proxy.node.ctl("ingress", "status", "default/ingress").stdout)["items"]
        names = {item["metadata"]["name"] for item in shown}
        expect({"table", "tls"} <= names, f"of {names}")
        for item in shown:
            expect_equal(item["status"]["loadBalancer"]["ingress"], [{"ip": BALANCER}])
    with report.check("get ingresses shows the address that an Ingress's status has"):
        made = ingress("shown", [rule("shown.example.com", ("Prefix", "/", "s1"))])
        cluster.apply({**made, "status": shown[0]["status"]})
        listing = proxy.node.ctl("get", "ingresses").stdout
        expect(any(line.split()[0] == "default/shown" and line.split()[-1] == BALANCER
                   for line in listing.splitlines()), listing)


def stale_pid(report, proxy):
    """The number in the pid file may belong to another process by now."""
    other = proxy.namespace.spawn(["sleep", "60"])
    with report.check("a process that is not nginx is not signalled, and is named"):
        folder, pid_file = "/run/lab/stale", "/run/lab/stale.pid"
        with open(pid_file, "w", encoding="utf-8") as file:
            file.write(f"{other.popen.pid}\n")
        done = proxy.config("--reload-pid", pid_file, folder=folder, check=False)
        number = other.popen.pid
        expect_equal((done.returncode, done.stderr.splitlines()[-1]),
                     (1, f"error: {pid_file}: process {number} is sleep, not nginx; nginx was "
                         "not reloaded"))
        expect(other.popen.poll() is None, "it got the signal")
    other.stop()


def faults(report, cluster, proxy):
    with report.check("a path that would be syntax is named, and everything else stays served"):
        cluster.apply(ingress("evil", [rule("evil.example.com",
                                            ("Prefix", '/x"; return 200 "owned', "s1"),
                                            ("Prefix", "/good", "s2"))]))
        wait_for(cluster, "evil.example.com", "/good", "s2")
        expect_equal(answers(cluster, [("evil.example.com", "/x"), ("row0.example.com", "/")]),
                     [404, "s1"])
        proxy.watcher.wait_for_line(lambda text: "Ingress default/evil: path" in text, 5, "warning")
    with report.check("a configuration that nginx refuses is one line, and the old one stays"):
        before = os.stat(f"{FOLDER}/nginx.conf").st_ino
        os.makedirs(f"{FOLDER}/http.d")
        with open(f"{FOLDER}/http.d/own.conf", "w", encoding="utf-8") as file:
            file.write("nonsense;\n")
        cluster.apply(ingress("evil", [rule("late.example.com", ("Prefix", "/", "s2"))]))
        line = proxy.watcher.wait_for_line(lambda text: text.startswith("error:"), 10, "error")
        expect('unknown directive "nonsense"' in line, line)
        expect_equal(os.stat(f"{FOLDER}/nginx.conf").st_ino, before, "the file")
        expect_equal(answers(cluster, [("row0.example.com", "/")]), ["s1"])
        os.unlink(f"{FOLDER}/http.d/own.conf")
        wait_for(cluster, "late.example.com", "/", "s2")
    with report.check("with podlaned away, what was served stays served"):
        # Node a forwards nothing then, so nginx is queried in its pod, for paths without backend.
        def status():
            seen = call(proxy.namespace, "request", address="127.0.0.1", port=80,
                        host="lost.example.com", path="/")
            return seen[0]

        expect_equal(status(), 503)
        expect_equal(proxy.node.stop(), 0, "exit code")
        proxy.watcher.wait_for_line(lambda text: "is podlaned running" in text, 10, "error")
        expect_equal(status(), 503)


@lab.with_cluster()
def tests(report, options, cluster):
    proxy = Proxy(cluster)
    golden(report, cluster, proxy)
    served = backends(cluster)
    cluster.apply(*served, *front(proxy))
    proxy.start()
    try:
        paths(report, cluster)
        everywhere(report, cluster)
        unavailable(report, cluster, served[1]["endpoints"])
        tls(report, cluster, proxy)
        updates(report, cluster)
        reloads(report, cluster, proxy, served[1]["endpoints"])
        status(report, cluster, proxy)
        stale_pid(report, proxy)
        faults(report, cluster, proxy)
    except (CommandFailed, TimeoutError):
        for name in ("nginx", "watch"):
            with open(f"/run/lab/{name}.log", encoding="utf-8") as file:
                report.note(f"--- {name}: {file.read()[-2000:]}")
        raise


if __name__ == "__main__":
    lab.main(tests, workers=1, overlay="vxlan")
