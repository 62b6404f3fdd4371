"""The daemon's life and the operator's commands: starts, stops, refusals, formats."""

import copy
import glob
import json
import os
import re
import resource
import signal
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import Namespace, add_addresses, run, wait_until
from lab.node import Rpc, program

# (what is wrong, the key that the message must name, a change to the valid configuration)
BAD_CONFIGS = [
    ("an unknown key", "colour", lambda c: c.update(colour="blue")),
    ("an unknown key deep inside", "speed", lambda c: c["uplinks"][0].update(speed=10)),
    ("no node name", "node", lambda c: c.pop("node")),
    ("a wrong type", "workers", lambda c: c.update(workers="many")),
    ("an impossible number of workers", "workers", lambda c: c.update(workers=-1)),
    ("an unknown mode", "idle", lambda c: c.update(idle="sometimes")),
    ("a bad address", "addresses",
     lambda c: c["uplinks"][0].update(addresses=["192.168.50.999/24"])),
    ("an address without prefix length", "addresses",
     lambda c: c["uplinks"][0].update(addresses=["192.168.50"])),
    ("a bad prefix", "cidrs", lambda c: c["pods"].update(cidrs=["10.244.1.0/33"])),
    ("a VNI above 24 bits", "vni", lambda c: c["overlay"].update(vni=1 << 24)),
    ("a port above 65535", "port", lambda c: c["overlay"].update(port=70000)),
    ("an unknown overlay", "type", lambda c: c["overlay"].update(type="carrier-pigeon")),
    ("a bad MAC address", "mac", lambda c: c["overlay"].update(mac="02:00:00")),
    ("a reversed port range", "nodePorts", lambda c: c["cluster"].update(nodePorts="32767-30000")),
    ("an MTU too small", "mtu", lambda c: c["uplinks"][0].update(mtu=10)),
    ("no device", "device", lambda c: c["uplinks"][0].pop("device")),
]


def write(path, config):
    with open(path, "w", encoding="utf-8") as file:
        if isinstance(config, str):
            file.write(config)
        else:
            json.dump(config, file, indent=1)
    return path


def configurations(report, node):
    """--check, and starts that fail."""
    podlaned = program("podlaned")
    good = write("/run/lab/good.yaml", node.config)
    with report.check("--check accepts a good configuration, exit 0, and touches no device"):
        done = run([podlaned, "--config", good, "--check"], check=False)
        expect_equal(done.returncode, 0, done.stderr)
        expect(done.stdout.strip(), "says nothing of what it would do")
        expect("podlane0" not in node.namespace.links(), "made the host interface")
    for number, (what, key, change) in enumerate(BAD_CONFIGS):
        config = copy.deepcopy(node.config)
        change(config)
        path = write(f"/run/lab/bad{number}.yaml", config)
        with report.check(f"--check names file, line and key of {what}"):
            done = run([podlaned, "--config", path, "--check"], check=False)
            expect_equal(done.returncode, 1, "exit code")
            first = (done.stderr.strip() or done.stdout.strip()).splitlines()[0]
            expect(re.match(rf"podlaned: {re.escape(path)}:\d+(:\d+)?: .*{key}", first), first)
    for what, text in (("empty", ""), ("not YAML", "node: [a\n"), ("binary", "\x00\x01\x02"),
                       ("a list", "- node\n"), ("deeply nested", "[" * 5000)):
        path = write("/run/lab/odd.yaml", text)
        with report.check(f"--check refuses a file that is {what}, with exit 1"):
            done = run([podlaned, "--config", path, "--check"], check=False)
            expect_equal(done.returncode, 1, f"exit code; {done.stderr[-300:]}")
    with report.check("a missing file is named, exit 1"):
        done = run([podlaned, "--config", "/run/lab/none.yaml"], check=False)
        expect_equal(done.returncode, 1, "exit code")
        expect("/run/lab/none.yaml" in done.stderr + done.stdout, "not named")
    for words in (["--no-such-option"], []):
        with report.check(f"podlaned {' '.join(words) or 'without arguments'} fails, and says why"):
            done = run([podlaned, *words], check=False)
            expect(done.returncode in (1, 2), f"exit code {done.returncode}")
            expect(done.stderr.strip(), "no message")
    with report.check("--version prints a version, exit 0"):
        done = run([podlaned, "--version"])
        expect(re.search(r"\d+\.\d+", done.stdout), done.stdout)


