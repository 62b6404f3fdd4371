"""podlane-cni, called as in the CNI specification, with real namespaces and a real podlaned."""

import concurrent.futures
import copy
import ipaddress
import json
import os
import random
import shutil
import signal
import threading
import time

import cluster as lab
from checks import expect, expect_equal
from lab import cni
from lab.net import CommandFailed, run, wait_until

VERSIONS = ("0.3.1", "0.4.0", "1.0.0", "1.1.0")
PARALLEL = int(os.environ.get("PODLANE_CNI_ADDS", "60"))


def ports(node):
    return [port for port in node.rpc().call("get", kind="ports")["items"]
            if port["kind"] == "pod"]


def addresses(result):
    return [ip["address"].split("/")[0] for ip in result["ips"]]


def interface(sandbox):
    """(MAC, addresses) of the pod's interface, as its kernel has them."""
    link = sandbox.namespace.ip_json("address", "show", "dev", sandbox.ifname)[0]
    return link["address"], sorted(a["local"] for a in link["addr_info"] if a["scope"] == "global")


def networks(node, version):
    """The built-in addresses, and Debian's IPAM plugin where it is installed."""
    yield "built-in addresses", cni.Network(node, "pods", version)
    if os.access(f"{cni.PLUGINS}/host-local", os.X_OK):
        folder = f"/run/lab/host-local-{node.name}"
        yield "host-local", cni.Network(node, "delegated", version, cni.host_local(node, folder))


def life(report, node, version, what, network):
    sandbox = cni.Sandbox(f"life-{version}-{network.config['name']}", "web")
    result = None
    with report.check(f"{version}, {what}: ADD makes the interface that its result tells"):
        result = network.must("ADD", sandbox)
        expect_equal(result["cniVersion"], version)
        made = result["interfaces"][0]
        mac, has = interface(sandbox)
        expect_equal(made["mac"], mac, "MAC")
        expect_equal(made["sandbox"], sandbox.namespace.path, "sandbox")
        expect_equal(sorted(addresses(result)), sorted(has), "addresses")
        expect_equal([ipaddress.ip_address(a).version for a in addresses(result)], [4, 6])
        expect_equal(["version" in ip for ip in result["ips"]], [version < "1"] * 2)
        expect_equal("mtu" in made, version == "1.1.0", "mtu")
        expect_equal([route["dst"] for route in result["routes"]], ["0.0.0.0/0", "::/0"])
        expect_equal(result["dns"]["search"][0], "default.svc.cluster.local")
    with report.check(f"{version}, {what}: the gateway answers"):
        for gateway in node.gateways:
            lab.expect_ping(sandbox.namespace, gateway, count=2)
    with report.check(f"{version}, {what}: Debian's tuning plugin takes the result"):
        tuning = {"cniVersion": version, "name": network.config["name"], "type": "tuning",
                  "sysctl": {"net.ipv4.ip_default_ttl": "63"}, "prevResult": result}
        # The plugin is older than 1.1.0.
        if version == "1.1.0":
            tuning["cniVersion"] = tuning["prevResult"]["cniVersion"] = "1.0.0"
        code, said = cni.call(f"{cni.PLUGINS}/tuning", "ADD", tuning, **sandbox.words())
        expect_equal(code, 0, said)
        expect_equal(addresses(said), addresses(result))
        result["cniVersion"] = version
    with report.check(f"{version}, {what}: ADD again answers the same"):
        expect_equal(network.must("ADD", sandbox), result)
    checks(report, version, what, network, sandbox, result)
    with report.check(f"{version}, {what}: DEL removes it, and again it does no harm"):
        for _ in range(3):
            expect_equal(network.must("DEL", sandbox, previous=result), None)
        expect_equal(sandbox.namespace.links(), ["lo"])
        expect_equal(ports(node), [])
        expect_equal(network.kept(), [])
    sandbox.close()
    with report.check(f"{version}, {what}: a DEL of what never was, without namespace, succeeds"):
        words = {"container": "never-was", "ifname": "eth0"}
        expect_equal(cni.call(network.plugin, "DEL", network.config, **words), (0, None))


