"""podlanectl capture and trace in the background, and a capture as tcpdump and tshark read it."""

import re
import signal
import subprocess

from checks import expect, expect_equal
from lab.net import run
from lab.node import program


class Running:
    """A running one, until it ends by itself or is stopped."""

    def __init__(self, node, *words):
        self.popen = subprocess.Popen(
            [program("podlanectl"), "--socket", node.socket, *words], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        self.said = self.popen.stderr.readline().decode()  # it reports when it has begun
        expect(re.match("capturing|tracing", self.said), self.said)

    def result(self, timeout=20):
        out, err = self.popen.communicate(timeout=timeout)
        expect_equal(self.popen.returncode, 0, err.decode())
        return out, err.decode()

    def stop(self):
        self.popen.send_signal(signal.SIGINT)
        return self.result()


def tcpdump(data, *words):
    """The lines that tcpdump shows, and its stderr."""
    done = subprocess.run(["tcpdump", "-nr", "-", *words], input=data, capture_output=True,
                          timeout=30, check=False)
    expect_equal(done.returncode, 0, done.stderr.decode())
    return done.stdout.decode().splitlines(), done.stderr.decode()


def expect_silent(said):
    """On stderr tcpdump reports what it reads, and nothing else."""
    expect(re.fullmatch(r"reading from file -, link-type EN10MB \(Ethernet\)[^\n]*\n?", said), said)


def tshark(path, *fields):
    """One row for each packet; tshark must print nothing else."""
    words = ["tshark", "-r", path, "-T", "fields", "-E", "separator=|"]
    for field in fields:
        words += ["-e", field]
    done = run(words, check=False, timeout=60)
    expect_equal(done.returncode, 0, done.stderr)
    warned = [line for line in done.stderr.splitlines() if "Running as user" not in line]
    expect_equal(warned, [], "tshark warns")
    return [line.split("|") for line in done.stdout.splitlines()]
