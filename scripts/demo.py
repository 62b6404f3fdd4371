#!/usr/bin/python3
"""The demo: a web shop and its database on two Podlane nodes, from end to end.

Two nodes, an outside client and four pods are made as network namespaces; nginx, php-fpm and
MariaDB run in the pods; the objects of configs/demo are applied with podlanectl. Each kind of
communication is tried, and shown with the hops that its packets took. Nothing is left behind, even
after an interrupt. With --keep the network stays until it is told to stop.
"""

import os
import signal
import sys
import time
import traceback

from lab import kubelet, objects
from lab.isolate import Interrupted, Unavailable, isolate
from lab.net import PYTHON, CommandFailed, Namespace, Wire, add_addresses, wait_until
from lab.node import BUILD, Node, program

_HERE = os.path.dirname(os.path.abspath(__file__))
CONFIGS = os.path.join(os.path.dirname(_HERE), "configs/demo")
RESOLVER = os.path.join(_HERE, "lab/resolver.py")
FILES = ["nodes.yml", "webapp.yml", "mysql.yml", "webservice.yml", "sqlservice.yml",
         "ingress.yml", "ingress-proxy.yml", "suppliers.yml"]
NODE_PORT = 30080
INGRESS_PORT = 30088
INGRESS_HOST = "shop.example.com"
PRODUCTS = [("Red lamp", "19.90"), ("Blue chair", "74.00"), ("Green table", "210.50"),
            ("Oak shelf", "99.95")]
LOCAL_REQUESTS = 20
OUTSIDE = "192.168.50.100"
STOCK = "250 lamps, 80 chairs\n"


class DemoFailed(Exception):
    """A step of the demo failed."""


def require(condition, text):
    if not condition:
        raise DemoFailed(text)


def config(name):
    return os.path.join(CONFIGS, name)


class Counters:
    """How much the nodes' port counters grew during a `with` block."""

    def __init__(self, nodes):
        self._nodes = nodes
        self._before = {}
        self.gained = []

    def _read(self):
        return {
            (node.name, port["name"]): (port["rxPackets"], port["txPackets"])
            for node in self._nodes
            for port in node.stats()["ports"]
        }

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *_exception):
        for key, (received, sent) in self._read().items():
            was_received, was_sent = self._before.get(key, (0, 0))
            if (received, sent) != (was_received, was_sent):
                self.gained.append((*key, received - was_received, sent - was_sent))

    def of(self, node, port):
        """Packets of one port, both ways."""
        return sum(row[2] + row[3] for row in self.gained if row[0] == node and port in row[1])


