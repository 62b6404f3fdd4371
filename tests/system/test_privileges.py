"""What podlaned may do once it runs, what works all the same, and the socket that only reads."""

import glob
import os
import re

import cluster as lab
from checks import expect, expect_equal
from lab.net import run
from lab.node import program

# linux/capability.h: DAC_OVERRIDE, NET_BIND_SERVICE, NET_ADMIN, NET_RAW, SYS_PTRACE, SYS_ADMIN
KEPT = sum(1 << bit for bit in (1, 10, 12, 13, 19, 21))
GROUP, NOBODY = "54321", "65534"


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
    reading = "/run/lab/read.sock"
    node.config["readOnlySocket"] = reading
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
