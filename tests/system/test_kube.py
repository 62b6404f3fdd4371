"""podlane-kube with a misbehaving API server that replays recordings: podlaned gets its state."""

import copy
import json
import os
import time
import urllib.error
import urllib.request

import cluster as lab
from checks import expect, expect_equal
from kube_api import ApiServer
from lab.net import Process, run, wait_until
from lab.node import program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FIXTURES = os.environ.get("PODLANE_FIXTURES") or os.path.join(
    os.path.dirname(ROOT), "shared", "fixtures", "kubernetes")
KINDS = ("namespaces", "nodes", "pods", "services", "endpointslices", "networkpolicies")
FAULTS = ("cut", "slow", "gone", "garbage", "busy", "broken", "twice", "swapped", "old")
HEALTHZ = "127.0.0.1:10256"


def names(items):
    return sorted((i["metadata"].get("namespace", ""), i["metadata"]["name"]) for i in items)


class Feeder:
    """A running podlane-kube."""

    def __init__(self, node, kubeconfig, *words):
        self.node = node
        self.log = "/run/lab/kube.log"
        self.process = Process(
            [program("podlane-kube"), "--node", "node-1", "--kubeconfig", kubeconfig, "--socket",
             node.socket, "--healthz", HEALTHZ, *words], self.log)

    def stop(self):
        return self.process.stop()

    def says(self):
        return self.process.output()


def objects_of(node, kind):
    client = node.rpc()
    try:
        return client.call("get", kind=kind)["items"]
    finally:
        client.close()


def fed(items):
    """The objects from podlane-kube, without the operator's."""
    return [i for i in items if i["metadata"]["annotations"]["podlane.io/owner"] == "kube"]


def missing(node, api):
    """The API server's objects that podlaned lacks, and those that it has in excess."""
    found = []
    for kind in KINDS:
        have, want = names(fed(objects_of(node, kind))), names(api.final(kind))
        found += [f"lacks {kind} {name}" for name in want if name not in have]
        found += [f"still has {kind} {name}" for name in have if name not in want]
    return found


def same_state(node, api):
    return not missing(node, api)


def expect_same_state(node, api, feeder, timeout):
    try:
        wait_until(lambda: same_state(node, api), timeout, "the server's objects")
    except TimeoutError:
        expect(False, f"{missing(node, api)} {feeder.says()[-1500:]}")


def difference(node, api):
    items = [item for kind in KINDS for item in api.final(kind)]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    client = node.rpc()
    try:
        return client.call("diff", documents=text, owner="kube")
    finally:
        client.close()


def converges(report, what, node, api, feeder):
    with report.check(f"{what}: podlaned has the server's objects, and no others"):
        expect_same_state(node, api, feeder, 40)
    with report.check(f"{what}: each object is as the server has it"):
        wait_until(lambda: not difference(node, api)["changed"], 10, "no difference")
        left = difference(node, api)
        expect(not left["changed"] and not left["added"], f"{left} {feeder.says()[-2000:]}")


def health():
    try:
        with urllib.request.urlopen(f"http://{HEALTHZ}/healthz", timeout=3) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def service(name, number):
    return {"kind": "Service", "apiVersion": "v1",
            "metadata": {"name": name, "namespace": "default", "uid": f"uid-of-{name}"},
            "spec": {"clusterIP": f"10.96.200.{number}", "ports": [{"port": 80}]}}


def refused(report, node, api):
    """One object that podlaned refuses, beside one that it accepts."""
    wrong, right = service("wrong", 1), service("right", 2)
    wrong["spec"]["ports"][0]["port"] = 70000
    with report.check("an object that podlaned refuses keeps no other out"):
        api.happen("services", "ADDED", wrong)
        api.happen("services", "ADDED", right)
        wait_until(lambda: ("default", "right") in names(objects_of(node, "services")), 5, "it")
        client = node.rpc()
        items = client.call("get", kind="services", refused=True)["items"]
        client.close()
        expect_equal([(i["name"], i["message"]) for i in items],
                     [("wrong", "spec.ports[0].port: 70000 is not a port (1-65535)")], "refused")
        expect_equal(health(), 200, "/healthz")
    with report.check("an Event on it says why"):
        def told():
            return [body for _, path, body in api.written
                    if path == "/api/v1/namespaces/default/events"
                    and body["involvedObject"]["name"] == "wrong"]
        wait_until(told, 5, "the Event")
        expect_equal((told()[0]["reason"], told()[0]["involvedObject"]["uid"]),
                     ("NotServed", "uid-of-wrong"), "Event")
        expect("70000 is not a port" in told()[0]["message"], told()[0])
    api.happen("services", "DELETED", wrong)
    api.happen("services", "DELETED", right)


