#!/usr/bin/env bash
# The stand-in for the CUDA driver tests itself: what it must refuse, and that for each class of fault a kernel that is broken on
# purpose (kernels/stand_in/broken) is caught. Prints a line per fault.
#
#     tests/stand_in_test.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=target/stand_in/broken
KERNELS=kernels/stand_in/broken STAND_IN_OUT=$out tests/stand_in.sh fast trace address
g++ -std=c++20 -O1 -Wall -Wextra -Werror kernels/stand_in/test.cpp kernels/stand_in/test_streams.cpp -o "$out/test" -ldl -pthread

# Broken kernels are never run on a device: their PTX is a list of names and parameters.
{
    printf '.version 8.0\n.target sm_80\n'
    sed -nE 's/^KERNEL\(([0-9]+)\) ([a-z_]+)\(.*/\2 \1/p' kernels/stand_in/broken/broken.cu | while read -r name threads; do
        printf '.visible .entry %s(\n' "$name"
        printf '\t.param .u64 %s_param_0,\n\t.param .u64 %s_param_1,\n\t.param .u32 %s_param_2\n)\n' "$name" "$name" "$name"
        printf '.maxntid %s, 1, 1\n' "$threads"
    done
} >"$out/broken.ptx"

failed=0
# kind, what must be said, kernel=code (0: it is right, 700: address, 716: alignment, 719: failed), orders of threads
expect() {
    local kind=$1 says=$2 what=$3 order said
    for order in forward backward 1 2 3; do
        said=$(DISENTANGLE_STAND_IN_ORDER=$order timeout 60 "$out/test" "$out/$kind/libcuda.so.1" "$out/broken.ptx" "$what" 2>&1) ||
            { echo "stand_in_test.sh: $kind, $order: $what: $said" >&2; failed=1; continue; }
        if ! grep -q "$says" <<<"$said"; then
            echo "stand_in_test.sh: $kind, $order: $what: it says '$said', expected '$says'" >&2
            failed=1
        fi
    done
    echo "$kind: ${what%=*}: caught in 5 orders"
}
# The address sanitizer ends the program.
dies() {
    local says=$1 what=$2 said
    if said=$(LD_PRELOAD=$(g++ -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 timeout 60 \
        "$out/test" "$out/address/libcuda.so.1" "$out/broken.ptx" "$what=0" 2>&1) || ! grep -q "$says" <<<"$said"; then
        echo "stand_in_test.sh: address: $what: it says '$said', expected '$says'" >&2
        failed=1
    fi
    echo "address: $what: caught"
}

said=$(timeout 60 "$out/test" "$out/fast/libcuda.so.1" "$out/broken.ptx" 2>&1) || { echo "stand_in_test.sh: the driver's refusals: $said" >&2; failed=1; }
for left in graphs streams events; do
    grep -q "1 $left were never destroyed" <<<"$said" || { echo "stand_in_test.sh: a leak of $left is not said" >&2; failed=1; }
done
for twice in "an address is freed" "a graph is destroyed" "a stream is destroyed" "an event is destroyed"; do
    grep -q "$twice that is no.*or was .* before" <<<"$said" || { echo "stand_in_test.sh: $twice twice is not said" >&2; failed=1; }
done
LD_PRELOAD=$(g++ -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 timeout 60 \
    "$out/test" "$out/address/libcuda.so.1" "$out/broken.ptx" good=0 || { echo "stand_in_test.sh: address: good" >&2; failed=1; }

expect fast "" good=0
expect fast "bytes past the end of an allocation" writes_past_the_end=700
expect fast "bytes before an allocation" writes_before_the_start=700
expect fast "divergent barrier" divergent_barrier=719
expect fast "divergent barrier" two_barriers=719
expect fast "part of a warp" part_of_a_warp_shuffles=719
expect fast "not aligned" misaligned=716
expect fast "has not waited" ends_before_the_copy=719
expect trace "" good=0
expect trace "race in shared memory\|nobody has written" no_barrier=719
expect trace "race in shared memory" writes_before_others_have_read=719
expect trace "race in shared memory" reads_before_others_have_added=719
expect trace "nobody has written" reads_what_nobody_wrote=719
expect trace "nobody has written" reads_before_the_copy=719
expect trace "outside every allocation" reads_past_the_end=700
expect trace "outside every allocation" writes_past_the_end=700
expect trace "race in global memory" all_write_one=719
dies "global-buffer-overflow\|out of bounds" past_shared_memory
dies "use-after-poison" reads_past_the_end
dies "use-after-poison" writes_past_the_end

exit $failed
