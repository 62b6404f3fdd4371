"""The demo's container images, made of this machine's own programs for a cluster that runs them.

There is no registry, and nothing is downloaded: one layer has the programs that the pods of
configs/demo need, the libraries that they are linked with, and their settings. The images differ in
what they start. Written as an archive for `ctr images import`.
"""

import glob
import hashlib
import io
import json
import os
import platform
import shutil
import stat
import subprocess
import tarfile
import textwrap

from . import kubelet
from .node import program

PAUSE = "localhost/pause:demo"
FOLDER = "/shop"
# Where programs find what they read at their start, where this machine has it.
_TREES = ("/etc/php", "/usr/lib/php/[0-9]*", "/usr/share/mysql", "/usr/share/mariadb",
          "/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/Etc/UTC", "/usr/share/zoneinfo/zone.tab",
          "/lib/*/libnss_files.so.2", "/lib/*/libnss_dns.so.2")
_FOLDERS = ("/etc", "/proc", "/sys", "/dev", "/run", "/root", "/var/lib/nginx", "/var/log/nginx",
            "/var/lib/mysql", "/var/lib/php/sessions", "/run/php", f"{FOLDER}/ingress")
_PASSWD = """
    root:x:0:0:root:/root:/bin/sh
    www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
    nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
    """
_GROUP = """
    root:x:0:
    www-data:x:33:
    nogroup:x:65534:
    """


def _start_database():
    users = kubelet.database_users("$MARIADB_USER", "$MARIADB_PASSWORD").strip()
    return f"""
        #!/bin/sh
        cat > {FOLDER}/init.sql <<END
        {users}
        END
        exec {" ".join(kubelet.mariadb_command(FOLDER))}
        """


def _start_ingress():
    config = f"podlanectl ingress config --out {FOLDER}/ingress"
    return f"""
        #!/bin/sh
        {config} || exit 1
        {config} --watch --reload-pid {FOLDER}/ingress/nginx.pid &
        exec nginx -e stderr -c {FOLDER}/ingress/nginx.conf -g 'daemon off;'
        """


def _commands():
    """What each image starts."""
    return {
        "docker.io/library/nginx:latest": kubelet.nginx_command(FOLDER),
        "docker.io/library/php-fpm:latest": kubelet.php_fpm_command(FOLDER),
        "docker.io/library/mariadb:latest": ["/bin/sh", f"{FOLDER}/start-database"],
        "docker.io/library/podlane-ingress:latest": ["/bin/sh", f"{FOLDER}/start-ingress"],
        PAUSE: ["/usr/bin/sleep", "infinity"],
    }


def _libraries(path):
    """The files that the dynamic linker loads with a program or library; none if it is neither."""
    done = subprocess.run(["ldd", path], capture_output=True, text=True, check=False)
    for line in done.stdout.splitlines():
        found = next((word for word in line.split() if word.startswith("/")), None)
        if found:
            yield found


class _Layer:
    """A root file system on its way into a tar; all of it belongs to root."""

    def __init__(self, path):
        self._tar = tarfile.open(path, "w")
        self._there = set()

    def _is_new(self, name):
        new = name not in self._there
        self._there.add(name)
        return new

    def file(self, name, data, mode=0o644):
        entry = tarfile.TarInfo(name.lstrip("/"))
        entry.size, entry.mode = len(data), mode
        self._tar.addfile(entry, io.BytesIO(data))

    def folder(self, name, mode=0o755):
        if self._is_new(name):
            entry = tarfile.TarInfo(name.lstrip("/"))
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            self._tar.addfile(entry)

    def link(self, name, target):
        entry = tarfile.TarInfo(name.lstrip("/"))
        entry.type, entry.linkname = tarfile.SYMTYPE, target
        self._tar.addfile(entry)

    def text(self, name, text, mode=0o644):
        self.file(name, textwrap.dedent(text).lstrip().encode(), mode)

    def program(self, path, name=None):
        """A program or library, with the libraries that it needs, at the same places."""
        if not self._is_new(name or path):
            return
        with open(path, "rb") as file:
            self.file(name or path, file.read(), 0o755)
        for library in _libraries(path):
            self.program(library)

    def tree(self, path, name=None):
        """A file or a folder with all that is in it."""
        mode = os.lstat(path).st_mode
        target = name or path
        if stat.S_ISLNK(mode):
            self.link(target, os.readlink(path))
        elif stat.S_ISDIR(mode):
            self.folder(target)
            for each in sorted(os.listdir(path)):
                self.tree(f"{path}/{each}", f"{target}/{each}")
        elif stat.S_ISREG(mode) and ".so" in os.path.basename(path):
            self.program(path, target)
        elif stat.S_ISREG(mode):
            with open(path, "rb") as file:
                self.file(target, file.read(), stat.S_IMODE(mode) | 0o444)

    def close(self):
        self._tar.close()


def _fill(layer, app, scratch):
    for name in _FOLDERS:
        layer.folder(name)
    layer.folder("/tmp", 0o1777)
    for names in (["nginx"], ["php-fpm", "php-fpm[0-9]*"], ["mariadbd"], ["mariadb"], ["curl"],
                  ["getent"], ["cat"], ["sleep"]):
        layer.program(kubelet.find_program(*names))
    layer.program(kubelet.find_program("sh"), "/bin/sh")
    layer.program(program("podlanectl"), "/usr/bin/podlanectl")
    for pattern in _TREES:
        for path in glob.glob(pattern):
            layer.tree(path)
    layer.text("/etc/passwd", _PASSWD)
    layer.text("/etc/group", _GROUP)
    layer.text("/etc/nsswitch.conf", "hosts: files dns\n")
    layer.tree(app, f"{FOLDER}/app")
    layer.text(f"{FOLDER}/nginx.conf", kubelet.nginx_conf(FOLDER))
    layer.text(f"{FOLDER}/php-fpm.conf", kubelet.php_fpm_conf(FOLDER))
    layer.text(f"{FOLDER}/start-database", _start_database(), 0o755)
    layer.text(f"{FOLDER}/start-ingress", _start_ingress(), 0o755)
    for name in ("nginx-error.log", "nginx-access.log", "php-error.log"):
        layer.link(f"{FOLDER}/{name}", "/dev/stderr")
    kubelet.make_database(f"{scratch}/data")
    layer.tree(f"{scratch}/data", f"{FOLDER}/data")


def _digest_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _configuration(command, layer):
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return json.dumps({
        "architecture": machine, "os": "linux",
        "config": {"Entrypoint": command, "WorkingDir": "/",
                   "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", f"HOME={FOLDER}"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
    }).encode()


def assemble(out, app):
    """Writes the archive with all images; `app` is the folder of the shop's own files."""
    scratch = f"{out}.scratch"
    os.makedirs(scratch)
    path = f"{scratch}/layer.tar"
    layer = _Layer(path)
    _fill(layer, app, scratch)
    layer.close()
    digest = _digest_of(path)
    with tarfile.open(out, "w") as archive:
        archive.add(path, f"{digest}.tar")
        manifest = []
        for image, command in _commands().items():
            data = _configuration(command, digest)
            name = f"{hashlib.sha256(data).hexdigest()}.json"
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
            manifest.append({"Config": name, "RepoTags": [image], "Layers": [f"{digest}.tar"]})
        data = json.dumps(manifest).encode()
        entry = tarfile.TarInfo("manifest.json")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    shutil.rmtree(scratch)
