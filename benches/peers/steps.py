"""Mini-batch steps against PyTorch, JAX, candle and burn, interleaved: prints a Markdown table; exit code 1 below a floor.

The work: a network with tanh layers and softmax cross-entropy on synthetic samples; each step takes the next batch, goes
forward and backward, and updates by gradient descent. All contenders start from the same weights, see the same batches and
must arrive at the same loss before they are timed.
"""

import argparse
import datetime
import importlib.metadata
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np

import contest
import work
from epoch import ROOT, commit

HERE = Path(__file__).resolve().parent
STEPS_CHECKED, TOLERANCE = 40, 2e-5  # mean loss, of order 1, after some tens of steps in f32

# Widths, batch, and the floor of each peer's ratio.
SHAPES = {
    "784-20-20-2": (32, {"JAX": 4, "PyTorch": 8, "candle": 14}),
    "784-512-512-10": (64, {"PyTorch": 1.4, "candle": 5}),
    "784-2048-2048-10": (512, {"PyTorch": 0.95}),
}
BATCHES = 16


def write_case(path, widths, batch):
    """Samples around one centre per class, and weights as PyTorch draws them."""
    rng = np.random.default_rng(1)
    rows, inputs, classes = BATCHES * batch, widths[0], widths[-1]
    labels = rng.integers(0, classes, rows)
    x = rng.normal(size=(rows, inputs)) + rng.normal(size=(classes, inputs))[labels] * 0.3
    arrays = {"x": x.astype(np.float32), "labels": labels.astype(np.float32)[:, None]}
    for layer, (fan_in, units) in enumerate(zip(widths, widths[1:], strict=False)):
        bound = fan_in**-0.5
        arrays[f"{2 * layer}.weight"] = rng.uniform(-bound, bound, (units, fan_in)).astype(np.float32)
        arrays[f"{2 * layer}.bias"] = rng.uniform(-bound, bound, units).astype(np.float32)
    work.write_safetensors(path, arrays)


def contenders(widths, batch, case):
    tail = [str(case), str(batch), str(contest.THREADS)]
    rust = HERE / "rust/target/release"
    yield contest.Contender("disentangle", "ours", [ROOT / "target/release/step_peer", *tail])
    for way in ("eager", "module", "compile"):
        yield contest.Contender(f"PyTorch {way}", "PyTorch", [sys.executable, HERE / "torch_steps.py", way, *tail])
    yield contest.Contender("JAX jit", "JAX", [sys.executable, HERE / "jax_steps.py", *tail])
    for name in ("candle", "burn"):
        if (rust / f"{name}_steps").exists():
            yield contest.Contender(name, name, [rust / f"{name}_steps", *tail])
        else:
            print(f"{name} is missing: see benches/peers/README.md\n")


def table(name, batch, floors, all_contenders, others):
    """The table, and whether every floor holds that a peer was there for."""
    ours = all_contenders[0]
    lines = [
        f"## {name}, batch {batch}",
        "",
        f"{len(others)} rounds; other programs took {100 * statistics.median(others):.0f} % of the machine "
        f"(median; at most {100 * max(others):.0f} %).",
        "",
        "| | us per step, median | ratio to disentangle, median (quartiles) |",
        "|---|---|---|",
    ]
    for contender in all_contenders:
        middle, low, high = contest.ratio(contender, ours)
        microseconds = statistics.median(contender.times) * 1e6
        lines.append(f"| {contender.name} | {microseconds:.1f} | {middle:.2f} ({low:.2f} to {high:.2f}) |")
    lines.append("")
    passed = True
    for family, floor in floors.items():
        ratios = [contest.ratio(c, ours)[0] for c in all_contenders if c.family == family and "compile" not in c.name]
        if ratios:
            held = min(ratios) >= floor
            passed &= held
            word = "at least" if held else "BELOW"
            lines.append(f"Fastest {family} (not compiled) / disentangle: {min(ratios):.2f}, {word} {floor}.")
    return "\n".join(lines) + "\n", passed


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--net", choices=SHAPES, action="append", help="default: all")
    options = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "jax", "numpy"))
    print(f"# Mini-batch steps\n\n{contest.processor()}; {contest.THREADS} threads each.")
    print(f"{versions}; disentangle {commit()}; {datetime.date.today()}.\n", flush=True)
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for name in options.net or SHAPES:
            batch, floors = SHAPES[name]
            case = Path(folder) / f"{name}.safetensors"
            write_case(case, [int(width) for width in name.split("-")], batch)
            running = []
            try:
                running.extend(contenders(name, batch, case))
                contest.check(running, STEPS_CHECKED, TOLERANCE)
                others = contest.contest(running, options.rounds)
            finally:
                for contender in running:
                    contender.close()
            text, held = table(name, batch, floors, running, others)
            print(text, flush=True)
            passed &= held
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
