#!/usr/bin/env bash
# The core's public items, a line each, are those of tests/public_api.txt: what changes there changes for who builds on the core.
# Each is used in an example of the documentation (public_examples.py says which examples count).
#
#     tests/public_api.sh            # fails on any difference, and shows it
#     tests/public_api.sh --write    # accepts what there is
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# rustdoc's JSON is not stable, so it has to be asked for as on a nightly compiler; the format is that of the pinned toolchain.
target=target/public_api
RUSTC_BOOTSTRAP=1 cargo rustdoc --quiet --lib --no-default-features --target-dir "$target" -- \
    -Z unstable-options --output-format json --cap-lints allow
python3 tests/public_api.py <"$target/doc/disentangle.json" >"$target/public_api.txt"
if [ "${1:-}" = --write ]; then
    cp "$target/public_api.txt" tests/public_api.txt
fi
if ! diff -u tests/public_api.txt "$target/public_api.txt"; then
    echo "public_api.sh: the core's public items differ from tests/public_api.txt; if that is meant: tests/public_api.sh --write" >&2
    exit 1
fi
python3 tests/public_examples.py <"$target/doc/disentangle.json"
echo "public items of the core: $(wc -l <tests/public_api.txt), of them $(grep -cE '^(const |unsafe )*fn ' tests/public_api.txt) functions"
