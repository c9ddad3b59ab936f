#!/usr/bin/env python3
"""From the stand-in's model of memory accesses (stand_in/model.hpp) to a table by line of the sources.

    kernels/model.py LIBCUDA COUNTS...          # the table, on standard output
    kernels/model.py --compare COMMITTED FOUND  # fails where a line is new or worse by 1 %, and past the floors

A line of the table: kernel, file:line, memory, operation, bytes of an access, requests, sectors or wavefronts per request, the
fewest possible, and for device memory the second as a percentage of the first, for shared memory the first by the second.
"""

import collections
import pathlib
import subprocess
import sys

# Functions that do an access for a line that calls them, beside the stand-in's own.
HELPERS = {"load16", "put", "put_rows", "numbers", "is_present", "read", "write"}

# Dense and pairwise kernels: at most that many wavefronts per ideal one, at least that share of ideal sectors.
HELD = ("dense_", "lanes_total", "pair_", "nearest_", "soft_nearest_neighbor")
MOST_WAVEFRONTS = 1.1
LEAST_SECTORS = 90.0
# Rows that begin inside a sector, which dense kernels read and write number by number, have a sector more at their ends (README.md).
LEAST_SECTORS_OF_NUMBERS = 75.0


def least_sectors(kernel: str, size: str) -> float:
    return LEAST_SECTORS_OF_NUMBERS if kernel.startswith("dense_") and size == "4" else LEAST_SECTORS


def places(library: str, offsets: list[str]) -> dict[str, str]:
    """file:line of each offset: the innermost that is no helper."""
    said = subprocess.run(["addr2line", "-a", "-f", "-i", "-C", "-e", library], input="\n".join("0x" + o for o in offsets),
                          capture_output=True, text=True, check=True).stdout.split("\n")
    found, frames, offset = {}, [], None

    def close() -> None:
        if offset is None:
            return
        for name, place in frames:
            name = name.split("(")[0].split("<")[0].split("::")[-1].strip()
            name = name.split(" ")[-1]
            if name not in HELPERS and "device.hpp" not in place:
                found[offset] = place
                return
        found[offset] = frames[-1][1]

    n = 0
    while n < len(said) and said[n]:
        if said[n].startswith("0x"):
            close()
            offset, frames = format(int(said[n], 16), "x"), []
            n += 1
            continue
        line = said[n + 1].split(" (")[0]
        frames.append((said[n], f"{pathlib.Path(line.rsplit(':', 1)[0]).name}:{line.rsplit(':', 1)[1]}"))
        n += 2
    close()
    return found


def table(library: str, files: list[str]) -> None:
    counts = [line.split() for file in files for line in pathlib.Path(file).read_text().splitlines()]
    place_of = places(library, sorted({c[1] for c in counts}))
    sums: dict[tuple, list[int]] = collections.defaultdict(lambda: [0, 0, 0])
    for kernel, offset, memory, what, size, *numbers in counts:
        total = sums[kernel, place_of[offset], memory, what, int(size)]
        for n, number in enumerate(numbers):
            total[n] += int(number)
    print("# Model, not measured: what the addresses of warps' requests ask of device memory (sectors of 32 bytes) and shared memory (wavefronts).")
    print("# kernel line memory operation bytes requests units/request ideal/request efficiency (global: % of ideal; shared: times the ideal)")
    for key in sorted(sums, key=lambda k: (k[0], k[1].split(":")[0], int(k[1].split(":")[1]), *k[2:])):
        kernel, place, memory, what, size = key
        requests, units, ideal = sums[key]
        ratio = f"{100 * ideal / units:.1f}" if memory == "global" else f"{units / ideal:.3f}"
        print(kernel, place, memory, what, size, requests, f"{units / requests:.3f}", f"{ideal / requests:.3f}", ratio)


def rows(file: str) -> dict[tuple, float]:
    lines = [line.split() for line in pathlib.Path(file).read_text().splitlines() if not line.startswith("#")]
    return {tuple(line[:5]): float(line[8]) for line in lines}


def compare(committed: str, found: str) -> None:
    before, after = rows(committed), rows(found)
    bad = [f"{' '.join(key)}: not in {committed}" for key in after if key not in before]
    for key, ratio in after.items():
        budget = before.get(key, ratio)
        if ratio < 0.99 * budget if key[2] == "global" else ratio > 1.01 * budget:
            bad.append(f"{' '.join(key)}: {ratio}, budget {budget}")
    if bad:
        sys.exit("model.py: tests/cuda_model.sh --write\n" + "\n".join(bad))
    held = {key: ratio for key, ratio in after.items() if key[0].startswith(HELD)}
    past = [key for key, ratio in held.items() if (ratio < least_sectors(key[0], key[4]) if key[2] == "global" else ratio > MOST_WAVEFRONTS)]
    goal = (f"{LEAST_SECTORS:.0f} % of ideal sectors (number by number: {LEAST_SECTORS_OF_NUMBERS:.0f} %) or {MOST_WAVEFRONTS} wavefronts "
            f"per ideal one")
    if past:
        sys.exit(f"model.py: a dense or pairwise kernel does not have {goal}\n" + "\n".join(f"{' '.join(key)}: {held[key]}" for key in past))
    below = sum(key[2] == "global" and ratio < LEAST_SECTORS for key, ratio in held.items())
    print(f"model: {len(after)} accesses within their budget; all {len(held)} in dense and pairwise kernels have {goal}, {below} below "
          f"{LEAST_SECTORS:.0f} %")


def main() -> None:
    if len(sys.argv) == 4 and sys.argv[1] == "--compare":
        compare(sys.argv[2], sys.argv[3])
    elif len(sys.argv) > 2:
        table(sys.argv[1], sys.argv[2:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
