#!/usr/bin/env bash
# Builds the stand-in for the CUDA driver: target/stand_in/KIND/libcuda.so.1, once for each state of the sources.
#
#     tests/stand_in.sh [fast|address|trace]...     (default: fast)
#
# fast: optimised. address: with the address and undefined-behaviour sanitizers; a program that loads it preloads libasan.
# trace: every access of a kernel is looked at, for races and for shared memory that nobody has written.
# KERNELS names another folder of sources than kernels/, for kernels that are broken on purpose, and STAND_IN_OUT another one to build in;
# with CHANGED, a list of names, all other objects are those of target/stand_in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "stand_in.sh: $*" >&2; exit 1; }

[ "$(uname -m)" = x86_64 ] || die "the stand-in switches stacks by x86-64 instructions, this is $(uname -m)"
command -v g++ >/dev/null || die "no g++ on the path; expected GCC 11 or later"

from=${KERNELS:-kernels}
into=${STAND_IN_OUT:-target/stand_in}

# g++ as nvcc would round: products of floats are fused only where the source says so.
common=(-std=c++20 -fPIC -ffp-contract=off -fvisibility=hidden -Wall -Wextra -Wno-unknown-pragmas -Wno-unused-parameter -Werror -I kernels -I kernels/stand_in)
if grep -qw fma /proc/cpuinfo; then common+=(-mfma -mavx2); fi

reused() { [ -n "${CHANGED:-}" ] && ! grep -qw "$1" <<<"$CHANGED"; }

build() { # kind, flags of kernels, flags of the rest
    local kind=$1 of_kernels=$2 of_rest=$3
    local out=$into/$kind
    local state
    state=$(cat "$from"/*.cu* kernels/*.cuh kernels/stand_in/*.?pp tests/stand_in.sh | sha256sum)
    if [ "$(cat "$out/made-from" 2>/dev/null)" = "$state" ]; then return; fi
    mkdir -p "$out"
    local objects=() jobs=() source name
    if [ "$kind" = trace ]; then
        # Each turn of an unrolled loop is an access of its own, as on a device; g++ has another word for it.
        rm -rf "$out/src"
        mkdir -p "$out/src"
        sed 's/^#pragma unroll$/#pragma GCC unroll 16/' kernels/product.cuh >"$out/src/product.cuh"
    fi
    for source in "$from"/*.cu; do
        name=$(basename "$source" .cu)
        if reused "$name"; then objects+=("target/stand_in/$kind/$name.o"); continue; fi
        local text=$source
        if [ "$kind" = trace ]; then
            text=$out/src/$name.cu
            cp "$source" "$text"
        fi
        {
            printf '#include "device.hpp"\n#include "%s"\n' "$(realpath "$text")"
            sed -nE 's/^KERNEL\([0-9]+\) ([a-z0-9_]+)\(.*/ENTRY(\1)/p' "$source"
        } >"$out/$name.cpp"
        # shellcheck disable=SC2086
        g++ "${common[@]}" $of_kernels -c "$out/$name.cpp" -o "$out/$name.o" & jobs+=($!)
        objects+=("$out/$name.o")
    done
    for source in driver capture copies events fibers graphs memory ptx streams ${4:-}; do
        if reused "$source"; then objects+=("target/stand_in/$kind/$source.o"); continue; fi
        # shellcheck disable=SC2086
        g++ "${common[@]}" $of_rest -c "kernels/stand_in/$source.cpp" -o "$out/$source.o" & jobs+=($!)
        objects+=("$out/$source.o")
    done
    local job
    for job in "${jobs[@]}"; do wait "$job" || die "g++ failed"; done
    # shellcheck disable=SC2086
    g++ -shared $of_rest -Wl,-soname,libcuda.so.1 -Wl,-z,noexecstack -o "$out/libcuda.so.1" "${objects[@]}"
    echo "$state" >"$out/made-from"
}

for kind in "${@:-fast}"; do
    case $kind in
        fast) build fast "-O3" "-O2" ;;
        address) build address "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=vptr" "-O1 -g -fsanitize=address,undefined -fno-sanitize=vptr" ;;
        # The kernels alone are instrumented, and the hooks are our own.
        trace) build trace "-O1 -g -fsanitize=thread -DDISENTANGLE_TRACE -Wno-attributes" "-O2 -DDISENTANGLE_TRACE" "trace model" ;;
        *) die "'$kind': expected fast, address or trace" ;;
    esac
done
