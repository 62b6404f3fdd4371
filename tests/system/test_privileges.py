"""What podlaned may do once it runs, what still works then, and who may request what."""

import glob
import json
import os
import re
import subprocess
import time

import cluster as lab
from checks import expect, expect_equal
from lab.net import PYTHON, run, wait_until
from lab.node import program

# linux/capability.h: NET_BIND_SERVICE, NET_ADMIN, NET_RAW, BPF
KEPT = sum(1 << bit for bit in (10, 12, 13, 39))
# DAC_READ_SEARCH, NET_ADMIN, SYS_PTRACE, SYS_ADMIN
ATTACHING = sum(1 << bit for bit in (2, 12, 19, 21))
GROUP, KEYS_GROUP, NOBODY = "54321", "54322", "65534"
READING = "/run/lab/read.sock"
KEY = "c2VjcmV0"
SECRET = f"""
apiVersion: v1
kind: Secret
metadata: {{name: cert}}
type: kubernetes.io/tls
data: {{tls.crt: Zm9v, tls.key: {KEY}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: shop}}
spec: {{tls: [{{secretName: cert}}]}}
"""


def threads(pid):
    """{thread's name and id: {field: value}} of /proc/PID/task/*/status."""
    out = {}
    for path in glob.glob(f"/proc/{pid}/task/*/status"):
        with open(path, encoding="utf-8") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        out[f"{fields['Name']} {fields['Pid']}"] = fields
    return out


def as_reader(node, *words):
    """A command of a user who is only in GROUP."""
    return run(["setpriv", "--reuid", NOBODY, "--regid", GROUP, "--clear-groups",
                program("podlanectl"), *words], check=False)


def as_operator(node, group, **params):
    """The answer of ingress.objects to a member of the socket's group with this primary group."""
    program_text = (
        "import json, socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])\n"
        "s.sendall(sys.argv[2].encode() + b'\\n'); print(s.makefile().readline())\n")
    call = {"jsonrpc": "2.0", "id": 1, "method": "ingress.objects", "params": params}
    done = run(["setpriv", "--reuid", NOBODY, "--regid", group, "--groups", GROUP,
                PYTHON, "-c", program_text, node.socket, json.dumps(call)])
    return json.loads(done.stdout)


def keys(report, node):
    """TLS keys need all three: `keys: true`, the right, and the socket that accepts changes."""
    os.chown(node.socket, 0, int(GROUP))
    node.apply(SECRET)
    with report.check("TLS keys are not for everybody who may change objects"):
        reply = as_operator(node, NOBODY, keys=True)
        expect_equal(reply.get("error", {}).get("code"), 5, str(reply)[:300])
        reply = as_operator(node, NOBODY)
        expect(len(reply["result"]["items"]) == 1 and KEY not in json.dumps(reply), str(reply))
    with report.check("they are for the group that security.keys names"):
        reply = as_operator(node, KEYS_GROUP, keys=True)
        expect(KEY in json.dumps(reply), str(reply)[:300])
        reply = as_operator(node, KEYS_GROUP)
        expect(KEY not in json.dumps(reply), str(reply)[:300])
    with report.check("not even root sees them elsewhere"):
        for socket in (node.socket, READING):
            for words in (["get", "secrets", "-A"], ["-o", "yaml", "get", "secrets", "-A"],
                          ["-o", "json", "get", "secrets", "default/cert"],
                          ["describe", "secrets"], ["-o", "yaml", "get", "ingresses", "-A"]):
                done = run([program("podlanectl"), "--socket", socket, *words], check=False)
                expect(KEY not in done.stdout + done.stderr, f"{words}: {done.stdout}")
        done = run([program("podlanectl"), "--socket", READING, "ingress", "config", "--out",
                    "/run/lab/ingress"], check=False)
        expect(done.returncode == 1 and "only reads" in done.stderr, done.stderr)


