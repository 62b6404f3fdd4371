"""A node's only NIC is podlane's: what the kernel had there moves to the host interface and back.

An operator's connections to the node go on through all of it, and in the end `ip` shows what it
showed before.
"""

import json
import os
import re
import signal

import cluster as lab
from checks import expect, expect_equal
from lab.net import PYTHON, Namespace, add_addresses, run, wait_until
from lab.node import program

NIC = "eth1"
ROUTER = "192.168.50.253"  # beside the gateway, with hosts of its own
BEHIND = "10.77.0.1"
_ROUTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "router.py")


def configure_nic(node):
    """As DHCP, an administrator and a router's advertisements leave it."""
    ip = node.namespace.ip
    # The order counts: an address stands before the routes that need it.
    ip("addr", "add", "192.168.50.1/24", "dev", NIC, "valid_lft", "3600", "preferred_lft", "1800")
    ip("addr", "add", "fd50::1/64", "dev", NIC, "nodad")
    ip("route", "add", "default", "via", "192.168.50.254", "metric", "100", "proto", "dhcp")
    ip("route", "add", "10.77.0.0/16", "via", ROUTER, "src", "192.168.50.1", "metric", "50")
    ip("route", "add", "10.78.0.0/16", "via", ROUTER, "mtu", "lock", "1300", "advmss", "1200")
    ip("route", "add", "default", "via", ROUTER, "dev", NIC, "table", "100")
    ip("-6", "route", "add", "default", "via", "fd50::fe", "metric", "512")
    ip("-6", "route", "add", "2001:db8:7::/48", "from", "fd50::/64", "via", "fd50::fd")
    ip("rule", "add", "iif", NIC, "lookup", "100", "preference", "1000")
    ip("-6", "rule", "add", "oif", NIC, "lookup", "101", "preference", "1001")
    ip("neigh", "add", "192.168.50.77", "lladdr", "02:00:00:00:00:77", "dev", NIC)
    # Another interface, and a route by both.
    ip("link", "add", "mgmt0", "type", "veth", "peer", "name", "mgmt1")
    ip("link", "set", "mgmt1", "up")
    ip("link", "set", "mgmt0", "up")
    ip("addr", "add", "10.5.0.1/24", "dev", "mgmt0")
    ip("route", "add", "default", "via", "10.5.0.254", "metric", "5000")
    ip("route", "add", "10.79.0.0/16", "nexthop", "via", ROUTER, "dev", NIC,
       "nexthop", "via", "10.5.0.254", "dev", "mgmt0")
    ip("addr", "add", "fd05::1/64", "dev", "mgmt0", "nodad")
    ip("-6", "route", "add", "2001:db8:9::/48", "nexthop", "via", "fd50::fd", "dev", NIC,
       "nexthop", "via", "fd05::9", "dev", "mgmt0")
    ip("neigh", "add", "fd50::77", "lladdr", "02:00:00:00:00:77", "dev", NIC)


def shown(node):
    """What ip(8) says of the NIC, without what counts down or comes from the traffic itself."""
    out = []
    for family in ("-4", "-6"):
        for words in (("addr", "show", "dev", NIC), ("route", "show", "table", "all"), ("rule",),
                      ("neigh", "show", "nud", "permanent")):
            text = node.namespace.run(["ip", "-d", family, *words]).stdout
            text = re.sub(r"(valid_lft|preferred_lft) \d+sec", r"\1 N", text)
            text = re.sub(r"expires \d+sec", "expires N", text)
            text = re.sub(r"link-netns\S* \S+ ", "", text)
            out += sorted(line.strip() for line in text.splitlines())
    for key in ("ipv4/conf/{}/rp_filter", "ipv4/conf/{}/arp_ignore", "ipv6/conf/{}/disable_ipv6",
                "ipv6/conf/{}/accept_ra", "ipv6/conf/{}/autoconf"):
        path = "/proc/sys/net/" + key.format(NIC)
        out.append(f"{path} {node.namespace.run(['cat', path]).stdout.strip()}")
    return out


def lease(node, interface=NIC, family="-4"):
    """Seconds for which the address is valid; None: for ever."""
    text = node.namespace.run(["ip", family, "addr", "show", "dev", interface]).stdout
    found = re.search(r"valid_lft (\d+)sec", text)
    return int(found.group(1)) if found else None


def expect_as_before(node, before):
    def difference():
        now = shown(node)
        return [f"- {line}" for line in before if line not in now] + \
               [f"+ {line}" for line in now if line not in before]

    try:
        # The kernel finds a link-local address again, and the router's advertisements.
        wait_until(lambda: not difference(), 15, "it is as before")
    except TimeoutError:
        expect(False, difference())


def podlaned(node, option, check=True):
    return node.namespace.run([program("podlaned"), "--config", node.config_path, option],
                              check=check)


