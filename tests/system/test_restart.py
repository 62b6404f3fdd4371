"""Pods' interfaces, objects with owners and connections outlive podlaned, however it ended."""

import glob
import os
import shutil
import signal
import threading
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import CommandFailed, wait_until

STICKY = "10.96.0.41"
SERVICE, SERVICE_V6 = "10.96.0.40", "fd00:10:96::40"
ROUNDS = 10
END = "/run/lab/end-of-holding"  # connections are held until this file exists
BETWEEN = 0.3  # seconds of changes before each kill


def state_folder(node):
    return node.socket.removesuffix(".sock") + ".state"


def link_number(pod):
    return pod.namespace.ip("-o", "link", "show", "eth0").stdout.split(":")[0]


def ports(node):
    """The identity of each port of a pod or the host."""
    return sorted((port["name"], port["mac"], port.get("netns", "")) for port in
                  node.json("get", "ports") if port["kind"] in ("pod", "host"))


def front(node, pods):
    service = objects.service("front", [SERVICE], [objects.port(80, lab.LINES, name="lines")])
    ends = [objects.endpoint(pod.address(4), node.name) for pod in pods]
    return objects.document(
        service, objects.endpoint_slice("front", ends, [("lines", "TCP", lab.LINES)]))


def items(node, kind):
    client = node.rpc()
    try:
        return client.call("get", kind=kind)["items"]
    finally:
        client.close()


def names(node, kind):
    return {each["metadata"]["name"] for each in items(node, kind)}


def works(node, pods):
    """Without a second try: everything works at `ready`."""
    for family in (4, 6):
        received, output = lab.ping(pods[0].namespace, pods[1].address(family), count=3,
                                    patient=True)
        expect_equal(received, 3, output[-300:])
    seen = lab.call(pods[2].namespace, "ask", address=SERVICE, port=80, count=4)
    expect(seen, "the Service does not answer")


def restart(report, node, pods, number, how):
    with report.check(f"{how}: pods, Services and objects are as before"):
        links, before = [link_number(pod) for pod in pods], ports(node)
        frontends = node.json("get", "frontends")
        held = lab.hold(pods[0].namespace, address=pods[1].address(4), port=lab.HELD, asking=5,
                        hearing=0, end=END)
        time.sleep(1)
        code = node.stop(number)
        if number == signal.SIGTERM:
            expect_equal(code, 0, "exit code")
        started = time.monotonic()
        node.start()
        report.note(f"{how}: ready after {time.monotonic() - started:.2f} s")
        expect_equal([link_number(pod) for pod in pods], links, "interfaces")
        expect_equal(ports(node), before, "ports")
        expect_equal(node.json("get", "frontends"), frontends, "frontends")
        works(node, pods)
    with report.check(f"{how}: connections from pod to pod go on"):
        with open(END, "w", encoding="utf-8"):
            pass
        result = lab.result_of(held, 60)
        os.remove(END)
        expect_equal(result["moved"], [], "reset, silent, other server or source")
        expect(result["answers"] > 20, f"{result['answers']} answers")
    with report.check(f"{how}: objects have the owners that they had"):
        done = node.ctl("delete", "service", "default/front", check=False)
        expect("feeder" in done.stderr, done.stderr)


class Changes(threading.Thread):
    """Applies and deletes Services one by one, and records what was acknowledged."""

    def __init__(self, node):
        super().__init__()
        self.node, self.there, self.asked, self.count = node, {}, None, 0
        self._stopping = False

    def run(self):
        client, number = None, 0
        while not self._stopping:
            name = f"churn{number % 40}"
            port = 1000 + number
            try:
                client = client or self.node.rpc()
                if number % 7 == 6 and name in self.there:
                    self.asked = (name, None)
                    client.call("delete", kind="service", name=f"default/{name}")
                    self.there.pop(name)
                else:
                    self.asked = (name, port)
                    text = objects.document(objects.service(
                        name, [f"10.96.1.{number % 40 + 1}"], [objects.port(port, 80)]))
                    client.call("apply", documents=text)
                    self.there[name] = port
                self.asked = None
                self.count += 1
            except (OSError, CommandFailed):
                return
            number += 1

    def stop(self):
        self._stopping = True
        self.join()


def kills(report, node):
    with report.check(f"{ROUNDS} times kill -9 amid changes: what was acknowledged is there"):
        changed = 0
        for number in range(ROUNDS):
            changes = Changes(node)
            changes.there = services(node)
            changes.start()
            time.sleep(BETWEEN * (0.5 + number / ROUNDS))
            node.stop(signal.SIGKILL)
            changes.stop()
            changed += changes.count
            node.start()
            seen, told = services(node), dict(changes.there)
            if seen != told and changes.asked:
                # The last change was in progress: all of it, or nothing.
                name, port = changes.asked
                told.pop(name, None) if port is None else told.update({name: port})
            expect_equal(seen, told, f"round {number}")
        report.note(f"{changed} changes were acknowledged")
        expect(changed > ROUNDS, f"{changed} changes")


