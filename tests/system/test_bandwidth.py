"""Bandwidth limits as a runtime sets them through CNI: the rate equals the limit, both ways, for
both families, with small, usual and large frames, over the wire and after a restart."""

import json
import os

import cluster as lab
from checks import expect, expect_equal
from lab import cni
from lab.net import CommandFailed, PYTHON, wait_until

RATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "rates.py")
LIMIT = 4_000_000  # bits a second
BURST = 400_000  # bits
LIMITED = {"ingressRate": LIMIT, "ingressBurst": BURST, "egressRate": LIMIT, "egressBurst": BURST}
PORT = 9000
# For UDP: Ethernet, IP, UDP; for TCP: each segment's headers, with timestamps.
UDP_HEAD = {4: 14 + 20 + 8, 6: 14 + 40 + 8}
TCP_HEAD = {4: 14 + 20 + 32, 6: 14 + 40 + 32}
# name, what the sender does, datagrams in one frame
TRAFFIC = (
    ("small frames", {"size": 64, "at_once": 1, "bits_per_second": 4_000_000}),
    ("frames of the MTU", {"size": 1372, "at_once": 1, "bits_per_second": 10_000_000}),
    ("large frames", {"size": 1200, "at_once": 40, "bits_per_second": 10_000_000}),
)


class Pod:
    """A sandbox with its addresses; `limits` as the runtime passes a pod's annotations."""

    def __init__(self, node, name, limits=None):
        self.network = cni.Network(node, "pods", "1.0.0")
        self.sandbox = cni.Sandbox(f"bandwidth-{name}", name)
        self.runtime = {"runtimeConfig": {"bandwidth": limits}} if limits else {}
        self.result = self.network.must("ADD", self.sandbox, **self.runtime)
        self.namespace = self.sandbox.namespace

    def address(self, family):
        found = (ip["address"].split("/")[0] for ip in self.result["ips"])
        return next(each for each in found if (":" in each) == (family == 6))

    def check(self):
        return self.network.call("CHECK", self.sandbox, previous=self.result, **self.runtime)

    def remove(self):
        self.network.must("DEL", self.sandbox, previous=self.result)
        self.sandbox.close()


def run(source, target, family, kind, pour, seconds=2.0):
    """What arrives, as gather() reports it."""
    process = target.namespace.spawn([PYTHON, RATES, "gather", json.dumps(
        {"kind": kind, "port": PORT, "skip": 1.0, "seconds": seconds})])
    wait_until(lambda: "ready" in process.output(), 10, "the receiver listens")
    words = {"address": target.address(family), "port": PORT, "seconds": seconds + 1.5, **pour}
    sender = source.namespace.spawn([PYTHON, RATES, f"pour_{kind}", json.dumps(words)])
    process.popen.wait(30)
    sender.popen.wait(30)
    lines = process.output().strip().splitlines()
    if process.popen.returncode != 0:
        raise CommandFailed(f"receiver: {lines[-1:]}")
    return json.loads(lines[-1])


def expect_rate(bits, seconds, limit, slack):
    rate = bits / max(seconds, 0.001)
    expect(abs(rate / limit - 1) <= slack, f"{rate / 1e6:.2f} Mbit/s at a limit of "
           f"{limit / 1e6:.2f} Mbit/s")
    return f"{rate / 1e6:.2f} Mbit/s"


def udp(report, what, source, target, family, pour):
    with report.check(f"{what}, IPv{family}: the limit within 10 %"):
        seen = run(source, target, family, "udp", pour)
        bits = 8 * (seen["bytes"] + seen["units"] * UDP_HEAD[family])
        report.note(f"{what}: {expect_rate(bits, seen['seconds'], LIMIT, 0.1)}")


def tcp(report, what, source, target, family, mss=1398):
    """TCP finds the rate by its losses. One that waits for a retransmission timer gets less than
    the limit, so the best of three must reach it, and none may go beyond it."""
    with report.check(f"{what}, TCP over IPv{family}: the limit within 10 %"):
        rates = []
        while len(rates) < 3 and max(rates, default=0) < 0.9 * LIMIT:
            seen = run(source, target, family, "tcp", {}, seconds=6.0)
            bits = 8 * seen["bytes"] * (1 + TCP_HEAD[family] / mss)
            rates.append(bits / max(seen["seconds"], 0.001))
        said = ", ".join(f"{rate / 1e6:.2f}" for rate in rates)
        expect(0.9 * LIMIT <= max(rates) <= 1.1 * LIMIT,
               f"{said} Mbit/s at a limit of {LIMIT / 1e6:.2f} Mbit/s")
        report.note(f"{what}: {said} Mbit/s")


