"""`podlanectl upgrade`: a podlaned of another version replaces the running one, and connections
continue; if it fails, the running one goes on."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import cluster as lab
import test_restart as kept
from checks import expect, expect_equal
from lab import objects
from lab.net import wait_until
from lab.node import program

NEXT = program("tests/system/podlaned-next")
PING = 0.005  # seconds between two
MOST_AWAY_MS = 1000  # a bound for busy machines: the figures are in the notes


class Running:
    """A podlaned that this test did not start itself, with what Node needs of lab.net.Process."""

    def __init__(self, pid, log):
        self.pid, self.log = pid, log

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, number=signal.SIGTERM):
        os.kill(self.pid, number)
        wait_until(lambda: not is_there(self.pid), 20, "podlaned ends")
        return 0


def is_there(pid):
    """Whether a thread of it still runs; the first one may have ended before the others."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            is_zombie = file.read().rsplit(")", 1)[1].split()[0] == "Z"
        return not is_zombie or len(os.listdir(f"/proc/{pid}/task")) > 1
    except FileNotFoundError:
        return False


def process(node):
    client = node.rpc()
    try:
        return client.call("process")
    finally:
        client.close()


def gap_ms(ping):
    ping.stop(signal.SIGINT)
    times = [float(text) for text in re.findall(r"^\[(\d+\.\d+)\] \d+ bytes", ping.output(), re.M)]
    expect(len(times) > 50, ping.output()[-300:])
    return max(b - a for a, b in zip(times, times[1:])) * 1e3


def upgrade(node, binary):
    done = node.ctl("upgrade", "--binary", binary, timeout=90)
    now = process(node)
    before, node.daemon = node.daemon, Running(now["pid"], node.daemon.log)
    if hasattr(before, "popen"):
        expect_equal(before.popen.wait(10), 0, "exit code of the one before")
    return done


def facts(node, pods):
    return ([kept.link_number(pod) for pod in pods], kept.ports(node),
            node.json("get", "frontends"))


def connections(report, workers):
    cluster = lab.Cluster(workers=workers, keep=True)
    node = cluster.nodes["a"]
    try:
        client, near, far = (cluster.pod(*each, servers=False) for each in
                             (("a", "client"), ("a", "near"), ("b", "far")))
        kept.web(cluster, [near, far])
        sticky = objects.service("sticky", [kept.STICKY], [objects.port(80, lab.HELD, name="held")],
                                 sessionAffinity="ClientIP")
        ends = [objects.endpoint(pod.address(4), pod.node.name) for pod in (near, far)]
        cluster.apply(sticky, objects.endpoint_slice("sticky", ends, [("held", "TCP", lab.HELD)]))
        for namespace, name in ((near.namespace, "near"), (far.namespace, "far"),
                                (cluster.outside, "world")):
            lab.keep_answering(namespace, name)
        chosen = kept.stuck_to(client)
        kinds = kept.hold_all_kinds(cluster, client, near, far)
        least = 2 * kept.EACH * (len(kinds) - 2)
        wait_until(lambda: node.stats()["flows"]["active"] >= least, 20, "flows are there")
        time.sleep(1)
        for number, (binary, told) in enumerate(((NEXT, "+next"), (program("podlaned"), ""))):
            with report.check(f"{workers} workers: upgrade {number + 1}: all is as before"):
                before, version = facts(node, [client, near]), process(node)["version"]
                pings = [client.namespace.spawn(
                    ["ping", "-D", "-n", "-i", str(PING), pod.address(4)],
                    f"/run/lab/ping-{workers}-{number}-{pod.name}.log") for pod in (near, far)]
                time.sleep(0.5)
                done = upgrade(node, binary)
                expect(f"has taken over from {version}" in done.stdout, done.stdout)
                now = process(node)
                expect(now["version"].endswith(told) and now["version"] != version, now)
                time.sleep(1)
                gaps = [gap_ms(ping) for ping in pings]
                away = re.findall(r"nobody forwarded for ([\d.]+) ms", node.daemon.output())
                expect_equal(len(away), number + 1, node.daemon.output()[-2000:])
                report.note(f"nobody forwarded for {away[-1]} ms; between two answers at most: "
                            f"{gaps[0]:.0f} ms on the node, {gaps[1]:.0f} ms by VXLAN")
                expect(float(away[-1]) < MOST_AWAY_MS, f"{away[-1]} ms")
                expect_equal(facts(node, [client, near]), before)
                expect(node.stats()["flows"]["active"] >= least, node.stats()["flows"])
                expect_equal(kept.stuck_to(client), chosen, "the endpoint of sessionAffinity")
                lab.expect_ping(client.namespace, far.address(6), count=3)
                health = node.ctl("health", check=False)
                expect_equal(health.returncode, 0, health.stdout)
        with report.check(f"{workers} workers: kill -9 and a start go on with the same"):
            node.stop(signal.SIGKILL)
            node.start()
            expect("are taken over from" in node.daemon.output(), node.daemon.output())
            expect_equal(facts(node, [client, near]), before)
        time.sleep(2)
        with open(kept.END, "w", encoding="utf-8"):
            pass
        for name, held in kinds.items():
            with report.check(f"{workers} workers: {name}: goes on, whoever speaks first"):
                result = lab.result_of(held, 60)
                expect_equal(result["moved"], [], "reset, silent, other server or source")
                expect(result["answers"] > 4 * kept.EACH, f"{result['answers']} answers")
        os.remove(kept.END)
        for each in cluster.nodes.values():
            each.end()
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


