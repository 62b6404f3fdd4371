"""`podlanectl capture` and `trace` on live traffic, read back by tcpdump and tshark."""

import json
import os
import re
import shutil
import stat
import subprocess

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import run, wait_until
from lab.node import program
from probes import Running, expect_silent, tcpdump, tshark

CLUSTER_IP = "10.96.0.10"
PORT = 80
FILE = "/run/lab/capture.pcapng"
READING = "/run/lab/reading.sock"


def ask(pod, count=1):
    return lab.call(pod.namespace, "ask", address=CLUSTER_IP, port=PORT, count=count)


def captures(report, node, web, client):
    with report.check("a capture by pipe opens in tcpdump without a warning"):
        capture = Running(node, "capture", "tcp", "and", "host", client.address(4))
        ask(client)
        data, said = capture.stop()
        lines, err = tcpdump(data)
        expect_silent(err)
        before = f"{client.address(4)}.\\d+ > {CLUSTER_IP}.{PORT}"
        behind = f"{client.address(4)}.\\d+ > {web.address(4)}.{lab.LINES}"
        for form in (before, behind):
            expect(any(re.search(form, line) for line in lines), f"no {form}: {lines}")
        expect(re.search(r"\d+ packets captured, 0 missed", said), said)
    with report.check("a filter, a port and a point leave out the rest"):
        capture = Running(node, "capture", "--port", web.port["name"], "--point", "out", "-w", FILE,
                          f"dst port {lab.LINES}")
        ask(client, 2)
        capture.stop()
        with open(FILE, "rb") as file:
            lines, _ = tcpdump(file.read())
        expect(len(lines) >= 2, lines)
        expect(all(f"> {web.address(4)}.{lab.LINES}:" in line for line in lines), lines)
    with report.check("--count, --snap and --seconds end it and cut frames"):
        capture = Running(node, "capture", "-c", "3", "--snap", "60", "tcp")
        ask(client, 2)
        data, said = capture.result()
        expect_equal(len(tcpdump(data)[0]), 3, said)
        done = run([program("podlanectl"), "--socket", node.socket, "capture", "--seconds", "1",
                    "-w", FILE, "port", "9"], check=False)
        expect_equal((done.returncode, "0 packets captured" in done.stderr), (0, True),
                     done.stderr)
        with open(FILE, "rb") as file:
            lines, said = tcpdump(file.read())
        expect_equal(lines, [], "packets")
        expect_silent(said)
    with report.check("a file of packets is its owner's alone"):
        os.unlink(FILE)
        node.ctl("capture", "--seconds", "0", "-w", FILE)
        expect_equal(stat.S_IMODE(os.stat(FILE).st_mode), 0o600, "mode")
    with report.check("--size bounds the file"):
        capture = Running(node, "capture", "-w", FILE, "--size", "2000", "tcp")
        ask(client, 10)
        capture.result()
        expect(500 < os.path.getsize(FILE) <= 2000, os.path.getsize(FILE))
    with report.check("a wrong filter and an unknown port are refused, with 1"):
        for words, named in ((["tcp", "prot", "80"], "tcp prot 80"), (["--port", "eth9"], "eth9"),
                             (["--reason", "bad_luck"], "bad_luck")):
            done = node.ctl("capture", *words, check=False)
            expect_equal(done.returncode, 1, f"{words}: {done.stderr}")
            expect(named in done.stderr, done.stderr)


