"""The units under systemd itself: when a node's only NIC gets its address back, and when not."""

import os
import shutil
import signal

import cluster as lab
from checks import expect, expect_equal
from lab.net import CommandFailed, wait_until
from lab.node import BUILD

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SYSTEMD = "/lib/systemd/systemd"
UNITS, RUNTIME = "/run/lab/units", "/run/lab/runtime"
# What a manager for one user cannot give here: mounts of its own, folders below /run, and what
# podlaned as a whole needs beyond it. Of what ends it, capabilities and system calls stay limited.
MOUNTS = ("Protect", "Private", "ReadWrite")
NOT_HERE = {
    "podlaned": (*MOUNTS, "Capability", "Restrict", "System", "Device", "Memory", "Lock", "OOM",
                 "Limit", "RuntimeDirectory", "StateDirectory", "LogsDirectory", "NoNew",
                 "WatchdogSec"),
    "podlaned-give-back": MOUNTS,
}


def write_unit(node, name):
    with open(f"{ROOT}/configs/systemd/{name}.service", encoding="utf-8") as file:
        lines = [line for line in file if not line.startswith(NOT_HERE[name])]
    text = "".join(lines).replace("/usr/sbin/", f"{BUILD}/")
    with open(f"{UNITS}/{name}.service", "w", encoding="utf-8") as file:
        file.write(text.replace("/etc/podlane/node.yaml", node.config_path))


class Manager:
    """systemd as a manager of units in the node's network namespace."""

    def __init__(self, node):
        self.node = node
        for path in (UNITS, RUNTIME, "/run/systemd/system"):
            os.makedirs(path, exist_ok=True)
        self.env = {**os.environ, "XDG_RUNTIME_DIR": RUNTIME, "HOME": RUNTIME,
                    "SYSTEMD_UNIT_PATH": f"{UNITS}:/usr/lib/systemd/user"}
        self.process = node.namespace.spawn(
            [SYSTEMD, "--user", "--unit=basic.target", "--log-target=console"], env=self.env)

    def ctl(self, *words, check=True):
        done = self.node.namespace.run(["env", *(f"{key}={value}" for key, value in self.env.items()
                                                 if key.startswith(("XDG", "SYSTEMD"))),
                                        "systemctl", "--user", *words], check=check)
        return done.stdout.strip()

    def is_up(self):
        return self.process.popen.poll() is None and \
            "basic.target" in self.ctl("list-units", "basic.target", check=False)

    def main_pid(self):
        return int(self.ctl("show", "-P", "MainPID", "podlaned"))


def is_on(node, interface):
    shown = node.namespace.run(["ip", "addr", "show", "dev", interface], check=False).stdout
    return f"{node.address(4)}/24" in shown


def under_systemd(report, cluster, node, manager):
    def wait_for(interface, what, timeout=20):
        wait_until(lambda: is_on(node, interface), timeout, what)

    def expect_reached():
        lab.expect_ping(cluster.outside, node.address(4), count=10)

    visit = lab.hold(cluster.outside, address=node.address(4), port=lab.HELD, asking=2, hearing=1,
                     end="/run/lab/end")
    with report.check("systemctl start: the host interface has the address"):
        manager.ctl("start", "podlaned")
        expect(is_on(node, "podlane0") and not is_on(node, "eth1"), "it has not moved")
        expect_reached()
    with report.check("systemctl restart: the NIC never has it"):
        link = node.namespace.ip_json("link", "show", "podlane0")[0]["ifindex"]
        manager.ctl("restart", "podlaned")
        expect(is_on(node, "podlane0") and not is_on(node, "eth1"), "it has moved")
        expect_equal(node.namespace.ip_json("link", "show", "podlane0")[0]["ifindex"], link,
                     "podlane0 was made again")
        expect_reached()
    with report.check("kill -9: systemd starts it again, and the NIC never has it"):
        before = manager.main_pid()
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: manager.main_pid() not in (0, before) and
                   manager.ctl("is-active", "podlaned", check=False) == "active", 20, "it is back")
        expect_equal(node.namespace.ip_json("link", "show", "podlane0")[0]["ifindex"], link,
                     "podlane0 was made again")
        expect_reached()
    with report.check("systemctl stop: the NIC has it back, and podlane0 is gone"):
        manager.ctl("stop", "podlaned")
        wait_for("eth1", "the address is back")
        wait_until(lambda: "podlane0" not in node.namespace.links(), 5, "podlane0 is gone")
        expect_reached()
    with report.check("systemctl start works after that"):
        manager.ctl("start", "podlaned")
        expect(is_on(node, "podlane0") and not is_on(node, "eth1"), "it has not moved")
        expect_reached()
    with report.check("when it does not start any more, the NIC gets it back"):
        with open(node.config_path, "w", encoding="utf-8") as file:
            file.write("uplinks: nonsense\n")
        os.kill(manager.main_pid(), signal.SIGKILL)
        wait_for("eth1", "the address is back", 40)
        expect_equal(manager.ctl("is-failed", "podlaned", check=False), "failed")
    with report.check("connections to the node live through all of it"):
        with open("/run/lab/end", "w", encoding="utf-8"):
            pass
        seen = lab.result_of(visit, 60)
        expect_equal(seen["moved"], [], "connections lost")
        expect(seen["answers"] > 20, seen["answers"])


@lab.with_cluster(names=("a",), start=False, keep=True)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    if not os.access(SYSTEMD, os.X_OK) or not shutil.which("systemctl"):
        report.skip("the units under systemd", "there is no systemd")
        return
    manager = Manager(node)
    try:
        wait_until(manager.is_up, 10, "systemd runs")
    except (TimeoutError, CommandFailed):
        report.skip("the units under systemd", "it does not run here")
        return
    # The place where --give-back looks if it cannot read the configuration.
    os.makedirs("/run/podlane", exist_ok=True)
    node.config["socket"] = node.socket = "/run/podlane/podlane.sock"
    node.write_config()
    for name in ("podlaned", "podlaned-give-back"):
        write_unit(node, name)
    manager.ctl("daemon-reload")
    node.namespace.ip("addr", "add", f"{node.address(4)}/24", "dev", "eth1")
    node.namespace.ip("route", "add", "default", "via", "192.168.50.254", "metric", "100")
    lab.keep_answering(node.namespace, "node")
    try:
        under_systemd(report, cluster, node, manager)
    finally:
        manager.ctl("stop", "podlaned", check=False)
        manager.process.stop(signal.SIGTERM, timeout=20)


if __name__ == "__main__":
    lab.main(tests)