def failing_start(report, node):
    config = copy.deepcopy(node.config)
    config["uplinks"][0]["device"] = "net_af_packet0,iface=nowhere0"
    path = write("/run/lab/nowhere.yaml", config)
    with report.check("a start with an absent device: exit 1, one line, nothing left behind"):
        command = node.namespace.command([program("podlaned"), "--config", path])
        done = run(command, check=False, timeout=30)
        expect_equal(done.returncode, 1, f"exit code; {done.stderr[-500:]}")
        expect("podlaned: " in done.stderr + done.stdout, "no such line")
        expect_equal(node.leftovers(), [], "left behind")


def life(report, node, pod_name):
    """Stops, restarts and a kill."""
    for times in ("once", "again"):
        with report.check(f"starts, and SIGTERM ends it with 0 and nothing left, {times}"):
            node.start()
            node.add_pod(f"{pod_name}-{times}")
            expect_equal(node.stop(), 0, "exit code")
            expect_equal(node.leftovers(), [], "left behind")
            node.pods.pop().namespace.close()
    with report.check("a start with few open files takes as many as it may have"):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        node.start()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        expect_equal(resource.prlimit(node.daemon.popen.pid, resource.RLIMIT_NOFILE),
                     (before[1], before[1]))
        expect_equal(node.stop(), 0, "exit code")
    with report.check("SIGINT ends it with 0 too"):
        node.start()
        expect_equal(node.stop(signal.SIGINT), 0, "exit code")
        expect_equal(node.leftovers(), [], "left behind")
    with report.check("after kill -9 it starts again in spite of what was left, and works"):
        node.start()
        node.add_pod(f"{pod_name}-killed")
        node.stop(signal.SIGKILL)
        node.start()
        pod = node.add_pod(f"{pod_name}-after")
        lab.expect_ping(pod.namespace, node.gateway(4))
        killed = node.pods[0]
        killed.namespace.ip("link", "show")
        node.pods.remove(killed)
        killed.namespace.close()
    with report.check("a second podlaned on the same socket is refused, the first goes on"):
        done = run(node.namespace.command([program("podlaned"), "--config", node.config_path]),
                   check=False, timeout=30)
        expect_equal(done.returncode, 1, f"exit code; {done.stderr[-300:]}")
        node.ctl("health")


def exit_codes(report, node):
    for words, wanted in (
        (["health"], 0), (["version"], 0), (["get", "nodes"], 0), (["get", "services"], 0),
        (["get", "unicorns"], 2), (["no-such-command"], 2), ([], 2), (["apply"], 2),
        (["apply", "-f", "/run/lab/none.yaml"], 1), (["pod", "del", "default/nobody"], 0),
        (["pod", "add", "default/x", "--netns", "/run/netns/none", "--address", "10.244.1.99"], 1),
        (["explain", "--from", "default/nobody", "--to", "10.96.0.10:80"], 1),
    ):
        with report.check(f"podlanectl {' '.join(words) or '(no command)'} exits with {wanted}"):
            done = node.ctl(*words, check=False)
            # Only the daemon knows which kinds there are: it may be the one that refuses.
            allowed = (1, 2) if words == ["get", "unicorns"] else (wanted,)
            expect(done.returncode in allowed, f"{done.returncode}: {done.stderr}{done.stdout}")
            if wanted == 1:
                expect(done.stderr.startswith("error: "), f"stderr {done.stderr!r}")
    with report.check("the log's level is told, and changed while running"):
        expect_equal(node.ctl("log-level").stdout, "info\n")
        expect_equal(node.ctl("log-level", "debug").stdout, "debug\n")
        done = node.ctl("log-level", "loud", check=False)
        expect_equal(done.returncode, 1, "exit code")
        expect("loud is none of error, warning, info, debug" in done.stderr, done.stderr)
        expect_equal(node.ctl("log-level", "info").stdout, "info\n")
    with report.check("podlanectl without a daemon exits with 1 and names the socket"):
        done = run([program("podlanectl"), "--socket", "/run/lab/none.sock", "health"], check=False)
        expect_equal(done.returncode, 1)
        expect("/run/lab/none.sock" in done.stderr, done.stderr)
    with report.check("PODLANE_SOCKET names the socket"):
        environment = dict(os.environ, PODLANE_SOCKET=node.socket)
        words = ["env", f"PODLANE_SOCKET={environment['PODLANE_SOCKET']}", program("podlanectl")]
        run([*words, "health"])
    for form, mark in (("table", "NAME"), ("json", "["), ("yaml", "- ")):
        with report.check(f"get ports as {form}"):
            text = node.ctl("-o", form, "get", "ports").stdout
            expect(mark in text or mark.lower() in text, text[:200])


