"""The demo's own kubelet: runs the pods that an API server has for its node, attached by CNI.

A process in the node's network namespace. It registers its Node, waits for the network
configuration that podlane-kube puts into place, and then does for each Pod of its node what a
kubelet and a container runtime do: a network namespace, the CNI plugin's ADD, the containers, and
the Pod's status. A Pod that is deleted is stopped, with DEL. SIGTERM stops all.
"""

import json
import os
import shutil
import signal
import sys
import time
import types
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from lab import cni, kubelet  # noqa: E402
from lab.net import CommandFailed, Namespace  # noqa: E402
from lab.node import program  # noqa: E402


class Api:
    """The API server, as one who asks again and again."""

    def __init__(self, url):
        self.url = url

    def ask(self, method, path, body=None):
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Content-Type": kind},
            data=json.dumps(body).encode() if body is not None else None)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def set_status(self, pod, status):
        meta = pod["metadata"]
        self.ask("PATCH", f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/status",
                 {"status": status})


def conditions(ready):
    return [{"type": kind, "status": "True" if ready else "False"}
            for kind in ("Initialized", "ContainersReady", "Ready", "PodScheduled")]


class AttachedPod:
    """A sandbox with the interface that the CNI plugin has made."""

    def __init__(self, conflist, name):
        self.name = name
        self.sandbox = cni.Sandbox(f"{name}-{time.monotonic_ns():x}", name)
        # Acts of the demo look for a pod's namespace by its name.
        self.sandbox.namespace.close()
        self.sandbox.namespace = self.namespace = Namespace(f"pod-{name}")
        with open(conflist, encoding="utf-8") as file:
            lists = json.load(file)
        self.config = {"cniVersion": lists["cniVersion"], "name": lists["name"],
                       **lists["plugins"][0]}
        self.config.pop("capabilities", None)
        result = self.call("ADD")
        self.addresses = [ip["address"].split("/")[0] for ip in result["ips"]]
        self.port = {"dns": result["dns"]}

    def call(self, command):
        code, said = cni.call(program(self.config["type"]), command, self.config,
                              **self.sandbox.words())
        if code != 0:
            raise CommandFailed(f"{command} of {self.name}: {said}")
        return said

    def remove(self):
        self.namespace.stop_processes()
        self.call("DEL")
        self.namespace.close()
        shutil.rmtree(f"/run/lab/{self.name}")


class SmallKubelet:
    def __init__(self, node, socket, api, address, cidr, conflist, app):
        self.node = types.SimpleNamespace(name=node, socket=socket)
        self.api = Api(api)
        self.conflist = conflist
        self.app = app
        self.address = address
        self.running = {}  # by uid
        self.api.ask("POST", "/api/v1/nodes", {
            "metadata": {"name": node}, "spec": {"podCIDR": cidr, "podCIDRs": [cidr]},
            "status": {"addresses": [{"type": "InternalIP", "address": address}],
                       "conditions": [{"type": "Ready", "status": "True"}]}})

    def start(self, pod):
        name = pod["metadata"]["name"]
        attached = AttachedPod(self.conflist, name)
        self.running[pod["metadata"]["uid"]] = attached
        addresses = [{"ip": each} for each in attached.addresses]
        status = {"phase": "Running", "hostIP": self.address, "podIP": addresses[0]["ip"],
                  "podIPs": addresses}
        self.api.set_status(pod, {**status, "conditions": conditions(False)})
        kubelet.RunningPod(self.node, name, pod, self.app, attached)
        self.api.set_status(pod, {**status, "conditions": conditions(True)})
        print(f"{name} runs at {attached.addresses[0]}", flush=True)

    def look(self):
        pods = {pod["metadata"]["uid"]: pod for pod in self.api.ask("GET", "/api/v1/pods")["items"]
                if pod["spec"].get("nodeName") == self.node.name}
        for uid in set(self.running) - set(pods):
            self.running.pop(uid).remove()
        for uid, pod in pods.items():
            if uid not in self.running and os.path.exists(self.conflist):
                self.start(pod)

    def run(self):
        ended = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.append(True))
        print("ready", flush=True)
        while not ended:
            try:
                self.look()
            except (CommandFailed, urllib.error.URLError, OSError) as error:
                print(f"again in a moment: {error}", flush=True)
            time.sleep(0.2)
        for attached in self.running.values():
            attached.remove()


if __name__ == "__main__":
    SmallKubelet(**json.loads(sys.argv[1])).run()
