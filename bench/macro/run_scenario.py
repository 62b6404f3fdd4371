"""One scenario with one number of flows: first that its output is right, then how long it takes."""

import contextlib
import os
import statistics

import numpy as np

from . import frames, machine, world
from .programs import Failed, Pipe, Podlaned, Testpmd
from .scenarios import SMALL, Wrong

WARM_ROUNDS = 3
SHUFFLE_SEED = 42


class Workshop:
    """Where the files are, which programs and CPUs are used."""

    def __init__(self, folder, build):
        self.folder = folder
        self.build = build
        os.makedirs(folder, exist_ok=True)
        other, workers = machine.cpus()
        self.cpus = (other, *workers)

    def path(self, name):
        return os.path.join(self.folder, name)

    def socket(self):
        return self.path("bench.sock")


def _pool(packets):
    """(mbufs, bytes of one): the source holds the whole file in buffers."""
    return packets + 16384, 2176 if packets < 262144 else 1536


def memory_of(packets):
    """Bytes of hugepages that one program takes."""
    mbufs, mbuf_bytes = _pool(packets)
    return mbufs * (mbuf_bytes + 256) + (192 << 20)


def make_frames(scenario, count):
    """(flows, frames in the order of the file, the mark of each)."""
    flows = scenario.flows(count)
    marks = np.arange(count)
    made = scenario.frames(flows, marks)
    order = np.random.default_rng(SHUFFLE_SEED).permutation(count)
    return flows, made[order], order


def source_device(path):
    return f"net_pcap0,rx_pcap={path},infinite_rx=1"