def drops(node, reason):
    return node.stats()["drops"][reason]


def directions(report, node, free, limited):
    for name, pour in TRAFFIC:
        for family in (4, 6):
            udp(report, f"to the pod, {name}", free, limited, family, pour)
            udp(report, f"from the pod, {name}", limited, free, family, pour)
    for family in (4, 6):
        tcp(report, "to the pod", free, limited, family)
        tcp(report, "from the pod", limited, free, family)
    with report.check("what was too much is counted by direction, and at the pod's port"):
        stats = node.stats()
        lost = stats["drops"]
        port = next(each for each in stats["ports"] if each["name"] == "default/limited")
        # A port's drops include unanswered packets that the pod's kernel sends by itself.
        expect(0 < lost["bandwidth_ingress"] <= port["txDropped"], f"{lost}, {port}")
        expect(0 < lost["bandwidth_egress"] <= port["rxDropped"], f"{lost}, {port}")


def others(report, node, free, other, limited):
    pour = {"size": 1372, "at_once": 1, "bits_per_second": 10_000_000}
    with report.check("pods without a limit lose nothing to one"):
        before = drops(node, "bandwidth_ingress") + drops(node, "bandwidth_egress")
        seen = run(free, other, 4, "udp", pour)
        rate = 8 * (seen["bytes"] + seen["units"] * UDP_HEAD[4]) / seen["seconds"]
        expect(rate > 1.8 * LIMIT, f"{rate / 1e6:.1f} Mbit/s")
        after = drops(node, "bandwidth_ingress") + drops(node, "bandwidth_egress")
        expect_equal(after, before, "drops")
    with report.check("the port tells its limits, and CHECK looks at them"):
        port = next(each for each in node.rpc().call("get", kind="ports")["items"]
                    if each["name"] == "default/limited")
        expect_equal(port["bandwidth"], LIMITED)
        expect_equal(limited.check()[0], 0)
        limited.runtime = {"runtimeConfig": {"bandwidth": {**LIMITED, "egressRate": 1}}}
        expect_equal(limited.check()[1]["code"], 101, "of a CHECK for other limits")
        limited.runtime = {"runtimeConfig": {"bandwidth": LIMITED}}
    with report.check("a burst without a rate is refused, with the key"):
        sandbox = cni.Sandbox("bandwidth-bad", "bad")
        code, said = limited.network.call(
            "ADD", sandbox, runtimeConfig={"bandwidth": {"egressBurst": 1}})
        expect_equal((code, said["code"]), (1, 7), "exit code and CNI code")
        expect("egressBurst" in said["msg"], f"{said}")
        sandbox.close()


def restart(report, node, free, limited):
    with report.check("the limits are there after a restart of podlaned"):
        node.stop()
        node.start()
    udp(report, "after a restart, to the pod", free, limited, 4, TRAFFIC[1][1])
    udp(report, "after a restart, from the pod", limited, free, 6, TRAFFIC[1][1])


def tests(report, options):
    cluster = lab.Cluster(workers=options.workers, keep=True)
    try:
        node = cluster.nodes["a"]
        free, other = Pod(node, "free"), Pod(node, "other")
        limited = Pod(node, "limited", LIMITED)
        directions(report, node, free, limited)
        others(report, node, free, other, limited)
        far = Pod(cluster.nodes["b"], "far")
        udp(report, "to the pod over the wire", far, limited, 4, TRAFFIC[1][1])
        udp(report, "from the pod over the wire, large frames", limited, far, 6, TRAFFIC[2][1])
        restart(report, node, free, limited)
        with report.check("DEL ends the limits with the port"):
            limited.remove()
            names = [each["name"] for each in node.rpc().call("get", kind="ports")["items"]]
            expect("default/limited" not in names, f"{names}")
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


if __name__ == "__main__":
    lab.main(tests, workers=1)