def services(node):
    return {each["metadata"]["name"]: each["spec"]["ports"][0]["port"]
            for each in items(node, "services") if each["metadata"]["name"].startswith("churn")}


def namespaces(report, node, pods):
    with report.check("a namespace that goes while podlaned is away: its pod is forgotten, told"):
        gone = pods.pop()
        node.stop(signal.SIGKILL)
        node.pods.remove(gone)
        gone.namespace.close()
        node.start()
        expect(gone.full_name not in [port["name"] for port in node.json("get", "ports")], "there")
        expect(f"pod {gone.full_name}: its port is not taken back" in node.daemon.output(), "log")
        expect_equal(node.ctl("pod", "del", gone.full_name).returncode, 0)
    with report.check("a namespace that goes later: its port is removed"):
        gone = pods.pop()
        node.pods.remove(gone)
        gone.namespace.close()
        wait_until(lambda: gone.full_name not in [p["name"] for p in node.json("get", "ports")],
                   5, "the port goes")
    with report.check("a pod that was taken back is removed as any other"):
        pod = pods.pop()
        node.ctl("pod", "del", pod.full_name)
        expect_equal(pod.namespace.links(), ["lo"])
        node.pods.remove(pod)
        pod.namespace.close()


def folder(report, node):
    with report.check("a state folder that vanishes is told by health, and made again"):
        shutil.rmtree(state_folder(node))
        done = node.ctl("health", check=False)
        expect_equal(done.returncode, 3, done.stdout)
        expect("journal" in done.stdout, done.stdout)
        wait_until(lambda: node.ctl("health", check=False).returncode == 0, 10, "health is ok")
        before = names(node, "services")
        node.stop(signal.SIGKILL)
        node.start()
        expect_equal(names(node, "services"), before, "services")
    with report.check("a journal with a torn end is cut, told, and used"):
        before = names(node, "services")
        node.stop()
        with open(os.path.join(state_folder(node), "journal"), "ab") as file:
            file.write(b"\x40\0\0\0half a record")
        node.start()
        expect("behind the last whole record are cut off" in node.daemon.output(), "log")
        expect_equal(names(node, "services"), before, "services")


def failing_start(report, node, pod):
    with report.check("a start that fails leaves pods' interfaces, the next one takes them"):
        link = link_number(pod)
        node.stop()
        good = node.config["objects"] if "objects" in node.config else []
        node.config["objects"] = ["/run/lab/there-is-none.yaml"]
        try:
            node.start(timeout=15)
            expect(False, "it started")
        except (CommandFailed, TimeoutError, AssertionError) as error:
            expect("it started" not in str(error), str(error))
        node.daemon = None
        node.config["objects"] = good
        node.start()
        expect_equal(link_number(pod), link, "interface")
        lab.expect_ping(pod.namespace, node.gateway(4), count=3)


def forgotten(report, node):
    with report.check("shutdown --forget leaves nothing: no interface, no rule, no journal"):
        expect_equal(node.end(), 0, "exit code")
        expect_equal(node.leftovers(), [], "left behind")
        expect_equal(glob.glob(state_folder(node) + "/*"), [], "state")
        rules = node.namespace.ip("rule", "show").stdout
        expect("9600" not in rules, rules)
    with report.check("the next start begins from nothing"):
        node.start()
        expect_equal(names(node, "services"), set())
        expect_equal([port[0] for port in ports(node)], ["podlane0"])
        node.end()


EACH = 3  # connections of each kind in which the client sends, and as many in which the server does


def web(cluster, pods):
    """A Service at ClusterIPs of both families and a NodePort."""
    items = []
    for family, address in ((4, SERVICE), (6, SERVICE_V6)):
        name = f"web{family}"
        port = objects.port(80, lab.HELD, name="held", node_port=30080 + family)
        items.append(objects.service(name, [address], [port]))
        ends = [objects.endpoint(pod.address(family), pod.node.name) for pod in pods]
        items.append(objects.endpoint_slice(name, ends, [("held", "TCP", lab.HELD)],
                                            family=family))
    cluster.apply(*items)


def stuck_to(client):
    """The servers of eight new connections to the Service with session affinity."""
    return {server for server, _ in lab.call(client.namespace, "ask", address=STICKY, port=80,
                                             count=8)}


