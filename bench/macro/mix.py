"""Traffic as a real node has it, and full tables."""

from dataclasses import replace

import numpy as np

from . import world
from .frames import TCP, TCP_ACK, TCP_RST, TCP_SYN, UDP, Flows, build, flows_of
from .scenarios import (LARGE, MEDIUM, Scenario, check_choice, client_flows, clusterip, one,
                        spread)
from .traffic import Traffic, shuffled

SERVICE_SHARE, POD_SHARE, NEW_SHARE = 0.80, 0.15, 0.05
ZIPF_EXPONENT = 1.0
# The first ports after those of the Service's flows.
POD_PORT, NEW_PORT = 20000, 30000
SEED = 7
FULL_FLOWS_A_PLACE = 16


def _zipf(count, draws, random):
    """Numbers below `count` drawn by Zipf's law, lower numbers more often."""
    weights = 1 / np.arange(1, count + 1) ** ZIPF_EXPONENT
    steps = np.cumsum(weights / weights.sum())
    return np.minimum(np.searchsorted(steps, random.random(draws)), count - 1)


def _join(*parts):
    return Flows(TCP, *(np.concatenate([getattr(part, name) for part in parts])
                        for name in ("src", "dst", "sport", "dport")))


def _moved(flows, first_port):
    return replace(flows, sport=flows.sport - flows.sport.min() + first_port)


def _order(new, pods, services, random):
    """The marks of a file's frames; those of `new` come in pairs (SYN, RST).

    A pair's frames are half a round apart, so that each SYN finds its previous connection closed.
    """
    packets = 2 * len(new) + len(pods) + len(services)
    half = packets // 2
    out = np.full(packets, -1)
    slots = random.permutation(half)[:len(new)]
    first = np.arange(len(new)) % 2
    out[slots], out[slots + half] = (np.where(first, new[:, 0], new[:, 1]),
                                     np.where(first, new[:, 1], new[:, 0]))
    out[out < 0] = random.permutation(np.concatenate([pods, services]))
    return out


def _prepare(_shop, scenario, count):
    """`count` connections to the Service, and as many packets a round, beside `count` idle ones.

    The rows of the flows: to the Service, between pods, SYNs, RSTs. A round has those of the
    Service that Zipf's law draws. The idle connections belong to another pod, with a port of its
    own.
    """
    random = np.random.default_rng(SEED)
    news, pods = max(1, round(count * NEW_SHARE)), max(1, round(count * POD_SHARE))
    pod_flows = max(1, count // 16)
    service = client_flows(4, TCP, "client", one(4, "service"), world.SERVICE_PORT, count)
    direct = _moved(client_flows(4, TCP, "client", spread(4, "endpoint", world.ENDPOINTS),
                                 world.PLAIN_PORT, pod_flows), POD_PORT)
    fresh = _moved(client_flows(4, TCP, "client", one(4, "service"), world.SERVICE_PORT, news),
                   NEW_PORT)
    sent = _join(service, direct, fresh, fresh)
    starts = np.cumsum([0, count, pod_flows, news, news])
    flags = np.concatenate([np.full(count + pod_flows, TCP_ACK), np.full(news, TCP_SYN),
                            np.full(news, TCP_RST)])

    def is_direct(marks):
        return ((marks >= starts[1]) & (marks < starts[2]))[:, None]

    def make(flows, marks):
        to = np.where(is_direct(marks), world.mac("servers"), world.mac("gateway"))
        return build(flows, to, world.mac("clients"), marks, tcp_flags=flags[marks])

    def expected(left, marks, got):
        chosen = flows_of(got, 4, TCP).dst
        routed = ~is_direct(marks)
        check_choice(chosen[routed[:, 0]], marks[routed[:, 0]],
                     world.rows(4, "endpoint", np.arange(world.ENDPOINTS)), "endpoint", even=False)
        out = replace(left, dst=np.where(routed, chosen, left.dst),
                      dport=np.where(routed[:, 0], world.TARGET_PORT, left.dport))
        return build(out, world.mac("servers"),
                     np.where(routed, world.mac("gateway"), world.mac("clients")), marks,
                     ttl=np.where(routed[:, 0], 63, 64), tcp_flags=flags[marks])

    services = round(count * SERVICE_SHARE) - news
    order = _order(np.stack([np.arange(starts[2], starts[3]), np.arange(starts[3], starts[4])], 1),
                   starts[1] + random.integers(0, pod_flows, pods),
                   _zipf(count, services, random), random)
    scenario = replace(scenario, frames=make, expected=expected)
    all_marks = np.arange(starts[-1])
    made = make(sent, all_marks)
    idle = client_flows(4, TCP, "idle", one(4, "service"), world.SERVICE_PORT, count)
    opener = build(idle, world.mac("gateway"), world.mac("idle"), all_marks[:count],
                   tcp_flags=flags[:count])
    return Traffic(scenario, sent, order, made[order], opener=opener[shuffled(count)],
                   opener_port="idle", opened=count + len(np.unique(order)) - news)


def mix():
    return Scenario(
        "mix", "80% ClusterIP (Zipf), 15% pod to pod, 5% new connections", 4, TCP, "clients",
        "servers", (MEDIUM, LARGE), None, None, None, prepare=_prepare)


def _prepare_full(_shop, scenario, count):
    """Many more flows than places, one packet each in a round: every packet is a new connection."""
    count = max(count, FULL_FLOWS_A_PLACE * 1024)
    sent = scenario.flows(count)
    order = shuffled(count)
    return Traffic(scenario, sent, order, scenario.frames(sent, np.arange(count))[order],
                   capacity=count // FULL_FLOWS_A_PLACE)


def table_full():
    return replace(
        clusterip(4, UDP), name="table-full",
        title="a full table: every packet a new connection, from one pod, beyond its share",
        counts=(LARGE,), prepare=_prepare_full, targets={},
        may_lose=("flow_table_full", "flow_share_full", "new_flow_overload"))
