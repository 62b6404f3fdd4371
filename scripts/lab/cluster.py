"""What the demo's clusters have in common: programs that run until it ends, and are watched."""

import json
import signal
import subprocess

from .net import CommandFailed


class Cluster:
    """Programs with titles; a subclass starts them."""

    def __init__(self, say, client, nodes, address):
        """`say`: shows a line; `client`: the namespace of the API server, at `address`."""
        self.say, self.client, self.nodes, self.address = say, client, nodes, address
        self.programs = {}  # by title

    def spawn(self, title, namespace, words):
        """Starts a program in a network namespace."""
        self.programs[title] = namespace.spawn(words, f"/run/lab/{title.replace(' ', '-')}.log")
        return self.programs[title]

    def ended(self):
        """What became of each program that has ended."""
        found = {}
        for title, process in self.programs.items():
            code = process.popen.poll()
            if code is not None:
                found[title] = f"killed by signal {-code}" if code < 0 else f"ended with {code}"
        return found

    def check(self):
        """Raises CommandFailed when a program has ended that should run."""
        ended = self.ended()
        if ended:
            raise CommandFailed(", ".join(f"{title}: {how}" for title, how in ended.items()))

    def stop_program(self, title, timeout=30):
        """Ends a program that runs with SIGTERM; returns what was wrong."""
        process = self.programs.pop(title)
        if process.popen.poll() is not None:
            return []
        try:
            code = process.stop(timeout=timeout)
        except subprocess.TimeoutExpired:
            return [f"{title}: did not end within {timeout} s"]
        # The signal itself ends a program that has just begun.
        if code in (0, -signal.SIGTERM):
            return []
        return [f"{title} ended with {code}: {process.output()[-500:]}"]

    def logs(self):
        """(what, text) of the programs' logs; of those that have ended, if there are any."""
        ended = self.ended()
        for title in ended or self.programs:
            yield f"{title}, {ended.get(title, 'which runs')}", self.programs[title].output()


def write_kubeconfig(path, server, cluster, user):
    """A kubeconfig of one user; `cluster` and `user` are added to its parts of these names."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "demo",
            "contexts": [{"name": "demo", "context": {"cluster": "demo", "user": "demo"}}],
            "clusters": [{"name": "demo", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "demo", "user": user}]}, file)
    return path
