#!/usr/bin/python3
"""podlaned on emulated PCI NICs: tests/nic/run.py [NIC/DRIVER...] (default: all of CASES).

Each case boots a guest (guest.py), binds its NIC, starts podlaned and checks both sides, in a
network namespace of its own, where the kernel is a flannel node and a host outside. Skipped (exit
77) without root or QEMU. PODLANE_BUILD is the folder with podlaned, NIC_DIR one for the kernel and
logs.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(ROOT, "tests/system")]
from checks import Report, expect  # noqa: E402  (the path must be known first)
from guest import Absent, Guest, find_kernel  # noqa: E402

BUILD = os.path.abspath(os.environ.get("PODLANE_BUILD") or os.path.join(ROOT, "build"))
CASES = ["virtio/vfio-pci", "e1000e/vfio-pci", "e1000/uio_pci_generic", "vmxnet3/vfio-pci"]
WAKES = {"virtio/vfio-pci": True, "e1000e/vfio-pci": False}  # those that QEMU settles
NODE = """
node: node-a
workers: 1
uplinks:
  - name: uplink0
    device: "@PCI@"
    addresses: [192.168.50.1/24, "fd00:50::1/64"]
    gateway: 192.168.50.2
host: {interface: podlane0}
pods: {cidrs: [10.244.1.0/24, "fd00:10:244:1::/64"]}
overlay: {type: vxlan, mac: "02:00:00:00:f1:01"}
cluster:
  podCidrs: [10.244.0.0/16, "fd00:10:244::/48"]
  serviceCidrs: [10.96.0.0/12, "fd00:10:96::/112"]
