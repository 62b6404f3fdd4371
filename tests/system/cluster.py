"""The tests' usual network: Podlane nodes on a wire, an outside client, and common checks.

    node a --+-- wire --+-- node b         192.168.50.0/24, fd50::/64
             |          |
          outside    (kernel node)         outside: .254, and behind it 203.0.113.1
"""

import argparse
import contextlib
import functools
import ipaddress
import json
import os
import re
import sys
import time

from checks import Report, expect, expect_equal
from lab import objects
from lab.isolate import Interrupted, Unavailable, isolate
from lab.net import PYTHON, CommandFailed, Namespace, Wire, add_addresses, run, wait_until
from lab.node import Node, program

_TRAFFIC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "traffic.py")
_HOLDING = os.path.join(os.path.dirname(_TRAFFIC), "holding.py")
LINES, UDP, BULK, HELD = 8080, 8081, 8082, 8083
MEBI = 1 << 20


def call(namespace, function, *, check=True, **arguments):
    """Runs a client function of traffic.py in a namespace and returns its result."""
    # The arguments come by stdin: a list of frames is too long for a command line.
    words = [PYTHON, _TRAFFIC, "call", function]
    done = namespace.run(words, check=False, timeout=90, stdin=json.dumps(arguments))
    if done.returncode != 0:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        if check:
            raise CommandFailed(f"{function}{str(arguments)[:300]}: {last}")
        return None
    return json.loads(done.stdout)


def serve(namespace, name, *, lines=LINES, udp=UDP, bulk=BULK):
    """Starts the test servers in a namespace and waits until they listen."""
    words = [PYTHON, _TRAFFIC, "serve", name, str(lines), str(udp), str(bulk)]
    process = namespace.spawn(words)

    def listening():
        if process.popen.poll() is not None:
            raise CommandFailed(f"servers of {name}: {process.output()[-500:]}")
        return f":{lines} " in namespace.run(["ss", "-Hltn"]).stdout

    wait_until(listening, 10, f"servers of {name} listen")
    return process


def spawn_call(namespace, function, **arguments):
    """Starts a client function in the background; its result is the last line of its log."""
    words = [PYTHON, _TRAFFIC, "call", function, json.dumps(arguments)]
    return namespace.spawn(words)


def keep_answering(namespace, name):
    """Starts the server of holding.py in a namespace, at HELD, and waits until it listens."""
    process = namespace.spawn([PYTHON, _HOLDING, "serve", name, str(HELD)])
    wait_until(lambda: f":{HELD} " in namespace.run(["ss", "-Hltn"]).stdout, 10, f"{name} listens")
    return process


def hold(namespace, **arguments):
    """Starts holding.py's connections in the background; result_of() returns their outcome."""
    return namespace.spawn([PYTHON, _HOLDING, "hold", json.dumps(arguments)])


def result_of(process, timeout):
    process.popen.wait(timeout)
    lines = process.output().strip().splitlines()
    if process.popen.returncode != 0:
        raise CommandFailed(f"client: {lines[-1] if lines else 'no output'}")
    return json.loads(lines[-1])


def ping(namespace, address, *, count=5, interval=0.05, size=56, dont_fragment=False, wait=2,
         patient=False):
    """Pings and returns (received, output)."""
    words = ["ping", "-n", "-c", str(count), "-i", str(interval), "-W", str(wait), "-s", str(size)]
    words += ["-M", "do" if dont_fragment else "dont"]
    # Otherwise it waits for the last answer for one interval or twice the longest time so far,
    # which is too short on a busy machine; so it goes on until `count` are answered.
    words += ["-w", str(int(count * interval) + wait + 1)] if patient else []
    done = namespace.run([*words, address], check=False, timeout=60)
    answered = {int(each) for each in re.findall(r"icmp_seq=(\d+) ttl=", done.stdout)}
    return len({each for each in answered if each <= count}), done.stdout + done.stderr


def expect_ping(namespace, address, *, settle=5, **options):
    """The address answers within `settle` seconds, and every time after that."""
    wait_until(
        lambda: ping(namespace, address, count=1, wait=1)[0], settle, f"ping {address} answers"
    )
    count = options.setdefault("count", 20)
    received, output = ping(namespace, address, patient=True, **options)
    expect(received == count, f"{received} of {count} answers: {output[-600:]}")


def expect_bulk(namespace, address, size, port=BULK, timeout=60):
    """Data arrives whole, both ways; returns the rate in MB/s."""
    seen = call(namespace, "bulk", address=address, port=port, size=size, seed=size,
                timeout=timeout)
    expect(seen["sent_whole"], "the digest of the data sent differs")
    expect(seen["received_whole"], "the digest of the data received differs")
    return 2 * size / 1e6 / max(seen["seconds"], 0.001)


@contextlib.contextmanager
def whole_checksums(*pods):
    """Makes the pods' kernels finish checksums themselves instead of leaving them to Podlane."""
    for pod in pods:
        pod.namespace.run(["ethtool", "-K", "eth0", "tx", "off"])
    yield
    for pod in pods:
        pod.namespace.run(["ethtool", "-K", "eth0", "tx", "on"])


