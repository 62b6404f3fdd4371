"""How long a packet takes: podlaned and testpmd in turns on the same file."""

import contextlib
import statistics

from . import frames, nodes, world
from .programs import Failed, Testpmd
from .traffic import infinite

WARM_ROUNDS = 3


def measure(shop, traffic, *, runs, seconds, modes=("io",), progress=lambda text: None):
    """{name of the program or mode: [ns a packet of each run]}, whether hugepages were used, and
    what else there is to say."""
    packets = len(traffic.marks)
    mbufs, mbuf_bytes = nodes.pool(packets)
    may_lose = traffic.scenario.may_lose
    source = shop.path("frames.pcap")
    frames.write_pcap(source, traffic.frames)
    with contextlib.ExitStack() as stack:
        huge = stack.enter_context(shop.hugepages(traffic, 2))
        # First the one that has no connections which time out while the other one starts.
        peer = Testpmd(shop.folder, [infinite(source), world.silent("net_null0")], shop.cpus,
                       mbufs=mbufs, mbuf_bytes=mbuf_bytes, hugepages=huge)
        stack.callback(peer.close)
        peer.ready()
        peer.pause()
        daemon = stack.enter_context(nodes.running(
            shop, traffic, infinite(source), world.silent("net_null9"), hugepages=huge))
        goal = daemon.packets() + WARM_ROUNDS * packets
        daemon.wait_for(lambda: daemon.packets() >= goal, 60, "it is warm")
        daemon.pause()
        found = {"podlane": [], **{mode: [] for mode in modes}}
        for run in range(runs):
            progress(f"run {run + 1} of {runs}")
            peer.resume()
            for mode in modes:
                if len(modes) > 1:
                    peer.mode(mode)
                found[mode].append(_one_window(peer, seconds))
            peer.pause()
            daemon.resume()
            before = daemon.drops(may_lose)
            found["podlane"].append(_one_window(daemon, seconds))
            if daemon.drops(may_lose) != before:
                raise Failed(f"packets were lost: {before} became {daemon.drops()}")
            daemon.pause()
        daemon.resume()
        wrong = traffic.check_connections(daemon.stats()["flows"]["active"])
        if wrong:
            raise Failed(wrong)
        facts = {}
        if may_lose:
            source = daemon.port(traffic.scenario.source)
            facts["refusedShare"] = source["rxDropped"] / source["rxPackets"]
        return found, huge, facts


def _one_window(program, seconds):
    program.window(seconds / 10)  # its lines come back into the caches
    return program.window(seconds)[0]


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": len(values)}
