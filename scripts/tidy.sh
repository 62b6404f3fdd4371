#!/bin/sh
# Runs clang-tidy on the sources that differ from a commit (default: origin/main, else the last
# commit): scripts/tidy.sh [BASE]. Needs a build folder with compile_commands.json ($PODLANE_BUILD).
# Says which files it checked; exit 1 when one of them has a finding.
set -eu
cd "$(dirname "$0")/.."
build=${PODLANE_BUILD:-build}
base=${1:-$(git rev-parse --verify -q origin/main || git rev-parse HEAD~1)}
[ -f "$build/compile_commands.json" ] || { echo "tidy: $build is no build folder" >&2; exit 2; }

# clang does not know g++'s flags and cannot read its precompiled headers.
database=$(mktemp -d)
trap 'rm -rf "$database"' EXIT
sed -E 's/-fpch-preprocess -include [a-z_]+\.hpp//; s/-Wno-restrict//' \
    "$build/compile_commands.json" >"$database/compile_commands.json"

files=$(git diff --name-only --diff-filter=d "$base" -- 'lib/*.cc' 'dataplane/*.cc' 'control/*.cc')
[ -n "$files" ] || { echo "tidy: nothing to check"; exit 0; }
echo "tidy: $(echo "$files" | wc -l) files that differ from $(git rev-parse --short "$base")"
echo "$files" | xargs -P "$(nproc)" -n 1 \
    clang-tidy -p "$database" --quiet --extra-arg=-Wno-unknown-warning-option
