"""Captures at a receiving interface, read with tcpdump, whose checksum verdicts are not ours."""

import re
import signal
import time

from lab.net import run

# How tcpdump -vv words a wrong IPv4, TCP, UDP, ICMP or ICMPv6 checksum.
_BAD = re.compile(r"bad (\w+ )?cksum|cksum 0x[0-9a-f]+ \(incorrect|wrong icmp6? cksum")
# A packet of the listing starts with its time; what is inside it has further lines.
_PACKET = re.compile(r"^\d\d:\d\d:\d\d\.\d")


class Capture:
    """Frames that come in at one interface; a sender's own are not whole before its NIC."""

    def __init__(self, namespace, interface, expression="", *, direction="in"):
        self._file = f"/run/lab/{namespace.name}.{interface}.pcap"
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
            time.sleep(0.3)  # tcpdump does not read what is still in its ring when it is stopped
            self._process.stop(signal.SIGINT)

    def listing(self, *options):
        """tcpdump's text of the capture, one string a packet. Call after stop()."""
        shown = run(["tcpdump", "-nn", "-r", self._file, *options], timeout=120).stdout
        packets = []
        for line in shown.splitlines():
            if _PACKET.match(line):
                packets.append(line)
            elif packets:
                packets[-1] += " " + line.strip()
        return packets

    def verdict(self, *options):
        """(packets, those with a wrong checksum). `options`: such as "-T", "vxlan"."""
        packets = self.listing("-vv", *options)
        return len(packets), [packet for packet in packets if _BAD.search(packet)]
