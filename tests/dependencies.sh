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
for features in "" data study cli cuda cli,cuda; do
    if cargo tree --edges normal,build --no-default-features --features "$features" --prefix none --target all |
        grep -E '^(cc|cmake|pkg-config|bindgen|nasm-rs|vcpkg|[a-z0-9_-]+-sys) v' | grep -vE '^(windows|web|js|linux-raw)-sys'; then
        die "features '$features' compile or link C, expected Rust only"
    fi
done
echo "no C in any feature set"
lines=$(cargo tree --edges normal --no-default-features --features cuda --prefix none | sort -u | wc -l)
echo "core with cuda: $lines crates with the root (at most 13)"
[ "$lines" -le 13 ] || die "the core with cuda has $lines crates, expected at most 13"

target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
cargo fetch --quiet
# 30 s on two idle cores. A busy machine stretches the wall time without limit and the processor time by up to a half (two
# threads of one core get 1.5 times the work of one done, so each may take 1.33 times as long, and caches are shared).
TIMEFORMAT='%R %U %S'
{ time cargo build --quiet --release --no-default-features --lib --target-dir "$target"; } 2>"$target/time"
read -r wall user system <"$target/time"
echo "cold release build of the core: $wall s, $user + $system s of processor time (at most 30, or 45 on a busy machine)"
awk -v w="$wall" -v u="$user" -v s="$system" 'BEGIN { exit w > 30 && u + s > 45 }' ||
    die "the core took $wall s to build, expected at most 30"

# What an embedder ships: training and radii in one program.
cargo build --quiet --profile small --no-default-features --example embed --target-dir "$target"
bytes=$(wc -c <"$target/small/examples/embed")
echo "examples/embed: $bytes bytes (at most 1000000)"
[ "$bytes" -le 1000000 ] || die "examples/embed has $bytes bytes, expected at most 1000000"
