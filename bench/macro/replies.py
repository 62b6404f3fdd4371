"""Replies of endpoints, on connections that the clients' requests have opened.

The requests run first, into a pipe, which shows the endpoint that each was given; the replies come
from there. In the run itself the clients' port, the sink, sends the requests until every connection
is open: a reply is accepted only on a connection of its own port.
"""

import numpy as np

from . import check, world
from .frames import UDP, Flows, build, encapsulate
from .scenarios import Scenario, clusterip, dnat_encap, named
from .traffic import Traffic, plain, shuffled


def prepare(shop, scenario, count):
    requests = plain(scenario.requests, count)
    key = (scenario.requests.key, count)
    if key not in shop.answers:
        shop.answers[key] = check.choices(shop, requests).reversed()
    return answers(scenario, requests, shop.answers[key])


def answers(scenario, requests, sent):
    """The traffic of these replies; the first one is to the request with mark 0."""
    count = len(sent.sport)
    order = shuffled(count)
    return Traffic(scenario, sent, order, scenario.frames(sent, np.arange(count))[order],
                   opener=requests.frames, opener_port=scenario.sink, opened=count, exactly=True)


def _to_client(family, protocol, sent, marks):
    """The Service replies, not the endpoint; one hop less, from the gateway."""
    service = world.rows(family, "service", np.zeros(len(marks), int))
    return Flows(protocol, service, sent.dst, np.full(len(marks), world.SERVICE_PORT), sent.dport)


def clusterip_reply(family, protocol):
    requests = clusterip(family, protocol)

    def expected(sent, marks, got):
        return build(_to_client(family, protocol, sent, marks), world.mac("clients"),
                     world.mac("gateway"), marks, ttl=63)

    return Scenario(
        f"reply-{named(protocol)}", f"ClusterIP DNAT, {named(protocol).upper()}, replies",
        family, protocol, "servers", "clients", requests.counts, None,
        # By the gateway: a frame to another pod's MAC is bridged, which no gate holds up.
        lambda flows, marks: build(flows, world.mac("gateway"), world.mac("servers"), marks),
        expected, requests.targets, requests=requests, prepare=prepare)


def decap_reply(family):
    requests = dnat_encap(family)

    def make(flows, marks):
        inner = build(flows, world.mac("vtep"), world.mac("peer-vtep"), marks)
        node, peer = (world.NODE, world.PEER) if family == 4 else (world.NODE_V6, world.PEER_V6)
        return encapsulate(inner, peer, node, world.mac("peer"), world.mac("uplink"),
                           vni=world.VNI, port=world.VXLAN_PORT,
                           sport=49152 + marks * 2654435761 % 16384)

    def expected(sent, marks, got):
        far = world.rows(family, "far", np.zeros(len(marks), int))
        out = Flows(UDP, far, sent.dst, np.full(len(marks), world.SERVICE_PORT), sent.dport)
        return build(out, world.mac("clients"), world.mac("gateway"), marks, ttl=63)

    return Scenario(
        "decap-reply", "VXLAN, reverse NAT, to a local client", family, UDP, "uplink", "clients",
        requests.counts, None, make, expected, requests=requests, prepare=prepare)


def all_replies(family):
    return [clusterip_reply(family, protocol) for protocol in (17, 6)] + [decap_reply(family)]
