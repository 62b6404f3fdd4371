"""The frames that a scenario sends, in the order of their file, and the devices that carry them."""

import contextlib
import fcntl
import os
import select
import threading
import time
from dataclasses import dataclass

import numpy as np

from . import frames

SHUFFLE_SEED = 42
PIPE_BYTES = 1 << 20


@dataclass
class Traffic:
    """One scenario's frames with one number of flows."""

    scenario: object
    sent: frames.Flows  # by mark
    marks: np.ndarray  # of each frame of the file
    frames: np.ndarray
    opener: np.ndarray | None = None  # frames that open connections before the measurement,
    opener_port: str = ""  # and the port by which they come in: the scenario's sink, or "idle"
    opened: int | None = None  # connections once all are open; None: do not wait
    exactly: bool = False  # connections that must be there in the end, neither more nor less
    capacity: int | None = None  # connections that the table holds; None: enough

    @property
    def out_bytes(self):
        """Length of a frame that leaves."""
        scenario = self.scenario
        return frames.frame_bytes(scenario.family, scenario.protocol) + scenario.inner_at

    def check_connections(self, active):
        """What is wrong with this number of connections, or None."""
        if self.exactly and active != self.opened:
            return f"{active} connections instead of {self.opened}"
        return None


def shuffled(count):
    return np.random.default_rng(SHUFFLE_SEED).permutation(count)


def plain(scenario, count):
    """One frame for each flow, in random order."""
    sent = scenario.flows(count)
    order = shuffled(count)
    made = scenario.frames(sent, np.arange(count))[order]
    return Traffic(scenario, sent, order, made, opened=count if scenario.makes_flows else None,
                   exactly=scenario.makes_flows)


def infinite(path, number=0):
    """A device that sends a file's frames again and again."""
    return f"net_pcap{number},rx_pcap={path},infinite_rx=1"


class Feed:
    """Sends frames into a pipe, a device's `rx_pcap`, as long as the block runs.

    `chunks` yields bytes of records. They must not stop while the program has to respond: a worker
    that waits for the pipe does nothing else.
    """

    def __init__(self, path, chunks):
        make_pipe(path)
        self.path = path
        self._chunks = chunks
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def device(self, number):
        return f"net_pcap{number},rx_pcap={self.path}"

    def beside(self, sink):
        """The sink, with these frames as its input."""
        return f"{sink},rx_pcap={self.path}" if sink.startswith("net_pcap") else self.device(9)

    def _open(self):
        while not self._ended.is_set():
            with contextlib.suppress(OSError):  # ENXIO until there is a reader
                file = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
                fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
                return file
            time.sleep(0.005)
        return None

    def _run(self):
        file = self._open()
        if file is None:
            return
        with contextlib.suppress(BrokenPipeError):
            self._write(file, frames.PCAP_HEADER)
            for chunk in self._chunks:
                self._write(file, chunk)
                if self._ended.is_set():
                    break
        os.close(file)

    def _write(self, file, data):
        view = memoryview(data)
        while len(view) > 0 and not self._ended.is_set():
            if select.select([], [file], [], 0.1)[1]:
                view = view[os.write(file, view[:PIPE_BYTES]):]

    def end(self):
        """From now on the device has nothing to send."""
        self._ended.set()
        self._thread.join()

    def __exit__(self, *_):
        self.end()
        os.unlink(self.path)


def again_and_again(made):
    """Chunks of records for a Feed: all frames, again and again."""
    data = frames.records(made)
    size = frames.RECORD_BYTES + made.shape[1]
    step = max(1, (1 << 18) // size) * size
    while True:
        for at in range(0, len(data), step):
            yield data[at:at + step]


def make_pipe(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    os.mkfifo(path)


class Drain:
    """The far end of a `tx_pcap` sink: keeps the wanted part and discards the rest.

    Made before the program is started, which otherwise waits for a reader. It never stops reading:
    a worker that waits for the pipe keeps the daemon from answering.
    """

    def __init__(self, path):
        make_pipe(path)
        self.path = path
        self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self._parts = []
        self.size = 0
        self._limit = None
        self._ended = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._ended:
            if not select.select([self._file], [], [], 0.1)[0]:
                continue
            part = os.read(self._file, PIPE_BYTES)
            if not part:
                time.sleep(0.005)  # no writer yet, or no longer
            elif self._limit is None or self.size < self._limit:
                self._parts.append(part)
                self.size += len(part)

    def keep_until(self, size):
        """Ignores what comes after the first `size` bytes."""
        self._limit = size

    def device(self, number):
        return f"net_pcap{number},tx_pcap={self.path}"

    def data(self):
        """All that was kept, from the file's beginning."""
        return b"".join(self._parts)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._ended = True
        self._thread.join()
        os.close(self._file)
        os.unlink(self.path)
