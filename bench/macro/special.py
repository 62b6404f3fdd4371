"""What one file's frames cannot show: connections that are always new, two workers, memory."""

import contextlib
import statistics
import time

import numpy as np

from . import check, frames, machine, nodes, world
from .frames import UDP
from .measure import summary
from .programs import Failed, Podlaned, Testpmd
from .scenarios import FIRST_PORT, client_flows, clusterip, one
from .traffic import Feed, Traffic, plain, shuffled

PORTS = 64000
MOST_FLOWS = PORTS * world.CLIENTS
NEW_A_SECOND = 60000
NEW_CHUNK = 6400
AGED_SECONDS = 100  # UDP without a reply times out after 30 s, and a pass finds it after that


def _fresh_records(per_chunk):
    """Records of frames to a ClusterIP, each with a source that was not used for a long time."""
    per_source = per_chunk // world.CLIENTS
    flows = client_flows(4, UDP, "client", one(4, "service"), world.SERVICE_PORT, per_chunk)
    first = 0
    while True:
        flows.sport = FIRST_PORT + first + np.arange(per_chunk) // world.CLIENTS
        yield frames.records(frames.build(flows, world.mac("gateway"), world.mac("clients"),
                                          np.arange(per_chunk)))
        first = (first + per_source) % (PORTS - per_source)


def _paced(chunks, per_chunk, a_second):
    due = time.monotonic()
    for chunk in chunks:
        due += per_chunk / a_second
        time.sleep(max(0, due - time.monotonic()))
        yield chunk


def _configuration(shop, devices, *, capacity, workers=1, mbufs=16384, hugepages=False):
    return world.configuration(
        devices, socket=shop.socket, capacity=capacity, cpus=shop.cpus[1:1 + workers],
        memory={"hugepages": "on" if hugepages else "off", "mbufs": mbufs, "mbufBytes": 2176})


def new_connections(shop, *, runs, seconds, progress):
    """Each packet opens a connection, and as many time out: the cost of a connection's life.

    The frames come by a pipe; a worker waits for it without using CPU time.
    """
    capacity = NEW_A_SECOND * 70
    found = {"podlane": [], "io": []}
    with Feed(shop.path("new.pcap"),
              _paced(_fresh_records(NEW_CHUNK), NEW_CHUNK, NEW_A_SECOND)) as feed:
        with Podlaned(shop.folder, shop.build, _configuration(
                shop, {"clients": feed.device(0)}, capacity=capacity),
                world.cluster_objects()).ready() as daemon:
            population = _wait_until_aged(daemon, progress)
            for run in range(runs):
                progress(f"run {run + 1} of {runs}")
                before = daemon.stats()["flows"]
                start = daemon.packets()
                found["podlane"].append(daemon.window(2 * seconds)[0])
                after, packets = daemon.stats()["flows"], daemon.packets() - start
                # The statistics are read one after the other, while packets go on.
                if after["created"] - before["created"] < 0.98 * packets:
                    raise Failed(f"not every packet opened a connection: {packets} packets, "
                                 f"{before} became {after}")
    with Feed(shop.path("new.pcap"),
              _paced(_fresh_records(NEW_CHUNK), NEW_CHUNK, NEW_A_SECOND)) as feed:
        with Testpmd(shop.folder, [feed.device(0), world.silent("net_null0")], shop.cpus,
                     mbufs=16384, mbuf_bytes=2176, hugepages=False).ready() as peer:
            for _ in range(runs):
                found["io"].append(peer.window(seconds)[0])
    return {"scenario": "new-connections", "flows": population, "family": 4,
            "title": "every packet a new connection, as many aged out",
            **{name: summary(values) for name, values in found.items()}}


def _wait_until_aged(daemon, progress):
    """Waits until as many connections time out as are made; returns how many there are."""
    end = time.monotonic() + AGED_SECONDS
    before = daemon.stats()["flows"]
    while time.monotonic() < end:
        time.sleep(4)
        now = daemon.stats()["flows"]
        made, gone = now["created"] - before["created"], now["expired"] - before["expired"]
        progress(f"{now['active']:,} connections, {made / 4:,.0f} made and {gone / 4:,.0f} aged "
                 "out a second")
        if now["evicted"] or now["refused"] or made < NEW_A_SECOND:
            break  # the table is full, or every source is still known
        if gone > 0.9 * made > 0:
            return now["active"]
        before = now
    raise Failed(f"ageing does not keep up: {daemon.stats()['flows']}")


