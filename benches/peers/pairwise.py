"""Reductions over pairs against PyTorch, JAX, KeOps, faiss and scikit-learn, interleaved: prints a Markdown table; exit code 1
below a floor.

The work: 10,000 standard normal points in 10 classes, f32, 2 threads each. All contenders of a row must arrive at the same numbers
before they are timed. One turn of each in every round; ratios are taken within a round.
"""

import argparse
import datetime
import importlib.metadata
import statistics
import sys
import tempfile
from pathlib import Path

import contest
import numpy as np
from epoch import HERE, ROOT, commit

ROWS, CLASSES = 10_000, 10
PEAKS = 4
TOLERANCE = 2e-4  # relative: the peers' expanded squares in f32

# Work, width, form, against (the fastest counts), goal, floor, and how many multiply-add slots a coordinate of a pair takes:
# a subtraction and a multiply-add for a difference, one for a product, by which the neighbours of long rows are found too; a
# gradient computes its distances twice and multiplies its weights with both sides' points.
LINES = [
    ("class-sums", 20, "direct", ["torch", "jax"], 12, 8, 2),
    ("class-sums", 512, "direct", ["torch", "jax"], 1.7, 1.3, 2),
    ("class-sums", 512, "centered", ["torch", "jax"], 2.7, 1.8, 1),
    ("snn", 20, "direct", ["jax"], 18, 10, 2),
    ("snn", 20, "direct", ["torch"], 75, 40, 2),
    ("snn", 512, "direct", ["jax"], 2.4, 1.8, 2),
    ("snn", 512, "centered", ["jax"], 4, 2.5, 1),
    ("snn-gradient", 20, "direct", ["jax"], 10, 6, 6),
    ("snn-gradient", 20, "direct", ["torch"], 55, 35, 6),
    ("snn-gradient", 512, "direct", ["jax"], 1.5, 1.1, 6),
    ("log-sums", 20, "direct", ["keops"], 30, 15, 2),
    ("nearest-2", 20, "direct", ["faiss", "sklearn"], 7, 4, 2),
    ("nearest-30", 20, "direct", ["faiss", "sklearn"], 4, 2.5, 2),
    ("nearest-2", 512, "direct", ["faiss", "sklearn"], 3.3, 2, 1),
    ("nearest-2", 512, "centered", ["faiss", "sklearn"], 4.5, 2.5, 1),
    ("silhouette", 20, "direct", ["sklearn"], 35, 20, 2),
    ("silhouette", 512, "direct", ["sklearn"], 5, 3, 2),
]


def write_points(folder, dim):
    rng = np.random.default_rng(dim)
    folder.mkdir()
    np.save(folder / "x.npy", rng.standard_normal((ROWS, dim)).astype(np.float32))
    np.save(folder / "y.npy", rng.integers(0, CLASSES, ROWS))


def prepare(contenders):
    """Every contender must compute the same numbers; also warms up, compiles, and fits the length of a turn."""
    first = None
    for contender in contenders:
        contender.run(1)
        state = contender.state()
        first = first or state
        for ours, theirs in zip(first, state, strict=True):
            if not abs(ours - theirs) <= TOLERANCE * abs(ours):
                raise RuntimeError(f"{contender.name} computes {state}, {contenders[0].name} {first}")
        contender.epochs = max(1, round(contest.TURN_SECONDS / contender.run(1)))


def line(entry, folder, rounds):
    """Times one row of the table; returns its text and whether it is at least at its floor."""
    name, dim, form, libraries, goal, floor, slots = entry
    data = folder / str(dim)
    if not data.exists():
        write_points(data, dim)
    tail = [str(data), str(contest.THREADS)]
    ours = contest.Contender("disentangle", "ours", [ROOT / "target/release/pairwise_peer", name, form, *tail])
    contenders = [ours]
    try:
        for library in libraries:
            command = [sys.executable, HERE / "pairwise_peers.py", f"{library}-{name}", *tail]
            contenders.append(contest.Contender(library, library, command))
        prepare(contenders)
        # The best that is seen before and after: a peak of a slow moment would flatter.
        peaks = [float(ours.ask("peak")) for _ in range(PEAKS)]
        others = contest.contest(contenders, rounds)
        peaks += [float(ours.ask("peak")) for _ in range(PEAKS)]
    finally:
        for contender in contenders:
            contender.close()
    peer = min(contenders[1:], key=lambda contender: statistics.median(contender.times))
    middle, low, high = contest.ratio(peer, ours)
    seconds = statistics.median(ours.times)
    pairs = ROWS * (ROWS - 1) / 2
    percent = 100 * 2 * slots * dim * pairs / seconds / max(peaks)
    verdict = "goal" if middle >= goal else "floor" if middle >= floor else "BELOW THE FLOOR"
    text = (
        f"| {name} | {dim} | {form} | {peer.name} | {statistics.median(peer.times) * 1e3:.0f} | {seconds * 1e3:.1f} "
        f"| **{middle:.2f}** ({low:.2f} to {high:.2f}) | {goal} / {floor} | {verdict} | {percent:.0f} % "
        f"| {100 * statistics.median(others):.0f} % |"
    )
    return text, middle >= floor


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default="", help="rows whose work, width and form contain this, as 'snn 20 direct'")
    options = parser.parse_args()
    names = ("torch", "jax", "faiss-cpu", "scikit-learn", "pykeops", "numpy")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    print(f"# Reductions over pairs: {ROWS:,} points, {CLASSES} classes\n")
    print(f"{contest.processor()}; {contest.THREADS} threads each; {options.rounds} rounds.")
    print(f"{versions}; disentangle {commit()}; {datetime.date.today()}.\n")
    print("Times are medians in ms, the fastest peer's and ours; the ratio is the median over rounds (quartiles). The percentage")
    print("is of this machine's multiply-add peak, the best of eight measured before and after: a subtraction takes as long as a")
    print("multiply-add. The last column is what other programs took of the machine meanwhile.\n")
    print("| work | d | form | peer | peer | ours | ratio | goal / floor | | of the peak | others |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for entry in LINES:
            if options.only in " ".join(map(str, entry[:3])):
                text, good = line(entry, Path(folder), options.rounds)
                passed &= good
                print(text, flush=True)
    print(f"\n{'No row is' if passed else 'There are rows'} below its floor.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
