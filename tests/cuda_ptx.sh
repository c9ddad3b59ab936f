#!/usr/bin/env bash
# Compiles kernels/*.cu with the pinned NVRTC and fails if the committed PTX or manifest differ by a byte; assembles the PTX for
# sm_80, sm_90 and sm_120 and fails on a spill, and on more registers or shared memory than kernels/BUDGET allows. Needs no GPU
# and no toolkit: two wheels, pinned by hash, go to target/cuda_tools.
#
#     tests/cuda_ptx.sh           check
#     tests/cuda_ptx.sh --write   write the PTX, the manifest and the budget
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

die() { echo "cuda_ptx.sh: $*" >&2; exit 1; }

tools=target/cuda_tools
wanted=tests/cuda_requirements.txt
[ "$(uname -sm)" = "Linux x86_64" ] || die "the wheels are for Linux on x86-64, this is $(uname -sm)"
if ! cmp -s "$wanted" "$tools/requirements.txt"; then
    rm -rf "$tools"
    mkdir -p "$tools"
    python3 -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes --no-deps \
        --target "$tools/site" --requirement "$wanted" || die "pip failed on $wanted"
    cp "$wanted" "$tools/requirements.txt"
fi
nvrtc=$tools/site/nvidia/cuda_nvrtc/lib/libnvrtc.so.12
ptxas=$tools/site/nvidia/cuda_nvcc/bin/ptxas
chmod +x "$ptxas"

out=$tools/out
# What this NVRTC writes for large kernels depends on where its memory happens to lie (numbers of virtual registers), which the
# system chooses anew for each process. Committed is what most of nine processes write; a check gets up to twenty.
compile() { rm -rf "$1" && python3 kernels/compile.py "$nvrtc" "$1"; }
as_committed() {
    local file
    for file in "$out"/*.ptx "$out/MANIFEST"; do
        cmp -s "$file" "kernels/$(basename "$file")" || return 1
    done
}
if [ "${1:-}" = --write ]; then
    rm -rf "$out"
    for n in {1..9}; do compile "$out/$n"; done
    for ptx in "$out"/1/*.ptx; do
        name=$(basename "$ptx")
        cp "$(sha256sum "$out"/?/"$name" | sort | uniq -c -w 64 | sort -rn | awk 'NR == 1 { print $3 }')" "$out/$name"
    done
    # The same of each line, in their order.
    awk '!($1 in most) { name[++names] = $1; most[$1] = 0 }
        ++times[$0] > most[$1] { most[$1] = times[$0]; line[$1] = $0 }
        END { for (n = 1; n <= names; ++n) print line[name[n]] }' "$out"/?/MANIFEST >"$out/MANIFEST"
else
    for _ in {1..20}; do
        compile "$out"
        if as_committed; then break; fi
    done
fi
# kernel, architecture, registers, bytes of shared memory
for architecture in sm_80 sm_90 sm_120; do
    for ptx in "$out"/*.ptx; do
        "$ptxas" -v "-arch=$architecture" "$ptx" -o /dev/null 2>"$out/log" || die "$(cat "$out/log")"
        awk -v architecture="$architecture" '
            /Compiling entry function/ { split($0, part, "\x27"); kernel = part[2] }
            / bytes spill / { if ($0 !~ / 0 bytes spill stores, 0 bytes spill loads/) { print "spills: " kernel ": " $0 > "/dev/stderr"; exit 1 } }
            /Used [0-9]+ registers/ {
                registers = $0; sub(/.*Used /, "", registers); sub(/ registers.*/, "", registers)
                shared = 0
                if ($0 ~ /bytes smem/) { shared = $0; sub(/ bytes smem.*/, "", shared); sub(/.* /, "", shared) }
                print kernel, architecture, registers, shared
            }' "$out/log" || die "a kernel spills registers"
    done
done | LC_ALL=C sort >"$out/BUDGET"

if [ "${1:-}" = --write ]; then
    cp "$out"/*.ptx "$out/MANIFEST" "$out/BUDGET" kernels/
    echo "cuda_ptx.sh: wrote $(wc -l <"$out/BUDGET") lines of budget"
    exit 0
fi
for file in "$out"/*.ptx "$out/MANIFEST"; do
    cmp "$file" "kernels/$(basename "$file")" || die "kernels/$(basename "$file") is stale: tests/cuda_ptx.sh --write"
done
awk 'NR == FNR { registers[$1, $2] = $3; shared[$1, $2] = $4; next }
    !(($1, $2) in registers) { print $1, $2 ": no budget"; bad = 1; next }
    $3 > registers[$1, $2] || $4 > shared[$1, $2] {
        print $1, $2 ": " $3 " registers and " $4 " bytes of shared memory, budget " registers[$1, $2] " and " shared[$1, $2]; bad = 1
    }
    END { exit bad }' kernels/BUDGET "$out/BUDGET" || die "past kernels/BUDGET"
echo "PTX as committed; $(wc -l <"$out/BUDGET") kernels assembled, no spills, within their budget"