def two_workers(shop, count, *, runs, seconds, progress):
    """What two workers do in a second of CPU time each, against one with the same work.

    Each worker takes the requests of one half of the connections and the replies of the other.
    """
    requests = plain(clusterip(4, UDP), count)
    answers = check.choices(shop, requests).reversed()
    replies = frames.build(answers, world.mac("clients"), world.mac("servers"), np.arange(count))
    halves = [shuffled(count // 2), count // 2 + shuffled(count - count // 2)]
    files = {}
    made = requests.scenario.frames(requests.sent, np.arange(count))
    for name, matrix in (("requests", made), ("replies", replies)):
        for half in (0, 1):
            files[name, half] = shop.path(f"{name}{half}.pcap")
            frames.write_pcap(files[name, half], matrix[halves[half]])
        files[name, "all"] = shop.path(f"{name}.pcap")
        frames.write_pcap(files[name, "all"], matrix[shuffled(count)])

    def device(number, *names):
        return f"net_pcap{number}," + "".join(f"rx_pcap={files[n]}," for n in names) \
            + "infinite_rx=1"

    devices = {
        1: {"clients": device(0, ("requests", "all")), "servers": device(1, ("replies", "all"))},
        2: {"clients": device(0, ("requests", 0), ("requests", 1)),
            "servers": device(1, ("replies", 1), ("replies", 0))},
    }
    mbufs = 2 * count + 32768
    ratios = []
    with contextlib.ExitStack() as stack:
        huge = stack.enter_context(machine.hugepages(2 * (mbufs * 2432 + (256 << 20))))
        daemons = {}
        for workers in (1, 2):
            config = _configuration(shop, devices[workers], capacity=2 * count, workers=workers,
                                    mbufs=mbufs, hugepages=huge)
            config["socket"] = shop.path(f"bench{workers}.sock")
            daemon = stack.enter_context(Podlaned(
                shop.folder, shop.build, config, world.cluster_objects(),
                name=f"podlaned{workers}").ready())
            daemon.wait_for(lambda d=daemon: d.stats()["flows"]["active"] >= count, 60,
                            f"its {count} connections are open")
            daemon.pause()
            daemons[workers] = daemon
        for run in range(runs):
            progress(f"run {run + 1} of {runs}")
            rates = {}
            for workers, daemon in daemons.items():
                daemon.resume()
                rates[workers] = _packets_per_cpu_second(daemon, workers, seconds)
                daemon.pause()
            ratios.append(rates[2] / rates[1])
    return ratios


def _packets_per_cpu_second(daemon, workers, seconds):
    """The sum over the workers of packets received, divided by their CPU time."""
    def sample():
        stats = daemon.stats()["workers"]
        return [(machine.at_tick(daemon.process.pid, each["tid"]),
                 daemon.stats()["workers"][each["id"]]["rxPackets"]) for each in stats]

    before = sample()
    time.sleep(seconds)
    after = sample()
    rates = [(b[1] - a[1]) / (b[0] - a[0]) * 1e9 for a, b in zip(before, after)]
    if len(rates) != workers or min(rates) <= 0:
        raise Failed(f"{workers} workers do {rates}: {daemon.describe()}")
    return sum(rates)


def bytes_a_connection(shop, count, family=4):
    """Memory that a full table takes beyond an empty one's, in bytes for each connection."""
    scenario = clusterip(family, UDP)
    flows = client_flows(family, UDP, "client", one(family, "service"), world.SERVICE_PORT, count)
    made = scenario.frames(flows, np.arange(count))
    with Podlaned(shop.folder, shop.build, _configuration(shop, {}, capacity=1024),
                  world.cluster_objects()).ready() as daemon:
        empty = daemon.memory()
    data = frames.records(made)
    size = frames.RECORD_BYTES + made.shape[1]
    chunks = [data[at:at + 4096 * size] for at in range(0, len(data), 4096 * size)]
    with Feed(shop.path("memory.pcap"), (chunk for _ in range(100) for chunk in chunks)) as feed:
        with Podlaned(shop.folder, shop.build, _configuration(
                shop, {"clients": feed.device(0)}, capacity=33 * count // 32),
                world.cluster_objects()).ready() as daemon:
            daemon.wait_for(lambda: daemon.stats()["flows"]["active"] >= count, 60,
                            f"its {count} connections are open")
            full = daemon.memory()
    return (full - empty) / count
