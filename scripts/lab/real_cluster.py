"""A cluster of Kubernetes' own programs for the demo, where all of them are on the PATH.

The control plane (etcd, API server, controller manager, scheduler) runs in the outside client's
namespace, kubelet and containerd in each node's, with TLS and RBAC as in any cluster. What they
write is below /run/lab, or in folders that a mount hides; so it ends with the demo's namespaces.
Only control groups are the machine's own: remove_cgroups().
"""

import glob
import itertools
import json
import os
import shutil
import signal
import time

import yaml

from . import images, kubelet
from .cluster import Cluster, write_kubeconfig
from .net import CommandFailed, Namespace, Process, run, wait_until
from .node import program

PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kubectl",
            "etcd", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "openssl")
_PLUGIN_FOLDERS = ("/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni")
_FOLDER = "/run/lab/cluster"
_SOCKET_FOLDER = "/run/podlane"
_SERVICE_CIDR, _DNS = "10.96.0.0/12", "10.96.0.10"
# The process that waits outside for the demo has the same name, as this is read before they part.
_CGROUP = f"podlane-demo-{os.getpid()}"
# What a kubelet sets, for all of the machine; here it sees copies.
_SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops",
            "kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes")
# The words: podlaned's socket, a folder for copies, the command.
_NODE = f"""
    set -e
    socket=$1 copies=$2; shift 2
    for folder in /var/lib /var/log /run/podlane-cni; do mount -t tmpfs tmpfs $folder; done
    mount --bind $socket {_SOCKET_FOLDER}/podlane.sock
    for each in {" ".join(_SYSCTLS)}; do
        mkdir -p $copies/${{each%/*}}
        cat /proc/sys/$each > $copies/$each
        mount --bind $copies/$each /proc/sys/$each
    done
    exec "$@"
    """


def _plugin(name):
    """A CNI plugin's file; "" if this machine lacks it."""
    return shutil.which(name, path=":".join(_PLUGIN_FOLDERS)) or ""


def missing():
    """What a cluster needs and this machine lacks."""
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    return lacking + ([] if _plugin("loopback") else ["the CNI plugin loopback"])


def _cgroups(name):
    """Control groups of this name, inner ones first; in each hierarchy, if there are several."""
    found = []
    for root in glob.glob(f"/sys/fs/cgroup/{name}") + glob.glob(f"/sys/fs/cgroup/*/{name}"):
        found += [folder for folder, _, _ in os.walk(root, topdown=False)]
    return found


def _make_cgroups(name):
    """A control group with all controllers, in each hierarchy."""
    root = "/sys/fs/cgroup"
    if not os.path.exists(f"{root}/cgroup.controllers"):
        for folder in os.scandir(root):
            if folder.is_dir(follow_symlinks=False):
                os.makedirs(f"{folder.path}/{name}")
        return
    os.makedirs(f"{root}/{name}")
    with open(f"{root}/cgroup.controllers", encoding="ascii") as file:
        controllers = file.read().split()
    above = [root, f"{root}/{os.path.dirname(name)}"]
    for folder, controller in itertools.product(above, controllers):
        try:
            with open(f"{folder}/cgroup.subtree_control", "w", encoding="ascii") as file:
                file.write(f"+{controller}")
        except OSError:
            pass  # the kubelet says which it needs


def remove_cgroups():
    """Kills what runs in the demo's control groups and removes them; returns what is left."""

    def gone():
        for folder in _cgroups(_CGROUP):
            try:
                with open(f"{folder}/cgroup.procs", encoding="ascii") as file:
                    for pid in filter(int, file.read().split()):
                        os.kill(int(pid), signal.SIGKILL)
                os.rmdir(folder)
            except OSError:
                pass  # gone already, or not empty yet
        return not _cgroups(_CGROUP)

    try:
        wait_until(gone, 10, "the control groups")
    except TimeoutError:
        pass
    return _cgroups(_CGROUP)


def _remove_old_cgroups():
    """Empty ones, of demos that were killed with the process that waited for them."""
    for folder in _cgroups("podlane-demo-*"):
        try:
            os.rmdir(folder)
        except OSError:
            pass  # of a demo that runs


class RealPod:
    """A pod that a kubelet runs, as the demo's steps see it."""

    dir = images.FOLDER  # inside its containers

    def __init__(self, cluster, node, item):
        self.cluster, self.node = cluster, node
        self.name, self.address = item["metadata"]["name"], item["status"]["podIP"]
        ports = node.json("get", "ports")
        path = next(each["netns"] for each in ports if self.name in each["name"])
        self.namespace = Namespace.existing(os.path.basename(path))

    def run(self, words, **options):
        """In its first container."""
        return self.cluster.kubectl("exec", self.name, "--", *words, **options)

    def logs(self):
        done = self.cluster.kubectl("logs", self.name, "--all-containers", "--prefix", check=False)
        yield self.name, done.stdout + done.stderr


