"""What is measured: for each scenario its frames, its path through the node, and the right output.

A scenario's `expected` builds, from scratch, the frames that must leave. What the dataplane may
choose (an endpoint, a source port) is taken from the frame that left, after a check that the choice
is allowed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import world
from .frames import (ETHERNET, IP_BYTES, TCP, UDP, VXLAN_BYTES, Flows, build, encapsulate,
                     flows_of, get16)

SMALL, MEDIUM, LARGE = 4096, 65536, 1048576
FIRST_PORT = 1024


class Wrong(Exception):
    """A frame that left is wrong."""


@dataclass(frozen=True)
class Scenario:
    name: str
    title: str
    family: int
    protocol: int
    source: str  # the node's port that the frames come in by
    sink: str  # and the one they leave by
    counts: tuple  # numbers of flows
    flows: Callable  # count -> Flows as sent (inner ones for decap)
    frames: Callable  # (Flows, marks) -> matrix as sent
    expected: Callable  # (Flows as sent, marks, matrix that left) -> matrix that should have left
    targets: dict = field(default_factory=dict)  # count -> (must, aim), multiples of io
    makes_flows: bool = True
    requests: object = None  # the scenario that opens the connections, for replies
    prepare: Callable | None = None  # (shop, scenario, count) -> Traffic; None: one frame a flow
    may_lose: tuple = ()  # the drop reasons that are allowed
    inner_at: int = 0  # where in an output frame the frame with the mark begins

    @property
    def key(self):
        return f"{self.name}{'-v6' if self.family == 6 else ''}"


def client_flows(family, protocol, kind, dst, dport, count):
    """`count` flows of 64 sources; `dst`: a function from the flows' numbers to addresses."""
    numbers = np.arange(count)
    return Flows(protocol, world.rows(family, kind, numbers % world.CLIENTS), dst(numbers),
                 FIRST_PORT + numbers // world.CLIENTS, np.full(count, dport))


def one(family, kind):
    return lambda numbers: world.rows(family, kind, np.zeros(len(numbers), int))


def spread(family, kind, over):
    return lambda numbers: world.rows(family, kind, numbers % over)


def check_choice(values, marks, allowed, what, even=True):
    """Checks that each row of `values` is one of `allowed`.

    If `even`, each of these must have its share of the flows; `marks` names each row's flow.
    """
    for row in np.unique(values, axis=0):
        if not (allowed == row).all(axis=1).any():
            raise Wrong(f"{what} {world.text_of(row)} is none of the Service's")
    # Maglev gives each its share within 1%; OVS, which must pass the same check, does not.
    _, first = np.unique(marks, return_index=True)
    kinds, counts = np.unique(values[first], axis=0, return_counts=True)
    if even and len(first) >= 128 and (len(kinds) < len(allowed) or
                                       counts.max() > 3 * len(first) / len(allowed)):
        raise Wrong(f"{what}s are not chosen evenly: {counts.tolist()}")


def _routed(family, protocol, sent, marks, out_mac, *, src=None, sport=None, dst=None, dport=None):
    """A packet as a router sends it to a pod: one hop less, with its own MAC as source."""
    out = Flows(protocol, sent.src if src is None else src, sent.dst if dst is None else dst,
                sent.sport if sport is None else sport, sent.dport if dport is None else dport)
    return build(out, world.mac(out_mac), world.mac("gateway"), marks, ttl=63)


def l2(family=4):
    def make(flows, marks):
        return build(flows, world.mac("servers"), world.mac("clients"), marks)

    return Scenario(
        "l2", "L2 between known MACs", family, UDP, "clients", "servers", (SMALL,),
        lambda n: client_flows(family, UDP, "client", spread(family, "endpoint", world.ENDPOINTS),
                               world.PLAIN_PORT, n),
        make, lambda sent, marks, got: make(sent, marks),
        {SMALL: (2.5, 2.0)}, makes_flows=False)


def clusterip(family, protocol):
    def expected(sent, marks, got):
        chosen = flows_of(got, family, protocol).dst
        check_choice(chosen, marks, world.rows(family, "endpoint", np.arange(world.ENDPOINTS)),
                     "endpoint")
        return _routed(family, protocol, sent, marks, "servers", dst=chosen,
                       dport=np.full(len(marks), world.TARGET_PORT))

    return Scenario(
        f"clusterip-{named(protocol)}", f"ClusterIP DNAT, {named(protocol).upper()}, requests",
        family, protocol, "clients", "servers", (1, SMALL, MEDIUM, LARGE),
        lambda n: client_flows(family, protocol, "client", one(family, "service"),
                               world.SERVICE_PORT, n),
        to_router("gateway"), expected,
        {SMALL: (3.5, 2.6), MEDIUM: (3.0, 2.4), LARGE: (3.0, 2.4)})


def nodeport(family):
    def expected(sent, marks, got):
        left = flows_of(got, family, UDP)
        check_choice(left.dst, marks, world.rows(family, "endpoint", np.arange(world.ENDPOINTS)),
                     "endpoint")
        ours = world.rows(family, "gateway", np.zeros(len(marks), int))
        return _routed(family, UDP, sent, marks, "servers", src=ours, sport=left.sport,
                       dst=left.dst, dport=np.full(len(marks), world.TARGET_PORT))

    return Scenario(
        "nodeport-snat", "NodePort with SNAT", family, UDP, "uplink", "servers", (SMALL, MEDIUM),
        lambda n: client_flows(family, UDP, "outside", one(family, "node"), world.NODE_PORT, n),
        to_router("uplink"), expected)


def to_router(which):
    def make(flows, marks):
        sender = "clients" if which == "gateway" else "router"
        return build(flows, world.mac(which), world.mac(sender), marks)

    return make


def _tunnelled(inner, family, got):
    """A packet as it leaves for node-b. The node chooses source port, identification and DF."""
    sport = get16(got, ETHERNET + IP_BYTES[family])
    if (sport < 32768).any():
        raise Wrong("the tunnel's source port is not an ephemeral one")
    node, peer = (world.NODE, world.PEER) if family == 4 else (world.NODE_V6, world.PEER_V6)
    return encapsulate(inner, node, peer, world.mac("uplink"), world.mac("peer"),
                       vni=world.VNI, port=world.VXLAN_PORT, sport=sport, ident=get16(got, 18),
                       fragment=get16(got, 20) & 0x4000)


def _to_peer(flows, marks):
    return build(flows, world.mac("peer-vtep"), world.mac("vtep"), marks, ttl=63)


def encap(family):
    return Scenario(
        "encap", "to a remote pod, VXLAN", family, UDP, "clients", "uplink", (SMALL, MEDIUM),
        lambda n: client_flows(family, UDP, "client", spread(family, "remote", world.REMOTES),
                               world.PLAIN_PORT, n),
        to_router("gateway"),
        lambda sent, marks, got: _tunnelled(_to_peer(sent, marks), family, got),
        {SMALL: (3.2, 2.6)}, inner_at=VXLAN_BYTES[family])


def dnat_encap(family):
    def expected(sent, marks, got):
        chosen = flows_of(got[:, VXLAN_BYTES[family]:], family, UDP).dst
        check_choice(chosen, marks, world.rows(family, "remote", np.arange(world.ENDPOINTS)),
                     "endpoint")
        inner = Flows(UDP, sent.src, chosen, sent.sport, np.full(len(marks), world.TARGET_PORT))
        return _tunnelled(_to_peer(inner, marks), family, got)

    return Scenario(
        "dnat-encap", "ClusterIP to a remote endpoint, VXLAN", family, UDP, "clients", "uplink",
        (SMALL, MEDIUM),
        lambda n: client_flows(family, UDP, "client", one(family, "far"), world.SERVICE_PORT, n),
        to_router("gateway"), expected, inner_at=VXLAN_BYTES[family])


def decap(family):
    def make(flows, marks):
        inner = build(flows, world.mac("vtep"), world.mac("peer-vtep"), marks)
        node, peer = (world.NODE, world.PEER) if family == 4 else (world.NODE_V6, world.PEER_V6)
        return encapsulate(inner, peer, node, world.mac("peer"), world.mac("uplink"),
                           vni=world.VNI, port=world.VXLAN_PORT,
                           sport=49152 + marks * 2654435761 % 16384)

    return Scenario(
        "decap", "VXLAN to a local pod", family, UDP, "uplink", "servers", (SMALL, MEDIUM),
        lambda n: client_flows(family, UDP, "remote", spread(family, "endpoint", world.ENDPOINTS),
                               world.PLAIN_PORT, n),
        make, lambda sent, marks, got: _routed(family, UDP, sent, marks, "servers"),
        {SMALL: (3.5, 2.6)})


def named(protocol):
    return {TCP: "tcp", UDP: "udp"}[protocol]
