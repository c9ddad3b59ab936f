#!/usr/bin/env bash
# Everything that must hold, on a fresh machine with a Rust toolchain: fetches data and Python packages (names, versions
# and hashes pinned), checks style, documentation and dependencies, and runs all tests.
#
#     tests/run.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }

# A fresh build gains nothing from being incremental, and its kernels run faster when units are optimised together.
export CARGO_INCREMENTAL=0
# Built once, with the same features everywhere: others would build everything anew.
all=(--workspace --features disentangle/cuda)

say "data and Python"
tests/fetch_data.sh
tests/python_env.sh

say "dependencies and public items"
tests/dependencies.sh
tests/public_api.sh

say "style and documentation"
cargo fmt --all --check
for features in "" study cli; do
    cargo clippy --quiet --no-default-features --features "$features" -- -D warnings
done
cargo clippy --quiet "${all[@]}" --all-targets -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --quiet "${all[@]}" --no-deps

say "golden numbers by NumPy, scikit-learn and scikit-dimension"
golden=target/golden
made=$(cat tests/golden/*.py tests/requirements.txt | sha256sum)
if [ "$(cat "$golden/made-by" 2>/dev/null)" != "$made" ]; then
    mkdir -p "$golden"
    .venv/bin/python tests/golden/three_layer.py "$golden"
    .venv/bin/python tests/golden/inversion.py --data data/mnist --out "$golden/inversion" --epochs 200 --replicas 2
    .venv/bin/python tests/golden/metrics.py data/mnist "$golden/metrics"
    .venv/bin/python tests/golden/elementary.py "$golden/elementary.json"
    echo "$made" >"$golden/made-by"
fi

say "tests"
# Programs that time something have been compiled by clippy and have no tests.
cargo test "${all[@]}" --lib --bin disentangle --test '*' --no-fail-fast
# The examples of the documentation.
cargo test "${all[@]}" --doc
# The widest instruction set has been tested; the kernels on narrower ones are compiled from the same text.
narrower=portable
if grep -qw avx512f /proc/cpuinfo; then narrower="portable avx2"; fi
for isa in $narrower; do
    # What metrics are made of is among the rest.
    DISENTANGLE_ISA=$isa cargo test "${all[@]}" --lib verify -- --skip metrics
    DISENTANGLE_ISA=$isa cargo test "${all[@]}" --test pairwise
done
for example in examples/*.rs; do
    cargo run --quiet --no-default-features --example "$(basename "$example" .rs)"
done

say "CUDA without a GPU"
tests/cuda_ptx.sh
tests/stand_in_test.sh
python3 repro/planted_faults.py --sample
tests/cuda_model.sh
tests/cuda_sanitized.sh short

say "the report in a browser"
# Without the features that tests bring to its dependencies it would be built anew.
DISENTANGLE=target/debug/disentangle tests/browser.sh

say "sanitizers"
tests/sanitizer.sh

say "all passed"