def hold_all_kinds(cluster, client, near, far):
    """Held connections of each kind through node a, by name: EACH that ask and EACH that hear."""
    node, kinds = cluster.nodes["a"], {}
    for family in (4, 6):
        service = SERVICE_V6 if family == 6 else SERVICE
        lab.expect_ping(client.namespace, cluster.outside_address(family), count=3)
        for name, namespace, address, port in (
                ("ClusterIP", client.namespace, service, 80),
                ("the node's own to a ClusterIP", node.namespace, service, 80),
                ("NodePort", cluster.outside, node.address(family), 30080 + family),
                ("masqueraded", client.namespace, cluster.outside_address(family), lab.HELD),
                ("pod to pod", client.namespace, near.address(family), lab.HELD),
                ("pod to pod by VXLAN", client.namespace, far.address(family), lab.HELD)):
            kinds[f"{name}, IPv{family}"] = lab.hold(
                namespace, address=address, port=port, asking=EACH, hearing=EACH, end=END)
    return kinds


def connections(report, workers):
    """All kinds over SIGTERM and a start, and then over kill -9 and a start."""
    cluster = lab.Cluster(workers=workers, keep=True)
    node = cluster.nodes["a"]
    try:
        client, near, far = (cluster.pod(*each, servers=False) for each in
                             (("a", "client"), ("a", "near"), ("b", "far")))
        web(cluster, [near, far])
        sticky = objects.service("sticky", [STICKY], [objects.port(80, lab.HELD, name="held")],
                                 sessionAffinity="ClientIP")
        ends = [objects.endpoint(pod.address(4), pod.node.name) for pod in (near, far)]
        cluster.apply(sticky, objects.endpoint_slice("sticky", ends, [("held", "TCP", lab.HELD)]))
        for namespace, name in ((near.namespace, "near"), (far.namespace, "far"),
                                (cluster.outside, "world")):
            lab.keep_answering(namespace, name)
        chosen = stuck_to(client)
        kinds = hold_all_kinds(cluster, client, near, far)
        least = 2 * EACH * (len(kinds) - 2)  # pods of one node need no flow
        wait_until(lambda: node.stats()["flows"]["active"] >= least, 20, "flows are there")
        time.sleep(1)
        for number, capacity in ((signal.SIGTERM, 65536), (signal.SIGKILL, 65536),
                                 (signal.SIGKILL, 70000)):
            with report.check(f"{workers} workers: flows are there again after {number.name}, "
                              f"capacity {capacity}"):
                copied = node.config["flows"]["capacity"] != capacity
                generation = node.stats()["generation"]
                node.stop(number)
                node.config["flows"] = {"capacity": capacity}
                node.start()
                expect(("are copied from" if copied else "are taken over from") in
                       node.daemon.output(), node.daemon.output())
                expect(node.stats()["generation"] > generation, "the generation goes on")
                active = node.stats()["flows"]["active"]
                expect(active >= least, f"{active} flows, {least} of connections that are held")
                listed = node.json("get", "flows")
                expect(any(flow.get("service") == "default/web4" for flow in listed), listed[:3])
                expect_equal(stuck_to(client), chosen, "the endpoint of sessionAffinity")
            time.sleep(2)
        with open(END, "w", encoding="utf-8"):
            pass
        for name, held in kinds.items():
            with report.check(f"{workers} workers: {name}: goes on, whoever speaks first"):
                result = lab.result_of(held, 60)
                expect_equal(result["moved"], [], "reset, silent, other server or source")
                expect(result["answers"] > 4 * EACH, f"{result['answers']} answers")
        os.remove(END)
        for each in cluster.nodes.values():
            each.end()
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


def nothing_kept(report):
    with report.check("with keep: false there is no file of flows, also of one before"):
        cluster = lab.Cluster(names=("a",), outside=False, keep=True)
        node = cluster.nodes["a"]
        try:
            expect(os.path.exists(state_folder(node) + "/flows.v4"), "no file")
            node.stop()
            node.config["state"] = {"keep": False}
            node.start()
            expect_equal(glob.glob(state_folder(node) + "/flows*"), [], "files")
        finally:
            cluster.close()
            shutil.rmtree(state_folder(node))


def tests(report, _options):
    for workers in (1, 2):
        connections(report, workers)
    nothing_kept(report)
    cluster = lab.Cluster(names=("a",), outside=False, keep=True)
    node = cluster.nodes["a"]
    try:
        pods = [cluster.pod("a", f"pod{number}") for number in range(4)]
        node.ctl("apply", "--owner", "feeder", "-f", "-", stdin=front(node, pods[:2]))
        works(node, pods)
        lab.keep_answering(pods[1].namespace, "pod1")
        restart(report, node, pods, signal.SIGTERM, "SIGTERM and a start")
        restart(report, node, pods, signal.SIGKILL, "kill -9 and a start")
        kills(report, node)
        failing_start(report, node, pods[0])
        folder(report, node)
        namespaces(report, node, pods)
        forgotten(report, node)
    finally:
        if report.failed:
            for text in cluster.describe():
                report.note(text)
        cluster.close()


if __name__ == "__main__":
    lab.main(tests)
