"""Floods of new flows at the highest rate that a worker takes, beside others' traffic.

Frames of a capture file come endlessly through a second uplink or a static pod's port. Everything
is first measured on a node without the flood, in the same run.
"""

import json
import socket
import struct

import cluster as lab
from checks import expect
from lab import objects
from traffic import _tcp_frame

CAPACITY = 16384
FRAMES = 40000
SERVICE, NODE_PORT = "10.96.0.20", 30080
GATEWAY_MAC = "02:00:00:00:00:01"
FLOOD_MAC = "02:00:00:00:0a:0a"


def write_capture(path, kind):
    """SYNs that differ in source address and port: FRAMES of them."""
    from_pod = kind == "pod"
    head = bytes.fromhex((GATEWAY_MAC + FLOOD_MAC).replace(":", "")) + b"\x08\x00"
    target = socket.inet_aton(SERVICE if from_pod else "192.168.60.1")
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(FRAMES):
            if from_pod:
                source, port = f"10.244.1.{200 + number % 16}", 1024 + number // 16
            else:
                source = f"198.51.{number % 200}.{1 + number // 200 % 250}"
                port = 1024 + number % 60000
            frame = _tcp_frame(head, socket.inet_aton(source), target, port,
                               80 if from_pod else NODE_PORT, 2)
            frame += b"\0" * (60 - len(frame))
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def prepare(node, kind):
    node.config["flows"] = {"capacity": CAPACITY}
    node.config["memory"] = {"mbufs": FRAMES + 40000}
    node.config["pods"]["gatewayMac"] = GATEWAY_MAC
    if kind == "quiet":
        return
    path = f"/run/lab/{kind}.pcap"
    write_capture(path, kind)
    device = f"net_pcap0,rx_pcap={path},infinite_rx=1"
    if kind == "pod":
        node.config["pods"]["ports"] = [{
            "name": "default/flood", "device": device, "mac": FLOOD_MAC,
            "addresses": [f"10.244.1.{200 + number}" for number in range(16)]}]
    else:
        node.config["uplinks"].append({"name": "uplink1", "device": device, "mac": GATEWAY_MAC,
                                       "addresses": ["192.168.60.1/24"]})


def measure(cluster, node):
    """The others' shares of pings answered and connections made."""
    server = cluster.pod("a", "server")
    client = cluster.pod("a", "client", servers=False)
    cluster.apply(
        objects.service("web", [SERVICE], [objects.port(80, lab.LINES, node_port=NODE_PORT)]),
        objects.endpoint_slice("web", [objects.endpoint(server.address(4), node.name)],
                               [("main", "TCP", lab.LINES)]))
    lab.wait_until(lambda: lab.ping(client.namespace, cluster.outside_address(4), count=1)[0],
                   20, "the first ping")
    before = node.stats()
    pings, count = 0, 2000
    for source, target in ((client.namespace, cluster.outside_address(4)),
                           (cluster.outside, node.address(4))):
        pings += lab.ping(source, target, count=count // 2, interval=0.003)[0]
    made = {}
    for what, namespace, address, port in (
            ("ClusterIP", client.namespace, SERVICE, 80),
            ("NodePort", cluster.outside, node.address(4), NODE_PORT)):
        made[what] = lab.call(namespace, "connect_many", address=address, port=port, count=100)
    after = node.stats()
    received = after["frames"]["received"] - before["frames"]["received"]
    return {"lost": count - pings, "of": count, "made": made, "received": received,
            "created": after["flows"]["created"] - before["flows"]["created"],
            "refused": after["flows"]["refused"] - before["flows"]["refused"],
            "overload": after["drops"]["new_flow_overload"]}


def run_once(report, kind):
    cluster = lab.Cluster(names=("a",), start=False)
    node = cluster.nodes["a"]
    prepare(node, kind)
    try:
        cluster.start()
        seen = measure(cluster, node)
        report.note(f"{kind}: {json.dumps(seen)}")
        return seen
    except Exception:
        for line in cluster.describe():
            report.note(line)
        raise
    finally:
        cluster.close()


def tests(report, options):
    quiet = run_once(report, "quiet")
    for kind in ("pod", "uplink"):
        flooded = run_once(report, kind)
        with report.check(f"flood from the {kind}: it is one, of new flows beyond the table"):
            expect(flooded["received"] > 10 * CAPACITY, flooded)
        with report.check(f"flood from the {kind}: established flows lose less than 0.1%"):
            most = quiet["lost"] + flooded["of"] // 1000
            expect(flooded["lost"] <= most, f"{flooded}, quiet {quiet}")
        for what, made in flooded["made"].items():
            # Others on the flooded port suffer with it; other ports do not.
            least = 90 if kind == "uplink" and what == "NodePort" else 99
            with report.check(f"flood from the {kind}: {what}, new connections: {least} of 100"):
                expect(made >= min(least, quiet["made"][what]), f"{flooded}, quiet {quiet}")


if __name__ == "__main__":
    lab.main(tests)
