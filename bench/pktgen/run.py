#!/usr/bin/python3
"""Sends testpmd's flowgen traffic through podlaned and on to a second testpmd that takes it.

Three processes on one machine, joined by memif or by vhost-user: the set-up of the files beside
this one, for machines without a NIC or Pktgen. On two CPUs it only shows that the links
work: generator and sink share one CPU, so the sink loses frames.

With --pktgen PATH your own Pktgen-DPDK is generator and sink instead and runs the script, over
vhost-user: every release of Pktgen sets the MTU of its ports, which memif's driver does not allow.
docs/benchmarking.md has more.
"""

import argparse
import os
import pty
import re
import sys
import tempfile
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from macro import machine  # noqa: E402  (the path must be known first)
from macro.programs import Failed, Podlaned, Program, Testpmd  # noqa: E402

BUILD = os.environ.get("PODLANE_BUILD") or os.path.join(HERE, "../../build")
WRITTEN = "/tmp/podlane-pktgen"  # where the node-*.yaml have their sockets
FLOWS = 65536
MEMORY = 1 << 30
PKTGEN_MEMORY = 7 << 29  # its pools have 24,576 buffers of 10 KiB each
ENDS = {  # the generator's and the sink's device, by kind of link
    "memif": [f"net_memif0,role=client,id={number},rsize=14,socket={WRITTEN}/memif.sock,"
              "socket-abstract=no" for number in (0, 1)],
    # Frames that wait in the generator's ring fit into the sink's, whichever has the CPU.
    "vhost": [f"virtio_user0,path={WRITTEN}/generator.sock,queues=1,queue_size=256",
              f"virtio_user1,path={WRITTEN}/sink.sock,queues=1,queue_size=1024"],
}


def node(link, folder, cpu):
    """(configuration, objects) of the prepared file, with a socket and a CPU for this run."""
    with open(os.path.join(HERE, f"node-{link}.yaml"), encoding="utf-8") as file:
        config = yaml.safe_load(file.read().replace(WRITTEN, folder))
    del config["objects"]
    config |= {"socket": os.path.join(folder, "podlane.sock"), "workers": [cpu]}
    with open(os.path.join(HERE, "objects.yaml"), encoding="utf-8") as file:
        return config, list(yaml.safe_load_all(file))


def counters(daemon, generator, sink):
    """Packets so far, on their way from left to right."""
    ports = {port["name"]: port for port in daemon.stats()["ports"]}
    return [generator.port(0)["opackets"], ports["bench/generator"]["rxPackets"],
            ports["sink"]["txPackets"], sink.port(0)["ipackets"]]


def show(before, after, seconds, worker_ns):
    sent, received, forwarded, arrived = (b - a for a, b in zip(before, after))
    if min(sent, received, forwarded, arrived) <= 0:
        raise Failed(f"nothing goes through: {sent} sent, {received} received by podlaned, "
                     f"{forwarded} forwarded, {arrived} arrived")
    for words, count in (("the generator sent", sent), ("podlaned received", received),
                         ("podlaned forwarded", forwarded), ("the sink received", arrived)):
        print(f"{words:20} {count / seconds / 1e6:7.2f} Mpps")
    print(f"podlaned's worker    {worker_ns / received:7.1f} ns a packet of CPU time, "
          "the link's two ends included")
    print(f"lost                 {100 * (1 - arrived / sent):7.2f} %")


def run(options, folder, huge):
    other, workers = machine.cpus()
    config, documents = node(options.link, folder, workers[0])
    generator_end, sink_end = (end.replace(WRITTEN, folder) for end in ENDS[options.link])
    # vhost-user hands over few and large pieces of memory.
    common = {"mbufs": 16384, "mbuf_bytes": 2176, "hugepages": huge,
              "shared": ["--single-file-segments"] if options.link == "vhost" else []}
    loop = ["--port-topology=loop"]
    with Podlaned(folder, options.build, config, documents).ready() as daemon, \
            Testpmd(folder, [sink_end], (other, other), mode="rxonly", name="sink",
                    options=loop, **common).ready() as sink, \
            Testpmd(folder, [generator_end], (other, other), mode="flowgen",
                    name="generator", options=[f"--flowgen-flows={FLOWS}", *loop],
                    **common).ready() as generator:
        time.sleep(1)
        cpu, before = daemon.sample_cpu(), counters(daemon, generator, sink)
        time.sleep(options.seconds)
        after, ns = counters(daemon, generator, sink), daemon.sample_cpu() - cpu
        show(before, after, options.seconds, ns)
        print(f"connections open     {daemon.stats()['flows']['active']:7}")


