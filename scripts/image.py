#!/usr/bin/python3
"""Makes the image of the Dockerfile without a container builder: scripts/image.py BUILD.

Debian's smallest system with the packages of BUILD/deb, as an OCI archive for `ctr images import`
and `podman load`: BUILD/podlane-image.tar.
"""

import argparse
import glob
import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile

EPOCH = 1767225600  # the time of every file in the archive: equal content makes equal archives
SUITE = "bookworm"
ENTRYPOINT = ["/usr/sbin/podlaned"]
COMMAND = ["--config", "/etc/podlane/node.yaml"]


def root_file_system(packages, path):
    """A tar of Debian with these packages installed."""
    inside = " ".join(f"/deb/{os.path.basename(package)}" for package in packages)
    hooks = ["mkdir -p \"$1/deb\"", *(f"cp {package} \"$1/deb/\"" for package in packages),
             f"chroot \"$1\" apt-get install -y --no-install-recommends {inside}",
             "rm -rf \"$1/deb\" \"$1\"/var/lib/apt/lists/* \"$1\"/var/cache/apt/*"]
    words = ["mmdebstrap", "--variant=apt", "--quiet",
             "--dpkgopt=path-exclude=/usr/share/man/*",
             "--dpkgopt=path-exclude=/usr/share/locale/*"]
    for hook in hooks:
        words.append(f"--customize-hook={hook}")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH),
                   "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*words, SUITE, path], check=True, env=environment)


def add(archive, name, data):
    """A file of bytes."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mtime = EPOCH
    archive.addfile(entry, io.BytesIO(data))


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def write_archive(layer, name, version, out):
    """An OCI archive (image-spec 1.0: layout, index, manifest, configuration) of one layer."""
    packed = gzip.compress(layer, compresslevel=6, mtime=EPOCH)
    config = json.dumps({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": ENTRYPOINT, "Cmd": COMMAND,
                   "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    }).encode()
    kinds = "application/vnd.oci.image"
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": f"{kinds}.manifest.v1+json",
        "config": {"mediaType": f"{kinds}.config.v1+json", "digest": digest(config),
                   "size": len(config)},
        "layers": [{"mediaType": f"{kinds}.layer.v1.tar+gzip", "digest": digest(packed),
                    "size": len(packed)}],
    }).encode()
    index = json.dumps({
        "schemaVersion": 2,
        "manifests": [{
            "mediaType": f"{kinds}.manifest.v1+json", "digest": digest(manifest),
            "size": len(manifest), "platform": {"architecture": "amd64", "os": "linux"},
            "annotations": {"org.opencontainers.image.ref.name": version,
                            "io.containerd.image.name": f"docker.io/library/{name}:{version}"},
        }],
    }).encode()
    with tarfile.open(out, "w") as archive:
        add(archive, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
        add(archive, "index.json", index)
        for blob in (packed, config, manifest):
            add(archive, f"blobs/sha256/{digest(blob).split(':')[1]}", blob)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    build = os.path.abspath(parser.parse_args().build)
    packages = sorted(glob.glob(f"{build}/deb/*.deb"))
    if not packages:
        sys.exit(f"image.py: no packages in {build}/deb; scripts/deb.sh makes them")
    version = os.path.basename(packages[0]).split("_")[1]
    out = f"{build}/podlane-image.tar"
    with tempfile.TemporaryDirectory(dir=build) as folder:
        layer = f"{folder}/layer.tar"
        root_file_system(packages, layer)
        with open(layer, "rb") as file:
            write_archive(file.read(), "podlane", version, out)
    print(f"{out}: podlane:{version}, {os.path.getsize(out) >> 20} MiB")


if __name__ == "__main__":
    main()
