"""The node that is measured: its addresses, its configuration, the cluster's objects.

A pod port `clients` (64 addresses), a pod port `servers` (8 endpoints), and an uplink to node-b,
which has 64 more pods, and to a gateway with outside clients behind it. One of the three ports is
the source, one the sink, the third is silent. All addresses are static: nothing has to be resolved.
"""

import os
import sys

import numpy as np

from . import frames

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../scripts"))
from lab import objects  # noqa: E402  (the path must be known first)

CLIENTS, ENDPOINTS, REMOTES = 64, 8, 64
SERVICE_PORT, TARGET_PORT, NODE_PORT, PLAIN_PORT = 80, 8080, 30080, 5000
VNI, VXLAN_PORT = 1, 8472
NODE, PEER, GATEWAY = "192.168.100.1", "192.168.100.2", "192.168.100.254"
NODE_V6, PEER_V6, GATEWAY_V6 = "fd50::1", "fd50::2", "fd50::fe"

MAC = {
    "gateway": "02:00:00:00:00:01",  # the pods' gateway: the bridge's own MAC
    "uplink": "02:00:00:00:00:11",
    "peer": "02:00:00:00:00:12",
    "router": "02:00:00:00:00:13",  # the gateway of the outside clients
    "vtep": "02:00:00:00:00:21",
    "peer-vtep": "02:00:00:00:00:22",
    "clients": "02:00:0a:f4:00:0a",
    "servers": "02:00:0a:f4:00:65",
    "idle": "02:00:0a:f4:00:a0",
}
FIRST = {  # the first of each kind; the others count up from it
    4: {"client": "10.244.0.10", "endpoint": "10.244.0.101", "remote": "10.244.1.10",
        "service": "10.96.0.10", "far": "10.96.0.11", "outside": "198.18.0.10",
        "idle": "10.244.0.160", "node": NODE, "gateway": "10.244.0.1"},
    6: {"client": "fd00:10:244::10", "endpoint": "fd00:10:244::80",
        "remote": "fd00:10:244:1::10", "service": "fd00:10:96::10", "far": "fd00:10:96::11",
        "outside": "fd00:5f::10", "idle": "fd00:10:244::c0", "node": NODE_V6,
        "gateway": "fd00:10:244::1"},
}
POD_CIDRS = ["10.244.0.0/24", "fd00:10:244::/64"]
REMOTE_CIDRS = ["10.244.1.0/24", "fd00:10:244:1::/64"]


def mac(name):
    return frames.mac(MAC[name])


def every(kind, count):
    """All addresses of one kind, of both families, as text."""
    out = []
    for family in (4, 6):
        for row in frames.addresses(FIRST[family][kind], np.arange(count)):
            out.append(text_of(row))
    return out


def text_of(row):
    if len(row) == 4:
        return ".".join(str(byte) for byte in row)
    return ":".join(f"{row[i] << 8 | row[i + 1]:x}" for i in range(0, 16, 2))


def rows(family, kind, numbers):
    return frames.addresses(FIRST[family][kind], numbers)


def silent(name):
    return f"{name},size=64,no-rx=1"


def configuration(devices, *, socket, memory, capacity, cpus, extra_ports=()):
    """The node's configuration. `devices`: {clients, servers, uplink: DPDK device or None}."""
    device = {name: devices.get(name) or silent(f"net_null{number}")
              for number, name in enumerate(("clients", "servers", "uplink"))}
    return {
        "node": "node-a",
        "socket": socket,
        "state": {"keep": False},  # each run begins without the connections of the one before
        "workers": list(cpus),
        "idle": "poll",
        "memory": memory,
        "flows": {"capacity": capacity},
        "uplinks": [{
            "name": "uplink", "device": device["uplink"], "mac": MAC["uplink"], "mtu": 1380,
            "addresses": [f"{NODE}/24", f"{NODE_V6}/64"],
            "gateway": [GATEWAY, GATEWAY_V6],
            "neighbors": [{"address": address, "mac": MAC[name]} for address, name in (
                (PEER, "peer"), (PEER_V6, "peer"), (GATEWAY, "router"), (GATEWAY_V6, "router"))],
        }],
        "pods": {
            "cidrs": POD_CIDRS, "gatewayMac": MAC["gateway"],
            "ports": [
                {"name": "bench/clients", "device": device["clients"], "mac": MAC["clients"],
                 "addresses": every("client", CLIENTS)},
                {"name": "bench/servers", "device": device["servers"], "mac": MAC["servers"],
                 "addresses": every("endpoint", ENDPOINTS)},
                *extra_ports,
            ],
        },
        "overlay": {"type": "vxlan", "vni": VNI, "port": VXLAN_PORT, "mac": MAC["vtep"]},
        "cluster": {"podCidrs": ["10.244.0.0/16", "fd00:10:244::/56"],
                    "serviceCidrs": ["10.96.0.0/12", "fd00:10:96::/112"],
                    "dns": "off"},  # its TAP needs root
    }


def idle(device):
    """A pod port that opens connections and then neither sends nor receives on them."""
    return {"name": "bench/idle", "device": device, "mac": MAC["idle"],
            "addresses": every("idle", CLIENTS)}


def _service(name, address, node_name, target, count, node_port=None):
    """A dual-stack Service with UDP and TCP on the same port, and its EndpointSlices."""
    made = [objects.service(
        name, [FIRST[4][address], FIRST[6][address]],
        [objects.port(SERVICE_PORT, TARGET_PORT, name=protocol.lower(), protocol=protocol,
                      node_port=node_port) for protocol in ("UDP", "TCP")], namespace="bench")]
    for family in (4, 6):
        endpoints = [objects.endpoint(text_of(row), node_name)
                     for row in rows(family, target, np.arange(count))]
        made.append(objects.endpoint_slice(
            name, endpoints, [("udp", "UDP", TARGET_PORT), ("tcp", "TCP", TARGET_PORT)],
            namespace="bench", family=family))
    return made


def cluster_objects():
    """node-b, the Service `near` with endpoints here and the Service `far` with endpoints there."""
    return [
        objects.node("node-b", REMOTE_CIDRS, [PEER, PEER_V6], MAC["peer-vtep"]),
        *_service("near", "service", "node-a", "endpoint", ENDPOINTS, NODE_PORT),
        *_service("far", "far", "node-b", "remote", ENDPOINTS),
    ]


def gate():
    """Services without endpoints, one for each client address.

    While they exist, a packet to a client without a connection is refused and opens none.
    """
    clients = every("client", CLIENTS)
    return [objects.service(f"gate-{number}", [clients[number], clients[CLIENTS + number]],
                            [objects.port(1, 1, protocol="UDP")], namespace="bench")
            for number in range(CLIENTS)]
