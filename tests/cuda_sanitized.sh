#!/usr/bin/env bash
# Every kernel of CUDA under the checks of the stand-in, on the cases of `verify` and one of `bench`: races, barriers, shared memory that nobody
# has written and accesses outside of an allocation by `trace`, in three orders of threads and blocks; the same, static arrays and undefined
# behaviour by g++'s sanitizers (`address`). Fails if one of them reports, a case is past its bound, or a kernel was never launched.
# By hand: it takes some 10 minutes; repro/cuda_sanitized.md has what was run. `short` is one order of `trace` on fewer cases, for every test
# run. `cargo build --features cuda` comes before, or DISENTANGLE names a program.
#
#     tests/cuda_sanitized.sh [trace|address|short]...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "cuda_sanitized.sh: $*" >&2; exit 1; }

program=${DISENTANGLE:-target/debug/disentangle}
kinds=("$@")
[ $# -gt 0 ] || kinds=(trace address)
tests/stand_in.sh "${kinds[@]/short/trace}"
kernels=$(sed -nE 's/^KERNEL\([0-9]+\) ([a-z0-9_]+)\(.*/\1/p' kernels/*.cu | sort)

# Cases 0 to 9 have all kinds of numbers, thousands of rows, and sums over more than a block of columns.
on_it() { # kind, order, trials
    local kind=$1 order=$2 trials=$3 said log preload=
    [ "$kind" = trace ] || preload=$(g++ -print-file-name=libasan.so)
    log=target/stand_in/$kind/launched
    rm -f "$log"
    said=$(LD_PRELOAD=$preload ASAN_OPTIONS=detect_leaks=0 LD_LIBRARY_PATH=target/stand_in/$kind DISENTANGLE_STAND_IN_ORDER=$order \
        DISENTANGLE_STAND_IN_LOG=$PWD/$log "$program" verify --device cuda --ops "$ops" --trials "$trials" 2>&1) || die "$kind, $order: $(tail -n 20 <<<"$said")"
    # The peaks are what `bench` alone launches, with a case beside them.
    said+=$(LD_PRELOAD=$preload ASAN_OPTIONS=detect_leaks=0 LD_LIBRARY_PATH=target/stand_in/$kind DISENTANGLE_STAND_IN_ORDER=$order \
        DISENTANGLE_STAND_IN_LOG=$PWD/$log "$program" bench --device cuda --filter "8192 x 20 x 2" --seconds 0 --json 2>&1 >/dev/null) ||
        die "$kind, $order: $(tail -n 20 <<<"$said")"
    ! grep -q "stand-in:\|runtime error\|AddressSanitizer" <<<"$said" || die "$kind, $order: $said"
    local never
    never=$(comm -23 <(echo "$kernels") <(sort "$log"))
    [ -z "$never" ] || die "$kind, $order: never launched: $(tr '\n' ' ' <<<"$never")"
    echo "$kind, $order: $(sort -u "$log" | wc -l) kernels, $(tail -n 1 <<<"$said")"
}

# What metrics are made of is among the others.
ops=$("$program" verify --ops '?' 2>&1 | sed 's/.*expected //' | tr -d ' ' | tr ',' '\n' |
    grep -v '^metric_' | paste -sd, || true)
for kind in "${kinds[@]}"; do
    case $kind in
        trace) for order in forward backward 1; do on_it trace "$order" 10; done ;;
        address) on_it address forward 10 ;;
        short) on_it trace 1 3 ;;
        *) die "'$kind', expected trace, address or short" ;;
    esac
done
