#!/usr/bin/env bash
# The core stays small: few crates, no C compiled in any feature set, a cold build within so many of a yardstick's. tests/budgets.toml
# has the numbers.
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
# Seconds that a build takes from nothing, and processor time.
TIMEFORMAT='%R %U %S'
cold() {
    { time cargo build --quiet --release --target-dir "$target/$1" "${@:2}" 2>"$target/said"; } 2>"$target/time" ||
        die "$(cat "$target/said")"
    awk '{ print $1, $2 + $3 }' "$target/time"
}
read -r wall own < <(cold core --no-default-features --lib)
read -r _ yardstick < <(cold yardstick --package clap_builder)
ratio=$(awk -v own="$own" -v yardstick="$yardstick" 'BEGIN { printf "%.2f", own / yardstick }')
most=$(budget cold_build)
echo "cold release build of the core: $wall s, $own s of processor time, $ratio of the yardstick's $yardstick s (at most $most)"
awk -v ratio="$ratio" -v most="$most" 'BEGIN { exit ratio > most }' || die "the core takes $ratio of the yardstick's time to build, expected at most $most"

# What an embedder ships: training and radii in one program.
cargo build --quiet --profile small --no-default-features --example embed --target-dir "$target"
bytes=$(wc -c <"$target/small/examples/embed")
most=$(budget embed)
echo "examples/embed: $bytes bytes (at most $most)"
[ "$bytes" -le "$most" ] || die "examples/embed has $bytes bytes, expected at most $most"
