"""A-T9 from figure-3-states.csv: final test errors, their slope against N, and the first recorded step without training errors.

    python3 repro/hinge-theory/overfitting.py [states.csv]

Cases are numbered N by N, two networks each, as `disentangle hinge-theory --figure 3 --replicas 2` writes them.
"""

import csv
import math
import pathlib
import statistics
import sys

SAMPLES = [250, 500, 1000, 2000, 4000, 8000]
REPLICAS = 2

path = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).with_name("figure-3-states.csv")
first, last = {}, {}
with open(path, newline="") as file:
    for row in csv.DictReader(file):
        case = int(row["case"])
        if float(row["train_error"]) == 0:
            first.setdefault(case, float(row["t"]))
        last[case] = float(row["test_error"])


def mean(of, n):
    return statistics.mean(of[n * REPLICAS + r] for r in range(REPLICAS))


steps = [mean(first, n) for n in range(len(SAMPLES))]
errors = [mean(last, n) for n in range(len(SAMPLES))]
print("N     first step without errors  final test error")
for n, samples in enumerate(SAMPLES):
    print(f"{samples:<5} {steps[n]:>26.1f} {errors[n]:>17.4f}")
line = statistics.linear_regression([math.log(n) for n in SAMPLES], [math.log(e) for e in errors])
print(f"slope of the test error: {line.slope:.2f}")
print("ratios of the steps:", ", ".join(f"{b / a:.2f}" for a, b in zip(steps, steps[1:])))
