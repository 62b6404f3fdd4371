#!/bin/sh
# Makes the Debian packages of the programs in a build folder: scripts/deb.sh BUILD.
# Builds what is not built there. The packages go to BUILD/deb and are checked by lintian.
set -eu
cd "$(dirname "$0")/.."
build=$(realpath "$1")
out=$build/deb

# debhelper works beside debian/, so it gets a copy of what the packages take from the tree.
work=$build/deb-work
rm -rf "$work" "$out"
mkdir -p "$work" "$out"
cp -r debian configs docs README.md CHANGELOG.md "$work"
ninja -C "$build" podlaned podlanectl podlane-cni podlane-kube manuals
cd "$work"
DEB_BUILD_OPTIONS="nocheck noautodbgsym" fakeroot debian/rules binary BUILD="$build" OUT="$out"
cd "$out"
rm -rf "$work"
lintian --allow-root --fail-on error,warning "$out"/*.deb
ls -l "$out"