def node(shop, scenario, count, source, sink, *, hugepages, packets):
    mbufs, mbuf_bytes = _pool(packets)
    return world.configuration(
        {scenario.source: source, scenario.sink: sink}, socket=shop.socket(),
        memory={"hugepages": "on" if hugepages else "off", "mbufs": mbufs,
                "mbufBytes": mbuf_bytes},
        capacity=max(65536, count + count // 8), cpus=shop.cpus[1:2])


def check(shop, scenario, count):
    """Runs the daemon with a pipe as its sink and compares each frame that leaves."""
    flows, made, _ = make_frames(scenario, count)
    source = shop.path("check.pcap")
    frames.write_pcap(source, made)
    pipe = Pipe(shop.path("check.out"))
    length = frames.frame_bytes(scenario.family, scenario.protocol) + scenario.inner_at
    record = frames.RECORD_BYTES + length
    # The first round opens the flows, at least two more take them as they are.
    wanted = max(3 * count, 256)
    pipe.keep(frames.PCAP_FILE_BYTES + record * wanted)
    with contextlib.ExitStack() as stack:
        huge = count > SMALL and stack.enter_context(machine.hugepages(memory_of(count)))
        stack.callback(pipe.close)
        config = node(shop, scenario, count, source_device(source),
                      f"net_pcap1,tx_pcap={pipe.path}", hugepages=huge, packets=count)
        daemon = Podlaned(shop.folder, shop.build, config, world.cluster_objects())
        stack.callback(daemon.close)
        daemon.ready()
        first_round = frames.PCAP_FILE_BYTES + record * count
        daemon.wait_for(lambda: pipe.size() >= first_round, 60, "the first round is through")
        drops = daemon.drops()
        daemon.wait_for(lambda: pipe.size() >= frames.PCAP_FILE_BYTES + record * wanted, 60,
                        f"{wanted} frames are through")
        compare(scenario, flows, pipe.data()[frames.PCAP_FILE_BYTES:], count)
        if daemon.drops() != drops:
            raise Wrong(f"packets are lost: {daemon.drops()}")
        active = daemon.stats()["flows"]["active"]
        if scenario.makes_flows and active != count:
            raise Wrong(f"{active} connections instead of {count}")
    return wanted


def compare(scenario, flows, data, count):
    """Every frame is as it should be, and every flow has its turn in every round."""
    groups = frames.split_records(data)
    length = frames.frame_bytes(scenario.family, scenario.protocol) + scenario.inner_at
    for other in set(groups) - {length}:
        # What the node says on its own at the start: gratuitous ARP and its IPv6 counterpart.
        if other not in (42, 86) or len(groups[other][1]) > 64:
            raise Wrong(f"frames of {sorted(groups)} bytes left instead of {length}")
    _, got = groups[length]
    got = np.ascontiguousarray(got)
    marks = frames.marks_of(got[:, scenario.inner_at:], scenario.family, scenario.protocol)
    if (marks >= count).any():
        raise Wrong("a frame left that was never sent")
    sent = frames.Flows(flows.protocol, flows.src[marks], flows.dst[marks], flows.sport[marks],
                        flows.dport[marks])
    wrong = np.flatnonzero((scenario.expected(sent, marks, got) != got).any(axis=1))
    if len(wrong):
        at = wrong[0]
        should = scenario.expected(sent, marks, got)[at]
        raise Wrong(f"{len(wrong)} of {len(got)} frames are wrong, first number {at}:\n"
                    f"  left      {got[at].tobytes().hex()}\n"
                    f"  should be {should.tobytes().hex()}")
    turns = np.bincount(marks[count:], minlength=count)
    rounds = (len(marks) - count) // count
    if turns.min() < rounds - 1 or turns.max() > rounds + 1:
        raise Wrong(f"flows had between {turns.min()} and {turns.max()} turns in {rounds} rounds")


def measure(shop, scenario, count, *, runs, seconds, modes=("io",), progress=lambda text: None):
    """Alternates podlaned and testpmd on the same file; {name: [ns a packet]}, and facts."""
    _, made, _ = make_frames(scenario, count)
    source = shop.path("frames.pcap")
    frames.write_pcap(source, made)
    mbufs, mbuf_bytes = _pool(count)
    with machine.hugepages(2 * memory_of(count)) as huge, contextlib.ExitStack() as stack:
        config = node(shop, scenario, count, source_device(source), world.silent("net_null9"),
                      hugepages=huge, packets=count)
        daemon = Podlaned(shop.folder, shop.build, config, world.cluster_objects(),
                          sink=scenario.sink)
        stack.callback(daemon.close)
        daemon.ready()
        warm(daemon, scenario, count)
        daemon.pause()
        peer = Testpmd(shop.folder, [source_device(source), world.silent("net_null0")],
                       shop.cpus, mbufs=mbufs, mbuf_bytes=mbuf_bytes, hugepages=huge)
        stack.callback(peer.close)
        peer.ready()
        found = {"podlane": [], **{mode: [] for mode in modes}}
        for run in range(runs):
            progress(f"run {run + 1} of {runs}")
            daemon.pause()
            peer.resume()
            for mode in modes:
                if len(modes) > 1:
                    peer.mode(mode)
                found[mode].append(one_window(peer, seconds))
            peer.pause()
            daemon.resume()
            before = daemon.drops()
            found["podlane"].append(one_window(daemon, seconds))
            lost = {k: v - before.get(k, 0) for k, v in daemon.drops().items()
                    if v != before.get(k, 0)}
            if lost:
                raise Failed(f"packets were lost: {lost}")
        active = daemon.stats()["flows"]["active"]
        if scenario.makes_flows and active != count:
            raise Failed(f"{active} connections instead of {count}")
        return found, {"hugepages": huge}


def one_window(program, seconds):
    program.window(seconds / 10)  # its lines come back into the caches
    return program.window(seconds)[0]


def warm(daemon, scenario, count):
    """Waits until every flow is open and has been used."""
    if scenario.makes_flows:
        daemon.wait_for(lambda: daemon.stats()["flows"]["active"] >= count, 60,
                        f"its {count} flows are open")
    goal = daemon.packets() + WARM_ROUNDS * count
    daemon.wait_for(lambda: daemon.packets() >= goal, 60, "it is warm")


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": len(values)}