class Visit:
    """An operator's connections to the node's own addresses, data flowing both ways."""

    def __init__(self, cluster, node, number):
        self.end = f"/run/lab/visit{number}"
        self.clients = [
            lab.hold(cluster.outside, address=node.address(family), port=lab.HELD, asking=2,
                     hearing=1, end=self.end)
            for family in (4, 6)]

    def check(self, report, name):
        with report.check(name):
            with open(self.end, "w", encoding="utf-8"):
                pass
            for client in self.clients:
                seen = lab.result_of(client, 60)
                expect_equal(seen["moved"], [], "connections lost")
                expect(seen["answers"] > 20, f"{seen['answers']} answers")


def at_the_start(report, node):
    with report.check("--dry-run says what would move, and moves nothing"):
        before = shown(node)
        node.write_config()
        text = podlaned(node, "--dry-run").stdout
        for line in ("interface eth1: would move to podlane0", "address 192.168.50.1/24 valid for ",
                     "address fd50::1/64", "route default via 192.168.50.254 metric 100",
                     "route 10.77.0.0/16 via 192.168.50.253 src 192.168.50.1 metric 50",
                     "2001:db8:7::/48 from fd50::/64 via fd50::fd", "table 100",
                     "neighbour 192.168.50.77 at 02:00:00:00:00:77", "rule 1000 to table 100",
                     "following router advertisements"):
            expect(line in text, f"{line!r} is not in {text}")
        expect_equal(shown(node), before, "changed")
    with report.check("it says as well which routes packets do not follow"):
        expect("but packets then leave by the routes of uplink uplink0" in text, text)


def on_the_host_interface(report, cluster, node):
    def host(*words):
        return node.namespace.run(["ip", "-d", *words]).stdout

    with report.check("the NIC has none of it, and the host interface has the addresses"):
        expect("192.168.50.1" not in host("addr", "show", "dev", NIC), "still there")
        addresses = host("addr", "show", "dev", "podlane0")
        expect("192.168.50.1/24" in addresses and "fd50::1/64" in addresses, addresses)
    with report.check("routes are there with metric, source, MTU, table and rules"):
        main = host("route", "show", "table", "main")
        for line in ("default via 192.168.50.254 dev podlane0 proto dhcp scope global metric 100",
                     f"10.77.0.0/16 via {ROUTER} dev podlane0 proto boot scope global src "
                     "192.168.50.1 metric 50"):
            expect(line in main, f"{line!r} is not in {main}")
        expect("mtu lock 1300 advmss 1200" in main, main)
        expect_equal(main.count("unicast default"), 2, "default routes")
        expect("default via 10.5.0.254 dev mgmt0" in main, "the other interface's")
        expect("podlane0" in host("route", "show", "table", "100"), "table 100")
        expect("from fd50::/64 via fd50::fd dev podlane0" in
               host("-6", "route", "show", "table", "all"), "source-specific route")
        expect("iif podlane0 lookup 100" in host("rule"), host("rule"))
        expect("oif podlane0 lookup 101" in host("-6", "rule"), host("-6", "rule"))
        expect("192.168.50.77" in host("neigh", "show", "nud", "permanent", "dev", "podlane0"),
               "neighbour")
    with report.check("packets of the node go to the router that its route names"):
        lab.expect_ping(node.namespace, BEHIND, count=3)
    with report.check("the host interface hears the router's advertisements"):
        wait_until(lambda: "proto ra" in host("-6", "route", "show", "dev", "podlane0"), 10,
                   "a route of the router's")
    with report.check("--dry-run says that it has moved"):
        text = podlaned(node, "--dry-run").stdout
        expect("interface eth1: has moved to podlane0" in text, text)
    with report.check("--give-back is refused while podlaned runs"):
        done = podlaned(node, "--give-back", check=False)
        expect(done.returncode == 1 and "is running" in done.stderr, done.stderr)


