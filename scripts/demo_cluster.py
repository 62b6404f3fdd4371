#!/usr/bin/python3
"""The shop of demo.py, run as a cluster: everything through `kubectl apply` to an API server, and
nothing directly at a node.

podlane-kube on each node follows the API server and feeds podlaned; a kubelet on each node runs the
pods of its Node and has podlane-cni attach them. API server, scheduler and kubelets are Kubernetes'
own where all of them are on the PATH (lab/real_cluster.py), and else small programs of the demo
(lab/small_cluster.py).
"""

import os
import sys
import time

import demo
from demo import Demo, config
from lab import real_cluster
from lab.net import wait_until
from lab.node import BUILD, program
from lab.real_cluster import RealCluster
from lab.small_cluster import SmallCluster

# The demo's own scheduler places pods on the nodes in turn: this order puts the database on node-b.
FILES = ["webapp.yml", "ingress-proxy.yml", "mysql.yml", "webservice.yml", "sqlservice.yml",
         "ingress.yml", "suppliers.yml"]


def is_ready(pod):
    return any(each["type"] == "Ready" and each["status"] == "True"
               for each in pod["status"].get("conditions", []))


def roles(pods):
    """The pods by their parts in the story: webapp-2 is on the database's node, webapp-1 not."""
    of = {app: [pod for pod in pods if pod["metadata"]["labels"].get("app") == app]
          for app in ("mysql", "ingress", "webapp")}
    if [len(each) for each in of.values()] != [1, 1, 2] or not all(map(is_ready, pods)):
        return None
    beside = of["mysql"][0]["spec"]["nodeName"]
    first, second = sorted(of["webapp"], key=lambda pod: pod["spec"]["nodeName"] == beside)
    return {"mysql-1": of["mysql"][0], "webapp-1": first, "webapp-2": second,
            "ingress-1": of["ingress"][0]}


class ClusterDemo(Demo):
    steps = 16

    def __init__(self):
        super().__init__()
        self.cluster = None

    def step(self, text):
        super().step(text)
        if self.cluster:
            self.cluster.check()

    def kubectl(self, *words):
        done = self.cluster.kubectl(*words)
        shown = [os.path.basename(word) for word in words]
        self.say(f"$ kubectl {' '.join(shown)}")
        self.say(done.stdout.rstrip())

    def make_nodes(self):
        lacking = real_cluster.missing()
        kind = SmallCluster if lacking else RealCluster
        why = f". Kubernetes' own are not all there: no {', '.join(lacking)}" if lacking else ""
        print(f"The cluster: {kind.what}{why}.", flush=True)
        super().make_nodes()
        self.step("The cluster: an API server outside, podlane-kube and a kubelet on each node")
        self.cluster = kind(self.say, self.client, self.nodes, demo.OUTSIDE)
        self.cluster.start(os.path.dirname(demo.CONFIGS))

    def apply_files(self):
        self.step("The story's files are applied, once, to the API server")
        self.kubectl("apply", *(word for name in FILES for word in ("-f", config(name))))

    def make_pods(self):
        self.step("Pods start where they were placed, attached by podlane-cni")
        self._await_pods()
        self.say(self.nodes[0].ctl("get", "frontends").stdout.rstrip())

    def _await_pods(self):
        nodes = {node.name: node for node in self.nodes}
        self.say("waiting for four pods")
        told = set()

        def all_run():
            self.cluster.check()
            seen = [node.json("get", "pods", "-n", "default")["items"] for node in self.nodes]
            for pod in filter(is_ready, seen[0]):
                name = pod["metadata"]["name"]
                if name not in told:
                    told.add(name)
                    self.say(f"{name} on {pod['spec']['nodeName']}: {pod['status']['podIP']}")
            found = [roles(pods) for pods in seen]
            return all(found) and found[0] or time.sleep(0.1)

        for role, pod in wait_until(all_run, 120, "all pods run").items():
            self.pods[role] = self.cluster.seen(nodes[pod["spec"]["nodeName"]], pod)

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
        self.passed("NetworkPolicy", "ingress -> webapp, port http, and nobody else")

    def balanced_to_service(self):
        self.step("kubectl delete: pods and their ports go")
        self.kubectl("delete", "-f", config("webapp.yml"))
        gone = [self.pods.pop(role) for role in ("webapp-1", "webapp-2")]

        def left():
            self.cluster.check()
            return [port["name"] for node in self.nodes for port in node.json("get", "ports")
                    if any(pod.name in port["name"] for pod in gone)]

        wait_until(lambda: not left(), 45, "the web app's ports go")
        # The namespace is removed once DEL has been answered.
        wait_until(lambda: not any(os.path.exists(pod.namespace.path) for pod in gone), 10,
                   "the web app's namespaces go")
        self.say("no port and no namespace of the web app is left")
        names = " and ".join(pod.name for pod in gone)
        self.passed("kubectl delete", f"{names}, by DEL of podlane-cni")

    def finish(self):
        super().finish()
        if "--keep" in sys.argv[1:]:
            self.kubectl("apply", "-f", config("webapp.yml"))
            self._await_pods()
            self.hint = f"  $IN ip netns exec {self.client.name} {self.cluster.hint}\n"

    def stop(self):
        wrong = []
        if self.cluster:
            wrong = [f"{title}: {how}" for title, how in self.cluster.ended().items()]
            wrong += self.cluster.stop()
        self.pods = {}
        return wrong + super().stop()

    def logs(self):
        super().logs()
        for title, text in self.cluster.logs() if self.cluster else []:
            print(f"--- {title}\n{text[-1500:].rstrip()}", file=sys.stderr)


if __name__ == "__main__":
    for needed in ("podlane-cni", "podlane-kube"):
        if not os.access(program(needed), os.X_OK):
            raise SystemExit(f"demo: {needed} is not in {BUILD}; `make build` builds it")
    demo.main(ClusterDemo, real_cluster.remove_cgroups)
