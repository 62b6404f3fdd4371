"""The programs that are measured, each with one worker on the same CPU."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from . import machine, world
from lab.node import Rpc  # world has put scripts/ on the path


class Failed(Exception):
    """A program did not do what the bench asked for; the text has the end of its log."""


class Program:
    """A process that forwards. It is paused unless it is resumed."""

    name = "?"

    def __init__(self, folder, name):
        self.name = name
        self.folder = folder
        self.log = os.path.join(folder, f"{name}.log")
        self.process = None
        self.tid = None
        self._stopped = False

    def spawn(self, command, **options):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, **options)

    def log_end(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-1500:].strip()

    def wait_for(self, condition, timeout, what):
        end = time.monotonic() + timeout
        while True:
            with contextlib.suppress(OSError):
                value = condition()
                if value:
                    return value
            if self.process.poll() is not None:
                raise Failed(f"{self.name} ended with {self.process.returncode} before {what}: "
                             f"{self.log_end()}")
            if time.monotonic() > end:
                raise Failed(f"{self.name}: {what}: not within {timeout} s: {self.log_end()}")
            time.sleep(0.02)

    def pause(self):
        if not self._stopped:
            self.process.send_signal(signal.SIGSTOP)
            self._stopped = True

    def resume(self):
        if self._stopped:
            self.process.send_signal(signal.SIGCONT)
            self._stopped = False

    def close(self):
        """Ends the process, by force if it does not end by itself."""
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def packets(self):
        """Packets that have left by the sink."""
        raise NotImplementedError

    def memory(self):
        """Resident bytes, with hugepages."""
        with open(f"/proc/{self.process.pid}/smaps_rollup", encoding="ascii") as file:
            sizes = dict(line.split()[:2] for line in file if line.count(":") == 1)
        return 1024 * sum(int(sizes[f"{key}:"])
                          for key in ("Rss", "Private_Hugetlb", "Shared_Hugetlb"))

    def sample_cpu(self):
        """CPU ns of the worker so far, read when the kernel has just updated them."""
        return machine.at_tick(self.process.pid, self.tid)

    def sample(self):
        """(CPU ns of the worker, packets at the sink), taken at the same time."""
        return self.sample_cpu(), self.packets()

    def window(self, seconds):
        """ns of the worker's CPU time for each packet over an interval, and the packets."""
        start = self.sample()
        time.sleep(seconds)
        end = self.sample()
        packets = end[1] - start[1]
        if packets <= 0:
            raise Failed(f"{self.name} sends nothing: {self.describe()}")
        return (end[0] - start[0]) / packets, packets

    def describe(self):
        return self.log_end()


class Podlaned(Program):
    """The daemon with its own configuration."""

    def __init__(self, folder, build, config, documents, *, name="podlaned", sink="servers"):
        super().__init__(folder, name)
        self.sink = sink
        self.socket = config["socket"]
        path = os.path.join(folder, f"{name}.yaml")
        objects_path = os.path.join(folder, f"{name}-objects.json")
        with open(objects_path, "w", encoding="utf-8") as file:
            file.write(world.objects.document(*documents))
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**config, "objects": [objects_path]}, file, indent=1)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.socket)
        self.spawn([os.path.join(build, "podlaned"), "--config", path], stdin=subprocess.DEVNULL)
        self.rpc = None

    def ready(self, timeout=60):
        self.wait_for(lambda: self.log_end().endswith("ready"), timeout, "it is ready")
        self.rpc = Rpc(self.socket)
        self.tid = self.stats()["workers"][0]["tid"]
        return self

    def stats(self):
        return self.rpc.call("stats")

    def port(self, name):
        """The counters of the uplink or one of the pod ports."""
        name = name if name == "uplink" else f"bench/{name}"
        return next(port for port in self.stats()["ports"] if port["name"] == name)

    def packets(self):
        return self.port(self.sink)["txPackets"]

    def drops(self, but=()):
        """Packets dropped, by reason, without these reasons."""
        return {reason: count for reason, count in self.stats()["drops"].items()
                if count and reason not in but}

    def describe(self):
        try:
            stats = self.stats()
            return f"drops {self.drops()}, flows {stats['flows']}, ports " + ", ".join(
                f"{p['name']} rx {p['rxPackets']} tx {p['txPackets']}" for p in stats["ports"])
        except (OSError, AttributeError):
            return self.log_end()

    def close(self):
        if self.rpc:
            self.rpc.close()
        super().close()


class Testpmd(Program):
    """DPDK's own forwarder: the cost of the framework with the same source and sink."""

    def __init__(self, folder, devices, cpus, *, mbufs, mbuf_bytes, hugepages, mode="io",
                 name="testpmd", options=(), shared=()):
        super().__init__(folder, name)
        self._prefix = f"podlane-bench-{os.getpid()}-{name}"
        # A buffer does not cross a page.
        memory = ["--in-memory", *shared] if hugepages else [
            "--no-huge", "--no-shconf", "-m", str(mbufs * 4096 // 1000000 + 128)]
        command = ["dpdk-testpmd", f"--lcores=0@{cpus[0]},1@{cpus[1]}", "--no-pci", *memory,
                   f"--file-prefix={self._prefix}", "--log-level=*:3"]
        for device in devices:
            command += ["--vdev", device]
        command += ["--", "-i", f"--forward-mode={mode}", "--nb-cores=1", "--no-flush-rx",
                    f"--total-num-mbufs={mbufs}", f"--mbuf-size={mbuf_bytes}", "--mbcache=256",
                    *options]
        self.spawn(command, stdin=subprocess.PIPE)
        self._telemetry = None

    def ready(self, timeout=60):
        path = f"/var/run/dpdk/{self._prefix}/dpdk_telemetry.v2"
        self.wait_for(lambda: self.log_end().endswith("testpmd>"), timeout, "its prompt")
        self._telemetry = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._telemetry.settimeout(10)
        self._telemetry.connect(path)
        self._telemetry.recv(4096)
        self.command("start")
        self.tid = self.wait_for(self._worker, 10, "its worker runs")
        return self

    def _worker(self):
        folder = f"/proc/{self.process.pid}/task"
        for tid in os.listdir(folder):
            with open(f"{folder}/{tid}/comm", encoding="ascii") as file:
                if file.read().strip() in ("lcore-worker-1", "rte-worker-1"):
                    return int(tid)
        return None

    def command(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def mode(self, mode):
        """Changes the forwarding mode."""
        for line in ("stop", f"set fwd {mode}", "start"):
            self.command(line)
            time.sleep(0.2)

    def port(self, number):
        """The counters of a port, as the driver calls them: ipackets, opackets, oerrors ..."""
        self._telemetry.send(f"/ethdev/stats,{number}".encode())
        return json.loads(self._telemetry.recv(16384))["/ethdev/stats"]

    def packets(self):
        return self.port(1)["opackets"]

    def close(self):
        if self._telemetry:
            self._telemetry.close()
        if self.process.poll() is None:
            self.resume()
            with contextlib.suppress(OSError):
                self.command("quit")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(10)
        super().close()
