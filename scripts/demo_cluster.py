#!/usr/bin/python3
"""The shop of demo.py, run as a cluster: everything through `kubectl apply` to an API server, and
nothing directly at a node.

podlane-kube on each node follows the API server and feeds podlaned; a kubelet on each node runs the
pods of its Node and has podlane-cni attach them. API server, scheduler and kubelets are small
programs of the demo (lab/api_server.py, lab/small_kubelet.py).
"""

import json
import os
import shutil

import demo
from demo import Demo, config
from lab import kubelet
from lab.net import PYTHON, CommandFailed, Namespace, wait_until
from lab.node import BUILD, program

LAB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab")
API = f"http://{demo.OUTSIDE}:6443"
# Pods are placed on the nodes in turn: this order puts the database on node-b.
FILES = ["webapp.yml", "ingress-proxy.yml", "mysql.yml", "webservice.yml", "sqlservice.yml",
         "ingress.yml", "suppliers.yml"]
PODS = ("webapp-1", "webapp-2", "ingress-1", "mysql-1")


class SeenPod(kubelet.RunningPod):
    """A pod that a kubelet runs, as the demo's steps see it."""

    def __init__(self, node, name, address):
        self.node, self.name, self.address = node, name, address
        self.dir = f"/run/lab/{name}"
        self.namespace = Namespace.existing(f"pod-{name}")
        self._files = {f"/etc/{each}": f"{self.dir}/{each}"
                       for each in ("hosts", "resolv.conf")}


