"""A Podlane node and its pods: `podlaned` in a namespace, driven by `podlanectl`."""

import json
import os
import signal
import socket
import subprocess

from .net import CommandFailed, Namespace, remove_file, run, wait_until

BUILD = os.environ.get("PODLANE_BUILD") or os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build"
)
SERVICE_CIDRS = ["10.96.0.0/12", "fd00:10:96::/112"]
CLUSTER_POD_CIDRS = ["10.244.0.0/16", "fd00:10:244::/56"]


def program(name):
    return os.path.join(BUILD, name)


class Pod:
    """A pod's network namespace with the port that `podlanectl pod add` made in it."""

    def __init__(self, node, name, addresses, namespace="default"):
        self.node = node
        self.name = name
        self.full_name = f"{namespace}/{name}"
        self.addresses = addresses
        self.namespace = Namespace(f"pod-{name}")
        words = ["pod", "add", self.full_name, "--netns", self.namespace.path]
        for address in addresses:
            words += ["--address", address]
        self.port = json.loads(node.ctl("-o", "json", *words).stdout)

    def address(self, family):
        return next(a for a in self.addresses if (":" in a) == (family == 6))

    def remove(self):
        self.node.ctl("pod", "del", self.full_name)
        self.node.pods.remove(self)
        self.namespace.close()


