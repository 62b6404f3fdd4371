"""The daemon in the form that a scenario needs: its configuration, its connections open."""

import contextlib
import os

from . import machine, world
from .programs import Podlaned
from .traffic import Feed, again_and_again


class Workshop:
    """Where the files are, and which programs and CPUs are used."""

    def __init__(self, folder, build):
        self.folder = folder
        self.build = build
        other, workers = machine.cpus()
        self.cpus = (other, *workers)
        self.answers = {}

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def socket(self):
        return self.path("bench.sock")

    @staticmethod
    def hugepages(traffic, programs):
        """Hugepages for this many programs at once, if 4 kB pages would be too slow to fill."""
        if programs == 1 and len(traffic.marks) <= 4096:
            return contextlib.nullcontext(False)
        return machine.hugepages(programs * memory_of(len(traffic.marks)))


def pool(packets):
    """(mbufs, bytes of one): the source holds the whole file in buffers."""
    return packets + 16384, 2176 if packets < 262144 else 1536


def memory_of(packets):
    """Bytes of hugepages that one program takes."""
    mbufs, mbuf_bytes = pool(packets)
    return mbufs * (mbuf_bytes + 256) + (192 << 20)


def capacity_of(traffic):
    return traffic.capacity or max(65536, 9 * (traffic.opened or 0) // 8)


@contextlib.contextmanager
def running(shop, traffic, source, sink, *, hugepages, more=None):
    """The daemon with these devices as the scenario's ports, and all of its connections open.

    `more`: sections of its configuration.
    """
    scenario = traffic.scenario
    mbufs, mbuf_bytes = pool(len(traffic.marks))
    with contextlib.ExitStack() as stack:
        extra, gate, feed = [], [], None
        if traffic.opener is not None:
            feed = stack.enter_context(Feed(shop.path("opener.pcap"),
                                            again_and_again(traffic.opener)))
            if traffic.opener_port == "idle":
                extra.append(world.idle(feed.device(2)))
            else:
                sink = feed.beside(sink)
                gate = world.gate()
        config = world.configuration(
            {scenario.source: source, scenario.sink: sink}, socket=shop.socket,
            memory={"hugepages": "on" if hugepages else "off", "mbufs": mbufs,
                    "mbufBytes": mbuf_bytes},
            capacity=capacity_of(traffic), cpus=shop.cpus[1:2], extra_ports=extra)
        for key, section in (more or {}).items():
            config[key] = {**config.get(key, {}), **section}
        daemon = Podlaned(shop.folder, shop.build, config, world.cluster_objects() + gate,
                          sink=scenario.sink)
        stack.callback(daemon.close)
        daemon.ready()
        if traffic.opened is not None:
            daemon.wait_for(lambda: daemon.stats()["flows"]["active"] >= traffic.opened, 60,
                            f"its {traffic.opened} connections are open")
        if feed:
            feed.end()
        if gate:
            daemon.rpc.call("delete", documents=world.objects.document(*gate))
        yield daemon