class Demo:
    """The demo's network and its steps."""
    steps = 15
    hint = ""  # one more line of what can be played with

    def __init__(self):
        self._step = 0
        self._started = time.monotonic()
        self.summary = []
        self.nodes = []
        self.pods = {}
        self.client = None
        self.supplier = ""

    def step(self, text):
        self._step += 1
        print(f"\n[{self._step}/{self.steps}] {time.monotonic() - self._started:5.1f} s  {text}",
              flush=True)

    def say(self, text):
        for line in str(text).splitlines():
            print(f"      {line}", flush=True)

    # ---- the stage -----------------------------------------------------------------------------

    def make_nodes(self):
        self.step("Two nodes and an outside client on one wire; podlaned starts on each node")
        wire = Wire()
        for number, name in enumerate(("node-a", "node-b"), 1):
            node = Node(name, number, wire)
            node.use_config(config(f"{name}.yaml"))
            self.nodes.append(node)
            node.start()
            self.say(f"{name}: podlaned is ready, 192.168.50.{number}, pods 10.244.{number}.0/24")
        self.client = Namespace("outside")
        wire.plug(self.client, "eth0")
        add_addresses(self.client, "eth0", [f"{OUTSIDE}/24"])
        self.say(f"outside: {OUTSIDE}")
        self.make_supplier()

    def make_supplier(self):
        """The outside: a supplier's web server, and the resolver that knows its name."""
        self.supplier = kubelet.load(config("suppliers.yml"))["spec"]["externalName"]
        folder = "/run/lab/supplier"
        os.makedirs(folder)
        with open(f"{folder}/index.html", "w", encoding="utf-8") as file:
            file.write(STOCK)
        resolver = self.client.spawn([PYTHON, RESOLVER, OUTSIDE, f"{self.supplier}={OUTSIDE}"])
        resolver.wait_for_line(lambda line: line == "ready", 10, "the outside resolver")
        server = [PYTHON, "-um", "http.server", "--directory", folder, "--bind", OUTSIDE, "80"]
        self.client.spawn(server).wait_for_line(lambda line: "Serving" in line, 10, "the supplier")
        self.say(f"there a resolver of the world outside, and the supplier {self.supplier}")

    def apply_files(self):
        self.step("The story's files are applied on both nodes with podlanectl")
        for node in self.nodes:
            done = node.ctl("apply", "-f", *(config(name) for name in FILES))
            self.say(f"{node.name}$ podlanectl apply -f {' '.join(FILES)}")
            self.say((done.stdout + done.stderr).strip())

    def make_pods(self):
        self.step("The pods start: the demo plays the kubelet for the two Deployments")
        web, database = kubelet.load(config("webapp.yml")), kubelet.load(config("mysql.yml"))
        proxy = kubelet.load(config("ingress-proxy.yml"))
        app = os.path.join(CONFIGS, "app")
        node_a, node_b = self.nodes
        for node, name, deployment in ((node_b, "mysql-1", database), (node_a, "webapp-1", web),
                                       (node_b, "webapp-2", web), (node_a, "ingress-1", proxy)):
            pod = kubelet.RunningPod(node, name, deployment["spec"]["template"], app)
            self.pods[name] = pod
            images = " + ".join(each["image"] for each in pod.spec["containers"])
            self.say(f"{name} on {node.name}: {pod.address}, {images}")
        document = objects.document(*(pod.object() for pod in self.pods.values()))
        for node in self.nodes:
            node.apply(document)
        self.say("their Pod objects are applied: the Services have endpoints now")
        self.say(node_a.ctl("get", "frontends").stdout.rstrip())

    # ---- the acts ------------------------------------------------------------------------------

    def curl(self, namespace, url, *words):
        return namespace.run(["curl", "-sS", "--fail", "--max-time", "10", *words, url]).stdout

    def show_hops(self, counters):
        if not counters.gained:
            self.say("packets at the nodes' ports: none")
        width = max((len(row[1]) for row in counters.gained), default=0)
        for node, port, received, sent in counters.gained:
            self.say(f"packets at {node:7} {port:{width}} in {received:4}  out {sent:4}")

    def explain(self, node, source, target):
        shown = node.ctl("explain", "--from", source, "--to", target, "--proto", "tcp")
        self.say(f"{node.name}$ podlanectl explain --from {source} --to {target} --proto tcp")
        self.say("\n".join("  " + line for line in shown.stdout.rstrip().splitlines()))

    def passed(self, kind, what):
        self.summary.append((kind, what))

    def container_to_container(self):
        self.step("Container to container in one pod: nginx to php-fpm over 127.0.0.1:9000")
        pod = self.pods["webapp-1"]
        before = self.loopback_packets(pod)
        with Counters(self.nodes) as counters:
            for _ in range(LOCAL_REQUESTS):
                answer = self.curl(pod.namespace, "http://127.0.0.1/?info").strip()
                require(f"served by {pod.name}" in answer, f"unexpected answer: {answer}")
        inside = self.loopback_packets(pod) - before
        self.say(f"{LOCAL_REQUESTS} requests; nginx, with the words of php-fpm: {answer}")
        self.say(f"packets at the pod's loopback: {inside}")
        self.show_hops(counters)
        require(inside > 10 * LOCAL_REQUESTS, "the loopback did not carry the requests")
        # A pod's kernel sometimes sends by itself (ARP, IPv6 discovery), and a kubelet probes it.
        require(counters.of(pod.node.name, pod.name) < 5 * LOCAL_REQUESTS, "its port carried them")
        self.passed("container to container", f"nginx -> php-fpm in {pod.name}, 127.0.0.1:9000")

    def loopback_packets(self, pod):
        return pod.namespace.ip_json("-s", "link", "show", "lo")[0]["stats64"]["rx"]["packets"]

    def pod_to_pod(self):
        self.step("Pod to pod by address: on one node, and across nodes over VXLAN")
        first, second, database = (self.pods[n] for n in ("webapp-1", "webapp-2", "mysql-1"))
        with Counters(self.nodes) as counters:
            answer = self.sql_from(second, database.address, "SELECT 'reached directly'")
        here, there, way = second.node, first.node, f"{second.name} -> {database.name}"
        self.say(f"{way} ({database.address}:3306), both on {here.name}: {answer}")
        self.show_hops(counters)
        require("reached directly" in answer, f"unexpected answer: {answer}")
        require(counters.of(here.name, database.name) > 0, "the database's port counted nothing")
        self.explain(here, f"default/{second.name}", f"{database.address}:3306")
        self.passed("pod to pod, one node", f"{way}, {database.address}:3306")
        with Counters(self.nodes) as counters:
            answer = self.curl(first.namespace, f"http://{second.address}/?info").strip()
        way = f"{first.name} -> {second.name}"
        self.say(f"{way}, from {there.name} to {here.name}: {answer}")
        self.show_hops(counters)
        require(f"served by {second.name}, for {first.address}" in answer, f"answer: {answer}")
        require(counters.of(there.name, "uplink0") > 0, "the uplink counted nothing")
        self.explain(there, f"default/{first.name}", f"{second.address}:80")
        self.passed("pod to pod, two nodes", f"{way}, {second.address}:80")

    def resolve(self, pod, name):
        """The addresses that the C library finds for a name in the pod."""
        found = pod.run(["getent", "ahosts", name]).stdout.splitlines()
        return sorted({line.split()[0] for line in found})

    def names(self):
        self.step("Names: a pod's resolv.conf asks podlaned, which answers from its snapshot")
        pod = self.pods["webapp-1"]
        self.say(pod.run(["cat", "/etc/resolv.conf"]).stdout)
        service = kubelet.load(config("sqlservice.yml"))["spec"]["clusterIP"]
        found = self.resolve(pod, "webapp-sql1")
        self.say(f"{pod.name}$ getent ahosts webapp-sql1: {' '.join(found)}")
        require(found == [service], f"{service} is expected")
        self.say(pod.node.ctl("resolve", "webapp-sql1.default.svc.cluster.local").stdout)
        self.passed("names", f"webapp-sql1 is {service}, by the cluster's DNS in podlaned")

    def pod_to_supplier(self):
        self.step("Pod to the world outside by an ExternalName: the app asks http://supplier/")
        pod = self.pods["webapp-1"]
        self.say(pod.node.ctl("resolve", "supplier.default.svc.cluster.local").stdout)
        with Counters(self.nodes) as counters:
            answer = pod.run(["curl", "-sS", "--fail", "--max-time", "10", "http://supplier/"])
        self.say(f"{pod.name}: {answer.stdout.strip()}")
        self.show_hops(counters)
        require(answer.stdout == STOCK, f"unexpected answer: {answer.stdout}")
        # The server's figures are a few tenths of a second old.
        wait_until(lambda: pod.node.stats()["dns"]["server"]["upstreams"][0]["asked"], 5,
                   "the outside resolver is asked")
        self.passed("ExternalName", f"{pod.name} -> supplier, {self.supplier}, {OUTSIDE}")

    def pod_to_service(self):
        self.step("Pod to Service: the web app asks its database by the name webapp-sql1")
        pod, database = self.pods["webapp-1"], self.pods["mysql-1"]
        service = kubelet.load(config("sqlservice.yml"))["spec"]["clusterIP"]
        with Counters(self.nodes) as counters:
            answer = self.curl(pod.namespace, "http://127.0.0.1/").strip()
        self.say(f"{pod.name}: {answer}; it made ProductDetails.products through {service}:3306")
        self.show_hops(counters)
        require(counters.of(database.node.name, database.name) > 0, "nothing at the database")
        self.explain(pod.node, f"default/{pod.name}", f"{service}:3306")
        self.passed("pod to Service", f"{pod.name} -> webapp-sql1 -> {database.name}")

    def outside_to_service(self):
        self.step(f"Outside to Service: products are posted through port {NODE_PORT} of each node")
        with Counters(self.nodes) as counters:
            for number, (name, price) in enumerate(PRODUCTS):
                node = self.nodes[number % 2]
                url = f"http://{node.addresses[0]}:{NODE_PORT}/"
                words = ["--data-urlencode", f"name={name}", "--data-urlencode", f"price={price}"]
                answer = self.curl(self.client, url, *words).strip()
                self.say(f"POST {url} {name}: {answer}")
                require(answer.startswith(f"added {name}"), f"unexpected answer: {answer}")
        self.show_hops(counters)
        self.explain(self.nodes[0], "192.168.50.100", f"192.168.50.1:{NODE_PORT}")
        self.passed("outside to Service", f"client -> NODE_IP:{NODE_PORT} -> webapp, either node")

    def outside_to_ingress(self):
        self.step(f"Outside to Ingress: the shop by its name, {INGRESS_HOST}, from nginx in a pod")
        url = f"http://{INGRESS_HOST}:{INGRESS_PORT}/?info"
        for node in self.nodes:
            place = ("--resolve", f"{INGRESS_HOST}:{INGRESS_PORT}:{node.addresses[0]}")
            wait_until(lambda where=place: self.is_answered(self.client, url, *where), 10, url)
            with Counters(self.nodes) as counters:
                answer = self.curl(self.client, url, *place).strip()
            self.say(f"GET {url} through {node.name}: {answer}")
            self.show_hops(counters)
            require(f"for {self.pods['ingress-1'].address}" in answer, f"another way: {answer}")
        words = ["curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}",
                 f"http://{self.nodes[0].addresses[0]}:{INGRESS_PORT}/?info"]
        status = self.client.run(words).stdout
        self.say(f"the same without the name: {status}")
        require(status == "404", f"another host is answered {status}")
        name = self.pods["ingress-1"].name
        self.passed("outside to Ingress", f"client -> {INGRESS_HOST} -> {name} -> webapp")

    def read_back(self):
        self.step("The products are read back from outside, through either node")
        servers = set()
        for _ in range(8):
            for node in self.nodes:
                listing = self.curl(self.client, f"http://{node.addresses[0]}:{NODE_PORT}/")
                servers.add(listing.splitlines()[0])
                for name, price in PRODUCTS:
                    require(f"\t{name}\t{price}\t" in listing, f"{name} is missing in {listing}")
        self.say(listing)
        self.say(f"16 requests, {' and '.join(sorted(servers))}")
        self.passed("read back", f"{len(PRODUCTS)} products through both nodes")

    def policy(self):
        self.step("A NetworkPolicy: the web app is reached through the Ingress, and not past it")
        file, node = "policy.yml", self.nodes[0]
        url = f"http://{INGRESS_HOST}:{INGRESS_PORT}/?info"
        for each in self.nodes:
            each.ctl("apply", "-f", config(file))
        self.say(f"both$ podlanectl apply -f {file}")
        self.say(node.ctl("get", "networkpolicies").stdout.rstrip())
        for each in self.nodes:
            place = f"{INGRESS_HOST}:{INGRESS_PORT}:{each.addresses[0]}"
            answer = self.curl(self.client, url, "--resolve", place).strip()
            self.say(f"GET {url} through {each.name}: {answer}")
            past = f"http://{each.addresses[0]}:{NODE_PORT}/?info"
            require(not self.is_answered(self.client, past), f"{past} is answered all the same")
            self.say(f"GET {past}: no answer")
        address = self.pods["webapp-1"].address
        past = f"http://{address}/?info"
        require(not self.is_answered(self.pods["mysql-1"].namespace, past), f"{past} is answered")
        self.say(f"mysql-1: GET {past}: no answer")
        self.explain(node, "default/mysql-1", f"{address}:80")
        for each in self.nodes:
            each.ctl("delete", "-f", config(file))
        again = self.info(f"{node.addresses[0]}:{NODE_PORT}")
        self.say(f"the policy is deleted, port {NODE_PORT} answers again: {again}")
        self.passed("NetworkPolicy", "ingress-1 -> webapp, port http, and nobody else")

    def is_answered(self, namespace, url, *words):
        return namespace.run(["curl", "-sSf", "-m", "1", *words, url], check=False).returncode == 0

    def balanced_to_service(self):
        self.step("Outside to a LoadBalancer address, which moves when its node stops")
        file = "webbalanced.yml"
        for node in self.nodes:
            node.ctl("apply", "-f", config(file))
        shown = self.nodes[0].json("get", "addresses")[0]
        address = shown["address"]
        first, other = sorted(self.nodes, key=lambda node: node.name != shown["node"])
        self.say(f"both$ podlanectl apply -f {file}")
        self.say(self.nodes[0].ctl("get", "addresses").stdout.rstrip())
        self.say(f"http://{address}/ through {first.name}: {self.info(address)}")
        first.stop()
        # As Kubernetes does when a node is lost.
        lost = [pod for pod in self.pods.values() if pod.node is first]
        other.ctl("delete", "node", first.name)
        for pod in lost:
            other.ctl("delete", "pod", f"default/{pod.name}")
        self.say(f"podlaned of {first.name} is stopped, its Node and its Pods are deleted")
        answer = wait_until(lambda: self.info(address, check=False), 10, "the address moves")
        self.say(other.ctl("get", "addresses").stdout.rstrip())
        self.say(f"http://{address}/ through {other.name}: {answer}")
        require(all(pod.name not in answer for pod in lost), f"unexpected answer: {answer}")
        first.start()
        for pod in lost:
            first.ctl("pod", "add", f"default/{pod.name}", "--netns", pod.namespace.path,
                      "--address", pod.address)
        pods = objects.document(*(pod.object() for pod in self.pods.values()))
        for node in self.nodes:
            node.ctl("apply", "-f", *(config(name) for name in [*FILES, file]))
            node.apply(pods)
        self.say(f"{first.name} is back: {self.info(address)}")
        self.passed("outside to LoadBalancer", f"client -> {address}, {first.name}, {other.name}")

    def info(self, address, check=True):
        """The server that answers at an address; without `check`, "" if none does."""
        words = ["curl", "-sS", "--fail", "--max-time", "2", f"http://{address}/?info"]
        return self.client.run(words, check=check).stdout.strip()

    def look_into_database(self):
        self.step("The database itself is asked, inside its pod")
        database = self.pods["mysql-1"]
        rows = database.run([
            "mariadb", "--no-defaults", f"--socket={database.dir}/mariadb.sock", "--user=root",
            "--table", "--execute", "SELECT * FROM ProductDetails.products"]).stdout
        self.say(rows)
        for name, price in PRODUCTS:
            require(name in rows and price in rows, f"{name} is not in the database")
        self.passed("database", f"{len(PRODUCTS)} rows in ProductDetails.products")

    def sql_from(self, pod, host, statement):
        """Runs SQL from a pod against a host, as the web app's user."""
        words = ["mariadb", "--no-defaults", f"--host={host}", "--user=webapp",
                 "--password=demo-only", "--skip-column-names", "--execute", statement]
        return pod.run(words).stdout.strip()

    def drops(self):
        self.step("What the nodes dropped on the way, by reason")
        for node in self.nodes:
            lost = ", ".join(f"{reason} {count}" for reason, count in node.drops().items())
            self.say(f"{node.name}: {lost or 'nothing'}")

    def finish(self):
        width = max(len(kind) for kind, _ in self.summary)
        print(f"\nSummary, after {time.monotonic() - self._started:.1f} s")
        for kind, what in self.summary:
            print(f"  ok  {kind:{width}}  {what}")
        print(flush=True)

    def run(self):
        self.make_nodes()
        self.apply_files()
        self.make_pods()
        self.container_to_container()
        self.pod_to_pod()
        self.names()
        self.pod_to_service()
        self.pod_to_supplier()
        self.outside_to_service()
        self.outside_to_ingress()
        self.read_back()
        self.look_into_database()
        self.policy()
        self.balanced_to_service()
        self.drops()
        self.finish()

    def stop(self):
        """Ends all that runs; returns the errors."""
        wrong = []
        for pod in self.pods.values():
            pod.namespace.stop_processes()
        for node in self.nodes:
            if node.daemon:
                code = node.end()
                wrong += [f"{node.name}: podlaned ended with {code}"] if code else []
                wrong += [f"{node.name}: left behind {what}" for what in node.leftovers()]
            node.close()
        if self.client:
            self.client.close()
        return wrong

    def logs(self):
        daemons = [(f"podlaned of {node.name}", node.daemon.output()) for node in self.nodes
                   if node.daemon]
        for what, text in daemons + [log for pod in self.pods.values() for log in pod.logs()]:
            if text.strip():
                print(f"--- {what}\n{text[-1500:].rstrip()}", file=sys.stderr)


