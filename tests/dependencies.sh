#!/usr/bin/env bash
# The core stays small: at most 12 crates with the root, no C compiled in any feature set, a cold build in seconds.
#
#     tests/dependencies.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "dependencies.sh: $*" >&2; exit 1; }

lines=$(cargo tree --edges normal --no-default-features --prefix none | sort -u | wc -l)
echo "core: $lines crates with the root (at most 12)"
[ "$lines" -le 12 ] || die "the core has $lines crates, expected at most 12"

# Crates that compile or link foreign code do it through one of these.
for features in "" data study cli; do
    if cargo tree --edges normal,build --no-default-features --features "$features" --prefix none --target all |
        grep -E '^(cc|cmake|pkg-config|bindgen|nasm-rs|vcpkg|[a-z0-9_-]+-sys) v' | grep -vE '^(windows|web|js|linux-raw)-sys'; then
        die "features '$features' compile or link C, expected Rust only"
    fi
done
echo "no C in any feature set"

target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
cargo fetch --quiet
start=$(date +%s)
cargo build --quiet --release --no-default-features --lib --target-dir "$target"
seconds=$(($(date +%s) - start))
echo "cold release build of the core: $seconds s (at most 30 on two idle cores)"
[ "$seconds" -le 30 ] || die "the core took $seconds s to build, expected at most 30"
