"""One straggler epoch against PyTorch and JAX, interleaved: prints a Markdown table; exit code 1 below the floor.

The work: MNIST's first 8,192 rows (parity labels, standardised per pixel), R networks 784-20(tanh)-2, one full-batch step
of gradient descent, and of every network the loss, the training error and the gyration radii of both classes on the
unit-normalised hidden layer, brought to the host. All contenders start from the same weights and must arrive at the same
numbers before they are timed.
"""

import argparse
import datetime
import importlib.metadata
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import contest
import work

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OURS, OURS_DENSE = "disentangle", "disentangle, no zeros skipped"
# By replicas, of the fastest peer that is not compiled: PyTorch eager or vmap, JAX jit.
FLOORS = {1: {OURS: 4.5, OURS_DENSE: 3}, 16: {OURS: 2.5}}
EPOCHS_CHECKED, TOLERANCE = 20, 2e-4  # a misjudged sample of one network is 1.2e-4

# Replicas: (name, family, script, way).
CONTENDERS = {
    1: [
        ("PyTorch eager, as published", "PyTorch", "torch_epoch.py", "published"),
        ("PyTorch eager, one pass", "PyTorch", "torch_epoch.py", "fused"),
        ("PyTorch eager, one pass, hidden units before rows", "PyTorch", "torch_epoch.py", "wide"),
        ("PyTorch compile, one pass", "PyTorch", "torch_epoch.py", "fused-compile"),
        ("PyTorch compile, hidden units before rows", "PyTorch", "torch_epoch.py", "wide-compile"),
        ("JAX jit", "JAX", "jax_epoch.py", "vmap"),
        ("JAX jit, by hand", "JAX", "jax_epoch.py", "wide"),
    ],
    16: [
        ("PyTorch eager, loop", "PyTorch", "torch_epoch.py", "fused"),
        ("PyTorch vmap", "PyTorch", "torch_epoch.py", "vmap"),
        ("PyTorch eager, batched by hand", "PyTorch", "torch_epoch.py", "wide"),
        ("PyTorch vmap + compile", "PyTorch", "torch_epoch.py", "vmap-compile"),
        ("PyTorch compile, batched by hand", "PyTorch", "torch_epoch.py", "wide-compile"),
        ("JAX jit + vmap", "JAX", "jax_epoch.py", "vmap"),
        ("JAX jit, batched by hand", "JAX", "jax_epoch.py", "wide"),
    ],
}


def start(replicas, data, weights):
    tail = [str(data), str(replicas), str(contest.THREADS), str(weights)]
    ours = [ROOT / "target/release/epoch_peer", *tail]
    contenders = [
        contest.Contender(OURS, "ours", ours),
        contest.Contender(OURS_DENSE, "ours", [*ours, "dense"]),
    ]
    for name, family, script, way in CONTENDERS[replicas]:
        contenders.append(contest.Contender(name, family, [sys.executable, HERE / script, way, *tail]))
    return contenders


def run(replicas, rounds, data, folder):
    """Times one row of the table; returns its contenders and the share of the machine that others took."""
    weights = folder / f"weights-{replicas}.safetensors"
    work.write_safetensors(weights, work.weights(replicas))
    contenders = start(replicas, data, weights)
    try:
        contest.check(contenders, EPOCHS_CHECKED, TOLERANCE)
        return contenders, contest.contest(contenders, rounds)
    finally:
        for contender in contenders:
            contender.close()


def table(replicas, contenders, others):
    ours = contenders[0]
    lines = [
        f"## R = {replicas}",
        "",
        f"{len(others)} rounds; other programs took {100 * statistics.median(others):.0f} % of the machine "
        f"(median; at most {100 * max(others):.0f} %).",
        "",
        "| | ms per epoch and replica, median | ratio to disentangle, median (quartiles) |",
        "|---|---|---|",
    ]
    for contender in contenders:
        milliseconds = statistics.median(contender.times) * 1e3 / replicas
        middle, low, high = contest.ratio(contender, ours)
        lines.append(f"| {contender.name} | {milliseconds:.2f} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
    return "\n".join(lines) + "\n"


def hold(replicas, contenders):
    """Whether the floors hold."""
    held = True
    for ours in contenders:
        if ours.name in FLOORS[replicas]:
            floor = FLOORS[replicas][ours.name]
            peers = [c for c in contenders if c.family != "ours"]
            fastest = min(contest.ratio(c, ours)[0] for c in peers if "compile" not in c.name)
            compiled = min(contest.ratio(c, ours)[0] for c in peers if "compile" in c.name)
            held &= fastest >= floor
            word = "at least" if fastest >= floor else "BELOW"
            print(f"Fastest peer not compiled / {ours.name}: {fastest:.2f}, {word} {floor}. Compiled by PyTorch: {compiled:.2f}.\n", flush=True)
    return held


def commit():
    try:
        words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown commit"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT / "data/mnist", help="folder of MNIST's IDX files")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--replicas", type=int, choices=CONTENDERS, action="append", help="default: all")
    options = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "jax", "numpy"))
    print(f"# One epoch: step, radii, training error\n\n{contest.processor()}; {contest.THREADS} threads each.")
    print(f"{versions}; disentangle {commit()}; {datetime.date.today()}.\n", flush=True)
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for replicas in options.replicas or CONTENDERS:
            contenders, others = run(replicas, options.rounds, options.data, Path(folder))
            print(table(replicas, contenders, others), flush=True)
            passed &= hold(replicas, contenders)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
