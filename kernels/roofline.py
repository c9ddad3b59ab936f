#!/usr/bin/env python3
"""A roofline for the kernels on the shapes of `disentangle bench`: a model from their sizes and data sheets; nothing of it was measured.

    kernels/roofline.py            # the table, on standard output
    kernels/roofline.py --check    # fails where kernels/ROOFLINE is another
    kernels/roofline.py --write    # writes kernels/ROOFLINE

A kernel takes at least max(operations / peak, bytes / bandwidth). Bytes are those of each operand from and to memory, once: what is read
again comes from the second-level cache, for which data sheets have no figure. Operations are those that the tiles do, padding
included; a device with fewer blocks than multiprocessors has that share of its peak. Operations of elementary functions and of what is
done number by number are not counted (some 4 per byte, below every ridge here). Launches, latencies, clocks below the
boost and the shared memory's bandwidth are not in it, so a device will be slower. Skipping of zeros is the CPU's alone.
"""

import math
import pathlib
import re
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent


class Device(NamedTuple):
    name: str
    # f32 and f64 on the vector units, operations per second; bytes per second; multiprocessors.
    peak: float
    wide_peak: float
    bandwidth: float
    multiprocessors: int
    source: str


DEVICES = (
    Device("A100", 19.5e12, 9.7e12, 2039e9, 108, "A100 80 GB SXM: NVIDIA A100 Tensor Core GPU datasheet (1758950); multiprocessors: NVIDIA A100 whitepaper"),
    Device("H100", 67e12, 34e12, 3.35e12, 132, "H100 SXM: NVIDIA H100 Tensor Core GPU datasheet (2287922); multiprocessors: NVIDIA H100 whitepaper"),
)


class Work(NamedTuple):
    """Operations that are wanted and that are done, bytes, blocks; `wide`: in f64."""

    wanted: float
    done: float
    bytes: float
    blocks: int
    wide: bool = False

    def seconds(self, device: Device) -> tuple[float, str]:
        peak = device.wide_peak if self.wide else device.peak
        compute = self.done / (peak * min(1.0, self.blocks / device.multiprocessors)) if self.done else 0.0
        memory = self.bytes / device.bandwidth
        return (compute, "operations") if compute > memory else (memory, "bytes")