class RealCluster(Cluster):
    what = "Kubernetes' own programs, which are on the PATH"
    hint = f"kubectl --kubeconfig {_FOLDER}/admin.kubeconfig get pods -o wide"

    def __init__(self, *words):
        super().__init__(*words)
        self.url = f"https://{self.address}:6443"
        self._began = time.monotonic()

    # ---- waiting -------------------------------------------------------------------------------

    def _show(self, text):
        self.say(f"{time.monotonic() - self._began:5.1f} s  {text}")

    def _wait(self, what, condition, timeout=60):
        """Waits while the programs run."""
        self._show(f"waiting for {what}")

        def looked():
            self.check()
            return condition() or time.sleep(0.2)

        return wait_until(looked, timeout, what)

    # ---- certificates --------------------------------------------------------------------------

    def _certificate(self, name, subject, *extensions):
        """Signed by the cluster's authority, or that authority itself, of a name of its own."""
        key, certificate = f"{_FOLDER}/{name}.key", f"{_FOLDER}/{name}.crt"
        words = ["openssl", "req", "-config", f"{_FOLDER}/openssl.cnf", "-x509", "-days", "2",
                 "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-subj", subject, "-keyout", key, "-out", certificate]
        if name != "ca":
            words += ["-CA", f"{_FOLDER}/ca.crt", "-CAkey", f"{_FOLDER}/ca.key"]
        for extension in extensions:
            words += ["-addext", extension]
        run(words)

    def _user(self, name, subject):
        """A kubeconfig of a user with a client certificate."""
        self._certificate(name, subject, "basicConstraints=critical,CA:FALSE",
                          "extendedKeyUsage=clientAuth")
        return write_kubeconfig(
            f"{_FOLDER}/{name}.kubeconfig", self.url,
            {"certificate-authority": f"{_FOLDER}/ca.crt"},
            {"client-certificate": f"{_FOLDER}/{name}.crt", "client-key": f"{_FOLDER}/{name}.key"})

    def _make_users(self):
        kubelet.write(f"{_FOLDER}/openssl.cnf", "[req]\ndistinguished_name = name\n[name]\n")
        self._certificate("ca", "/CN=demo", "basicConstraints=critical,CA:TRUE",
                          "keyUsage=critical,keyCertSign,cRLSign")
        names = ",".join([f"IP:{self.address}", "IP:127.0.0.1", "IP:10.96.0.1", "DNS:kubernetes"])
        self._certificate("apiserver", "/CN=kube-apiserver", "basicConstraints=critical,CA:FALSE",
                          "extendedKeyUsage=serverAuth", f"subjectAltName={names}")
        self._user("admin", "/O=system:masters/CN=admin")
        for part in ("kube-controller-manager", "kube-scheduler"):
            self._user(part, f"/CN=system:{part}")
        self._user("podlane-kube", "/CN=podlane-kube")
        for node in self.nodes:
            self._user(node.name, f"/O=system:nodes/CN=system:node:{node.name}")
        run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout",
             "-out", f"{_FOLDER}/accounts.key"])
        run(["openssl", "ec", "-in", f"{_FOLDER}/accounts.key", "-pubout",
             "-out", f"{_FOLDER}/accounts.pub"])

    # ---- the control plane ---------------------------------------------------------------------

    def _start_api_server(self):
        store = "http://127.0.0.1:2379"
        self.spawn("etcd", self.client, [
            "etcd", "--data-dir", f"{_FOLDER}/etcd", "--listen-client-urls", store,
            "--advertise-client-urls", store, "--listen-peer-urls", "http://127.0.0.1:2380"])
        self.spawn("kube-apiserver", self.client, [
            "kube-apiserver", f"--etcd-servers={store}", f"--advertise-address={self.address}",
            f"--service-cluster-ip-range={_SERVICE_CIDR}", "--authorization-mode=Node,RBAC",
            f"--cert-dir={_FOLDER}/apiserver", f"--client-ca-file={_FOLDER}/ca.crt",
            f"--tls-cert-file={_FOLDER}/apiserver.crt",
            f"--tls-private-key-file={_FOLDER}/apiserver.key",
            f"--kubelet-client-certificate={_FOLDER}/admin.crt",
            f"--kubelet-client-key={_FOLDER}/admin.key",
            "--kubelet-preferred-address-types=InternalIP",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={_FOLDER}/accounts.pub",
            f"--service-account-signing-key-file={_FOLDER}/accounts.key"])

    def _is_up(self):
        words = ["curl", "-sfm", "2", "--cacert", f"{_FOLDER}/ca.crt", "--cert",
                 f"{_FOLDER}/admin.crt", "--key", f"{_FOLDER}/admin.key", f"{self.url}/readyz"]
        return self.client.run(words, check=False).stdout == "ok"

    def _start_controllers(self):
        for part, more in (
                ("kube-controller-manager", [
                    "--allocate-node-cidrs=false", "--use-service-account-credentials=true",
                    f"--service-account-private-key-file={_FOLDER}/accounts.key",
                    f"--root-ca-file={_FOLDER}/ca.crt",
                    f"--flex-volume-plugin-dir={_FOLDER}/volumes"]),
                ("kube-scheduler", [])):
            file = f"{_FOLDER}/{part}.kubeconfig"
            self.spawn(part, self.client, [
                part, f"--kubeconfig={file}", f"--authentication-kubeconfig={file}",
                f"--authorization-kubeconfig={file}", "--bind-address=127.0.0.1",
                "--leader-elect=false", *more])

    def _rights(self, configs):
        """The ClusterRole of configs/kubernetes, bound to the demo's user for podlane-kube."""
        with open(f"{configs}/kubernetes/podlane.yaml", encoding="utf-8") as file:
            items = [item for item in yaml.safe_load_all(file)
                     if item["kind"] in ("ClusterRole", "ClusterRoleBinding")]
        for item in items:
            if "subjects" in item:
                item["subjects"] = [{"kind": "User", "name": "podlane-kube"}]
        path = f"{_FOLDER}/rights.json"
        kubelet.write(path, json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        return path

    # ---- the nodes -----------------------------------------------------------------------------

    def _start_containerd(self, node):
        folder = f"{_FOLDER}/{node.name}"
        os.makedirs(f"{folder}/cni")
        os.makedirs(f"{folder}/net.d")
        os.symlink(_plugin("loopback"), f"{folder}/cni/loopback")
        os.symlink(program("podlane-cni"), f"{folder}/cni/podlane-cni")
        kubelet.write(f"{folder}/containerd.toml", f"""
            version = 2
            root = "{folder}/containerd"
            state = "{folder}/containerd.run"
            disabled_plugins = ["io.containerd.internal.v1.opt"]
            [grpc]
            address = "{folder}/containerd.sock"
            [plugins."io.containerd.grpc.v1.cri"]
            sandbox_image = "{images.PAUSE}"
            restrict_oom_score_adj = true
            disable_apparmor = true
            stream_server_address = "127.0.0.1"
            [plugins."io.containerd.grpc.v1.cri".cni]
            bin_dir = "{folder}/cni"
            conf_dir = "{folder}/net.d"
            [plugins."io.containerd.grpc.v1.cri".containerd]
            snapshotter = "{self._snapshotter}"
            default_runtime_name = "runc"
            [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
            runtime_type = "io.containerd.runc.v2"
            """)
        # Pods' network namespaces, which containerd mounts below /run/netns, are seen by all.
        self.spawn(f"containerd of {node.name}", node.namespace, [
            "unshare", "--mount", "--propagation", "unchanged", "sh", "-c", _NODE, "sh",
            node.socket, f"{folder}/sysctl",
            "containerd", "--config", f"{folder}/containerd.toml"])

    def _spawn_on(self, node, title, words):
        """Starts a program where the node's containerd runs."""
        pid = self.programs[f"containerd of {node.name}"].popen.pid
        self.spawn(f"{title} of {node.name}", node.namespace,
                   ["nsenter", f"--mount=/proc/{pid}/ns/mnt", "--", *words])

    def _start_kubelet(self, node):
        folder = f"{_FOLDER}/{node.name}"
        _make_cgroups(f"{_CGROUP}/{node.name}")
        kubelet.write(f"{folder}/kubelet.json", json.dumps({
            "apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True},
                               "x509": {"clientCAFile": f"{_FOLDER}/ca.crt"}},
            "authorization": {"mode": "Webhook"},
            "containerRuntimeEndpoint": f"unix://{folder}/containerd.sock",
            "cgroupDriver": "cgroupfs", "cgroupRoot": f"/{_CGROUP}/{node.name}",
            "enforceNodeAllocatable": [], "failSwapOn": False, "failCgroupV1": False,
            "makeIPTablesUtilChains": False, "resolvConf": "",
            "clusterDomain": "cluster.local", "clusterDNS": [_DNS],
            "evictionHard": {"memory.available": "10Mi", "nodefs.available": "0%",
                             "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100, "podLogsDir": f"{folder}/logs",
            "volumePluginDir": f"{folder}/volumes"}))
        self._spawn_on(node, "kubelet", [
            "kubelet", f"--config={folder}/kubelet.json",
            f"--kubeconfig={_FOLDER}/{node.name}.kubeconfig", f"--hostname-override={node.name}",
            f"--node-ip={node.addresses[0]}", f"--root-dir={folder}/kubelet",
            f"--cert-dir={folder}/kubelet-pki"])

    def _start_feeder(self, node, configs):
        self._spawn_on(node, "podlane-kube", [
            program("podlane-kube"), "--node", node.name,
            "--kubeconfig", f"{_FOLDER}/podlane-kube.kubeconfig",
            "--cni-source", f"{configs}/cni/10-podlane.conflist",
            "--cni-target", f"{_FOLDER}/{node.name}/net.d/10-podlane.conflist"])

    def _import_images(self, archive):
        """To both nodes at a time."""
        imports = {node.name: Process(
            ["ctr", "--address", f"{_FOLDER}/{node.name}/containerd.sock", "--namespace", "k8s.io",
             "images", "import", "--snapshotter", self._snapshotter, archive],
            f"/run/lab/images-to-{node.name}.log") for node in self.nodes}
        self._wait("the images to be on the nodes: ctr images import", lambda: all(
            each.popen.poll() is not None for each in imports.values()), 120)
        for name, process in imports.items():
            if process.popen.returncode:
                raise CommandFailed(f"the images do not get to {name}: {process.output()[-1500:]}")
        os.unlink(archive)

    def _find_snapshotter(self):
        """overlayfs, unless it cannot lie on what /run is."""
        folders = [f"{_FOLDER}/overlay/{name}" for name in ("lower", "upper", "work", "all")]
        for folder in folders:
            os.makedirs(folder)
        options = "lowerdir={},upperdir={},workdir={}".format(*folders)
        mount = run(["mount", "-t", "overlay", "overlay", "-o", options, folders[3]], check=False)
        if mount.returncode:
            return "native"
        run(["umount", folders[3]])
        return "overlayfs"

    # ---- all of it -----------------------------------------------------------------------------

    def start(self, configs):
        """Returns when both Nodes are ready and have the images of the demo's pods."""
        for folder in (_FOLDER, _SOCKET_FOLDER, "/run/podlane-cni"):
            os.makedirs(folder)
        _remove_old_cgroups()
        kubelet.write(f"{_SOCKET_FOLDER}/podlane.sock", "")
        self._snapshotter = self._find_snapshotter()
        self._make_users()
        self._show("etcd, kube-apiserver; containerd on each node")
        self._start_api_server()
        for node in self.nodes:
            self._start_containerd(node)
        self._show("images are made of this machine's nginx, php-fpm, MariaDB and podlanectl")
        archive = f"{_FOLDER}/images.tar"
        images.assemble(archive, f"{configs}/demo/app")
        self._wait("kube-apiserver", self._is_up)
        self._show("kube-controller-manager, kube-scheduler; the Nodes, and podlane-kube's rights")
        self._start_controllers()
        self.kubectl("apply", "-f", f"{configs}/demo/nodes.yml", "-f", self._rights(configs))
        sockets = [f"{_FOLDER}/{node.name}/containerd.sock" for node in self.nodes]
        self._wait("containerd", lambda: all(os.path.exists(path) for path in sockets))
        self._show("on each node podlane-kube, with a client certificate, and kubelet")
        for node in self.nodes:
            self._start_feeder(node, configs)
            self._start_kubelet(node)
        self._import_images(archive)
        ready = self.client.spawn([
            *self._kubectl(), "wait", "--for=condition=Ready", "node", "--all", "--timeout=90s"])
        self._wait("the Nodes to be Ready", lambda: ready.popen.poll() is not None, 100)
        if ready.popen.returncode:
            raise CommandFailed(f"the Nodes do not get Ready: {ready.output()[-1500:]}")
        self.say(self.kubectl("get", "nodes", "-o", "wide").stdout.rstrip())

    def logs(self):
        if self.ended():
            yield from super().logs()
        for words in (["get", "nodes,pods", "-o", "wide"], ["get", "events"]):
            done = self.kubectl(*words, "--request-timeout=5s", check=False)
            yield f"kubectl {' '.join(words)}", done.stdout + done.stderr

    def _kubectl(self):
        return ["kubectl", "--kubeconfig", f"{_FOLDER}/admin.kubeconfig",
                "--cache-dir", f"{_FOLDER}/kubectl"]

    def kubectl(self, *words, **options):
        more = ["--wait=false"] if words[0] == "delete" else []
        return self.client.run([*self._kubectl(), *words, *more], **options)

    def seen(self, node, item):
        return RealPod(self, node, item)

    def stop(self):
        wrong = []
        for title in [title for title in self.programs if title.startswith("kubelet")]:
            wrong += self.stop_program(title)
        wrong += [f"left behind {folder}" for folder in remove_cgroups()]
        for title in [title for title in self.programs if title.startswith("podlane-kube")]:
            wrong += self.stop_program(title)
        # They have nothing to keep.
        for process in reversed(list(self.programs.values())):
            process.stop(signal.SIGKILL)
        return wrong