class Node:
    """One node on a wire: number N has 192.168.50.N, fd50::N, 10.244.N.0/24, fd00:10:244:N::/64."""

    def __init__(self, name, number, wire, *, workers=1, overlay="vxlan", gateway=None, mtu=1500,
                 keep=False, driver=None, whole=False):
        """`keep`: its state outlives podlaned; most tests begin without state each time.

        `driver`: the uplink's; `whole`: large frames may be on its wire.
        """
        self.name = name
        self.number = number
        self.namespace = Namespace(name)
        self.addresses = [f"192.168.50.{number}", f"fd50::{number:x}"]
        self.pod_cidrs = [f"10.244.{number}.0/24", f"fd00:10:244:{number:x}::/64"]
        self.gateways = [f"10.244.{number}.1", f"fd00:10:244:{number:x}::1"]
        self.vtep_mac = f"02:00:00:76:74:{number:02x}"
        self.socket = f"/run/lab/{name}.sock"
        self.config_path = f"/run/lab/{name}.yaml"
        self.pods = []
        self.daemon = None
        self._last_pod = 9
        self.wire_port = wire.plug(self.namespace, "eth1", mtu=mtu, whole=whole)
        # For running any test with another driver, too.
        self._driver = driver or os.environ.get("PODLANE_UPLINK", "net_af_packet")
        self.config = self._config(workers, overlay, gateway, mtu)
        self.config["state"] = {"keep": keep}

    def _config(self, workers, overlay, gateway, mtu):
        # A queue for each worker, so that replies reach other workers than requests.
        queues = workers > 1 and self._driver == "net_af_packet"
        device = f"{self._driver}0,iface=eth1" + (f",qpairs={workers}" if queues else "")
        uplink = {
            "name": "uplink0",
            "device": device,
            "addresses": [f"{self.addresses[0]}/24", f"{self.addresses[1]}/64"],
            "mtu": mtu,
        }
        if gateway:
            uplink["gateway"] = gateway
        tunnel = {"type": "direct"}
        if overlay != "direct":
            tunnel = {"type": overlay, "vni": 1, "mac": self.vtep_mac}
        return {
            "node": self.name,
            "socket": self.socket,
            "workers": workers,
            "idle": "adaptive",
            "memory": {"hugepages": "auto", "mbufs": 16384},
            "flows": {"capacity": 65536},
            "uplinks": [uplink],
            "host": {"interface": "podlane0"},
            # For running any test with the shortcut, too.
            "pods": {"cidrs": self.pod_cidrs,
                     "shortcut": os.environ.get("PODLANE_SHORTCUT", "off")},
            "overlay": tunnel,
            "cluster": {"podCidrs": CLUSTER_POD_CIDRS, "serviceCidrs": SERVICE_CIDRS},
        }

    def address(self, family):
        return self.addresses[family == 6]

    def gateway(self, family):
        return self.gateways[family == 6]

    def use_config(self, path):
        """Takes a file in place of the made configuration; its socket must be `self.socket`."""
        self.config_path = path
        self.config = None

    def write_config(self):
        """start() does it, too."""
        if self.config:
            with open(self.config_path, "w", encoding="utf-8") as file:
                json.dump(self.config, file, indent=2)

    def start(self, timeout=30, prefix=(), words=()):
        """Starts podlaned, `prefix` and `words` around the command; returns once it is ready."""
        self.write_config()
        command = [*prefix, program("podlaned"), "--config", self.config_path, *words]
        log = f"/run/lab/{self.name}.log"
        remove_file(log)
        self.daemon = self.namespace.spawn(command, log)
        self.daemon.wait_for_line(
            lambda line: line.rstrip(" .").endswith("ready"), timeout, f"podlaned on {self.name}"
        )
        return self

    def ctl(self, *words, stdin=None, check=True, timeout=30):
        command = [program("podlanectl"), "--socket", self.socket, *words]
        return run(command, stdin=stdin, check=check, timeout=timeout)

    def apply(self, document):
        return self.ctl("apply", "-f", "-", stdin=document)

    def json(self, *words):
        return json.loads(self.ctl("-o", "json", *words).stdout)

    def stats(self):
        return self.json("stats")

    def drops(self):
        """The drop counters that are not zero."""
        return {reason: count for reason, count in self.stats()["drops"].items() if count}

    def rpc(self):
        return Rpc(self.socket)

    def next_addresses(self):
        self._last_pod += 1
        return [
            f"10.244.{self.number}.{self._last_pod}",
            f"fd00:10:244:{self.number:x}::{self._last_pod:x}",
        ]

    def add_pod(self, name, addresses=None, namespace="default"):
        pod = Pod(self, name, addresses or self.next_addresses(), namespace)
        self.pods.append(pod)
        return pod

    def leftovers(self):
        """What a podlaned that has ended should have removed and has not."""
        left = [self.socket] if os.path.exists(self.socket) else []
        if "podlane0" in self.namespace.links():
            left.append("podlane0")
        for pod in self.pods:
            left += [f"{pod.name}: {link}" for link in pod.namespace.links() if link != "lo"]
        return left

    def stop(self, number=signal.SIGTERM):
        """Stops podlaned and returns its exit code."""
        daemon, self.daemon = self.daemon, None
        return daemon.stop(number)

    def end(self):
        """Ends podlaned and removes its state; returns its exit code."""
        self.ctl("shutdown", "--forget")
        daemon, self.daemon = self.daemon, None
        return daemon.popen.wait(20)

    def close(self):
        for pod in list(self.pods):
            pod.namespace.close()
        self.pods = []
        if self.daemon:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                pass
        self.namespace.close()


class Rpc:
    """The config socket, as a program uses it: JSON-RPC 2.0, one message a line."""

    def __init__(self, path, timeout=20):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(path)
        self._reader = self._socket.makefile("rb")
        self._id = 0

    def send_bytes(self, data):
        self._socket.sendall(data)

    def receive(self):
        """The next reply; None when the daemon closed the connection."""
        line = self._reader.readline()
        return json.loads(line) if line else None

    def call(self, method, **params):
        self._id += 1
        request = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.send_bytes(json.dumps(request).encode() + b"\n")
        reply = self.receive()
        if reply is None or reply.get("id") != self._id:
            raise CommandFailed(f"{method}: no reply to request {self._id}: {reply}")
        if "error" in reply:
            raise CommandFailed(f"{method}: {reply['error'].get('message')}")
        return reply["result"]

    def close(self):
        self._reader.close()
        self._socket.close()


def wait_gone(path, timeout=5):
    wait_until(lambda: not os.path.exists(path), timeout, f"{path} goes away")