def script(name, text):
    path = f"/run/lab/{name}"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\n{text}\n")
    os.chmod(path, 0o755)
    return path


def goes_on(node, pods, pid):
    expect_equal(process(node)["pid"], pid, "process")
    received, output = lab.ping(pods[0].namespace, pods[1].address(4), count=3, patient=True)
    expect_equal(received, 3, output[-300:])
    node.apply(objects.document(objects.service("still", ["10.96.0.77"], [objects.port(80, 80)])))
    node.ctl("delete", "service", "default/still")
    health = node.ctl("health", check=False)
    expect_equal(health.returncode, 0, health.stdout)


PRETENDER = """
import json, socket, sys, time
path, last = sys.argv[1:]
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(path + ".pretender")
listener.listen(1)
rpc = socket.socket(socket.AF_UNIX)
rpc.connect(path)
rpc.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "handover", "params": {
    "path": path + ".pretender", "form": 1}}).encode() + b"\\n")
print(rpc.recv(9999).decode(), flush=True)
channel, _ = listener.accept()
count = 0
while True:
    text, fds, _, _ = socket.recv_fds(channel, 16384, 64)
    count += len(fds)
    if text == b"complete":
        break
print(count, "descriptors", flush=True)
if last != "complete":
    channel.send(b"rest")
    print(channel.recv(99).decode(), flush=True)
if last == "silence":
    time.sleep(60)
if last == "nonsense":
    channel.send(b"{")
    channel.recv(99)
"""


def pretend(node, last):
    """A new process that takes part up to here, and then ends or hangs."""
    with open("/run/lab/pretender.py", "w", encoding="utf-8") as file:
        file.write(PRETENDER)
    path = node.socket + ".pretender"
    if os.path.exists(path):
        os.remove(path)
    return subprocess.Popen([sys.executable, "/run/lab/pretender.py", node.socket, last],
                            stdout=subprocess.PIPE, text=True)