def checks(report, version, what, network, sandbox, result):
    if version == "0.3.1":
        with report.check(f"{version}: CHECK is of no such version, code 1"):
            expect_equal(network.call("CHECK", sandbox, previous=result)[1]["code"], 1)
        return
    with report.check(f"{version}, {what}: CHECK passes, and fails when something is not so"):
        network.must("CHECK", sandbox, previous=result)
        other = json.loads(json.dumps(result))
        other["ips"][0]["address"] = "10.244.1.250/24"
        expect(network.call("CHECK", sandbox, previous=other)[0] != 0, "an address too many")
        sandbox.namespace.ip("link", "set", "eth0", "down")
        code, said = network.call("CHECK", sandbox, previous=result)
        expect(code != 0 and "eth0 is down" in said["details"], said)
        sandbox.namespace.ip("link", "set", "eth0", "up")
        code, said = network.call("CHECK", sandbox)
        expect_equal(said["code"], 7, "without prevResult")


def example(report, node):
    """configs/cni/10-podlane.conflist, as a runtime turns it into a call."""
    path = os.path.join(os.path.dirname(lab.__file__), "../../configs/cni/10-podlane.conflist")
    with open(path, encoding="utf-8") as file:
        conflist = json.load(file)
    for version in [conflist["cniVersion"], *conflist["cniVersions"]]:
        network = cni.Network(node, conflist["name"], version)
        plugin = {**conflist["plugins"][0], "socket": node.socket}
        capabilities = plugin.pop("capabilities")
        network.config = {**network.config, **plugin}
        sandbox = cni.Sandbox("example", "web")
        with report.check(f"the example configuration works in version {version}"):
            asked = {"ips": ["10.244.1.99"], "mac": "c2:11:22:33:44:66", "dns": {"servers": []},
                     "portMappings": [], "bandwidth": {"ingressRate": 0}}
            expect_equal(set(capabilities), set(asked), "capabilities")
            result = network.must("ADD", sandbox, runtimeConfig=asked)
            expect("10.244.1.99" in addresses(result), result)
            network.must("DEL", sandbox)
        sandbox.close()


def wishes(report, node):
    """Capabilities that a runtime may use."""
    network = cni.Network(node, "pods")
    sandbox = cni.Sandbox("wishes", "web")
    asked = {"ips": ["10.244.1.77/24"], "mac": "c2:11:22:33:44:55",
             "dns": {"servers": ["192.0.2.53"], "searches": ["example.com"]}}
    with report.check("addresses, MAC and DNS that are asked for are given"):
        result = network.must("ADD", sandbox, runtimeConfig=asked)
        expect("10.244.1.77" in addresses(result), result)
        expect_equal(interface(sandbox)[0], asked["mac"])
        expect_equal(result["dns"]["nameservers"], ["192.0.2.53"])
        expect_equal(result["dns"]["search"], ["example.com"])
    with report.check("an address that somebody has is code 11, one of another node code 7"):
        other = cni.Sandbox("other", "other")
        code, said = network.call("ADD", other, runtimeConfig={"ips": ["10.244.1.77"]})
        expect(code != 0 and said["code"] == 11, said)
        code, said = network.call("ADD", other, runtimeConfig={"ips": ["10.244.2.77"]})
        expect(code != 0 and said["code"] == 7, said)
        expect_equal(len(ports(node)), 1)
        other.close()
    with report.check("an ADD into the node's own namespace is refused, code 3"):
        code, said = cni.call(network.plugin, "ADD", network.config, container="host",
                              netns="/proc/self/ns/net")
        expect(code != 0 and said["code"] == 3, said)
    network.must("DEL", sandbox)
    sandbox.close()
    with report.check("an ADD that fails leaves nothing, and gives its address back"):
        code, said = network.call("ADD", sandbox)
        expect(code != 0 and said["code"] == 3, said)
        broken = cni.Sandbox("broken", "broken")
        broken.namespace.ip("link", "add", "eth0", "type", "veth", "peer", "name", "x0")
        code, said = network.call("ADD", broken)
        expect(code != 0 and "eth0" in said["details"], said)
        expect_equal(network.kept(), [])
        expect_equal(ports(node), [])
        broken.close()


