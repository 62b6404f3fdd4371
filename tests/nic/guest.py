"""A QEMU guest with one emulated NIC, whose other end is a TAP of this network namespace.

The guest's root is this machine's own, read-only, so that it runs what was built here; its kernel
is this machine's or one of Debian's packages, unpacked. Without KVM, with an emulated IOMMU.
"""

import base64
import glob
import os
import re
import shutil
import socket
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay"]  # what the first process needs
MAC = "52:54:00:00:50:01"
BOOT_SECONDS = 180


class Absent(Exception):
    """What is needed and is not here."""


def version_of(image):
    """Of /boot/vmlinuz-VERSION, wherever that is."""
    return os.path.basename(image).split("-", 1)[1]


def find_kernel(folder):
    """(image, folder with lib/modules) of a kernel; a package of Debian's is fetched at need."""
    for image in sorted(glob.glob("/boot/vmlinuz-*"), reverse=True):
        if os.path.exists(f"/lib/modules/{version_of(image)}/modules.dep"):
            return image, "/"
    os.makedirs(folder, exist_ok=True)
    if not glob.glob(f"{folder}/boot/vmlinuz-*"):
        if not glob.glob(f"{folder}/*.deb"):
            depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], text=True,
                                     capture_output=True, check=False).stdout
            package = re.search(r"Depends: (linux-image-\d\S*)", depends)
            if not package or subprocess.run(["apt-get", "-q", "download", package[1]], cwd=folder,
                                             check=False).returncode:
                raise Absent("a kernel: none in /boot, and Debian's package cannot be had")
        subprocess.run(["dpkg-deb", "-x", glob.glob(f"{folder}/*.deb")[0], folder], check=True)
    image = glob.glob(f"{folder}/boot/vmlinuz-*")[0]
    version = version_of(image)
    if not os.path.exists(f"{folder}/lib/modules/{version}/modules.dep"):
        subprocess.run(["depmod", "-b", folder, version], check=True)
    return image, folder


def make_initramfs(folder, image, root):
    """A first file system with what mounts the real one."""
    tree = os.path.join(folder, "initramfs")
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("bin", "proc", "sys", "dev", "lower", "upper", "root", "modules"):
        os.makedirs(os.path.join(tree, name))
    shutil.copy("/bin/busybox", os.path.join(tree, "bin"))
    version = version_of(image)
    order = []
    for module in MODULES:
        shown = subprocess.run(["modprobe", "-d", root, "-S", version, "--show-depends", module],
                               text=True, capture_output=True, check=True).stdout
        for path in re.findall(r"^insmod (\S+)", shown, re.M):
            if os.path.basename(path) not in order:
                shutil.copy(path, os.path.join(tree, "modules"))
                order.append(os.path.basename(path))
    with open(os.path.join(tree, "modules/order"), "w", encoding="ascii") as file:
        file.write("\n".join(order))
    with open(os.path.join(HERE, "init.sh"), encoding="utf-8") as file:
        text = file.read().replace("@FOLDER@", HERE)
    with open(os.path.join(tree, "init"), "w", encoding="utf-8") as file:
        file.write(text.replace("@MODULES@", os.path.join(root, "lib/modules")))
    os.chmod(os.path.join(tree, "init"), 0o755)
    out = os.path.join(folder, "initramfs.cpio")
    subprocess.run(f"find . | cpio -o -H newc --quiet > {out}", shell=True, cwd=tree, check=True)
    return out


class Guest:
    """Boots when entered, is gone when left."""

    def __init__(self, folder, nic, iommu, memory=3584):
        self._folder, self._nic, self._iommu, self._memory = folder, nic, iommu, memory
        self._process = self._line = None

    def _command(self):
        image, root = find_kernel(os.path.join(self._folder, "kernel"))
        initramfs = make_initramfs(self._folder, image, root)
        device = f"{'virtio-net-pci' if self._nic == 'virtio' else self._nic},netdev=wire,mac={MAC}"
        # Without a virtio header on the TAP checksums are complete, as on a wire.
        wire = "tap,id=wire,ifname=tap0,script=no,downscript=no,vhost=off"
        if self._nic == "virtio":
            device += ",disable-legacy=on,iommu_platform=on" if self._iommu else ""
        else:
            wire += ",vnet_hdr=off"
        options = "console=ttyS0 quiet panic=-1 no_timer_check rdinit=/init"
        return ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "q35",
                "-cpu", "max", "-smp", "2", "-m", str(self._memory), "-nodefaults", "-no-reboot",
                "-display", "none", "-kernel", image, "-initrd", initramfs,
                "-append", options + (" intel_iommu=on" if self._iommu else ""),
                *(["-device", "intel-iommu,intremap=on"] if self._iommu else []),
                "-virtfs", "local,path=/,mount_tag=hostroot,security_model=passthrough,"
                           "readonly=on,multidevs=remap",
                "-serial", f"file:{self._folder}/console.log",
                "-serial", f"unix:{self._folder}/line.sock,server=on,wait=off",
                "-monitor", f"unix:{self._folder}/monitor.sock,server=on,wait=off",
                "-netdev", wire, "-device", device]

    def __enter__(self):
        log = os.path.join(self._folder, "console.log")
        open(log, "w", encoding="utf-8").close()
        self._process = subprocess.Popen(self._command(), stdin=subprocess.DEVNULL)
        end = time.monotonic() + BOOT_SECONDS
        while True:
            with open(log, encoding="utf-8", errors="replace") as file:
                text = file.read()
            if "GUEST READY" in text:
                break
            if self._process.poll() is not None or time.monotonic() > end:
                self.__exit__()
                raise RuntimeError(f"the guest does not boot:\n{text[-2000:]}")
            time.sleep(0.5)
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(os.path.join(self._folder, "line.sock"))
        return self

    def __exit__(self, *_):
        if self._line:
            self._line.close()
        self._process.kill()
        self._process.wait()

    def run(self, command, seconds=60):
        """(status, output) of a shell command in the guest."""
        self._line.settimeout(seconds + 60)
        self._line.sendall(b"%g " % seconds + base64.b64encode(command.encode()) + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = self._line.recv(65536)
            if not part:
                raise RuntimeError("the guest is gone")
            answer += part
        status, _, output = answer.strip().partition(b" ")
        return int(status), base64.b64decode(output).decode(errors="replace")

    def out(self, command, seconds=60):
        """The output of a command that must succeed."""
        status, output = self.run(command, seconds)
        if status:
            raise AssertionError(f"{command}: exit {status}: {output[-1500:]}")
        return output

    def set_link(self, state):
        """"on" or "off": the cable."""
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(os.path.join(self._folder, "monitor.sock"))
            monitor.settimeout(10)
            monitor.recv(65536)
            monitor.sendall(f"set_link wire {state}\n".encode())
            time.sleep(0.5)
            monitor.recv(65536)
