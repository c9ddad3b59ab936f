"""Golden run of the inversion recipe, in f64 NumPy.

    python inversion.py --data data/mnist --out OUT --epochs 200 --replicas 2 [--samples 8192] [--seed 1]

The first training images with the parity of their labels, pixels / 255 standardised per pixel by mean and unbiased
deviation (+ 1e-9) of those images; 784 -> 20 tanh -> 2 logits, mean softmax cross-entropy, full-batch gradient descent
with learning rate 0.1.

OUT/weights.safetensors holds the initial weights as f32, named and shaped as PyTorch does behind a replica axis; the
run starts from these f32 values, widened. OUT/epochs.csv has one row per replica and epoch: row `epoch` is the state
after that many steps. Radii and distance are of the unit-normalised hidden activations u of the training images: with
c_k the mean of class k, R_k = sqrt(mean |u - c_k|^2) and D = |c_0 - c_1|. Numbers are in the shortest form that reads
back to the same f64.
"""

import argparse
import gzip
import math
import os
import pathlib
import struct
import sys
import time

import numpy as np
from safetensors.numpy import save

HIDDEN = 20
CLASSES = 2
LEARNING_RATE = 0.1
HEADER = (
    "replica,epoch,train_loss,train_error,test_error,gyration_radius_0,gyration_radius_1,centroid_distance_0_1"
)


def read_idx(folder, name):
    """The array in an IDX file of bytes, raw or gzip."""
    raw = folder / name
    if raw.is_file():
        data = raw.read_bytes()
    elif (packed := folder / f"{name}.gz").is_file():
        data = gzip.decompress(packed.read_bytes())
    else:
        sys.exit(f"{raw}: no such file, raw or .gz; expected the four IDX files (tests/fetch_data.sh fetches them)")
    dimensions = data[3]
    shape = struct.unpack_from(f">{dimensions}I", data, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_split(folder, split):
    """Pixels in [0, 1], one image a row, and the parities."""
    images = read_idx(folder, f"{split}-images-idx3-ubyte")
    labels = read_idx(folder, f"{split}-labels-idx1-ubyte")
    return images.reshape(len(images), -1) / 255.0, labels % 2


def standardised(train, test):
    mean = train.mean(axis=0)
    deviation = train.std(axis=0, ddof=1)
    # Equal values have the deviation 0 and themselves as their mean, whatever a float sum makes of them.
    dead = train.min(axis=0) == train.max(axis=0)
    mean[dead], deviation[dead] = train[0, dead], 0.0
    return (train - mean) / (deviation + 1e-9), (test - mean) / (deviation + 1e-9)


def initial_weights(rng, replicas, inputs):
    """PyTorch's Linear default, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), rounded to f32."""

    def uniform(fan_in, *shape):
        bound = 1.0 / math.sqrt(fan_in)
        return rng.uniform(-bound, bound, (replicas, *shape)).astype(np.float32)

    return {
        "0.weight": uniform(inputs, HIDDEN, inputs),
        "0.bias": uniform(inputs, HIDDEN),
        "2.weight": uniform(HIDDEN, CLASSES, HIDDEN),
        "2.bias": uniform(HIDDEN, CLASSES),
    }


def forward(weights, x):
    """Hidden activations [R, n, hidden] and logits [R, n, classes]; one product serves all replicas."""
    w1, b1, w2, b2 = weights
    hidden = (x @ w1.reshape(-1, x.shape[1]).T).reshape(len(x), len(w1), HIDDEN).transpose(1, 0, 2)
    hidden = np.tanh(hidden + b1[:, None, :])
    return hidden, hidden @ w2.transpose(0, 2, 1) + b2[:, None, :]


def error(logits, labels):
    return (logits.argmax(axis=1) != labels).mean()


def geometry(hidden, labels):
    """R_0, R_1 and D of one replica."""
    norm = np.linalg.norm(hidden, axis=1, keepdims=True)
    unit = hidden / np.where(norm > 0.0, norm, 1.0)
    classes = [unit[labels == k] for k in range(CLASSES)]
    centroids = [u.mean(axis=0) for u in classes]
    radii = [np.sqrt(((u - c) ** 2).sum(axis=1).mean()) for u, c in zip(classes, centroids)]
    return *radii, np.linalg.norm(centroids[0] - centroids[1])


def loss_and_gradients(weights, x, labels, hidden, logits):
    """The mean cross-entropies [R] and the gradients, shaped as the weights."""
    w1, _, w2, _ = weights
    rows = np.arange(len(x))
    shifted = logits - logits.max(axis=2, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=2, keepdims=True))
    loss = (log_sum[:, :, 0] - shifted[:, rows, labels]).mean(axis=1)
    d2 = np.exp(shifted - log_sum)
    d2[:, rows, labels] -= 1.0
    d2 /= len(x)
    d1 = (d2 @ w2) * (1.0 - hidden * hidden)
    g1 = (d1.transpose(0, 2, 1).reshape(-1, len(x)) @ x).reshape(w1.shape)
    return loss, [g1, d1.sum(axis=1), d2.transpose(0, 2, 1) @ hidden, d2.sum(axis=1)]


def run(weights, train, train_labels, test, test_labels, epochs):
    """The rows of each replica."""
    weights = [value.astype(np.float64) for value in weights]
    replicas = range(len(weights[0]))
    rows = [[] for _ in replicas]
    for epoch in range(epochs + 1):
        hidden, logits = forward(weights, train)
        test_logits = forward(weights, test)[1]
        loss, gradients = loss_and_gradients(weights, train, train_labels, hidden, logits)
        for r in replicas:
            errors = error(logits[r], train_labels), error(test_logits[r], test_labels)
            rows[r].append((r, epoch, loss[r], *errors, *geometry(hidden[r], train_labels)))
        weights = [value - LEARNING_RATE * gradient for value, gradient in zip(weights, gradients)]
    return rows


def main():
    parser = argparse.ArgumentParser(description="Golden run of the inversion recipe, in f64 NumPy.")
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder with the four IDX files")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder for weights.safetensors and epochs.csv")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--samples", type=int, default=8192)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.perf_counter()

    train, train_labels = read_split(options.data, "train")
    test, test_labels = read_split(options.data, "t10k")
    train, test = standardised(train[: options.samples], test)
    train_labels = train_labels[: options.samples]
    weights = initial_weights(np.random.default_rng(options.seed), options.replicas, train.shape[1])
    rows = run(weights.values(), train, train_labels, test, test_labels, options.epochs)

    options.out.mkdir(parents=True, exist_ok=True)
    temporary = options.out / "weights.safetensors.tmp"
    temporary.write_bytes(save(weights))
    os.replace(temporary, options.out / "weights.safetensors")
    lines = [HEADER]
    for replica, epoch, *values in (row for replica_rows in rows for row in replica_rows):
        lines.append(",".join([str(replica), str(epoch), *(repr(float(value)) for value in values)]))
    temporary = options.out / "epochs.csv.tmp"
    temporary.write_text("\n".join(lines) + "\n")
    os.replace(temporary, options.out / "epochs.csv")
    print(f"{options.replicas} replicas, {options.epochs} epochs: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
