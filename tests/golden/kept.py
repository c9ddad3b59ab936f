"""What a run kept, read by NumPy and safetensors: python kept.py RUN

The run has two tanh layers, both kept at all epochs in activations/, and the weights of all epochs in weights/. Prints how
many epochs and how many replicas' own stops there are, the type of the numbers, and the largest difference between a
layer or a radius and what NumPy makes of the weights and the layer below, in units of its bound. Errors and stragglers must be equal.
"""

import csv
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file

run = pathlib.Path(sys.argv[1])
labels = np.load(run / "activations/labels.npy")
rows = np.load(run / "activations/sample_index.npy")
assert labels.dtype == np.int64 and rows.dtype == np.int64 and labels.shape == rows.shape
table = list(csv.DictReader(open(run / "epochs.csv")))
stragglers = list(csv.DictReader(open(run / "stragglers.csv")))
stops = {}
if (run / "activations/inversion.csv").exists():
    stops = {int(row["replica"]): int(row["epoch"]) for row in csv.DictReader(open(run / "activations/inversion.csv"))}

worst = 0.0
# Weights are kept in f32 whatever the numbers of the run.
u = 2.0**-24


def check(layer_1, layer_2, weights, record):
    """One replica at one epoch; returns the rows that its outputs misclassify."""
    global worst
    below, weight, bias = (a.astype(np.float64) for a in (layer_1, weights["2.weight"], weights["2.bias"]))
    expected = np.tanh(below @ weight.T + bias)
    # A sum of n products and a bias is off by n + 1 roundings of the sum of absolute values; tanh, whose slope is at most
    # 1, by some of its own.
    n = below.shape[1]
    bound = ((n + 1) * (np.abs(below) @ np.abs(weight).T + np.abs(bias)) + 4) * u
    worst = max(worst, float((np.abs(expected - layer_2) / bound).max()))
    outputs = layer_2 @ weights["4.weight"].T + weights["4.bias"]
    wrong = outputs.argmax(axis=1) != labels
    assert abs(wrong.mean() - float(record["train_error"])) < 1e-12, (wrong.mean(), record)
    for layer, name in [(layer_1, "layer_1"), (layer_2, "layer_2")]:
        unit = layer.astype(np.float64)
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        for c in (0, 1):
            own = unit[labels == c]
            radius = np.sqrt(((own - own.mean(axis=0)) ** 2).sum(axis=1).mean())
            # R^2 = 1 - |mu|^2, where each row on the sphere is off by its norm's sum of n squares and a division.
            bound = (unit.shape[1] + 4) * u / radius
            worst = max(worst, abs(radius - float(record[f"{name}_gyration_radius_{c}"])) / bound)
    return set(rows[wrong].tolist())


kept = 0
for path in sorted((run / "activations").glob("layer-1-epoch-*.npy")):
    epoch = int(path.stem.rsplit("-", 1)[1])
    layers = [np.load(run / f"activations/layer-{k}-epoch-{epoch}.npy") for k in (1, 2)]
    weights = load_file(run / f"weights/epoch-{epoch}.safetensors")
    records = [row for row in table if int(row["epoch"]) == epoch]
    assert all(layer.shape[:2] == (len(records), len(labels)) for layer in layers)
    for r, record in enumerate(records):
        check(layers[0][r], layers[1][r], {name: values[r] for name, values in weights.items()}, record)
    kept += 1
for replica, epoch in stops.items():
    layers = [np.load(run / f"activations/layer-{k}-inversion-replica-{replica}.npy") for k in (1, 2)]
    weights = load_file(run / f"weights/inversion-replica-{replica}.safetensors")
    record = next(row for row in table if (int(row["replica"]), int(row["epoch"])) == (replica, epoch))
    wrong = check(layers[0], layers[1], weights, record)
    assert wrong == {int(row["sample_index"]) for row in stragglers if int(row["replica"]) == replica}
print(kept, len(stops), layers[0].dtype, worst)
