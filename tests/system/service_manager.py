"""systemd as process 1 of a node: its units with all that they say, their mounts as well."""

import os
import shutil
import signal
import uuid

from lab.net import run, wait_until

SYSTEMD = "/lib/systemd/systemd"
UNITS = "/run/lab/units"
# What units wait for or go with, and nothing of this machine's: all do nothing here.
_EMPTY = ("basic.target", "sysinit.target", "shutdown.target", "network.target",
          "network-online.target", "multi-user.target", "umount.target")
# It has processes and control groups of its own, and sees mounts that the test makes later.
_GROUPS = """set -e
mkdir -p $1
mount -t cgroup2 none $1
mkdir -p $1/$2
echo $$ > $1/$2/cgroup.procs
shift 2
exec unshare --cgroup --mount --propagation slave --pid --fork --kill-child --mount-proc "$@"
"""
_BOOT = """set -e
umount -R /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
exec env -i container=lab PATH=$PATH SYSTEMD_UNIT_PATH=$1 $2 --system --unit=basic.target \
    --log-target=kmsg --show-status=no
"""


def is_here():
    """Whether this machine has systemd."""
    return os.access(SYSTEMD, os.X_OK) and shutil.which("systemctl") is not None


def _removed(group):
    try:
        os.rmdir(group)
    except OSError:
        return False
    return True


class Manager:
    """systemd in the node's network namespace, with the units in UNITS alone."""

    def __init__(self, node):
        self.node = node
        os.makedirs(UNITS, exist_ok=True)
        for name in _EMPTY:
            with open(f"{UNITS}/{name}", "w", encoding="utf-8") as file:
                file.write("[Unit]\n")
        run(["mount", "--make-rshared", "/"])
        self._group = f"/run/lab/cgroup/podlane-{node.name}-{uuid.uuid4()}"
        self.process = node.namespace.spawn(
            ["sh", "-c", _GROUPS, "sh", *os.path.split(self._group),
             "sh", "-c", _BOOT, "sh", UNITS, SYSTEMD])

    def _pid(self):
        """systemd's, as this process sees it; None while there is none."""
        unshare = self.process.popen.pid
        with open(f"/proc/{unshare}/task/{unshare}/children", encoding="ascii") as file:
            children = file.read().split()
        return children[0] if children else None

    def ctl(self, *words, check=True):
        # It answers only to processes that it sees itself.
        command = ["nsenter", f"--target={self._pid()}", "--pid", "--mount", "--net"]
        return run([*command, "systemctl", *words], check=check).stdout.strip()

    def _is_up(self):
        return self.process.popen.poll() is None and self._pid() and \
            "active" in self.ctl("list-units", "basic.target", check=False)

    def wait(self):
        wait_until(self._is_up, 10, "systemd runs")

    def stop(self):
        """Ends it with all of its services, and removes its control groups."""
        self.process.stop(signal.SIGKILL)
        for folder, _, _ in os.walk(self._group, topdown=False):
            wait_until(lambda group=folder: _removed(group), 5, "its control groups are empty")
