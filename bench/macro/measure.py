"""How long a packet takes: podlaned, testpmd and OVS take turns on the same file."""

import contextlib
import statistics

from . import frames, machine, nodes, ovs, ovs_run, world
from .programs import Failed, Testpmd
from .traffic import infinite

WARM_ROUNDS = 3


def measure(shop, traffic, *, runs, seconds, modes=("io",), with_ovs=False):
    """Runs podlaned, testpmd in its modes, and OVS where possible, in turns on the same file.

    Returns {name of the program or mode: [ns a packet of each run]}, and further remarks.
    """
    packets = len(traffic.marks)
    mbufs, mbuf_bytes = nodes.pool(packets)
    may_lose = traffic.scenario.may_lose
    with_ovs = with_ovs and ovs.can(traffic.scenario, packets)
    source = shop.path("frames.pcap")
    frames.write_pcap(source, traffic.frames)
    with contextlib.ExitStack() as stack:
        memory = 2 * nodes.memory_of(packets) + with_ovs * ovs.MEMORY_BYTES
        huge = stack.enter_context(machine.hugepages(memory))
        # The ones without connections first: connections would time out while the others start.
        peer = stack.enter_context(Testpmd(
            shop.folder, [infinite(source), world.silent("net_null0")], shop.cpus,
            mbufs=mbufs, mbuf_bytes=mbuf_bytes, hugepages=huge)).ready()
        peer.pause()
        switch = None
        if with_ovs:
            switch = stack.enter_context(ovs_run.running(shop, traffic))
            switch.pause()
        daemon = stack.enter_context(nodes.running(
            shop, traffic, infinite(source), world.silent("net_null9"), hugepages=huge))
        goal = daemon.packets() + WARM_ROUNDS * packets
        daemon.wait_for(lambda: daemon.packets() >= goal, 60, "it is warm")
        daemon.pause()
        found = {"podlane": [], **{mode: [] for mode in modes}}
        for _ in range(runs):
            for mode in modes:
                if len(modes) > 1:
                    peer.mode(mode)
                found[mode].append(_one_window(peer, seconds))
            if switch:
                found.setdefault("ovs", []).append(_one_window(switch, seconds))
            daemon.resume()
            before = daemon.drops(may_lose)
            daemon.window(seconds / 10)
            found["podlane"].append(daemon.window(seconds)[0])
            if daemon.drops(may_lose) != before:
                raise Failed(f"packets were lost: {before} became {daemon.drops(may_lose)}")
            daemon.pause()
        daemon.resume()
        wrong = traffic.check_connections(daemon.stats()["flows"]["active"])
        if wrong:
            raise Failed(wrong)
        facts = {"hugepages": huge}
        if may_lose:
            port = daemon.port(traffic.scenario.source)
            facts["refusedShare"] = port["rxDropped"] / port["rxPackets"]
        return found, facts


def _one_window(program, seconds):
    """Lets the program run alone for a while."""
    program.resume()
    program.window(seconds / 10)  # its lines come back into the caches
    found = program.window(seconds)[0]
    program.pause()
    return found


def summary(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "runs": len(values)}
