#!/usr/bin/python3
"""Sends testpmd's flowgen traffic through podlaned and on to a second testpmd that takes it.

Three processes on one machine, joined by memif or by vhost-user: the set-up of the files beside
this one, for machines without a NIC or Pktgen. On two CPUs it shows that the links work; generator
and sink share one of them, so that the sink loses frames. docs/benchmarking.md has more.
"""

import argparse
import os
import sys
import tempfile
import time

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from macro import machine  # noqa: E402  (the path must be known first)
from macro.programs import Failed, Podlaned, Testpmd  # noqa: E402

BUILD = os.environ.get("PODLANE_BUILD") or os.path.join(HERE, "../../build")
WRITTEN = "/tmp/podlane-pktgen"  # where the node-*.yaml have their sockets
FLOWS = 65536
MEMORY = 1 << 30
ENDS = {  # the generator's and the sink's device by kind of link
    "memif": [f"net_memif0,role=client,id={number},rsize=14,socket={WRITTEN}/memif.sock,"
              "socket-abstract=no" for number in (0, 1)],
    "vhost": [f"virtio_user0,path={WRITTEN}/{name}.sock,queues=1"
              for name in ("generator", "sink")],
}


def node(link, folder, cpu):
    """(configuration, objects) of the ready file, with a socket and a CPU of this run."""
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--link", choices=sorted(ENDS), default="memif")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--build", default=BUILD, help="folder with podlaned")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="podlane-pktgen-") as folder, \
            machine.hugepages(MEMORY) as huge:
        if not huge and options.link == "vhost":
            print("run.py: vhost-user shares hugepages, and there are none", file=sys.stderr)
            return 2
        try:
            run(options, folder, huge)
        except Failed as error:
            print(f"run.py: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
