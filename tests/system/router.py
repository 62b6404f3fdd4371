"""A router's advertisements on an interface: `router.py INTERFACE` sends one each second.

RFC 4861 section 4.2: a default route for 30 minutes, without prefixes. Standard library only.
"""

import socket
import struct
import sys
import time

ALL_NODES = "ff02::1"
LIFETIME = 1800  # seconds


def main(interface):
    index = socket.if_nametoindex(interface)
    raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    with open(f"/sys/class/net/{interface}/address", encoding="ascii") as file:
        mac = bytes.fromhex(file.read().strip().replace(":", ""))
    advertisement = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, LIFETIME, 0, 0)
    advertisement += struct.pack("!BB6s", 1, 1, mac)  # source link-layer address
    while True:
        try:
            raw.sendto(advertisement, (ALL_NODES, 0, 0, index))
        except OSError:
            pass  # its link-local address is not there yet
        time.sleep(1)


if __name__ == "__main__":
    main(sys.argv[1])
