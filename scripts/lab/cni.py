"""Calls a CNI plugin as a container runtime does, by the specification."""

import json
import os
import subprocess

from .net import CommandFailed, Namespace
from .node import program

PLUGINS = "/usr/lib/cni"  # Debian's containernetworking-plugins


def call(plugin, command, config, *, container=None, netns=None, ifname="eth0", args=None,
         timeout=60):
    """Runs one call to its end; returns (exit code, its output as JSON or None)."""
    process = start(plugin, command, config, container=container, netns=netns, ifname=ifname,
                    args=args)
    return finish(process, config, timeout)


def start(plugin, command, config, *, container=None, netns=None, ifname="eth0", args=None):
    """Begins a call: a process that has not been given its configuration yet."""
    environment = {"PATH": os.environ["PATH"], "CNI_COMMAND": command, "CNI_PATH": PLUGINS}
    if container:
        environment.update(CNI_CONTAINERID=container, CNI_IFNAME=ifname)
    if netns:
        environment["CNI_NETNS"] = netns
    if args:
        environment["CNI_ARGS"] = args
    del config
    return subprocess.Popen([plugin], env=environment, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process, config, timeout=60):
    try:
        out, error = process.communicate(json.dumps(config), timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    try:
        return process.returncode, json.loads(out) if out.strip() else None
    except ValueError as wrong:
        raise CommandFailed(f"no JSON from {process.args}: {out!r} {error!r}") from wrong


class Network:
    """A network configuration of podlane-cni on a node, and its attachments."""

    def __init__(self, node, name, version="1.0.0", ipam=None, **keys):
        self.node = node
        self.plugin = program("podlane-cni")
        self.state = f"/run/lab/cni-{node.name}"
        self.config = {"cniVersion": version, "name": name, "type": "podlane-cni",
                       "socket": node.socket, "stateDir": self.state, **keys}
        if ipam:
            self.config["ipam"] = ipam

    def call(self, command, sandbox=None, *, previous=None, timeout=60, **keys):
        config = {**self.config, **keys}
        if previous:
            config["prevResult"] = previous
        words = sandbox.words() if sandbox else {}
        return call(self.plugin, command, config, timeout=timeout, **words)

    def must(self, command, sandbox=None, **options):
        """The same for a call that must succeed; returns its output."""
        code, said = self.call(command, sandbox, **options)
        if code != 0:
            raise CommandFailed(f"{command} {sandbox.container if sandbox else ''}: {said}")
        return said

    def kept(self):
        """The plugin's remaining files for this network."""
        found = []
        for folder, _, names in os.walk(f"{self.state}/{self.config['name']}"):
            found += [f"{os.path.basename(folder)}/{name}" for name in names
                      if not name.startswith((".", "last."))]
        return sorted(found)


class Sandbox:
    """A pod's sandbox: a container id and a network namespace."""

    def __init__(self, container, pod, namespace="default", ifname="eth0"):
        self.container = container
        self.pod = f"{namespace}/{pod}"
        self.ifname = ifname
        self.namespace = Namespace(f"cni-{container}")
        self.args = (f"IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={pod};"
                     f"K8S_POD_INFRA_CONTAINER_ID={container}")

    def words(self):
        return {"container": self.container, "netns": self.namespace.path,
                "ifname": self.ifname, "args": self.args}

    def close(self):
        self.namespace.close()


def host_local(node, folder):
    """Debian's host-local for the node's pod CIDRs."""
    ranges = [[{"subnet": cidr, "gateway": gateway}]
              for cidr, gateway in zip(node.pod_cidrs, node.gateways)]
    return {"type": "host-local", "ranges": ranges, "dataDir": folder}
