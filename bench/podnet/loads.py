"""The load between two pods, and its cost: iperf3 and wrk, and the CPU time of all."""

import json
import os
import re
import time

from lab.net import wait_until
from table import check

PORT = 5201
NGINX = """daemon off; master_process off; worker_processes 1; pid {path}.pid; error_log {path}.err;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 100000000; client_body_temp_path {path}.body;
  proxy_temp_path {path}.proxy; fastcgi_temp_path {path}.fcgi; uwsgi_temp_path {path}.uwsgi;
  scgi_temp_path {path}.scgi;
  server {{ listen 8080 backlog=4096; location / {{ return 200 "{body}"; }} }} }}
"""


def _ticks(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        words = file.read().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])



class Clock:
    """CPU seconds of these processes since it was made. The kernel's network work in soft
    interrupts counts for the interrupted process, which is usually one of these."""

    def __init__(self, pids):
        self._pids = pids
        self._begin = self._now()

    def _now(self):
        return sum(_ticks(pid) for pid in self._pids if os.path.exists(f"/proc/{pid}"))

    def seconds(self):
        return (self._now() - self._begin) / os.sysconf("SC_CLK_TCK")


def serve_iperf(space):
    process = space.spawn(["iperf3", "-s", "-p", str(PORT)], f"/run/lab/{space.name}.iperf")
    wait_until(lambda: f":{PORT} " in space.run(["ss", "-Hltn"]).stdout, 10, "iperf3 listens")
    return process


def serve_nginx(space):
    path = f"/run/lab/{space.name}.nginx"
    with open(path, "w", encoding="ascii") as file:
        file.write(NGINX.format(path=path, body="x" * 600))
    process = space.spawn(["nginx", "-c", path], path + ".log")
    wait_until(lambda: ":8080 " in space.run(["ss", "-Hltn"]).stdout, 10, "nginx listens")
    return process


def iperf(client, server, address, port, seconds, words, daemons):
    """One run: Gbit/s that arrived, and Gbit for each CPU second of both ends and `daemons`."""
    clock = Clock([server.popen.pid, *daemons])
    done = client.run(["iperf3", "-J", "-c", address, "-p", str(port), "-t", str(seconds),
                       *words], timeout=seconds + 30)
    result = json.loads(done.stdout)
    check("error" not in result, result.get("error"))
    end = result["end"]
    if "-u" in words:
        total = end["sum"]
        bits = total["bytes"] * 8 * (1 - total["lost_percent"] / 100)
    else:
        bits = end["sum_received"]["bytes"] * 8
    used = clock.seconds() + _client_cpu(end, seconds)
    return {"rate": bits / seconds / 1e9, "per_cpu": bits / 1e9 / max(used, 0.01)}


def _client_cpu(end, seconds):
    return end["cpu_utilization_percent"]["host_total"] / 100 * seconds


def wrk(client, address, seconds, close):
    """Requests/s with 64 connections, and the 99th percentile in ms."""
    header = ["-H", "Connection: close"] if close else []
    done = client.run(["wrk", "-t", "1", "-c", "64", "-d", f"{seconds}s", "--latency", *header,
                       f"http://{address}:80/"], timeout=seconds + 30)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    tail = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout)
    check(rate and tail, f"wrk: {done.stdout[-500:]}")
    scale = {"us": 1e-3, "ms": 1, "s": 1e3}[tail.group(2)]
    return {"rate": float(rate.group(1)), "p99": float(tail.group(1)) * scale}


def settle():
    """Waits between two runs until the sockets of the last one are closed."""
    time.sleep(0.3)
