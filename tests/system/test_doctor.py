"""`podlanectl doctor` on a node, without one, and on a node with a problem."""

import json

import cluster as lab
from checks import expect, expect_equal
from lab.net import run
from lab.node import program


def in_node(node, *words):
    """podlanectl where /sys shows the node's own interfaces."""
    command = " ".join([program("podlanectl"), "--socket", node.socket, *words])
    return run(node.namespace.command(
        ["unshare", "--mount", "sh", "-c", f"mount -t sysfs sysfs /sys && exec {command}"]),
        check=False)


@lab.with_cluster(names=("a",), outside=False)
def tests(report, options, cluster):
    node = cluster.nodes["a"]
    cluster.pod("a", "web", servers=False)
    with report.check("doctor looks at the machine and at the node"):
        done = in_node(node, "doctor", "--all")
        expect(done.returncode in (0, 3), f"{done.returncode}: {done.stdout}{done.stderr}")
        for part in ("ok    kernel", "ok    podlaned", "ok    mtu", " well\n"):
            expect(part in done.stdout, f"no \"{part}\" in {done.stdout}")
    with report.check("-o json has severity, check, what was found and how to mend it"):
        findings = json.loads(in_node(node, "-o", "json", "doctor").stdout)
        expect(all({"severity", "check", "found"} <= set(each) for each in findings), findings)
        expect(all("mend" in each for each in findings if each["severity"] != "ok"), findings)
    with report.check("doctor works without podlaned, and says so"):
        done = run([program("podlanectl"), "--socket", "/run/lab/none.sock", "doctor"],
                   check=False)
        expect("podlaned does not answer" in done.stdout, done.stdout)
    with report.check("an interface with a smaller MTU than its uplink is named, exit 3"):
        node.namespace.ip("link", "set", "eth1", "mtu", "1400")
        done = in_node(node, "doctor")
        node.namespace.ip("link", "set", "eth1", "mtu", "1500")
        expect("its interface eth1 has 1400" in done.stdout, done.stdout + done.stderr)
        expect_equal(done.returncode, 3, "exit code")


if __name__ == "__main__":
    lab.main(tests)
