"""Network namespaces, the processes in them, and the wire that joins them."""

import json
import os
import select
import signal
import subprocess
import time

PYTHON = "/usr/bin/python3"


class CommandFailed(Exception):
    """A command ended with an unexpected exit code; the text has its output."""


def run(command, *, check=True, timeout=60, stdin=None):
    """Runs a command to its end and returns it; raises CommandFailed if check and it failed."""
    command = [str(word) for word in command]
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired as late:
        raise CommandFailed(f"{' '.join(command)}: not done after {timeout} s") from late
    if check and done.returncode != 0:
        output = (done.stderr.strip() or done.stdout.strip())[-2000:]
        raise CommandFailed(f"{' '.join(command)}: exit {done.returncode}: {output}")
    return done


def wait_until(condition, timeout, what):
    """Polls `condition` until it is true and returns its value; raises TimeoutError, named."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(0.02)


class Process:
    """A process in the background, its output in a file. Stopped with the lab at the latest."""

    def __init__(self, command, log, *, env=None):
        self.command = [str(word) for word in command]
        self.log = log
        with open(log, "ab") as output:
            self.popen = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=env
            )

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_for_line(self, matches, timeout, what):
        """Waits for a log line with `matches(line)` true, while the process runs."""

        def seen():
            for line in self.output().splitlines():
                if matches(line):
                    return line
            if self.popen.poll() is not None:
                tail = self.output()[-2000:]
                raise CommandFailed(f"{what}: ended with {self.popen.returncode}: {tail}")
            return None

        return wait_until(seen, timeout, what)

    def stop(self, number=signal.SIGTERM, timeout=10):
        """Sends a signal, waits and returns the exit code; SIGKILL and TimeoutExpired if late."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
            try:
                # Not wait(timeout) alone, which looks again only every 50 ms.
                fd = os.pidfd_open(self.popen.pid)
                try:
                    select.select([fd], [], [], timeout)
                finally:
                    os.close(fd)
                self.popen.wait(0.1)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
                raise
        return self.popen.returncode


class Namespace:
    """One network namespace, reachable as /run/netns/NAME, with its loopback up."""

    def __init__(self, name):
        self.name = name
        self.path = f"/run/netns/{name}"
        self._processes = []
        run(["ip", "netns", "add", name])
        self.run(["ip", "link", "set", "lo", "up"])

    @classmethod
    def existing(cls, name):
        """One that somebody else has made, and will remove."""
        found = cls.__new__(cls)
        found.name, found.path, found._processes = name, f"/run/netns/{name}", []
        return found

    def command(self, words):
        return ["nsenter", f"--net={self.path}", "--", *words]

    def run(self, words, **options):
        return run(self.command(words), **options)

    def ip(self, *words):
        return self.run(["ip", *words])

    def ip_json(self, *words):
        return json.loads(self.run(["ip", "-j", *words]).stdout or "[]")

    def sysctl(self, key, value):
        self.run(["sysctl", "-qw", f"{key}={value}"])

    def spawn(self, words, log=None, **options):
        number = len(self._processes)
        log = log or f"/run/lab/{self.name}.{number}.log"
        process = Process(self.command(words), log, **options)
        self._processes.append(process)
        return process

    def links(self):
        return [link["ifname"] for link in self.ip_json("link", "show")]

    def stop_processes(self):
        for process in reversed(self._processes):
            try:
                process.stop(timeout=10)
            except subprocess.TimeoutExpired:
                pass
        self._processes = []

    def close(self):
        self.stop_processes()
        run(["ip", "netns", "del", self.name], check=False)


_OFFLOADS = "tx off rx off gso off tso off gro off"


def offloads_off(namespace, interface):
    """Makes a veth end send what a wire would carry: whole checksums and MTU-sized frames."""
    namespace.run(["ethtool", "-K", interface, *_OFFLOADS.split()])


class Wire:
    """An Ethernet segment: a kernel bridge in a namespace of its own."""

    def __init__(self, name="wire"):
        self.namespace = Namespace(name)
        self._ports = 0
        self.namespace.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
        # The kernel's bridge filter, if loaded, would sort out broken IP packets itself.
        for family in ("ip", "ip6", "arp"):
            key = f"net.bridge.bridge-nf-call-{family}tables"
            self.namespace.run(["sysctl", "-qw", f"{key}=0"], check=False)
        self.namespace.ip("link", "add", "br0", "type", "bridge", "forward_delay", "0",
                          "mcast_snooping", "0")
        self.namespace.ip("link", "set", "br0", "up")

    def plug(self, namespace, interface, *, mac=None, mtu=1500, whole=False):
        """Puts a new interface of `namespace` on the wire and returns the wire's end's name.

        `whole`: it takes large frames and partial checksums, as a veth does by default.
        """
        port = f"port{self._ports}"
        self._ports += 1
        mac_words = ["address", mac] if mac else []
        namespace.ip("link", "add", interface, *mac_words, "mtu", str(mtu), "type", "veth",
                     "peer", "name", port, "mtu", str(mtu), "netns", self.namespace.name)
        self.namespace.ip("link", "set", port, "master", "br0", "up")
        if not whole:
            offloads_off(self.namespace, port)
            offloads_off(namespace, interface)
        namespace.ip("link", "set", interface, "up")
        return port

    def cut(self, port, down=True):
        self.namespace.ip("link", "set", port, "down" if down else "up")


def add_addresses(namespace, interface, addresses):
    """Gives an interface its addresses (with prefix length); IPv6 ones are usable at once."""
    for address in addresses:
        family = ["-6"] if ":" in address else ["-4"]
        nodad = ["nodad"] if ":" in address else []
        namespace.ip(*family, "address", "add", address, "dev", interface, *nodad)


def remove_file(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
