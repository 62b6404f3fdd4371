"""Connections that nodes' kernels carry by the shortcut, for the topics that look at them."""

import os
import signal
import time

import cluster as lab
from checks import expect, expect_equal
from lab.net import wait_until

END = "/run/lab/end-of-holding"  # connections are held until this file exists


def flows(node, **wanted):
    return [each for each in node.json("get", "flows")
            if all(each.get(key) == value for key, value in wanted.items())]


def carried(node, **wanted):
    return flows(node, carrier="kernel", **wanted)


def hold(client, address, port=lab.HELD, count=1):
    """Opens `count` connections, which exchange data until end()."""
    if os.path.exists(END):
        os.remove(END)
    return lab.hold(client.namespace, address=address, port=port, asking=count, hearing=0, end=END)


def end(report, name, holding):
    with report.check(name):
        with open(END, "w", encoding="utf-8"):
            pass
        seen = lab.result_of(holding, 40)
        expect_equal(seen["moved"], [])
        expect(seen["answers"] > 0, "no answer at all")


def segments(pod):
    """TCP segments that the pod's kernel has got."""
    text = pod.namespace.run(["cat", "/proc/net/snmp"]).stdout
    names, values = [line.split() for line in text.splitlines() if line.startswith("Tcp:")]
    return int(values[names.index("InSegs")])


def restarts(report, node, client, start, look):
    """The node's podlaned goes and comes. `start`: opens three connections from the pod `client`,
    as hold(); `look`: what must work while podlaned carries everything.
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        name = number.name
        holding = start()
        with report.check(f"{name}: what the kernel carries, it carries on without podlaned"):
            wait_until(lambda: len(carried(node, protocol="TCP")) == 3, 5, "they are carried")
            node.stop(number)
            before = segments(client)
            time.sleep(1)
            expect(segments(client) > before + 5, "no segments while podlaned is away")
        with report.check(f"{name}: and the next podlaned gives them to the kernel again"):
            node.start()
            wait_until(lambda: len(carried(node, protocol="TCP")) == 3, 10, "they are carried")
        end(report, f"{name}: the connections have lived through it", holding)
    with report.check("without the shortcut, all goes on through podlaned"):
        holding = start()
        wait_until(lambda: len(carried(node, protocol="TCP")) == 3, 5, "they are carried")
        node.stop()
        node.config["pods"]["shortcut"] = "off"
        node.start()
        time.sleep(1.5)
        expect_equal(carried(node), [])
        look()
    end(report, "the connections have lived through it", holding)
    node.stop()
    node.config["pods"]["shortcut"] = "auto"
    node.start()


def nothing_left(report, node):
    """Ends podlaned for good: neither its interfaces nor the shortcut's stay."""
    with report.check("nothing is left behind"):
        node.end()
        expect_equal(node.leftovers(), [])
        left = [each for each in node.namespace.links() if each.startswith("pl")]
        expect_equal(left, [])
