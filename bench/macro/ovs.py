"""OVS-DPDK, set up for the same work with OpenFlow rules, in a network namespace of its own."""

import os
import re
import shutil
import subprocess
import time

from . import machine, world
from .programs import Failed, Program

VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
MEMORY_MB = 1000
MEMORY_BYTES = (MEMORY_MB + 24) << 20
# The last two ports are for requests, to measure their replies.
SOURCE, SINK, TUNNEL, OPENER, SEEN = 1, 2, 9, 3, 4
ZONE = 65520
MOST_PACKETS = 65536


def can(scenario, packets):
    """Whether there are rules for this work, and buffers for the file."""
    return scenario.family == 4 and scenario.name in _RULES and packets <= MOST_PACKETS


def _to_pod(mac, port, out):
    return (f"table=30,priority=100,ip,in_port={port},"
            f"actions=set_field:{world.MAC['gateway']}->eth_src,"
            f"set_field:{world.MAC[mac]}->eth_dst,dec_ttl,output:{out}")


def _service_rules(requests, answers):
    """Connection tracking, a group that chooses, and NAT; `requests`: their in and out ports."""
    address = world.FIRST[4]["service"]
    out = [f"table=0,priority=100,ip,actions=ct(table=10,zone={ZONE},nat)",
           "table=10,priority=200,ct_state=+trk+est,ip,actions=goto_table:30",
           # A connection without replies stays new: its next packets come here translated.
           "table=10,priority=10,ct_state=+trk+new,ip,actions=goto_table:30",
           _to_pod("servers", *requests)]
    out += [f"table=10,priority=100,ct_state=+trk+new,{protocol},nw_dst={address},"
            f"tp_dst={world.SERVICE_PORT},actions=group:1" for protocol in ("udp", "tcp")]
    return out + ([_to_pod("clients", *answers)] if answers else [])


def _endpoint_group():
    buckets = [
        f"bucket=weight:100,actions=ct(commit,table=30,zone={ZONE},"
        f"nat(dst={address}:{world.TARGET_PORT}))"
        for address in world.every("endpoint", world.ENDPOINTS)[:world.ENDPOINTS]]
    return ",".join(["group_id=1,type=select", *buckets])


def _encap_rules():
    return [f"priority=10,ip,nw_dst={world.REMOTE_CIDRS[0]},"
            f"actions=set_field:{world.MAC['vtep']}->eth_src,"
            f"set_field:{world.MAC['peer-vtep']}->eth_dst,dec_ttl,output:{TUNNEL}"]


def _decap_rules():
    return [f"priority=10,ip,in_port={TUNNEL},nw_dst={world.POD_CIDRS[0]},"
            f"actions=set_field:{world.MAC['gateway']}->eth_src,"
            f"set_field:{world.MAC['servers']}->eth_dst,dec_ttl,output:{SINK}"]


_REQUEST, _REPLY = ((SOURCE, SINK), None), ((OPENER, SEEN), (SOURCE, SINK))
_RULES = {
    "l2": lambda: ["actions=NORMAL"],
    "clusterip-udp": lambda: _service_rules(*_REQUEST),
    "clusterip-tcp": lambda: _service_rules(*_REQUEST),
    "reply-udp": lambda: _service_rules(*_REPLY),
    "reply-tcp": lambda: _service_rules(*_REPLY),
    "encap": _encap_rules,
    "decap": _decap_rules,
}


