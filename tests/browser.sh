#!/usr/bin/env bash
# The pages in a headless browser: makes a report and a comparison, opens them from disk, watches a run that goes on, and
# does with each what a reader would. Screenshots are left in target/browser.
#
#     tests/browser.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests/browser_env.sh
shots=target/browser
runs=$shots/runs
rm -rf "$shots"
mkdir -p "$runs"
# The program of the tests if they have built it.
disentangle=${DISENTANGLE:-}
if [ -z "$disentangle" ]; then
    cargo build --quiet
    disentangle=target/debug/disentangle
fi
"$disentangle" inversion --replicas 4 --epochs 60 --quiet --out "$runs/default" >/dev/null
"$disentangle" inversion --replicas 3 --epochs 90 --hidden 40 --lr 0.3 --quiet --out "$runs/wide" >/dev/null
"$disentangle" inversion --replicas 2 --epochs 40 --labels 3,5,8 --quiet --out "$runs/three classes" >/dev/null
"$disentangle" report "$runs/default" "$runs/wide" "$runs/three classes" --out "$runs/comparison" >/dev/null
node tests/browser/report.mjs "$runs/default/report.html" "$shots"
node tests/browser/comparison.mjs "$runs/comparison/report.html" "$shots"
node tests/browser/watch.mjs "$disentangle" "$runs/watched" "$shots"