class ClusterDemo(Demo):
    steps = 16

    def __init__(self):
        super().__init__()
        self.programs = []

    def kubectl(self, *words):
        """In the outside client's namespace; without kubectl, its stand-in."""
        found = shutil.which("kubectl")
        if found:
            start = [found, "--server", API, "--cache-dir", "/run/lab/kubectl"]
            more = {"apply": ["--validate=false"], "delete": ["--wait=false"]}[words[0]]
        else:
            start, more = [PYTHON, f"{LAB}/small_kubectl.py", API], []
        done = self.client.run([*start, *words, *more])
        shown = [os.path.basename(word) for word in words]
        self.say(f"$ kubectl {' '.join(shown)}")
        self.say(done.stdout.rstrip())

    def make_nodes(self):
        super().make_nodes()
        self.step("The cluster: an API server outside, podlane-kube and a kubelet on each node")
        server = self.client.spawn([PYTHON, f"{LAB}/api_server.py", demo.OUTSIDE, "6443"])
        server.wait_for_line(lambda line: line == "ready", 30, "the API server")
        kubeconfig = "/run/lab/kubeconfig"
        with open(kubeconfig, "w", encoding="utf-8") as file:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "demo",
                       "contexts": [{"name": "demo", "context": {"cluster": "demo",
                                                                 "user": "demo"}}],
                       "clusters": [{"name": "demo", "cluster": {"server": API}}],
                       "users": [{"name": "demo", "user": {"token": "demo"}}]}, file)
        for node in self.nodes:
            self._start_cluster_programs(node, kubeconfig)
            self.say(f"{node.name}: podlane-kube and a kubelet, Node {node.name}")

    def _start_cluster_programs(self, node, kubeconfig):
        source, target = f"/run/lab/{node.name}.conflist", f"/run/lab/{node.name}.net.d/10.conflist"
        os.makedirs(os.path.dirname(target))
        example = os.path.join(os.path.dirname(demo.CONFIGS), "cni/10-podlane.conflist")
        conflist = kubelet.load(example)
        conflist["plugins"][0].update(socket=node.socket, stateDir=f"/run/lab/{node.name}.cni")
        with open(source, "w", encoding="utf-8") as file:
            json.dump(conflist, file)
        cluster_kubelet = node.namespace.spawn([PYTHON, f"{LAB}/small_kubelet.py", json.dumps({
            "node": node.name, "socket": node.socket, "api": API, "conflist": target,
            "address": node.addresses[0], "cidr": node.pod_cidrs[0],
            "app": os.path.join(demo.CONFIGS, "app")})])
        cluster_kubelet.wait_for_line(lambda line: line == "ready", 30, f"kubelet of {node.name}")
        feeder = node.namespace.spawn([
            program("podlane-kube"), "--node", node.name, "--kubeconfig", kubeconfig, "--socket",
            node.socket, "--cni-source", source, "--cni-target", target])
        self.programs += [cluster_kubelet, feeder]

    def apply_files(self):
        self.step("The story's files are applied, once, to the API server")
        self.kubectl("apply", *(word for name in FILES for word in ("-f", config(name))))

    def make_pods(self):
        self.step("Pods start where they were placed, attached by podlane-cni")
        nodes = {node.name: node for node in self.nodes}

        def pods_of(node):
            return {pod["metadata"]["name"]: pod
                    for pod in node.json("get", "pods", "-n", "default")["items"]}

        def is_ready(pod):
            return any(each["type"] == "Ready" and each["status"] == "True"
                       for each in pod["status"].get("conditions", []))

        def all_run():
            ended = next((each for each in self.programs if each.popen.poll() is not None), None)
            if ended:
                raise CommandFailed(f"{ended.command[1]}: {ended.output()[-1500:]}")
            seen = [pods_of(node) for node in self.nodes]
            return all(name in pods and is_ready(pods[name]) for pods in seen
                       for name in PODS) and seen[0]

        pods = wait_until(all_run, 120, "all pods run")
        for name in PODS:
            pod = pods[name]
            self.pods[name] = SeenPod(nodes[pod["spec"]["nodeName"]], name, pod["status"]["podIP"])
            self.say(f"{name} on {pod['spec']['nodeName']}: {pod['status']['podIP']}")
        self.say(self.nodes[0].ctl("get", "frontends").stdout.rstrip())

    def policy(self):
        self.step("A NetworkPolicy by kubectl: the web app is reached through the Ingress alone")
        url = f"http://{demo.INGRESS_HOST}:{demo.INGRESS_PORT}/?info"
        past = [f"http://{node.addresses[0]}:{demo.NODE_PORT}/?info" for node in self.nodes]
        self.kubectl("apply", "-f", config("policy.yml"))
        for node, each in zip(self.nodes, past):
            wait_until(lambda each=each: not self.is_answered(self.client, each), 20,
                       f"{each} is not answered any more")
            place = f"{demo.INGRESS_HOST}:{demo.INGRESS_PORT}:{node.addresses[0]}"
            answer = self.curl(self.client, url, "--resolve", place).strip()
            self.say(f"GET {each}: no answer; {url} through {node.name}: {answer}")
        self.kubectl("delete", "-f", config("policy.yml"))
        for each in past:
            wait_until(lambda each=each: self.is_answered(self.client, each), 20,
                       f"{each} is answered again")
        self.passed("NetworkPolicy", "ingress-1 -> webapp, port http, and nobody else")

    def balanced_to_service(self):
        self.step("kubectl delete: pods and their ports go")
        self.kubectl("delete", "-f", config("webapp.yml"))

        def gone():
            names = [port["name"] for node in self.nodes for port in node.json("get", "ports")]
            return not any("webapp" in name for name in names)

        wait_until(gone, 30, "the web app's ports go")
        # The kubelet removes a pod's namespace once DEL has been answered.
        wait_until(lambda: not any("webapp" in name for name in os.listdir("/run/netns")), 10,
                   "the web app's namespaces go")
        for name in ("webapp-1", "webapp-2"):
            del self.pods[name]
        self.say("no port and no namespace of the web app is left")
        self.passed("kubectl delete", "webapp-1 and webapp-2, by DEL of podlane-cni")

    def stop(self):
        wrong = []
        for each in reversed(self.programs):
            code = each.stop(timeout=30)
            if code != 0:
                wrong.append(f"{each.command[1]} ended with {code}: {each.output()[-500:]}")
        self.pods = {}
        return wrong + super().stop()

    def logs(self):
        super().logs()
        for each in self.programs:
            print(f"--- {each.log}\n{each.output()[-1500:]}")


if __name__ == "__main__":
    for needed in ("podlane-cni", "podlane-kube"):
        if not os.access(program(needed), os.X_OK):
            raise SystemExit(f"demo: {needed} is not in {BUILD}; `make build` builds it")
    demo.main(ClusterDemo)