class Ovs(Program):
    """ovs-vswitchd with one PMD thread on the workers' CPU, and its database."""

    def __init__(self, shop, scenario):
        super().__init__(shop.path(""), "ovs-vswitchd")
        self._folder = shop.path("ovs")
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._folder)
        self._scenario = scenario
        self._env = {**os.environ, **{f"OVS_{name}DIR": self._folder
                                      for name in ("RUN", "DB", "LOG", "SYSCONF")}}
        self._database = f"unix:{self._folder}/db.sock"
        self._prefix = f"podlane-bench-ovs-{os.getpid()}"
        self._server = None
        other, worker = shop.cpus[:2]
        self._masks = (1 << other, 1 << worker)

    def _do(self, *words):
        done = subprocess.run(words, env=self._env, capture_output=True, text=True, timeout=60,
                              check=False)
        if done.returncode != 0:
            raise Failed(f"{' '.join(words)[:300]}: {done.stderr.strip()[-800:]}")
        return done.stdout

    def _vsctl(self, *words):
        return self._do("ovs-vsctl", f"--db={self._database}", "--timeout=30", *words)

    def _ofctl(self, *words):
        return self._do("ovs-ofctl", "-O", "OpenFlow15", *words)

    def _appctl(self, *words):
        return self._do("ovs-appctl", "-t", f"{self._folder}/vs.ctl", *words)

    def start(self, timeout=60):
        """Starts both daemons; the ports are added later, the source last."""
        conf = f"{self._folder}/conf.db"
        self._do("ovsdb-tool", "create", conf, SCHEMA)
        with open(self.log + ".db", "wb") as log:
            self._server = subprocess.Popen(
                ["ovsdb-server", conf, f"--remote=p{self._database}", "-vconsole:off",
                 f"--pidfile={self._folder}/db.pid", f"--unixctl={self._folder}/db.ctl"],
                env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.wait_alive(self._server, f"{self._folder}/db.sock", timeout)
        settings = {"dpdk-init": "true", "dpdk-lcore-mask": hex(self._masks[0]),
                    "pmd-cpu-mask": hex(self._masks[1]), "dpdk-socket-mem": str(MEMORY_MB),
                    "dpdk-extra": f'"--no-pci --in-memory --file-prefix={self._prefix}"'}
        self._vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                    *(f"other_config:{key}={value}" for key, value in settings.items()))
        self.spawn(["unshare", "--net", VSWITCHD, self._database, "-vconsole:off",
                    f"--log-file={self._folder}/vs.log", f"--pidfile={self._folder}/vs.pid",
                    f"--unixctl={self._folder}/vs.ctl"],
                   env=self._env, stdin=subprocess.DEVNULL)
        self.wait_for(lambda: os.path.exists(f"{self._folder}/vs.ctl"), timeout, "it answers")
        self._vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
                    "fail-mode=secure", "protocols=OpenFlow10,OpenFlow15")
        self._ofctl("del-flows", "br0")
        return self

    @staticmethod
    def wait_alive(process, path, timeout):
        end = time.monotonic() + timeout
        while not os.path.exists(path):
            if process.poll() is not None or time.monotonic() > end:
                raise Failed(f"ovsdb-server did not make {path}")
            time.sleep(0.02)

    def _port(self, bridge, number, device):
        name = f"p{number}"
        self._vsctl("add-port", bridge, name, "--", "set", "Interface", name, "type=dpdk",
                    f"ofport_request={number}", f'options:dpdk-devargs="vdev:{device}"')
        error = self._vsctl("get", "Interface", name, "error").strip()
        if error not in ("[]", '""'):
            raise Failed(f"OVS port {device}: {error}")

    def _underlay(self):
        """The bridge that carries the tunnel, with the node's address in OVS's namespace."""
        self._vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev",
                    "fail-mode=secure", f"other-config:hwaddr={world.MAC['uplink']}")
        inside = ["nsenter", f"--net=/proc/{self.process.pid}/ns/net", "ip"]
        self._do(*inside, "addr", "add", f"{world.NODE}/24", "dev", "br-phy")
        self._do(*inside, "link", "set", "br-phy", "up")
        self._vsctl("add-port", "br0", "vx", "--", "set", "Interface", "vx", "type=vxlan",
                    f"ofport_request={TUNNEL}", f"options:remote_ip={world.PEER}",
                    f"options:local_ip={world.NODE}", f"options:key={world.VNI}",
                    f"options:dst_port={world.VXLAN_PORT}")
        self._appctl("tnl/arp/set", "br-phy", world.PEER, world.MAC["peer"])
        self._ofctl("add-flow", "br-phy", "priority=0,actions=NORMAL")

    def set_up(self):
        """The scenario's bridges and rules; ports come with add()."""
        name = self._scenario.name
        if name in ("encap", "decap"):
            self._underlay()
        if name.startswith(("clusterip", "reply")):
            self._ofctl("add-group", "br0", _endpoint_group())
        rules = os.path.join(self._folder, "flows.txt")
        with open(rules, "w", encoding="ascii") as file:
            file.write("\n".join(_RULES[name]()) + "\n")
        self._ofctl("add-flows", "br0", rules)
        return self

    def add(self, number, device):
        """Adds a port; for the sink, tells the switch which MAC is behind it."""
        name = self._scenario.name
        outer = (name, number) in (("encap", SINK), ("decap", SOURCE))
        bridge = "br-phy" if outer else "br0"
        self._port(bridge, number, device)
        if number == SINK and name in ("l2", "encap"):
            mac = world.MAC["servers" if name == "l2" else "peer"]
            self._appctl("fdb/add", bridge, f"p{SINK}", "0", mac)
        time.sleep(0.5)  # OVS takes over addresses and routes of its namespace
        self.tid = self._worker() or self.tid

    def remove(self, number):
        self._vsctl("del-port", f"p{number}")

    def _worker(self):
        folder = f"/proc/{self.process.pid}/task"
        for tid in os.listdir(folder):
            with open(f"{folder}/{tid}/comm", encoding="ascii") as file:
                if file.read().startswith("pmd-c"):
                    return int(tid)
        return None

    def connections(self):
        """The number of connections that OVS tracks."""
        return int(self._appctl("dpctl/ct-get-nconns", "netdev@ovs-netdev"))

    def packets(self):
        shown = self._appctl("dpctl/show", "-s", "netdev@ovs-netdev")
        port = re.search(rf"port \d+: p{SINK}\b.*?TX packets:(\d+)", shown, re.S)
        return int(port.group(1))

    def drops(self, _but=()):
        return {}

    def describe(self):
        return self._appctl("dpctl/show", "-s", "netdev@ovs-netdev")[-1000:]

    def close(self):
        super().close()
        if self._server and self._server.poll() is None:
            self._server.terminate()
            self._server.wait(10)


def missing():
    """What keeps OVS from running, or None."""
    if not os.access(VSWITCHD, os.X_OK):
        return "OVS-DPDK is not installed: scripts/deps.sh ovs"
    if os.geteuid() != 0 or not machine.can_have_hugepages():
        return "OVS-DPDK needs root and hugepages"
    return None