def filtered(report, node):
    """System calls, by each thread's own list."""
    pid = node.daemon.popen.pid
    workers = {str(worker["tid"]) for worker in node.stats()["workers"]}
    with report.check("each thread's system calls are filtered, workers' twice"):
        for name, fields in threads(pid).items():
            expect_equal(fields["Seccomp"].strip(), "2", name)
            is_narrow = fields["Pid"].strip() in workers or name.startswith("podlane-dns")
            if "Seccomp_filters" in fields:
                expect_equal(int(fields["Seccomp_filters"]), 3 if is_narrow else 2, name)
        expect_equal(node.json("health")["seccomp"], "on", "health")


def attacher_of(pid):
    """The one child of podlaned."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        children = file.read().split()
    expect_equal(len(children), 1, "children of podlaned")
    return int(children[0])


def has_ended(pid):
    """Also true of a process that has not been reaped yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(") ", 1)[1].startswith("Z")
    except OSError:
        return True


def attached_by_another(report, cluster, node):
    """The process that enters namespaces: its rights, and its end."""
    child = attacher_of(node.daemon.popen.pid)
    with report.check("the process that attaches pods has what that takes, and no more"):
        for name, fields in threads(child).items():
            expect(name.startswith("podlane-attach"), name)
            for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb"):
                extra = int(fields[kind], 16) & ~ATTACHING
                expect(extra == 0, f"{name}: {kind} {fields[kind]}")
            expect_equal((fields["NoNewPrivs"].strip(), fields["Seccomp"].strip()), ("1", "2"),
                         name)
        held = {os.path.basename(path): os.readlink(path)
                for path in glob.glob(f"/proc/{child}/fd/*")}
        expect_equal(sorted(held), ["0", "1", "2", "3"], "descriptors")
        expect_equal({held[fd] for fd in "012"}, {"/dev/null"}, "standard ones")
    node.stop()
    node.config["state"] = {"keep": True}
    node.start()
    three = cluster.pod("a", "three")
    with report.check("a namespace that only it may look at is attached, and taken back"):
        sleeper = subprocess.Popen(
            ["setpriv", "--reuid", NOBODY, "unshare", "--user", "--net", "sleep", "600"])
        try:
            path = f"/proc/{sleeper.pid}/ns/net"
            wait_until(lambda: os.path.exists(path) and
                       os.readlink(path) != os.readlink("/proc/self/ns/net"), 10, "a namespace")
            node.ctl("pod", "add", "default/hidden", "--netns", path, "--address", "10.244.1.77")
            node.stop(9)
            node.start()
            expect("default/hidden" in node.ctl("get", "ports").stdout, node.daemon.output()[-800:])
            time.sleep(2)  # it is checked each second
            expect("default/hidden" in node.ctl("get", "ports").stdout, node.daemon.output()[-800:])
            node.ctl("pod", "del", "default/hidden")
        finally:
            sleeper.kill()
            sleeper.wait()
    with report.check("what is no network namespace is refused by name"):
        os.mkfifo("/run/lab/fifo")
        for path in ("/run/lab/fifo", "/dev/null", "/etc/passwd", "/nowhere"):
            done = node.ctl("pod", "add", "default/no", "--netns", path, "--address",
                            "10.244.1.78", check=False)
            expect(done.returncode == 1 and path in done.stderr, done.stderr)
    with report.check("when it ends podlaned says so and ends as well, with exit code 1"):
        os.kill(attacher_of(node.daemon.popen.pid), 9)
        expect_equal(node.daemon.popen.wait(20), 1, "exit code")
        expect("attaches pods has ended by signal 9" in node.daemon.output(),
               node.daemon.output()[-500:])
    node.stop()
    node.start()
    with report.check("its pods were taken back"):
        lab.expect_ping(three.namespace, cluster.outside_address(4))
    for signal in (9, 15):
        with report.check(f"it ends with podlaned, by signal {signal}"):
            child = attacher_of(node.daemon.popen.pid)
            node.stop(signal)
            wait_until(lambda pid=child: has_ended(pid), 5, "it has ended")
            node.start()
    node.end()
    three.namespace.close()
    node.pods.remove(three)
    node.config["state"] = {"keep": False}
    node.start()


