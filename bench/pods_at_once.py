#!/usr/bin/python3
"""250 pods attached at the same time: the total time, podlaned's own share of it, and the kernel's
time for the same interfaces without podlaned.

The kernel's floor is the same work by bare system calls (a TAP made in its namespace, addressed,
raised), in as many threads. podlaned's own is its CPU time in user mode for each pod.
Needs root; runs in namespaces of its own.
"""

import argparse
import ctypes
import fcntl
import os
import socket
import struct
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), path)
                for path in ("../scripts", "../tests/system")]

from lab.isolate import isolate  # noqa: E402
from lab.net import Namespace, Wire  # noqa: E402
from lab.node import Node  # noqa: E402

TUNSETIFF, SIOCSIFADDR, SIOCSIFFLAGS = 0x400454CA, 0x8916, 0x8914
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_UP = 0x2, 0x1000, 0x4000, 0x1
CLONE_NEWNET = 0x40000000


def address(number):
    return f"10.244.{1 + number // 200}.{10 + number % 200}"


def user_ms(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) * 1e3 / tick, int(fields[12]) * 1e3 / tick


def kernel_floor(count, threads):
    """Makes a TAP in its namespace, gives it an address and sets it up: only ioctl(), in as many
    threads. Returns the seconds, and the namespaces: the kernel takes seconds to end so many, and
    makes others wait meanwhile."""
    namespaces = [Namespace(f"floor{number}") for number in range(count)]
    libc = ctypes.CDLL(None, use_errno=True)
    queues = []

    def one(number):
        name = f"f{number}".encode()
        target = os.open(namespaces[number].path, os.O_RDONLY)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        libc.setns(target, CLONE_NEWNET)
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inside:
            fcntl.ioctl(inside, SIOCSIFADDR, struct.pack(
                "16sHH4s16x", name, socket.AF_INET, 0, socket.inet_aton(address(number))))
            for each in (b"lo", name):
                fcntl.ioctl(inside, SIOCSIFFLAGS, struct.pack("16sH22x", each, IFF_UP))
        libc.setns(home, CLONE_NEWNET)
        for each in (target, home):
            os.close(each)
        queues.append(fd)

    started = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(one, range(count)))
    took = time.monotonic() - started
    for fd in queues:
        os.close(fd)
    return took, namespaces


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pods", type=int, default=250)
    parser.add_argument("--threads", type=int, default=16)
    options = parser.parse_args()
    isolate()
    floor, used = kernel_floor(options.pods, options.threads)
    wire = Wire()
    node = Node("node-a", 1, wire, keep=True)
    node.config["pods"]["cidrs"] = ["10.244.0.0/16"]
    node.start()
    namespaces = [Namespace(f"pod{number}") for number in range(options.pods)]
    pid = node.daemon.popen.pid
    user, system = user_ms(pid)

    def add(number):
        client = node.rpc()
        try:
            client.call("pod.add", pod=f"default/pod{number}", netns=namespaces[number].path,
                        addresses=[address(number)])
        finally:
            client.close()

    started = time.monotonic()
    with ThreadPoolExecutor(options.threads) as pool:
        list(pool.map(add, range(options.pods)))
    took = time.monotonic() - started
    after_user, after_system = user_ms(pid)
    there = len([port for port in node.json("get", "ports") if port["kind"] == "pod"])
    own, kernels = (after_user - user) / there, (after_system - system) / there
    print(f"{there} pods in {took:.2f} s: {took * 1e3 / there:.1f} ms each; podlaned's own "
          f"{own:.1f} ms each (user), {kernels:.1f} ms each in the kernel for it")
    print(f"the kernel's floor: {floor:.2f} s, {floor * 1e3 / options.pods:.1f} ms each")
    started = time.monotonic()
    node.end()
    print(f"ended, with all interfaces removed, in {time.monotonic() - started:.2f} s")
    for namespace in namespaces + used:
        namespace.close()
    node.close()
    wire.namespace.close()
    if there != options.pods:
        sys.exit("pods are missing")


if __name__ == "__main__":
    main()
