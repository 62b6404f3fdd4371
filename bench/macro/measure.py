"""How long a packet takes: podlaned and testpmd in turns on the same file."""

import contextlib
import statistics

from . import nodes, world
from .programs import Failed, Testpmd
from .traffic import infinite

WARM_ROUNDS = 3


def measure(shop, traffic, *, runs, seconds, modes=("io",), progress=lambda text: None):
    """{name of the program or mode: [ns a packet of each run]}, and whether hugepages were used."""
    packets = len(traffic.marks)
    mbufs, mbuf_bytes = nodes.pool(packets)
    with contextlib.ExitStack() as stack:
        daemon = stack.enter_context(nodes.running(shop, traffic, world.silent("net_null9"),
                                                   hugepages=shop.hugepages(traffic, 2)))
        goal = daemon.packets() + WARM_ROUNDS * packets
        daemon.wait_for(lambda: daemon.packets() >= goal, 60, "it is warm")
        daemon.pause()
        peer = Testpmd(shop.folder,
                       [infinite(shop.path("frames.pcap")), world.silent("net_null0")],
                       shop.cpus, mbufs=mbufs, mbuf_bytes=mbuf_bytes, hugepages=daemon.hugepages)
        stack.callback(peer.close)
        peer.ready()
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
            before = daemon.drops()
            found["podlane"].append(_one_window(daemon, seconds))
            if daemon.drops() != before:
                raise Failed(f"packets were lost: {before} became {daemon.drops()}")
            daemon.pause()
        daemon.resume()
        active = daemon.stats()["flows"]["active"]
        if traffic.connections is not None and active != traffic.connections:
            raise Failed(f"{active} connections instead of {traffic.connections}")
        return found, daemon.hugepages


def _one_window(program, seconds):
    program.window(seconds / 10)  # its lines come back into the caches
    return program.window(seconds)[0]


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": len(values)}
