"""Applies the `dns` of a pod's port as a container runtime does: mounts a resolv.conf."""

import os

from .net import CommandFailed


def write_resolv_conf(path, dns):
    """The lines that `pod add` gave, as a file."""
    with open(path, "w", encoding="utf-8") as file:
        for server in dns["nameservers"]:
            print(f"nameserver {server}", file=file)
        print("search", *dns["search"], file=file)
        print("options", *dns["options"], file=file)
    return path


def _place_of(path):
    """Where to mount, for a file that may be a link; /run is the lab's own, and empty at first."""
    place = os.path.realpath(path)
    if not os.path.exists(place):
        if not place.startswith("/run/"):
            raise CommandFailed(f"this machine has no {path} to mount a pod's over")
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8"):
            pass
    return place


def with_files(files, words):
    """A command that sees `files`, {"/etc/hosts": PATH}, in place of the machine's."""
    mounts = [f"mount --bind {source} {_place_of(path)}" for path, source in files.items()]
    script = " && ".join([*mounts, 'exec "$@"'])
    return ["unshare", "--mount", "sh", "-c", script, "sh", *words]