def up(n: int, to: int) -> int:
    return -(-n // to)


def product(m: int, n: int, k: int, replicas: int, tile: tuple[int, int], lanes: int, numbers: float) -> Work:
    """C = A B on tiles; `numbers` are read or written."""
    tiles = up(m, tile[0]) * up(n, tile[1]) * replicas
    padded = 2.0 * tiles * tile[0] * tile[1] * up(k, 16) * 16
    return Work(2.0 * m * n * k * replicas, padded, 4.0 * numbers, tiles * lanes)


def is_narrow(units: int) -> bool:
    return units <= 16 or (units <= 32 and units % 8 == 0)


def dense(rows: int, inputs: int, units: int, replicas: int, shared: bool, activated: bool = False) -> tuple[str, Work]:
    """As src/backend/cuda/product.rs: replicas that share x are one wide matrix; few units have a narrow tile."""
    groups, wide = (1, units * replicas) if shared else (replicas, units)
    narrow = is_narrow(wide)
    numbers = rows * inputs * groups + replicas * (units * inputs + units + rows * units * (1 + activated))
    work = product(rows, wide, inputs, groups, (256, 16) if narrow else (64, 64), 1, numbers)
    return "dense_forward_narrow" if narrow else "dense_forward", work


def input_grad(rows: int, inputs: int, units: int, replicas: int) -> tuple[str, Work]:
    narrow = is_narrow(inputs)
    numbers = replicas * (rows * units + units * inputs + rows * inputs)
    work = product(rows, inputs, units, replicas, (256, 16) if narrow else (64, 64), 1, numbers)
    return "dense_input_grad_narrow" if narrow else "dense_input_grad", work


def weight_grad(rows: int, inputs: int, units: int, replicas: int, shared: bool) -> list[tuple[str, Work]]:
    groups, wide = (1, units * replicas) if shared else (replicas, units)
    narrow = is_narrow(wide)
    lanes = min(up(rows, 256), 16)
    out = replicas * units * (inputs + 1)
    numbers = replicas * rows * units + groups * rows * inputs + lanes * out
    work = product(wide, inputs, rows, groups, (16, 256) if narrow else (64, 64), lanes, numbers)
    # A lane's rows are whole tiles of 256, which are whole slices.
    parts = [("dense_weight_grad_narrow" if narrow else "dense_weight_grad", work)]
    if lanes > 1:
        parts.append(("lanes_total", Work(0.0, 0.0, 4.0 * (lanes + 1) * out, up(out, 256))))
    return parts


def numbers(count: int, each: float) -> Work:
    """Number by number: `each` bytes for each."""
    return Work(0.0, 0.0, count * each, up(count, 256))


def pair_kernels(rows: int, classes: int, dim: int, reduction: str) -> list[tuple[str, Work]]:
    """kernels/pairs.cu and pair_gradient.cu: slots of the multiply-add units count as two operations, as in src/bench/pairs.rs."""
    stride = up(dim, 8) * 8
    tiles = up(up(rows, classes), 64) * classes
    points = 4.0 * tiles * 64 * stride
    parts = min(max(tiles * tiles // 2048, 4), 64)
    column_parts = classes * up(tiles // classes, max(parts, up(tiles, 64)))
    pairs = rows * (rows - 1) / 2.0
    wanted = 4.0 * dim * pairs
    tile = 4.0 * 64 * 64 * stride
    positions = tiles * 64
    sums = 8.0 * column_parts * positions
    each_order = Work(wanted, tiles * tiles * tile, points + sums, tiles * column_parts)
    if reduction == "class sums":
        return [("pair_sums_f32", Work(wanted, tiles * (tiles + 1) / 2 * tile, points + sums, tiles * column_parts))]
    if reduction == "row sums":
        return [("pair_sums_f32", each_order)]
    logs = [("pair_log_sums_f32", each_order._replace(bytes=points + 2 * sums))]
    if reduction == "soft nearest":
        return logs
    # A slab of 32 coordinates has the distances anew, and then a difference, a product and a sum for each of its own.
    slabs = up(stride, 32)
    blocks = tiles * slabs
    gradient_parts = up(tiles, up(tiles, min(max(512 // blocks, 1), 8)))
    done = tiles * tiles * 64.0 * 64.0 * 2.0 * (2 * stride * slabs + 3 * 32 * slabs)
    moved = points + 8.0 * gradient_parts * positions * stride + 16.0 * classes * positions
    return logs + [("pair_log_gradient_f32", Work(8.0 * dim * pairs, done, moved, blocks * gradient_parts))]


def nearest_kernels(rows: int, dim: int, k: int) -> list[tuple[str, Work]]:
    """kernels/nearest.cu: f64 in 32 rows by 64 columns, a difference, a product and a sum for each coordinate, which count as two
    operations each like a fused one; insertions are not counted."""
    stride = up(dim, 4) * 4
    row_tiles, tiles = up(rows, 32), up(rows, 64)
    parts = up(tiles, up(tiles, min(max(512 // row_tiles, 1), 16)))
    done = row_tiles * tiles * 32.0 * 64.0 * 6.0 * stride
    launches = [("nearest_of_part", Work(6.0 * dim * rows * (rows - 1), done, 8.0 * tiles * 64 * stride + 12.0 * k * parts * rows, row_tiles * parts, True))]
    if parts > 1:
        launches.append(("nearest_of_parts", Work(0.0, 0.0, 12.0 * k * (parts + 1) * rows, up(32 * rows, 256))))
    return launches


def found(pattern: str, text: str) -> list:
    matches = re.findall(pattern, text, re.DOTALL)
    if not matches:
        sys.exit(f"roofline.py: src/bench has nothing like {pattern}")
    return matches


def integers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", text.replace("_", ""))]


def cases() -> list[tuple[str, str, list[tuple[str, Work]]]]:
    """Name, shape and launches of each case of src/bench."""
    text = (ROOT / "src/bench/cases.rs").read_text()
    rows = []
    for shapes, kernel, zeros in found(r"for shape in \[([^\]]*)\] \{\s*cases\.push\((\w+)\(shape(?:, (\w+))?\)\)", text):
        if zeros == "true":
            continue
        for shape in re.findall(r"\(([^)]*)\)", shapes):
            m, inputs, units, replicas = integers(shape)
            words = f"{m} x {inputs} x {units}, R = {replicas}"
            if kernel == "dense":
                launches = [dense(m, inputs, units, replicas, True)]
            elif kernel == "dense_weight_grad":
                launches = weight_grad(m, inputs, units, replicas, True)
            else:
                launches = [input_grad(m, inputs, units, replicas)]
            rows.append((kernel, words, launches))
    m, cols, replicas = integers(found(r"const HIDDEN: [^=]* = (\([^)]*\));", text)[0])
    hidden, count = f"{m} x {cols}, R = {replicas}", m * cols * replicas
    for name in found(r'\("(\w+)", Unary::', text):
        rows.append((name, hidden, [("unary", numbers(count, 8))]))
    rows.append(("tanh_grad", hidden, [("unary_grad", numbers(count, 12))]))
    rows.append(("row_normalize", hidden, [("row_normalize", numbers(count, 8 + 4 / cols))]))
    rows.append(("class_moments", hidden, [("class_moments_parts", numbers(count, 4 + 4 / cols))]))
    rows.append(("error_count", f"{m} x 2, R = {replicas}", [("error_count_parts", numbers(m * replicas, 12))]))
    for classes in integers(found(r"for classes in \[([^\]]*)\]", text)[0]):
        words = f"{m} x {classes}, R = {replicas}"
        rows.append(("softmax_cross_entropy", words, [("softmax_cross_entropy", numbers(m * replicas, 4 * classes + 8))]))
        rows.append(("softmax_cross_entropy_grad", words, [("softmax_cross_entropy_grad", numbers(m * replicas, 8 * classes + 8))]))
    units, inputs = integers(found(r"let \(units, inputs\) = \(([^)]*)\);", text)[0])
    rows.append(("sgd with momentum", f"{units} x {inputs}", [("sgd", numbers(units * inputs, 20))]))
    rows.append(("adam", f"{units} x {inputs}", [("adam", numbers(units * inputs, 28))]))
    for widths, m, replicas, zeros in found(r"step\(&\[([\d, ]+)\], (\d+), (\d+), (\w+)\)", text):
        if zeros == "false":
            rows.append((*step(integers(widths), int(m), int(replicas)),))
    pairs = (ROOT / "src/bench/pairs.rs").read_text()
    count, classes = (integers(found(rf"const {name}: usize = ([\d_]+);", pairs)[0])[0] for name in ("ROWS", "CLASSES"))
    for dim in sorted({int(dim) for dim in found(r"\((\d+), Form::", pairs)}):
        for reduction in ("class sums", "row sums", "soft nearest", "soft nearest, grad"):
            rows.append((f"pairs: {reduction}", f"{count} x {dim}, direct", pair_kernels(count, classes, dim, reduction)))
        for k in found(r"pairs: (\d+) nearest", pairs):
            rows.append((f"pairs: {k} nearest", f"{count} x {dim}, f64", nearest_kernels(count, dim, int(k))))
    return rows


def step(widths: list[int], m: int, replicas: int) -> tuple[str, str, list[tuple[str, Work]]]:
    """Products, activations' slopes, loss and update of a step; samples are shared, nothing else."""
    layers = list(zip(widths, widths[1:]))
    launches = []
    for n, (inputs, units) in enumerate(layers):
        shared = n == 0
        launches.append(dense(m, inputs, units, replicas, shared, activated=n + 1 < len(layers)))
        launches += weight_grad(m, inputs, units, replicas, shared)
        if n > 0:
            launches.append(input_grad(m, inputs, units, replicas))
            launches.append(("unary_grad", numbers(m * inputs * replicas, 12)))
        launches.append(("sgd", numbers(replicas * units * (inputs + 1), 12)))
    launches.append(("softmax_cross_entropy", numbers(m * replicas, 4 * widths[-1] + 8)))
    launches.append(("softmax_cross_entropy_grad", numbers(m * replicas, 8 * widths[-1] + 8)))
    return "step", f"{'-'.join(map(str, widths))}, {m} rows, R = {replicas}", launches


def amount(value: float, unit: str) -> str:
    """Three digits and a prefix: 1.23M."""
    if value == 0:
        return "-"
    power = min(max(int(math.floor(math.log10(value) / 3)), 0), 4)
    return f"{value / 1000**power:.3g} {' kMGT'[power].strip()}{unit}"


def table() -> str:
    lines = ["Model, not measured on any device: the least time of each kernel by a roofline (kernels/roofline.py has what is in it and what is not)."]
    for device in DEVICES:
        ridge = device.peak / device.bandwidth
        lines.append(f"{device.name}: {device.peak / 1e12:g} Tflop/s of f32 and {device.wide_peak / 1e12:g} of f64, {device.bandwidth / 1e9:g} GB/s, {device.multiprocessors} multiprocessors,"
                     f" ridge {ridge:.1f} flop/byte in f32. {device.source}.")
    lines += ["Of flop are wanted: what the formula needs of what the tiles do. At most: wanted operations per second, or bytes where none are counted.", ""]
    head = "| case | shape | kernel | flop | wanted | bytes | flop/byte | blocks |"
    lines.append(head + "".join(f" {d.name}, least | bound by | at most |" for d in DEVICES))
    lines.append("|---|---|---|---|---|---|---|---|" + "---|---|---|" * len(DEVICES))
    for name, shape, launches in cases():
        # The kernels of a step are those of the other cases.
        shown = [("all", None)] if name == "step" else launches + ([("all", None)] if len(launches) > 1 else [])
        works = [work for _, work in launches]
        total = Work(*(sum(parts) for parts in list(zip(*works))[:4]))
        for kernel, work in shown:
            own = [work] if work else works
            sizes = work or total
            row = f"| {name} | {shape} | {kernel} | {amount(sizes.done, '')} | "
            row += f"{100 * sizes.wanted / sizes.done:.0f} % | " if sizes.done else "- | "
            row += f"{amount(sizes.bytes, 'B')} | " + (f"{sizes.done / sizes.bytes:.1f} | " if sizes.done else "- | ")
            row += f"{sizes.blocks if work else '-'} |"
            for device in DEVICES:
                times = [one.seconds(device) for one in own]
                least = sum(seconds for seconds, _ in times)
                by: dict[str, float] = {}
                for seconds, what in times:
                    by[what] = by.get(what, 0.0) + seconds
                bound = max(by, key=lambda what: by[what])
                most = amount(sizes.wanted / least, "flop/s") if sizes.wanted else amount(sizes.bytes / least, "B/s")
                row += f" {1e6 * least:.3g} us | {bound} | {most} |"
            lines.append(row)
    return "\n".join(lines) + "\n"


def main() -> None:
    committed = ROOT / "kernels/ROOFLINE"
    if sys.argv[1:] == ["--write"]:
        committed.write_text(table())
    elif sys.argv[1:] == ["--check"]:
        if committed.read_text() != table():
            sys.exit("roofline.py: kernels/ROOFLINE is not of these sources: kernels/roofline.py --write")
        print(f"roofline (a model): {len(cases())} cases as committed")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        print(table(), end="")


if __name__ == "__main__":
    main()