def comments(report, node, web, client):
    """Interfaces and comments, as tshark shows them."""
    if not shutil.which("tshark"):
        report.skip("tshark reads names and comments", "tshark is not installed")
        return
    with report.check("tshark reads the interface's name and the comment without a warning"):
        capture = Running(node, "capture", "--service", "default/web", "-w", FILE)
        ask(client)
        capture.stop()
        rows = tshark(FILE, "frame.interface_name", "frame.comment", "ip.dst", "tcp.dstport")
        first = [row for row in rows if row[2:] == [CLUSTER_IP, str(PORT)]]
        expect(first, rows)
        expect_equal(first[0][0], client.port["name"], "interface")
        expect(f"send by {web.port['name']}" in first[0][1], first[0])
        expect("(default/web)" in first[0][1] and web.address(4) in first[0][1], first[0])
    with report.check("only dropped packets, each with its reason"):
        capture = Running(node, "capture", "--drops", "-w", FILE, "--pod", "default/client")
        lab.call(client.namespace, "refused", address="10.96.0.10", port=81)
        capture.stop()
        rows = tshark(FILE, "frame.interface_name", "frame.comment")
        expect(rows, "nothing captured")
        expect(all(row[0] == f"{client.port['name']} (drop)" for row in rows), rows)
        expect(all("drop: service_undefined_port" in row[1] for row in rows), rows)


def tunnel(report, cluster, client):
    """Node b's pod, from inside and outside of the tunnel."""
    node = cluster.nodes["a"]
    far = cluster.pod("b", "far")
    with report.check("the tunnel is seen from inside and outside"):
        lab.expect_ping(client.namespace, far.address(4), count=1)
        inside = Running(node, "capture", "--point", "inside", "icmp")
        outside = Running(node, "capture", "--point", "in,out", "--port", "uplink0",
                          "udp port 8472")
        lab.expect_ping(client.namespace, far.address(4), count=2)
        lines, _ = tcpdump(inside.stop()[0])
        seen = [line for line in lines if "ICMP echo" in line and far.address(4) in line]
        expect(len(seen) >= 4, lines)
        lines, _ = tcpdump(outside.stop()[0])
        expect(any("VXLAN" in line or "OTV" in line or ".8472:" in line for line in lines), lines)
    return far