def keep(world, pod, hint):
    """Says how to play with the network, lets the command end, and waits to be stopped."""
    print(f"""The network stays. To play with it, as root, from any shell:
  IN="nsenter --target {world.outer_pid} --mount --net"
  CTL="$IN {program('podlanectl')} --socket {pod.node.socket}"
  $IN ip netns exec outside curl -s http://192.168.50.2:{NODE_PORT}/    # a request from outside
  $IN ip netns exec outside curl -s -H 'Host: {INGRESS_HOST}' http://192.168.50.2:{INGRESS_PORT}/
  $IN ip netns exec {pod.namespace.name} bash    # a shell in a pod's network
  $CTL get frontends     # the Services of a node; or: get flows, stats, drops
  $CTL explain --from default/{pod.name} --to 10.96.0.33:3306 --proto tcp
{hint}  kill {world.outer_pid}     # stops all, leaves nothing
""", flush=True)
    world.detach()
    while True:
        signal.pause()


def main(story=Demo, afterwards=None):
    """`afterwards`: called when all processes of the demo have ended, however they did."""
    missing = kubelet.missing_programs()
    if missing:
        sys.exit(f"demo: not installed: {', '.join(missing)}; `make deps` installs what is missing")
    for name in ("podlaned", "podlanectl"):
        if not os.access(program(name), os.X_OK):
            sys.exit(f"demo: {name} is not in {BUILD}; `make build` builds it")
    try:
        world = isolate(afterwards)
    except Unavailable as reason:
        sys.exit(f"demo: {reason}")
    demo = story()
    code = 1
    try:
        demo.run()
        code = 0
        if "--keep" in sys.argv[1:]:
            keep(world, demo.pods["webapp-1"], demo.hint)
    except Interrupted:
        print("\ndemo: interrupted, stopping", flush=True)
        code = code and 130
    except (DemoFailed, CommandFailed, TimeoutError) as error:
        print(f"\ndemo: FAILED: {error}", file=sys.stderr)
        demo.logs()
    except Exception:
        traceback.print_exc()
        demo.logs()
    finally:
        wrong = demo.stop()
        for text in wrong:
            print(f"demo: {text}", file=sys.stderr)
        code = code or int(bool(wrong))
        print(f"All that the demo made is gone; exit {code}.", flush=True)
        os._exit(code)


if __name__ == "__main__":
    main()