def mappings(report, node):
    """Host ports that lead to a pod, set by the runtime alone."""
    node.stop()
    node.config["state"]["keep"] = True
    node.start()
    network = cni.Network(node, "pods")
    server, client, other = (cni.Sandbox(name, name) for name in ("mapped", "asks", "wants-too"))
    # At all addresses of the node, or at only one.
    asked = [{"hostPort": 8080, "containerPort": lab.LINES, "protocol": "tcp"},
             {"hostPort": 8080, "containerPort": lab.UDP, "protocol": "udp"},
             {"hostPort": 8081, "containerPort": lab.LINES, "protocol": "tcp",
              "hostIP": node.addresses[1]}]
    result = network.must("ADD", server, runtimeConfig={"portMappings": asked})
    network.must("ADD", client)
    servers = lab.serve(server.namespace, "mapped")

    def leads(address, port, function="ask"):
        said = lab.call(client.namespace, function, check=False, address=address, port=port)
        return bool(said) and (function == "ask" or said["lost"] == 0)

    def expect_all():
        for address in node.addresses:
            expect(leads(address, 8080), f"TCP to {address}")
            expect(leads(address, 8080, "ask_udp"), f"UDP to {address}")
        expect(leads(node.addresses[1], 8081), "TCP to the one address")
        expect(not leads(node.addresses[0], 8081), "another address answers, too")

    def expect_refused(number, **wanted):
        mapping = {**asked[number], **wanted}
        code, said = network.call("ADD", other, runtimeConfig={"portMappings": [mapping]})
        expect(code != 0 and said["code"] == 100, said)
        port = f"port {mapping['hostPort']}/{mapping['protocol'].upper()} of the node"
        expect(port in said["details"] and "default/mapped" in said["details"], said)

    with report.check("portMappings lead to the pod by TCP and UDP, at the addresses asked for"):
        expect_all()
    with report.check("another pod's ADD for such a port is code 100 with the pod's name"):
        expect_refused(0)
        expect_refused(2, hostIP="0.0.0.0")
        expect_equal(len(ports(node)), 2)
        expect_equal([name for name in network.kept() if "wants-too" in name], [])
    with report.check("CHECK tells a mapping that is not there"):
        network.must("CHECK", server, previous=result, runtimeConfig={"portMappings": asked})
        more = [*asked, {**asked[1], "hostPort": 9}]
        code, said = network.call("CHECK", server, previous=result,
                                  runtimeConfig={"portMappings": more})
        expect(code != 0 and "lacks the mapping" in said["details"], said)
    with report.check("a podlaned that comes after a killed one leads them to the pod as before"):
        node.stop(signal.SIGKILL)
        node.start()
        expect_all()
        expect_refused(1)
    servers.stop()
    with report.check("they go with the pod, and are another's then"):
        network.must("DEL", server)
        expect_equal([each for each in node.json("get", "frontends")
                      if each["kind"] == "HostPort"], [])
        network.must("ADD", other, runtimeConfig={"portMappings": asked[:1]})
        servers = lab.serve(other.namespace, "wants-too")
        expect(leads(node.addresses[0], 8080), "the next pod")
        servers.stop()
    for each in (server, client, other):
        network.must("DEL", each)
        each.close()
    node.end()
    node.config["state"]["keep"] = False
    node.start()


def sandboxes(report, node):
    """A pod's sandbox is replaced, as containerd and the kubelet do it."""
    for what, network in networks(node, "1.0.0"):
        old, new = cni.Sandbox("old", "web-0"), cni.Sandbox("new", "web-0")
        with report.check(f"{what}: a late DEL of an old sandbox leaves the pod's new one alone"):
            network.must("ADD", old)
            result = network.must("ADD", new)
            network.must("DEL", old)
            network.must("DEL", old)
            network.must("CHECK", new, previous=result)
            lab.expect_ping(new.namespace, node.gateways[0], count=2)
        with report.check(f"{what}: an ADD whose end nobody saw is taken over by the next"):
            process = cni.start(network.plugin, "ADD", network.config, **old.words())
            process.stdin.write(json.dumps(network.config))
            process.stdin.close()
            time.sleep(random.uniform(0.005, 0.1))
            process.kill()
            process.wait()
            result = network.must("ADD", old)
            network.must("CHECK", old, previous=result)
        for sandbox in (old, new):
            network.must("DEL", sandbox)
            sandbox.close()
        with report.check(f"{what}: then nothing is left"):
            expect_equal(network.kept(), [])
            expect_equal(ports(node), [])