def stats_shape(report, node):
    with report.check("stats -o json has the documented keys"):
        stats = node.stats()
        expect_equal({"generation", "ports", "workers", "drops", "flows"} - set(stats), set())
        port = {"name", "kind", "device", "rxPackets", "rxBytes", "txPackets", "txBytes",
                "rxDropped", "txDropped"}
        expect(stats["ports"], "no ports")
        for each in stats["ports"]:
            expect_equal(port - set(each), set(), f"missing in port {each.get('name')}")
        for each in stats["workers"]:
            missing = {"id", "cpu", "tid", "rxPackets", "busyCycles", "idleCycles"} - set(each)
            expect_equal(missing, set(), "missing in worker")
        flows = {"active", "capacity", "created", "expired", "evicted", "refused",
                 "kernel"}
        expect_equal(flows - set(stats["flows"]), set(), "missing in flows")
        expect(stats["flows"]["capacity"] >= node.config["flows"]["capacity"], "capacity")
        expect(all(isinstance(count, int) for count in stats["drops"].values()), "drops")
    with report.check("a worker's tid is a thread whose CPU time /proc tells"):
        for worker in node.stats()["workers"]:
            with open(f"/proc/{worker['tid']}/stat", encoding="ascii") as file:
                expect(file.read(), "empty")
    with report.check("an idle adaptive node costs under a tenth of a CPU"):
        def ticks():
            total = 0
            for worker in node.stats()["workers"]:
                with open(f"/proc/{worker['tid']}/stat", encoding="ascii") as file:
                    total += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))
            return total

        time.sleep(0.5)
        before = ticks()
        time.sleep(2)
        used = (ticks() - before) / os.sysconf("SC_CLK_TCK") / 2
        report.note(f"idle: {used:.3f} of a CPU")
        expect(used < 0.1, f"{used:.3f} of a CPU")
    with report.check("drops tells reason, packets and help of what was dropped"):
        seen = node.drops()
        expect(seen, "nothing was dropped so far")
        lines = [line.split(maxsplit=2) for line in node.ctl("drops").stdout.splitlines()]
        expect(set(seen) <= {line[0] for line in lines}, f"{seen}, {lines}")
        expect(all(len(line) == 3 for line in lines), "a reason without help")


def frontends(report, node):
    service = objects.service("front", ["10.96.0.30"],
                              [objects.port(80, 8080, name="http", node_port=30100)])
    ends = [objects.endpoint("10.244.1.50", node.name), objects.endpoint("10.244.2.50", "node-b")]
    node.apply(objects.document(
        service, objects.endpoint_slice("front", ends, [("http", "TCP", 8080)])))
    with report.check("get frontends -o json has one element for each address and port"):
        found = [each for each in node.json("get", "frontends")
                 if each["service"] == "default/front"]
        expect_equal(sorted(each["kind"] for each in found), ["ClusterIP", "NodePort"])
        inside = ["10.244.1.50:8080", "10.244.2.50:8080"]
        for each in found:
            node_port = each["kind"] == "NodePort"
            wanted = {
                "portName": "http", "protocol": "TCP", "inside": inside,
                "address": "*" if node_port else "10.96.0.30",
                "port": 30100 if node_port else 80,
                "whenEmpty": "reject", "affinitySeconds": 0, "sourceRanges": [],
            }
            seen = {key: each.get(key) for key in wanted}
            expect_equal(seen, wanted, each["kind"])
            expect(isinstance(each["outside"], list), "outside is no list")
    with report.check("delete KIND NAMESPACE/NAME takes the frontends away"):
        node.ctl("delete", "service", "default/front")
        expect("default/front" not in str(node.json("get", "frontends")), "still there")


