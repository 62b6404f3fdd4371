"""What is installed on nodes: the unit, the packages, the manifests."""

import glob
import json
import os
import shutil
import subprocess

import cluster as lab
import yaml
from checks import expect, expect_equal
from lab.net import run
from lab.node import BUILD, program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = f"{ROOT}/configs/systemd/podlaned.service"
UNITS = {"podlaned": "podlaned", "podlaned-give-back": "podlaned", "podlane-kube": "podlane-kube"}
MANIFEST = f"{ROOT}/configs/kubernetes/podlane.yaml"
MOST_EXPOSURE = 39  # in tenths, from systemd-analyze security


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def unit(report):
    if not shutil.which("systemd-analyze"):
        report.skip("the unit is right and keeps podlaned in", "there is no systemd-analyze")
        return
    os.makedirs("/run/lab/unit")
    paths = {name: f"/run/lab/unit/{name}.service" for name in UNITS}
    for name, path in paths.items():
        text = text_of(f"{ROOT}/configs/systemd/{name}.service")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace(f"/usr/sbin/{UNITS[name]}", program(UNITS[name])))
    for name, path in paths.items():
        with report.check(f"systemd-analyze verify has nothing to say of {name}'s unit"):
            done = run(["systemd-analyze", "verify", path], check=False)
            expect_equal((done.returncode, done.stderr), (0, ""))
        with report.check(f"systemd-analyze security of {name}: exposure below 4.0"):
            done = run(["systemd-analyze", "security", "--offline=true",
                        f"--threshold={MOST_EXPOSURE}", path], check=False)
            expect(done.returncode == 0, done.stdout.splitlines()[-1:])


def within_the_unit(report, node):
    """podlaned needs no right that the unit takes away."""
    lines = [line.split("=", 1) for line in text_of(UNIT).splitlines() if "=" in line]
    names = " ".join(value for key, value in lines if key == "CapabilityBoundingSet").split()
    bounds = ",".join(["-all", *("+" + name.removeprefix("CAP_").lower() for name in names)])
    with report.check("podlaned and a pod work with the unit's capabilities alone"):
        expect(names, "the unit names none")
        node.start(prefix=["setpriv", f"--bounding-set={bounds}", "--no-new-privs"])
        status = text_of(f"/proc/{node.daemon.popen.pid}/status")
        effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
        held = int(effective.split()[1], 16)
        # At `ready` it has dropped what it no longer uses (test_privileges.py).
        expect(0 < held.bit_count() <= len(names), f"capabilities in effect: {held:x}")
        pod = node.add_pod("web")
        for gateway in node.gateways:
            lab.expect_ping(pod.namespace, gateway, count=2)
        expect_equal(node.stop(), 0, "exit code")


def manifests(report):
    with open(MANIFEST, encoding="utf-8") as file:
        objects = {each["kind"]: each for each in yaml.safe_load_all(file)}
    data = objects["ConfigMap"]["data"]
    with report.check("the manifest's CNI configuration is the example's"):
        example = json.loads(text_of(f"{ROOT}/configs/cni/10-podlane.conflist"))
        expect_equal(json.loads(data["10-podlane.conflist"]), example)
    with report.check("the manifest's node configuration is right, in a file of its name"):
        for name, text in data.items():
            if not name.endswith(".yaml"):
                continue
            path = f"/run/lab/{name}"
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            run([program("podlaned"), "--config", path, "--check"])
            expect_equal(yaml.safe_load(text)["node"] + ".yaml", name)
    with report.check("the manifest's parts name each other, and each mount has its volume"):
        pod = objects["DaemonSet"]["spec"]["template"]["spec"]
        expect_equal(pod["priorityClassName"], objects["PriorityClass"]["metadata"]["name"])
        account = objects["ServiceAccount"]["metadata"]
        expect_equal(pod["serviceAccountName"], account["name"])
        subject = objects["ClusterRoleBinding"]["subjects"][0]
        expect_equal((subject["name"], subject["namespace"]),
                     (account["name"], account["namespace"]))
        expect_equal(objects["ClusterRoleBinding"]["roleRef"]["name"],
                     objects["ClusterRole"]["metadata"]["name"])
        volumes = {each["name"] for each in pod["volumes"]}
        mounted = {mount["name"] for each in pod["containers"] + pod["initContainers"]
                   for mount in each["volumeMounts"]}
        expect_equal(mounted, volumes)
    with report.check("the service account may read, write Events and status alone"):
        writes = [(rule["resources"], rule["verbs"]) for rule in objects["ClusterRole"]["rules"]
                  if rule["verbs"] != ["get", "list", "watch"]]
        expect_equal(writes, [(["events"], ["create"]),
                              (["nodes/status", "services/status"], ["patch"]),
                              (["ingresses/status"], ["patch"])])


def packages(report):
    if not all(shutil.which(name) for name in ("dh", "fakeroot", "lintian")):
        report.skip("the packages are made", "debhelper, fakeroot or lintian is not installed")
        return
    with report.check("the packages are made, and lintian has no error or warning"):
        done = subprocess.run([f"{ROOT}/scripts/deb.sh", BUILD], capture_output=True, text=True,
                              timeout=300, check=False)
        expect_equal(done.returncode, 0, done.stdout[-1500:] + done.stderr[-500:])
    wanted = {
        "podlaned": ["./usr/sbin/podlaned", "./lib/systemd/system/podlaned.service",
                     "./lib/systemd/system/podlaned-give-back.service",
                     "./lib/systemd/network/05-podlane.network",
                     "./usr/lib/NetworkManager/conf.d/podlane.conf",
                     "./etc/podlane/", "./usr/share/doc/podlaned/examples/kubernetes/podlane.yaml"],
        "podlanectl": ["./usr/bin/podlanectl"],
        "podlane-kube": ["./usr/sbin/podlane-kube",
                         "./lib/systemd/system/podlane-kube.service",
                         "./usr/share/man/man8/podlane-kube.8.gz"],
        "podlane-cni": ["./usr/lib/cni/podlane-cni",
                        "./usr/share/doc/podlane-cni/examples/10-podlane.conflist",
                        "./usr/share/man/man8/podlane-cni.8.gz"],
    }
    for name, paths in wanted.items():
        with report.check(f"package {name} has what docs/install.md says"):
            package, = glob.glob(f"{BUILD}/deb/{name}_*.deb")
            listed = [line.split()[5] for line in
                      run(["dpkg-deb", "--contents", package]).stdout.splitlines()]
            expect_equal([path for path in paths if path not in listed], [], "lacks")
    with report.check("podlaned has DPDK and its drivers in itself"):
        needed = run(["ldd", program("podlaned")]).stdout
        expect("librte" not in needed, needed)
    with report.check("podlane-cni needs no library"):
        done = run(["ldd", program("podlane-cni")], check=False)
        expect("not a dynamic" in done.stdout + done.stderr, done.stdout)


@lab.with_cluster(names=("a",), outside=False, start=False)
def tests(report, _options, cluster):
    unit(report)
    within_the_unit(report, cluster.nodes["a"])
    manifests(report)
    packages(report)


if __name__ == "__main__":
    lab.main(tests, workers=1)