def across(report, cluster, client, far):
    """One packet at both nodes."""
    a, b = cluster.nodes["a"], cluster.nodes["b"]
    sockets = ("--socket", a.socket, "--socket", b.socket)

    def trace(*words):
        started = subprocess.Popen([program("podlanectl"), *words, *sockets, "-c", "2", "icmp"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        expect_equal(started.stderr.readline(), "tracing\n")
        lab.expect_ping(client.namespace, far.address(4), count=1)
        out, said = started.communicate(timeout=20)
        expect_equal(started.returncode, 0, said)
        return out
    with report.check("a trace with two sockets follows packets from node to node"):
        ways = [json.loads(line)["way"] for line in trace("-o", "json", "trace").splitlines()]
        expect_equal([[part["node"] for part in way] for way in ways],
                     [[a.name, b.name], [b.name, a.name]])
        asked, answered = ways
        expect(f"ICMP {client.address(4)} > {far.address(4)}" in asked[0]["summary"], asked[0])
        expect_equal(asked[1]["inPort"], "uplink0")
        expect(answered[0]["stages"][-1]["decided"].startswith("send"), answered[0])
        text = trace("trace")
        expect(re.search(rf"node {a.name}  packet 1 .*then node {b.name}  packet 1 ", text, re.S),
               text)
    with report.check("sockets of one node twice, and two where one is meant, are refused"):
        twice = ("--socket", a.socket, "--socket", a.socket)
        for words, code, named in ((["trace", *twice], 1, a.name),
                                   (["stats", *sockets], 2, "given twice")):
            done = run([program("podlanectl"), *words], check=False)
            expect_equal((done.returncode, named in done.stderr), (code, True), done.stderr)


def traces(report, node, web, client):
    with report.check("a trace shows each stage, the decision and what was written"):
        trace = Running(node, "trace", "-c", "2", f"tcp and dst host {CLUSTER_IP}")
        ask(client)
        text = trace.result()[0].decode()
        for part in ("lookup     slow path: no flow yet", "slow_path  forward",
                     f"destination {CLUSTER_IP}:{PORT} becomes {web.address(4)}:{lab.LINES}",
                     f"forward    send by {web.port['name']}", "(default/web)"):
            expect(part in text, f"no \"{part}\" in {text}")
    with report.check("a trace by drop reason names the reason, and has no other packet"):
        trace = Running(node, "-o", "json", "trace", "-c", "1", "--reason",
                        "service_undefined_port")
        ask(client)
        lab.call(client.namespace, "refused", address="10.96.0.10", port=81)
        packet = json.loads(trace.result()[0].decode().splitlines()[0])
        expect("10.96.0.10:81" in packet["summary"], packet)
        expect_equal(packet["stages"][-1]["decided"], "drop: service_undefined_port", "")


def bounded(report, node, web, client):
    with report.check("traffic goes on while a capture is on, and nothing stays of it"):
        capture = Running(node, "capture", "--rate", "50", "-w", FILE)
        expect_equal(len(ask(client, 50)), 50, "answers")
        expect(re.search(r"\d+ packets captured, [1-9]\d* missed", capture.stop()[1]),
               "nothing beyond the rate")
    with report.check("a reader that goes away ends the capture"):
        capture = Running(node, "capture", "--snap", "100")
        capture.popen.stdout.close()
        ask(client, 2)
        said = capture.popen.stderr.read().decode()
        expect("packets captured" in said, said)
        expect_equal(capture.popen.wait(20), 1, said)
        wait_until(lambda: "ended" in node.daemon.output().splitlines()[-1], 5, "its end")
    with report.check("a reader that stops reading stops neither traffic nor podlaned"):
        capture = Running(node, "capture")
        seen = lab.call(client.namespace, "bulk", address=web.address(4), port=lab.BULK,
                        size=8 * lab.MEBI, seed=1, timeout=60)
        expect(seen["received_whole"], "the data differs")
        expect_equal(node.ctl("health").returncode, 0, "health")
        wait_until(lambda: "no longer read" in node.daemon.output(), 25, "its end")
        out, said = capture.popen.communicate(timeout=20)
        expect_equal(capture.popen.returncode, 1, said)
        expect("is not read for 10 s" in said.decode(), said)
        expect(len(tcpdump(out)[0]) > 10, "what was captured before can be read")
    with report.check("more captures at once than there are places are refused"):
        several = [Running(node, "capture", "-w", f"{FILE}.{i}") for i in range(4)]
        done = node.ctl("capture", "-w", FILE, check=False)
        expect_equal((done.returncode, "are on already" in done.stderr), (1, True), done.stderr)
        for each in several:
            each.stop()
    with report.check("a capture whose program was killed ends at once"):
        capture = Running(node, "capture", "-w", FILE)
        capture.popen.kill()
        capture.popen.communicate()
        wait_until(lambda: "its connection is gone" in node.daemon.output(), 5, "its end")


def guarded(report, node):
    with report.check("the socket that only reads shows no packets"):
        done = run([program("podlanectl"), "--socket", READING, "capture", "-w", FILE],
                   check=False)
        expect_equal((done.returncode, "shows no packets" in done.stderr), (1, True), done.stderr)
    with report.check("the log says who looks at packets, and how long"):
        Running(node, "trace").stop()
        said = node.daemon.output()
        expect(re.search(r"probe \d+: user 0 looks at packets \(trace\)", said), said[-300:])


@lab.with_cluster(outside=False, start=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    node.config["readOnlySocket"] = READING
    cluster.start()
    web = cluster.pod("a", "web")
    client = cluster.pod("a", "client", servers=False)
    cluster.apply(
        objects.service("web", [CLUSTER_IP], [{"name": "http", "port": PORT, "protocol": "TCP",
                                               "targetPort": lab.LINES}]),
        objects.endpoint_slice("web", [objects.endpoint(web.address(4), node.name)],
                               [("http", "TCP", lab.LINES)]))
    captures(report, node, web, client)
    comments(report, node, web, client)
    traces(report, node, web, client)
    far = tunnel(report, cluster, client)
    across(report, cluster, client, far)
    bounded(report, node, web, client)
    guarded(report, node)


if __name__ == "__main__":
    lab.main(tests, workers=1)
