"""A hidden layer entangled or disentangled while it learns: python3 repro/soft_nearest_neighbor.py RUNS [BINARY]

Trains networks on 1,000 MNIST images (ten classes, two hidden layers) by the cross-entropy plus W times the soft nearest neighbour loss of a
hidden layer, 16 replicas for each W and layer, and prints as Markdown the mean and standard deviation (n - 1) over the replicas after the
last epoch, and for the test error the paired difference from W = 0 (replica r starts from the same weights and sees the same batches) with
its standard error. Runs that are there are read, not made again.
"""

import csv
import pathlib
import statistics
import subprocess
import sys

runs = pathlib.Path(sys.argv[1])
BINARY = sys.argv[2] if len(sys.argv) > 2 else "target/release/disentangle"
EPOCHS = 60
REPLICAS = 16
COMMON = (
    f"inversion --data data/mnist --train-samples 1000 --labels all --standardize global --hidden 64,64 --activation relu --optimizer sgd "
    f"--momentum 0.9 --lr 0.02 --batch 100 --epochs {EPOCHS} --replicas {REPLICAS} --seed 1 --layer all --test-every {EPOCHS} "
    f"--metrics soft-nearest-neighbor-loss,silhouette --measure-every {EPOCHS} --quiet --threads 2"
).split()
WEIGHTS = ["-1", "-0.3", "-0.1", "0.1", "0.3", "1"]
COLUMNS = ["train_error", "test_error", "layer_1_soft_nearest_neighbor_loss", "layer_2_soft_nearest_neighbor_loss", "layer_1_silhouette", "layer_2_silhouette"]
HEADS = ["training error", "test error", "loss, layer 1", "loss, layer 2", "silhouette, layer 1", "silhouette, layer 2", "test error beside W = 0"]


def ends(weight: str, layer: str) -> list[dict]:
    """The last epoch's row of every replica."""
    folder = runs / (f"layer-{layer}-weight-{weight}" if weight != "0" else "plain")
    if not (folder / "summary.json").exists():
        term = [f"--snnl-weight={weight}", "--snnl-layer", layer, "--snnl-temperature", "0.3"] if weight != "0" else []
        subprocess.run([BINARY, *COMMON, *term, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    with open(folder / "epochs.csv") as file:
        rows = [row for row in csv.DictReader(file) if int(row["epoch"]) == EPOCHS]
    assert len(rows) == REPLICAS, f"{folder}: {len(rows)} replicas"
    return rows


def numbers(rows: list[dict], column: str) -> list[float]:
    return [float(row[column]) for row in rows]


plain = ends("0", "1")
for layer in ("1", "2"):
    print(f"\n## W times the loss of hidden layer {layer}\n")
    print("| W | " + " | ".join(HEADS) + " |")
    print("|---" * (len(HEADS) + 1) + "|")
    for weight in sorted([*WEIGHTS, "0"], key=float):
        rows = ends(weight, layer)
        cells = [f"{statistics.mean(v):.4f} ± {statistics.stdev(v):.4f}" for v in (numbers(rows, column) for column in COLUMNS)]
        apart = [a - b for a, b in zip(numbers(rows, "test_error"), numbers(plain, "test_error"))]
        error = statistics.stdev(apart) / len(apart) ** 0.5
        cells.append("" if weight == "0" else f"{statistics.mean(apart):+.4f} ± {error:.4f}")
        print(f"| {weight} | " + " | ".join(cells) + " |")
