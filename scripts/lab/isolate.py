"""Runs the rest of a script in network, mount and process namespaces of its own.

What a script makes inside (namespaces below /run/netns, interfaces, files below /run, processes) is
invisible outside, so many scripts can run side by side. The kernel removes all of it when the
script ends, however it ends: the script is process 1 of its world, and process 1 is killed with the
process that waits for it.
"""

import ctypes
import os
import signal
import subprocess
import sys

_CLONE_NEWNS = 0x00020000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """This machine or user cannot make such a world; the text says why."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM came; raised once, in the main thread, so that `finally` blocks run."""


def _require():
    if os.geteuid() != 0:
        raise Unavailable("needs root: it makes network namespaces")
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        raise Unavailable(f"needs /dev/net/tun: {error.strerror}") from error
    if _libc.unshare(_CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise Unavailable(f"needs network, mount and process namespaces: {reason}")


def _wait_for(child, until_detached, afterwards):
    """Passes signals on to `child` and ends as it ends; or with 0 as soon as it detaches."""
    signals = 0

    def forward(number, _frame):
        nonlocal signals
        signals += 1
        try:
            os.kill(child, signal.SIGKILL if signals > 2 else signal.SIGTERM)
        except ProcessLookupError:
            pass

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, forward)
    detached = os.read(until_detached, 1)
    if detached:
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if afterwards:
        afterwards()
    code = os.waitstatus_to_exitcode(status)
    os._exit(code if code >= 0 else 128 - code)


def _interrupt(_number, _frame):
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted()


class World:
    """The isolated world, as seen by the script inside it."""

    def __init__(self, outer_pid, detach_fd):
        self.outer_pid = outer_pid
        self._detach_fd = detach_fd

    def detach(self):
        """Lets the command that started the script return with 0 while the script goes on."""
        _libc.prctl(_PR_SET_PDEATHSIG, 0, 0, 0, 0)
        sys.stdout.flush()
        sys.stderr.flush()
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.close(null)
        os.write(self._detach_fd, b"d")
        os.close(self._detach_fd)


def isolate(afterwards=None):
    """Returns a World in a new process; the calling process waits for that one and never returns.

    Inside, /run is an empty tmpfs, /proc shows the world's own processes, and SIGINT and SIGTERM
    raise Interrupted. Raises Unavailable, in the caller, if the machine does not allow it.
    `afterwards` is called outside when all processes of the world have ended, unless it detached.
    """
    _require()
    sys.stdout.flush()
    sys.stderr.flush()
    detached, detach = os.pipe()
    pid_known, tell_pid = os.pipe()
    child = os.fork()
    if child:
        os.close(detach)
        os.write(tell_pid, b"%d\n" % child)
        os.close(tell_pid)
        _wait_for(child, detached, afterwards)
    os.close(detached)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # A session of its own: Ctrl-C reaches the waiting process only, which passes it on once.
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    outer_pid = int(os.read(pid_known, 32))
    os.close(pid_known)
    os.close(tell_pid)
    for command in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"],
        ["mount", "-t", "proc", "proc", "/proc"],
        ["ip", "link", "set", "lo", "up"],
    ):
        subprocess.run(command, check=True)
    os.mkdir("/run/lab")
    return World(outer_pid, detach)
