#!/usr/bin/python3
"""Attaching a pod: how long `pod.add` takes, compared with the kernel's own time for such a port.

The floor is the fewest and shortest system calls that make the same interface, made by this
process: a TAP with its queue, made in the pod's namespace, with MAC, MTU and queue length, without
a queueing discipline, IPv6 and neighbour settings, `lo` and itself up, two addresses and two
default routes.
`pod.add` is timed at the config socket, from the request's first byte to the answer, when every
worker uses the port. Both take turns, so that the kernel is in the same state for both. Needs root;
runs in namespaces of its own.
"""

import argparse
import ctypes
import fcntl
import os
import pathlib
import socket
import statistics
import struct
import sys
import threading
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), path)
                for path in ("../scripts", "../tests/system")]

from lab.isolate import isolate  # noqa: E402
from lab.net import Namespace, Wire  # noqa: E402
from lab.node import Node  # noqa: E402
from table import Table, check, say  # noqa: E402

# linux/if_tun.h, linux/rtnetlink.h, linux/if_link.h
TUNSETIFF, TUNSETVNETHDRSZ, TUNSETOFFLOAD = 0x400454CA, 0x400454D8, 0x400454D0
TAP_FLAGS = 0x0002 | 0x1000 | 0x4000 | 0x0100  # TAP, NO_PI, VNET_HDR, MULTI_QUEUE
NEW_LINK, NEW_ADDRESS, NEW_ROUTE, NEW_QDISC = 16, 20, 24, 36
REQUEST, ACK, CREATE, EXCLUSIVE = 1, 4, 0x400, 0x200
ADDRESS, MTU, TXQLEN = 1, 4, 13
ROOT = 0xFFFFFFFF
CLONE_NEWNET = 0x40000000
UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


def enter(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Netlink:
    """A routing socket of the namespace that the thread is in."""

    def __init__(self):
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def close(self):
        self._socket.close()

    def ask(self, *messages):
        """Sends the messages in one system call and reads an answer to each."""
        parts = []
        for number, (kind, flags, body) in enumerate(messages):
            parts.append(struct.pack("=IHHII", 16 + len(body), kind, REQUEST | ACK | flags, number,
                                     0) + body)
        self._socket.send(b"".join(parts))
        for _ in messages:
            reply = self._socket.recv(4096)
            error = -struct.unpack_from("=i", reply, 16)[0]
            if error:
                raise OSError(error, os.strerror(error))


def attribute(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def change_link(index, *attributes, up=False):
    body = struct.pack("=BxHiII", 0, 0, index, UP if up else 0, UP if up else 0)
    return NEW_LINK, 0, body + b"".join(attribute(*each) for each in attributes)


def add_address(index, family, address, length):
    packed = socket.inet_pton(family, address)
    body = struct.pack("=BBBBi", family, length, 0, 0, index)
    return NEW_ADDRESS, CREATE | EXCLUSIVE, body + attribute(2, packed) + attribute(1, packed)


def add_default(index, family, via):
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 254, 3, 0, 1, 0)
    body += attribute(5, socket.inet_pton(family, via)) + attribute(4, struct.pack("=i", index))
    return NEW_ROUTE, CREATE | EXCLUSIVE, body


def no_queue(index):
    body = struct.pack("=BxxxiIII", 0, index, 0, ROOT, 0) + attribute(1, b"noqueue\0")
    return NEW_QDISC, CREATE, body


def make(namespace_fd, mac, addresses, gateways, out):
    """Runs in the pod's namespace, on a thread of its own, so that nothing else enters it."""
    enter(namespace_fd)
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"eth0", TAP_FLAGS))
    fcntl.ioctl(tap, TUNSETVNETHDRSZ, struct.pack("=i", 12))
    fcntl.ioctl(tap, TUNSETOFFLOAD, 7)
    link = Netlink()
    index = socket.if_nametoindex("eth0")
    link.ask(change_link(index, (ADDRESS, mac), (MTU, struct.pack("=I", 1450)),
                         (TXQLEN, struct.pack("=I", 2048))), no_queue(index))
    for key, value in (("accept_dad", "0"), ("accept_ra", "0"), ("autoconf", "0"),
                       ("router_solicitations", "0")):
        path = f"/proc/sys/net/ipv6/conf/eth0/{key}"
        pathlib.Path(path).write_text(value, encoding="ascii")
    for family in ("ipv4", "ipv6"):
        for key, value in (("retrans_time_ms", "200"), ("mcast_solicit", "15"),
                           ("ucast_solicit", "15")):
            path = f"/proc/sys/net/{family}/neigh/eth0/{key}"
            pathlib.Path(path).write_text(value, encoding="ascii")
    families = (socket.AF_INET, socket.AF_INET6)
    link.ask(change_link(socket.if_nametoindex("lo"), up=True), change_link(index, up=True),
             *(add_address(index, family, address, length)
               for family, address, length in zip(families, addresses, (24, 64))),
             *(add_default(index, family, via) for family, via in zip(families, gateways)))
    link.close()
    out.append(tap)