class Pktgen(Program):
    """Pktgen-DPDK at both ends: its port 0 sends, its port 1 receives. It needs a terminal."""

    def __init__(self, folder, path, devices, cpus, script):
        super().__init__(folder, "pktgen")
        self._terminal, inside = pty.openpty()
        # Two cores that share a CPU would take turns of milliseconds, and the receiving one would
        # lose what the sending one sent meanwhile. So one core does both then.
        one = cpus[0] == cpus[1]
        lcores = f"0@{cpus[0]},1@{cpus[0]}" + ("" if one else f",2@{cpus[1]}")
        self.spawn([path, f"--lcores={lcores}", "--no-pci",
                    "--in-memory", "--single-file-segments",
                    f"--file-prefix=podlane-pktgen-{os.getpid()}",
                    *(word for device in devices for word in ("--vdev", device)),
                    "--", "-P", "-m", "1.0, 1.1" if one else "1.0, 2.1", "-f", script],
                   stdin=inside)
        os.close(inside)

    def close(self):
        super().close()
        os.close(self._terminal)

    def text(self):
        """What it has written so far, without terminal control sequences."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            text = re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[78()][AB0]?)", "", file.read())
        return text.replace("\r", "\n")


def run_pktgen(options, folder):
    other, workers = machine.cpus()
    config, documents = node("vhost", folder, workers[0])
    ends = [end.replace(WRITTEN, folder) for end in ENDS["vhost"]]
    spare = [cpu for cpu in workers[1:] if cpu != other]
    cpus = (spare[0], spare[1]) if len(spare) > 1 else (other, other)
    with Podlaned(folder, options.build, config, documents).ready() as daemon, \
            Pktgen(folder, options.pktgen, ends, cpus, options.script) as pktgen:
        shown = 0
        while pktgen.process.poll() is None:
            time.sleep(0.5)
            shown = show_results(pktgen, shown)
        show_results(pktgen, shown)
        if pktgen.process.returncode:
            raise Failed(f"pktgen ends with {pktgen.process.returncode}: {pktgen.text()[-1500:]}")
        ports = {port["name"]: port for port in daemon.stats()["ports"]}
        print(f"podlaned: {ports['bench/generator']['rxPackets']} received, "
              f"{ports['sink']['txPackets']} forwarded, "
              f"{daemon.stats()['flows']['active']} connections, drops {daemon.drops()}")


def show_results(pktgen, shown):
    """Prints the script's lines as they come; returns their number."""
    lines = re.findall(r"^(?:frames of|  \w[^\n:]*:) .*", pktgen.text(), re.M)
    for line in lines[shown:]:
        print(line, flush=True)
    return len(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--link", choices=sorted(ENDS), default="memif")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--build", default=BUILD, help="folder with podlaned")
    parser.add_argument("--pktgen", metavar="PATH", help="a Pktgen-DPDK program to use instead")
    parser.add_argument("--script", default=os.path.join(HERE, "rfc2544.lua"),
                        help="what Pktgen does; SECONDS, SIZES and TRAFFIC are rfc2544.lua's")
    options = parser.parse_args()
    if options.pktgen and not os.access(options.pktgen, os.X_OK):
        parser.error(f"--pktgen: {options.pktgen} is no program")
    with tempfile.TemporaryDirectory(prefix="podlane-pktgen-") as folder, \
            machine.hugepages(PKTGEN_MEMORY if options.pktgen else MEMORY) as huge:
        if not huge and (options.pktgen or options.link == "vhost"):
            print("run.py: vhost-user shares hugepages, and there are none", file=sys.stderr)
            return 2
        try:
            if options.pktgen:
                run_pktgen(options, folder)
            else:
                run(options, folder, huge)
        except Failed as error:
            print(f"run.py: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
