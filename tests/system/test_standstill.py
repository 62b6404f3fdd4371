"""A stuck worker blocks nothing else: the socket answers, and says which worker it is."""

import json
import os
import signal
import subprocess
import time

import cluster as lab
from checks import expect, expect_equal
from lab import objects

STOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "stop_thread.py")
SECONDS = 60


def stop_worker(report, node):
    """Stops worker 0; returns the process that does it, None if this is not allowed."""
    tid = node.stats()["workers"][0]["tid"]
    process = subprocess.Popen([lab.PYTHON, STOP, str(tid), str(SECONDS)], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if process.stdout.readline().strip() == "stopped":
        return process
    report.note(f"no thread can be held still here: {process.stderr.read().strip()}")
    return None


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def let_go(process):
    """The thread goes on: a tracer's end detaches it."""
    process.terminate()
    process.wait(10)


def asked(node, *words, check=True):
    """(seconds, exit code, standard output) of a command."""
    began = time.monotonic()
    done = node.ctl(*words, check=False)
    if check:
        expect_equal(done.returncode, 0, f"{words}: {done.stderr}")
    return time.monotonic() - began, done.returncode, done.stdout


def health_of(node):
    code, out = asked(node, "-o", "json", "health", check=False)[1:]
    return code, json.loads(out)


def one_mode(report, cluster, node, mode):
    served = cluster.pod("a", f"{mode}-served")
    client = cluster.pod("a", f"{mode}-client", servers=False)
    cluster.pod("a", f"{mode}-other", servers=False)
    web = objects.service("web", ["10.96.0.10"], [objects.port(80, lab.LINES)])
    slice_of_web = objects.endpoint_slice(
        "web", [objects.endpoint(served.address(4), node.name)], [("main", "TCP", lab.LINES)])
    cluster.apply(web, slice_of_web)
    quiet = max(asked(node, "stats")[0] for _ in range(3))
    before = node.stats()["generation"]
    stopped = stop_worker(report, node)
    if stopped is None:
        return
    try:
        with report.check(f"{mode}: health names the worker, within 8 s, with exit code 3"):
            lab.wait_until(
                lambda: "worker 0 stands still" in str(health_of(node)[1]["problems"]), 8,
                "health says so")
            code, health = health_of(node)
            expect_equal((code, health["status"], health["ready"], health["live"]),
                         (3, "degraded", False, True), "health")
        # Relative to a quiet daemon: on a busy machine, starting podlanectl takes most of the time.
        most = 1 + 2 * quiet
        for what, words in (("stats", ("stats",)), ("get", ("get", "services")),
                            ("a removal", ("delete", "service", "default/web")),
                            ("pod del", ("pod", "del", f"default/{mode}-other")),
                            ("health", ("health", "--live"))):
            with report.check(f"{mode}: {what} is answered within a second"):
                seconds = asked(node, *words)[0]
                expect(seconds < most, f"{seconds:.2f} s, quiet {quiet:.2f} s")
        with report.check(f"{mode}: a pod can be attached"):
            seconds = time.monotonic()
            cluster.pod("a", f"{mode}-new", servers=False)
            expect(time.monotonic() - seconds < most + 2, "took too long")
        with report.check(f"{mode}: forty changes leave no more behind than the last"):
            for number in range(20):
                port = objects.port(1 + number, 80)
                cluster.apply(objects.service("many", ["10.96.0.11"], [port]))
                node.ctl("delete", "service", "default/many")
            expect(node.stats()["generation"] >= before + 40, node.stats()["generation"])
    finally:
        let_go(stopped)
    with report.check(f"{mode}: when it goes on all is well, and what waited has happened"):
        lab.wait_until(lambda: health_of(node)[1]["status"] == "ok", 8, "health is ok")
        cluster.apply(web, slice_of_web)
        lab.expect_ping(client.namespace, node.gateway(4), count=3)
        lab.call(client.namespace, "ask", address="10.96.0.10", port=80)


def ends(report, node):
    stopped = stop_worker(report, node)
    if stopped is None:
        return
    with report.check("SIGTERM ends podlaned all the same, and takes its interfaces along"):
        popen = node.daemon.popen
        try:
            popen.send_signal(signal.SIGTERM)
            # It has ended except for the thread that we hold; only we may reap that.
            lab.wait_until(lambda: state_of(popen.pid) == "Z", 10, "the process ends")
            expect_equal(node.leftovers(), [], "left behind")
        finally:
            let_go(stopped)
        expect_equal(popen.wait(5), 0, "exit code")
        node.daemon = None


def tests(report, options):
    for mode in ("poll", "adaptive"):
        cluster = lab.Cluster(names=("a",), start=False)
        node = cluster.nodes["a"]
        node.config["idle"] = mode
        try:
            cluster.start()
            one_mode(report, cluster, node, mode)
            if mode == "poll":
                ends(report, node)
            else:
                cluster.stop_checks(report)
        except Exception:
            for line in cluster.describe():
                report.note(line)
            raise
        finally:
            cluster.close()


if __name__ == "__main__":
    lab.main(tests)
