#!/usr/bin/python3
"""Objects change all the time while podlaned is killed at random moments. After each kill and start
the objects must be those of the last acknowledged change, for each of several clients.

`--kills 100` gives the figure in docs/reliability.md; tests/system/test_restart.py does some of it
in each run. Prints how many changes a second were acknowledged. Needs root; runs in namespaces of
its own.
"""

import argparse
import os
import random
import signal
import sys
import threading
import time

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), path)
                for path in ("../scripts", "../tests/system")]

from lab import objects  # noqa: E402
from lab.isolate import isolate  # noqa: E402
from lab.net import CommandFailed, Wire  # noqa: E402
from lab.node import Node  # noqa: E402

NAMES = 40  # Services of each client


class Client(threading.Thread):
    """Applies and deletes Services of its own, one change after the other."""

    def __init__(self, node, number, there):
        super().__init__()
        self.node, self.number, self.there = node, number, there
        self.asked, self.count, self.stopping = None, 0, False

    def run(self):
        choice = random.Random(self.number * 7919 + time.monotonic_ns())
        try:
            client = self.node.rpc()
        except OSError:
            return
        while not self.stopping:
            index = choice.randrange(NAMES)
            name, port = f"churn{self.number}-{index}", choice.randrange(1000, 60000)
            try:
                if name in self.there and choice.random() < 0.2:
                    self.asked = (name, None)
                    client.call("delete", kind="service", name=f"default/{name}")
                    self.there.pop(name)
                else:
                    self.asked = (name, port)
                    address = f"10.97.{self.number}.{index + 1}"
                    client.call("apply", documents=objects.document(
                        objects.service(name, [address], [objects.port(port, 80)])))
                    self.there[name] = port
                self.asked = None
                self.count += 1
            except (OSError, CommandFailed):
                break
        client.close()


def found(node):
    client = node.rpc()
    try:
        return {each["metadata"]["name"]: each["spec"]["ports"][0]["port"]
                for each in client.call("get", kind="services")["items"]}
    finally:
        client.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1, help="between two kills, at most")
    options = parser.parse_args()
    isolate()
    wire = Wire()
    node = Node("node-a", 1, wire, keep=True)
    node.start()
    told, changes, seconds = [{} for _ in range(options.clients)], 0, 0
    for kill in range(options.kills):
        clients = [Client(node, number, there) for number, there in enumerate(told)]
        started = time.monotonic()
        for client in clients:
            client.start()
        time.sleep(random.uniform(0.1, options.seconds))
        node.stop(signal.SIGKILL)
        seconds += time.monotonic() - started
        for client in clients:
            client.stopping = True
            client.join()
        changes += sum(client.count for client in clients)
        node.start(timeout=60)
        seen = found(node)
        for number, client in enumerate(clients):
            mine = {name: port for name, port in seen.items()
                    if name.startswith(f"churn{number}-")}
            if mine != told[number] and client.asked:
                # One was in progress: it is there completely, or not at all.
                name, port = client.asked
                told[number].pop(name, None)
                if port is not None:
                    told[number][name] = port
            if mine != told[number]:
                sys.exit(f"kill {kill + 1}, client {number}: {mine} is not {told[number]}")
        print(f"kill {kill + 1}: {len(seen)} objects as acknowledged; {changes} changes so far, "
              f"{changes / seconds:.0f} a second", flush=True)
    node.end()
    node.close()
    wire.namespace.close()


if __name__ == "__main__":
    main()