def load_balancer_status(report, api):
    """The first node that is ready and has Podlane up writes the addresses from the pools."""
    with report.check("a Service of type LoadBalancer gets its address in its status"):
        node = copy.deepcopy(next(item for item in api.final("nodes")
                                  if item["metadata"]["name"] == "node-1"))
        node["status"]["conditions"] = [
            {"type": "Ready", "status": "True"},
            {"type": "NetworkUnavailable", "status": "False", "reason": "PodlaneIsUp"}]
        api.happen("nodes", "MODIFIED", node)
        balanced = service("balanced", 3)
        balanced["spec"]["type"] = "LoadBalancer"
        api.happen("services", "ADDED", balanced)

        def written():
            return [body for method, path, body in api.written if method == "PATCH"
                    and path == "/api/v1/namespaces/default/services/balanced/status"]
        wait_until(written, 10, "a patch of its status")
        expect_equal(written()[0], {"status": {"loadBalancer": {"ingress": [
            {"ip": "192.168.50.200"}]}}}, "status")
    api.happen("services", "DELETED", balanced)


@lab.with_cluster(names=("a",), outside=False, start=False)
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    node.config["loadBalancer"] = {"pools": ["192.168.50.200"], "state": "/run/lab/balancers"}
    cluster.start()
    work = "/run/lab/api"
    os.makedirs(work, exist_ok=True)
    source = os.path.join(work, "10-podlane.conflist")
    with open(source, "w", encoding="utf-8") as file:
        file.write("{}")
    target = os.path.join(work, "net.d.conflist")
    run(["ip", "link", "set", "lo", "up"])
    with ApiServer(FIXTURES, work) as api:
        kubeconfig = api.write_kubeconfig(os.path.join(work, "kubeconfig"))
        api.advance(20)
        node.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace",
                               "metadata": {"name": "of-the-operator"}}))
        feeder = Feeder(node, kubeconfig, "--cni-source", source, "--cni-target", target)
        try:
            story(report, node, api, feeder, target)
        finally:
            feeder.stop()


def story(report, node, api, feeder, target):
    with report.check("the first list arrives; the CNI configuration follows it"):
        wait_until(lambda: os.path.exists(target), 20, f"{target}; {feeder.says()[-1500:]}")
        expect_equal(health(), 200, "/healthz")
    with report.check("the Node's network is said to be available"):
        wait_until(lambda: any("nodes/node-1/status" in path for _, path, _ in api.written), 5,
                   "a patch of the Node's status")
        patch = next(body for _, path, body in api.written if "nodes/node-1/status" in path)
        condition, = patch["status"]["conditions"]
        expect_equal((condition["type"], condition["status"]), ("NetworkUnavailable", "False"))
    with report.check("flannel's nodes can learn of this one by its annotations"):
        wanted = node.rpc().call("flannel")["annotations"]
        expect_equal(patch["metadata"]["annotations"], wanted, "annotations")
        expect_equal(wanted["flannel.alpha.coreos.com/backend-type"], "vxlan", "backend")
    with report.check("what the operator applied is left alone"):
        have = names(objects_of(node, "namespaces"))
        expect(("", "of-the-operator") in have, have)
        node.ctl("delete", "namespace", "of-the-operator")
    with report.check("a change is podlaned's within 100 ms of its event"):
        api.advance(1)
        before = time.monotonic()
        wait_until(lambda: same_state(node, api), 5, "the change")
        expect(time.monotonic() - before < 2, "took longer than it may on a busy machine")
    for fault in FAULTS:
        api.faults = {fault}
        for _ in range(4):
            api.advance(4)
            time.sleep(0.05)
        api.faults = set()
        with report.check(f"after a server that is {fault}, podlaned has its objects"):
            expect_same_state(node, api, feeder, 40)
    api.faults = set(FAULTS)
    while api.advance(5):
        time.sleep(0.03)
    api.faults = set()
    converges(report, "after all faults at once", node, api, feeder)
    refused(report, node, api)
    load_balancer_status(report, api)
    with report.check("a server with an expired certificate is not believed, and asked again"):
        api.stop()
        api.start("expired.crt")
        wait_until(lambda: "expired" in feeder.says(), 20, "the log says so")
        api.stop()
        api.streams_lists = True
        api.start()
    with report.check("podlaned that was started anew gets everything again"):
        node.stop()
        wait_until(lambda: health() == 503, 10, "/healthz says so")
        node.start()
        wait_until(lambda: health() == 200, 20, "/healthz says so")
    converges(report, "after a restart of podlaned", node, api, feeder)
    with report.check("podlane-kube ends on SIGTERM, exit 0"):
        expect_equal(feeder.stop(), 0, "exit code")
    api.stop()
    api.start("named.crt")
    with report.check("tls-server-name of the kubeconfig is the name in the certificate"):
        for name, is_right in (("other.lab.example", False), ("api.lab.example", True)):
            path = api.write_kubeconfig("/run/lab/api/named", **{"tls-server-name": name})
            named = Feeder(node, path)
            try:
                word = "podlaned has all" if is_right else "subject name"
                wait_until(lambda w=word, n=named: w in n.says(), 20, f"{word}: {named.says()}")
            finally:
                named.stop()


if __name__ == "__main__":
    if not os.path.isdir(FIXTURES):
        print("1..0 # SKIP no recordings of an API server")
    else:
        lab.main(tests, workers=1)
