"""The units under systemd itself, with all that they forbid: what podlaned does for a pod within
them, and when a node's only NIC gets its address back, and when not."""

import glob
import os
import shutil

import cluster as lab
import service_manager
from checks import expect, expect_equal
from lab.net import CommandFailed, wait_until
from lab.node import program
from service_manager import UNITS, Manager

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = "/run/lab/bin"


def write_unit(node, name):
    """The unit as it is, but for the places of program and configuration."""
    with open(f"{ROOT}/configs/systemd/{name}.service", encoding="utf-8") as file:
        text = file.read().replace("/usr/sbin/", f"{BIN}/")
    with open(f"{UNITS}/{name}.service", "w", encoding="utf-8") as file:
        file.write(text.replace("/etc/podlane/node.yaml", node.config_path))


def main_pid(manager):
    return int(manager.ctl("show", "-P", "MainPID", "podlaned"))


def kill(manager):
    manager.ctl("kill", "--kill-whom=main", "--signal=KILL", "podlaned")


def is_on(node, interface):
    shown = node.namespace.run(["ip", "addr", "show", "dev", interface], check=False).stdout
    return f"{node.address(4)}/24" in shown


def under_systemd(report, cluster, node, manager):
    def wait_for(interface, what, timeout=20):
        wait_until(lambda: is_on(node, interface), timeout, what)

    def expect_reached():
        lab.expect_ping(cluster.outside, node.address(4), count=10)

    def expect_given_back():
        """All of it, and the file about it is gone."""
        wait_until(lambda: manager.ctl("is-active", "podlaned-give-back", check=False) not in
                   ("active", "deactivating"), 10, "giving back has ended")
        expect_equal(manager.ctl("show", "-P", "Result", "podlaned-give-back"), "success")
        expect_equal(glob.glob(f"{node.socket}.*.json"), [], "still kept")
        expect_reached()

    visit = lab.hold(cluster.outside, address=node.address(4), port=lab.HELD, asking=2, hearing=1,
                     end="/run/lab/end")
    with report.check("systemctl start: the host interface has the address"):
        manager.ctl("start", "podlaned")
        expect(is_on(node, "podlane0") and not is_on(node, "eth1"), "it has not moved")
        expect_reached()
    with report.check("a pod that comes later has its port, within what the unit allows"):
        pod = node.add_pod("web")
        for gateway in node.gateways:
            lab.expect_ping(pod.namespace, gateway, count=2)
    with report.check("systemctl restart: the NIC never has it"):
        link = node.namespace.ip_json("link", "show", "podlane0")[0]["ifindex"]
        manager.ctl("restart", "podlaned")
        expect(is_on(node, "podlane0") and not is_on(node, "eth1"), "it has moved")
        expect_equal(node.namespace.ip_json("link", "show", "podlane0")[0]["ifindex"], link,
                     "podlane0 was made again")
        expect_reached()
    with report.check("kill -9: systemd starts it again, and the NIC never has it"):
        before = main_pid(manager)
        kill(manager)
        wait_until(lambda: main_pid(manager) not in (0, before) and
                   manager.ctl("is-active", "podlaned", check=False) == "active", 20, "it is back")
        expect_equal(node.namespace.ip_json("link", "show", "podlane0")[0]["ifindex"], link,
                     "podlane0 was made again")
        expect_reached()
    with report.check("systemctl stop: the NIC has it back, and podlane0 is gone"):
        manager.ctl("stop", "podlaned")
        wait_for("eth1", "the address is back")
        wait_until(lambda: "podlane0" not in node.namespace.links(), 5, "podlane0 is gone")
        expect_given_back()
    with report.check("systemctl start works after that"):
        manager.ctl("start", "podlaned")
        expect(is_on(node, "podlane0") and not is_on(node, "eth1"), "it has not moved")
        expect_reached()
    with report.check("when it does not start any more, the NIC gets it back"):
        with open(node.config_path, "w", encoding="utf-8") as file:
            file.write("uplinks: nonsense\n")
        kill(manager)
        wait_for("eth1", "the address is back", 40)
        expect_given_back()
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
    if not service_manager.is_here():
        report.skip("the units under systemd", "there is no systemd")
        return
    manager = Manager(node)
    try:
        manager.wait()
    except (TimeoutError, CommandFailed):
        report.skip("the units under systemd", "it does not run here")
        return
    os.makedirs(BIN)
    shutil.copy(program("podlaned"), BIN)
    # The place where --give-back looks if it cannot read the configuration.
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
        manager.stop()


if __name__ == "__main__":
    lab.main(tests)
