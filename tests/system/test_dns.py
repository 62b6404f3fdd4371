"""The cluster's DNS with real clients: dig, glibc's and musl's getaddrinfo, dnsperf."""

import ipaddress
import os
import re
import shutil
import tempfile

import cluster as lab
from checks import expect, expect_equal
from lab import objects
from lab.net import PYTHON, wait_until
from lab.resolv_conf import with_files, write_resolv_conf

SERVERS = {4: "10.96.0.10", 6: "fd00:10:96::a"}
UPSTREAMS = ("192.168.50.254", "203.0.113.1")
DOMAIN = "cluster.local"
_HERE = os.path.dirname(os.path.abspath(__file__))

MUSL_PROGRAM = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
int main(int argc, char **argv) {
    struct addrinfo hints = {0}, *all;
    hints.ai_socktype = SOCK_STREAM;
    if (argc != 2 || getaddrinfo(argv[1], NULL, &hints, &all) != 0) return 1;
    for (; all; all = all->ai_next) {
        char text[INET6_ADDRSTRLEN];
        void *address = all->ai_family == AF_INET
            ? (void *)&((struct sockaddr_in *)all->ai_addr)->sin_addr
            : (void *)&((struct sockaddr_in6 *)all->ai_addr)->sin6_addr;
        puts(inet_ntop(all->ai_family, address, text, sizeof(text)));
    }
    return 0;
}
"""


def tests_objects():
    """Services of all kinds, and their endpoints."""
    endpoints = [
        {**objects.endpoint("10.244.1.5", "node-a"), "hostname": "db-0"},
        {**objects.endpoint("10.244.2.6", "node-b"), "hostname": "db-1"},
        objects.endpoint("10.244.2.7", "node-b"),
        {**objects.endpoint("10.244.2.8", "node-b", ready=False), "hostname": "db-3"},
    ]
    many = [objects.endpoint(f"10.244.3.{each}", "node-c") for each in range(1, 151)]
    return [
        objects.service("webapp-sql1", ["10.96.0.33", "fd00:10:96::33"],
                        [objects.port(3306, 3306, name="mysql")]),
        objects.service("db", ["None"], [objects.port(3306, 3306, name="sql")]),
        objects.endpoint_slice("db", endpoints, [("sql", "TCP", 3306)]),
        objects.service("many", ["None"], [objects.port(80, 80, name="http")]),
        objects.endpoint_slice("many", many, [("http", "TCP", 80)]),
        external_name("mirror", "www.example.com"),
        external_name("alias", f"webapp-sql1.default.svc.{DOMAIN}"),
    ]


def external_name(name, target):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"type": "ExternalName", "externalName": target}}


def start_upstream(cluster, number):
    process = cluster.outside.spawn(
        [PYTHON, os.path.join(_HERE, "upstream.py"), UPSTREAMS[number - 1], str(number)])
    process.wait_for_line(lambda line: line.strip() == "ready", 10, f"upstream {number}")
    return process


class Resolving:
    """Runs programs in a pod, with a resolv.conf of the lines that `pod add` printed."""

    def __init__(self, pod, folder):
        self.pod = pod
        path = write_resolv_conf(f"{folder}/resolv-{pod.name}.conf", pod.port["dns"])
        self._files = {"/etc/resolv.conf": path}

    def run(self, *words, **options):
        return self.pod.namespace.run(with_files(self._files, words), **options)


def dig(namespace, name, kind="A", *words, server=SERVERS[4], check=True):
    """The answers' data, sorted."""
    command = ["dig", "+short", "+tries=1", "+time=3", f"@{server}", *words, name, kind]
    done = namespace.run(command, check=check)
    return sorted(line for line in done.stdout.splitlines() if not line.startswith(";"))


def dig_pointer(namespace, address, *words, server=SERVERS[4]):
    reverse = ipaddress.ip_address(address).reverse_pointer
    return dig(namespace, reverse, "PTR", *words, server=server)