def by_hand(namespace_fd, number, addresses, gateways):
    """The floor: the descriptor of the TAP's queue."""
    done = []
    mac = bytes((2, 0, 0, 9, number >> 8, number & 255))
    inside = threading.Thread(target=make, args=(namespace_fd, mac, addresses, gateways, done))
    inside.start()
    inside.join()
    check(done, "the floor's interface could not be made")
    return done[0]


def same_interface(one, other):
    """The properties of a pod's interface that must be equal on both sides."""
    def look(namespace):
        link = namespace.ip_json("address", "show", "dev", "eth0")[0]
        routes = namespace.ip_json("route", "show", "default")
        return (link["mtu"], sorted((a["family"], a["prefixlen"]) for a in link["addr_info"]
                                    if a["scope"] == "global"), "UP" in link["flags"], len(routes))
    check(look(one) == look(other), f"{look(one)} and {look(other)} are not alike")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=100)
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file")
    options = parser.parse_args()
    isolate()
    wire = Wire()
    node = Node("node-a", 1, wire)
    node.start()
    rpc = node.rpc()
    used = []  # until the end: while the kernel ends namespaces, others wait
    floor, ours, removals = [], [], []
    for number in range(options.pods):
        addresses = [f"10.244.1.{2 + number % 250}", f"fd00:10:244:1::{2 + number:x}"]
        hand, pod = Namespace(f"hand{number}"), Namespace(f"pod{number}")
        fd = os.open(hand.path, os.O_RDONLY)
        begun = time.perf_counter()
        tap = by_hand(fd, number, addresses, node.gateways)
        floor.append((time.perf_counter() - begun) * 1e3)
        begun = time.perf_counter()
        rpc.call("pod.add", pod="default/web", netns=pod.path, addresses=addresses)
        ours.append((time.perf_counter() - begun) * 1e3)
        if number == 0:
            same_interface(hand, pod)
        begun = time.perf_counter()
        rpc.call("pod.del", pod="default/web")
        removals.append((time.perf_counter() - begun) * 1e3)
        os.close(tap)
        os.close(fd)
        used += hand, pod
    table = Table()
    for what, took in (("the kernel's floor", floor), ("pod.add", ours), ("pod.del", removals)):
        took.sort()
        table.add(f"{what}: median", statistics.median(took), "ms")
        table.add(f"{what}: 90 %", took[len(took) * 9 // 10], "ms")
    table.add("pod.add / floor, of the medians", statistics.median(ours) / statistics.median(floor),
              "", 1.5)
    say(f"{options.pods} pods, in turns")
    table.show()
    table.save(options.json)
    node.stop()
    for namespace in used:
        namespace.close()
    node.close()
    wire.namespace.close()


if __name__ == "__main__":
    main()
