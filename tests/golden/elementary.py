"""Elementary functions of the losses and activations by mpmath, 40 digits, rounded once to f64.

    python tests/golden/elementary.py FILE.json

x are f32 numbers over the whole range, both signs, with the ends and the places where kernels change their formula. Results are
written as shortest decimals that read back to the same f64.
"""

import json
import struct
import sys

from mpmath import mp, mpf, erfc, exp, log, sqrt, tanh

mp.dps = 40


def f32(bits):
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def sigmoid(x):
    return 1 / (1 + exp(-x))


def log_1p_exp(x):
    # log(1 + e^x): for large x e^-x is lost beside 1 at any number of digits, so it is added apart.
    return x + log(1 + exp(-x)) if x > 0 else mp.log1p(exp(x))


FUNCTIONS = {
    "tanh": tanh,
    "gelu": lambda x: x * erfc(-x / sqrt(mpf(2))) / 2,
    "sigmoid": sigmoid,
    "logistic": lambda x: log_1p_exp(-x),
    "log_sum_exp": log_1p_exp,
    "softmax": sigmoid,
}


def points():
    # A prime step over the bits of all positive finite numbers.
    bits = list(range(0, 0x7F800000, 2_097_143))
    near = [0.625, 1.0, 9.02, 13.0, 14.0, 16.6, 17.4, 87.3, 88.7, 103.3, 104.0, 0.0]
    positive = [f32(b) for b in bits] + [struct.unpack("<f", struct.pack("<f", x))[0] for x in near]
    # Where something happens, more densely.
    positive += [f32(b) for b in range(0x3A000000, 0x43000000, 150_001)]
    return sorted({s * x for x in positive for s in (1.0, -1.0)})


def main():
    xs = points()
    # Beyond this tails are 0 or x to any precision, and exponents of mpmath grow without end.
    clipped = [max(-2000.0, min(2000.0, x)) for x in xs]
    table = {"x": xs}
    for name, f in FUNCTIONS.items():
        values = []
        for x, c in zip(xs, clipped):
            y = f(mpf(c))
            values.append(float(y) if x == c else far(name, x, y))
        table[name] = values
    with open(sys.argv[1], "w") as file:
        json.dump(table, file)


def far(name, x, at_end):
    """The value beyond |x| = 2000, to f64's precision."""
    linear = {"gelu": x > 0, "logistic": x < 0, "log_sum_exp": x > 0}
    if linear.get(name, False):
        return abs(x)
    return 0.0 if name in linear else float(at_end)


main()