def dig_whole(namespace, name, kind="A", *words, server=SERVERS[4]):
    command = ["dig", "+tries=1", "+time=3", f"@{server}", *words, name, kind]
    return namespace.run(command).stdout


def status(output):
    return re.search(r"status: (\w+)", output).group(1)


def pod_add_says_how_to_resolve(report, pod):
    with report.check("pod add: the port's JSON has the lines of a resolv.conf"):
        expect_equal(pod.port["dns"], {
            "nameservers": [SERVERS[4], SERVERS[6]],
            "search": ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"],
            "options": ["ndots:5"]})


def names_of_the_cluster(report, pod, family):
    ns, server = pod.namespace, SERVERS[family]
    full = f"webapp-sql1.default.svc.{DOMAIN}"

    def ask(name, kind, *words):
        return dig(ns, name, kind, *words, server=server)

    for how in ("+notcp", "+tcp"):
        with report.check(f"IPv{family}, {how}: a ClusterIP has A, AAAA, SRV and PTR"):
            expect_equal(ask(full, "A", how), ["10.96.0.33"])
            expect_equal(ask(full, "AAAA", how), ["fd00:10:96::33"])
            expect_equal(ask(f"_mysql._tcp.{full}", "SRV", how), [f"0 100 3306 {full}."])
            expect_equal(dig_pointer(ns, "10.96.0.33", how, server=server), [f"{full}."])
            expect_equal(dig_pointer(ns, "fd00:10:96::33", how, server=server), [f"{full}."])
        with report.check(f"IPv{family}, {how}: a headless Service has its ready endpoints"):
            headless = f"db.default.svc.{DOMAIN}"
            expect_equal(ask(headless, "A", how), ["10.244.1.5", "10.244.2.6", "10.244.2.7"])
            expect_equal(ask(f"db-1.{headless}", "A", how), ["10.244.2.6"])
            expect_equal(ask(f"10-244-2-7.{headless}", "A", how), ["10.244.2.7"])
            expect_equal(ask(f"db-3.{headless}", "A", how), [])
            expect_equal(ask(f"_sql._tcp.{headless}", "SRV", how), [
                f"0 100 3306 {each}.{headless}." for each in ("10-244-2-7", "db-0", "db-1")])
            expect_equal(dig_pointer(ns, "10.244.1.5", how, server=server),
                         [f"db-0.{headless}."])
        with report.check(f"IPv{family}, {how}: pods, the schema's version, aliases"):
            expect_equal(ask(f"10-244-1-9.default.pod.{DOMAIN}", "A", how), ["10.244.1.9"])
            expect_equal(ask(f"dns-version.{DOMAIN}", "TXT", how), ['"1.1.0"'])
            expect_equal(ask(f"alias.shop.svc.{DOMAIN}", "A", how), ["10.96.0.33", f"{full}."])
    with report.check(f"IPv{family}: what is not there has an SOA of 5 seconds"):
        gone = dig_whole(ns, f"gone.default.svc.{DOMAIN}", "A", server=server)
        expect_equal(status(gone), "NXDOMAIN")
        expect(re.search(rf"{DOMAIN}\.\s+5\s+IN\s+SOA\s.* 5$", gone, re.MULTILINE), gone)
        none = dig_whole(ns, full, "MX", server=server)
        expect_equal(status(none), "NOERROR")
        expect("SOA" in none and "ANSWER: 0" in none, none)
    with report.check(f"IPv{family}: the question's case is kept"):
        asked = "wEbApp-SQL1.default.svc.CLUSTER.local."
        expect(f"{asked}" in dig_whole(ns, asked, "A", server=server), "another case")


def large_answers(report, pod):
    name = f"many.default.svc.{DOMAIN}"
    with report.check("a large answer is cut over UDP, with as much as fits"):
        cut = dig_whole(pod.namespace, name, "A", "+ignore")
        expect(" tc" in re.search(r"flags:([^;]*);", cut).group(1), cut[:300])
        expect(60 < cut.count("10.244.3.") < 100, f"{cut.count('10.244.3.')} records")
        small = dig_whole(pod.namespace, name, "A", "+ignore", "+noedns")
        expect(20 < small.count("10.244.3.") < 40, f"{small.count('10.244.3.')} records")
    with report.check("and whole over TCP, to which dig turns by itself"):
        expect_equal(len(dig(pod.namespace, name)), 150)


