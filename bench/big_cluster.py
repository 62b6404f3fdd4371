"""A cluster of any size as Kubernetes objects, and frames to its Services.

Service i has ClusterIP 10.192.0.0 + i + 1, port 80 to 8080, and one EndpointSlice. Its endpoints
are pods of another node, each with an address of its own from 10.128.0.0/10. JSON is compact, with
the fields that an API server's answer has for the same objects.
"""

import ipaddress
import json
import struct

NODE = "node-a"
PEER = "192.168.50.2"
GATEWAY_MAC = "02:00:00:00:00:01"
CLIENT = "10.64.0.10"
CLIENT_MAC = "02:00:00:00:01:10"
PODS_BASE = int(ipaddress.ip_address("10.128.0.0"))
SERVICES_BASE = int(ipaddress.ip_address("10.192.0.1"))


def dotted(number):
    return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def node_config(device="net_null1,no-rx=1", *, idle="poll"):
    """Frames come in by `device` and leave for the other node, which does not exist."""
    return {
        "node": NODE,
        "idle": idle,
        "uplinks": [{"name": "sink", "device": "net_null0,no-rx=1",
                     "addresses": ["192.168.50.1/24"],
                     "neighbors": [{"address": PEER, "mac": "02:00:00:00:50:02"}]}],
        "pods": {"cidrs": ["10.64.0.0/24"], "gatewayMac": GATEWAY_MAC,
                 "ports": [{"name": "default/client", "device": device, "addresses": [CLIENT],
                            "mac": CLIENT_MAC}]},
        "overlay": {"type": "direct"},
        "cluster": {"podCidrs": ["10.64.0.0/24", "10.128.0.0/10"],
                    "serviceCidrs": ["10.192.0.0/10"], "dns": "off"},
    }


def peer_node():
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-b"},
            "spec": {"podCIDRs": ["10.128.0.0/10"]},
            "status": {"addresses": [{"type": "InternalIP", "address": PEER}]}}


def service_name(index):
    return f"service-{index:05}"


def service(index):
    name = service_name(index)
    address = dotted(SERVICES_BASE + index)
    return {
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name},
                     "resourceVersion": str(100000 + index),
                     "creationTimestamp": "2024-01-01T00:00:00Z"},
        "spec": {"type": "ClusterIP", "clusterIP": address, "clusterIPs": [address],
                 "internalTrafficPolicy": "Cluster", "ipFamilies": ["IPv4"],
                 "ipFamilyPolicy": "SingleStack", "selector": {"app": name},
                 "ports": [{"name": "main", "port": 80, "protocol": "UDP", "targetPort": 8080}],
                 "sessionAffinity": "None"},
        "status": {"loadBalancer": {}},
    }


def endpoint_slice(index, per_service, moved=None):
    """The slice of Service `index`; its last endpoint gets another address with each `moved`."""
    name = service_name(index)
    first = PODS_BASE + index * per_service
    addresses = [dotted(first + i) for i in range(per_service)]
    if moved is not None:
        # Above all other addresses: 10.128.0.0/10 has four million.
        addresses[-1] = dotted(PODS_BASE + (3 << 20) + moved % (1 << 20))
    return {
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {"name": f"{name}-x7k2p", "namespace": "default",
                     "labels": {"app": name, "kubernetes.io/service-name": name,
                                "endpointslice.kubernetes.io/managed-by":
                                    "endpointslice-controller.k8s.io"},
                     "resourceVersion": str(200000 + index)},
        "ports": [{"name": "main", "port": 8080, "protocol": "UDP"}],
        "endpoints": [
            {"addresses": [address],
             "conditions": {"ready": True, "serving": True, "terminating": False},
             "nodeName": "node-b",
             "targetRef": {"kind": "Pod", "name": f"{name}-{i:05x}", "namespace": "default"}}
            for i, address in enumerate(addresses)],
    }


def text_of(item):
    return json.dumps(item, separators=(",", ":"))


def cluster(services, per_service):
    """All objects, one JSON List."""
    parts = [text_of(peer_node())]
    for index in range(services):
        parts.append(text_of(service(index)))
        parts.append(text_of(endpoint_slice(index, per_service)))
    return '{"apiVersion":"v1","kind":"List","items":[' + ",".join(parts) + "]}"


def endless(path):
    """A device that sends a file's frames again and again."""
    return f"net_pcap0,rx_pcap={path},infinite_rx=1"


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frames(services, flows):
    """A pcap file's bytes: a 60-byte UDP frame for each flow, spread over the Services."""
    ethernet = bytes.fromhex((GATEWAY_MAC + CLIENT_MAC).replace(":", "")) + b"\x08\x00"
    client = ipaddress.ip_address(CLIENT).packed
    payload = bytes(18)
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for flow in range(flows):
        to = struct.pack("!I", SERVICES_BASE + flow * services // flows % services)
        udp = struct.pack("!HHHH", 1024 + flow % 60000, 80, 8 + len(payload), 0) + payload
        total = checksum(client + to + struct.pack("!HH", 17, len(udp)) + udp)
        udp = udp[:6] + struct.pack("!H", total or 0xFFFF) + udp[8:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + client + to
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        frame = ethernet + ip + udp
        out.append(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    return b"".join(out)
