"""A cluster of the demo's own small programs, for where Kubernetes' are not installed."""

import json
import os
import shutil

from . import kubelet
from .cluster import Cluster, write_kubeconfig
from .net import PYTHON, Namespace
from .node import program

_LAB = os.path.dirname(os.path.abspath(__file__))
_PORT = 6443


class SeenPod(kubelet.RunningPod):
    """A pod that a kubelet runs, as the demo's steps see it."""

    def __init__(self, node, item):
        self.node, self.name = node, item["metadata"]["name"]
        self.address = item["status"]["podIP"]
        self.dir = f"/run/lab/{self.name}"
        self.namespace = Namespace.existing(f"pod-{self.name}")
        self._files = {f"/etc/{each}": f"{self.dir}/{each}"
                       for each in ("hosts", "resolv.conf")}


class SmallCluster(Cluster):
    what = "small programs of the demo's own"
    hint = f"curl -s http://192.168.50.100:{_PORT}/api/v1/pods"

    def start(self, configs):
        """Returns when the API server and the kubelets are ready."""
        self.url = f"http://{self.address}:{_PORT}"
        server = self.spawn("API server", self.client, [PYTHON, f"{_LAB}/api_server.py",
                                                        self.address, str(_PORT)])
        server.wait_for_line(lambda line: line == "ready", 30, "the API server")
        kubeconfig = write_kubeconfig("/run/lab/kubeconfig", self.url, {}, {"token": "demo"})
        for node in self.nodes:
            self._start_node(node, kubeconfig, configs)
            self.say(f"{node.name}: podlane-kube and a kubelet, Node {node.name}")

    def _start_node(self, node, kubeconfig, configs):
        source, target = f"/run/lab/{node.name}.conflist", f"/run/lab/{node.name}.net.d/10.conflist"
        os.makedirs(os.path.dirname(target))
        conflist = kubelet.load(os.path.join(configs, "cni/10-podlane.conflist"))
        conflist["plugins"][0].update(socket=node.socket, stateDir=f"/run/lab/{node.name}.cni")
        with open(source, "w", encoding="utf-8") as file:
            json.dump(conflist, file)
        title = f"kubelet of {node.name}"
        process = self.spawn(title, node.namespace, [
            PYTHON, f"{_LAB}/small_kubelet.py", json.dumps({
                "node": node.name, "socket": node.socket, "api": self.url, "conflist": target,
                "address": node.addresses[0], "cidr": node.pod_cidrs[0],
                "app": os.path.join(configs, "demo/app")})])
        process.wait_for_line(lambda line: line == "ready", 30, title)
        self.spawn(f"podlane-kube of {node.name}", node.namespace, [
            program("podlane-kube"), "--node", node.name, "--kubeconfig", kubeconfig, "--socket",
            node.socket, "--cni-source", source, "--cni-target", target])

    def kubectl(self, *words):
        """In the outside client's namespace; without kubectl, its stand-in."""
        found = shutil.which("kubectl")
        if found:
            start = [found, "--server", self.url, "--cache-dir", "/run/lab/kubectl"]
            more = {"apply": ["--validate=false"], "delete": ["--wait=false"]}[words[0]]
        else:
            start, more = [PYTHON, f"{_LAB}/small_kubectl.py", self.url], []
        return self.client.run([*start, *words, *more])

    def seen(self, node, item):
        return SeenPod(node, item)

    def stop(self):
        wrong = []
        for title in reversed(list(self.programs)):
            if title != "API server":
                wrong += self.stop_program(title)
        return wrong