def through_everything(report, cluster, node, before):
    visit = Visit(cluster, node, 1)
    node.start()
    on_the_host_interface(report, cluster, node)
    with report.check("a restart leaves all of it with the host interface"):
        expect_equal(node.stop(), 0, "exit code")
        expect("192.168.50.1/24" in
               node.namespace.run(["ip", "addr", "show", "dev", "podlane0"]).stdout, "address")
        node.start()
        lab.expect_ping(node.namespace, BEHIND, count=3)
    with report.check("after SIGTERM --give-back puts everything back, and a second one nothing"):
        expect_equal(node.stop(), 0, "exit code")
        text = podlaned(node, "--give-back").stdout
        expect("interface eth1: address 192.168.50.1/24" in text, text)
        expect_as_before(node, before)
        expect_equal(podlaned(node, "--give-back").stdout, "", "a second time")
        expect("podlane0" not in node.namespace.links(), "podlane0 is there")
    with report.check("the lease's time went on meanwhile"):
        expect(3300 < lease(node) < 3600, lease(node))
    visit.check(report, "connections to the node live through start, restart and stop")

    visit = Visit(cluster, node, 2)
    node.start()
    with report.check("after kill -9 --give-back does the same"):
        node.stop(signal.SIGKILL)
        podlaned(node, "--give-back")
        expect_as_before(node, before)
    node.start()
    with report.check("shutdown --forget gives back by itself"):
        expect_equal(node.end(), 0, "exit code")
        expect_as_before(node, before)
        expect_equal(podlaned(node, "--give-back").stdout, "", "left")
    node.start(words=["--give-back-at-end"])
    with report.check("SIGTERM gives back by itself with --give-back-at-end, and keeps the rest"):
        pods = node.json("get", "ports")
        expect_equal(node.stop(), 0, "exit code")
        expect_as_before(node, before)
        expect_equal(podlaned(node, "--give-back").stdout, "", "left")
        node.start(words=["--give-back-at-end"])
        expect_equal([port["name"] for port in node.json("get", "ports")],
                     [port["name"] for port in pods], "ports")
        expect_equal(node.end(), 0, "exit code")
        expect_as_before(node, before)
    visit.check(report, "connections to the node live through kill -9 and --give-back")


def odd_cases(report, node, before):
    with report.check("a --give-back that is killed on its way is finished by the next one"):
        node.start()
        node.stop(signal.SIGKILL)
        for seconds in ("0.005", "0.02", "0.05"):
            node.namespace.run(["timeout", "-s", "KILL", seconds, program("podlaned"), "--config",
                                node.config_path, "--give-back"], check=False)
        podlaned(node, "--give-back", check=False)
        expect_as_before(node, before)
    with report.check("what cannot be put back is named, and the rest is put back"):
        node.start()
        node.stop(signal.SIGKILL)
        memory = f"{node.socket}.{NIC}.json"
        with open(memory, encoding="utf-8") as file:
            kept = json.load(file)
        route = next(each for each in kept["routes"] if "10.77" in each["text"])
        # A preferred source that is no address of this node: 192.168.50.1 becomes 192.168.50.2.
        route["message"] = re.sub("0700c0a83201", "0700c0a83202", route["message"])
        with open(memory, "w", encoding="utf-8") as file:
            json.dump(kept, file)
        done = podlaned(node, "--give-back", check=False)
        expect_equal(done.returncode, 1, done.stderr)
        expect("interface eth1: cannot be given back: route 10.77.0.0/16" in done.stderr,
               done.stderr)
        expect("default via 192.168.50.254 dev eth1" in
               str(node.namespace.run(["ip", "route"]).stdout), "the rest")
        node.namespace.ip("route", "add", "10.77.0.0/16", "via", ROUTER, "src", "192.168.50.1",
                          "metric", "50")
        expect_as_before(node, before)
    with report.check("without room for its file podlaned takes nothing, and says so"):
        full = "/run/lab/full"
        os.makedirs(full)
        run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "none", full])
        socket, node.config["socket"] = node.config["socket"], f"{full}/a.sock"
        with open(f"{full}/fill", "wb", buffering=0) as file:
            try:
                file.write(bytes(8192))
            except OSError:
                pass
        try:
            node.start()
            expect(False, "it has started")
        except lab.CommandFailed as failure:
            expect("cannot be written" in str(failure), failure)
        finally:
            node.daemon = None
            node.config["socket"] = socket
            run(["umount", full])
        expect_as_before(node, before)


@lab.with_cluster(names=("a",), start=False, keep=True)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    router = Namespace("router")
    cluster.others.append(router)
    cluster.wire.plug(router, "eth0", mac="02:00:00:00:00:fd")
    add_addresses(router, "eth0", [f"{ROUTER}/24", "fd50::fd/64"])
    add_addresses(router, "lo", [f"{BEHIND}/32"])
    router.ip("route", "add", "default", "via", "192.168.50.254")
    router.spawn([PYTHON, _ROUTER, "eth0"])
    node.namespace.sysctl("net.ipv6.conf.eth1.accept_ra", 2)
    configure_nic(node)
    wait_until(lambda: "proto ra" in node.namespace.run(["ip", "-6", "route"]).stdout, 15,
               "the router is heard")
    wait_until(lambda: "tentative" not in str(node.namespace.ip_json("addr", "show", "dev", NIC)),
               5, "link-local address")
    lab.keep_answering(node.namespace, "node")
    before = shown(node)
    at_the_start(report, node)
    through_everything(report, cluster, node, before)
    odd_cases(report, node, before)


if __name__ == "__main__":
    lab.main(tests)
