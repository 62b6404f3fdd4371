"""What podlaned may do once it runs, what works all the same, and who may ask for what."""

import glob
import json
import os
import re

import cluster as lab
from checks import expect, expect_equal
from lab.net import PYTHON, run
from lab.node import program

# linux/capability.h: DAC_OVERRIDE, NET_BIND_SERVICE, NET_ADMIN, NET_RAW, SYS_PTRACE, SYS_ADMIN
KEPT = sum(1 << bit for bit in (1, 10, 12, 13, 19, 21))
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
    """A command of a user who is in no group but GROUP."""
    return run(["setpriv", "--reuid", NOBODY, "--regid", GROUP, "--clear-groups",
                program("podlanectl"), *words], check=False)


def as_operator(node, group, **params):
    """What ingress.objects answers to a member of the socket's group whose first one is this."""
    program_text = (
        "import json, socket, sys\n"
        "s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])\n"
        "s.sendall(sys.argv[2].encode() + b'\\n'); print(s.makefile().readline())\n")
    call = {"jsonrpc": "2.0", "id": 1, "method": "ingress.objects", "params": params}
    done = run(["setpriv", "--reuid", NOBODY, "--regid", group, "--groups", GROUP,
                PYTHON, "-c", program_text, node.socket, json.dumps(call)])
    return json.loads(done.stdout)


def keys(report, node):
    """TLS keys: `keys: true`, the right, and the socket that takes changes; all three."""
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
    # Not podlane-cni, which is linked statically and started anew for each call.
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
