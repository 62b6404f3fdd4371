"""Brings OVS-DPDK to where a scenario can be timed: checked, warm, with the null sink."""

import contextlib

from . import frames, ovs, replies, world
from .check import compare, flows_as_left, take
from .traffic import Drain, infinite, plain

SECONDS_TO_OPEN = 120


@contextlib.contextmanager
def running(shop, traffic):
    """OVS that forwards the scenario's frames to the null device; its output has been checked."""
    with ovs.Ovs(shop, traffic.scenario) as switch:
        switch.start().set_up()
        if traffic.scenario.requests:
            traffic = _answers_of(switch, shop, traffic)
        source = shop.path("ovs.pcap")
        frames.write_pcap(source, traffic.frames)
        with Drain(shop.path("ovs.out")) as drain:
            switch.add(ovs.SINK, drain.device(8))
            switch.add(ovs.SOURCE, infinite(source, 7))
            if traffic.scenario.makes_flows and traffic.scenario.name.startswith("clusterip"):
                _wait_open(switch, len(traffic.marks))
            compare(traffic, take(switch, traffic, drain))
            switch.remove(ovs.SINK)
        switch.add(ovs.SINK, world.silent("net_null8"))
        goal = switch.packets() + 3 * len(traffic.marks)
        switch.wait_for(lambda: switch.packets() >= goal, SECONDS_TO_OPEN, "it is warm")
        yield switch


def _wait_open(switch, count):
    switch.wait_for(lambda: switch.connections() >= count, SECONDS_TO_OPEN,
                    f"its {count} connections are open")


def _answers_of(switch, shop, traffic):
    """The replies to requests that OVS has sent to endpoints of its own choice."""
    requests = plain(traffic.scenario.requests, len(traffic.marks))
    opener = shop.path("ovs-opener.pcap")
    frames.write_pcap(opener, requests.frames)
    with Drain(shop.path("ovs-seen.out")) as drain:
        switch.add(ovs.SEEN, drain.device(6))
        switch.add(ovs.OPENER, infinite(opener, 5))
        _wait_open(switch, len(traffic.marks))
        left = flows_as_left(requests, take(switch, requests, drain))
        switch.remove(ovs.OPENER)
        switch.remove(ovs.SEEN)
    return replies.answers(traffic.scenario, requests, left.reversed())
