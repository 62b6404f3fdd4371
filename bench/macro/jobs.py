"""All measurements of a run, as a list of jobs, each of which yields rows for the report."""

from . import catalogue, report, special
from .check import check
from .measure import measure, summary

MOST_CHECKED = 65536
CEILING_MODES = ("io", "macswap", "5tswap")
TWO_WORKERS_MUST = 1.8
BYTES_MUST = 256
NEW_MUST = 2e6


class Job:
    """One line of the list: `key` is NAME/FLOWS, `run(shop, options, say)` returns its row."""

    def __init__(self, key, flows, run):
        self.key = key
        self.flows = flows
        self.run = run


def _scenario(scenario, count):
    def run(shop, options, say):
        if not options.no_check:
            check(shop, catalogue.traffic(shop, scenario, min(count, MOST_CHECKED)))
        ceiling = scenario.name == "clusterip-udp" and scenario.family == 4
        found, facts = measure(
            shop, catalogue.traffic(shop, scenario, count), runs=options.runs,
            seconds=options.seconds, modes=CEILING_MODES if ceiling else ("io",),
            with_ovs=options.ovs)
        row = {"scenario": scenario.key, "title": scenario.title, "family": scenario.family,
               "flows": count, **facts,
               **{name: summary(values) for name, values in found.items()}}
        report.judge(row, scenario.targets.get(count))
        say("    " + report.line(row))
        return row

    return Job(f"{scenario.key}/{count}", count, run)


def _target(key, flows, title, unit, must, most, take):
    """A figure with a target of its own: with `most` it must be at most `must`, else at least."""
    def run(shop, options, say):
        values = take(shop, options, say)
        row = {"target": key, "title": title, "flows": flows, "unit": unit, "must": must,
               "most": most, "reached": summary(values)}
        row["verdict"] = report.verdict_of(row)
        say("    " + report.target_line(row))
        return row

    return Job(f"{key}/{flows}", flows, run)


def _new_connections():
    def run(shop, options, say):
        row = special.new_connections(shop, runs=options.runs, seconds=options.seconds,
                                      progress=lambda text: say("    " + text))
        report.judge(row, None)
        own = row["podlane"]["median"]
        row["connectionsASecond"] = 1e9 / own
        row["must"] = f"{NEW_MUST / 1e6:.0f} M/s"
        row["verdict"] = "must" if row["connectionsASecond"] >= NEW_MUST else "missed"
        say("    " + report.line(row) + f"; {1e3 / own:.2f} M new connections a second of CPU")
        return row

    return Job("new-connections/2000000", 2000000, run)


def _two_workers(count):
    return _target(
        "two-workers", count, "two workers, replies at the other one, against one worker",
        "x", TWO_WORKERS_MUST, False,
        lambda shop, options, say: special.two_workers(
            shop, count, runs=options.runs, seconds=options.seconds,
            progress=lambda text: None))


def _memory(count, family):
    return _target(
        f"memory{'-v6' if family == 6 else ''}", count,
        f"memory of a connection, both directions, IPv{family}", "bytes", BYTES_MUST, True,
        lambda shop, options, say: [special.bytes_a_connection(shop, count, family)])


def all_jobs():
    out = [_scenario(scenario, count) for scenario in catalogue.all_scenarios()
           for count in scenario.counts]
    return out + [_new_connections(), _two_workers(4096), _two_workers(65536),
                  _memory(1048576, 4), _memory(special.MOST_FLOWS, 4), _memory(1048576, 6)]
