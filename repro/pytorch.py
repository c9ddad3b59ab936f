"""Compares training steps of `disentangle` with an installed PyTorch on random networks and data, in the table of `verify`.

    python repro/pytorch.py --binary target/release/disentangle [--trials 40] [--seed 0] [--case loss:3]

Each case draws a network (one to three hidden layers), samples, a loss and an optimiser from its seed, lets `disentangle inversion` make one
step from these weights (f32 on the CPU, and f64 on the reference), and compares with PyTorch in f64:

    loss           before the step, from the forward pass
    gradient       of every parameter, read off a step of plain gradient descent: g = (w_0 - w_1) / lr
    sgd, nesterov, adam, adamw, rmsprop    every parameter after one step (of the f32 backend: parameters are saved as f32)
    loss after ...                         the loss after that step: to first order what the step's error makes of it, doubled

The bound is running error analysis, layer by layer, with u = 2^-24 on the CPU and 2^-53 on the reference: a product of k terms errs by
(k + 2) u of the product of absolute values (any order of summation), an activation by its slope times the error of its argument
and 8 u of itself, a backward product likewise. PyTorch's own roundings in f64 are added (2^-53 of the same). The first step of Adam
and RMSprop divides a gradient by its own size, so it errs relatively as the gradient does, and no more than twice the step.
Needs torch and numpy. One case alone: --case. Exit code 1 if a number is beyond its bound.
"""

import argparse
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import torch

U = {"cpu": 2.0**-24, "reference": 2.0**-53}
# Of each activation: largest slope, largest second derivative.
ACTIVATIONS = {
    "tanh": (torch.tanh, 1.0, 0.77),
    "relu": (torch.relu, 1.0, 0.0),
    "sigmoid": (torch.sigmoid, 0.25, 0.0963),
    "gelu": (torch.nn.functional.gelu, 1.13, 0.8),
    "identity": (lambda x: x, 1.0, 0.0),
}
OPTIMIZERS = ["sgd", "nesterov", "adam", "adamw", "rmsprop"]
LOSSES = ["cross-entropy", "mse"]


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, values in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(values.shape), "data_offsets": [offset, offset + 4 * values.size]}
        offset += 4 * values.size
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(v.astype("<f4").tobytes() for v in tensors.values()))


