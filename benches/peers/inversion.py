"""`disentangle inversion` against the same recipe in PyTorch: prints a Markdown table; exit code 1 below the floor.

MNIST's first 8,192 rows, R = 16 networks 784-20(tanh)-2, 500 epochs of one full-batch step, and in every epoch loss, training error, test error
on 10,000 rows and both radii of every network. Ours is the command from its start to its end: it reads the data, finds the inversions and
stragglers, writes its tables, the film and the report. PyTorch's is the loop of epochs alone, after it has read its data and compiled, in the ways that
were the fastest in epoch.py: `vmap` and one product for the first layers of all replicas (`wide`), which is compiled too. All start from the same
weights; the mean training errors at the end must agree.
"""

import argparse
import csv
import datetime
import importlib.metadata
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import contest
import work
from epoch import HERE, ROOT, commit

FLOOR = 4.0
EPOCHS, REPLICAS = 500, 16
# f32 on both sides: after 500 epochs some samples near the boundary are judged differently, 1.2e-4 each in one network.
TOLERANCE = 2e-3


def ours(data, weights, folder, epochs):
    """Seconds of the command, and the mean training error of its last epoch."""
    out = folder / "run"
    command = [ROOT / "target/release/disentangle", "inversion", "--data", data, "--train-samples", work.ROWS, "--epochs", epochs, "--replicas", REPLICAS]
    command += ["--init", weights, "--threads", contest.THREADS, "--test-every", 1, "--quiet", "--out", out]
    start = time.perf_counter()
    subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, env=contest.environment())
    seconds = time.perf_counter() - start
    with (out / "epochs.csv").open() as file:
        rows = list(csv.DictReader(file))
    last = [row for row in rows if row["epoch"] == rows[-1]["epoch"]]
    shutil.rmtree(out)
    return seconds, statistics.mean(float(row["train_error"]) for row in last)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT / "data/mnist", help="folder of MNIST's IDX files")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    options = parser.parse_args()
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("torch", "numpy"))
    print(f"# `inversion`, {options.epochs} epochs, R = {REPLICAS}\n\n{contest.processor()}; {contest.THREADS} threads each.")
    print(f"{versions}; disentangle {commit()}; {datetime.date.today()}; {options.rounds} rounds.\n", flush=True)
    times = {"disentangle": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = folder / "weights.safetensors"
        work.write_safetensors(weights, work.weights(REPLICAS))
        for turn in range(options.rounds):
            seconds, error = ours(options.data, weights, folder, options.epochs)
            times["disentangle"].append(seconds)
            for way in ("vmap", "wide", "wide-compile"):
                tail = [str(options.data), str(REPLICAS), str(contest.THREADS), str(weights), "test"]
                peer = contest.Contender(way, "PyTorch", [sys.executable, HERE / "torch_epoch.py", way, *tail])
                # What is compiled on first use is in no time.
                peer.run(1)
                times.setdefault(way, []).append(peer.run(options.epochs - 1) * options.epochs)
                found = peer.state()[1]
                peer.close()
                if abs(found - error) > TOLERANCE:
                    sys.exit(f"{way}: training error {found}, ours {error}")
    print("| | seconds per replica, median | ratio to disentangle, median (least to most) |\n|---|---|---|")
    for way, seconds in times.items():
        ratios = [peer / own for peer, own in zip(seconds, times["disentangle"])]
        print(f"| {way} | {statistics.median(seconds) / REPLICAS:.2f} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |")
    medians = {way: statistics.median(p / o for p, o in zip(seconds, times["disentangle"])) for way, seconds in times.items()}
    compiled, fastest = medians["wide-compile"], min(medians["vmap"], medians["wide"])
    word = "at least" if fastest >= FLOOR else "BELOW"
    print(f"\nFastest PyTorch not compiled / disentangle: {fastest:.2f}, {word} {FLOOR}. Compiled: {compiled:.2f}.")
    return 0 if fastest >= FLOOR else 1


if __name__ == "__main__":
    sys.exit(main())
