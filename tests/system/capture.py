"""Captures at a receiving interface, read with tcpdump: its checksum checks are independent."""

import re
import signal
import struct
import time

from lab.net import run

# How tcpdump -vv words a wrong IPv4, TCP, UDP, ICMP or ICMPv6 checksum.
_BAD = re.compile(r"bad (\w+ )?cksum|cksum 0x[0-9a-f]+ \(incorrect|wrong icmp6? cksum")
# A packet of the listing starts with its time; further lines show its contents.
_PACKET = re.compile(r"^\d\d:\d\d:\d\d\.\d")


def _folded(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _is_unfinished(frame):
    """True if the TCP or UDP checksum is the sum of the pseudo-header; no IP options are known."""
    packet = frame[14:]
    if frame[12:14] == b"\x86\xdd":
        protocol, addresses, segment = packet[6], packet[8:40], packet[40:]
        length = struct.unpack_from("!H", packet, 4)[0]
    else:
        protocol, addresses, segment = packet[9], packet[12:20], packet[20:]
        length = struct.unpack_from("!H", packet, 2)[0] - 20
    field = {6: 16, 17: 6}.get(protocol)
    if field is None or len(segment) < field + 2:
        return False
    pseudo = addresses + struct.pack("!HH", protocol, length)
    return struct.unpack_from("!H", segment, field)[0] == _folded(pseudo)


class Capture:
    """Frames that come in at one interface; a sender's own are only completed by its NIC."""

    _count = 0

    def __init__(self, namespace, interface, expression="", *, direction="in"):
        self.in_pod = namespace.name.startswith("pod-")
        Capture._count += 1
        self._file = f"/run/lab/{namespace.name}.{interface}.{Capture._count}.pcap"
        self._process = namespace.spawn(
            ["tcpdump", "-n", "-U", "--immediate-mode", "-Z", "root", "-B", "65536",
             "-Q", direction, "-i", interface, "-w", self._file, *expression.split()],
            log=f"{self._file}.log",
        )
        self._process.wait_for_line(lambda line: "listening on" in line, 5, "tcpdump")

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.stop()

    def stop(self):
        if self._process.popen.poll() is None:
            time.sleep(0.3)  # when stopped, tcpdump leaves unread what is still in its ring
            self._process.stop(signal.SIGINT)

    def listing(self, *options):
        """tcpdump's text of the capture, one string per packet. Call after stop()."""
        shown = run(["tcpdump", "-nn", "-r", self._file, *options], timeout=120).stdout
        packets = []
        for line in shown.splitlines():
            if _PACKET.match(line):
                packets.append(line)
            elif packets:
                packets[-1] += " " + line.strip()
        return packets

    def _frames(self):
        """The frames as bytes, in the listing's order."""
        with open(self._file, "rb") as file:
            data = file.read()
        found, offset = [], 24
        while offset + 16 <= len(data):
            length = struct.unpack_from("<I", data, offset + 8)[0]
            found.append(data[offset + 16:offset + 16 + length])
            offset += 16 + length
        return found

    def lengths(self):
        """The length of all frames, in bytes."""
        return [len(frame) for frame in self._frames()]

    def verdict(self, *options, unfinished=False):
        """(packets, those with a wrong checksum). `options`: such as "-T", "vxlan".

        With `unfinished`, a TCP or UDP checksum may be only the sum of the pseudo-header. Such a
        frame reaches a TAP with a flag for this, and the kernel accepts it; a capture does not
        show the flag.
        """
        packets = self.listing("-vv", *options)
        bad = [number for number, packet in enumerate(packets) if _BAD.search(packet)]
        if bad and unfinished:
            taken = self._frames()
            bad = [number for number in bad if not _is_unfinished(taken[number])]
        return len(packets), [packets[number] for number in bad]