def not_filtered(report, node):
    node.stop()
    node.config["security"] = {"seccomp": "off"}
    node.start()
    with report.check("security.seccomp: off is obeyed, and is told"):
        for name, fields in threads(node.daemon.popen.pid).items():
            expect_equal(fields["Seccomp"].strip(), "0", name)
        expect("system calls are not filtered" in node.daemon.output(), "nothing in the log")
        expect("security.seccomp is off" in node.ctl("health").stdout, "nothing in health")
        found = run([program("podlanectl"), "--socket", node.socket, "doctor"], check=False)
        expect("system calls are not filtered" in found.stdout, found.stdout)


def hardened(report):
    # Not podlane-cni: it is linked statically and started anew for each call.
    for name in ("podlaned", "podlanectl", "podlane-kube"):
        if not os.path.exists(program(name)):
            continue
        with report.check(f"{name} is position-independent, its relocations read-only"):
            seen = run(["readelf", "-Whld", program(name)]).stdout
            expect(re.search(r"Type:\s+DYN", seen), "no PIE")
            expect("GNU_RELRO" in seen, "no RELRO")
            expect(re.search(r"BIND_NOW|FLAGS_1.*NOW", seen), "not bound at start")
            stack = next(line for line in seen.splitlines() if "GNU_STACK" in line)
            expect("RWE" not in stack, f"executable stack: {stack}")


def tests(report, options):
    hardened(report)
    cluster = lab.Cluster(names=("a",), start=False, workers=2)
    node = cluster.nodes["a"]
    reading = READING
    node.config["readOnlySocket"] = reading
    node.config["security"] = {"keys": int(KEYS_GROUP)}
    os.chmod("/run/lab", 0o755)
    try:
        cluster.start()
        pid = node.daemon.popen.pid
        with report.check("no thread has a capability that is not used, or can get one"):
            expect("capabilities that are not used" not in node.daemon.output(),
                   node.daemon.output()[-1000:])
            for name, fields in threads(pid).items():
                for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
                    extra = int(fields[kind], 16) & ~KEPT
                    expect(extra == 0, f"{name}: {kind} {fields[kind]}")
                expect_equal(fields["NoNewPrivs"].strip(), "1", f"{name}: NoNewPrivs")
            main = next(f for f in threads(pid).values() if f["Pid"].strip() == str(pid))
            expect_equal(int(main["CapBnd"], 16) & ~KEPT, 0, "bounding set")
        with report.check("workers have none"):
            for worker in node.stats()["workers"]:
                fields = next(f for f in threads(pid).values()
                              if f["Pid"].strip() == str(worker["tid"]))
                expect_equal(int(fields["CapPrm"], 16), 0, f"worker {worker['id']}")
        one, two = cluster.pod("a", "one"), cluster.pod("a", "two")
        with report.check("pods are attached, reached, and removed"):
            lab.expect_ping(one.namespace, two.address(4))
            lab.expect_ping(one.namespace, cluster.outside_address(6))
            two.remove()
        with report.check("the reading socket is for its group, and takes no change"):
            os.chown(reading, 0, int(GROUP))
            for words in (["stats"], ["health"], ["get", "ports"]):
                done = as_reader(node, "--socket", reading, *words)
                expect_equal(done.returncode, 0, f"{words}: {done.stderr}")
            refused = as_reader(node, "--socket", reading, "pod", "del", "default/one")
            expect(refused.returncode == 1 and "only reads" in refused.stderr, refused.stderr)
            other = as_reader(node, "--socket", node.socket, "stats")
            expect_equal(other.returncode, 1, "the other socket, by the same user")
        filtered(report, node)
        keys(report, node)
        attached_by_another(report, cluster, node)
        not_filtered(report, node)
        cluster.stop_checks(report)
        with report.check("the reading socket is gone as well"):
            expect(not os.path.exists(reading), "left behind")
    except Exception:
        for line in cluster.describe():
            report.note(line)
        raise
    finally:
        cluster.close()


if __name__ == "__main__":
    lab.main(tests)
