#!/usr/bin/env bash
# The report in a headless browser: makes one, opens it from disk, and does with it what a reader would. Screenshots are
# left in target/browser.
#
#     tests/browser.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests/browser_env.sh
run=target/browser/run
rm -rf "$run"
mkdir -p target/browser
cargo run --quiet -- inversion --replicas 4 --epochs 60 --quiet --out "$run" >/dev/null
node tests/browser/report.mjs "$run/report.html" target/browser