def expect_clean(report, capture, name, *options, least=1):
    """Every checksum in a capture is right, or, in a pod, at least correctly begun."""
    with report.check(name):
        packets, bad = capture.verdict(*options, unfinished=capture.in_pod)
        expect(packets >= least, f"only {packets} packets captured")
        expect(not bad, f"{len(bad)} of {packets} packets with a wrong checksum, first: {bad[:1]}")


def same_address(one, other):
    return ipaddress.ip_address(one) == ipaddress.ip_address(other)


class Cluster:
    """Nodes, pods and an outside client; everything stops with close()."""

    def __init__(self, *, workers=1, overlay="vxlan", names=("a", "b"), outside=True, start=True,
                 keep=False, driver=None):
        self.overlay = overlay
        self.wire = Wire()
        self.nodes = {}
        self.others = []
        self.outside = self._make_outside() if outside else None
        for number, name in enumerate(names, 1):
            node = Node(f"node-{name}", number, self.wire, workers=workers, overlay=overlay,
                        gateway="192.168.50.254" if outside else None, keep=keep,
                        driver=driver)
            self.nodes[name] = node
        if start:
            self.start()

    def start(self):
        for node in self.nodes.values():
            node.start()
        self.apply(*self.node_objects())

    def _make_outside(self):
        client = Namespace("outside")
        client.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.wire.plug(client, "eth0")
        add_addresses(client, "eth0", ["192.168.50.254/24", "fd50::fe/64"])
        add_addresses(client, "lo", ["203.0.113.1/32"])
        return client

    def outside_address(self, family):
        return "fd50::fe" if family == 6 else "192.168.50.254"

    def node_objects(self):
        return [
            objects.node(node.name, node.pod_cidrs, node.addresses,
                         node.vtep_mac if self.overlay != "direct" else None, self.overlay)
            for node in [*self.nodes.values(), *self.others]
        ]

    def apply(self, *items):
        """Applies objects on every node."""
        text = objects.document(*items)
        for node in self.nodes.values():
            node.apply(text)

    def pod(self, node, name, *, servers=True):
        pod = self.nodes[node].add_pod(name)
        if servers:
            serve(pod.namespace, name)
        return pod

    def describe(self):
        """Helps to understand a failure: the log's end and the drops of each node."""
        for node in self.nodes.values():
            if node.daemon:
                yield f"--- log of {node.name}: {node.daemon.output()[-3000:]}"
                try:
                    yield f"--- drops of {node.name}: {node.drops()}"
                except CommandFailed as error:
                    yield f"--- no statistics: {error}"

    def stop_checks(self, report):
        """SIGTERM ends every daemon with 0, and it leaves nothing behind."""
        for node in self.nodes.values():
            if not node.daemon:
                continue
            with report.check(f"{node.name}: SIGTERM ends podlaned with exit code 0"):
                expect_equal(node.stop(), 0, "exit code")
            with report.check(f"{node.name}: its TAPs and its socket are gone"):
                expect_equal(node.leftovers(), [], "left behind")

    def close(self):
        for node in [*self.nodes.values(), *self.others]:
            node.close()
        if self.outside:
            self.outside.close()
        self.wire.namespace.close()


def refused_calls(since):
    """System calls of podlaned that its filter refused from `since` on, from the kernel's log; none
    if there is no such log, or it belongs to another system."""
    log = run(["dmesg"], check=False).stdout
    found = re.findall(r"audit\((\d+\.\d+):\d+\): (.*)", log)
    mine = f'exe="{os.path.realpath(program("podlaned"))}"'
    return [line for when, line in found if float(when) >= since and mine in line
            and "syscall=" in line]


def main(tests, **arguments):
    """Runs `tests(report, options)` isolated, as one TAP program. `arguments`: name=default."""
    parser = argparse.ArgumentParser()
    for name, default in arguments.items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    options = parser.parse_args()
    for name in ("podlaned", "podlanectl"):
        if not os.access(program(name), os.X_OK):
            print(f"1..0 # SKIP {name} is not built in {os.path.dirname(program(name))}")
            return
    try:
        isolate()
    except Unavailable as reason:
        print(f"1..0 # SKIP {reason}")
        return
    report = Report()
    begin = time.time()
    try:
        tests(report, options)
    except (Exception, Interrupted) as error:
        report.result(f"the test runs to its end: {type(error).__name__}: {error}", False)
    with report.check("podlaned made no system call that is not on its list"):
        expect_equal(refused_calls(begin), [], "refused by the kernel")
    report.finish()
    sys.stdout.flush()
    os._exit(0)


def with_cluster(**fixed):
    """Decorates a test of (report, options, cluster): makes the cluster, and explains failures."""

    def decorate(test):
        @functools.wraps(test)
        def wrapped(report, options):
            made = dict(fixed)
            made.setdefault("workers", getattr(options, "workers", 1))
            made.setdefault("overlay", getattr(options, "overlay", "vxlan"))
            cluster = Cluster(**made)
            try:
                try:
                    test(report, options, cluster)
                finally:
                    if report.failed or sys.exc_info()[0]:
                        for text in cluster.describe():
                            report.note(text)
                cluster.stop_checks(report)
            finally:
                cluster.close()

        return wrapped

    return decorate
