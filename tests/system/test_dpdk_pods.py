"""Pods that run DPDK: podlane-cni gives them a memif or vhost-user socket instead of an interface;
testpmd in the pod opens it and answers ARP and ping."""

import os
import shutil
import signal

import cluster as lab
from checks import expect, expect_equal
from lab import cni
from lab.net import CommandFailed, run, wait_until

USER, GROUP, STRANGER = 1234, 4321, 999
LIMITS = {"egressRate": 100_000_000, "egressBurst": 10_000_000}
DEVICES = {
    "memif": "net_memif0,role=client,socket={path},socket-abstract=no,mac={mac}",
    "vhostUser": "virtio_user0,path={path},mac={mac},queues=1",
}


class DpdkPod:
    """A sandbox with a socket, and testpmd behind it."""

    def __init__(self, node, kind):
        self.node, self.kind = node, kind
        self.network = cni.Network(node, "fast", "1.1.0", interface=kind, socketUser=USER,
                                   socketGroup=GROUP)
        self.sandbox = cni.Sandbox(f"dpdk-{kind}", kind.lower(), ifname="net1")
        self.options = {"runtimeConfig": {"bandwidth": LIMITS}}
        self.result = None
        self.process = None

    def add(self):
        self.result = self.network.must("ADD", self.sandbox, **self.options)
        return self.result

    @property
    def path(self):
        return self.result["interfaces"][0]["socketPath"]

    def address(self):
        return self.result["ips"][0]["address"].split("/")[0]

    def start(self):
        device = DEVICES[self.kind].format(path=self.path,
                                           mac=self.result["interfaces"][0]["mac"])
        words = ["dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "-l", "0,1",
                 f"--file-prefix={self.kind}", f"--vdev={device}", "--", "--forward-mode=icmpecho",
                 "--auto-start", "--total-num-mbufs=2048", "--stats-period=1",
                 "--no-lsc-interrupt"]
        self.process = self.sandbox.namespace.spawn(words)

    def stop(self):
        if self.process:
            self.process.stop(signal.SIGINT)
            self.process = None

    def answers(self, client):
        """Whether a ping of the pod's address is answered within some seconds."""
        def one():
            if self.process.popen.poll() is not None:
                raise CommandFailed(f"testpmd: {self.process.output()[-1500:]}")
            return lab.ping(client.namespace, self.address(), count=1, wait=1)[0]
        wait_until(one, 30, f"testpmd behind {self.path} answers")
        received, output = lab.ping(client.namespace, self.address(), count=5, patient=True)
        expect(received >= 4, output[-400:])


def may_connect(path, user, group):
    words = ["setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", "test", "-w", path]
    return run(words, check=False).returncode == 0


def pod_ports(node):
    return [port for port in node.rpc().call("get", kind="ports")["items"]
            if port.get("interface")]


def life(report, node, client, kind):
    pod = DpdkPod(node, kind)
    with report.check(f"{kind}: ADD tells the socket, the MAC and the addresses, and makes nothing "
                      "in the namespace"):
        made = pod.add()["interfaces"][0]
        expect_equal(made["name"], "net1")
        expect(os.path.exists(pod.path), pod.path)
        expect(pod.path.endswith(f"/default/{kind.lower()}/net1.sock"), pod.path)
        expect_equal(pod.sandbox.namespace.links(), ["lo"])
        expect_equal(pod.network.must("ADD", pod.sandbox, **pod.options), pod.result, "again")
        port = pod_ports(node)[0]
        expect_equal((port["interface"], port["socketPath"], port["bandwidth"]),
                     (kind, pod.path, LIMITS))
    with report.check(f"{kind}: the pod's user and its group may connect, and nobody else"):
        expect(may_connect(pod.path, USER, STRANGER), "the user")
        expect(may_connect(pod.path, STRANGER, GROUP), "the group")
        expect(not may_connect(pod.path, STRANGER, STRANGER), "a stranger may")
    with report.check(f"{kind}: testpmd in the pod answers another pod's ping"):
        pod.start()
        pod.answers(client)
    with report.check(f"{kind}: CHECK passes"):
        pod.network.must("CHECK", pod.sandbox, previous=pod.result, **pod.options)
    with report.check(f"{kind}: after kill -9 and a start of podlaned the socket is at its place "
                      "and the pod answers again"):
        node.stop(signal.SIGKILL)
        pod.stop()
        node.start()
        expect_equal(pod_ports(node)[0]["socketPath"], pod.path)
        pod.start()
        pod.answers(client)
    pod.stop()
    with report.check(f"{kind}: DEL removes port, socket and folder, and again it does no harm"):
        for _ in range(2):
            pod.network.must("DEL", pod.sandbox, previous=pod.result)
        expect_equal(pod_ports(node), [])
        expect(not os.path.exists(os.path.dirname(pod.path)), "the folder is left")
        expect_equal(pod.network.kept(), [])
    with report.check(f"{kind}: it can be had again, and goes with its namespace"):
        pod.add()
        pod.sandbox.close()
        wait_until(lambda: not pod_ports(node), 15, "the port goes")
        expect(not os.path.exists(pod.path), "the socket is left")
    pod.network.call("DEL", pod.sandbox)


def refused(report, node):
    with report.check("another word for an interface is refused with what is allowed"):
        network = cni.Network(node, "fast", "1.1.0", interface="veth")
        sandbox = cni.Sandbox("refused", "refused")
        code, said = network.call("ADD", sandbox)
        expect(code != 0 and said["code"] == 7 and "vhostUser" in said["details"], f"{said}")
        sandbox.close()


def tests(report, _options):
    for needed in ("dpdk-testpmd", "setpriv"):
        if not shutil.which(needed):
            report.skip("pods of DPDK", f"{needed} is not installed")
            return
    cluster = lab.Cluster(names=("a",), outside=False, keep=True)
    try:
        node = cluster.nodes["a"]
        client = cluster.pod("a", "client", servers=False)
        for kind in DEVICES:
            life(report, node, client, kind)
        refused(report, node)
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


if __name__ == "__main__":
    lab.main(tests)
