"""A resolver of the outside world, UDP and TCP: `resolver.py ADDRESS NAME=IP...`.

It serves the A and AAAA records from its command line, TTL 60; all else is NXDOMAIN.
tests/system/upstream.py can do more.
"""

import ipaddress
import socket
import struct
import sys
import threading

A, SOA, AAAA = 1, 6, 28
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
TTL = 60
_TRUNCATED, _ANSWER = 0x0200, 0x8180
_UDP_BYTES = 512


def _parse(message):
    """(id, question's bytes, name, type) of a query."""
    number, _, questions = struct.unpack("!HHH", message[:6])
    if questions != 1:
        raise ValueError("not one question")
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1").lower())
        at += 1 + message[at]
    kind = struct.unpack("!H", message[at + 1:at + 3])[0]
    return number, message[12:at + 5], ".".join(labels), kind


def record(kind, ttl, data, owner=b"\xc0\x0c"):
    """A record; of the question's name unless another is given."""
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def _start_of_authority():
    data = b"\x00\x00" + struct.pack("!IIIII", 1, 7200, 1800, 86400, 30)
    return record(SOA, 30, data, owner=b"\x00")


class Resolver:
    """The names that it serves; subclasses may override look_up()."""

    def __init__(self, known=()):
        self._known = [(name, ipaddress.ip_address(address)) for name, address in known]

    def look_up(self, name, kind):
        """(rcode, records); None: no answer at all."""
        addresses = [address for known, address in self._known if known == name]
        wanted = [each for each in addresses if (AAAA if each.version == 6 else A) == kind]
        return (NOERROR if addresses else NXDOMAIN,
                [record(kind, TTL, address.packed) for address in wanted])

    def answer(self, message, limit):
        """The reply to a query, or None."""
        number, question, name, kind = _parse(message)
        found = self.look_up(name, kind)
        if found is None:
            return None
        code, answers = found
        authority = [_start_of_authority()] if not answers and code != SERVFAIL else []
        flags = _ANSWER | code
        body = b"".join(answers + authority)
        if 12 + len(question) + len(body) > limit:
            flags, answers, authority, body = flags | _TRUNCATED, [], [], b""
        head = struct.pack("!HHHHHH", number, flags, 1, len(answers), len(authority), 0)
        return head + question + body

    def _serve_udp(self, sock):
        while True:
            message, client = sock.recvfrom(65535)
            reply = self.answer(message, _UDP_BYTES)
            if reply:
                sock.sendto(reply, client)

    def _serve_tcp(self, listener):
        while True:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb") as stream:
                connection.settimeout(5)
                size = struct.unpack("!H", stream.read(2))[0]
                reply = self.answer(stream.read(size), 65535)
                if reply:
                    stream.write(struct.pack("!H", len(reply)) + reply)
                    stream.flush()

    def serve(self, address):
        """Prints `ready` when it listens; does not return."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        udp = socket.socket(family, socket.SOCK_DGRAM)
        udp.bind((address, 53))
        tcp = socket.socket(family, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((address, 53))
        tcp.listen()
        threading.Thread(target=self._serve_tcp, args=(tcp,), daemon=True).start()
        print("ready", flush=True)
        self._serve_udp(udp)


if __name__ == "__main__":
    Resolver([each.split("=") for each in sys.argv[2:]]).serve(sys.argv[1])
