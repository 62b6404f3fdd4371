"""podlanectl as an operator used to kubectl tries it, against a real daemon."""

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import run
from lab.node import program

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../configs/demo")


def refused(node, *words, code=1, stdin=None):
    done = node.ctl(*words, stdin=stdin, check=False)
    expect_equal(done.returncode, code, f"exit code; {done.stdout}{done.stderr}")
    expect(done.stderr.startswith("error: "), f"stderr {done.stderr!r}")
    expect_equal(done.stderr.count("\n"), 1, f"lines of {done.stderr!r}")
    return done.stderr


def shell(node, text):
    """A command line of /bin/sh with podlanectl and its socket in place."""
    return run(["env", f"PODLANE_SOCKET={node.socket}", "sh", "-c",
                text.replace("podlanectl", program("podlanectl"))], check=False, timeout=30)


def on_terminal(node, columns, *words):
    """The output in a terminal of this many columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    with subprocess.Popen([program("podlanectl"), "--socket", node.socket, *words], stdout=slave,
                          stderr=slave, env=environment) as process:
        os.close(slave)
        text = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:  # EIO: the other end is closed
                break
            if not piece:
                break
            text += piece
        process.wait(20)
    os.close(master)
    return text.decode().replace("\r\n", "\n")


def feeding(report, node):
    with report.check("a folder with other programs' files is applied, as documented"):
        done = node.ctl("apply", "-f", DEMO)
        expect("node-a.yaml: skipped, it holds no Kubernetes object" in done.stderr, done.stderr)
        expect("service/webapp" in node.ctl("get", "svc", "-o", "name", "-n", "default").stdout,
               "not applied")
    with report.check("the same file named directly is refused"):
        refused(node, "apply", "-f", os.path.join(DEMO, "node-a.yaml"))
    before = node.json("get", "services")
    with report.check("a pipe that brings nothing replaces nothing"):
        done = shell(node, "false | podlanectl replace -f -")
        expect_equal(done.returncode, 1, "exit code")
        expect("--allow-empty" in done.stderr, done.stderr)
        expect_equal(node.json("get", "services"), before)
    with report.check("diff shows the fields that change, and nothing changes"):
        service = objects.service("shown", ["10.96.0.40"], [objects.port(80, 8080)])
        node.ctl("apply", "-f", "-", stdin=objects.document(service))
        service["spec"]["ports"][0]["port"] = 81
        shown = node.ctl("diff", "-f", "-", stdin=objects.document(service)).stdout
        expect("\n-" in shown and "port: 80\n" in shown and "port: 81\n" in shown, shown)
        expect_equal(node.json("get", "svc/shown")["spec"]["ports"][0]["port"], 80)


def habits(report, node):
    for words in (["get", "svc", "-o=wide"], ["get", "svc", "-A"], ["get", "svc", "-n", "default"],
                  ["get", "svc/webapp"], ["get", "svc,ep"],
                  ["get", "svc", "-l", "app!=x"], ["get", "svc", "-w", "--count", "1"],
                  ["get", "ports", "--no-headers"], ["describe", "svc", "webapp"], ["--version"],
                  ["help", "get"], ["pod", "--help"]):
        with report.check(f"podlanectl {' '.join(words)}"):
            expect(node.ctl(*words).stdout, "nothing was printed")
    with report.check("the daemon's short names are podlanectl's"):
        expect_equal(node.ctl("get", "eps").stderr, "no endpointslices\n")
    with report.check("-o name gives what get takes"):
        for name in node.ctl("get", "svc", "-o", "name").stdout.split():
            node.ctl("get", name, "-o", "yaml")
    for words in (["--bogus"], ["get", "--bogus"], ["get", "flows", "a/b/c"],
                  ["get", "neighbors", "x"], ["get", "routes", "10.0.0.1/8"]):
        with report.check(f"podlanectl {' '.join(words)} is wrong usage, in one line"):
            refused(node, *words, code=2)
    for words in (["get", "flows", "nonsense"], ["get", "flows", "--state", "foo"],
                  ["get", "ports", "nosuch"], ["get", "neighbours", "192.0.2.1"],
                  ["get", "routes", "192.0.2.0/24"], ["get", "fdb", "02:42:ac:11:00:02"],
                  ["get", "workers", "99"], ["get", "frontends", "nosuch"],
                  ["get", "addresses", "192.0.2.1"], ["describe", "ports", "nosuch"],
                  ["trace", "--pod", "nosuch", "--seconds", "1"]):
        with report.check(f"podlanectl {' '.join(words)} names nothing, in one line"):
            refused(node, *words)
    for words in (["get", "events"], ["create", "-f", "x.yml"], ["top", "pods"]):
        with report.check(f"podlanectl {' '.join(words)} gets the right command"):
            expect("podlanectl " in refused(node, *words, code=2).split(";")[1], words)
    with report.check("an empty list says so on stderr"):
        done = node.ctl("get", "flows")
        expect_equal((done.stdout, done.stderr), ("", "no flows\n"))
    with report.check("flows of a pod are found by its name"):
        pod = node.add_pod("talker")
        lab.expect_ping(pod.namespace, node.gateway(4))
        node.ctl("get", "flows", pod.full_name)
    with report.check("a bare name is of default: flows, ports, trace"):
        expect_equal(node.ctl("get", "flows", "talker").stderr, "no flows of default/talker\n")
        expect(pod.full_name in node.ctl("get", "ports", "talker").stdout, "no port")
        done = node.ctl("trace", "--pod", "talker", "--seconds", "1", check=False)
        expect_equal(done.returncode, 0, done.stderr)
    for kind in ("ports", "routes", "neighbors", "workers", "frontends", "services", "nodes"):
        with report.check(f"get {kind} fits a terminal of 80 columns"):
            lines = on_terminal(node, 80, "get", kind).split("\n")
            expect(max(map(len, lines)) <= 80, "\n".join(lines))
    with report.check("stats --watch stays within the terminal's lines"):
        text = on_terminal(node, 80, "stats", "--watch", "--count", "1")
        expect(text.count("\n") <= 24, text)


def watching(report, node):
    words = [program("podlanectl"), "--socket", node.socket, "get", "svc", "-w", "--no-headers"]
    watcher = node.namespace.spawn(words)
    try:
        with report.check("get --watch shows each change of a Service, and nothing twice"):
            for number in (51, 52):
                service = objects.service("seen", [f"10.96.0.{number}"], [objects.port(80, 8080)])
                node.ctl("apply", "-f", "-", stdin=objects.document(service))
                watcher.wait_for_line(lambda line, n=number: f"10.96.0.{n} " in line, 10,
                                      "the Service with its new address")
            lines = [line for line in watcher.output().split("\n") if "default/seen" in line]
            expect_equal(len(lines), 2, f"lines of {lines}")
    finally:
        watcher.stop()
        node.ctl("delete", "svc", "default/seen")


def explain(report, node):
    service = objects.service("named", ["10.96.0.41"], [objects.port(80, 8080)])
    node.ctl("apply", "-f", "-", stdin=objects.document(service))
    talker = "default/talker"
    with report.check("explain understands a Service's name and its DNS name"):
        wanted = node.json("explain", "--from", talker, "--to", "10.96.0.41:80")
        for to in ("default/named:80", "named.default.svc.cluster.local:80"):
            expect_equal(node.json("explain", "--from", talker, "--to", to), wanted)
    with report.check("a pod of this node that was never added: explain says to add it"):
        late = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "late"},
                "spec": {"nodeName": node.name}, "status": {"podIP": "10.244.1.222"}}
        node.ctl("apply", "-f", "-", stdin=json.dumps(late))
        text = refused(node, "explain", "--from", "default/late", "--to", "10.96.0.41:80")
        expect("no port here" in text and "pod add default/late" in text, text)
    with report.check("flannel prints the VTEP's annotations"):
        text = node.ctl("flannel").stdout
        mac = node.json("flannel")["vtepMac"]
        expect(f'"VtepMAC":"{mac}"' in text and f"node {node.name}" in text, text)


def health(report, node):
    with report.check("health ends in time when the daemon does not answer"):
        os.kill(node.daemon.popen.pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            refused(node, "health", "--timeout", "1")
            expect(time.monotonic() - begin < 20, "it waited on")
        finally:
            os.kill(node.daemon.popen.pid, signal.SIGCONT)
        # The demo's other nodes do not exist here.
        expect_equal(node.ctl("health", check=False).returncode, 3, "exit code when degraded")


@lab.with_cluster(names=("a",), outside=False)
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    feeding(report, node)
    habits(report, node)
    watching(report, node)
    explain(report, node)
    health(report, node)


if __name__ == "__main__":
    lab.main(tests)