def interfaces(report, node):
    """A pod with several interfaces, as Multus adds them, each in a network of its own."""
    pod, client = cni.Sandbox("many", "many"), cni.Sandbox("client", "client")
    cni.Network(node, "pods").must("ADD", client)
    added = []
    with report.check("a pod may have three interfaces; eth0 leads out"):
        for number, ifname in enumerate(("eth0", "net1", "net2")):
            one = copy.copy(pod)
            one.ifname = ifname
            network = cni.Network(node, f"network{number}")
            added.append((network, one, network.must("ADD", one)))
        expect_equal(sorted(pod.namespace.links()), ["eth0", "lo", "net1", "net2"])
        expect_equal([port["ifname"] for port in ports(node) if port["pod"] == pod.pod],
                     ["eth0", "net1", "net2"])
        for network, one, result in added:
            network.must("CHECK", one, previous=result)
        out = pod.namespace.run(["ip", "route", "get", "192.0.2.1"]).stdout
        expect("dev eth0" in out, out)
        for gateway in node.gateways:
            lab.expect_ping(pod.namespace, gateway, count=2)
    with report.check("with Debian's sbr plugin behind it, each interface answers for itself"):
        for network, one, result in added[1:]:
            config = {"cniVersion": "1.0.0", "name": network.config["name"], "type": "sbr",
                      "prevResult": result}
            code, said = cni.call(f"{cni.PLUGINS}/sbr", "ADD", config, **one.words())
            expect_equal(code, 0, said)
        server = lab.serve(pod.namespace, "many")
        for _, one, result in added:
            for address in addresses(result):
                said = lab.call(client.namespace, "ask", address=address, port=lab.LINES)
                expect_equal(said[0][0], "many", f"{address} of {one.ifname}")
        server.stop()
    with report.check("DEL of one leaves the others"):
        network, one, result = added[1]
        network.must("DEL", one, previous=result)
        expect_equal(sorted(pod.namespace.links()), ["eth0", "lo", "net2"])
    for network, one, result in added:
        network.must("DEL", one, previous=result)
    cni.Network(node, "pods").must("DEL", client)
    with report.check("and of all, nothing"):
        expect_equal(ports(node), [])
    for each in (pod, client):
        each.close()


def garbage(report, node):
    """CNI 1.1.0's GC and STATUS."""
    for what, network in networks(node, "1.1.0"):
        pods = [cni.Sandbox(f"gc{number}", f"gc{number}") for number in range(3)]
        for each in pods:
            network.must("ADD", each)
        with report.check(f"{what}: GC removes what is not valid, and nothing else"):
            valid = [{"containerID": "gc1", "ifname": "eth0"}]
            network.must("GC", **{"cni.dev/valid-attachments": valid})
            expect_equal([port["name"] for port in ports(node)], ["default/gc1"])
            expect_equal([name for name in network.kept() if name.startswith("attachments")],
                         ["attachments/gc1:eth0"])
            expect("ipam" in network.config or len(network.kept()) == 3, network.kept())
            lab.expect_ping(pods[1].namespace, node.gateways[0], count=2)
        with report.check(f"{what}: GC without the list of what is valid is refused, code 7"):
            expect_equal(network.call("GC")[1]["code"], 7)
            expect_equal(len(ports(node)), 1)
        with report.check(f"{what}: STATUS is well"):
            network.must("STATUS")
        network.must("GC", **{"cni.dev/valid-attachments": []})
        for each in pods:
            each.close()


def away(report, node):
    """podlaned stops, and is started again."""
    network = cni.Network(node, "pods", "1.1.0", waitSeconds=1)
    sandbox = cni.Sandbox("away", "web")
    network.must("ADD", sandbox)
    node.stop()
    with report.check("without podlaned, ADD is code 11 and names the socket, STATUS code 51"):
        other = cni.Sandbox("early", "early")
        code, said = network.call("ADD", other)
        expect(code != 0 and said["code"] == 11 and node.socket in said["details"], said)
        code, said = network.call("STATUS")
        expect(code != 0 and said["code"] == 51, said)
    with report.check("without podlaned, DEL succeeds"):
        network.must("DEL", sandbox)
    with report.check("an ADD waits for podlaned while that starts, and pays what a DEL owed"):
        patient = cni.Network(node, "pods", "1.1.0", waitSeconds=60)
        process = cni.start(patient.plugin, "ADD", patient.config, **other.words())
        starter = threading.Timer(0.3, node.start)
        starter.start()
        code, said = cni.finish(process, patient.config)
        starter.join()
        expect_equal(code, 0, said)
        expect_equal([port["name"] for port in ports(node)], ["default/early"])
        expect_equal([name for name in network.kept() if "removals" in name], [])
    network.must("DEL", other)
    for each in (sandbox, other):
        each.close()