def names_elsewhere(report, pod, node):
    ns = pod.namespace
    with report.check("a name outside of the cluster comes from upstream, over UDP and TCP"):
        expect_equal(dig(ns, "www.example.com", "A"), ["198.51.100.1"])
        expect_equal(dig(ns, "www.example.com", "AAAA", "+tcp"), ["2001:db8::1"])
        expect_equal(status(dig_whole(ns, "missing.example.com")), "NXDOMAIN")
    with report.check("an answer that upstream cuts is fetched over TCP"):
        expect_equal(len(dig(ns, "big.example.com")), 200)
    with report.check("an ExternalName is followed upstream"):
        expect_equal(dig(ns, f"mirror.shop.svc.{DOMAIN}"), ["198.51.100.1", "www.example.com."])
        alone = dig(ns, f"mirror.shop.svc.{DOMAIN}", "A", "+norecurse")
        expect_equal(alone, ["www.example.com."])
    with report.check("an answer is kept for its TTL"):
        first = dig(ns, "count.example.com")
        expect_equal(dig(ns, "CoUnt.example.com"), first)
        wait_until(lambda: node.stats()["dns"]["server"]["cacheHits"], 5, "a cache hit is counted")
    with report.check("SERVFAIL of all servers is SERVFAIL"):
        expect_equal(status(dig_whole(ns, "broken.example.com")), "SERVFAIL")
    with report.check("one socket asks for names inside and outside in turns, and makes no flow"):
        before = node.stats()["flows"]["created"]
        seen = lab.call(ns, "dns_by_one_socket", address=SERVERS[4], count=50,
                        names=[f"webapp-sql1.default.svc.{DOMAIN}", "www.example.com"])
        expect_equal(seen, {"10.96.0.33": 50, "198.51.100.1": 50})
        expect_equal(node.stats()["flows"]["created"], before)


def upstream_failover(report, pod, node, cluster, first):
    ns = pod.namespace

    def healthy():
        return [one["healthy"] for one in node.stats()["dns"]["server"]["upstreams"]]

    with report.check("upstream servers are asked in their order"):
        expect_equal(dig(ns, "who.example.com"), ["198.51.100.1"])
    with report.check("the second is asked when the first is gone, and the first passed over"):
        first.stop()
        for _ in range(3):
            expect_equal(dig(ns, "who.example.com"), ["198.51.100.2"])
        wait_until(lambda: healthy() == [False, True], 10, "the first is unhealthy")
    with report.check("the first is asked again when it is back"):
        start_upstream(cluster, 1)
        wait_until(lambda: healthy() == [True, True], 10, "the first is healthy")
        expect_equal(dig(ns, "who.example.com"), ["198.51.100.1"])