def failures(report):
    cluster = lab.Cluster(names=("a",), outside=False, keep=True)
    node = cluster.nodes["a"]
    try:
        pods = [cluster.pod("a", f"pod{number}") for number in range(3)]
        pid = process(node)["pid"]
        lab.expect_ping(pods[0].namespace, pods[1].address(4), count=3)
        with report.check("one that fails its check is told, and nothing has changed"):
            for binary in ("/bin/false", "/run/lab/there-is-none"):
                done = node.ctl("upgrade", "--binary", binary, check=False)
                expect_equal(done.returncode, 1, done.stdout)
                expect(binary in done.stderr, done.stderr)
                goes_on(node, pods, pid)
        with report.check("a journal that the next one cannot read is a reason not to begin"):
            path = os.path.join(kept.state_folder(node), "journal")
            with open(path, "rb") as file:
                good = file.read()
            with open(path, "r+b") as file:
                file.write(b"x")
            done = node.ctl("upgrade", "--binary", NEXT, check=False)
            expect_equal(done.returncode, 1, done.stdout)
            expect("it is no journal" in done.stderr, done.stderr)
            with open(path, "r+b") as file:
                file.write(good[:1])
            goes_on(node, pods, pid)
        with report.check("one with another number of workers is refused, and says why"):
            node.config["workers"] = 2
            with open(node.config_path, "w", encoding="utf-8") as file:
                json.dump(node.config, file)
            done = node.ctl("upgrade", "--binary", NEXT, check=False, timeout=60)
            expect_equal(done.returncode, 1, done.stdout)
            expect("restart it instead" in done.stderr, done.stderr)
            node.config["workers"] = 1
            with open(node.config_path, "w", encoding="utf-8") as file:
                json.dump(node.config, file)
            goes_on(node, pods, pid)
        for delay in (0.02, 0.05, 0.08):  # before any machine is ready
            with report.check(f"one that dies {delay} s after its start: the running one goes on"):
                die = script("dies", f'case "$*" in *--check*) exec {NEXT} "$@";; esac\n'
                                     f"{NEXT} --config {node.config_path} --take-over & "
                                     f"sleep {delay}; kill -9 $!; exit 1")
                done = node.ctl("upgrade", "--binary", die, check=False, timeout=60)
                expect_equal(done.returncode, 1, done.stdout)
                goes_on(node, pods, pid)
        for last in ("complete", "rest", "nonsense"):
            with report.check(f"one that ends after {last}: the running one goes on"):
                said = node.daemon.output().count("this podlaned goes on")
                lab.keep_answering(pods[1].namespace, "pod1")
                held = lab.hold(pods[0].namespace, address=pods[1].address(4), port=lab.HELD,
                                asking=3, hearing=3, end=kept.END)
                time.sleep(0.5)
                other = pretend(node, last)
                text = other.communicate(timeout=20)[0]
                expect("descriptors" in text, text)
                expect(last == "complete" or "rests" in text, text)
                wait_until(lambda: node.daemon.output().count("this podlaned goes on") > said, 5,
                           "goes on")
                goes_on(node, pods, pid)
                with open(kept.END, "w", encoding="utf-8"):
                    pass
                expect_equal(lab.result_of(held, 60)["moved"], [])
                os.remove(kept.END)
                pods[1].namespace.stop_processes()
        with report.check("one that is silent while nobody forwards is ended"):
            other = pretend(node, "silence")
            expect_equal(other.wait(15), -signal.SIGKILL)
            wait_until(lambda: "needs more than" in node.daemon.output(), 5, "told")
            goes_on(node, pods, pid)
        with report.check("changes are refused while one is about to take over, and told why"):
            other = pretend(node, "silence")
            other.stdout.readline(), other.stdout.readline()
            document = objects.document(
                objects.service("x", ["10.96.0.78"], [objects.port(80, 80)]))
            done = node.ctl("apply", "-f", "-", stdin=document, check=False)
            expect("try again" in done.stderr, done.stderr)
            other.kill()
            other.wait()
            wait_until(lambda: not node.ctl("apply", "-f", "-", stdin=document,
                                            check=False).returncode, 5, "accepted again")
        with report.check("after all that one takes over, and a start begins from the same"):
            upgrade(node, NEXT)
            expect("default/x" in [f"{each['metadata']['namespace']}/{each['metadata']['name']}"
                                   for each in kept.items(node, "services")], "service x")
            lab.expect_ping(pods[0].namespace, pods[1].address(6), count=3)
            left = [name for name in os.listdir(kept.state_folder(node)) if name.endswith(".next")]
            expect_equal(left, [], "left behind")
        cluster.nodes["a"].stop()
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


def manager(report):
    """The messages to systemd, received in its place."""
    cluster = lab.Cluster(names=("a",), outside=False, keep=True)
    node = cluster.nodes["a"]
    try:
        node.stop()
        path = "/run/lab/notify"
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        told.bind(path)
        told.settimeout(10)
        with report.check("a service manager is told of the new process (ExecReload)"):
            node.start(prefix=["env", f"NOTIFY_SOCKET={path}"])
            expect_equal(told.recv(999), b"READY=1")
            done = node.namespace.run(["env", f"NOTIFY_SOCKET={path}", NEXT, "--config",
                                       node.config_path, "--take-over", "--background"])
            seen = b""
            while b"MAINPID" not in seen:
                seen = told.recv(999)
            pid = process(node)["pid"]
            expect_equal(seen.decode(), f"MAINPID={pid}", done.stderr)
            expect_equal(node.daemon.popen.wait(10), 0, "exit code")
            node.daemon = Running(pid, node.daemon.log)
        with report.check("below a service manager upgrade takes what is installed"):
            done = node.ctl("upgrade", "--binary", NEXT, check=False)
            unit = process(node)["unit"]
            if unit:
                expect("leave --binary out" in done.stderr, done.stderr)
            else:
                report.note("this machine's processes are parts of no unit")
                expect_equal(done.returncode, 0, done.stderr)
                node.daemon = Running(process(node)["pid"], node.daemon.log)
        node.stop()
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


def tests(report, _options):
    expect(os.path.exists(NEXT), f"{NEXT} is not built")
    for workers in (1, 2):
        connections(report, workers)
    failures(report)
    manager(report)


if __name__ == "__main__":
    lab.main(tests)
