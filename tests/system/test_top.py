"""`podlanectl top` in a terminal of 80 columns, with its keys, and in a pipe."""

import re
import shutil

import cluster as lab
from checks import expect
from lab import objects
from lab.net import run, wait_until
from lab.node import program

CLUSTER_IP = "10.96.0.10"
TMUX = ["tmux", "-L", "podlane-top"]


class Terminal:
    """A terminal of 80 columns and 24 lines in which a command runs."""

    def __init__(self, words):
        run([*TMUX, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24",
             " ".join(words)])

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


def in_terminal(report, node, client):
    if not shutil.which("tmux"):
        report.skip("top in a terminal", "tmux is not installed")
        return
    terminal = Terminal([program("podlanectl"), "--socket", node.socket, "top"])
    try:
        with report.check("top shows ports, who holds flows, Services and workers in 80 columns"):
            for part in ("PORT by packets", "HOLDS FLOWS", client.address(4), "default/web",
                         "worker 0", "flows "):
                terminal.wait_for(part)
            lines = terminal.screen().splitlines()
            expect(all(len(line) <= 80 for line in lines), lines)
        with report.check("b and d sort by bytes and drops"):
            terminal.press("b")
            terminal.wait_for("PORT by bytes")
            terminal.press("d")
            terminal.wait_for("PORT by drops")
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


@lab.with_cluster(names=("a",), outside=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    web = cluster.pod("a", "web")
    client = cluster.pod("a", "client", servers=False)
    cluster.apply(
        objects.service("web", [CLUSTER_IP], [objects.port(80, lab.LINES, name="http")]),
        objects.endpoint_slice("web", [objects.endpoint(web.address(4), node.name)],
                               [("http", "TCP", lab.LINES)]))
    load = lab.spawn_call(client.namespace, "load", address=CLUSTER_IP, port=80, clients=2, held=1,
                          seconds=60, pause=0.01)
    in_terminal(report, node, client)
    with report.check("top --count in a pipe says who fills the flow table, and a Service's rate"):
        text = node.ctl("top", "--count", "2").stdout
        expect(re.search(rf"^{re.escape(client.address(4))} +default/client +\d", text,
                         re.MULTILINE), text)
        expect(re.search(r"^default/web +[1-9]", text, re.MULTILINE), text)
    with report.check("the first screen says who opens connections"):
        text = node.ctl("top", "--count", "1").stdout
        expect(re.search(rf"OPENS FLOWS.*\n{re.escape(client.address(4))} ", text), text)
    load.stop()


if __name__ == "__main__":
    lab.main(tests)
