#!/usr/bin/env bash
# Makes .venv in the repository's root with what the golden scripts import (tests/requirements.txt, pinned by hash).
# Does nothing if it is there already.
#
#     tests/python_env.sh
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv
wanted=$root/tests/requirements.txt
# A copy of the requirements, put there last, says what an environment was made for.
made=$venv/requirements.txt

die() { echo "python_env.sh: $*" >&2; exit 1; }

command -v python3 >/dev/null || die "no python3 on the path; expected CPython 3.10 or later"

if cmp -s "$wanted" "$made" && "$venv/bin/python" -c 'import mpmath, numpy, safetensors, sklearn' 2>/dev/null; then
    exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
python3 -m venv --clear "$venv" >"$log" 2>&1 ||
    die "python3 -m venv failed ($(tail -n 1 "$log")); expected a Python with venv and pip"
# The file names all that is needed; scikit-dimension's plots and compiled estimators are not.
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes --no-deps \
    --requirement "$wanted" >"$log" 2>&1 ||
    die "pip failed on tests/requirements.txt ($(tail -n 1 "$log")); expected CPython 3.10 to 3.14 and a network"
cp "$wanted" "$made"
echo "python_env.sh: made .venv with $("$venv/bin/python" --version)"
