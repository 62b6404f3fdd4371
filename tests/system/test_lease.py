"""A DHCP client on the NIC goes on renewing its lease while the address is podlane's."""

import json
import os
import shutil
import time

import cluster as lab
from checks import expect, expect_equal
from lab.net import Namespace, add_addresses, wait_until
from lab.node import program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
NIC = "eth1"
FOREVER = 2**32 - 1
LEASE = 16  # seconds; the client asks the server alone after 8, and everybody after 16

# What a client's script does with a lease.
UDHCPC_SCRIPT = """#!/bin/sh
echo "client: $1 $ip $lease" >> /run/lab/client.log
case $1 in
bound|renew)
    ip -4 addr replace "$ip/24" dev "$interface" valid_lft "$lease" preferred_lft "$lease"
    ip -4 route replace default via "$router" dev "$interface" metric 100 ;;
esac
exit 0
"""
# Debian's own, and it is told of.
DHCLIENT_SCRIPT = """#!/bin/sh
echo "client: $(echo $reason | tr A-Z a-z) $new_ip_address" >> /run/lab/client.log
exec /sbin/dhclient-script
"""
# Its files would have it manage every interface. It sees that it is in a container, without udev.
NETWORKD = """set -e
mount -t sysfs -o ro none /sys
mkdir -p /run/systemd/network /run/systemd/netif
cp "$1" /run/systemd/network
printf '[Match]\\nName=*\\n[Network]\\nDHCP=ipv4\\n' > /run/systemd/network/90-all.network
chown -R systemd-network: /run/systemd/netif
echo lab > /run/systemd/container
exec env SYSTEMD_LOG_LEVEL=debug /lib/systemd/systemd-networkd > /run/lab/client.log 2>&1
"""
UNMANAGED = f"{ROOT}/configs/systemd/05-podlane.network"
WRITTEN_BY_SCRIPT = ("client: bound ", "client: renew ")
# program; its script; command; what it writes when it gets and renews a lease
CLIENTS = {
    "udhcpc": ("busybox", UDHCPC_SCRIPT,
               ["busybox", "udhcpc", "-f", "-i", NIC, "-s", "/run/lab/client.sh"],
               WRITTEN_BY_SCRIPT),
    "dhclient": ("dhclient", DHCLIENT_SCRIPT,
                 ["dhclient", "-d", "-lf", "/run/lab/client.leases", "-pf", "/run/lab/client.pid",
                  "-cf", "/dev/null", "-sf", "/run/lab/client.sh", NIC], WRITTEN_BY_SCRIPT),
    "networkd": ("/lib/systemd/systemd-networkd", "",
                 ["unshare", "--mount", "sh", "-c", NETWORKD, "sh", UNMANAGED],
                 (f"{NIC}: DHCPv4 client: OFFER", f"{NIC}: DHCPv4 client: ACK")),
}
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
    """How often the client has written so."""
    try:
        with open("/run/lab/client.log", encoding="utf-8") as file:
            return file.read().count(what)
    except FileNotFoundError:
        return 0


def lifetimes(node, interface):
    """Of its IPv4 addresses, in seconds."""
    return [each["valid_life_time"]
            for link in node.namespace.ip_json("-4", "addr", "show", "dev", interface)
            for each in link["addr_info"]]


def addresses(node, interface):
    return [each["local"] for link in node.namespace.ip_json("-4", "addr", "show", "dev", interface)
            for each in link["addr_info"]]


def kept_lease(node):
    """When the lease that is to be given back was read, and its text."""
    with open(f"{node.socket}.{NIC}.json", encoding="utf-8") as file:
        record, = (each for each in json.load(file)["addresses"] if "192.168.50.1/" in each["text"])
    return record["taken"], record["text"]


def renewals(report, cluster, node, options):
    _, script, command, (bound, renew) = CLIENTS[options.client]
    write("/run/lab/udhcpd.conf", SERVER)
    write("/run/lab/leases", "")
    write("/run/lab/client.leases", "")
    write("/run/lab/client.sh", script)
    server = Namespace("dhcp")
    cluster.others.append(server)
    cluster.wire.plug(server, "eth0")
    add_addresses(server, "eth0", ["192.168.50.53/24"])
    server.spawn(["busybox", "udhcpd", "-f", "/run/lab/udhcpd.conf"])
    node.namespace.run(["chmod", "+x", "/run/lab/client.sh"])
    node.namespace.spawn(command)
    with report.check("the NIC has an address by DHCP"):
        wait_until(lambda: addresses(node, NIC) == ["192.168.50.1"], 15, "an address")
    node.start()
    begun = time.monotonic()
    with report.check("it is taken over with its lease"):
        expect_equal((addresses(node, NIC), addresses(node, "podlane0")), ([], ["192.168.50.1"]))
        first, text = kept_lease(node)
        expect("valid for" in text, text)
    with report.check("the client on the NIC renews it, and podlaned keeps the new time"):
        renewed = happened(renew)
        while time.monotonic() < begun + 2 * LEASE + 8 and happened(renew) < renewed + 2:
            expect_equal(addresses(node, "podlane0"), ["192.168.50.1"], "the host interface")
            time.sleep(0.1)
        expect(happened(renew) >= renewed + 2, f"{happened(renew)} renewals")
        expect_equal(happened(bound), 1, "leases")
        wait_until(lambda: kept_lease(node)[0] >= first + LEASE, 5, "a newer lease is kept")
    with report.check("the client's script takes no route from the host interface for long"):
        wait_until(lambda: addresses(node, NIC) == [], 5, "the address is podlane's again")
        expect_equal([route["dev"] for route in node.namespace.ip_json("route", "show", "default")],
                     ["podlane0"])
        lab.expect_ping(node.namespace, "203.0.113.1", count=3)
    with report.check("the host interface keeps the address for ever, also over a restart"):
        expect_equal(lifetimes(node, "podlane0"), [FOREVER])
        expect_equal(node.stop(), 0, "exit code")
        time.sleep(0.5)  # longer than a client needs to see that nobody has it open
        expect_equal(lifetimes(node, "podlane0"), [FOREVER], "while podlaned is away")
        node.start()
        expect_equal((addresses(node, "podlane0"), happened(bound)), (["192.168.50.1"], 1))
    with report.check("it is given back with what is left of its time"):
        expect_equal(node.stop(), 0, "exit code")
        node.namespace.run([program("podlaned"), "--config", node.config_path, "--give-back"])
        expect_equal(addresses(node, NIC), ["192.168.50.1"])
        link, = node.namespace.ip_json("-4", "addr", "show", "dev", NIC)
        expect(link["addr_info"][0]["valid_life_time"] <= 60, link)


@lab.with_cluster(names=("a",), start=False, keep=True)
def tests(report, options, cluster):
    for name in ("busybox", CLIENTS[options.client][0]):
        if not shutil.which(name):
            report.skip("a DHCP client goes on", f"{name} is not installed")
            return
    renewals(report, cluster, cluster.nodes["a"], options)


if __name__ == "__main__":
    lab.main(tests, client="udhcpc")
