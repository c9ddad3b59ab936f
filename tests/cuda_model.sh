#!/usr/bin/env bash
# The model of memory accesses: epochs on the embedded digits, metrics and cases of `verify` run on the traced stand-in, and kernels/MODEL has, for each
# line of the kernels, the sectors and wavefronts that its requests take by the addresses, beside the fewest possible. It is a
# model (kernels/stand_in/model.hpp): nothing of it was measured on a device. Fails if a kernel has no line, a line
# is new, or worse than committed by 1 %, or one of a dense or pairwise kernel has less than 90 % of ideal sectors (75 % where a dense one goes
# number by number) or more than 1.1 wavefronts per ideal one.
#
# kernels/ROOFLINE, a model too, is compared with what kernels/roofline.py makes of the sources.
#
#     tests/cuda_model.sh           check
#     tests/cuda_model.sh --write   write kernels/MODEL and kernels/ROOFLINE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests/stand_in.sh trace
out=target/stand_in/model
program=${DISENTANGLE:-target/debug/disentangle}
rm -rf "$out"
mkdir -p "$out/counts"
on_it() { DISENTANGLE_STAND_IN_MODEL=$out/counts/$1 LD_LIBRARY_PATH=target/stand_in/trace timeout 500 "$program" "${@:2}" --quiet --threads 1 --device cuda; }
# Widths of whole vectors.
on_it sgd inversion --epochs 1 --replicas 1 --hidden 64,32 --train-samples 256 --batch full --test-every 0 \
    --metrics silhouette,soft-nearest-neighbor-loss --save-activations 1 --out "$out/run" >/dev/null
on_it adam inversion --epochs 1 --replicas 2 --hidden 64 --train-samples 256 --batch 128 --optimizer adam --test-every 0 \
    --snnl-weight 0.1 --activation relu --out "$out/batch" >/dev/null
on_it wide measure --activations "$out/run/activations/epoch-1.npy" --k 2 --precision f64 \
    --metrics silhouette,soft-nearest-neighbor-loss,neighborhood-overlap >/dev/null
# Ten classes, widths of half a sector and odd ones, odd numbers of rows, three replicas.
on_it ten inversion --epochs 1 --replicas 3 --hidden 20 --labels all --train-samples 203 --batch full --test-every 1 --out "$out/ten" >/dev/null
on_it odd inversion --epochs 1 --replicas 3 --hidden 30,7 --labels all --train-samples 301 --batch 101 --optimizer rmsprop --momentum 0.9 \
    --test-every 0 --out "$out/odd" >/dev/null
# What no network of these launches, and products of drawn sizes.
case_of() { # op, seed
    DISENTANGLE_STAND_IN_MODEL=$out/counts/$1-$2 LD_LIBRARY_PATH=target/stand_in/trace timeout 500 "$program" verify --device cuda \
        --case "$1:$2" >/dev/null
}
# Gradients of pairs and histograms, once in f64 and once in f32.
for case in row_log_sums_grad:2 row_log_sums_grad:3 dense:1 dense:3 dense_input_grad:1 dense_input_grad:2 dense_weight_grad:1 \
    dense_weight_grad:7 margin:1 squared_error:1 logit_penalty:1 rms_prop:1 sum_squares:1 sum_squares_grad:1 \
    class_sums_squared_euclidean:1 row_sums_l1:1 class_sums_euclidean_grad:2 class_sums_euclidean_grad:3 row_sums_l1_grad:2 \
    row_sums_l1_grad:3 class_histograms:2 class_histograms:3 tanh_grad:1; do
    case_of "${case%:*}" "${case#*:}"
done
# The peaks are launched by `bench` alone, with a case beside them.
DISENTANGLE_STAND_IN_MODEL=$out/counts/peak LD_LIBRARY_PATH=target/stand_in/trace timeout 500 "$program" bench --device cuda \
    --filter "8192 x 20 x 2" --seconds 0 --json >/dev/null
python3 kernels/model.py target/stand_in/trace/libcuda.so.1 "$out"/counts/* >"$out/MODEL"
never=$(comm -23 <(sed -nE 's/^KERNEL\([0-9]+\) ([a-z0-9_]+)\(.*/\1/p' kernels/*.cu | sort) <(grep -v '^#' "$out/MODEL" | cut -d ' ' -f 1 | sort -u))
[ -z "$never" ] || { echo "cuda_model.sh: no run launches $(tr '\n' ' ' <<<"$never")" >&2; exit 1; }
if [ "${1:-}" = --write ]; then
    cp "$out/MODEL" kernels/MODEL
    python3 kernels/roofline.py --write
    echo "cuda_model.sh: wrote $(wc -l <kernels/MODEL) lines"
    exit 0
fi
python3 kernels/model.py --compare kernels/MODEL "$out/MODEL"
python3 kernels/roofline.py --check