def many(report, node):
    """Many calls at once; some are killed, and so is podlaned."""
    for what, network in networks(node, "1.0.0"):
        network.config["waitSeconds"] = 60
        pods = [cni.Sandbox(f"m{number}", f"m{number}") for number in range(PARALLEL)]
        chance = random.Random(PARALLEL)
        doomed = set(chance.sample(range(PARALLEL), PARALLEL // 6))

        def add(number):
            process = cni.start(network.plugin, "ADD", network.config, **pods[number].words())
            if number in doomed:
                process.stdin.write(json.dumps(network.config))
                process.stdin.close()
                time.sleep(chance.uniform(0, 0.3))
                process.kill()
                process.wait()
                return None
            return cni.finish(process, network.config)

        with report.check(f"{what}: {PARALLEL} ADDs at once, with kills of some and of podlaned, "
                          "give no address twice"):
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                ended = [pool.submit(add, number) for number in range(PARALLEL)]
                time.sleep(0.5)
                node.stop(signal.SIGKILL)
                node.start()
                results = [each.result() for each in ended]
            good = [said for code, said in filter(None, results) if code == 0]
            bad = [said for code, said in filter(None, results) if code != 0]
            expect_equal(bad, [], "failed")
            given = [address for result in good for address in addresses(result)]
            expect_equal(len(given), 2 * len(good))
            expect_equal(len(set(given)), len(given), "different addresses")
        with report.check(f"{what}: after DEL of all, nothing is left of them"):
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                list(pool.map(lambda each: network.must("DEL", each), pods))
            expect_equal(network.kept(), [])
            expect_equal(ports(node), [])
            for each in pods:
                expect_equal(each.namespace.links(), ["lo"])
            if "ipam" in network.config:
                left = os.listdir(f"{network.config['ipam']['dataDir']}/delegated")
                expect_equal([name for name in left if name[0].isdigit()], [])
        for each in pods:
            each.close()


def container(report, node):
    """A container of a real runtime, in a namespace that podlane-cni has set up."""
    runtime = shutil.which("crun") or shutil.which("runc")
    if not runtime:
        report.skip("a real container serves HTTP", "neither crun nor runc is installed")
        return
    network = cni.Network(node, "pods")
    server, client = cni.Sandbox("server", "server"), cni.Sandbox("client", "client")
    result = network.must("ADD", server)
    network.must("ADD", client)
    bundle = "/run/lab/bundle"
    os.makedirs(f"{bundle}/root")
    run(["mount", "--rbind", "/", f"{bundle}/root"])
    with open(f"{bundle}/config.json", "w", encoding="utf-8") as file:
        json.dump({
            "ociVersion": "1.0.0", "root": {"path": "root", "readonly": False},
            "process": {"cwd": "/", "env": ["PATH=/usr/bin:/bin"], "user": {"uid": 0, "gid": 0},
                        "args": ["/usr/bin/python3", lab.__file__.replace("cluster", "web"),
                                 "serve", "server", "80"],
                        "capabilities": {key: ["CAP_NET_BIND_SERVICE"] for key in
                                         ("bounding", "effective", "permitted")}},
            "linux": {"namespaces": [{"type": "network", "path": server.namespace.path},
                                     {"type": "mount"}, {"type": "pid"}]},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        }, file)
    words = [runtime, "--root", "/run/lab/oci"]
    if runtime.endswith("crun"):
        # It refuses a mixture of both cgroup versions, even if it is told to use none.
        run(["mount", "-t", "tmpfs", "none", "/sys/fs/cgroup"])
        words += ["--cgroup-manager", "disabled"]
    with report.check(f"a real container, by {os.path.basename(runtime)}, serves HTTP"):
        running = server.namespace.spawn([*words, "run", "--bundle", bundle, "web"])
        for address in addresses(result):
            url = f"http://[{address}]/x" if ":" in address else f"http://{address}/x"

            def answers(url=url):
                if running.popen.poll() is not None:
                    raise CommandFailed(running.output()[-1000:])
                return client.namespace.run(["curl", "-sgm", "2", url], check=False).stdout
            expect_equal(json.loads(wait_until(answers, 20, url))["server"], "server:80")
    run([*words, "delete", "--force", "web"], check=False)
    for each in (server, client):
        network.must("DEL", each)
        each.close()


@lab.with_cluster(names=("a",), outside=False)
def tests(report, _options, cluster):
    node = cluster.nodes["a"]
    for version in VERSIONS:
        for what, network in networks(node, version):
            life(report, node, version, what, network)
    example(report, node)
    wishes(report, node)
    mappings(report, node)
    sandboxes(report, node)
    interfaces(report, node)
    garbage(report, node)
    container(report, node)
    away(report, node)
    many(report, node)


if __name__ == "__main__":
    lab.main(tests, workers=1)