def documents(report, node):
    """All or nothing, skipped kinds, the fixtures."""
    good = objects.service("kept", ["10.96.0.31"], [objects.port(80, 8080)])
    bad = objects.service("bad", ["10.96.0.32"], [objects.port(70000, 8080)])
    with report.check("apply is all or nothing: one bad object refuses the good one"):
        generation = node.stats()["generation"]
        done = node.ctl("apply", "-f", "-", stdin=objects.document(good, bad), check=False)
        expect_equal(done.returncode, 1, "exit code")
        expect("70000" in done.stderr, done.stderr)
        expect("default/kept" not in str(node.json("get", "frontends")), "the good one was applied")
        expect_equal(node.stats()["generation"], generation, "generation")
    with report.check("validate and diff change nothing"):
        node.ctl("validate", "-f", "-", stdin=objects.document(good))
        node.ctl("diff", "-f", "-", stdin=objects.document(good))
        expect_equal(node.stats()["generation"], generation, "generation")
    with report.check("a Deployment is skipped with a notice, the rest of the file is applied"):
        text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n---\n"
        done = node.ctl("apply", "-f", "-", stdin=text + json.dumps(good))
        expect("Deployment" in done.stdout + done.stderr, "no notice")
        expect("default/kept" in str(node.json("get", "frontends")), "not applied")
    with report.check("replace makes the set exactly this"):
        other = objects.service("other", ["10.96.0.33"], [objects.port(80, 8080)])
        node.ctl("replace", "-f", "-", stdin=objects.document(other))
        shown = str(node.json("get", "frontends"))
        expect("default/other" in shown and "default/kept" not in shown, shown[:400])
    for what, text in (("no YAML", "a: [b"), ("cut off", '{"apiVersion": "v1", "kind":'),
                       ("a number", "7"), ("no kind", "apiVersion: v1\n"),
                       ("anchors that explode", "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n"),
                       ("NUL bytes", "kind: Ser\0vice\n"), ("deep", "[" * 20000)):
        with report.check(f"apply of a document that is {what} is refused, and the daemon lives"):
            done = node.ctl("apply", "-f", "-", stdin=text, check=False)
            expect(done.returncode in (0, 1), f"exit code {done.returncode}")
            expect(done.returncode == 1 or what.startswith("anchors"), "accepted")
            node.ctl("health")
    pattern = os.path.join(os.path.dirname(lab.__file__),
                           "../../../shared/fixtures/kubernetes/*/*.[jy]*")
    files = [path for path in sorted(glob.glob(pattern))
             if "/yaml/" in path or "/json/" in path]
    if not files:
        report.skip("apply of recorded objects", "no recordings beside this checkout")
    for path in files:
        name = "/".join(path.split("/")[-2:])
        with report.check(f"apply of the recorded {name}"):
            node.ctl("apply", "-f", path)
    with report.check("replace by nothing is refused unless it is meant"):
        generation = node.stats()["generation"]
        done = node.ctl("replace", "-f", "-", stdin=objects.document(), check=False)
        expect_equal(done.returncode, 1, "exit code")
        expect("--allow-empty" in done.stderr, done.stderr)
        expect_equal(node.stats()["generation"], generation, "generation")
        client = node.rpc()
        cursor = client.call("watch", kinds=["services"])["cursor"]
        client.call("replace", documents=objects.document(), allowEmpty=True)
        expect_equal(node.json("get", "frontends"), [], "frontends")
        news = client.call("watch", kinds=["services"], since=cursor)
        expect_equal([(event["type"], event["name"]) for event in news["events"]
                      if event["name"] == "default/other"], [("DELETED", "default/other")], "news")
        client.close()


