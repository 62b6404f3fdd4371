"""A DHCP client on the NIC goes on renewing its lease while the address is podlane's."""

import json
import shutil
import time

import cluster as lab
from checks import expect, expect_equal
from lab.net import Namespace, add_addresses, wait_until
from lab.node import program

NIC = "eth1"
LEASE = 16  # seconds; the client asks the server alone after 8, and everybody after 16

# What a client's script does with a lease, here and in dhclient-script of Debian.
SCRIPT = """#!/bin/sh
echo "client: $1 $ip $lease" >> /run/lab/client.log
case $1 in
bound|renew)
    ip -4 addr replace "$ip/24" dev "$interface" valid_lft "$lease" preferred_lft "$lease"
    ip -4 route replace default via "$router" dev "$interface" metric 100 ;;
esac
exit 0
"""
SERVER = f"""start 192.168.50.1
end 192.168.50.1
interface eth0
min_lease 5
lease_file /run/lab/leases
opt subnet 255.255.255.0
opt router 192.168.50.254
opt lease {LEASE}
"""


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def happened(what):
    """How often the client's script was called so."""
    try:
        with open("/run/lab/client.log", encoding="utf-8") as file:
            return file.read().count(f"client: {what} ")
    except FileNotFoundError:
        return 0


def addresses(node, interface):
    return [each["local"] for link in node.namespace.ip_json("-4", "addr", "show", "dev", interface)
            for each in link["addr_info"]]


def kept_lease(node):
    """When the lease that is to be given back was read, and its text."""
    with open(f"{node.socket}.{NIC}.json", encoding="utf-8") as file:
        record, = (each for each in json.load(file)["addresses"] if "192.168.50.1/" in each["text"])
    return record["taken"], record["text"]


def renewals(report, cluster, node):
    write("/run/lab/udhcpd.conf", SERVER)
    write("/run/lab/leases", "")
    write("/run/lab/client.sh", SCRIPT)
    server = Namespace("dhcp")
    cluster.others.append(server)
    cluster.wire.plug(server, "eth0")
    add_addresses(server, "eth0", ["192.168.50.53/24"])
    server.spawn(["busybox", "udhcpd", "-f", "/run/lab/udhcpd.conf"])
    node.namespace.run(["chmod", "+x", "/run/lab/client.sh"])
    node.namespace.spawn(["busybox", "udhcpc", "-f", "-i", NIC, "-s", "/run/lab/client.sh"])
    with report.check("the NIC has an address by DHCP"):
        wait_until(lambda: addresses(node, NIC) == ["192.168.50.1"], 15, "an address")
    node.start()
    begun = time.monotonic()
    with report.check("it is taken over with its lease"):
        expect_equal((addresses(node, NIC), addresses(node, "podlane0")), ([], ["192.168.50.1"]))
        first, text = kept_lease(node)
        expect("valid for" in text, text)
    with report.check("the client on the NIC renews it, and podlaned keeps the new time"):
        renewed = happened("renew")
        while time.monotonic() < begun + 2 * LEASE + 8 and happened("renew") < renewed + 2:
            expect_equal(addresses(node, "podlane0"), ["192.168.50.1"], "the host interface")
            time.sleep(0.1)
        expect(happened("renew") >= renewed + 2, f"{happened('renew')} renewals")
        expect_equal(happened("bound"), 1, "leases")
        wait_until(lambda: kept_lease(node)[0] >= first + LEASE, 5, "a newer lease is kept")
    with report.check("the client's script takes no route from the host interface for long"):
        wait_until(lambda: addresses(node, NIC) == [], 5, "the address is podlane's again")
        expect_equal([route["dev"] for route in node.namespace.ip_json("route", "show", "default")],
                     ["podlane0"])
        lab.expect_ping(node.namespace, "203.0.113.1", count=3)
    with report.check("it is given back with what is left of its time"):
        expect_equal(node.stop(), 0, "exit code")
        node.namespace.run([program("podlaned"), "--config", node.config_path, "--give-back"])
        expect_equal(addresses(node, NIC), ["192.168.50.1"])
        link, = node.namespace.ip_json("-4", "addr", "show", "dev", NIC)
        expect(link["addr_info"][0]["valid_life_time"] <= 60, link)


@lab.with_cluster(names=("a",), start=False, keep=True)
def tests(report, options, cluster):
    if not shutil.which("busybox"):
        report.skip("a DHCP client goes on", "busybox is not installed")
        return
    renewals(report, cluster, cluster.nodes["a"])


if __name__ == "__main__":
    lab.main(tests)
