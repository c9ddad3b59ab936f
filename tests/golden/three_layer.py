"""Golden gradients and losses of a small network, in f64 NumPy.

    python three_layer.py OUT_DIR

writes OUT_DIR/three_layer.json. Two replicas of

    7 -> 5 tanh -> 4 GELU (erf) -> 3 logits

with different parameters are trained on the same data. The loss of a replica is

    sum_i w_i CE_i / sum_i w_i  +  lambda / 2 sum W^2,

with CE_i = log sum_k exp(z_ik) - z_i,label and the second sum over the weight matrices, not the biases. The sample
weights are multiples of 1/4 (one of them is 0) and add up to the number of samples, so that a mean over the samples
of w_i CE_i is the same number. Training is full-batch gradient descent with momentum: v <- mu v + gradient, parameter
<- parameter - eta v, from v = 0.

In the file, `gradients` are those of the whole loss at the initial parameters, and entry t of `losses` and of
`cross_entropies` (the first term alone) is the value after t steps. Numbers are in the shortest form that reads back
to the same f64; matrices are [out, in].
"""

import json
import math
import os
import pathlib
import sys

import numpy as np

SIZES = [7, 5, 4, 3]
SAMPLES = 13
REPLICAS = 2
STEPS = 10
LEARNING_RATE = 0.25
MOMENTUM = 0.9
L2 = 0.01

erf = np.vectorize(math.erf, otypes=[float])


def gelu(z):
    return 0.5 * z * (1.0 + erf(z / math.sqrt(2.0)))


def gelu_derivative(z):
    density = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return 0.5 * (1.0 + erf(z / math.sqrt(2.0))) + z * density


def loss_and_gradients(parameters, x, labels, weights):
    """Cross-entropy, whole loss, and the gradient of the whole loss by name."""
    p = parameters
    z1 = x @ p["0.weight"].T + p["0.bias"]
    h1 = np.tanh(z1)
    z2 = h1 @ p["2.weight"].T + p["2.bias"]
    h2 = gelu(z2)
    z3 = h2 @ p["4.weight"].T + p["4.bias"]

    rows = np.arange(len(x))
    shifted = z3 - z3.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    share = weights / weights.sum()
    cross_entropy = float(share @ (log_sum[:, 0] - shifted[rows, labels]))
    loss = cross_entropy + 0.5 * L2 * sum(float((w * w).sum()) for name, w in p.items() if name.endswith("weight"))

    d3 = np.exp(shifted - log_sum)
    d3[rows, labels] -= 1.0
    d3 *= share[:, None]
    d2 = (d3 @ p["4.weight"]) * gelu_derivative(z2)
    d1 = (d2 @ p["2.weight"]) * (1.0 - h1 * h1)
    gradients = {}
    for layer, d, h in [("0", d1, x), ("2", d2, h1), ("4", d3, h2)]:
        gradients[f"{layer}.weight"] = d.T @ h + L2 * p[f"{layer}.weight"]
        gradients[f"{layer}.bias"] = d.sum(axis=0)
    return cross_entropy, loss, gradients


def check_gradients(rng, parameters, data):
    """Central differences along a random direction: their error is about h^2 and 1e-16 / h, so 1e-9 for h = 1e-5."""
    h = 1e-5
    gradients = loss_and_gradients(parameters, *data)[2]
    for name in parameters:
        direction = rng.standard_normal(parameters[name].shape)
        ahead, behind = (
            loss_and_gradients({**parameters, name: parameters[name] + sign * h * direction}, *data)[1]
            for sign in (1.0, -1.0)
        )
        difference, exact = (ahead - behind) / (2.0 * h), float((gradients[name] * direction).sum())
        if abs(difference - exact) > 1e-8:
            sys.exit(f"{name}: the gradient along a direction is {exact}; expected {difference}")


def train(parameters, data):
    """The two loss curves and the last parameters."""
    parameters = dict(parameters)
    velocity = {name: np.zeros_like(value) for name, value in parameters.items()}
    cross_entropies, losses = [], []
    for step in range(STEPS + 1):
        cross_entropy, loss, gradients = loss_and_gradients(parameters, *data)
        cross_entropies.append(cross_entropy)
        losses.append(loss)
        if step < STEPS:
            for name, gradient in gradients.items():
                velocity[name] = MOMENTUM * velocity[name] + gradient
                parameters[name] = parameters[name] - LEARNING_RATE * velocity[name]
    return cross_entropies, losses, parameters


def lists(arrays):
    return {name: array.tolist() for name, array in arrays.items()}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: three_layer.py OUT_DIR")
    out = pathlib.Path(sys.argv[1])
    rng = np.random.default_rng(20)
    x = rng.standard_normal((SAMPLES, SIZES[0]))
    labels = rng.integers(0, SIZES[-1], SAMPLES)
    weights = np.array([0.0, 0.25, 0.5, 0.5, 0.75, 1.0, 1.0, 1.0, 1.25, 1.5, 1.5, 1.75, 2.0])
    assert weights.sum() == SAMPLES
    data = x, labels, weights

    replicas = []
    for _ in range(REPLICAS):
        parameters = {}
        for layer, (inputs, outputs) in enumerate(zip(SIZES, SIZES[1:])):
            bound = 1.0 / math.sqrt(inputs)
            parameters[f"{2 * layer}.weight"] = rng.uniform(-bound, bound, (outputs, inputs))
            parameters[f"{2 * layer}.bias"] = rng.uniform(-bound, bound, outputs)
        check_gradients(rng, parameters, data)
        cross_entropies, losses, final = train(parameters, data)
        replicas.append(
            {
                "parameters": lists(parameters),
                "gradients": lists(loss_and_gradients(parameters, *data)[2]),
                "cross_entropies": cross_entropies,
                "losses": losses,
                "final_parameters": lists(final),
            }
        )
    golden = {
        "sizes": SIZES,
        "activations": ["tanh", "gelu"],
        "learning_rate": LEARNING_RATE,
        "momentum": MOMENTUM,
        "l2": L2,
        "inputs": x.tolist(),
        "labels": labels.tolist(),
        "sample_weights": weights.tolist(),
        "replicas": replicas,
    }
    out.mkdir(parents=True, exist_ok=True)
    temporary = out / "three_layer.json.tmp"
    temporary.write_text(json.dumps(golden, indent=1) + "\n")
    os.replace(temporary, out / "three_layer.json")


if __name__ == "__main__":
    main()
