#!/usr/bin/env bash
# The core stays small: few crates, no C compiled in any feature set, a cold build in seconds. tests/budgets.toml has the numbers.
#
#     tests/dependencies.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "dependencies.sh: $*" >&2; exit 1; }
budget() {
    local number
    number=$(sed -nE "s/^$1 = ([0-9.]+)$/\1/p" tests/budgets.toml)
    [ -n "$number" ] || die "tests/budgets.toml: no line '$1 = NUMBER'"
    echo "$number"
}

lines=$(cargo tree --edges normal --no-default-features --prefix none | sort -u | wc -l)
most=$(budget crates)
echo "core: $lines crates with the root (at most $most)"
[ "$lines" -le "$most" ] || die "the core has $lines crates, expected at most $most"

# Crates that compile or link foreign code do it through one of these.
for features in "" data study cli cuda cli,cuda; do
    if cargo tree --edges normal,build --no-default-features --features "$features" --prefix none --target all |
        grep -E '^(cc|cmake|pkg-config|bindgen|nasm-rs|vcpkg|[a-z0-9_-]+-sys) v' | grep -vE '^(windows|web|js|linux-raw)-sys'; then
        die "features '$features' compile or link C, expected Rust only"
    fi
done
echo "no C in any feature set"
lines=$(cargo tree --edges normal --no-default-features --features cuda --prefix none | sort -u | wc -l)
most=$(budget crates_with_cuda)
echo "core with cuda: $lines crates with the root (at most $most)"
[ "$lines" -le "$most" ] || die "the core with cuda has $lines crates, expected at most $most"

target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
cargo fetch --quiet
TIMEFORMAT='%R %U %S'
{ time cargo build --quiet --release --no-default-features --lib --target-dir "$target"; } 2>"$target/time"
read -r wall user system <"$target/time"
own=$(awk -v u="$user" -v s="$system" 'BEGIN { print u + s }')
idle=$(budget cold_build) busy=$(budget cold_build_processor_time)
echo "cold release build of the core: $wall s (at most $idle), or $own s of processor time (at most $busy)"
awk -v w="$wall" -v idle="$idle" -v own="$own" -v busy="$busy" 'BEGIN { exit w > idle && own > busy }' ||
    die "the core took $wall s to build, expected at most $idle"

# What an embedder ships: training and radii in one program.
cargo build --quiet --profile small --no-default-features --example embed --target-dir "$target"
bytes=$(wc -c <"$target/small/examples/embed")
most=$(budget embed)
echo "examples/embed: $bytes bytes (at most $most)"
[ "$bytes" -le "$most" ] || die "examples/embed has $bytes bytes, expected at most $most"
