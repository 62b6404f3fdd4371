"""Checks the output: runs the daemon with a pipe as its sink and compares frame by frame."""

import contextlib

import numpy as np

from . import frames, nodes
from .scenarios import Wrong
from .traffic import Drain, infinite

ROUNDS = 2
# Sent by the node on its own at the start: gratuitous ARP and its IPv6 counterpart.
ANNOUNCEMENTS = (42, 86)
# The pipe may hold frames that left before the last connection was open.
ON_THE_WAY_BYTES = 2 << 20


def check(shop, traffic):
    """Raises Wrong unless every frame of some rounds is right and none is lost."""
    with caught(shop, traffic) as (daemon, got):
        compare(traffic, got)
        wrong = traffic.check_connections(daemon.stats()["flows"]["active"])
        if wrong:
            raise Wrong(wrong)


def compare(traffic, got):
    """Raises Wrong unless these frames, of some rounds, are right."""
    marks = _marks(traffic, got)
    should = traffic.scenario.expected(traffic.sent[marks], marks, got)
    wrong = np.flatnonzero((should != got).any(axis=1))
    if len(wrong):
        at = wrong[0]
        raise Wrong(f"{len(wrong)} of {len(got)} frames are wrong, first number {at}:\n"
                    f"  left      {got[at].tobytes().hex()}\n"
                    f"  should be {should[at].tobytes().hex()}")
    _check_turns(traffic, marks)


@contextlib.contextmanager
def caught(shop, traffic):
    """(daemon, the frames of some rounds that left once all connections were open)."""
    with contextlib.ExitStack() as stack:
        drain = stack.enter_context(Drain(shop.path("check.out")))
        huge = stack.enter_context(shop.hugepages(traffic, 1))
        source = shop.path("check.pcap")
        frames.write_pcap(source, traffic.frames)
        daemon = stack.enter_context(nodes.running(shop, traffic, infinite(source),
                                                   drain.device(1), hugepages=huge))
        yield daemon, take(daemon, traffic, drain)


def take(program, traffic, drain):
    """The frames of some rounds, from a moment on when all connections are open."""
    start = drain.size + ON_THE_WAY_BYTES
    wanted = ROUNDS * max(len(traffic.marks), 256)
    end = start + (wanted + 1) * (frames.RECORD_BYTES + traffic.out_bytes)
    drain.keep_until(end)
    program.wait_for(lambda: drain.size >= start, 60, "frames leave")
    may_lose = traffic.scenario.may_lose
    drops = program.drops(may_lose)
    program.wait_for(lambda: drain.size >= end, 60, f"{wanted} frames leave")
    if program.drops(may_lose) != drops:
        raise Wrong(f"packets are lost: {drops} became {program.drops(may_lose)}")
    groups = frames.read_pcap(drain.data(), start)
    others = set(groups) - {traffic.out_bytes, *ANNOUNCEMENTS}
    if others or traffic.out_bytes not in groups:
        raise Wrong(f"frames of {sorted(groups)} bytes left instead of {traffic.out_bytes}")
    return groups[traffic.out_bytes]


def _marks(traffic, got):
    scenario = traffic.scenario
    marks = frames.marks_of(got[:, scenario.inner_at:], scenario.family, scenario.protocol)
    if (marks >= len(traffic.sent.sport)).any():
        at = int(np.argmax(marks >= len(traffic.sent.sport)))
        raise Wrong(f"a frame left that was never sent: {got[at].tobytes().hex()}")
    return marks


def _check_turns(traffic, marks):
    """Checks that every frame of the file leaves once in every round."""
    if traffic.scenario.may_lose:
        return
    once = np.bincount(traffic.marks, minlength=len(traffic.sent.sport))
    rounds = len(marks) // len(traffic.marks)
    turns = np.bincount(marks, minlength=len(once))
    if (turns < (rounds - 1) * once).any() or (turns > (rounds + 2) * once).any():
        raise Wrong(f"flows had between {turns.min()} and {turns.max()} turns in {rounds} rounds")


def choices(shop, traffic):
    """The flows as they leave, by mark, with the endpoint that each was given."""
    with caught(shop, traffic) as (_, got):
        return flows_as_left(traffic, got)


def flows_as_left(traffic, got):
    scenario = traffic.scenario
    marks, first = np.unique(_marks(traffic, got), return_index=True)
    if len(marks) != len(traffic.sent.sport):
        raise Wrong(f"{len(marks)} flows left instead of {len(traffic.sent.sport)}")
    return frames.flows_of(got[first, scenario.inner_at:], scenario.family, scenario.protocol)
