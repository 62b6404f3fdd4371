"""The commands by which an operator sees into a node: top in a terminal, events, doctor."""

import json
import re
import shutil
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import run, wait_until
from lab.node import program

CLUSTER_IP = "10.96.0.10"
TMUX = ["tmux", "-L", "podlane-see"]


def web_objects(pod, node):
    return (objects.service("web", [CLUSTER_IP], [{"name": "http", "port": 80, "protocol": "TCP",
                                                   "targetPort": lab.LINES}]),
            objects.endpoint_slice("web", [objects.endpoint(pod.address(4), node.name)],
                                   [("http", "TCP", lab.LINES)]))


class Terminal:
    """A terminal of 80 columns and 24 lines in which a command runs."""

    def __init__(self, words):
        command = " ".join(words)
        run([*TMUX, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command])

    def screen(self):
        return run([*TMUX, "capture-pane", "-p"], check=False).stdout

    def press(self, keys):
        run([*TMUX, "send-keys", keys])

    def wait_for(self, part, timeout=15):
        wait_until(lambda: part in self.screen(), timeout, f"\"{part}\" in the terminal")

    def is_there(self):
        return run([*TMUX, "has-session"], check=False).returncode == 0

    def close(self):
        run([*TMUX, "kill-server"], check=False)


def top(report, node, client):
    if not shutil.which("tmux"):
        report.skip("top in a terminal", "tmux is not installed")
        return
    terminal = Terminal([program("podlanectl"), "--socket", node.socket, "top", "--one-in", "1"])
    load = lab.spawn_call(client.namespace, "load", address=CLUSTER_IP, port=80, clients=2, held=1,
                          seconds=20, pause=0.01)
    try:
        with report.check("top shows who sends, ports, Services and workers on 80 columns"):
            for part in ("SENDER by packets", client.address(4), "default/web", "worker 0"):
                terminal.wait_for(part)
            lines = terminal.screen().splitlines()
            expect(all(len(line) <= 80 for line in lines), lines)
            expect(re.search(r"flows \d", terminal.screen()), terminal.screen())
        with report.check("n sorts by new flows, b by bytes"):
            terminal.press("n")
            terminal.wait_for("SENDER by new flows")
            terminal.press("b")
            terminal.wait_for("SENDER by bytes")
        with report.check("/ filters rows, q ends it"):
            terminal.press("/")
            terminal.press("zzz")
            terminal.wait_for("filter: zzz")
            wait_until(lambda: client.address(4) not in terminal.screen(), 10, "no row")
            terminal.press("Enter")
            terminal.press("q")
            wait_until(lambda: not terminal.is_there(), 10, "its end")
    finally:
        terminal.close()
        load.stop()
    with report.check("top --count in a pipe shows who fills the flow table"):
        load = lab.spawn_call(client.namespace, "load", address=CLUSTER_IP, port=80, clients=2,
                              held=1, seconds=8, pause=0.01)
        text = node.ctl("top", "--count", "2", "--sort", "new", "--one-in", "1").stdout
        load.stop()
        expect(re.search(rf"^{re.escape(client.address(4))} +{client.port['name']} ", text,
                         re.MULTILINE), text)


def events(report, node):
    with report.check("events tell what changed, in which generation and by whom"):
        before = json.loads(node.ctl("-o", "json", "events").stdout)[-1]["number"]
        node.ctl("apply", "--owner", "kube", "-f", "-", stdin=objects.document(
            objects.endpoint_slice("other", [objects.endpoint("10.244.9.9", "node-z")],
                                   [("http", "TCP", 80)])))
        generation = node.stats()["generation"]
        seen = [e for e in json.loads(node.ctl("-o", "json", "events").stdout)
                if e["number"] > before and e["what"] == "objects"]
        expect_equal([(e["by"], e["text"], e["generation"]) for e in seen],
                     [("kube", "endpoints of default/other: +10.244.9.9", generation)], "")
        text = node.ctl("events", "-n", "5").stdout
        expect("endpoints of default/other: +10.244.9.9" in text, text)
    with report.check("--since leaves out what is older"):
        time_of_day = time.strftime("%H:%M:%S", time.localtime(time.time() + 1))
        wait_until(lambda: time.strftime("%H:%M:%S") > time_of_day, 5, "the next second")
        expect_equal(node.ctl("events", "--since", time_of_day).stdout, "", "events")
        expect("default/other" in node.ctl("events", "--since", "5m").stdout, "not there")
        expect_equal(node.ctl("events", "--since", "soon", check=False).returncode, 2, "exit code")
    with report.check("a pod that comes and goes is in it"):
        pod = node.add_pod("short")
        pod.remove()
        text = node.ctl("events").stdout
        expect(re.search(r"pod +podlaned +pod default/short attached", text), text)
        expect(re.search(r"pod +podlaned +pod default/short detached", text), text)


def doctor(report, node):
    with report.check("doctor looks at the machine and at the node"):
        done = node.ctl("doctor", "--all", check=False)
        expect(done.returncode in (0, 3), f"{done.returncode}: {done.stdout}{done.stderr}")
        for part in ("ok    kernel", "ok    podlaned", "ok    mtu", "well\n"):
            expect(part in done.stdout, f"no \"{part}\" in {done.stdout}")
    with report.check("doctor works without podlaned, and says so"):
        done = run([program("podlanectl"), "--socket", "/run/lab/none.sock", "doctor"],
                   check=False)
        expect("podlaned does not answer" in done.stdout, done.stdout)
    with report.check("doctor names an interface with a smaller MTU than the uplink, exit 3"):
        node.namespace.ip("link", "set", "eth1", "mtu", "1400")
        try:
            done = run(node.namespace.command(
                ["unshare", "--mount", "sh", "-c",
                 f"mount -t sysfs sysfs /sys && exec {program('podlanectl')} --socket "
                 f"{node.socket} doctor"]), check=False)
            expect("its interface eth1 has 1400" in done.stdout, done.stdout + done.stderr)
            expect_equal(done.returncode, 3, "exit code")
        finally:
            node.namespace.ip("link", "set", "eth1", "mtu", "1500")


@lab.with_cluster(names=("a",), outside=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    web = cluster.pod("a", "web")
    client = cluster.pod("a", "client", servers=False)
    cluster.apply(*web_objects(web, node))
    top(report, node, client)
    events(report, node)
    doctor(report, node)


if __name__ == "__main__":
    lab.main(tests)