def libc_resolvers(report, pod, resolving, folder):
    for name in ("webapp-sql1", "webapp-sql1.default", "webapp-sql1.default.svc",
                 f"webapp-sql1.default.svc.{DOMAIN}"):
        with report.check(f"glibc: getaddrinfo finds {name} by the search domains"):
            done = resolving.run("getent", "ahosts", name)
            found = {line.split()[0] for line in done.stdout.splitlines()}
            expect_equal(found, {"10.96.0.33", "fd00:10:96::33"})
    with report.check("glibc: a name of another namespace, an alias, a name outside"):
        expect("10.96.0.33" in resolving.run("getent", "ahosts", "alias.shop").stdout, "alias")
        expect("198.51.100.1" in resolving.run("getent", "ahosts", "mirror.shop").stdout, "mirror")
        outside = resolving.run("getent", "ahosts", "www.example.com").stdout
        expect("198.51.100.1" in outside and "2001:db8::1" in outside, outside)
    with report.check("glibc: a name that is nowhere is not found"):
        expect_equal(resolving.run("getent", "ahosts", "nowhere", check=False).returncode, 2)
    if not shutil.which("musl-gcc"):
        report.skip("musl's getaddrinfo", "musl-gcc is not installed")
        return
    source, program = f"{folder}/resolve.c", f"{folder}/resolve"
    with open(source, "w", encoding="utf-8") as file:
        file.write(MUSL_PROGRAM)
    pod.namespace.run(["musl-gcc", "-static", "-o", program, source])
    for name, wanted in (("webapp-sql1", {"10.96.0.33", "fd00:10:96::33"}),
                         ("mirror.shop", {"198.51.100.1", "2001:db8::1"}),
                         ("www.example.com", {"198.51.100.1", "2001:db8::1"})):
        with report.check(f"musl: getaddrinfo finds {name}"):
            expect_equal(set(resolving.run(program, name).stdout.split()), wanted)
    with report.check("musl: a large answer is used as far as it goes, or whole"):
        found = resolving.run(program, "many").stdout.split()
        expect(len(found) > 20 and all(each.startswith("10.244.3.") for each in found), found)


def many_queries(report, pod, folder):
    if not shutil.which("dnsperf"):
        report.skip("dnsperf loses no query", "dnsperf is not installed")
        return
    path = f"{folder}/queries"
    with open(path, "w", encoding="utf-8") as file:
        for each in range(500):
            print(f"webapp-sql1.default.svc.{DOMAIN} A", file=file)
            print(f"x{each}.default.svc.{DOMAIN} A", file=file)
    with report.check("dnsperf: no query is lost, half are NOERROR and half NXDOMAIN"):
        done = pod.namespace.run(["dnsperf", "-s", SERVERS[4], "-d", path, "-n", "20", "-c", "4"])
        codes = re.search(r"Response codes:\s+(.*)", done.stdout).group(1)
        lost = re.search(r"Queries lost:\s+(\d+)", done.stdout).group(1)
        report.note(re.search(r"Queries per second:.*", done.stdout).group(0))
        expect_equal(lost, "0")
        expect_equal(codes, "NOERROR 10000 (50.00%), NXDOMAIN 10000 (50.00%)")


def who_may_ask(report, cluster, node):
    with report.check("the node's own kernel may ask"):
        expect_equal(dig(node.namespace, f"webapp-sql1.default.svc.{DOMAIN}"), ["10.96.0.33"])
        expect_equal(dig(node.namespace, "www.example.com", "A", "+tcp"), ["198.51.100.1"])
    with report.check("a stranger gets no answer, and the drop is named"):
        cluster.outside.run(["ip", "route", "add", "10.96.0.0/12", "via", node.addresses[0]])
        for how in ("+notcp", "+tcp"):
            expect_equal(dig(cluster.outside, f"webapp-sql1.default.svc.{DOMAIN}", "A", how,
                             "+time=1", check=False), [])
        expect(node.drops().get("dns_stranger", 0) >= 2, f"drops {node.drops()}")


def changes(report, pod, cluster):
    with report.check("a changed Service answers anew with the very next query"):
        for number in range(40, 50):
            cluster.apply(objects.service("moving", [f"10.96.0.{number}"], [objects.port(80, 80)]))
            expect_equal(dig(pod.namespace, f"moving.default.svc.{DOMAIN}"), [f"10.96.0.{number}"])
    with report.check("an ExternalName's target changes, and it becomes a ClusterIP"):
        name = f"changing.shop.svc.{DOMAIN}"
        for target in ("foo.example.com", "bar.example.com"):
            cluster.apply(external_name("changing", target))
            expect_equal(dig(pod.namespace, name, "CNAME"), [f"{target}."])
        cluster.apply(objects.service("changing", ["10.96.0.60"], [objects.port(80, 80)],
                                      namespace="shop"))
        expect_equal(dig(pod.namespace, name), ["10.96.0.60"])
        expect_equal(dig(pod.namespace, name, "CNAME"), [])
    with report.check("and is gone with the Service"):
        for node in cluster.nodes.values():
            node.ctl("delete", "service", "default/moving")
        gone = dig_whole(pod.namespace, f"moving.default.svc.{DOMAIN}")
        expect_equal(status(gone), "NXDOMAIN")