def read_safetensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    found = {}
    for name, entry in json.loads(data[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        start, end = entry["data_offsets"]
        kind = {"F32": "<f4", "F64": "<f8"}[entry["dtype"]]
        found[name] = np.frombuffer(data[8 + length + start : 8 + length + end], kind).reshape(entry["shape"]).astype(np.float64)
    return found


class Case:
    def __init__(self, what, seed):
        rng = np.random.default_rng(seed)
        self.what, self.seed = what, seed
        # Numbers of a step whose direction the gradient's error leaves open, and all.
        self.open, self.numbers = 0, 0
        self.rows, self.inputs, self.classes = int(rng.integers(3, 300)), (int(rng.integers(1, 9)), int(rng.integers(1, 9))), int(rng.integers(3, 6))
        self.hidden = [int(rng.integers(1, 40)) for _ in range(rng.integers(1, 4))]
        self.activation = list(ACTIVATIONS)[rng.integers(len(ACTIVATIONS))]
        self.loss = LOSSES[rng.integers(len(LOSSES))]
        self.lr = float(2.0 ** rng.integers(-6, 1))
        self.pixels = rng.integers(0, 256, (self.rows, *self.inputs), dtype=np.uint8)
        self.labels = np.concatenate([np.arange(self.classes), rng.integers(0, self.classes, max(self.rows - self.classes, 0))])[: self.rows].astype(np.uint8)
        if self.rows < self.classes:
            self.classes = self.rows
        widths = [self.inputs[0] * self.inputs[1], *self.hidden, self.classes]
        self.parameters = {}
        for n, (k, units) in enumerate(zip(widths, widths[1:])):
            self.parameters[f"{2 * n}.weight"] = rng.normal(0, 1 / math.sqrt(k), (units, k)).astype(np.float32)
            self.parameters[f"{2 * n}.bias"] = rng.normal(0, 0.1, units).astype(np.float32)
        self.optimizer = what if what in OPTIMIZERS else "sgd"
        self.momentum = 0.5 if self.optimizer == "nesterov" else 0.0

    def words(self):
        return f"{self.rows} rows, {self.inputs[0] * self.inputs[1]} inputs, hidden {self.hidden}, {self.classes} classes, {self.activation}, {self.loss}, lr {self.lr}"

    def run(self, binary, device):
        """Losses before and after a step, and the parameters after it."""
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            np.savez(folder / "data.npz", x_train=self.pixels, y_train=self.labels, x_test=self.pixels, y_test=self.labels)
            write_safetensors(folder / "init.safetensors", self.parameters)
            command = [
                binary, "inversion", "--data", folder / "data.npz", "--labels", "all", "--standardize", "none", "--init", folder / "init.safetensors",
                "--hidden", ",".join(map(str, self.hidden)), "--activation", self.activation, "--loss", self.loss, "--optimizer", self.optimizer,
                "--lr", self.lr, "--momentum", self.momentum, "--batch", "full", "--epochs", 1, "--replicas", 1, "--test-every", 0,
                "--device", device, "--save-weights", "all", "--out", folder / "run", "--quiet",
            ]  # fmt: skip
            ran = subprocess.run(list(map(str, command)), capture_output=True, text=True)
            if ran.returncode:
                sys.exit(f"pytorch.py: {self.what}:{self.seed}: {ran.stderr}")
            table = (folder / "run" / "epochs.csv").read_text().splitlines()
            losses = [float(line.split(",")[table[0].split(",").index("train_loss")]) for line in table[1:3]]
            after = read_safetensors(folder / "run" / "weights" / "epoch-1.safetensors")
            return losses, {name: values.reshape(self.parameters[name].shape) for name, values in after.items()}

    def torch(self, pixels, start):
        """Loss and gradients at these parameters, and the parameters after a step, in f64."""
        function = ACTIVATIONS[self.activation][0]
        parameters = {name: torch.tensor(values, dtype=torch.float64, requires_grad=True) for name, values in start.items()}
        h = torch.tensor(pixels)
        layers = len(self.hidden) + 1
        for n in range(layers):
            h = torch.nn.functional.linear(h, parameters[f"{2 * n}.weight"], parameters[f"{2 * n}.bias"])
            h = function(h) if n + 1 < layers else h
        labels = torch.tensor(self.labels, dtype=torch.int64)
        if self.loss == "cross-entropy":
            loss = torch.nn.functional.cross_entropy(h, labels)
        else:
            loss = torch.nn.functional.mse_loss(h, torch.nn.functional.one_hot(labels, self.classes).double())
        loss.backward()
        gradients = {name: p.grad.numpy().copy() for name, p in parameters.items()}
        make = {
            "sgd": lambda p: torch.optim.SGD(p, lr=self.lr),
            "nesterov": lambda p: torch.optim.SGD(p, lr=self.lr, momentum=self.momentum, nesterov=True),
            "adam": lambda p: torch.optim.Adam(p, lr=self.lr),
            "adamw": lambda p: torch.optim.AdamW(p, lr=self.lr, weight_decay=0.0),
            "rmsprop": lambda p: torch.optim.RMSprop(p, lr=self.lr),
        }
        make[self.optimizer](list(parameters.values())).step()
        return loss.item(), gradients, {name: p.detach().numpy() for name, p in parameters.items()}

    def bounds(self, pixels, start, u):
        """Errors of the loss and of every gradient, by running error analysis."""
        function, slope, bend = ACTIVATIONS[self.activation]
        tensor = torch.tensor
        h, e = pixels, u * np.abs(pixels)
        layers, kept = len(self.hidden) + 1, []
        for n in range(layers):
            w, b = start[f"{2 * n}.weight"].astype(float), start[f"{2 * n}.bias"].astype(float)
            z = h @ w.T + b
            of_z = (w.shape[1] + 2) * u * (np.abs(h) @ np.abs(w).T + np.abs(b)) + e @ np.abs(w).T
            kept.append((h, e, z, of_z, w))
            h = function(tensor(z)).numpy()
            e = slope * of_z + 8 * u * np.abs(h)
        z, of_z = kept[-1][2], kept[-1][3]
        rows, one_hot = len(z), np.eye(self.classes)[self.labels]
        if self.loss == "cross-entropy":
            p = torch.softmax(tensor(z), 1).numpy()
            each = torch.logsumexp(tensor(z), 1).numpy() - (z * one_hot).sum(1)
            loss = (2 * of_z.max(1) + 8 * u * (np.ptp(z, axis=1) + each + 1)).mean()
            d, of_d = (p - one_hot) / rows, (p * (of_z + (p * of_z).sum(1, keepdims=True)) + 8 * u * p * (1 + np.ptp(z, axis=1, keepdims=True)) + 2 * u * np.abs(p - one_hot)) / rows
        else:
            r, scale = z - one_hot, 2 / (rows * self.classes)
            loss = (2 * np.abs(r) * of_z + of_z**2 + 8 * u * r * r).mean()
            d, of_d = scale * r, scale * (of_z + 4 * u * np.abs(r))
        gradients = {}
        for n in reversed(range(layers)):
            h, e, _, _, w = kept[n]
            gradients[f"{2 * n}.weight"] = (rows + 2) * u * np.abs(d).T @ np.abs(h) + of_d.T @ np.abs(h) + (np.abs(d) + of_d).T @ e
            gradients[f"{2 * n}.bias"] = (rows + 2) * u * np.abs(d).sum(0) + of_d.sum(0)
            if n:
                back = d @ w
                of_back = (w.shape[0] + 2) * u * np.abs(d) @ np.abs(w) + of_d @ np.abs(w)
                z, of_z = kept[n - 1][2], kept[n - 1][3]
                at = tensor(z, requires_grad=True)
                function(at).sum().backward()
                first = at.grad.numpy()
                change = bend * of_z + 8 * u * np.abs(first)
                if self.activation == "relu":
                    # Past the kink the slope is another.
                    change = (np.abs(z) <= of_z).astype(float)
                d, of_d = back * first, of_back * np.abs(first) + (np.abs(back) + of_back) * change
        return loss, gradients

    def both_bounds(self, pixels, start, u):
        """The errors of this engine and of PyTorch together."""
        (loss, gradients), (more, others) = self.bounds(pixels, start, u), self.bounds(pixels, start, U["reference"])
        return loss + more, {name: gradients[name] + others[name] for name in gradients}

    def step_bounds(self, gradients, errors, after, u):
        """Errors of the parameters after a step."""
        found = {}
        for name, g in gradients.items():
            e, w = errors[name], np.maximum(np.abs(after[name]), np.abs(self.parameters[name]))
            if self.optimizer in ("sgd", "nesterov"):
                moved = self.lr * (1 + self.momentum) * (e + 4 * u * np.abs(g))
            else:
                # lr g / (|g| + epsilon), times ten for RMSprop's root of 0.01.
                size = self.lr * (10.0 if self.optimizer == "rmsprop" else 1.0)
                relative = np.where(np.abs(g) > 2 * e, e / np.maximum(np.abs(g) - e, 1e-300), 2.0)
                self.open += int((relative == 2.0).sum())
                self.numbers += g.size
                moved = size * np.minimum(2.0, 2 * relative + 16 * u)
            found[name] = moved + 3 * u * (w + moved)
        return found


class Check:
    def __init__(self, what):
        self.what, self.cases, self.within, self.worst, self.case, self.ulps = what, 0, 0, 0.0, "exact", []

    def add(self, got, want, bound, case):
        error = np.abs(np.asarray(got, float) - want).ravel()
        bound = np.broadcast_to(bound, np.shape(want)).ravel()
        ratio = np.where(error == 0, 0.0, error / np.maximum(bound, 1e-300))
        if np.isnan(error).any():
            ratio = np.full(1, math.inf)
        self.ulps.append(error / np.spacing(np.abs(np.asarray(want, np.float32))).astype(float).ravel())
        self.cases += 1
        self.within += bool(ratio.max() <= 1)
        if ratio.max() > self.worst:
            self.worst, self.case = float(ratio.max()), f"{case.what}:{case.seed}"

    def row(self):
        ulps = np.concatenate(self.ulps)
        verdict = "yes" if self.within == self.cases else "NO"
        return f"{self.what:<32} {self.cases:>6} {self.worst:>9.3f} {ulps.max():>10.2e} {np.quantile(ulps, 0.999):>10.2e}  {self.case:<16} {verdict}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="target/release/disentangle")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names = ["gradient", *[o for o in OPTIMIZERS if o != "sgd"]]
    cases = [(name, seed) for name in names for seed in range(arguments.seed, arguments.seed + arguments.trials)]
    if arguments.case:
        name, seed = arguments.case.rsplit(":", 1)
        cases = [(name, int(seed))]
    checks, undecided, numbers = {}, 0, 0
    for what, seed in cases:
        case = Case(what, seed)
        for device, u in U.items():
            (loss, next_loss), after = case.run(arguments.binary, device)
            pixels = case.pixels.reshape(case.rows, -1) / 255.0
            want_loss, gradients, want_after = case.torch(pixels, case.parameters)
            of_loss, of_gradients = case.both_bounds(pixels, case.parameters, u)
            check = lambda name: checks.setdefault(f"{name} ({device})", Check(f"{name} ({device})"))
            optimizer = "sgd" if what == "gradient" else what
            if what == "gradient":
                check("loss").add(loss, want_loss, of_loss, case)
            moved = case.step_bounds(gradients, of_gradients, want_after, u)
            # The reference's parameters are saved as f32; its loss after the step is not.
            want_next, slopes, _ = case.torch(pixels, want_after)
            of_next, _ = case.both_bounds(pixels, want_after, u)
            by_step = sum((np.abs(slopes[name]) * moved[name]).sum() for name in slopes)
            check(f"loss after {optimizer}").add(next_loss, want_next, of_next + 2 * by_step, case)
            for name in gradients if device == "cpu" else []:
                if what == "gradient":
                    start = case.parameters[name].astype(float)
                    check("gradient").add((start - after[name]) / case.lr, gradients[name], moved[name] / case.lr, case)
                check(optimizer).add(after[name], want_after[name], moved[name], case)
        undecided, numbers = undecided + case.open, numbers + case.numbers
        if arguments.case:
            print(case.words())
    print(f"disentangle against PyTorch {torch.__version__} in f64, a step from random weights, seeds {arguments.seed} to {arguments.seed + arguments.trials - 1}\n")
    print(f"{'what':<32} {'cases':>6} {'of bound':>9} {'worst ulp':>10} {'99.9 %':>10}  {'worst case':<16} within")
    for check in checks.values():
        print(check.row())
    all_cases, within = sum(c.cases for c in checks.values()), sum(c.within for c in checks.values())
    print(f"\n{undecided} of {numbers} numbers of the steps that divide a gradient by its size: the gradient is below twice its error, and the bound the whole step")
    print(f"pytorch: {within} of {all_cases} cases within their bound")
    sys.exit(within < all_cases)


main()
