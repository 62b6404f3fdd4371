"""A podlaned that a benchmark runs and queries over its socket, with its CPU time and memory."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import time

BUILD = pathlib.Path(os.environ.get("PODLANE_BUILD")
                     or pathlib.Path(__file__).resolve().parent.parent / "build")


class Live:
    """podlaned with this configuration (a dict without `socket`), ready; a context manager."""

    def __init__(self, config, folder, *, timeout=60):
        folder = pathlib.Path(folder)
        self.socket_path = str(folder / "podlane.sock")
        self.log = folder / "podlaned.log"
        file = folder / "node.yaml"
        file.write_text(json.dumps({**config, "socket": self.socket_path,
                                    "state": {"keep": False}}), encoding="utf-8")
        with self.log.open("wb") as log:
            self._process = subprocess.Popen([BUILD / "podlaned", "--config", file],
                                             stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self._process.pid
        end = time.monotonic() + timeout
        while " ready" not in self.log.read_text(encoding="utf-8", errors="replace"):
            if self._process.poll() is not None or time.monotonic() > end:
                self.close()
                raise RuntimeError(f"podlaned: {self.log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.02)
        self.rpc = Rpc(self.socket_path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def stats(self):
        return self.rpc.call("stats")

    def memory(self):
        """Resident bytes now, and the most since the start; both include hugepages."""
        lines = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":", 1) for line in lines)
        now, most, huge = (int(fields[key].split()[0]) * 1024
                           for key in ("VmRSS", "VmHWM", "HugetlbPages"))
        return now + huge, most + huge


class Rpc:
    """One connection to the config socket; `call` for use, `send` and `receive` for timing."""

    def __init__(self, path, timeout=600):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(timeout)
        self._socket.connect(path)
        self._rest = b""

    def send(self, message):
        self._socket.sendall(message)

    def receive(self):
        """The next line, without its end."""
        parts = [self._rest]
        while b"\n" not in parts[-1]:
            part = self._socket.recv(1 << 20)
            if not part:
                raise RuntimeError("podlaned closed the connection")
            parts.append(part)
        last, _, self._rest = parts[-1].partition(b"\n")
        return b"".join([*parts[:-1], last])

    def call(self, method, **params):
        self.send(request(method, **params))
        return result_of(self.receive())

    def time(self, message):
        """Seconds from the first byte of `message` to the end of its reply, and the result."""
        started = time.perf_counter()
        self.send(message)
        line = self.receive()
        return time.perf_counter() - started, result_of(line)


def request(method, **params):
    """A message for Rpc.send()."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"


def result_of(line):
    reply = json.loads(line)
    if "error" in reply:
        raise RuntimeError(reply["error"]["message"])
    return reply["result"]
