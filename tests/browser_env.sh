#!/usr/bin/env bash
# Puts what the browser test needs in place: Debian's Chromium and Node.js through apt-get if they are missing, and
# playwright-core in tests/browser/node_modules (version and hash pinned in package-lock.json). Does nothing if all is there.
#
#     tests/browser_env.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/browser"

die() { echo "browser_env.sh: $*" >&2; exit 1; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
missing=()
[ -x /usr/bin/chromium ] || missing+=(chromium)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
    command -v apt-get >/dev/null || die "no ${missing[*]} and no apt-get; expected Chromium in /usr/bin/chromium, node and npm"
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1 || die "apt-get could not install ${missing[*]} ($(tail -n 1 "$log")); expected to run as root with a network"
fi

# A copy of the lock, put there last, says what the folder was made for.
if ! cmp -s package-lock.json node_modules/package-lock.json; then
    npm ci --ignore-scripts --no-audit --no-fund >"$log" 2>&1 || die "npm ci failed ($(tail -n 1 "$log"))"
    cp package-lock.json node_modules/package-lock.json
fi
