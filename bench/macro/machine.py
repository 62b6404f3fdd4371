"""The machine: its CPUs, its hugepages, and the CPU time of a thread."""

import contextlib
import os
import platform
import subprocess
import time

HUGEPAGE = 2 << 20
_TOTAL = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
_FREE = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"


def _read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


def cpus():
    """(CPU for everything else, CPUs for workers): workers get the last ones."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], list(reversed(usable))


@contextlib.contextmanager
def hugepages(wanted_bytes):
    """Makes this many bytes of free hugepages for the block; yields whether there are that many."""
    pages = -(-wanted_bytes // HUGEPAGE)
    try:
        before, free = int(_read(_TOTAL)), int(_read(_FREE))
        if free < pages:
            with open(_TOTAL, "w", encoding="ascii") as file:
                file.write(str(before + pages - free))
        enough = int(_read(_FREE)) >= pages
    except OSError:
        yield False
        return
    try:
        yield enough
    finally:
        with contextlib.suppress(OSError), open(_TOTAL, "w", encoding="ascii") as file:
            file.write(str(before))


def can_have_hugepages():
    return os.access(_TOTAL, os.W_OK)


def cpu_ns(pid, tid):
    """The thread's CPU time. The kernel brings it up to date at each clock tick."""
    return int(_read(f"/proc/{pid}/task/{tid}/schedstat").split()[0])


def at_tick(pid, tid, limit=0.02):
    """Waits until the thread's CPU time has just been brought up to date, and returns it."""
    start = cpu_ns(pid, tid)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        now = cpu_ns(pid, tid)
        if now != start:
            return now
    return start


def describe():
    """The facts that a reader of the figures has to know."""
    model = "unknown CPU"
    for line in _read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    memory = int(_read("/proc/meminfo").split()[1]) // 1048576
    return {
        "cpu": model, "cpus": os.cpu_count(), "memoryGiB": memory,
        "kernel": platform.release(),
        "dpdk": _version(["pkg-config", "--modversion", "libdpdk"]),
        "commit": _version(["git", "-C", os.path.dirname(os.path.abspath(__file__)), "describe",
                            "--always", "--dirty"]),
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def _version(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
