"""Every frame is counted: each one received or made was sent, dropped or taken, or is held."""

import signal

import cluster as lab
import frames
from checks import expect, expect_equal
from lab import objects
from test_bad_packets import mac_of

# Too small for a burst: 8 blocks of 4 frames of 2 KB.
RING = ",blocksz=8192,framesz=2048,framecnt=32"


def balance(node):
    """(what is missing, the numbers)."""
    seen = node.stats()["frames"]
    gone = seen["sent"] + seen["dropped"] + seen["taken"] + seen["held"]
    return seen["received"] + seen["made"] - gone, seen


def expect_balance(node, what):
    lab.wait_until(lambda: balance(node)[0] == 0, 5,
                   f"{what}: in + own = out + dropped + taken + held; {balance(node)}")


def kernel_received(node):
    return node.namespace.ip_json("-s", "link", "show", "eth1")[0]["stats64"]["rx"]["packets"]


def uplink(node):
    stats = node.stats()
    port = next(p for p in stats["ports"] if p["name"] == "uplink0")
    return port["rxPackets"], stats["frames"]["lostBefore"]


def tests(report, options):
    cluster = lab.Cluster(names=("a",), start=False, workers=options.workers)
    node = cluster.nodes["a"]
    node.config["uplinks"][0]["device"] += RING
    node.config["idle"] = "adaptive"
    # The kernel between a TAP and a veth does not say what it loses when the pod's end is down.
    node.config["pods"]["shortcut"] = "off"
    try:
        cluster.start()
        counted(report, cluster, node)
        cluster.stop_checks(report)
    except Exception:
        for line in cluster.describe():
            report.note(line)
        raise
    finally:
        cluster.close()


def counted(report, cluster, node):
    one, two = cluster.pod("a", "one"), cluster.pod("a", "two", servers=False)
    cluster.pod("a", "three", servers=False)
    cluster.apply(
        objects.service("web", ["10.96.0.10"], [objects.port(80, lab.LINES, node_port=30080)]),
        objects.endpoint_slice("web", [objects.endpoint(one.address(4), node.name)],
                               [("main", "TCP", lab.LINES)]))
    with report.check("connections, pings, errors, broadcasts and questions"):
        lab.call(two.namespace, "ask", address="10.96.0.10", port=80, count=20)
        lab.call(cluster.outside, "ask", address=node.address(4), port=30080, count=20)
        lab.expect_ping(two.namespace, cluster.outside_address(6))
        lab.expect_ping(two.namespace, one.address(4), size=4000)
        lab.call(two.namespace, "refused", address="10.96.0.10", port=81)
        lab.ping(two.namespace, "10.244.1.200", count=3)
        expect_balance(node, "after them")
        seen = balance(node)[1]
        expect(seen["made"] > 0 and seen["taken"] > 0 and seen["dropped"] > 0, seen)
    with report.check("packets that wait for a neighbour are held, and then dropped by name"):
        silent = two.namespace.spawn(
            ["ping", "-n", "-c", "20", "-i", "0.05", "-W", "1", "192.168.50.77"])
        lab.wait_until(lambda: balance(node)[1]["held"] > 0, 5, f"held; {balance(node)}")
        expect_balance(node, "while some are held")
        seen = balance(node)[1]
        expect(seen["held"] <= seen["buffers"]["inUse"] < seen["buffers"]["total"], seen)
        silent.popen.wait(20)
        lab.wait_until(lambda: balance(node)[1]["held"] == 0, 10, "nothing is held any more")
        expect_balance(node, "when all are let go")
    with report.check("a device that takes nothing: each frame is named"):
        before = node.drops().get("tx_full", 0)
        one.namespace.run(["ip", "link", "set", "eth0", "down"])
        lab.ping(two.namespace, one.address(4), count=3, wait=1)
        expect(node.drops().get("tx_full", 0) > before, node.drops())
        one.namespace.run(["ip", "link", "set", "eth0", "up"])
        expect_balance(node, "after it")
    target = mac_of(node.namespace, "eth1")
    data = frames.udp("192.168.50.254", node.address(4), 4000, 4000, b"x" * 64)
    frame = frames.ethernet(mac_of(cluster.outside, "eth0"), target, 0x0800, data).hex()
    with report.check("a ring that runs over: what the kernel got is received or lost by name"):
        # From quiet to quiet: nothing else may be in flight between the two readings.
        kernel, (received, lost) = kernel_received(node), uplink(node)

        def missing():
            now_received, now_lost = uplink(node)
            grown = kernel_received(node) - kernel
            return grown - (now_received - received) - (now_lost - lost), grown, now_lost - lost

        floods = [lab.spawn_call(cluster.outside, "repeat_frame", interface="eth0", frame=frame,
                                 seconds=3) for _ in range(4)]
        sent = sum(lab.result_of(flood, 20) for flood in floods)
        lab.wait_until(lambda: missing()[0] == 0, 5, f"all are counted; {missing()} of {sent}")
        report.note(f"sent {sent}, (missing, got, lost by the ring) {missing()}")
        expect(missing()[1] >= sent, missing())
        expect_balance(node, "after it")
    tap_runs_over(report, cluster, node)
    with report.check("stats shows it"):
        text = node.ctl("stats").stdout
        expect("LOST-BEFORE" in text and "BUFFERS-USED" in text, text[:600])
        expect_equal(balance(node)[0], 0, "missing")


def port_of(node, name):
    return next(p for p in node.stats()["ports"] if p["name"] == name)


def tap_runs_over(report, cluster, node):
    """Frames that a pod's kernel queued at its interface while podlaned did not read them."""
    loud = cluster.pod("a", "loud", servers=False)
    name = loud.port["name"]
    lab.expect_ping(loud.namespace, node.gateway(4), count=1)
    gateway = loud.namespace.ip_json("neigh", "show", node.gateway(4))[0]["lladdr"]
    data = frames.udp(loud.address(4), node.gateway(4), 4000, 4000, b"x" * 64)
    frame = frames.ethernet(mac_of(loud.namespace, "eth0"), gateway, 0x0800, data).hex()

    def kernel():
        tx = loud.namespace.ip_json("-s", "link", "show", "eth0")[0]["stats64"]["tx"]
        return tx["packets"] + tx["dropped"]

    with report.check("a pod's interface that runs over: what was sent is received or named"):
        given, port = kernel(), port_of(node, name)

        def missing():
            now = port_of(node, name)
            lost = now["deviceLosses"]["rxMissed"] - port["deviceLosses"]["rxMissed"]
            grown = kernel() - given
            return grown - (now["rxPackets"] - port["rxPackets"]) - lost, grown, lost

        node.daemon.popen.send_signal(signal.SIGSTOP)
        try:
            floods = [lab.spawn_call(loud.namespace, "repeat_frame", interface="eth0", frame=frame,
                                     seconds=1) for _ in range(2)]
            sent = sum(lab.result_of(flood, 20) for flood in floods)
        finally:
            node.daemon.popen.send_signal(signal.SIGCONT)
        lab.wait_until(lambda: missing()[0] == 0, 10, f"all are counted; {missing()} of {sent}")
        report.note(f"sent {sent}, (missing, given, lost by the queue) {missing()}")
        expect(missing()[1] >= sent and missing()[2] > 0, missing())
        expect_balance(node, "after it")
    with report.check("it is in drops, and stays when the pod is gone"):
        lost = missing()[2]
        before = node.drops()["device_missed"]
        expect(before >= lost, node.drops())
        loud.remove()
        expect(node.drops()["device_missed"] >= before, node.drops())


if __name__ == "__main__":
    lab.main(tests, workers=1)
