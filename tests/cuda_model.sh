#!/usr/bin/env bash
# The model of memory accesses: one epoch on the embedded digits and its metrics run on the traced stand-in, and kernels/MODEL has, for each
# line of the kernels, the sectors and wavefronts that its requests take by the addresses, beside the fewest possible. It is a
# model (kernels/stand_in/model.hpp): nothing of it was measured on a device. Fails if a line is new, or worse than committed by 1 %, or
# one of a dense or pairwise kernel has less than 90 % of ideal sectors or more than 1.1 wavefronts per ideal one.
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
mkdir -p "$out"
on_it() { DISENTANGLE_STAND_IN_MODEL=$out/$1 LD_LIBRARY_PATH=target/stand_in/trace timeout 500 "$program" "${@:2}" --quiet --threads 1 --device cuda; }
# Widths of whole vectors; rows that are not aligned are read number by number, and are not in the table.
on_it sgd inversion --epochs 1 --replicas 1 --hidden 64,32 --train-samples 256 --batch full --test-every 0 \
    --metrics silhouette,soft-nearest-neighbor-loss --save-activations 1 --out "$out/run" >/dev/null
on_it adam inversion --epochs 1 --replicas 2 --hidden 64 --train-samples 256 --batch 128 --optimizer adam --test-every 0 \
    --snnl-weight 0.1 --activation relu --out "$out/batch" >/dev/null
on_it wide measure --activations "$out/run/activations/epoch-1.npy" --k 2 --precision f64 \
    --metrics silhouette,soft-nearest-neighbor-loss,neighborhood-overlap >/dev/null
# The gradient of log sums, once in f64 and once in f32.
for case in 2 3; do
    DISENTANGLE_STAND_IN_MODEL=$out/gradient-$case LD_LIBRARY_PATH=target/stand_in/trace timeout 500 "$program" verify --device cuda \
        --case "row_log_sums_grad:$case" >/dev/null
done
python3 kernels/model.py target/stand_in/trace/libcuda.so.1 "$out"/sgd "$out"/adam "$out"/wide "$out"/gradient-? >"$out/MODEL"
if [ "${1:-}" = --write ]; then
    cp "$out/MODEL" kernels/MODEL
    python3 kernels/roofline.py --write
    echo "cuda_model.sh: wrote $(wc -l <kernels/MODEL) lines"
    exit 0
fi
python3 kernels/model.py --compare kernels/MODEL "$out/MODEL"
python3 kernels/roofline.py --check
