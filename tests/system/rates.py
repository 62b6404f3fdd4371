"""A rate test's two ends, run inside namespaces: one sends all that it can, the other counts.

`rates.py pour JSON` and `rates.py gather JSON`; each prints its result as JSON. Standard library
only; no import from the tests.
"""

import json
import socket
import sys
import time

UDP_SEGMENT = 103  # at level IPPROTO_UDP


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def pour_udp(address, port, seconds, size, at_once, bits_per_second):
    """Datagrams of `size` bytes at a steady rate, `at_once` in each call to the kernel."""
    sent = 0
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        if at_once > 1:
            client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        client.connect((address, port))
        data = bytes(size * at_once)
        begun = time.monotonic()
        while (now := time.monotonic() - begun) < seconds:
            due = int(now * bits_per_second / 8 / len(data))
            while sent < due:
                try:
                    client.send(data)
                except OSError:
                    pass  # the queue is full for a moment
                sent += 1
            time.sleep(0.001)
    return {"sent": sent * at_once}


def pour_tcp(address, port, seconds):
    """One connection that sends as fast as it can."""
    sent, until = 0, time.monotonic() + seconds
    with socket.create_connection((address, port), 5) as client:
        client.settimeout(1)
        data = bytes(1 << 16)
        while time.monotonic() < until:
            try:
                sent += client.send(data)
            except TimeoutError:
                pass
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return {"sent": sent}


def count(take, skip, seconds):
    """Counts for `seconds`, beginning `skip` seconds after the first arrival."""
    take()
    from_ = time.monotonic() + skip
    units = received = 0
    first = last = None
    while (now := time.monotonic()) < from_ + seconds:
        size = take()
        if size is None:
            break
        now = time.monotonic()
        if now < from_:
            continue
        if first is None:
            first = now
        else:
            units += 1
            received += size
        last = now
    return {"units": units, "bytes": received, "seconds": (last or 0) - (first or 0)}


def gather(kind, port, skip, seconds):
    """Says "ready" when it listens."""
    tcp = kind == "tcp"
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not tcp:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        made.bind(("::", port))
        if tcp:
            made.listen(1)
        made.settimeout(10)
        print("ready", flush=True)
        end, _ = made.accept() if tcp else (made, None)
        end.settimeout(3)
        buffer = bytearray(1 << 16)

        def take():
            try:
                return end.recv_into(buffer) or None
            except (TimeoutError, ConnectionError):
                return None

        return count(take, skip, seconds)


def main():
    what, arguments = sys.argv[1], json.loads(sys.argv[2])
    calls = {"pour_udp": pour_udp, "pour_tcp": pour_tcp, "gather": gather}
    print(json.dumps(calls[what](**arguments)), flush=True)


if __name__ == "__main__":
    main()
