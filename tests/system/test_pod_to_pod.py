"""Pods of one node: the bridge, real MAC addresses, the gateway, many pods."""

import concurrent.futures

import cluster as lab
from capture import Capture
from checks import expect, expect_equal
from lab.net import Namespace

FAMILIES = (4, 6)


def mac_of(namespace, interface="eth0"):
    return namespace.ip_json("link", "show", interface)[0]["address"]


def neighbour_mac(namespace, address):
    entries = namespace.ip_json("neigh", "show", address)
    return entries[0].get("lladdr") if entries else None


def pod_interface(report, node, one):
    with report.check("pod add: the port is JSON with a name, eth0 is up with addresses and MTU"):
        expect(one.port.get("name"), f"no name in {one.port}")
        link = one.namespace.ip_json("link", "show", "eth0")[0]
        expect("UP" in link["flags"], f"flags {link['flags']}")
        overhead = 0 if node.config["overlay"]["type"] == "direct" else 50
        expect(1500 - 70 <= link["mtu"] <= 1500 - overhead, f"MTU {link['mtu']}")
        shown = one.namespace.ip_json("address", "show", "eth0")[0]["addr_info"]
        held = {entry["local"] for entry in shown}
        expect(set(one.addresses) <= held, f"addresses {held}, should hold {one.addresses}")
    for family, option in ((4, "-4"), (6, "-6")):
        with report.check(f"pod add: the IPv{family} default route is the gateway"):
            routes = one.namespace.ip_json(option, "route", "show", "default")
            expect(routes, "no default route")
            expect_equal(routes[0]["gateway"], node.gateway(family))
    with report.check("get ports lists the pod's port and the uplink"):
        names = str(node.json("get", "ports"))
        expect(one.full_name in names and "uplink0" in names, names[:400])


def two_pods(report, family, one, two):
    with report.check(f"IPv{family}: a pod pings another"):
        lab.expect_ping(one.namespace, two.address(family))
    with report.check(f"IPv{family}: each sees the other's real MAC address"):
        expect_equal(neighbour_mac(one.namespace, two.address(family)), mac_of(two.namespace))
        expect_equal(neighbour_mac(two.namespace, one.address(family)), mac_of(one.namespace))
    with report.check(f"IPv{family}: the pod itself answers at its own address"):
        lab.expect_ping(one.namespace, one.address(family), count=3)
    with report.check(f"IPv{family}: pods ping the gateway, which has one MAC for all"):
        gateway = one.node.gateway(family)
        lab.expect_ping(one.namespace, gateway)
        lab.expect_ping(two.namespace, gateway)
        expect_equal(neighbour_mac(one.namespace, gateway), neighbour_mac(two.namespace, gateway))
    with report.check(f"IPv{family}: UDP datagrams come back unchanged, small and MTU-sized"):
        for size in (1, 32, 1300):
            seen = lab.call(one.namespace, "ask_udp", address=two.address(family), port=lab.UDP,
                            count=50, size=size)
            expect(seen["lost"] == 0 and seen["damaged"] == 0, f"{size} bytes: {seen}")
            expect_equal(seen["answers"][0], [two.name, one.address(family)])
    size = 100 * lab.MEBI if family == 4 else 20 * lab.MEBI
    transfer(report, f"IPv{family}", one, two, two.address(family), size)
    with lab.whole_checksums(one, two):
        transfer(report, f"IPv{family}, sums finished by the pods", one, two, two.address(family),
                 10 * lab.MEBI)


def transfer(report, name, one, two, address, size):
    with Capture(two.namespace, "eth0") as at_two, Capture(one.namespace, "eth0") as at_one:
        with report.check(f"{name}: TCP moves {size // lab.MEBI} MiB each way, unchanged"):
            rate = lab.expect_bulk(one.namespace, address, size)
            report.note(f"{rate:.0f} MB/s")
    lab.expect_clean(report, at_two, f"{name}: no bad checksum at the server", least=100)
    lab.expect_clean(report, at_one, f"{name}: no bad checksum at the client", least=100)


def closed_port(report, family, one, two):
    for protocol in ("tcp", "udp"):
        with report.check(f"IPv{family}: a closed {protocol} port of a pod refuses"):
            seen = lab.call(one.namespace, "refused", address=two.address(family), port=9,
                            protocol=protocol)
            expect_equal(seen["how"], "refused")


def pod_removal(report, node, one):
    gone = lab.Namespace("pod-gone")
    with report.check("pod del takes the interface away, and its address stops answering"):
        addresses = node.next_addresses()
        node.ctl("pod", "add", "default/gone", "--netns", gone.path, "--address", addresses[0])
        lab.expect_ping(one.namespace, addresses[0])
        node.ctl("pod", "del", "default/gone")
        expect_equal(gone.links(), ["lo"])
        expect_equal(lab.ping(one.namespace, addresses[0], count=2, wait=1)[0], 0)
        expect("default/gone" not in str(node.json("get", "ports")), "still in get ports")
    with report.check("the address can be given to a new pod, which answers at once"):
        node.ctl("pod", "add", "default/gone", "--netns", gone.path, "--address", addresses[0],
                 "--ifname", "net0")
        expect("net0" in gone.links(), f"links {gone.links()}")
        lab.expect_ping(one.namespace, addresses[0])
        node.ctl("pod", "del", "default/gone")
    gone.close()


def many_pods(report, node, count):
    namespaces, failed = [], []
    addresses = {}
    with report.check(f"{count} pods can be added to one node"):
        for number in range(count):
            namespace = Namespace(f"many-{number}")
            namespaces.append(namespace)
            addresses[namespace.name] = node.next_addresses()
            words = ["pod", "add", f"many/{number}", "--netns", namespace.path]
            for address in addresses[namespace.name]:
                words += ["--address", address]
            node.ctl(*words)
    for family in FAMILIES:
        with report.check(f"IPv{family}: {count} pods at once ping the gateway"):
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                answers = pool.map(
                    lambda each: (each.name, lab.ping(each, node.gateway(family), count=2)[0]),
                    namespaces,
                )
                failed = [name for name, received in answers if received == 0]
            expect(len(namespaces) == count and not failed, f"no answer in {failed}")
        with report.check(f"IPv{family}: the first of {count} pods pings the last"):
            lab.expect_ping(namespaces[0], addresses[namespaces[-1].name][family == 6])
    with report.check(f"{count} pods can be removed"):
        for number in range(count):
            node.ctl("pod", "del", f"many/{number}")
        expect("many/" not in str(node.json("get", "ports")), "still in get ports")
    for namespace in namespaces:
        namespace.close()


@lab.with_cluster(names=("a",), outside=False)
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    one, two = cluster.pod("a", "one"), cluster.pod("a", "two")
    pod_interface(report, node, one)
    for family in FAMILIES:
        two_pods(report, family, one, two)
        closed_port(report, family, one, two)
    pod_removal(report, node, one)
    many_pods(report, node, 200)


if __name__ == "__main__":
    lab.main(tests, workers=1)
