"""One of 64 pods sends 6,000 broadcasts a second: another pod's pings take at most twice as long.

The same program runs beside both measurements: in the quiet one it sends to an interface that leads
nowhere, so that both include the CPU time that it takes.
"""

import re
import statistics
import time

import cluster as lab
import frames
from checks import expect
from test_bad_packets import mac_of

PODS, PINGS, ROUNDS = 64, 400, 3


def p99_ms(namespace, address):
    """Of PINGS pings; none may be lost; a busy machine sends somewhat fewer."""
    _, output = lab.ping(namespace, address, count=PINGS, interval=0.01, patient=True)
    expect(" 0% packet loss" in output, output[-300:])
    times = sorted(float(each) for each in re.findall(r"time=([\d.]+)", output))
    return times[len(times) * 99 // 100]


def beside(noisy, interface, frame, work):
    """(what `work` returns, frames a second) while the pod sends by the interface."""
    seconds = 8
    flood = lab.spawn_call(noisy.namespace, "repeat_frame", interface=interface, frame=frame,
                           seconds=seconds)
    seen = work()
    return seen, lab.result_of(flood, 30) / seconds


def received(pod):
    return pod.namespace.ip_json("-s", "link", "show", "eth0")[0]["stats64"]["rx"]["packets"]


def reach_all(report, noisy, frame, others):
    """Copies that are made a few at a time are all made."""
    with report.check("broadcasts within their share reach all pods, each once"):
        time.sleep(1)  # the pods' first packets are over
        before = [received(pod) for pod in others]
        sent = lab.call(noisy.namespace, "repeat_frame", interface="eth0", frame=frame,
                        seconds=0.001)
        lab.wait_until(lambda: all(received(pod) - had >= sent
                                   for pod, had in zip(others, before)), 5, "all have them")
        time.sleep(0.2)
        grown = [received(pod) - had for pod, had in zip(others, before)]
        expect(max(grown) <= sent + 2, f"{sent} sent, received {grown}")


def tests(report, options):
    cluster = lab.Cluster(workers=options.workers, names=("a",))
    node = cluster.nodes["a"]
    try:
        server = cluster.pod("a", "server", servers=False)
        client = cluster.pod("a", "client", servers=False)
        noisy = cluster.pod("a", "noisy", servers=False)
        pods = [server, client] + [cluster.pod("a", f"other-{number}", servers=False)
                                   for number in range(PODS - 3)]
        noisy.namespace.ip("link", "add", "nowhere", "type", "veth", "peer", "name", "wall")
        for interface in ("nowhere", "wall"):
            noisy.namespace.ip("link", "set", interface, "up")
        mine = mac_of(noisy.namespace, "eth0")
        arp = bytes.fromhex("0001080006040001") + frames.mac(mine)
        arp += bytes(map(int, noisy.address(4).split("."))) + b"\0" * 6 + bytes([10, 244, 1, 250])
        frame = frames.ethernet(mine, "ff:ff:ff:ff:ff:ff", 0x0806, arp).hex()
        lab.expect_ping(client.namespace, server.address(4))
        reach_all(report, noisy, frame, pods)
        quiet, loud, rates = [], [], []
        for _ in range(ROUNDS):
            for interface, into in (("nowhere", quiet), ("eth0", loud)):
                seen, rate = beside(noisy, interface, frame,
                                    lambda: p99_ms(client.namespace, server.address(4)))
                into.append(seen)
                rates.append(rate)
        report.note(f"p99 in ms, quiet {quiet}, beside broadcasts {loud}; a second {rates}")
        with report.check("the broadcasts were more than their share"):
            expect(node.drops().get("flood_share_full", 0) > 1000, node.drops())
        with report.check("another pod's ping p99 stays below twice that of the quiet run"):
            expect(statistics.median(loud) < 2 * statistics.median(quiet), f"{loud}, {quiet}")
        noisy.namespace.ip("link", "del", "nowhere")
        cluster.stop_checks(report)
    except Exception:
        for line in cluster.describe():
            report.note(line)
        raise
    finally:
        cluster.close()


if __name__ == "__main__":
    lab.main(tests, workers=1)
