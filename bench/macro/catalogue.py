"""The list of all scenarios."""

from . import mix, replies, scenarios
from .frames import TCP, UDP
from .traffic import plain


def scenarios_of(family):
    return [
        scenarios.clusterip(family, UDP), scenarios.clusterip(family, TCP),
        *replies.all_replies(family),
        scenarios.nodeport(family), scenarios.encap(family), scenarios.dnat_encap(family),
        scenarios.decap(family),
    ]


def all_scenarios():
    return [scenarios.l2(), *scenarios_of(4), mix.mix(), mix.table_full(), *scenarios_of(6)]


def traffic(shop, scenario, count):
    """The scenario's frames. `shop` is for scenarios that must first see what the node chooses."""
    if scenario.prepare:
        return scenario.prepare(shop, scenario, count)
    return plain(scenario, count)