"""
OBJECTS = """---
{apiVersion: v1, kind: Node, metadata: {name: node-a},
 spec: {podCIDRs: [10.244.1.0/24, "fd00:10:244:1::/64"]},
 status: {addresses: [{type: InternalIP, address: 192.168.50.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: node-b, annotations: {
 flannel.alpha.coreos.com/backend-type: vxlan,
 flannel.alpha.coreos.com/backend-data: '{"VNI":1,"VtepMAC":"02:00:00:00:f1:02"}',
 flannel.alpha.coreos.com/public-ip: 192.168.50.2}},
 spec: {podCIDRs: [10.244.2.0/24, "fd00:10:244:2::/64"]},
 status: {addresses: [{type: InternalIP, address: 192.168.50.2}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: default},
 spec: {type: NodePort, ipFamilyPolicy: PreferDualStack, clusterIP: 10.96.0.20,
 clusterIPs: [10.96.0.20, "fd00:10:96::20"],
 ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4,
 metadata: {name: web-4, namespace: default, labels: {kubernetes.io/service-name: web}},
 ports: [{port: 8080}], endpoints: [{addresses: [10.244.1.10], conditions: {ready: true}}]}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv6,
 metadata: {name: web-6, namespace: default, labels: {kubernetes.io/service-name: web}},
 ports: [{port: 8080}], endpoints: [{addresses: ["fd00:10:244:1::10"], conditions: {ready: true}}]}
"""
PEER = """
ip link set lo up
ip tuntap add tap0 mode tap
ip link set tap0 address 02:00:00:00:50:02 mtu 1500 up
ip addr add 192.168.50.2/24 dev tap0
ip addr add 192.168.50.77/24 dev tap0
ip addr add fd00:50::2/64 dev tap0 nodad
ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.50.2 dev tap0 nolearning
ip link set flannel.1 address 02:00:00:00:f1:02 mtu 1450 up
ip addr add 10.244.2.0/32 dev flannel.1
ip addr add 10.244.2.10/32 dev lo
ip addr add fd00:10:244:2::10/128 dev lo
ip neigh replace 10.244.1.0 lladdr 02:00:00:00:f1:01 dev flannel.1 nud permanent
bridge fdb replace 02:00:00:00:f1:01 dev flannel.1 dst 192.168.50.1
ip route replace 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink src 10.244.2.10
ip neigh replace fd00:10:244:1:: lladdr 02:00:00:00:f1:01 dev flannel.1 nud permanent
ip -6 route replace fd00:10:244:1::/64 via fd00:10:244:1:: dev flannel.1 onlink \
    src fd00:10:244:2::10
"""
PODS = """
for pod in web:10 two:11; do
    name=${pod%:*} host=${pod#*:}
    ip netns add $name
    podlanectl pod add default/$name --netns /run/netns/$name --address 10.244.1.$host \
        --address fd00:10:244:1::$host
done
mkdir -p /run/www; head -c 1048576 /dev/urandom > /run/www/big
ip netns exec web setsid python3 -m http.server --bind :: -d /run/www 8080 \
    > /run/http.log 2>&1 < /dev/null &
for i in $(seq 60); do
    ip netns exec web curl -s -o /dev/null 127.0.0.1:8080 && break
    sleep 0.5
done
"""
LONG_SLEEP_MS = 250  # of a worker that nothing wakes, see dataplane/worker.cc


def sh(command):
    """Output of a command on this side, which must succeed."""
    done = subprocess.run(["bash", "-c", command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    expect(done.returncode == 0, f"{command}: exit {done.returncode}: {done.stdout[-500:]}")
    return done.stdout


class WhoAsks(BaseHTTPRequestHandler):
    """Answers with the client's address."""

    def do_GET(self):  # noqa: N802  (the name is http.server's)
        text = self.client_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Case:
    """One NIC with one driver in a running guest."""

    def __init__(self, guest, name, report):
        self.guest, self.name, self.report = guest, name, report
        self.driver = name.split("/")[1]
        self.pci = guest.out("lspci -D").split("Ethernet")[0].splitlines()[-1].split()[0]
        # What else the guest needs stands in memory, not on this machine's disk.
        guest.out("mkdir -p /run/n; cat > /run/n/objects.yaml <<'E'\n" + OBJECTS + "E")

    def check(self, name):
        return self.report.check(f"{self.name}: {name}")

    def write(self, text):
        """The node's configuration."""
        text = text.replace("@PCI@", self.pci)
        self.guest.out(f"cat > /run/n/node.yaml <<'E'\n{text}E")

    def once(self, text):
        """(status, output) of a start that is ended again if it succeeds."""
        self.write(text)
        # The guest may be slow: it is not the time that is judged.
        return self.guest.run(
            "podlaned --config /run/n/node.yaml > /run/n/once 2>&1 & p=$!\n"
            "for i in $(seq 240); do grep -q 'info ready' /run/n/once && kill -INT $p && break; "
            "kill -0 $p 2> /dev/null || break; sleep 0.5; done\n"
            "wait $p; status=$?; cat /run/n/once; exit $status", 180)

    def start(self, text=NODE):
        self.write(text)
        return self.guest.out(
            "setsid nohup podlaned --config /run/n/node.yaml > /run/n/log 2>&1 < /dev/null &\n"
            "p=$!\n"
            "for i in $(seq 240); do grep -q ready /run/n/log && break; kill -0 $p 2> /dev/null || "
            "break; sleep 0.5; done; cat /run/n/log; grep -q ready /run/n/log", 180)

    def stop(self):
        self.guest.out("kill $(pgrep -x podlaned); for i in $(seq 40); do pgrep -x podlaned > "
                       "/dev/null || exit 0; sleep 0.5; done; exit 1", 60)

    def odd_set_ups(self):
        with self.check("a NIC with the kernel's driver or none is said so, in one line"):
            status, output = self.once(NODE)
            lines = [line for line in output.splitlines() if line.startswith("podlaned: ")]
            expect(status == 1 and len(lines) == 1, output)
            expect("driver" in lines[0] and "uplinks[0].device" in lines[0], lines[0])
        self.guest.out(f"modprobe {self.driver} && dpdk-devbind.py --bind={self.driver} {self.pci}")
        with self.check("a PCI address that is not there is said so, in one line"):
            status, output = self.once(NODE.replace("@PCI@", "0000:00:1d.7"))
            expect(status == 1 and "there is no such PCI device" in output, output)
        self.guest.out("sysctl -q vm.nr_hugepages=0")
        if self.driver == "vfio-pci":
            with self.check("it starts without hugepages"):
                status, output = self.once(NODE)
                expect(status == 0 and "ready" in output, output)
        else:
            with self.check("without hugepages it says that UIO needs them"):
                status, output = self.once(NODE)
                expect(status == 1 and "works with hugepages alone" in output, output)
        self.guest.out("sysctl -q vm.nr_hugepages=1024")

    def bare_metal(self):
        with self.check("configs/bare-metal.yaml starts with the 1,024 hugepages of the README"):
            with open(os.path.join(ROOT, "configs/bare-metal.yaml"), encoding="utf-8") as file:
                text = file.read().replace("0000:3b:00.0", self.pci)
            text = re.sub(r"  - name: uplink1\n(    .*\n)+", "", text)
            text = text.replace("workers: 2", "workers: 1").replace("mtu: 9000", "mtu: 1500")
            status, output = self.once(text)
            expect(status == 0 and "ready" in output, output)
            self.write(text)
            checked = self.guest.out("podlaned --config /run/n/node.yaml --check")
            figure = re.search(r"memory +(\d+ MB of hugepages)", checked)
            expect(figure and f"memory: {figure[1]}" in output, f"{checked}\n{output}")

    def mtu(self):
        with self.check("MTU 9000 works with the default buffers or those that it asks for"):
            jumbo = NODE.replace("gateway:", "mtu: 9000\n    gateway:")
            status, output = self.once(jumbo)
            if status:
                asked = re.search(r"memory.mbufBytes must be at least (\d+)", output)
                expect(asked, output)
                jumbo += f"memory: {{mbufBytes: {asked[1]}, mbufs: 16384}}\n"
            self.start(jumbo)
            sh("ip link set tap0 mtu 9000; ping -c 2 -W 5 -M do -s 8972 192.168.50.1; x=$?; "
               "ip link set tap0 mtu 1500; exit $x")
            self.stop()
        with self.check("an MTU beyond the device's is refused with the device's limit"):
            status, output = self.once(NODE.replace("gateway:", "mtu: 65535\n    gateway:") +
                                       "memory: {mbufBytes: 65535, mbufs: 4096}\n")
            limit = re.search(r"the device allows (\d+)-(\d+)", output)
            expect(status == 1 and limit, output)
            # What the message allows is taken.
            text = NODE.replace("gateway:", f"mtu: {limit[2]}\n    gateway:")
            status, output = self.once(text + f"memory: {{mbufBytes: {int(limit[2]) + 146}, "
                                              "mbufs: 8192}\n")
            expect(status == 0 and "ready" in output, output)

    def make_pods(self):
        self.guest.out("podlanectl apply -f /run/n/objects.yaml")
        self.guest.out(PODS, 120)

    def function(self):
        sh("ip neigh flush dev tap0")
        with self.check("the node answers ARP and neighbour discovery, and ping"):
            sh("ping -c 2 -W 5 192.168.50.1 && ping -c 2 -W 5 fd00:50::1")
        with self.check("a pod reaches a host outside, masqueraded"):
            seen = self.guest.out("ip netns exec two curl -sS -m 10 http://192.168.50.77:8000/")
            expect(seen == "192.168.50.1", seen)
        with self.check("VXLAN with a kernel's node, both families, up to the MTU"):
            sh("ping -c 2 -W 5 -M do -s 1422 -I 10.244.2.10 10.244.1.10")
            sh("ping -c 2 -W 5 -I fd00:10:244:2::10 fd00:10:244:1::10")
            self.guest.out("ip netns exec web ping -c 2 -W 5 10.244.2.10")
        wanted = self.guest.out("md5sum < /run/www/big").split()[0]
        for address in ("192.168.50.1", "[fd00:50::1]"):
            with self.check(f"1 MiB by the NodePort at {address} arrives as it was"):
                got = sh(f"set -o pipefail; curl -sS -m 60 http://{address}:30080/big | "
                         "md5sum").split()[0]
                expect(got == wanted, f"{got}, not {wanted}")
        with self.check("a fragmented ping comes back"):
            sh("ping -c 2 -W 5 -s 4000 192.168.50.1")

    def idle(self):
        wakes = WAKES.get(self.name)
        with self.check("an idle worker sleeps"):
            used = self.guest.out(
                "tid=$(podlanectl get workers -o json | python3 -c 'import json,sys; "
                "print(json.load(sys.stdin)[0][\"tid\"])'); f=/proc/$tid/schedstat; "
                "read a _ < $f; sleep 4; read b _ < $f; echo $(( (b - a) / 40000000 ))")
            self.report.note(f"{self.name}: {used.strip()} % of a CPU when idle")
            expect(int(used) < 50, f"{used} % of a CPU")
        with self.check("a packet does not wait for the end of a sleep"):
            sh("ping -c 4 -i 0.7 -W 2 192.168.50.1")  # the first one finds a mute device out
            text = sh("ping -c 8 -i 0.7 -W 2 192.168.50.1")
            times = sorted(float(each) for each in re.findall(r"time=([\d.]+)", text))
            self.report.note(f"{self.name}: pings of an idle node, ms: {times}")
            # The slowest may be the host's fault.
            expect(len(times) == 8 and times[-2] < LONG_SLEEP_MS / 4, f"{times} ms")
        lines = self.guest.out("grep -c 'does not wake an idle worker' /run/n/log; true").strip()
        self.report.note(f"{self.name}: said {lines} times that the device does not wake a worker")
        if wakes is not None:
            with self.check("it is woken by its device" if wakes
                            else "that the device does not wake it is found out and said once"):
                expect(lines == ("0" if wakes else "1"), f"said {lines} times")

    def link(self):
        told = ("for i in $(seq 40); do podlanectl get ports uplink0 -o json | grep -q "
                "'\"state\": \"{}\"' && break; sleep 0.5; done; podlanectl health; "
                "podlanectl get ports uplink0 -o json; grep 'its link is' /run/n/log")
        with self.check("a link that is off is told by get ports, health and the log"):
            self.guest.set_link("off")
            seen = self.guest.out(told.format("down"))
            expect('"state": "down"' in seen, seen)
            expect(seen.count("uplink0: its link is down") >= 2, seen)
        with self.check("and so is its return, with which traffic is back"):
            self.guest.set_link("on")
            seen = self.guest.out(told.format("up"))
            expect('"state": "up"' in seen and "its link is up" in seen, seen)
            sh("ping -c 2 -W 5 192.168.50.1")

    def unbound(self):
        with self.check("a NIC that is unbound is let go, and podlaned says so and ends"):
            self.guest.out(f"timeout 20 sh -c 'echo {self.pci} > "
                           f"/sys/bus/pci/drivers/{self.driver}/unbind'", 40)
            time.sleep(1)
            health = self.guest.run("podlanectl health")[1]
            expect("its device is gone" in health, health)
            expect(self.guest.out("grep -c 'its device is gone' /run/n/log").strip() == "1",
                   self.guest.out("cat /run/n/log"))
            self.stop()


def run_case(name, folder, report):
    nic, driver = name.split("/")
    with Guest(folder, nic, iommu=driver == "vfio-pci") as guest:
        guest.out(f"ln -s {BUILD}/podlaned {BUILD}/podlanectl /usr/local/bin/")
        case = Case(guest, name, report)
        case.odd_set_ups()
        case.bare_metal()
        case.mtu()
        started = False
        with case.check("podlaned starts"):
            case.start()
            started = True
        if not started:
            return
        with case.check("objects are applied and pods added"):
            case.make_pods()
        case.function()
        case.idle()
        case.link()
        if driver == "vfio-pci":
            case.unbound()
        else:
            with case.check("podlaned ends when it is told to"):
                case.stop()


def main():
    needed = ["qemu-system-x86_64", "busybox", "cpio", "depmod", "lspci", "dpdk-devbind.py", "ip",
              "curl"]
    missing = [name for name in needed if not shutil.which(name)]
    if os.geteuid() or missing:
        print(f"1..0 # SKIP needs root and {', '.join(missing or needed)}")
        return 77
    folder = os.environ.get("PODLANE_NIC_INSIDE")
    if folder:
        return run_cases(folder)
    with tempfile.TemporaryDirectory(prefix="podlane-nic-") as temporary:
        folder = os.environ.get("NIC_DIR") or temporary
        try:
            # Here, as there is no way out of the namespace.
            find_kernel(os.path.join(folder, "kernel"))
        except Absent as absent:
            print(f"1..0 # SKIP needs {absent}")
            return 77
        return subprocess.run(["unshare", "--net", "--mount", sys.executable, *sys.argv],
                              env=os.environ | {"PODLANE_NIC_INSIDE": folder},
                              check=False).returncode


def run_cases(folder):
    """All that is asked for, in a network namespace of its own."""
    report = Report()
    sh("set -e\n" + PEER)
    server = ThreadingHTTPServer(("192.168.50.77", 8000), WhoAsks)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for name in sys.argv[1:] or CASES:
            run_case(name, folder, report)
    except RuntimeError as error:
        report.result("the guest lives", False, str(error))
    return 1 if report.finish() else 0


if __name__ == "__main__":
    sys.exit(main())