def by_hand(report, node):
    with report.check("podlanectl resolve says what is answered, and what is asked upstream"):
        shown = node.json("resolve", f"db-0.db.default.svc.{DOMAIN}")
        expect_equal(shown["records"], [f"db-0.db.default.svc.{DOMAIN}. 5 IN A 10.244.1.5"])
        expect_equal(node.json("resolve", f"x.{DOMAIN}")["rcode"], "NXDOMAIN")
        shown = node.json("resolve", f"mirror.shop.svc.{DOMAIN}")
        expect_equal(shown["upstream"]["name"], "www.example.com")
        expect_equal(shown["upstream"]["servers"], [f"{each}:53" for each in UPSTREAMS])
    with report.check("podlanectl explain says whose port 53 is"):
        shown = node.json("explain", "--from", "default/one", "--to", f"{SERVERS[4]}:53",
                          "--proto", "udp")
        expect_equal([step["stage"] for step in shown["steps"] if step["stage"] == "dns"], ["dns"])
        expect_equal((shown["verdict"], shown["outPort"]), ("forward", "dns"))


def switched_off(report, cluster):
    """On node b `dns` is off: the cluster DNS Service is an ordinary Service."""
    node = cluster.nodes["b"]
    coredns = cluster.pod("b", "coredns", servers=False)
    server = coredns.namespace.spawn(
        [PYTHON, os.path.join(_HERE, "upstream.py"), coredns.addresses[0], "77"])
    server.wait_for_line(lambda line: line.strip() == "ready", 10, "the DNS pod")
    ports = [objects.port(53, 53, name="dns", protocol="UDP"),
             objects.port(53, 53, name="dns-tcp", protocol="TCP")]
    cluster.apply(
        objects.service("kube-dns", [SERVERS[4]], ports, namespace="kube-system"),
        objects.endpoint_slice(
            "kube-dns", [objects.endpoint(coredns.addresses[0], "node-b")],
            [("dns", "UDP", 53), ("dns-tcp", "TCP", 53)], namespace="kube-system"))
    client = cluster.pod("b", "client", servers=False)
    with report.check("dns: off: the DNS Service's endpoints answer"):
        for how in ("+notcp", "+tcp"):
            expect_equal(dig(client.namespace, "who.example.com", "A", how), ["198.51.100.77"])
        expect("dns" not in client.port and "dns" not in node.stats(), "it is on")
        expect("error" in node.ctl("resolve", "x", check=False).stderr, "resolve answers")
    return coredns


@lab.with_cluster(start=False)
def tests(report, _options, cluster):
    cluster.nodes["a"].config["cluster"]["upstreamDns"] = list(UPSTREAMS)
    cluster.nodes["b"].config["cluster"]["dns"] = "off"
    cluster.start()
    first = start_upstream(cluster, 1)
    start_upstream(cluster, 2)
    cluster.apply(*tests_objects())
    node = cluster.nodes["a"]
    one = cluster.pod("a", "one", servers=False)
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        resolving = Resolving(one, folder)
        pod_add_says_how_to_resolve(report, one)
        for family in (4, 6):
            names_of_the_cluster(report, one, family)
        large_answers(report, one)
        names_elsewhere(report, one, node)
        libc_resolvers(report, one, resolving, folder)
        upstream_failover(report, one, node, cluster, first)
        many_queries(report, one, folder)
        who_may_ask(report, cluster, node)
        changes(report, one, cluster)
        by_hand(report, node)
        switched_off(report, cluster)
        with report.check("where it is on, port 53 is the server's, whoever has its address"):
            expect_equal(dig(one.namespace, "who.example.com"), ["198.51.100.1"])


if __name__ == "__main__":
    lab.main(tests, workers=1)
