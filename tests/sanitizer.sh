#!/bin/sh
# The unsafe parts of the CPU backend under AddressSanitizer, and its thread pool under ThreadSanitizer.
#
#   tests/sanitizer.sh            both
#   tests/sanitizer.sh address    one of them, or thread
#   tests/sanitizer.sh kernels    AddressSanitizer over all cases of verify, pairs too: 8 minutes to build, so by hand
#
# It needs no nightly toolchain: RUSTC_BOOTSTRAP=1 opens the sanitizers of a stable one, whose runtimes come with it. What
# cannot run fails; nothing is skipped.
set -eu
cd "$(dirname "$0")/.."

target=x86_64-unknown-linux-gnu
host=$(rustc -vV | sed -n 's/^host: //p')
if [ "$host" != "$target" ]; then
    echo "sanitizer.sh: host $host, expected $target" >&2
    exit 1
fi

# sanitized NAME RUSTFLAGS CARGO-TEST-ARGUMENTS...: builds and runs tests, and fails if none ran.
sanitized() {
    name=$1
    flags=$2
    shift 2
    log="target/sanitizer/$name.log"
    mkdir -p target/sanitizer
    echo "sanitizer.sh: $name: cargo test $*"
    status=0
    RUSTC_BOOTSTRAP=1 RUSTFLAGS="$flags" CARGO_TARGET_DIR="target/sanitizer/$name" \
        cargo test --quiet --no-default-features --target "$target" "$@" >"$log" 2>&1 || status=$?
    if [ "$status" -ne 0 ]; then
        tail -n 60 "$log" >&2
        echo "sanitizer.sh: $name: failed with status $status" >&2
        exit 1
    fi
    passed=$(sed -n 's/^test result: ok\. \([0-9]*\) passed.*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    if [ "$passed" -eq 0 ]; then
        echo "sanitizer.sh: $name: no test ran" >&2
        exit 1
    fi
    echo "sanitizer.sh: $name: $passed tests, no report"
}

which=${1:-both}
case $which in
both | address | thread | kernels) ;;
*)
    echo "sanitizer.sh: '$which', expected address, thread or kernels" >&2
    exit 1
    ;;
esac

if [ "$which" = kernels ]; then
    ASAN_OPTIONS=detect_leaks=0 sanitized kernels "-Zsanitizer=address" --features verify --lib -- verify::
    exit
fi

if [ "$which" != thread ]; then
    # The pool forgets the payload of a second panic in one region on purpose, so leaks are not looked for.
    ASAN_OPTIONS=detect_leaks=0 sanitized address "-Zsanitizer=address" --features soft-nearest-neighbor \
        --lib --test same_bits -- backend::cpu two_threads
fi

if [ "$which" != address ]; then
    # The standard library itself is not instrumented, hence the flag. What it synchronises out of line looks like a race:
    # the test harness's channel and the box in which it hands a test to its thread (suppressed, by the names of their
    # types), and a contended mutex, by which several callers of a pool take turns (that test is left out). The pool's own
    # protocol is atomics that are inlined here, and is seen in full.
    mkdir -p target/sanitizer
    printf 'race:%s\n' "test::event::CompletedTest" "Mutex<core::option::Option<test::run_test" \
        >target/sanitizer/thread.suppressions
    TSAN_OPTIONS="suppressions=$PWD/target/sanitizer/thread.suppressions" \
        sanitized thread "-Zsanitizer=thread -Cunsafe-allow-abi-mismatch=sanitizer" --features soft-nearest-neighbor \
        --lib --test same_bits -- backend::cpu::pool two_threads --skip nested_regions
fi