def bad_messages(report, node):
    """The socket survives any input."""
    for what, data, answered in (
        ("no JSON", b"hello\n", True),
        ("an empty line", b"\n", False),
        ("an array", b"[]\n", True),
        ("no method", b'{"jsonrpc":"2.0","id":1}\n', True),
        ("an unknown method", b'{"jsonrpc":"2.0","id":1,"method":"fly"}\n', True),
        ("params of a wrong type", b'{"jsonrpc":"2.0","id":1,"method":"apply","params":7}\n', True),
        ("bytes that are no UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}\n', True),
        ("a NUL byte", b'{"jsonrpc":"2.0",\0"id":1}\n', True),
        ("deep nesting", b"[" * 100000 + b"\n", True),
        ("half a message", b'{"jsonrpc":"2.0","id":1,"met', False),
    ):
        with report.check(f"a message that is {what} gets an error or nothing, the daemon lives"):
            client = Rpc(node.socket, timeout=5)
            client.send_bytes(data)
            if answered:
                reply = client.receive()
                expect(reply is None or "error" in reply, f"reply {reply}")
            client.close()
            node.ctl("health")
    with report.check("pipelined requests are answered in order"):
        client = node.rpc()
        requests = [{"jsonrpc": "2.0", "id": n, "method": "health"} for n in range(200)]
        client.send_bytes(b"".join(json.dumps(r).encode() + b"\n" for r in requests))
        expect_equal([client.receive()["id"] for _ in requests], list(range(200)))
        client.close()
    with report.check("a message sent a byte at a time is understood"):
        client = node.rpc()
        for byte in b'{"jsonrpc":"2.0","id":5,"method":"health"}\n':
            client.send_bytes(bytes([byte]))
        expect_equal(client.receive()["id"], 5)
        client.close()
    with report.check("100 connections at once are served"):
        clients = [node.rpc() for _ in range(100)]
        for client in clients:
            client.call("health")
            client.close()
    with report.check("the socket's mode is 0660"):
        expect_equal(oct(os.stat(node.socket).st_mode & 0o777), "0o660")


def reply_shape(report, node):
    with report.check("the reply to a change has a generation, and generations grow"):
        client = node.rpc()
        seen = []
        for number in range(3):
            service = objects.service(f"gen{number}", [f"10.96.1.{number + 1}"],
                                      [objects.port(80, 8080)])
            seen.append(client.call("apply", documents=objects.document(service))["generation"])
        client.close()
        expect(seen == sorted(set(seen)), f"generations {seen}")
        expect(node.stats()["generation"] >= seen[-1], "stats shows an older one")


def links(report, cluster, node):
    """A link that goes down, comes back, and goes for good."""
    def state(port="uplink0"):
        return next(each["state"] for each in node.json("get", "ports") if each["name"] == port)

    pod = node.pods[-1]
    with report.check("get ports tells up, and what a pod does to its own interface"):
        expect_equal((state(), state("podlane0"), state(f"default/{pod.name}")), ("up", "up", "up"))
        pod.namespace.ip("link", "set", "eth0", "down")
        wait_until(lambda: state(f"default/{pod.name}") == "down", 5, "the pod's port is down")
        expect_equal(node.ctl("health").returncode, 0, "health")
        pod.namespace.ip("link", "set", "eth0", "up")
        wait_until(lambda: state(f"default/{pod.name}") == "up", 5, "the pod's port is up")
    with report.check("an uplink whose link goes down is told by get ports, health and the log"):
        node.namespace.ip("link", "set", "eth1", "down")
        wait_until(lambda: state() == "down", 5, "the uplink is down")
        wait_until(lambda: "uplink0: its link is down" in node.ctl("health", check=False).stdout,
                   5, "health names it")
        expect("uplink0: its link is down" in node.daemon.output(), "not in the log")
    with report.check("and so is its coming back, with which traffic comes back"):
        node.namespace.ip("link", "set", "eth1", "up")
        wait_until(lambda: "uplink0: its link is up again" in node.daemon.output(), 5, "the log")
        expect_equal(state(), "up")
        expect("its link" not in node.ctl("health", check=False).stdout, "health still says so")
    with report.check("a deleted interface is gone, and so told"):
        node.namespace.ip("link", "del", "eth1")
        wait_until(lambda: state() == "gone", 5, "the uplink is gone")
        wait_until(lambda: "device is gone" in node.ctl("health", check=False).stdout, 5, "health")
    with report.check("and taken back when it is made again: it forwards, and health is well"):
        client = Namespace("client")
        cluster.wire.plug(client, "eth0")
        add_addresses(client, "eth0", ["192.168.50.77/24"])
        cluster.wire.plug(node.namespace, "eth1")
        made = time.monotonic()
        wait_until(lambda: state() == "up", 5, "the uplink is up")
        lab.expect_ping(client, node.address(4), count=3)
        report.note(f"back after {time.monotonic() - made:.2f} s")
        expect("its device is back" in node.daemon.output(), "not in the log")
        wait_until(lambda: node.ctl("health", check=False).returncode == 0, 5, "health")
        client.close()


@lab.with_cluster(names=("a",), outside=False, start=False)
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    configurations(report, node)
    failing_start(report, node)
    life(report, node, "pod")
    wait_until(lambda: node.ctl("health", check=False).returncode == 0, 5, "health")
    exit_codes(report, node)
    stats_shape(report, node)
    frontends(report, node)
    documents(report, node)
    bad_messages(report, node)
    reply_shape(report, node)
    links(report, cluster, node)


if __name__ == "__main__":
    lab.main(tests, workers=2)
